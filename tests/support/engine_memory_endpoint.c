/* SPDX-License-Identifier: MIT */
/* engine_memory_endpoint.c - who opens the engine in memory: a thread an endpoint, and the seam's
 * calls.
 *
 * What an endpoint says is put into its line (`said`) and done by its thread; what it is to hear is
 * put into another (`heard`) and told by its thread, without the lock. While its link is away
 * neither moves. */
#include "engine_memory_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ravel/future.h>

#include "base/alloc.h"
#include "base/check.h"
#include "sys/clock.h"

/* --- its thread --- */

/* Without the lock. */
static void tell(struct endpoint *e, struct note *note)
{
    const struct rvi_engine_events *events = &e->base.events;

    if (note->act == STORED && events->stored)
        events->stored(e->base.arg, note->id, note->number);
    else if (note->act == ENDED && events->ended)
        events->ended(e->base.arg, &note->result->told);
    else if (note->act == PROGRESSED && events->progressed)
        events->progressed(e->base.arg, note->id, note->bytes, note->count);
    else if (note->act == LEASED && events->leased)
        events->leased(e->base.arg, &note->lease->base, &note->lease->told);
    else if (note->act == STOP && events->stop)
        events->stop(e->base.arg, note->id, note->number);
    else if (note->act == LINK && events->link)
        events->link(e->base.arg, note->number, note->words);
}

static struct note *take(struct rvi_list *list)
{
    struct rvi_link *link = rvi_list_pop_front(list);

    return link ? rvi_container_of(link, struct note, link) : NULL;
}

static bool is_held_back(const struct rvi_list *said)
{
    struct rvi_link *first = rvi_list_first(said);

    return !first ||
           (memory.faults.holds_tasks && rvi_container_of(first, struct note, link)->act == SUBMIT);
}

/* Do one thing. False: there is nothing to do. */
static bool step(struct endpoint *e)
{
    struct rvi_link *first = rvi_list_first(&e->heard);
    bool is_link = first && rvi_container_of(first, struct note, link)->act == LINK;

    if (!e->is_closing && first && (is_link || e->away == 0)) {
        struct note *note = take(&e->heard);
        pthread_mutex_unlock(&memory.lock);
        tell(e, note);
        pthread_mutex_lock(&memory.lock);
        memory_note_free(note);
        return true;
    }
    if (e->away < 0 || is_held_back(&e->said))
        return false;
    struct note *note = take(&e->said);
    memory_perform(e, note);
    memory_note_free(note);
    return true;
}

static bool is_finished(const struct endpoint *e)
{
    return e->is_closing &&
           (rvi_list_is_empty(&e->said) || e->away < 0 || rvi_clock_now() >= e->deadline);
}

/* A worker looks around from time to time, as leases lapse and delays end without a word. */
static void *serve(void *arg)
{
    struct endpoint *e = arg;

    pthread_mutex_lock(&memory.lock);
    while (!is_finished(e)) {
        if (e->away == 0 && !e->is_closing)
            memory_lend_all(e);
        if (step(e))
            continue;
        if (e->role == RVI_ENGINE_WORKER || e->is_closing)
            memory_doze(2 * RV_MILLISECOND);
        else
            pthread_cond_wait(&memory.news, &memory.lock);
    }
    pthread_mutex_unlock(&memory.lock);
    return NULL;
}

/* --- the seam's calls --- */

static struct endpoint *endpoint_of(struct rvi_engine *engine)
{
    return rvi_container_of(engine, struct endpoint, base);
}

static void say(struct endpoint *e, struct note *note)
{
    pthread_mutex_lock(&memory.lock);
    RV_CHECK(!e->is_closing || pthread_equal(pthread_self(), e->thread)); /* within an event */
    rvi_list_push_back(&e->said, &note->link);
    pthread_cond_broadcast(&memory.news);
    pthread_mutex_unlock(&memory.lock);
}

static struct endpoint *endpoint_new(const struct rvi_engine_opts *opts)
{
    struct endpoint *e = rvi_calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    e->role = opts->role;
    snprintf(e->build, sizeof(e->build), "%s", opts->build);
    snprintf(e->name, sizeof(e->name), "%s", opts->name ? opts->name : "worker");
    rvi_list_init(&e->said);
    rvi_list_init(&e->heard);
    rvi_list_init(&e->leases);
    return e;
}

