/* SPDX-License-Identifier: MIT */
/* test_cancel.c - cancellation in all its forms: whom it reaches, what it ends, what hides it. */
#include <ravel/scope.h>

#include <errno.h>

#include <ravel/queue.h>

#include "../../support/crowd.h"
#include "base/alloc.h"
#include "stage.h"

enum {
    FEW = 5,
    DEEP = 1000,
    ZIGZAG = 40,
    WIDE = 100000,
    RACES = 300,
};

#define SOON (2 * RV_MILLISECOND)

static int cancel_it(void *arg)
{
    rv_scope_cancel(arg, -EIO);
    return 0;
}

static void *cancel_on_a_thread(void *arg)
{
    rv_scope_cancel(arg, -EIO);
    return NULL;
}

static int return_when_set(void *arg)
{
    return rv_event_wait(arg, RV_NEVER);
}

static int fail_with_eio(void *arg)
{
    (void)arg;
    return -EIO;
}

/* --- every kind of wait --- */

/* Where nothing can be had: each call below waits until it is cancelled. */
static struct {
    rv_chan *empty, *full;
    rv_queue *empty_queue, *full_queue;
    struct rv_mutex held, free;
    struct rv_cond cond;
    struct rv_sem none;
    struct rv_event never;
    rv_limiter *narrow;
    rv_scope *crowded; /* at its limit */
    struct rv_event over;
} dry;

static int take_the_limiter(void *arg)
{
    (void)arg;
    return rv_blocking(return_when_set, &dry.over, dry.narrow);
}

static void dry_up(void)
{
    RV_CHECK(rv_chan_new(&dry.empty, 1, 1) == 0 && rv_chan_new(&dry.full, 1, 0) == 0);
    RV_CHECK(rv_queue_new(&dry.empty_queue, 1, 1) == 0);
    RV_CHECK(rv_queue_new(&dry.full_queue, 1, 1) == 0);
    RV_CHECK(rv_queue_put(dry.full_queue, "", RV_NEVER) == 0);
    RV_CHECK(rv_limiter_new(&dry.narrow, 1) == 0);
    rv_mutex_init(&dry.held);
    rv_mutex_init(&dry.free);
    rv_cond_init(&dry.cond);
    rv_sem_init(&dry.none, 0);
    rv_event_init(&dry.never);
    rv_event_init(&dry.over);
    RV_CHECK(rv_mutex_lock(&dry.held, RV_NEVER) == 0);
    dry.crowded = open_scope(&(struct rv_scope_opts){.limit = 1});
    go(dry.crowded, return_when_set, &dry.over);
    go(now_on.scope, take_the_limiter, NULL);
    until_waiting(&dry.over, 2);
}

static void end_drought(void)
{
    rv_event_set(&dry.over);
    RV_CHECK(rv_scope_close(dry.crowded) == 0);
    rv_mutex_unlock(&dry.held);
    RV_CHECK(rv_mutex_try_lock(&dry.free) == 0);
    rv_mutex_unlock(&dry.free);
    finish();
    rv_chan_free(dry.empty);
    rv_chan_free(dry.full);
    rv_queue_free(dry.empty_queue);
    rv_queue_free(dry.full_queue);
    rv_limiter_free(dry.narrow);
}

static int wait_sleeping(void)
{
    return rv_sleep_until(RV_NEVER);
}

static int wait_sleeping_with_a_timer(void)
{
    return rv_sleep(RV_MINUTE);
}

static int wait_receiving(void)
{
    char item;
    return rv_chan_recv(dry.empty, &item, RV_NEVER);
}

static int wait_receiving_with_a_timer(void)
{
    char item;
    return rv_chan_recv(dry.empty, &item, rv_after(RV_MINUTE));
}

static int wait_sending(void)
{
    return rv_chan_send(dry.full, "", RV_NEVER);
}

static int wait_getting(void)
{
    char item;
    return rv_queue_get(dry.empty_queue, &item, RV_NEVER);
}

