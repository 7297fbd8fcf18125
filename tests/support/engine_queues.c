/* SPDX-License-Identifier: MIT */
/* engine_queues.c - a list of stores, and a thread an endpoint that tells what happens in them.
 *
 * All of it is under one lock, which is never held while an event is told. */
#include "engine_queues.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"

/* A queue, as everybody sees it. */
struct store {
    struct rvi_link link;
    char pool[RVI_ENGINE_NAME_BYTES], name[RVI_ENGINE_NAME_BYTES];
    uint64_t capacity, waiting, leased;
    struct rvi_list items;
};

struct item {
    struct rvi_engine_item base;
    struct rvi_link link; /* of the store while it waits, of its holder while it is leased */
    bool is_stale;        /* somebody else has got a copy */
    unsigned char bytes[];
};

struct handle {
    struct rvi_engine_queue base;
    struct rvi_link link;
    struct store *store; /* NULL: it was removed */
    unsigned wanted, held;
    struct rvi_list in_hand, said;
    bool is_being_told;
};

struct note {
    struct rvi_link link;
    enum { PUT, COUNT, DROP, LAPSED } act;
    void *token;
    struct item *item;
};

struct endpoint {
    struct rvi_engine base;
    struct rvi_link link;
    char pool[RVI_ENGINE_NAME_BYTES];
    struct rvi_list handles;
    pthread_t thread;
    bool is_closing;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static struct rvi_list stores, endpoints;
static struct queue_faults faults;

static void *sure(void *memory)
{
    RV_CHECK(memory);
    return memory;
}

static struct handle *handle_of(struct rvi_engine_queue *q)
{
    return rvi_container_of(q, struct handle, base);
}

static struct item *item_new(const void *bytes, size_t count)
{
    struct item *item = sure(calloc(1, sizeof(*item) + count));

    memcpy(item->bytes, bytes, count);
    item->base.bytes = item->bytes;
    item->base.count = count;
    return item;
}

/* --- stores, with the lock --- */

static struct store *find_store(const char *pool, const char *name)
{
    RVI_LIST_FOREACH(link, &stores) {
        struct store *store = rvi_container_of(link, struct store, link);
        if ((!pool || strcmp(store->pool, pool) == 0) && strcmp(store->name, name) == 0)
            return store;
    }
    return NULL;
}

static struct store *have_store(const char *pool, const char *name, uint64_t capacity)
{
    struct store *store = find_store(pool, name);

