/* SPDX-License-Identifier: MIT */
/* test_strand.c - strands: their parties, who post and wait, on every stage of stage.h; the jobs
 * themselves run in tasks. */
#include <ravel/strand.h>

#include <errno.h>

#include "base/alloc.h"
#include "stage.h"

enum { PARTIES = 4, JOBS = 50, ROOM = 3 };

/* As src/task/strand.c begins. */
static void until_posting(rv_strand *strand, size_t count)
{
    until_waiting(strand, count);
}

static size_t waiting(rv_strand *strand)
{
    struct rv_strand_stats stats = {.size = sizeof(stats)};
    RV_CHECK(rv_strand_stats_read(strand, &stats) == 0);
    return stats.waiting;
}

static rv_strand *open_strand(rv_scope *scope, size_t capacity)
{
    struct rv_strand_opts opts = {.size = sizeof(opts), .capacity = capacity};
    rv_strand *strand;
    RV_CHECK(rv_strand_open(&strand, scope, &opts) == 0);
    return strand;
}

/* A play with a strand needs a scope, and so a task; its parties may be threads. */
struct studio {
    rv_scope *scope;
    rv_strand *strand;
    _Atomic(int) inside; /* jobs that run now */
    int ran;             /* by jobs alone */
    int order[PARTIES * JOBS];
    struct rv_event go_on;
    _Atomic(int) begun; /* parties that are so far */
};

static void open_studio(struct studio *at, size_t capacity, enum rv_policy policy)
{
    struct rv_scope_opts opts = {.size = sizeof(opts), .policy = policy};
    memset(at, 0, sizeof(*at));
    RV_CHECK(rv_scope_open(&at->scope, &opts) == 0);
    at->strand = open_strand(at->scope, capacity);
}

static void close_studio(struct studio *at)
{
    RV_CHECK(rv_strand_close(at->strand) == 0);
    RV_CHECK(rv_scope_close(at->scope) == 0);
}

struct entry {
    struct studio *at;
    int number;
};

static int enter(void *arg)
{
    struct entry *entry = arg;
    struct studio *at = entry->at;
    RV_CHECK(rvi_fetch_add_relaxed(&at->inside, 1) == 0);
    at->order[at->ran++] = entry->number;
    if (entry->number % 4 == 0)
        rv_yield();
    RV_CHECK(rvi_fetch_sub_relaxed(&at->inside, 1) == 1);
    return 0;
}

/* Holds the strand until told. */
static int hold(void *arg)
{
    struct studio *at = arg;
    rvi_store_relaxed(&at->begun, 1);
    return rv_event_wait(&at->go_on, RV_NEVER);
}

