/* SPDX-License-Identifier: MIT */
/* test_task.c - what a running task may ask for itself: yielding, shields, moving, its name and
 * number. */
#include <ravel/task.h>

#include <errno.h>
#include <sched.h>

#include "../../support/crowd.h"
#include "base/alloc.h"
#include "stage.h"

enum { FEW = 5, MANY = 1000, NEST = 255, NAME_BYTES = 63 };

#define SOON (2 * RV_MILLISECOND)
#define LONG RV_MINUTE

/* --- yielding --- */

struct turns {
    int order[2 * FEW];
    int count;
};

static int take_turns(void *arg)
{
    struct turns *turns = arg;
    for (int i = 0; i < FEW; i++) {
        turns->order[turns->count++] = (int)(rv_task_id() % 1000);
        rv_yield();
    }
    return 0;
}

static int start_turns(void *arg)
{
    int err;
    RV_SCOPE(scope, err) {
        go(scope, take_turns, arg);
        go(scope, take_turns, arg);
    }
    return err;
}

static void who_yields_lets_the_other_run(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    struct turns turns = {.count = 0};
    (void)state;
    assert_int_equal(rv_run(start_turns, &turns, &opts), 0);
    for (int i = 1; i < 2 * FEW; i++)
        assert_int_not_equal(turns.order[i], turns.order[i - 1]);
}

static void alone_yielding_comes_back(void)
{
    for (int i = 0; i < MANY; i++)
        rv_yield();
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, 0);
    rv_yield(); /* works in a cancelled task */
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
}

static void outside_of_tasks_there_is_nobody(void **state)
{
    (void)state;
    rv_yield();
    assert_int_equal(rv_cancelled(), 0);
    assert_int_equal(rv_shield_begin(rv_after(LONG)), -EPERM);
    assert_int_equal(rv_migrate(0), -EPERM);
    assert_int_equal(rv_task_worker(), -EPERM);
    assert_int_equal(rv_task_stack_used(), -EPERM);
    assert_int_equal(rv_task_id(), 0);
    assert_string_equal(rv_task_name(), "");
    assert_int_equal(rv_task_rename("thread"), -EPERM);
    assert_null(rv_task_site());
}

/* --- shields --- */

static void begin(rv_time until)
{
    RV_CHECK(rv_shield_begin(until) == 0);
}