static int wait_putting(void)
{
    return rv_queue_put(dry.full_queue, "", RV_NEVER);
}

static int wait_joining(void)
{
    return rv_queue_join(dry.full_queue, RV_NEVER);
}

static int wait_locking(void)
{
    return rv_mutex_lock(&dry.held, RV_NEVER);
}

static int wait_for_a_signal(void)
{
    RV_CHECK(rv_shield_begin(rv_after(RV_MINUTE)) == 0);
    RV_CHECK(rv_mutex_lock(&dry.free, RV_NEVER) == 0);
    rv_shield_end();
    int r = rv_cond_wait(&dry.cond, &dry.free, RV_NEVER);
    rv_mutex_unlock(&dry.free); /* which panics unless it is held */
    return r;
}

static int wait_for_a_unit(void)
{
    return rv_sem_wait(&dry.none, RV_NEVER);
}

static int wait_for_the_event(void)
{
    return rv_event_wait(&dry.never, RV_NEVER);
}

static int wait_for_the_limiter(void)
{
    return rv_blocking(do_nothing, NULL, dry.narrow);
}

static int wait_for_room(void)
{
    return rv_go(dry.crowded, do_nothing, NULL);
}

static int wait_closing(void)
{
    int err;
    RV_SCOPE(scope, err, .policy = RV_COLLECT_ALL)
        try_go(scope, sleep_for_ever, NULL);
    return err;
}

static int (*const waits[])(void) = {
    wait_sleeping,        wait_sleeping_with_a_timer,
    wait_receiving,       wait_receiving_with_a_timer,
    wait_sending,         wait_getting,
    wait_putting,         wait_joining,
    wait_locking,         wait_for_a_signal,
    wait_for_a_unit,      wait_for_the_event,
    wait_for_the_limiter, wait_for_room,
    wait_closing,
};
enum { WAITS = sizeof(waits) / sizeof(waits[0]) };

static int sit(void *arg)
{
    int (*const *wait)(void) = arg;
    RV_CHECK((*wait)() == -ECANCELED);
    RV_CHECK(rv_cancelled() < 0);
    RV_CHECK((*wait)() == -ECANCELED);
    return 0;
}

static void *pass(int (*const *wait)(void))
{
    return (void *)(uintptr_t)wait;
}

/* --- every way to cancel --- */

static void owner_cancels(rv_scope *scope)
{
    rv_scope_cancel(scope, -EIO);
}

static void child_cancels(rv_scope *scope)
{
    go(scope, cancel_it, scope);
}

static void child_fails(rv_scope *scope)
{
    go(scope, fail_with_eio, NULL);
}

static void thread_cancels(rv_scope *scope)
{
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, cancel_on_a_thread, scope) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
}

static void other_worker_cancels(rv_scope *scope)
{
    int err;
    RV_SCOPE(cancellers, err) {
        if (rv_run_workers() > 1)
            start_elsewhere(cancellers, cancel_it, scope);
        else
            go(cancellers, cancel_it, scope);
    }
    RV_CHECK(err == -ECANCELED || err == 0);
}

static void *cancel_in_another_runtime(void *arg)
{
    RV_CHECK(rv_run(cancel_it, arg, NULL) == 0);
    return NULL;
}

static void other_runtime_cancels(rv_scope *scope)
{
    pthread_t thread;
    RV_CHECK(pthread_create(&thread, NULL, cancel_in_another_runtime, scope) == 0);
    RV_CHECK(pthread_join(thread, NULL) == 0);
}

typedef void way(rv_scope *scope);
static way *const ways[] = {owner_cancels,  child_cancels,        child_fails,
                            thread_cancels, other_worker_cancels, other_runtime_cancels};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

/* Here, and begun by the other worker where there is one. */
static void seat(rv_scope *scope, int (*const *wait)(void))
{
    for (int i = 0; i < 2; i++)
        try_go(scope, sit, pass(wait));
    if (rv_run_workers() > 1) {
        start_elsewhere(scope, sit, pass(wait));
        until_elsewhere_waits();
    }
    for (int i = 0; i < FEW; i++)
        rv_yield();
}

