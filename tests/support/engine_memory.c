/* SPDX-License-Identifier: MIT */
/* engine_memory.c - one table of pools: what is done in it with what endpoints say, and what tests
 * let go wrong. */
#include "engine_memory_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ravel/future.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/clock.h"

enum { PATIENCE_S = 10 };

struct memory_engine memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- memory: the engine's own never ends, but where a submission is made --- */

static void *sure(void *got)
{
    RV_CHECK(got);
    return got;
}

struct note *memory_note_new(enum act act, const char *id)
{
    struct note *note = sure(calloc(1, sizeof(*note)));

    note->act = act;
    if (id)
        memcpy(note->id, id, RVI_ENGINE_ID_BYTES);
    return note;
}

struct result *memory_result_new(const struct rvi_engine_result *from)
{
    size_t bytes = from->kind == RV_OUTCOME_VALUE ? from->out_bytes : 0;
    struct result *result = sure(calloc(1, sizeof(*result) + bytes + 1));

    result->told = *from;
    if (bytes > 0)
        memcpy(result->bytes, from->out, bytes);
    result->told.out = result->bytes;
    result->told.out_bytes = bytes;
    if (from->words)
        snprintf(result->words, sizeof(result->words), "%s", from->words);
    result->told.words = from->words ? result->words : NULL;
    return result;
}

static void task_unref(struct task *task)
{
    if (--task->refs == 0)
        rvi_free(task);
}

void memory_note_free(struct note *note)
{
    if (note->task)
        task_unref(note->task);
    free(note->result);
    free(note);
}

/* --- with the lock --- */

static void hear(struct endpoint *e, struct note *note)
{
    if (e == &memory.nobody) {
        memory_note_free(note);
        return;
    }
    rvi_list_push_back(&e->heard, &note->link);
    pthread_cond_broadcast(&memory.news);
}

struct pool *memory_pool_at(const char *url, const char *name)
{
    RVI_LIST_FOREACH(link, &memory.pools) {
        struct pool *pool = rvi_container_of(link, struct pool, link);
        if (strcmp(pool->url, url) == 0 && strcmp(pool->name, name) == 0)
            return pool;
    }
    struct pool *pool = sure(calloc(1, sizeof(*pool)));
    snprintf(pool->url, sizeof(pool->url), "%s", url);
    snprintf(pool->name, sizeof(pool->name), "%s", name);
    rvi_list_init(&pool->tasks);
    rvi_list_init(&pool->results);
    rvi_list_init(&pool->members);
    rvi_list_push_back(&memory.pools, &pool->link);
    return pool;
}

static struct task *find_task(struct pool *pool, const char *id)
{
    RVI_LIST_FOREACH(link, &pool->tasks) {
        struct task *task = rvi_container_of(link, struct task, link);
        if (strcmp(task->told.id, id) == 0)
            return task;
    }
    return NULL;
}

static bool has_result(struct pool *pool, const char *id)
{
    RVI_LIST_FOREACH(link, &pool->results) {
        if (strcmp(rvi_container_of(link, struct result, link)->told.id, id) == 0)
            return true;
    }
    return false;
}

static void tell_ended(struct endpoint *client, const struct rvi_engine_result *told)
{
    struct note *note = memory_note_new(ENDED, told->id);

    note->result = memory_result_new(told);
    hear(client, note);
}

bool memory_use_up(unsigned *count)
{
    bool is_any = *count > 0;

    *count -= is_any;
    return is_any;
}

static void tell_stop(struct endpoint *holder, const char *id, int why)
{
    struct note *note = memory_note_new(STOP, id);

    note->number = why;
    hear(holder, note);
}

static void forget(struct task *task)
{
    rvi_link_remove(&task->link);
    memory.counts.waiting -= !task->holder;
    memory.counts.held -= task->holder != NULL;
    task->holder = NULL; /* who still has a lease of it has none that counts */
    task_unref(task);
}