static void a_shield_hides_cancellation(void)
{
    rv_scope *scope = open_scope(NULL);
    struct rv_sem units = RV_SEM_INIT;
    rv_sem_post(&units, 1);
    rv_scope_cancel(scope, -EIO);
    RV_CHECK(rv_cancelled() == -EIO && rv_sleep(0) == -ECANCELED);
    begin(rv_after(LONG));
    RV_CHECK(rv_cancelled() == 0 && rv_sleep(RV_MICROSECOND) == 0);
    RV_CHECK(rv_sem_wait(&units, RV_NEVER) == 0);
    RV_CHECK(rv_sem_wait(&units, rv_after(RV_MICROSECOND)) == -ETIME);
    RV_CHECK(rv_blocking(do_nothing, NULL, NULL) == 0);
    RV_CHECK(rv_migrate(0) == -EBUSY);
    RV_CHECK(rv_go(scope, do_nothing, NULL) ==
             -ECANCELED); /* the scope is cancelled all the same */
    rv_shield_end();
    RV_CHECK(rv_cancelled() == -EIO && rv_sleep(0) == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

/* Waits under a shield, for ever but for that. */
struct guarded {
    rv_scope *scope;
    rv_time until;
    struct rv_event begun;
    bool cancels;
};

static int wait_guarded(void *arg)
{
    struct guarded *guarded = arg;
    begin(guarded->until);
    rv_event_set(&guarded->begun);
    if (guarded->cancels)
        rv_scope_cancel(guarded->scope, -EIO);
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_now() >= guarded->until);
    RV_CHECK(rv_sleep(0) == -ECANCELED && rv_cancelled() == -EIO);
    rv_shield_end();
    return 0;
}

static void a_wait_ends_when_its_shield_does(bool elsewhere, bool cancels)
{
    rv_scope *scope = open_scope(NULL);
    struct guarded guarded = {scope, rv_after(SOON), RV_EVENT_INIT, cancels};
    if (elsewhere && rv_run_workers() > 1)
        start_elsewhere(scope, wait_guarded, &guarded);
    else
        go(scope, wait_guarded, &guarded);
    if (!cancels) {
        RV_CHECK(rv_event_wait(&guarded.begun, RV_NEVER) == 0);
        rv_scope_cancel(scope, -EIO);
    }
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void a_wait_under_a_shield_ends_at_the_shields_time(void)
{
    for (int i = 0; i < 4; i++)
        a_wait_ends_when_its_shield_does(i & 1, i & 2);
}

/* regress: one look at the clock said that the shield held, the next that it need not be waited
 * for. */
static void a_shield_may_end_while_a_wait_begins(void)
{
    struct rv_event never = RV_EVENT_INIT;
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, -EIO);
    for (int i = 0; i < 5000; i++) {
        begin(rv_after(i % 500));
        RV_CHECK(rv_event_wait(&never, RV_NEVER) == -ECANCELED);
        rv_shield_end();
    }
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void without_cancellation_a_wait_outlasts_its_shield(void)
{
    rv_time deadline = rv_after(2 * SOON);
    begin(rv_after(SOON));
    RV_CHECK(rv_sleep_until(deadline) == 0);
    RV_CHECK(rv_now() >= deadline);
    rv_shield_end();
}

static void a_shield_whose_time_is_over_hides_nothing(void)
{
    static const rv_time pasts[] = {0, 1, -1, INT64_MIN};
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, -EIO);
    for (size_t i = 0; i < sizeof(pasts) / sizeof(pasts[0]); i++) {
        begin(pasts[i]);
        RV_CHECK(rv_cancelled() == -EIO && rv_sleep(0) == -ECANCELED);
        rv_shield_end();
    }
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void an_inner_shield_cannot_outlast_the_outer(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_time until = rv_after(SOON);
    rv_scope_cancel(scope, -EIO);
    begin(until);
    begin(rv_after(LONG));
    RV_CHECK(rv_cancelled() == 0 || rv_now() >= until);
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_now() >= until && rv_cancelled() == -EIO);
    rv_shield_end();
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

/* regress: a nearer limit of an inner shield held for the outer as well, even after its end. */
static void an_inner_shield_does_not_end_the_outer(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, -EIO);
    begin(rv_after(LONG));
    begin(rv_now());
    RV_CHECK(rv_cancelled() == 0 && rv_sleep(SOON) == 0);
    rv_shield_end();
    RV_CHECK(rv_cancelled() == 0 && rv_sleep(RV_MICROSECOND) == 0);
    rv_shield_end();
    RV_CHECK(rv_cancelled() == -EIO);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void shields_nest_two_hundred_and_fifty_five_deep(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_scope_cancel(scope, 0);
    for (int i = 0; i < NEST; i++)
        begin(rv_after(LONG));
    RV_CHECK(rv_shield_begin(rv_after(LONG)) == -EOVERFLOW);
    for (int i = 0; i < NEST; i++) {
        RV_CHECK(rv_cancelled() == 0);
        rv_shield_end();
    }
    RV_CHECK(rv_cancelled() == -ECANCELED);
    RV_CHECK(rv_scope_close(scope) == -ECANCELED);
}

static void no_shield_is_for_ever(void)
{
    RV_CHECK(rv_shield_begin(RV_NEVER) == -EINVAL);
    begin(RV_NEVER - 1);
    rv_shield_end();
}

static int break_down(void *arg)
{
    (void)arg;
    return -EXDEV;
}

/* What may happen under a shield only when its time is over. */
static void expect_not_before(rv_time until, int result, int otherwise)
{
    RV_CHECK(result == otherwise || (result == -ECANCELED && rv_now() >= until));
}

/* The outer scope is cancelled before, or by this. */
static void clean_up(rv_scope *outer, rv_time until, bool hangs)
{
    struct rv_event never = RV_EVENT_INIT;
    int err;
    RV_SCOPE(cleanup, err) {
        expect_not_before(until, rv_go(cleanup, do_nothing, NULL), 0);
        rv_scope_cancel(outer, -EIO);
        expect_not_before(until, rv_scope_reason(cleanup), 0);
        expect_not_before(until, rv_event_wait(&never, rv_after(RV_MICROSECOND)), -ETIME);
        if (hangs) {
            try_go(cleanup, sleep_for_ever, NULL);
            if (rv_run_workers() > 1)
                start_elsewhere(cleanup, sleep_for_ever, NULL);
        }
    }
    expect_not_before(until, err, 0);
    RV_CHECK(!hangs || err == -ECANCELED);
}

static void scopes_under_a_shield_can_clean_up(void)
{
    for (int i = 0; i < 4; i++) {
        rv_time until = rv_after(i & 2 ? SOON : LONG);
        rv_scope *scope = open_scope(NULL);
        if (i & 1)
            rv_scope_cancel(scope, -EIO);
        begin(until);
        clean_up(scope, until, i & 2);
        rv_shield_end();
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
}

static void a_deadline_under_a_shield_comes_in_time(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_time deadline = rv_after(SOON);
    int err;
    begin(rv_after(LONG));
    RV_SCOPE(cleanup, err, .deadline = deadline) {
        go(cleanup, sleep_for_ever, NULL);
        rv_scope_cancel(scope, -EIO);
    }
    RV_CHECK(err == -ETIME && rv_now() >= deadline);
    deadline = rv_after(SOON);
    RV_SCOPE(cleanup, err, .deadline = deadline) /* the outer one is cancelled already */
        go(cleanup, sleep_for_ever, NULL);
    RV_CHECK(err == -ETIME && rv_now() >= deadline);
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void a_scope_under_a_shield_can_be_cancelled_by_name(void)
{
    rv_scope *scope = open_scope(NULL);
    int err, inner_err;
    begin(rv_after(LONG));
    RV_SCOPE(cleanup, err) {
        go(cleanup, sleep_for_ever, NULL);
        RV_SCOPE(inner, inner_err)
            RV_CHECK(rv_scope_reason(inner) == 0);
        rv_scope_cancel(cleanup, -EPIPE);
    }
    RV_CHECK(err == -EPIPE && inner_err == 0);
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == 0);
}

static void without_memory_a_shielded_scope_is_cancelled_at_once(void)
{
    rv_scope *scope = open_scope(NULL);
    int err;
    if (rv_run_workers() > 1) { /* another thread's allocation would fail instead */
        RV_CHECK(rv_scope_close(scope) == 0);
        return;
    }
    begin(rv_after(LONG));
    RV_SCOPE(cleanup, err) {
        rvi_alloc_fail_after(1); /* this worker's first timer needs memory */
        rv_scope_cancel(scope, -EIO);
        RV_CHECK(!rvi_alloc_fail_pending());
        RV_CHECK(rv_scope_reason(cleanup) == -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED);
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

/* regress: its owner, in the shield, did not see it. */
static void a_scope_inside_a_shield_is_cancelled_for_its_owner_too(void)
{
    rv_scope *scope = open_scope(NULL);
    int err;
    rv_scope_cancel(scope, -EIO);
    begin(rv_after(LONG));
    RV_SCOPE(cleanup, err, .deadline = rv_after(SOON))
        RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED && rv_cancelled() == -ETIME);
    RV_CHECK(err == -ETIME);
    RV_SCOPE(cleanup, err) {
        rv_scope_cancel(cleanup, -EPIPE);
        RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED && rv_cancelled() == -EPIPE);
    }
    RV_CHECK(err == -EPIPE && rv_cancelled() == 0);
    RV_SCOPE(cleanup, err) {
        go(cleanup, break_down, NULL);
        RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    }
    RV_CHECK(err == -EXDEV && rv_cancelled() == 0);
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

/* regress: each scope inside a shield was kept from every other one's cancellation. */
static void scopes_inside_one_shield_cancel_each_other(void)
{
    rv_scope *first, *second;
    begin(rv_after(LONG));
    first = open_scope(NULL);
    second = open_scope(NULL);
    go(second, sleep_for_ever, NULL);
    rv_scope_cancel(first, -EPIPE);
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_scope_close(second) == -ECANCELED);
    RV_CHECK(rv_scope_close(first) == -EPIPE);
    rv_shield_end();
}

/* regress: they stayed shielded for as long as the shield would have lasted. */
static void the_end_of_a_shield_reaches_the_scopes_inside(void)
{
    for (int i = 0; i < 4; i++) {
        rv_scope *scope = open_scope(NULL), *inside, *innermost;
        bool before = i & 1;
        begin(rv_after(LONG));
        if (i & 2)
            begin(rv_after(LONG));
        inside = open_scope(&(struct rv_scope_opts){.deadline = i & 2 ? rv_after(LONG / 2) : 0});
        innermost = open_scope(NULL);
        go(innermost, sleep_for_ever, NULL);
        if (before)
            rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_sleep(RV_MICROSECOND) == 0 && rv_scope_reason(inside) == 0);
        if (i & 2)
            rv_shield_end();
        RV_CHECK(rv_sleep(RV_MICROSECOND) == 0 && rv_scope_reason(inside) == 0);
        rv_shield_end();
        if (!before)
            rv_scope_cancel(scope, -EIO);
        RV_CHECK(rv_cancelled() == -ECANCELED && rv_sleep_until(RV_NEVER) == -ECANCELED);
        RV_CHECK(rv_scope_close(innermost) == -ECANCELED);
        RV_CHECK(rv_scope_close(inside) == -ECANCELED);
        RV_CHECK(rv_scope_close(scope) == -EIO);
    }
}

static void a_shield_goes_on_when_the_scope_it_was_begun_in_is_closed(void)
{
    rv_scope *scope = open_scope(NULL), *inside = open_scope(NULL);
    rv_scope_cancel(scope, -EIO);
    begin(rv_after(LONG));
    RV_CHECK(rv_cancelled() == 0);
    RV_CHECK(rv_scope_close(inside) == -ECANCELED);
    RV_CHECK(rv_cancelled() == 0 && rv_sleep(RV_MICROSECOND) == 0);
    rv_shield_end();
    RV_CHECK(rv_cancelled() == -EIO);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

/* One shield outside, one inside a scope between the two. */
static void each_shield_hides_its_own(void)
{
    rv_scope *scope = open_scope(NULL);
    begin(rv_after(LONG));
    rv_scope *between = open_scope(NULL);
    begin(rv_after(LONG));
    rv_scope *inside = open_scope(NULL);
    rv_scope_cancel(scope, -EIO);
    RV_CHECK(rv_scope_reason(between) == 0 && rv_scope_reason(inside) == 0);
    rv_scope_cancel(between, -EPIPE);
    RV_CHECK(rv_scope_reason(inside) == 0 && rv_cancelled() == 0);
    RV_CHECK(rv_scope_close(inside) == 0);
    RV_CHECK(rv_cancelled() == 0 && rv_sleep(RV_MICROSECOND) == 0);
    rv_shield_end();
    RV_CHECK(rv_cancelled() == -EPIPE);
    RV_CHECK(rv_scope_close(between) == -EPIPE);
    RV_CHECK(rv_cancelled() == 0);
    rv_shield_end();
    RV_CHECK(rv_cancelled() == -EIO);
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static void a_shield_in_a_scope_cannot_outlast_the_one_around_it(void)
{
    rv_scope *scope = open_scope(NULL);
    rv_time until = rv_after(SOON);
    rv_scope_cancel(scope, -EIO);
    begin(until);
    rv_scope *inside = open_scope(NULL);
    begin(rv_after(LONG));
    rv_scope *innermost = open_scope(NULL);
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED && rv_now() >= until);
    RV_CHECK(rv_scope_close(innermost) == -ECANCELED);
    RV_CHECK(rv_cancelled() == -ECANCELED);
    rv_shield_end();
    RV_CHECK(rv_scope_close(inside) == -ECANCELED);
    rv_shield_end();
    RV_CHECK(rv_scope_close(scope) == -EIO);
}

static int return_shielded(void *arg)
{
    (void)arg;
    return rv_shield_begin(rv_after(LONG));
}

static void return_inside_a_shield(void)
{
    RV_CHECK(rv_go(now_on.scope, return_shielded, NULL) == 0);
    finish();
}

static void end_a_shield_too_many(void)
{
    begin(rv_after(LONG));
    rv_shield_end();
    rv_shield_end();
}

static void misused_shields_stop_the_program(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, return_inside_a_shield, "task 'return_shielded' (");
    assert_panics(ONE_WORKER, return_inside_a_shield, "returned inside a shield: end it with");
    assert_panics(ONE_WORKER, end_a_shield_too_many, "rv_shield_end() without rv_shield_begin()");
    assert_panics(THREADS, rv_shield_end, "rv_shield_end() without rv_shield_begin()");
}

/* --- moving --- */

static int tour(void *arg)
{
    unsigned workers = rv_run_workers();
    uint64_t id = rv_task_id();
    (void)arg;
    for (unsigned i = 0; i < 3 * workers; i++) {
        RV_CHECK(rv_migrate(i % workers) == 0);
        RV_CHECK(rv_task_worker() == (int)(i % workers));
        RV_CHECK(rv_task_id() == id);
        if (i % 2)
            RV_CHECK(rv_sleep(RV_MICROSECOND) == 0);
        else
            rv_yield();
        RV_CHECK(rv_task_worker() == (int)(i % workers));
    }
    return 0;
}

static int tour_together(void *arg)
{
    int err;
    RV_CHECK(tour(NULL) == 0);
    RV_SCOPE(scope, err, .limit = crowd(MANY, FEW) / 4) {
        for (size_t i = 0; i < crowd(MANY, FEW); i++)
            go(scope, tour, NULL);
    }
    RV_CHECK(err == 0);
    return tour(arg);
}

static void tasks_move_between_workers(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 4; workers++) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
        assert_int_equal(rv_run(tour_together, NULL, &opts), 0);
    }
}