static void hold_strand(struct studio *at)
{
    RV_CHECK(rv_strand_post(at->strand, hold, at, RV_NEVER) == 0);
    while (!rvi_load_relaxed(&at->begun))
        rv_yield();
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int break_down(void *arg)
{
    (void)arg;
    return -EIO;
}

static void jobs_run_in_the_order_in_which_they_were_posted(void)
{
    struct studio at;
    struct entry entries[JOBS];
    open_studio(&at, 0, RV_FAIL_FAST);
    for (int i = 0; i < JOBS; i++) {
        entries[i] = (struct entry){&at, i};
        RV_CHECK(rv_strand_post(at.strand, enter, &entries[i], RV_NEVER) == 0);
        if (i % 10 == 0)
            rv_yield();
    }
    close_studio(&at);
    RV_CHECK(at.ran == JOBS);
    for (int i = 0; i < JOBS; i++)
        RV_CHECK(at.order[i] == i);
}

struct author {
    struct studio *at;
    int number;
    struct entry entries[JOBS];
};

static int post_all(void *arg)
{
    struct author *author = arg;
    for (int i = 0; i < JOBS; i++) {
        author->entries[i] = (struct entry){author->at, author->number * JOBS + i};
        RV_CHECK(rv_strand_post(author->at->strand, enter, &author->entries[i], RV_NEVER) == 0);
    }
    rvi_fetch_add_relaxed(&author->at->begun, 1);
    return 0;
}

static void each_poster_finds_its_own_order_and_never_two_at_once(void)
{
    struct studio at;
    struct author *authors = calloc(PARTIES, sizeof(*authors));
    int next[PARTIES] = {0};
    open_studio(&at, ROOM, RV_FAIL_FAST);
    for (int i = 0; i < PARTIES; i++) {
        authors[i].at = &at;
        authors[i].number = i;
        start(post_all, &authors[i]);
    }
    while (rvi_load_relaxed(&at.begun) < PARTIES)
        rv_yield();
    close_studio(&at);
    RV_CHECK(at.ran == PARTIES * JOBS);
    for (int i = 0; i < PARTIES * JOBS; i++)
        RV_CHECK(at.order[i] % JOBS == next[at.order[i] / JOBS]++);
    finish();
    free(authors);
}

static void a_caller_gets_its_jobs_result(void)
{
    struct studio at;
    int result = 1;
    open_studio(&at, 0, RV_FAIL_FAST);
    RV_CHECK(rv_strand_run(at.strand, break_down, NULL, &result, RV_NEVER) == 0);
    RV_CHECK(result == -EIO);
    RV_CHECK(rv_strand_run(at.strand, break_down, NULL, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_strand_run(at.strand, do_nothing, NULL, &result, rv_after(RV_MINUTE)) == 0);
    RV_CHECK(result == 0);
    close_studio(&at); /* the scope has heard of no failure */
}

static int run_from_outside(void *arg)
{
    struct entry *entry = arg;
    int result = 1;
    RV_CHECK(rv_strand_run(entry->at->strand, enter, entry, &result, RV_NEVER) == 0);
    RV_CHECK(result == 0);
    RV_CHECK(rv_strand_post(entry->at->strand, enter, entry, RV_NEVER) == 0);
    return rv_strand_try_post(entry->at->strand, enter, entry);
}

static void plain_threads_post_and_wait_as_well(void)
{
    struct studio at;
    struct entry entry = {&at, 1};
    open_studio(&at, 0, RV_FAIL_FAST);
    RV_CHECK(rv_blocking(run_from_outside, &entry, NULL) == 0);
    close_studio(&at);
    RV_CHECK(at.ran == 3);
}

static void a_full_strand_makes_posters_wait_in_line(void)
{
    struct studio at;
    struct entry entries[2 * ROOM];
    open_studio(&at, ROOM, RV_FAIL_FAST);
    hold_strand(&at);
    for (int i = 0; i < 2 * ROOM; i++)
        entries[i] = (struct entry){&at, i};
    for (int i = 0; i < ROOM; i++)
        RV_CHECK(rv_strand_try_post(at.strand, enter, &entries[i]) == 0);
    RV_CHECK(rv_strand_try_post(at.strand, enter, &entries[0]) == -EAGAIN);
    RV_CHECK(rv_strand_post(at.strand, enter, &entries[0], 0) == -ETIME);
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_strand_post(at.strand, enter, &entries[0], deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    until_posting(at.strand, 0);
    RV_CHECK(waiting(at.strand) == ROOM);
    rv_event_set(&at.go_on);
    for (int i = ROOM; i < 2 * ROOM; i++)
        RV_CHECK(rv_strand_post(at.strand, enter, &entries[i], RV_NEVER) == 0);
    close_studio(&at);
    RV_CHECK(at.ran == 2 * ROOM);
    for (int i = 0; i < 2 * ROOM; i++)
        RV_CHECK(at.order[i] == i);
}

static void a_caller_that_gives_up_takes_its_job_back(void)
{
    struct studio at;
    struct entry entry = {&at, 7};
    int result = 42;
    open_studio(&at, ROOM, RV_FAIL_FAST);
    RV_CHECK(rv_strand_run(at.strand, enter, &entry, &result, 0) == -ETIME);
    hold_strand(&at);
    RV_CHECK(rv_strand_run(at.strand, enter, &entry, &result, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(result == 42 && waiting(at.strand) == 0);
    rv_event_set(&at.go_on);
    close_studio(&at);
    RV_CHECK(at.ran == 0);
}

static int take_long(void *arg)
{
    rv_time *deadline = arg;
    RV_CHECK(rv_sleep_until(*deadline + RV_MILLISECOND) == 0);
    return 5;
}

static void a_job_that_has_begun_is_waited_for_beyond_the_deadline(void)
{
    struct studio at;
    int result = 0;
    open_studio(&at, ROOM, RV_FAIL_FAST);
    rv_time deadline = rv_after(20 * RV_MILLISECOND);
    int r = rv_strand_run(at.strand, take_long, &deadline, &result, deadline);
    RV_CHECK((r == 0 && result == 5) || r == -ETIME); /* not begun in 20 ms: a very busy machine */
    close_studio(&at);
}

struct follow_up {
    struct studio *at;
    _Atomic(int) left;
};

static int post_again(void *arg)
{
    struct follow_up *self = arg;
    if (rvi_fetch_sub_relaxed(&self->left, 1) == 0)
        return 0;
    RV_CHECK(rv_strand_post(self->at->strand, post_again, self, RV_NEVER) == 0);
    if (rvi_load_relaxed(&self->left) == 0) { /* its slot is taken now */
        RV_CHECK(rv_strand_try_post(self->at->strand, post_again, self) == -EAGAIN);
        RV_CHECK(rv_strand_post(self->at->strand, post_again, self, RV_NEVER) == -EDEADLK);
    }
    return 0;
}

static void a_job_may_post_but_not_wait_for_room(void)
{
    struct studio at;
    struct follow_up self = {&at, 5};
    open_studio(&at, 1, RV_FAIL_FAST);
    RV_CHECK(rv_strand_post(at.strand, post_again, &self, RV_NEVER) == 0);
    while (rvi_load_relaxed(&self.left) >= 0)
        RV_CHECK(rv_strand_run(at.strand, do_nothing, NULL, NULL, RV_NEVER) == 0);
    close_studio(&at);
}

static int post_while_closing(void *arg)
{
    struct studio *at = arg;
    RV_CHECK(rv_event_wait(&at->go_on, RV_NEVER) == 0);
    while (rv_strand_try_post(at->strand, do_nothing, NULL) == 0)
        rv_yield();
    RV_CHECK(rv_strand_try_post(at->strand, do_nothing, NULL) == -EPIPE);
    RV_CHECK(rv_strand_post(at->strand, do_nothing, NULL, RV_NEVER) == -EPIPE);
    at->ran++;
    return 0;
}

static int close_it(void *arg)
{
    struct studio *at = arg;
    RV_CHECK(rv_strand_close(at->strand) == 0);
    RV_CHECK(at->ran == 1);
    return 0;
}

static void closing_waits_and_takes_no_more(void)
{
    struct studio at;
    open_studio(&at, 1024, RV_FAIL_FAST);
    RV_CHECK(rv_strand_post(at.strand, post_while_closing, &at, RV_NEVER) == 0);
    RV_CHECK(rv_go(at.scope, close_it, &at) == 0);
    rv_yield();
    rv_event_set(&at.go_on);
    RV_CHECK(rv_scope_close(at.scope) == 0);
    RV_CHECK(rv_strand_close(NULL) == 0);
}

/* --- failures and cancellation --- */

static void a_failing_job_fails_its_scope_before_the_next_begins(void)
{
    struct studio at;
    struct entry entry = {&at, 1};
    struct rv_strand_stats stats = {.size = sizeof(stats)};
    open_studio(&at, 0, RV_FAIL_FAST);
    hold_strand(&at);
    RV_CHECK(rv_strand_post(at.strand, break_down, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_strand_post(at.strand, enter, &entry, RV_NEVER) == 0);
    RV_CHECK(rv_strand_post(at.strand, enter, &entry, RV_NEVER) == 0);
    rv_event_set(&at.go_on);
    RV_CHECK(rv_sleep_until(RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_strand_post(at.strand, enter, &entry, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_strand_run(at.strand, enter, &entry, NULL, RV_NEVER) == -ECANCELED);
    do {
        RV_CHECK(rv_strand_stats_read(at.strand, &stats) == 0);
        rv_yield();
    } while (stats.dropped < 2);
    RV_CHECK(rv_strand_try_post(at.strand, enter, &entry) == -ECANCELED);
    RV_CHECK(stats.run == 2 && stats.dropped == 2 && stats.waiting == 0);
    RV_CHECK(rv_strand_close(at.strand) == -ECANCELED);
    RV_CHECK(rv_scope_close(at.scope) == -EIO);
    RV_CHECK(at.ran == 0);
}

static void where_all_is_collected_the_others_run(void)
{
    struct studio at;
    struct entry entry = {&at, 1};
    open_studio(&at, 0, RV_COLLECT_ALL);
    RV_CHECK(rv_strand_post(at.strand, break_down, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_strand_post(at.strand, enter, &entry, RV_NEVER) == 0);
    RV_CHECK(rv_strand_close(at.strand) == 0);
    RV_CHECK(rv_scope_close(at.scope) == -EIO);
    RV_CHECK(at.ran == 1);
}

struct outside {
    struct studio *at;
    _Atomic(int) waits;
};

/* No scope of its own tells it. */
static int wait_from_a_thread(void *arg)
{
    struct outside *outside = arg;
    rvi_store_relaxed(&outside->waits, 1);
    RV_CHECK(rv_strand_run(outside->at->strand, do_nothing, NULL, NULL, RV_NEVER) == -ECANCELED);
    return 0;
}

static int post_from_a_thread(void *arg)
{
    struct outside *outside = arg;
    RV_CHECK(rv_strand_post(outside->at->strand, do_nothing, NULL, RV_NEVER) == -ECANCELED);
    return 0;
}

static void cancelling_the_scope_sends_everybody_away(void)
{
    struct studio at;
    struct outside outside = {.at = &at};
    open_studio(&at, 1, RV_FAIL_FAST);
    hold_strand(&at);
    RV_CHECK(rv_strand_post(at.strand, do_nothing, NULL, RV_NEVER) == 0);
    start_thread(wait_from_a_thread, &outside);
    start_thread(post_from_a_thread, &outside);
    until_posting(at.strand, 1);
    while (waiting(at.strand) < 2)
        rv_yield();
    rv_scope_cancel(at.scope, -EINTR);
    RV_CHECK(rv_strand_close(at.strand) == -ECANCELED);
    RV_CHECK(rv_scope_close(at.scope) == -EINTR);
    RV_CHECK(pthread_join(now_on.threads[0], NULL) == 0);
    RV_CHECK(pthread_join(now_on.threads[1], NULL) == 0);
    now_on.thread_count = 0;
}

static int run_cancelled(void *arg)
{
    struct studio *at = arg;
    RV_CHECK(rv_strand_run(at->strand, do_nothing, NULL, NULL, RV_NEVER) == -ECANCELED);
    return 0;
}

static int post_cancelled(void *arg)
{
    struct studio *at = arg;
    RV_CHECK(rv_strand_post(at->strand, do_nothing, NULL, RV_NEVER) == -ECANCELED);
    return 0;
}

static void cancelled_callers_withdraw_and_the_strand_goes_on(void)
{
    struct studio at;
    rv_scope *inner;
    open_studio(&at, 1, RV_FAIL_FAST);
    hold_strand(&at);
    RV_CHECK(rv_strand_post(at.strand, do_nothing, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_scope_open(&inner, NULL) == 0);
    RV_CHECK(rv_go(inner, run_cancelled, &at) == 0);
    RV_CHECK(rv_go(inner, post_cancelled, &at) == 0);
    until_posting(at.strand, 1);
    while (waiting(at.strand) < 2)
        rv_yield();
    rv_scope_cancel(inner, -EIO);
    RV_CHECK(rv_scope_close(inner) == -EIO);
    RV_CHECK(waiting(at.strand) == 1);
    until_posting(at.strand, 0);
    rv_event_set(&at.go_on);
    close_studio(&at);
}

/* --- what a job's task is like --- */

static const struct rv_local_key key = {"key"};

static int leave_a_value(void *arg)
{
    RV_CHECK(rv_local_get(&key) == NULL);
    return rv_local_set(&key, arg);
}

static void jobs_inherit_no_values_and_leave_none(void)
{
    struct studio at;
    RV_CHECK(rv_local_set(&key, &at) == 0);
    open_studio(&at, 0, RV_FAIL_FAST);
    for (int i = 0; i < 2; i++)
        RV_CHECK(rv_strand_post(at.strand, leave_a_value, &at, RV_NEVER) == 0);
    close_studio(&at);
    RV_CHECK(rv_local_get(&key) == &at);
    RV_CHECK(rv_local_set(&key, NULL) == 0);
}

static void an_idle_strand_has_no_task(void)
{
    struct studio at;
    struct rv_scope_stats stats = {.size = sizeof(stats)};
    open_studio(&at, 0, RV_FAIL_FAST);
    RV_CHECK(rv_strand_run(at.strand, do_nothing, NULL, NULL, RV_NEVER) == 0);
    do {
        rv_yield();
        RV_CHECK(rv_scope_stats_read(at.scope, &stats) == 0);
    } while (stats.alive > 0);
    RV_CHECK(stats.started == 1);
    close_studio(&at);
}

/* --- no memory --- */

static void without_memory_for_its_task_nothing_is_posted(void)
{
    struct studio at;
    struct entry entry = {&at, 1};
    open_studio(&at, 0, RV_FAIL_FAST);
    rvi_alloc_fail_after(1);
    int r = rv_strand_post(at.strand, enter, &entry, RV_NEVER);
    bool needed_memory = !rvi_alloc_fail_pending();
    rvi_alloc_fail_after(-1);
    RV_CHECK(r == (needed_memory ? -ENOMEM : 0));
    close_studio(&at);
    RV_CHECK(at.ran == (needed_memory ? 0 : 1));
}

static int use_up_stacks(void *unused)
{
    rv_strand *strand;
    int err, r = 1, result = 42;
    (void)unused;
    RV_SCOPE(scope, err, .policy = RV_COLLECT_ALL) {
        strand = open_strand(scope, ROOM);
        RV_CHECK(rv_strand_post(strand, do_nothing, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_strand_run(strand, do_nothing, NULL, &result, RV_NEVER) == -ENOMEM);
        RV_CHECK(rv_strand_run(strand, do_nothing, NULL, &result, RV_NEVER) == -ENOMEM);
        RV_CHECK(result == 42);
        r = rv_strand_close(strand);
    }
    RV_CHECK(err == -ENOMEM);
    return r;
}

static void without_a_stack_for_its_task_all_are_told(void **state)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .max_tasks = 1};
    (void)state;
    assert_int_equal(rv_run(use_up_stacks, NULL, &opts), -ENOMEM);
}

static int refuse_what_is_wrong(void *unused)
{
    struct rv_strand_opts opts = {.size = sizeof(opts), .capacity = SIZE_MAX / 2};
    struct {
        struct rv_strand_opts known;
        int unknown;
    } newer = {{.size = sizeof(newer)}, 1};
    rv_strand *strand = NULL;
    int err;
    (void)unused;
    RV_SCOPE(scope, err, .limit = 1)
        RV_CHECK(rv_strand_open(&strand, scope, NULL) == -EINVAL);
    RV_SCOPE(scope, err, .policy = RV_FIRST_SUCCESS)
        RV_CHECK(rv_strand_open(&strand, scope, NULL) == -EINVAL);
    RV_SCOPE(scope, err) {
        RV_CHECK(rv_strand_open(&strand, scope, &opts) == -EOVERFLOW);
        RV_CHECK(rv_strand_open(&strand, scope, &newer.known) == -E2BIG);
        rvi_alloc_fail_after(1);
        RV_CHECK(rv_strand_open(&strand, scope, NULL) == -ENOMEM);
        rvi_alloc_fail_after(-1);
        RV_CHECK(strand == NULL);
        RV_CHECK(rv_strand_open(&strand, scope, NULL) == 0);
        struct rv_strand_stats stats = {.size = sizeof(stats) - 1};
        RV_CHECK(rv_strand_stats_read(strand, &stats) == -EINVAL);
        RV_CHECK(rv_strand_close(strand) == 0);
    }
    return err;
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rv_run(refuse_what_is_wrong, NULL, NULL), 0);
}

/* --- misuse --- */

static struct studio misused;

static void post_misuse(rv_fn *fn)
{
    open_studio(&misused, 0, RV_FAIL_FAST);
    RV_CHECK(rv_strand_post(misused.strand, fn, NULL, RV_NEVER) == 0);
    close_studio(&misused);
}

static int run_in_job(void *arg)
{
    return rv_strand_run(misused.strand, do_nothing, arg, NULL, RV_NEVER);
}

static int close_in_job(void *arg)
{
    (void)arg;
    return rv_strand_close(misused.strand);
}

static int leave_a_scope(void *arg)
{
    rv_scope *scope;
    (void)arg;
    return rv_scope_open(&scope, NULL);
}

static int leave_a_shield(void *arg)
{
    (void)arg;
    return rv_shield_begin(rv_after(RV_SECOND));
}

static void run_inside(void)
{
    post_misuse(run_in_job);
}

static void close_inside(void)
{
    post_misuse(close_in_job);
}

static void a_scope_left(void)
{
    post_misuse(leave_a_scope);
}

static void a_shield_left(void)
{
    post_misuse(leave_a_shield);
}

static void misuse_stops_the_program(void **state)
{
    (void)state;
    assert_panics(ONE_WORKER, run_inside, "rv_strand_run: called by one of the strand's own jobs");
    assert_panics(ONE_WORKER, close_inside,
                  "rv_strand_close: called by one of the strand's own jobs");
    assert_panics(ONE_WORKER, a_scope_left, "a strand's job returned with a scope or a shield");
    assert_panics(ONE_WORKER, a_shield_left, "a strand's job returned with a scope or a shield");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(jobs_run_in_the_order_in_which_they_were_posted),
        ON_TASKS(each_poster_finds_its_own_order_and_never_two_at_once),
        performance("each_poster_finds_its_own_order_and_never_two_at_once_between_both_kinds",
                    on_both_kinds, each_poster_finds_its_own_order_and_never_two_at_once),
        ON_TASKS(a_caller_gets_its_jobs_result),
        ON_TASKS(plain_threads_post_and_wait_as_well),
        ON_TASKS(a_full_strand_makes_posters_wait_in_line),
        ON_TASKS(a_caller_that_gives_up_takes_its_job_back),
        ON_TASKS(a_job_that_has_begun_is_waited_for_beyond_the_deadline),
        ON_TASKS(a_job_may_post_but_not_wait_for_room),
        ON_TASKS(closing_waits_and_takes_no_more),
        ON_TASKS(a_failing_job_fails_its_scope_before_the_next_begins),
        ON_TASKS(where_all_is_collected_the_others_run),
        ON_TASKS(cancelling_the_scope_sends_everybody_away),
        ON_TASKS(cancelled_callers_withdraw_and_the_strand_goes_on),
        ON_TASKS(jobs_inherit_no_values_and_leave_none),
        ON_TASKS(an_idle_strand_has_no_task),
        ON_TASKS(without_memory_for_its_task_nothing_is_posted),
        cmocka_unit_test(without_a_stack_for_its_task_all_are_told),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