/* The first result of a task stays; nobody runs it any more. */
static void end(struct pool *pool, struct task *task, struct result *result)
{
    struct endpoint *client = task ? task->client : NULL;

    if (has_result(pool, result->told.id)) {
        memory.counts.doubled++;
        free(result);
        client = NULL;
    } else {
        rvi_list_push_back(&pool->results, &result->link);
    }
    if (client && !memory_use_up(&memory.faults.lost_results)) {
        tell_ended(client, &result->told);
        if (memory_use_up(&memory.faults.doubled_results))
            tell_ended(client, &result->told);
    }
    if (task)
        forget(task);
}

static void store(struct endpoint *e, struct note *note)
{
    struct task *task = note->task;
    struct note *answer = memory_note_new(STORED, task->told.id);
    bool is_lost = false;

    if (memory.faults.stores > 0) {
        memory.faults.stores--;
        answer->number = memory.faults.store;
    } else if (e->pool->backlog > 0 &&
               memory.counts.waiting + memory.counts.held >= e->pool->backlog) {
        answer->number = -EAGAIN;
    } else {
        is_lost = memory_use_up(&memory.faults.lost_tasks);
    }
    memory.counts.stored += answer->number == 0;
    memory.counts.refused += answer->number < 0;
    if (answer->number == 0 && !is_lost) {
        rvi_list_push_back(&e->pool->tasks, &task->link);
        memory.counts.waiting++;
        task->refs++;
    }
    hear(e, answer);
}

static void cancel(struct endpoint *e, const struct note *note)
{
    struct task *task = find_task(e->pool, note->id);

    if (!task || memory_use_up(&memory.faults.lost_cancels))
        return;
    if (task->holder) {
        tell_stop(task->holder, task->told.id, note->number);
        return;
    }
    struct rvi_engine_result told = {.kind = RV_OUTCOME_CANCELLED};
    memcpy(told.id, note->id, sizeof(told.id));
    memory.counts.cancelled++;
    end(e->pool, task, memory_result_new(&told));
}

void memory_release(struct lease *lease)
{
    rvi_container_of(lease->base.engine, struct endpoint, base)->lent--;
    rvi_link_remove(&lease->link);
    task_unref(lease->task);
    free(lease);
}

static bool is_current(const struct endpoint *e, const struct lease *lease)
{
    return lease->task->holder == e && lease->task->lease_number == lease->number;
}

static void settle(struct endpoint *e, struct note *note)
{
    struct lease *lease = note->lease;
    struct task *task = find_task(e->pool, lease->task->told.id);

    if (task && task->holder && !is_current(e, lease))
        tell_stop(task->holder, task->told.id, -ESTALE);
    memory.counts.settled += note->act == SETTLE;
    memory.counts.buried += note->act == BURY;
    end(e->pool, task, note->result);
    note->result = NULL;
    memory_release(lease);
}

static void wait_again(struct task *task, bool has_begun, int64_t delay_ns)
{
    task->holder = NULL;
    task->begun += has_begun;
    if (delay_ns > 0)
        task->not_before = rvi_clock_wall() + delay_ns;
    memory.counts.held--;
    memory.counts.waiting++;
}

static void hand_back(struct endpoint *e, const struct note *note)
{
    memory.counts.handed_back++;
    if (is_current(e, note->lease))
        wait_again(note->lease->task, note->flag, note->delay_ns);
    memory_release(note->lease);
}

static rv_time lease_end(void)
{
    return rvi_clock_now() + (memory.faults.lease_ns > 0 ? memory.faults.lease_ns
                                                         : RVI_ENGINE_LEASE_MS * RV_MILLISECOND);
}

static void extend(struct endpoint *e, const struct note *note)
{
    RVI_LIST_FOREACH(link, &e->leases) {
        struct lease *lease = rvi_container_of(link, struct lease, link);
        if (strcmp(lease->task->told.id, note->id) != 0 ||
            lease->number != (uint64_t)note->delay_ns)
            continue;
        memory.counts.extended++;
        if (is_current(e, lease))
            lease->task->due = lease_end();
        else
            tell_stop(e, note->id, -ESTALE);
    }
}