static void every_way_ends_every_wait(void)
{
    dry_up();
    for (int wait = 0; wait < WAITS; wait++) {
        for (int i = 0; i < WAYS; i++) {
            rv_scope *scope = open_scope(NULL);
            seat(scope, &waits[wait]);
            ways[i](scope);
            RV_CHECK(rv_scope_close(scope) == -EIO);
        }
    }
    end_drought();
}

static void cancelling_the_outer_scope_ends_every_wait(void)
{
    dry_up();
    for (int wait = 0; wait < WAITS; wait++) {
        rv_scope *outer = open_scope(NULL), *inner = open_scope(NULL);
        seat(inner, &waits[wait]);
        ways[wait % WAYS](outer);
        RV_CHECK(rv_scope_close(inner) == -ECANCELED);
        RV_CHECK(rv_scope_close(outer) == -EIO);
    }
    end_drought();
}

static void the_deadline_ends_every_wait(void)
{
    dry_up();
    for (int wait = 0; wait < WAITS; wait++) {
        rv_time deadline = rv_after(SOON);
        rv_scope *scope = open_scope(&(struct rv_scope_opts){.deadline = deadline});
        seat(scope, &waits[wait]);
        RV_CHECK(rv_scope_close(scope) == -ETIME);
        RV_CHECK(rv_now() >= deadline);
    }
    end_drought();
}

static void the_owner_inside_is_cancelled_too(void)
{
    dry_up();
    for (int wait = 0; wait < WAITS; wait++) {
        int err;
        if (waits[wait] == wait_locking)
            continue; /* the mutex is held by the owner */
        RV_SCOPE(scope, err) {
            go(scope, cancel_it, scope);
            RV_CHECK(waits[wait]() == -ECANCELED);
            RV_CHECK(rv_cancelled() == -EIO);
        }
        RV_CHECK(err == -EIO);
        RV_CHECK(rv_cancelled() == 0 && rv_sleep(0) == 0);
    }
    end_drought();
}

static int start_elsewhere_or_here(rv_scope *scope, rv_fn *fn, void *arg)
{
    if (rv_run_workers() > 1)
        return start_elsewhere(scope, fn, arg);
    go(scope, fn, arg);
    return 0;
}

/* Started by a task that lives elsewhere, they are on another worker's books. */
struct group {
    rv_scope *scope;
    int (*const *wait)(void);
};

static int seat_more(void *arg)
{
    struct group *group = arg;
    for (int i = 0; i < 3; i++)
        try_go(group->scope, sit, pass(group->wait));
    return 0;
}

static void who_was_started_elsewhere_is_cancelled_too(void)
{
    dry_up();
    for (int wait = 0; wait < WAITS; wait++) {
        rv_scope *scope = open_scope(NULL);
        struct group group = {scope, &waits[wait]};
        start_elsewhere_or_here(scope, seat_more, &group);
        for (int i = 0; i < wait % 3; i++)
            rv_yield(); /* some of them may begin here */
        if (rv_run_workers() > 1)
            until_elsewhere_waits();
        ways[wait % WAYS](scope);
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
    end_drought();
}

/* --- the level --- */

/* Everything that waits fails, though it need not wait; what never waits works. */
static void see_the_level(int expected)
{
    struct rv_mutex mutex = RV_MUTEX_INIT;
    struct rv_sem units = RV_SEM_INIT;
    struct rv_event event = RV_EVENT_INIT;
    rv_chan *chan;
    rv_queue *queue;
    char item;

    RV_CHECK(rv_chan_new(&chan, 1, 2) == 0 && rv_chan_try_send(chan, "") == 0);
    RV_CHECK(rv_queue_new(&queue, 1, 2) == 0);
    RV_CHECK(rv_queue_join(queue, RV_NEVER) == expected);
    RV_CHECK(rv_queue_try_put(queue, "") == 0);
    rv_sem_post(&units, 1);
    rv_event_set(&event);
    rv_yield();
    RV_CHECK(rv_sleep(0) == expected && rv_sleep_until(0) == expected);
    RV_CHECK(rv_sleep_until(INT64_MIN) == expected);
    RV_CHECK(rv_chan_send(chan, "", RV_NEVER) == expected);
    RV_CHECK(rv_chan_recv(chan, &item, RV_NEVER) == expected);
    RV_CHECK(rv_queue_put(queue, "", RV_NEVER) == expected);
    RV_CHECK(rv_queue_get(queue, &item, RV_NEVER) == expected);
    RV_CHECK(rv_mutex_lock(&mutex, RV_NEVER) == expected);
    if (expected == 0)
        rv_mutex_unlock(&mutex);
    RV_CHECK(rv_mutex_try_lock(&mutex) == 0);
    RV_CHECK(rv_sem_wait(&units, RV_NEVER) == expected);
    RV_CHECK(rv_event_wait(&event, RV_NEVER) == expected);
    RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == expected);
    RV_CHECK((rv_cancelled() < 0) == (expected < 0));
    rv_chan_free(chan);
    rv_queue_free(queue);
}