static const struct rvi_engine_kind kind;

static int open_memory(struct rvi_engine **ret, const struct rvi_engine_opts *opts,
                       const struct rvi_engine_events *events, void *arg, char *words)
{
    struct endpoint *e;

    pthread_mutex_lock(&memory.lock);
    int r = memory.faults.open;
    if (r < 0)
        snprintf(words, RVI_ENGINE_WORDS, "%s",
                 memory.faults.open_words ? memory.faults.open_words : "");
    pthread_mutex_unlock(&memory.lock);
    if (r < 0)
        return r;
    e = endpoint_new(opts);
    if (!e)
        return -ENOMEM;
    e->base = (struct rvi_engine){.kind = &kind, .events = *events, .arg = arg};
    pthread_mutex_lock(&memory.lock);
    e->pool = memory_pool_at(opts->url, opts->pool);
    if (e->pool->backlog == 0)
        e->pool->backlog = opts->backlog;
    rvi_list_push_back(&memory.endpoints, &e->link);
    pthread_mutex_unlock(&memory.lock);
    RV_CHECK(pthread_create(&e->thread, NULL, serve, e) == 0);
    *ret = &e->base;
    return 0;
}

static void drop_notes(struct rvi_list *list)
{
    struct note *note;

    while ((note = take(list)))
        memory_note_free(note);
}

/* Its leases lapse in their time; its tasks stay. */
static void part(struct endpoint *e)
{
    struct rvi_link *link;

    RVI_LIST_FOREACH(of_pool, &e->pool->tasks) {
        struct task *task = rvi_container_of(of_pool, struct task, link);
        if (task->client == e)
            task->client = NULL;
        if (task->holder == e)
            task->holder = &memory.nobody;
    }
    while ((link = rvi_list_first(&e->leases)))
        memory_release(rvi_container_of(link, struct lease, link));
    memory_remove_member(e);
    rvi_link_remove(&e->link);
    drop_notes(&e->said);
    drop_notes(&e->heard);
}

static void close_memory(struct rvi_engine *engine, rv_time deadline)
{
    struct endpoint *e = endpoint_of(engine);

    pthread_mutex_lock(&memory.lock);
    e->is_closing = true;
    e->deadline = deadline;
    pthread_cond_broadcast(&memory.news);
    pthread_mutex_unlock(&memory.lock);
    RV_CHECK(pthread_join(e->thread, NULL) == 0);
    pthread_mutex_lock(&memory.lock);
    part(e);
    pthread_mutex_unlock(&memory.lock);
    rvi_free(e);
}

static bool is_refused(int *ret)
{
    pthread_mutex_lock(&memory.lock);
    bool refused = memory_use_up(&memory.faults.submits);
    *ret = memory.faults.submit;
    pthread_mutex_unlock(&memory.lock);
    return refused;
}

static int submit(struct rvi_engine *engine, const struct rvi_engine_task *told)
{
    struct task *task;
    int r;

    if (is_refused(&r))
        return r;
    task = rvi_calloc(1, sizeof(*task) + told->in_bytes + 1);
    if (!task)
        return -ENOMEM;
    task->refs = 1;
    task->told = *told;
    snprintf(task->job, sizeof(task->job), "%s", told->job);
    snprintf(task->build, sizeof(task->build), "%s", endpoint_of(engine)->build);
    if (told->in_bytes > 0)
        memcpy(task->bytes, told->in, told->in_bytes);
    task->told.job = task->job;
    task->told.in = task->bytes;
    task->client = endpoint_of(engine);
    task->not_before = told->not_before;
    struct note *note = memory_note_new(SUBMIT, told->id);
    note->task = task;
    say(endpoint_of(engine), note);
    return 0;
}

static void say_cancel(struct rvi_engine *engine, const char *id, int why)
{
    struct note *note = memory_note_new(CANCEL, id);

    note->number = why;
    say(endpoint_of(engine), note);
}

static void say_want(struct rvi_engine *engine, unsigned slots)
{
    struct note *note = memory_note_new(WANT, NULL);

    note->number = (int)slots;
    say(endpoint_of(engine), note);
}