    if (store)
        return store;
    store = sure(calloc(1, sizeof(*store)));
    snprintf(store->pool, sizeof(store->pool), "%s", pool);
    snprintf(store->name, sizeof(store->name), "%s", name);
    store->capacity = capacity;
    rvi_list_init(&store->items);
    rvi_list_push_back(&stores, &store->link);
    return store;
}

static void add(struct store *store, struct item *item, bool is_first)
{
    store->waiting++;
    if (is_first)
        rvi_list_push_front(&store->items, &item->link);
    else
        rvi_list_push_back(&store->items, &item->link);
}

static void remove_store(struct store *store)
{
    struct rvi_link *link;

    RVI_LIST_FOREACH(endpoint, &endpoints) {
        RVI_LIST_FOREACH(at, &rvi_container_of(endpoint, struct endpoint, link)->handles) {
            struct handle *h = rvi_container_of(at, struct handle, link);
            if (h->store == store)
                h->store = NULL;
        }
    }
    while ((link = rvi_list_pop_front(&store->items)))
        free(rvi_container_of(link, struct item, link));
    rvi_link_remove(&store->link);
    free(store);
}

static void give_up(struct handle *h, struct item *item, bool is_done)
{
    rvi_link_remove(&item->link);
    h->held--;
    if (h->store && !item->is_stale) {
        h->store->leased--;
        if (!is_done)
            add(h->store, item, true);
    }
    if (is_done || item->is_stale || !h->store)
        free(item);
    pthread_cond_broadcast(&news);
}

/* --- an endpoint's thread; with the lock, but while it tells --- */

static int judge_put(struct handle *h)
{
    struct store *store = h->store;

    if (faults.puts > 0) {
        faults.puts--;
        return faults.put;
    }
    if (!store)
        return -ENOENT;
    return store->waiting + store->leased >= store->capacity ? -EAGAIN : 0;
}

static void tell_put(struct handle *h, struct note *note)
{
    int error = judge_put(h);

    if (error == 0)
        add(h->store, note->item, false);
    else
        free(note->item);
    pthread_mutex_unlock(&lock);
    h->base.events.put(h->base.arg, note->token, error);
    pthread_mutex_lock(&lock);
}

static void tell_count(struct handle *h, struct note *note)
{
    int error = faults.count;
    uint64_t waiting = h->store ? h->store->waiting : 0, leased = h->store ? h->store->leased : 0;

    pthread_mutex_unlock(&lock);
    h->base.events.counted(h->base.arg, note->token, error, waiting, leased);
    pthread_mutex_lock(&lock);
}

static void tell_drop(struct handle *h, struct note *note)
{
    if (h->store)
        remove_store(h->store);
    pthread_mutex_unlock(&lock);
    h->base.events.dropped(h->base.arg, note->token, 0);
    pthread_mutex_lock(&lock);
}

static void tell_lapsed(struct handle *h, struct note *note)
{
    pthread_mutex_unlock(&lock);
    h->base.events.lapsed(h->base.arg, &note->item->base);
    pthread_mutex_lock(&lock);
}

static bool tell_note(struct handle *h)
{
    static void (*const tell[])(struct handle * h, struct note * note) = {tell_put, tell_count,
                                                                          tell_drop, tell_lapsed};
    struct rvi_link *link = rvi_list_pop_front(&h->said);
    struct note *note = link ? rvi_container_of(link, struct note, link) : NULL;

    if (note)
        tell[note->act](h, note);
    free(note);
    return note;
}

static bool lease_one(struct handle *h)
{
    struct rvi_link *link =
        h->store && h->held < h->wanted ? rvi_list_pop_front(&h->store->items) : NULL;

    if (!link)
        return false;
    struct item *item = rvi_container_of(link, struct item, link);
    h->store->waiting--;
    h->store->leased++;
    h->held++;
    item->base.queue = &h->base;
    item->base.delivered++;
    rvi_list_push_back(&h->in_hand, &item->link);
    pthread_mutex_unlock(&lock);
    h->base.events.got(h->base.arg, &item->base);
    pthread_mutex_lock(&lock);
    return true;
}

static bool turn(struct endpoint *e)
{
    RVI_LIST_FOREACH(link, &e->handles) {
        struct handle *h = rvi_container_of(link, struct handle, link);
        h->is_being_told = true;
        bool is_any = tell_note(h) || lease_one(h);
        h->is_being_told = false;
        pthread_cond_broadcast(&news);
        if (is_any)
            return true;
    }
    return false;
}

static void *run(void *arg)
{
    struct endpoint *e = arg;

    pthread_mutex_lock(&lock);
    while (!e->is_closing) {
        if (faults.is_away || !turn(e))
            pthread_cond_wait(&news, &lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* --- the seam --- */

static int open_engine(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                       const struct rvi_engine_events *events, void *arg, char *words);

static void close_engine(struct rvi_engine *engine, rv_time deadline)
{
    struct endpoint *e = rvi_container_of(engine, struct endpoint, base);

    (void)deadline;
    pthread_mutex_lock(&lock);
    RV_CHECK(rvi_list_is_empty(&e->handles));
    e->is_closing = true;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
    RV_CHECK(pthread_join(e->thread, NULL) == 0);
    pthread_mutex_lock(&lock);
    rvi_link_remove(&e->link);
    pthread_mutex_unlock(&lock);
    free(e);
}

static int open_queue(struct rvi_engine_queue **ret, struct rvi_engine *engine, const char *name,
                      uint64_t capacity, const struct rvi_engine_queue_events *events, void *arg)
{
    struct endpoint *e = rvi_container_of(engine, struct endpoint, base);
    int r = faults.open_queue;
    struct handle *h = r < 0 ? NULL : rvi_calloc(1, sizeof(*h));

    if (!h)
        return r < 0 ? r : -ENOMEM;
    h->base = (struct rvi_engine_queue){.engine = engine, .events = *events, .arg = arg};
    rvi_list_init(&h->in_hand);
    rvi_list_init(&h->said);
    pthread_mutex_lock(&lock);
    h->store = have_store(e->pool, name, capacity);
    rvi_list_push_back(&e->handles, &h->link);
    pthread_mutex_unlock(&lock);
    *ret = &h->base;
    return 0;
}

static void close_queue(struct rvi_engine_queue *q)
{
    struct handle *h = handle_of(q);
    struct rvi_link *link;

    pthread_mutex_lock(&lock);
    while (h->is_being_told)
        pthread_cond_wait(&news, &lock);
    while ((link = rvi_list_first(&h->in_hand)))
        give_up(h, rvi_container_of(link, struct item, link), false);
    while ((link = rvi_list_pop_front(&h->said))) {
        struct note *note = rvi_container_of(link, struct note, link);
        if (note->act == PUT)
            free(note->item);
        free(note);
    }
    rvi_link_remove(&h->link);
    pthread_mutex_unlock(&lock);
    rvi_free(h);
}

static void say(struct handle *h, int act, void *token, struct item *item)
{
    struct note *note = sure(calloc(1, sizeof(*note)));

    note->act = act;
    note->token = token;
    note->item = item;
    pthread_mutex_lock(&lock);
    rvi_list_push_back(&h->said, &note->link);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

/* As a real engine these may lack memory. */
static bool has_memory(void)
{
    void *memory = rvi_alloc(1);

    rvi_free(memory);
    return memory != NULL;
}

static int put(struct rvi_engine_queue *q, const void *bytes, size_t count, void *token)
{
    if (!has_memory())
        return -ENOMEM;
    say(handle_of(q), PUT, token, item_new(bytes, count));
    return 0;
}

static int count_queue(struct rvi_engine_queue *q, void *token)
{
    if (!has_memory())
        return -ENOMEM;
    say(handle_of(q), COUNT, token, NULL);
    return 0;
}

static int drop(struct rvi_engine_queue *q, void *token)
{
    if (!has_memory())
        return -ENOMEM;
    say(handle_of(q), DROP, token, NULL);
    return 0;
}

static void want(struct rvi_engine_queue *q, unsigned items)
{
    pthread_mutex_lock(&lock);
    handle_of(q)->wanted = items;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static void end_lease(struct rvi_engine_item *item, bool is_done)
{
    pthread_mutex_lock(&lock);
    give_up(handle_of(item->queue), rvi_container_of(item, struct item, base), is_done);
    pthread_mutex_unlock(&lock);
}

static void done(struct rvi_engine_item *item)
{
    end_lease(item, true);
}

static void back(struct rvi_engine_item *item)
{
    end_lease(item, false);
}

static const struct rvi_engine_queue_kind queues = {
    .open = open_queue,
    .close = close_queue,
    .put = put,
    .want = want,
    .count = count_queue,
    .drop = drop,
    .done = done,
    .back = back,
};

static const struct rvi_engine_kind kind = {
    .schemes = {"queues"},
    .open = open_engine,
    .close = close_engine,
    .queues = &queues,
};

static int open_engine(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                       const struct rvi_engine_events *events, void *arg, char *words)
{
    struct endpoint *e;

    if (faults.open < 0)
        snprintf(words, RVI_ENGINE_WORDS, "nobody is there");
    if (faults.open < 0)
        return faults.open;
    e = sure(calloc(1, sizeof(*e)));
    e->base = (struct rvi_engine){.kind = &kind, .events = *events, .arg = arg};
    snprintf(e->pool, sizeof(e->pool), "%s", opts->pool);
    rvi_list_init(&e->handles);
    pthread_mutex_lock(&lock);
    rvi_list_push_back(&endpoints, &e->link);
    pthread_mutex_unlock(&lock);
    RV_CHECK(pthread_create(&e->thread, NULL, run, e) == 0);
    *ret = &e->base;
    return 0;
}

/* --- what tests say --- */

__attribute__((constructor)) static void prepare(void)
{
    rvi_list_init(&stores);
    rvi_list_init(&endpoints);
    rvi_engine_register(&kind);
}

void engine_queues_reset(void)
{
    struct rvi_link *link;

    pthread_mutex_lock(&lock);
    RV_CHECK(rvi_list_is_empty(&endpoints));
    while ((link = rvi_list_first(&stores)))
        remove_store(rvi_container_of(link, struct store, link));
    faults = (struct queue_faults){0};
    pthread_mutex_unlock(&lock);
}

void engine_queues_break(const struct queue_faults *wanted)
{
    pthread_mutex_lock(&lock);
    faults = *wanted;
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static void lapse(struct handle *h)
{
    RVI_LIST_FOREACH(link, &h->in_hand) {
        struct item *item = rvi_container_of(link, struct item, link);
        if (item->is_stale)
            continue;
        struct item *copy = item_new(item->bytes, item->base.count);
        copy->base.delivered = item->base.delivered;
        item->is_stale = true;
        h->store->leased--;
        add(h->store, copy, true);
        struct note *note = sure(calloc(1, sizeof(*note)));
        *note = (struct note){.act = LAPSED, .item = item};
        rvi_list_push_back(&h->said, &note->link);
    }
}

void engine_queues_lapse(void)
{
    pthread_mutex_lock(&lock);
    RVI_LIST_FOREACH(endpoint, &endpoints) {
        RVI_LIST_FOREACH(at, &rvi_container_of(endpoint, struct endpoint, link)->handles)
            lapse(rvi_container_of(at, struct handle, link));
    }
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

void engine_queues_put(const char *name, const void *bytes, size_t count)
{
    pthread_mutex_lock(&lock);
    struct store *store = find_store(NULL, name);
    RV_CHECK(store);
    add(store, item_new(bytes, count), false);
    pthread_cond_broadcast(&news);
    pthread_mutex_unlock(&lock);
}

static unsigned sum(unsigned (*of)(struct handle *h))
{
    unsigned all = 0;

    pthread_mutex_lock(&lock);
    RVI_LIST_FOREACH(endpoint, &endpoints) {
        RVI_LIST_FOREACH(at, &rvi_container_of(endpoint, struct endpoint, link)->handles)
            all += of(rvi_container_of(at, struct handle, link));
    }
    pthread_mutex_unlock(&lock);
    return all;
}

static unsigned unanswered_of(struct handle *h)
{
    unsigned all = 0;

    RVI_LIST_FOREACH(link, &h->said)
        all++;
    return all;
}

static unsigned wanted_of(struct handle *h)
{
    return h->wanted > h->held ? h->wanted - h->held : 0;
}

unsigned engine_queues_unanswered(void)
{
    return sum(unanswered_of);
}

unsigned engine_queues_wanted(void)
{
    return sum(wanted_of);
}