static int see_the_level_until_done(void *arg)
{
    rv_scope *scope = arg;
    for (int i = 0; i < 3; i++)
        see_the_level(-ECANCELED);
    RV_CHECK(rv_go(scope, do_nothing, NULL) == -ECANCELED);
    RV_CHECK(rv_migrate(0) == -ECANCELED);
    return 0;
}

static int wait_for_level(void *arg)
{
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    return see_the_level_until_done(arg);
}

static void cancellation_lasts_until_the_scope_has_ended(void)
{
    rv_scope *scope = open_scope(NULL);
    see_the_level(0);
    go(scope, wait_for_level, scope);
    start_elsewhere_or_here(scope, wait_for_level, scope);
    go(scope, see_the_level_until_done, scope); /* may not have begun when it is cancelled */
    rv_scope_cancel(scope, -EIO);
    for (int i = 0; i < 3; i++)
        see_the_level(-ECANCELED);
    rv_scope *inner = open_scope(NULL); /* born cancelled */
    see_the_level(-ECANCELED);
    RV_CHECK(rv_scope_reason(inner) == -ECANCELED);
    RV_CHECK(rv_go(inner, do_nothing, NULL) == -ECANCELED);
    RV_CHECK(rv_scope_close(inner) == -ECANCELED);
    see_the_level(-ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -EIO);
    see_the_level(0);
}

static void siblings_and_outer_scopes_are_left_alone(void)
{
    struct rv_event done = RV_EVENT_INIT;
    rv_scope *outer = open_scope(NULL), *inner = open_scope(NULL);
    go(outer, return_when_set, &done);
    rv_scope_cancel(inner, 0);
    RV_CHECK(rv_cancelled() == -ECANCELED && rv_scope_reason(outer) == 0);
    RV_CHECK(rv_go(outer, do_nothing, NULL) == 0);
    RV_CHECK(rv_scope_close(inner) == -ECANCELED);
    see_the_level(0);
    inner = open_scope(NULL);
    see_the_level(0);
    RV_CHECK(rv_scope_close(inner) == 0);
    rv_event_set(&done);
    RV_CHECK(rv_scope_close(outer) == 0);
}

/* --- deadlines --- */

static void nested_deadlines(rv_time outer_deadline, rv_time inner_deadline, int outer_result,
                             int inner_result)
{
    int outer_err, inner_err;
    RV_SCOPE(outer, outer_err, .deadline = outer_deadline) {
        RV_SCOPE(inner, inner_err, .deadline = inner_deadline) {
            go(inner, sleep_for_ever, NULL);
            start_elsewhere_or_here(inner, sleep_for_ever, NULL);
            RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
            RV_CHECK(rv_cancelled() == inner_result);
        }
        RV_CHECK(inner_err == inner_result);
        if (outer_result == 0)
            RV_CHECK(rv_cancelled() == 0 && rv_sleep(0) == 0);
        else
            RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED && rv_cancelled() == outer_result);
    }
    RV_CHECK(outer_err == outer_result);
}