static struct lease *lease_of(struct rvi_engine_lease *base)
{
    return rvi_container_of(base, struct lease, base);
}

static struct note *about(struct rvi_engine_lease *base, enum act act)
{
    struct note *note = memory_note_new(act, lease_of(base)->told.id);

    note->lease = lease_of(base);
    note->delay_ns = (int64_t)lease_of(base)->number;
    return note;
}

static void say_of_lease(struct rvi_engine_lease *base, struct note *note)
{
    say(endpoint_of(base->engine), note);
}

static void say_extend(struct rvi_engine_lease *base)
{
    say_of_lease(base, about(base, EXTEND));
}

static void say_settle(struct rvi_engine_lease *base, const struct rvi_engine_result *result)
{
    struct note *note = about(base, SETTLE);

    note->result = memory_result_new(result);
    say_of_lease(base, note);
}

static void say_bury(struct rvi_engine_lease *base, const struct rvi_engine_result *result)
{
    struct note *note = about(base, BURY);

    note->result = memory_result_new(result);
    say_of_lease(base, note);
}

static void say_hand_back(struct rvi_engine_lease *base, bool has_begun, int64_t delay_ns)
{
    struct note *note = about(base, HAND_BACK);

    note->flag = has_begun;
    note->delay_ns = delay_ns;
    say_of_lease(base, note);
}

static void say_progress(struct rvi_engine_lease *base, const void *bytes, size_t count)
{
    struct note *note = about(base, PROGRESS);

    RV_CHECK(count <= sizeof(note->bytes));
    note->count = count;
    memcpy(note->bytes, bytes, count);
    say_of_lease(base, note);
}

static void say_announce(struct rvi_engine *engine, unsigned slots, unsigned busy, bool is_leaving)
{
    struct note *note = memory_note_new(ANNOUNCE, NULL);

    note->number = (int)slots;
    note->busy = busy;
    note->flag = is_leaving;
    say(endpoint_of(engine), note);
}

static void count_tasks(struct pool *pool, struct rvi_engine_survey *ret)
{
    RVI_LIST_FOREACH(link, &pool->tasks) {
        struct task *task = rvi_container_of(link, struct task, link);
        if (task->holder)
            ret->leased[task->told.lane]++;
        else
            ret->waiting[task->told.lane]++;
    }
    RVI_LIST_FOREACH(result, &pool->results)
        ret->results++;
}

static int survey(struct rvi_engine *engine, struct rvi_engine_survey *ret, rv_time deadline)
{
    struct endpoint *e = endpoint_of(engine);
    int r = 0;

    pthread_mutex_lock(&memory.lock);
    while (e->away < 0 && rvi_clock_now() < deadline)
        memory_doze(RV_MILLISECOND);
    r = e->away < 0 ? -ETIME : memory.faults.survey;
    if (r == 0) {
        *ret = (struct rvi_engine_survey){
            .server = "memory", .version = "0", .dead = memory.counts.buried};
        count_tasks(e->pool, ret);
        RVI_LIST_FOREACH(link, &e->pool->members)
            ret->member_count++;
        /* rvi_engine_survey_drop() frees what the seam's allocator gave. */
        ret->members = rvi_calloc(ret->member_count + 1, sizeof(*ret->members));
        r = ret->members ? 0 : -ENOMEM;
    }
    size_t i = 0;
    RVI_LIST_FOREACH(link, &e->pool->members) {
        if (r == 0)
            ret->members[i++] = rvi_container_of(link, struct member, link)->told;
    }
    pthread_mutex_unlock(&memory.lock);
    return r;
}

static const struct rvi_engine_kind kind = {
    .schemes = {"memory"},
    .open = open_memory,
    .close = close_memory,
    .submit = submit,
    .cancel = say_cancel,
    .want = say_want,
    .extend = say_extend,
    .settle = say_settle,
    .hand_back = say_hand_back,
    .bury = say_bury,
    .progress = say_progress,
    .announce = say_announce,
    .survey = survey,
};

__attribute__((constructor)) static void enlist(void)
{
    rvi_engine_register(&kind);
}