static int end_elsewhere(void *arg)
{
    RV_CHECK(rv_migrate(rv_run_workers() - 1) == 0);
    return *(int *)arg;
}

static void a_task_may_end_where_it_was_not_started(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 2};
    int result = -EIO;
    (void)state;
    assert_int_equal(rv_run(end_elsewhere, &result, &opts), -EIO);
}

static void moving_can_be_refused(void)
{
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_migrate(rv_run_workers()) == -EINVAL && rv_migrate(UINT32_MAX) == -EINVAL);
    RV_CHECK(rv_migrate(0) == -EBUSY);
    RV_CHECK(rv_scope_close(scope) == 0);
}

/* --- who it is --- */

static int keep_id(void *arg)
{
    uint64_t *id = arg;
    *id = rv_task_id();
    rv_yield();
    RV_CHECK(rv_task_id() == *id);
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void every_task_has_a_number_of_its_own(void)
{
    static uint64_t ids[MANY];
    rv_scope *scope = open_scope(NULL);
    for (int i = 0; i < MANY; i++)
        go(scope, keep_id, &ids[i]);
    RV_CHECK(rv_scope_close(scope) == 0);
    qsort(ids, MANY, sizeof(ids[0]), compare_ids);
    RV_CHECK(ids[0] > 0);
    for (int i = 1; i < MANY; i++)
        RV_CHECK(ids[i] != ids[i - 1]);
}

static int check_name(void *arg)
{
    RV_CHECK(strcmp(rv_task_name(), arg) == 0);
    rv_yield();
    RV_CHECK(strcmp(rv_task_name(), arg) == 0);
    return 0;
}

static void the_name_is_the_functions_or_the_given(void)
{
    static char own[] = "check_name", given[] = "a given name";
    rv_scope *scope = open_scope(NULL);
    RV_CHECK(rv_go(scope, check_name, own) == 0);
    RV_CHECK(rv_go_named(scope, check_name, given, "a given name") == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
}

static int rename_often(void *arg)
{
    char name[100];
    (void)arg;
    for (int length = 0; length < 100; length++) {
        memset(name, 'a' + length % 26, sizeof(name));
        name[length < 99 ? length : 99] = '\0';
        RV_CHECK(rv_task_rename(name) == 0);
        name[NAME_BYTES < length ? NAME_BYTES : length] = '\0';
        RV_CHECK(strcmp(rv_task_name(), name) == 0);
    }
    return 0;
}

static void tasks_rename_themselves(void)
{
    rv_scope *scope = open_scope(NULL);
    for (int i = 0; i < FEW; i++)
        go(scope, rename_often, NULL);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(rv_task_rename("before") == 0);
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_task_rename("after") == -ENOMEM);
    RV_CHECK(strcmp(rv_task_name(), "before") == 0);
}

static int check_site(void *arg)
{
    const struct rv_site *site = rv_task_site();
    RV_CHECK(strcmp(site->name, "check_site") == 0 &&
             strcmp(site->func, "the_site_says_where") == 0);
    RV_CHECK(strstr(site->file, "test_task.c") != NULL && site->line == *(unsigned *)arg);
    return 0;
}

static void the_site_says_where(void)
{
    unsigned line;
    rv_scope *scope = open_scope(NULL);
    line = __LINE__ + 1;
    RV_CHECK(rv_go(scope, check_site, &line) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(strcmp(rv_task_site()->name, "entry") == 0);
}

/* --- stacks --- */

static __attribute__((noinline)) int use_stack(volatile char *outer)
{
    volatile char frame[16 << 10];
    for (size_t i = 0; i < sizeof(frame); i += 64)
        frame[i] = outer[0];
    return frame[64];
}

static int measure(void *arg)
{
    volatile char zero = 0;
    long before = rv_task_stack_used();
    (void)arg;
    RV_CHECK(before > 0 && before < 16 << 10);
    RV_CHECK(use_stack(&zero) == 0);
    RV_CHECK(rv_task_stack_used() >= 16 << 10);
    return 0;
}

static int measure_some(void *arg)
{
    int err;
    RV_SCOPE(scope, err) {
        for (int i = 0; i < FEW; i++)
            go(scope, measure, arg);
    }
    return err;
}

static int cannot_measure(void *arg)
{
    (void)arg;
    RV_CHECK(rv_task_stack_used() == -ENOTSUP);
    return 0;
}

static void stacks_are_measured_on_request(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .measure_stacks = 1};
    (void)state;
    assert_int_equal(rv_run(measure_some, NULL, &opts), 0);
    opts.measure_stacks = 0;
    assert_int_equal(rv_run(cannot_measure, NULL, &opts), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_yields_lets_the_other_run),
        ON_TASKS(alone_yielding_comes_back),
        cmocka_unit_test(outside_of_tasks_there_is_nobody),
        ON_TASKS(a_shield_hides_cancellation),
        ON_TASKS(a_wait_under_a_shield_ends_at_the_shields_time),
        ON_TASKS(a_shield_may_end_while_a_wait_begins),
        ON_TASKS(without_cancellation_a_wait_outlasts_its_shield),
        ON_TASKS(a_shield_whose_time_is_over_hides_nothing),
        ON_TASKS(an_inner_shield_cannot_outlast_the_outer),
        ON_TASKS(an_inner_shield_does_not_end_the_outer),
        ON_TASKS(a_scope_inside_a_shield_is_cancelled_for_its_owner_too),
        ON_TASKS(scopes_inside_one_shield_cancel_each_other),
        ON_TASKS(the_end_of_a_shield_reaches_the_scopes_inside),
        ON_TASKS(a_shield_goes_on_when_the_scope_it_was_begun_in_is_closed),
        ON_TASKS(each_shield_hides_its_own),
        ON_TASKS(a_shield_in_a_scope_cannot_outlast_the_one_around_it),
        ON_TASKS(shields_nest_two_hundred_and_fifty_five_deep),
        ON_TASKS(no_shield_is_for_ever),
        ON_TASKS(scopes_under_a_shield_can_clean_up),
        ON_TASKS(a_deadline_under_a_shield_comes_in_time),
        ON_TASKS(a_scope_under_a_shield_can_be_cancelled_by_name),
        ON_TASKS(without_memory_a_shielded_scope_is_cancelled_at_once),
        cmocka_unit_test(misused_shields_stop_the_program),
        cmocka_unit_test(tasks_move_between_workers),
        cmocka_unit_test(a_task_may_end_where_it_was_not_started),
        ON_TASKS(moving_can_be_refused),
        ON_TASKS(every_task_has_a_number_of_its_own),
        ON_TASKS(the_name_is_the_functions_or_the_given),
        ON_TASKS(tasks_rename_themselves),
        ON_TASKS(the_site_says_where),
        cmocka_unit_test(stacks_are_measured_on_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