static void tell_progress(struct endpoint *e, struct note *note)
{
    struct task *task = find_task(e->pool, note->id);

    if (!task || !task->client)
        return;
    struct note *news_of_it = memory_note_new(PROGRESSED, note->id);
    news_of_it->count = note->count;
    memcpy(news_of_it->bytes, note->bytes, note->count);
    hear(task->client, news_of_it);
}

static struct member *member_of(struct pool *pool, const struct endpoint *who)
{
    RVI_LIST_FOREACH(link, &pool->members) {
        struct member *member = rvi_container_of(link, struct member, link);
        if (member->who == who)
            return member;
    }
    return NULL;
}

void memory_remove_member(struct endpoint *e)
{
    struct member *member = member_of(e->pool, e);

    if (!member)
        return;
    rvi_link_remove(&member->link);
    free(member);
    memory.counts.members--;
}

static struct member *add_member(struct pool *pool, const char *name, const char *build)
{
    struct member *member = sure(calloc(1, sizeof(*member)));

    snprintf(member->told.name, sizeof(member->told.name), "%s", name);
    snprintf(member->told.host, sizeof(member->told.host), "localhost");
    snprintf(member->told.program, sizeof(member->told.program), "a_program");
    snprintf(member->told.build, sizeof(member->told.build), "%s", build);
    member->told.pid = getpid();
    member->told.since = rvi_clock_wall();
    rvi_list_push_back(&pool->members, &member->link);
    memory.counts.members++;
    return member;
}

static void announce(struct endpoint *e, const struct note *note)
{
    struct member *member = member_of(e->pool, e);

    if (note->flag) {
        memory_remove_member(e);
        return;
    }
    if (!member)
        member = add_member(e->pool, e->name, e->build);
    member->who = e;
    member->told.slots = (unsigned)note->number;
    member->told.busy = note->busy;
    member->told.seen = rvi_clock_wall();
}

void memory_perform(struct endpoint *e, struct note *note)
{
    switch (note->act) {
    case SUBMIT:
        store(e, note);
        break;
    case CANCEL:
        cancel(e, note);
        break;
    case WANT:
        e->wanted = (unsigned)note->number;
        break;
    case EXTEND:
        extend(e, note);
        break;
    case SETTLE:
    case BURY:
        settle(e, note);
        break;
    case HAND_BACK:
        hand_back(e, note);
        break;
    case PROGRESS:
        tell_progress(e, note);
        break;
    default:
        announce(e, note);
    }
    pthread_cond_broadcast(&memory.news);
}

/* --- leasing --- */

static void lend(struct endpoint *e, struct task *task)
{
    struct lease *lease = sure(calloc(1, sizeof(*lease)));
    struct note *note = memory_note_new(LEASED, task->told.id);

    task->holder = e;
    task->due = lease_end();
    task->lease_number = ++memory.leases_so_far;
    task->refs++;
    *lease = (struct lease){.base.engine = &e->base, .task = task, .number = memory.leases_so_far};
    lease->told = task->told;
    lease->told.attempt = task->begun + 1;
    rvi_list_push_back(&e->leases, &lease->link);
    note->lease = lease;
    hear(e, note);
    e->lent++;
    memory.counts.leased++;
    memory.counts.waiting--;
    memory.counts.held++;
}

static const int rank[RVI_LANES] = {[RVI_LANE_HIGH] = 0, [RVI_LANE_NORMAL] = 1, [RVI_LANE_LOW] = 2};

/* The first of the highest lane; NULL: none. */
static struct task *best_for(struct endpoint *e)
{
    struct task *best = NULL;
    int64_t now = rvi_clock_wall();

    RVI_LIST_FOREACH(link, &e->pool->tasks) {
        struct task *task = rvi_container_of(link, struct task, link);
        if (!task->holder && task->not_before <= now && strcmp(task->build, e->build) == 0 &&
            (!best || rank[task->told.lane] < rank[best->told.lane]))
            best = task;
    }
    return best;
}

static void lapse(struct pool *pool)
{
    rv_time now = rvi_clock_now();

    RVI_LIST_FOREACH(link, &pool->tasks) {
        struct task *task = rvi_container_of(link, struct task, link);
        if (task->holder && task->due <= now) {
            memory.counts.lapsed++;
            wait_again(task, true, 0);
        }
    }
}