static void the_inner_deadline_ends_the_inner_scope(void)
{
    nested_deadlines(RV_NEVER, rv_after(SOON), 0, -ETIME);
    nested_deadlines(rv_after(RV_MINUTE), rv_after(SOON), 0, -ETIME);
}

static void the_outer_deadline_ends_both(void)
{
    nested_deadlines(rv_after(SOON), RV_NEVER, -ETIME, -ECANCELED);
    nested_deadlines(rv_after(SOON), rv_after(RV_MINUTE), -ETIME, -ECANCELED);
}

static void each_deadline_comes_in_its_turn(void)
{
    nested_deadlines(rv_after(3 * SOON), rv_after(SOON), -ETIME, -ETIME);
}

static void a_deadline_in_the_past_ends_the_first_wait(void)
{
    static const rv_time pasts[] = {1, -1, INT64_MIN};
    for (size_t i = 0; i < sizeof(pasts) / sizeof(pasts[0]); i++) {
        int err;
        RV_SCOPE(scope, err, .deadline = pasts[i])
            RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
        RV_CHECK(err == -ETIME);
    }
}

static void a_deadline_that_is_not_reached_does_nothing(void)
{
    int err;
    RV_SCOPE(scope, err, .deadline = rv_after(RV_MINUTE))
        go(scope, do_nothing, NULL);
    RV_CHECK(err == 0);
}

static int compute_until_cancelled(void *arg)
{
    (void)arg;
    while (!rv_cancelled())
        ;
    return 0;
}

static int compute_below_until_cancelled(void *arg)
{
    int err;
    RV_SCOPE(scope, err)
        compute_until_cancelled(arg);
    return 0;
}

/* regress: timers and messages were looked at between tasks only. */
static void who_only_computes_can_ask(void)
{
    int err;
    RV_SCOPE(scope, err, .deadline = rv_after(SOON))
        compute_until_cancelled(NULL);
    RV_CHECK(err == -ETIME);
    RV_SCOPE(scope, err, .deadline = rv_after(SOON)) {
        for (int i = 0; i < FEW; i++)
            go(scope, compute_below_until_cancelled, NULL);
    }
    RV_CHECK(err == -ETIME);
    RV_SCOPE(scope, err) {
        pthread_t thread;
        go(scope, compute_below_until_cancelled, NULL);
        go(scope, compute_until_cancelled, NULL);
        RV_CHECK(pthread_create(&thread, NULL, cancel_on_a_thread, scope) == 0);
        compute_below_until_cancelled(NULL);
        RV_CHECK(pthread_join(thread, NULL) == 0);
    }
    RV_CHECK(err == -EIO);
}

/* --- many, deep and wide --- */

static void a_thousand_scopes_deep(void)
{
    static rv_scope *scopes[DEEP];
    for (int i = 0; i < DEEP; i++) {
        scopes[i] = open_scope(NULL);
        go(scopes[i], sleep_for_ever, NULL);
    }
    rv_scope_cancel(scopes[0], -EIO);
    RV_CHECK(rv_cancelled() == -ECANCELED);
    for (int i = DEEP - 1; i >= 0; i--)
        RV_CHECK(rv_scope_close(scopes[i]) == (i ? -ECANCELED : -EIO));
    RV_CHECK(rv_cancelled() == 0);
}

struct descent {
    int left;
    bool zigzags; /* each level on the other worker */
    struct rv_event bottom;
};

static int descend(void *arg)
{
    struct descent *descent = arg;
    int err;
    if (descent->left-- == 0) {
        rv_event_set(&descent->bottom);
        return rv_sleep_until(RV_NEVER);
    }
    RV_SCOPE(scope, err) {
        if (descent->zigzags)
            start_elsewhere_or_here(scope, descend, descent);
        else
            go(scope, descend, descent);
    }
    RV_CHECK(err == -ECANCELED);
    return err;
}

static void cancel_a_descent(int depth, bool zigzags)
{
    struct descent descent = {depth, zigzags, RV_EVENT_INIT};
    int err;
    RV_SCOPE(scope, err) {
        go(scope, descend, &descent);
        RV_CHECK(rv_event_wait(&descent.bottom, RV_NEVER) == 0);
        rv_scope_cancel(scope, -EIO);
    }
    RV_CHECK(err == -EIO);
}

static void a_thousand_tasks_deep(void)
{
    cancel_a_descent(DEEP, false);
}

static void deep_from_worker_to_worker(void)
{
    cancel_a_descent(ZIGZAG, true);
}

static int count_and_sleep(void *arg)
{
    _Atomic(size_t) *count = arg;
    rvi_fetch_add_relaxed(count, 1);
    return rv_sleep_until(RV_NEVER);
}

/* All at once, as long as the kernel has mappings for their guards. */
static void wide(void)
{
    _Atomic(size_t) begun = 0;
    size_t count = crowd(WIDE, 1000);
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    rv_scope *scope = open_scope(NULL);
    for (size_t i = 0; i < count; i++)
        try_go(scope, count_and_sleep, &begun);
    while (rvi_load_relaxed(&begun) < count && rv_scope_reason(scope) == 0)
        rv_yield();
    int reason = rv_scope_reason(scope);
    rv_scope_cancel(scope, -EIO);
    do {
        rv_yield();
        RV_CHECK(rv_scope_stats_read(scope, &stats) == 0);
    } while (stats.alive);
    RV_CHECK(reason == -ENOMEM || (reason == 0 && stats.failed == count));
    RV_CHECK(rv_scope_close(scope) == (reason < 0 ? reason : -EIO));
}

static void wide_and_hardly_begun(void)
{
    _Atomic(size_t) begun = 0;
    size_t count = scaled(WIDE, 1000);
    rv_scope *scope = open_scope(NULL);
    for (size_t i = 0; i < count; i++)
        try_go(scope, count_and_sleep, &begun);
    rv_scope_cancel(scope, -EIO);
    int r = rv_scope_close(scope);
    RV_CHECK(r == -ENOMEM || (r == -EIO && rvi_load_relaxed(&begun) == count));
}

/* --- races --- */