void memory_lend_all(struct endpoint *e)
{
    struct task *task;

    lapse(e->pool);
    while (e->lent < e->wanted && !memory.faults.holds_tasks && (task = best_for(e))) {
        if (has_result(e->pool, task->told.id))
            forget(task);
        else
            lend(e, task);
    }
}

void memory_doze(rv_time ns)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ns;
    until.tv_sec += until.tv_nsec / RV_SECOND;
    until.tv_nsec %= RV_SECOND;
    pthread_cond_timedwait(&memory.news, &memory.lock, &until);
}

/* --- what tests say --- */

__attribute__((constructor)) static void prepare(void)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&memory.news, &attr);
    pthread_condattr_destroy(&attr);
    rvi_list_init(&memory.pools);
    rvi_list_init(&memory.endpoints);
}

static void drop_pool(struct pool *pool)
{
    struct rvi_link *link;

    while ((link = rvi_list_pop_front(&pool->tasks)))
        task_unref(rvi_container_of(link, struct task, link));
    while ((link = rvi_list_pop_front(&pool->results)))
        free(rvi_container_of(link, struct result, link));
    while ((link = rvi_list_pop_front(&pool->members)))
        free(rvi_container_of(link, struct member, link));
    free(pool);
}

void memory_engine_reset(void)
{
    struct rvi_link *link;

    pthread_mutex_lock(&memory.lock);
    RV_CHECK(rvi_list_is_empty(&memory.endpoints));
    while ((link = rvi_list_pop_front(&memory.pools)))
        drop_pool(rvi_container_of(link, struct pool, link));
    memory.faults = (struct memory_faults){0};
    memory.counts = (struct memory_counts){0};
    pthread_mutex_unlock(&memory.lock);
}

void memory_engine_break(const struct memory_faults *wanted)
{
    pthread_mutex_lock(&memory.lock);
    memory.faults = *wanted;
    pthread_cond_broadcast(&memory.news);
    pthread_mutex_unlock(&memory.lock);
}

void memory_engine_link(enum rvi_engine_role role, int error, const char *words)
{
    pthread_mutex_lock(&memory.lock);
    RVI_LIST_FOREACH(link, &memory.endpoints) {
        struct endpoint *e = rvi_container_of(link, struct endpoint, link);
        if (e->role != role)
            continue;
        struct note *note = memory_note_new(LINK, NULL);
        note->number = error;
        snprintf(note->words, sizeof(note->words), "%s", words ? words : "");
        e->away = error;
        rvi_list_push_front(&e->heard, &note->link);
    }
    pthread_cond_broadcast(&memory.news);
    pthread_mutex_unlock(&memory.lock);
}

struct memory_counts memory_engine_count(void)
{
    pthread_mutex_lock(&memory.lock);
    struct memory_counts now = memory.counts;
    pthread_mutex_unlock(&memory.lock);
    return now;
}

void memory_engine_until(bool (*is_so)(const struct memory_counts *counts))
{
    rv_time deadline = rvi_clock_now() + PATIENCE_S * RV_SECOND;

    pthread_mutex_lock(&memory.lock);
    while (!is_so(&memory.counts)) {
        RV_CHECK(rvi_clock_now() < deadline);
        memory_doze(5 * RV_MILLISECOND);
    }
    pthread_mutex_unlock(&memory.lock);
}

void memory_engine_tell(const struct rvi_engine_result *result)
{
    pthread_mutex_lock(&memory.lock);
    RVI_LIST_FOREACH(link, &memory.endpoints) {
        struct endpoint *e = rvi_container_of(link, struct endpoint, link);
        if (e->role == RVI_ENGINE_CLIENT)
            tell_ended(e, result);
    }
    pthread_mutex_unlock(&memory.lock);
}

void memory_engine_add_member(const char *url, const char *pool, const char *build)
{
    pthread_mutex_lock(&memory.lock);
    (void)add_member(memory_pool_at(url, pool), "told", build);
    pthread_mutex_unlock(&memory.lock);
}