static void many_cancel_at_one_time(void)
{
    for (int i = 0; i < RACES / 10; i++) {
        pthread_t threads[3];
        rv_scope *scope = open_scope(NULL);
        for (int k = 0; k < FEW; k++)
            try_go(scope, k % 2 ? cancel_it : sleep_for_ever, scope);
        for (int k = 0; k < 3; k++)
            RV_CHECK(pthread_create(&threads[k], NULL, cancel_on_a_thread, scope) == 0);
        rv_yield();
        rv_scope_cancel(scope, -EIO);
        for (int k = 0; k < 3; k++)
            RV_CHECK(pthread_join(threads[k], NULL) == 0);
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
}

/* Goes to another worker and back while it is cancelled: regress, its descriptor was freed under
 * the message that looked for it. */
static int wander(void *arg)
{
    unsigned last = rv_run_workers() - 1;
    (void)arg;
    for (unsigned i = 0;; i++) {
        int r = rv_migrate(i % 2 ? 0 : last);
        if (r < 0)
            return r;
        if (i % 3 == 0)
            rv_yield();
    }
}

static void wanderers_are_found(void)
{
    for (size_t i = 0; i < scaled(RACES, 50); i++) {
        rv_scope *scope = open_scope(NULL);
        for (int k = 0; k < FEW; k++)
            go(scope, wander, NULL);
        for (size_t k = 0; k < i % 7; k++)
            rv_yield();
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
}

/* regress: the last task of a scope has ended and its owner was called, but before it had its turn
 * the scope was cancelled, and messages went to other workers' books. */
struct last_moment {
    rv_scope *outer, *inner;
    _Atomic(int) ready, stage; /* 1: the owner closes, 2: the last task is about to end */
};

static int start_one_more(void *arg)
{
    struct last_moment *moment = arg;
    go(moment->inner, do_nothing, NULL);
    return 0;
}

static void get_ready(struct last_moment *moment, int stage)
{
    RV_CHECK(rv_migrate(0) == 0);
    rvi_fetch_add_relaxed(&moment->ready, 1);
    while (rvi_load_relaxed(&moment->stage) < stage)
        rv_yield();
}

static int end_last(void *arg)
{
    struct last_moment *moment = arg;
    get_ready(moment, 1);
    for (int i = 0; i < 3; i++)
        rv_yield();
    rvi_store_relaxed(&moment->stage, 2);
    return 0;
}

static int cancel_at_the_last_moment(void *arg)
{
    struct last_moment *moment = arg;
    get_ready(moment, 2);
    rv_scope_cancel(moment->outer, -EIO);
    return 0;
}

static void a_scope_may_be_cancelled_after_its_last_task(void)
{
    for (int i = 0; i < 20; i++) {
        struct last_moment moment = {.outer = open_scope(NULL)};
        struct rv_scope_stats stats = {.size = sizeof(stats)};
        moment.inner = open_scope(NULL);
        RV_CHECK(rv_task_worker() == 0);
        start_elsewhere_or_here(moment.inner, start_one_more, &moment);
        go(moment.outer, cancel_at_the_last_moment, &moment);
        go(moment.inner, end_last, &moment);
        do {
            rv_yield();
            RV_CHECK(rv_scope_stats_read(moment.inner, &stats) == 0);
        } while (stats.succeeded < 2 || rvi_load_relaxed(&moment.ready) < 2);
        rvi_store_relaxed(&moment.stage, 1);
        int r = rv_scope_close(moment.inner);
        RV_CHECK(r == -ECANCELED || r == 0);
        RV_CHECK(rv_scope_close(moment.outer) == -EIO);
    }
}

static int go_away_and_wait(void *arg)
{
    RV_CHECK(rv_migrate(rv_run_workers() - 1) == 0);
    rv_event_set(arg);
    return rv_sleep_until(RV_NEVER);
}

static void who_has_moved_away_is_found(void)
{
    for (int i = 0; i < 20; i++) {
        struct rv_event there = RV_EVENT_INIT;
        rv_scope *scope = open_scope(NULL);
        go(scope, go_away_and_wait, &there);
        RV_CHECK(rv_event_wait(&there, RV_NEVER) == 0);
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(every_way_ends_every_wait),
        ON_TASKS(cancelling_the_outer_scope_ends_every_wait),
        ON_TASKS(the_deadline_ends_every_wait),
        ON_TASKS(the_owner_inside_is_cancelled_too),
        ON_TASKS(who_was_started_elsewhere_is_cancelled_too),
        ON_TASKS(cancellation_lasts_until_the_scope_has_ended),
        ON_TASKS(siblings_and_outer_scopes_are_left_alone),
        ON_TASKS(the_inner_deadline_ends_the_inner_scope),
        ON_TASKS(the_outer_deadline_ends_both),
        ON_TASKS(each_deadline_comes_in_its_turn),
        ON_TASKS(a_deadline_in_the_past_ends_the_first_wait),
        ON_TASKS(a_deadline_that_is_not_reached_does_nothing),
        ON_TASKS(who_only_computes_can_ask),
        ON_TASKS(a_thousand_scopes_deep),
        ON_TASKS(a_thousand_tasks_deep),
        ON_TASKS(deep_from_worker_to_worker),
        ON_TASKS(wide),
        ON_TASKS(wide_and_hardly_begun),
        ON_TASKS(many_cancel_at_one_time),
        ON_TASKS(a_scope_may_be_cancelled_after_its_last_task),
        ON_TASKS(wanderers_are_found),
        ON_TASKS(who_has_moved_away_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
