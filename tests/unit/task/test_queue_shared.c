/* SPDX-License-Identifier: MIT */
/* test_queue_shared.c - queues that processes share: waiting as for any queue, on every stage of
 * stage.h, each party with a handle of its own or all with one; and what a death gives back. */
#include <ravel/queue.h>

#include <errno.h>
#include <signal.h>

#include "queue_test.h"

#include "../../support/every_point.h"
#include "../../support/under_tool.h"
#include "base/alloc.h"
#include "sched/helpers.h"
#include "shm/workqueue_inside.h"
#include "sys/call.h"
#include "task/queue_shared.h"

static rv_queue *new_shared(size_t capacity)
{
    rv_queue *q = NULL;
    RV_CHECK(rv_queue_new_shared(&q, sizeof(int), capacity) == 0);
    return q;
}

static rv_queue *another_handle(rv_queue *q)
{
    struct rv_queue_ref ref;
    rv_queue *handle = NULL;
    RV_CHECK(rv_queue_ref_of(q, &ref) == 0);
    RV_CHECK(rv_queue_attach(&handle, ref) == 0);
    return handle;
}

static int get_one(void *arg)
{
    return get_int(arg) == 1 ? 0 : -EIO;
}

/* --- without waiting --- */

static void new_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    check_new_refuses_what_makes_no_sense(rv_queue_new_shared);
}

static void making_it_without_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    long before = rvi_alloc_live();
    rv_queue *q = NULL, *second = NULL;
    struct rv_queue_ref ref;
    for (long n = 1;; n++) {
        rvi_alloc_fail_after(n);
        int r = rv_queue_new_shared(&q, sizeof(int), 4);
        if (r == 0) {
            assert_int_equal(rv_queue_ref_of(q, &ref), 0);
            r = rv_queue_attach(&second, ref);
        }
        if (rvi_alloc_fail_pending()) {
            assert_int_equal(r, 0);
            break;
        }
        assert_int_equal(r, -ENOMEM);
        q = rv_queue_free(q);
        assert_int_equal(rvi_alloc_live(), before);
    }
    rvi_alloc_fail_after(-1);
    rv_queue_free(second);
    rv_queue_free(q);
    assert_int_equal(rvi_alloc_live(), before);
}

static void a_handle_finds_what_others_have_put(void **state)
{
    (void)state;
    rv_queue *q = new_shared(4), *other = another_handle(q);
    int item;
    put_int(q, 1);
    put_int(other, 2);
    assert_true(stats_are(q, 2, 2));
    assert_int_equal(get_int(other), 1);
    assert_true(stats_are(other, 1, 2));
    assert_int_equal(rv_queue_done(q), -EINVAL); /* it has got nothing */
    assert_int_equal(rv_queue_done(other), 0);
    assert_int_equal(get_int(q), 2);
    assert_int_equal(rv_queue_try_get(q, &item), -EAGAIN);
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_done(q), -EINVAL);
    assert_true(stats_are(q, 0, 0));
    rv_queue_free(other);
    rv_queue_free(q);
}

static void what_is_no_shared_queue_cannot_be_attached_to(void **state)
{
    (void)state;
    struct rv_queue_ref ref = {{0, 0}};
    rv_queue *q = NULL, *plain;
    assert_int_equal(rv_queue_attach(&q, ref), -ENOENT);
    assert_int_equal(rv_queue_new(&plain, 1, 1), 0);
    assert_int_equal(rv_queue_ref_of(plain, &ref), -EINVAL);
    rv_queue_free(plain);
    assert_int_equal(rv_shm_alloc(&ref.memory, 4096), 0);
    assert_int_equal(rv_queue_attach(&q, ref), -EBADMSG);
    rv_shm_free(ref.memory);
    assert_null(q);
}

static void a_queue_outlives_its_maker_and_takes_no_new_handles(void **state)
{
    (void)state;
    struct rv_queue_ref ref;
    rv_queue *q = new_shared(4), *other = another_handle(q);
    assert_int_equal(rv_queue_ref_of(q, &ref), 0);
    put_int(q, 7);
    rv_queue_free(q);
    assert_int_equal(get_int(other), 7);
    rv_queue_free(other);
    assert_int_equal(rv_queue_attach(&q, ref), -ENOENT);
}

static void full_and_closed_queues_say_so(void **state)
{
    (void)state;
    rv_queue *q = new_shared(1), *other = another_handle(q);
    int item = 2;
    put_int(q, 1);
    assert_int_equal(rv_queue_try_put(other, &item), -EAGAIN);
    assert_int_equal(rv_queue_put(other, &item, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(get_int(q), 1);
    assert_int_equal(rv_queue_try_put(other, &item), -EAGAIN); /* it may come back */
    rv_queue_close(other);
    assert_int_equal(rv_queue_try_put(q, &item), -EPIPE);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_get(other, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_join(q, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_join(q, RV_NEVER), 0);
    rv_queue_free(other);
    rv_queue_free(q);
}

static void to_let_go_gives_back_what_is_not_done(void **state)
{
    (void)state;
    rv_queue *q = new_shared(4), *other = another_handle(q);
    put_int(q, 1);
    put_int(q, 2);
    put_int(q, 3);
    assert_int_equal(get_int(other), 1);
    assert_int_equal(get_int(other), 2);
    assert_int_equal(rv_queue_done(other), 0);
    rv_queue_free(other);
    assert_int_equal(get_int(q), 2);
    assert_int_equal(get_int(q), 3);
    rv_queue_free(q);
}

static int get_two(void *arg)
{
    return get_int(arg) == 2 ? 0 : -EIO;
}

static int get_twice_and_be_done_once(void *arg)
{
    rv_queue *q = arg;
    int err, r = -1;
    RV_CHECK(get_int(q) == 1);
    RV_SCOPE(scope, err)
        r = rv_go(scope, get_two, q);
    RV_CHECK(r == 0 && err == 0);
    RV_CHECK(get_int(q) == 3);
    RV_CHECK(rv_queue_done(q) == 0); /* of 1 */
    return 0;
}

static void done_is_about_the_callers_oldest(void **state)
{
    (void)state;
    rv_queue *q = new_shared(4), *other = another_handle(q);
    for (int i = 1; i <= 3; i++)
        put_int(q, i);
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    assert_int_equal(rv_run(get_twice_and_be_done_once, other, &opts), 0);
    rv_queue_free(other);
    assert_int_equal(get_int(q), 2);
    assert_int_equal(get_int(q), 3);
    rv_queue_free(q);
}

static void done_is_about_somebody_elses_if_the_caller_has_none(void **state)
{
    (void)state;
    rv_queue *q = new_shared(4);
    put_int(q, 1);
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    assert_int_equal(rv_run(get_one, q, &opts), 0);
    assert_int_equal(rv_queue_done(q), 0);
    assert_true(stats_are(q, 0, 0));
    rv_queue_free(q);
}

static void selection_refuses_a_shared_queue(void **state)
{
    (void)state;
    rv_queue *q = new_shared(4);
    int item = 1;
    struct rv_case put[] = {RV_PUT(q, &item)}, get[] = {RV_GET(q, &item)};
    assert_int_equal(rv_select(put, 1, RV_NEVER), -EOPNOTSUPP);
    assert_int_equal(rv_try_select(get, 1), -EOPNOTSUPP);
    rv_queue_free(q);
}

/* --- together --- */

/* Until so many of this process wait for something. */
static void until_waiting_for(rv_queue *q, enum rvi_workqueue_want what, size_t count)
{
    size_t lines[RVI_WANT_KINDS];
    for (;;) {
        rvi_queue_shared_lines(rvi_queue_inside(q), lines);
        if (lines[what] == count)
            return;
        rv_yield();
    }
}

static void the_last_done_wakes_all_joiners(void)
{
    rv_queue *q = new_shared(2), *other = another_handle(q);
    put_int(q, 1);
    put_int(q, 2);
    for (size_t i = 0; i < LINE; i++) {
        start(join, q);
        start(join, other);
    }
    until_waiting_for(q, RVI_WANT_END, LINE);
    until_waiting_for(other, RVI_WANT_END, LINE);
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(rv_queue_done(q) == 0);
    RV_CHECK(get_int(other) == 2);
    until_waiting_for(other, RVI_WANT_END, LINE);
    RV_CHECK(rv_queue_done(other) == 0);
    finish();
    rv_queue_free(other);
    rv_queue_free(q);
}

static void joining_gives_up_at_its_deadline_and_not_before(void)
{
    check_joining_gives_up_at_its_deadline(new_shared(1));
}

static void a_put_waits_until_something_is_done(void)
{
    rv_queue *q = new_shared(1), *other = another_handle(q);
    for (int through_other = 0; through_other < 2; through_other++) {
        rv_queue *handle = through_other ? other : q;
        put_int(q, 1);
        start(put_two, handle);
        until_waiting_for(handle, RVI_WANT_ROOM, 1);
        RV_CHECK(get_int(q) == 1);
        until_waiting_for(handle, RVI_WANT_ROOM, 1);
        RV_CHECK(stats_are(q, 0, 1));
        RV_CHECK(rv_queue_done(q) == 0);
        RV_CHECK(get_int(q) == 2);
        RV_CHECK(rv_queue_done(q) == 0);
        finish();
    }
    rv_queue_free(other);
    rv_queue_free(q);
}

static int serve_with_a_handle_of_its_own(void *arg)
{
    rv_queue *q = another_handle(arg);
    serve_until_closed(q);
    rv_queue_free(q);
    return 0;
}

static void join_means_that_all_is_done(void)
{
    rv_queue *q = new_shared(3);
    for (size_t i = 0; i < LINE; i++)
        start(i % 2 ? serve_until_closed : serve_with_a_handle_of_its_own, q);
    for (int i = 0; i < ITEMS; i++) {
        put_int(q, i);
        if (i % 10 == 0) {
            RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
            RV_CHECK(stats_are(q, 0, 0));
        }
    }
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    RV_CHECK(stats_are(q, 0, 0));
    until_waiting_for(q, RVI_WANT_ITEM, LINE / 2);
    rv_queue_close(q);
    finish();
    rv_queue_free(q);
}

/* Not all that wait are woken by one ring, and who gives up hands it on. */
static int get_for_a_while(void *arg)
{
    int item, served = 0, err = 0;
    while (served < ITEMS / LINE) {
        err = rv_queue_get(arg, &item, rv_after(RV_MICROSECOND * (20 + served % 50)));
        RV_CHECK(err == 0 || err == -ETIME);
        served += err == 0;
        RV_CHECK(err != 0 || rv_queue_done(arg) == 0);
    }
    return 0;
}

static void who_gives_up_takes_nothing_with_him(void)
{
    rv_queue *q = new_shared(3), *other = another_handle(q);
    for (size_t i = 0; i < LINE; i++)
        start(get_for_a_while, i % 2 ? q : other);
    for (int i = 0; i < ITEMS; i++)
        put_int(q, i);
    RV_CHECK(rv_queue_join(other, RV_NEVER) == 0);
    finish();
    RV_CHECK(stats_are(q, 0, 0));
    rv_queue_free(other);
    rv_queue_free(q);
}

static void daemons_are_cancelled_once_joined(void)
{
    check_daemons_are_cancelled_once_joined(new_shared(2));
}

static int get_in_vain_then_be_done(void *arg)
{
    int item;
    RV_CHECK(get_int(arg) == 1);
    RV_CHECK(rv_queue_get(arg, &item, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_queue_done(arg) == 0);
    RV_CHECK(rv_queue_join(arg, RV_NEVER) == -ECANCELED); /* though nothing is unfinished */
    rv_queue_close(arg);
    return -ECANCELED;
}

static void a_cancelled_task_stops_waiting_but_can_say_done(void)
{
    rv_queue *q = new_shared(2);
    put_int(q, 1);
    RV_CHECK(rv_go(now_on.scope, get_in_vain_then_be_done, q) == 0);
    until_waiting_for(q, RVI_WANT_ITEM, 1);
    rv_scope_cancel(now_on.scope, -ECANCELED);
    RV_CHECK(rv_scope_close(now_on.scope) == -ECANCELED);
    open_stage();
    RV_CHECK(stats_are(q, 0, 0));
    rv_queue_free(q);
}

/* The listener sleeps for good once it has found nobody, and is there for the next all the same. */
static void who_comes_after_a_quiet_time_is_woken(void)
{
    rv_time before = rvi_queue_look_ns;
    rvi_queue_look_ns = RV_MICROSECOND * 200;
    rv_queue *q = new_shared(1);
    for (int i = 0; i < 3; i++) {
        put_int(q, 1);
        start(put_two, q);
        until_waiting_for(q, RVI_WANT_ROOM, 1);
        RV_CHECK(get_int(q) == 1);
        RV_CHECK(rv_queue_done(q) == 0);
        RV_CHECK(get_int(q) == 2);
        RV_CHECK(rv_queue_done(q) == 0);
        finish();
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    }
    rv_queue_free(q);
    rvi_queue_look_ns = before;
}

/* --- deaths --- */

/* A child with a handle of its own, which has got `items` and waits to be killed. */
static pid_t start_taker(rv_queue *q, int items)
{
    int pipe_fds[2];
    char byte;
    RV_CHECK(pipe(pipe_fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        rv_queue *mine = another_handle(q);
        for (int i = 0; i < items; i++)
            get_int(mine);
        _exit(write(pipe_fds[1], "", 1) == 1 && pause() < 0);
    }
    close(pipe_fds[1]);
    RV_CHECK(read(pipe_fds[0], &byte, 1) == 1);
    close(pipe_fds[0]);
    return pid;
}

/* Of the next play. */
static struct {
    rv_queue *q;
    pid_t taker;
    bool is_told;
} death;

static int be_there_when_it_dies(void *arg)
{
    rv_queue *q = arg;
    RV_CHECK(get_int(q) == 0);
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(rv_queue_done(q) == 0 && rv_queue_done(q) == 0);
    return 0;
}

static void its_taker_dies(void)
{
    start(be_there_when_it_dies, death.q);
    start(join, death.q);
    until_waiting_for(death.q, RVI_WANT_ITEM, 1);
    until_waiting_for(death.q, RVI_WANT_END, 1);
    RV_CHECK(kill(death.taker, SIGKILL) == 0);
    RV_CHECK(waitpid(death.taker, NULL, 0) == death.taker);
    if (death.is_told)
        rvi_queues_forget((uint32_t)death.taker);
    finish();
}

static void see_a_taker_die(enum stage stage, bool is_told)
{
    rv_time before = rvi_queue_look_ns;
    rvi_queue_look_ns = is_told ? RV_NEVER / 2 : RV_MILLISECOND;
    death.q = new_shared(2);
    death.is_told = is_told;
    put_int(death.q, 0);
    put_int(death.q, 1);
    death.taker = start_taker(death.q, 2);
    perform(stage, its_taker_dies);
    RV_CHECK(stats_are(death.q, 0, 0));
    rv_queue_free(death.q);
    rvi_queue_look_ns = before;
}

static void what_the_dead_had_goes_to_threads_that_look(void **state)
{
    (void)state;
    see_a_taker_die(THREADS, false);
}

static void what_the_dead_had_goes_to_tasks_whose_listener_looks(void **state)
{
    (void)state;
    see_a_taker_die(ONE_WORKER, false);
}

static void what_the_dead_had_comes_at_once_when_somebody_knows(void **state)
{
    (void)state;
    see_a_taker_die(THREADS, true);
    see_a_taker_die(TWO_WORKERS, true);
}

/* --- what may fail --- */

static int put_some(void *arg)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_queue_put(arg, &i, rv_after(60 * RV_SECOND));
    return r;
}

static int get_some(void *arg)
{
    int item, r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        r = rv_queue_get(arg, &item, rv_after(60 * RV_SECOND));
        if (r == 0)
            RV_CHECK(rv_queue_done(arg) == 0);
    }
    return r;
}

/* Every party waits for some other. */
static int a_scene(void *arg)
{
    rv_queue *q = NULL, *other = NULL;
    struct rv_queue_ref ref;
    int err, r = rv_queue_new_shared(&q, sizeof(int), 1);
    (void)arg;
    if (r < 0)
        return r;
    RV_CHECK(rv_queue_ref_of(q, &ref) == 0);
    r = rv_queue_attach(&other, ref);
    RV_SCOPE(scope, err) {
        if (r == 0)
            r = rv_go(scope, get_some, other);
        if (r == 0)
            r = rv_go(scope, put_some, q);
        if (r == 0)
            r = rv_queue_join(q, RV_NEVER);
    }
    rv_queue_free(other);
    rv_queue_free(q);
    return r == 0 || r == -ECANCELED ? err : r; /* what has cancelled it is err */
}

static void cancelling_at_every_point_leaves_nothing_behind(void **state)
{
    (void)state;
    cancel_at_every_point(a_scene, 1);
    cancel_at_every_point(a_scene, 2);
}

static void failing_every_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    fail_every_allocation(a_scene, 1);
    fail_every_allocation(a_scene, 2);
}

static int wait_without_a_listener(void *arg)
{
    int item;
    rvi_call_lacks(RVI_CALL_START_THREAD, true);
    int r = rv_queue_get(arg, &item, RV_NEVER);
    rvi_call_lacks(RVI_CALL_START_THREAD, false);
    return r;
}

static void a_task_that_can_have_no_listener_does_not_wait(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    rv_queue *q = new_shared(1);
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1};
    assert_int_equal(rv_run(wait_without_a_listener, q, &opts), -ENOMEM);
    rv_queue_free(q);
}

/* --- malice --- */

/* Somebody writes that the item in our hands can be had again: in our own memory nothing breaks. */
static void what_is_in_hand_cannot_be_handed_out_again(void **state)
{
    (void)state;
    struct rv_queue_ref ref;
    struct rvi_workqueue inside;
    void *memory;
    rv_queue *q = new_shared(2);
    int item = 7;
    put_int(q, 7);
    assert_int_equal(rv_queue_ref_of(q, &ref), 0);
    assert_int_equal(rv_shm_map(ref.memory, &memory), 0);
    assert_int_equal(rvi_workqueue_view(&inside, memory, ref.memory.bytes), 0);
    uint64_t word = rvi_load_relaxed(&slot_at(&inside, 0)->word);
    assert_int_equal(get_int(q), 7);
    rvi_store_relaxed(&slot_at(&inside, 0)->word, word);
    rvi_store_relaxed(&inside.shared->head, 0);
    assert_int_equal(rv_queue_try_get(q, &item), -EBADMSG);
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_done(q), -EINVAL);
    rv_queue_free(q);
}

/* --- misuse --- */

static void free_with_a_joiner(void)
{
    rv_queue *q = new_shared(1);
    put_int(q, 1);
    start(join, q);
    until_waiting_for(q, RVI_WANT_END, 1);
    rv_queue_free(q);
}

static void free_while_somebody_waits_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, free_with_a_joiner, "rv_queue_free: somebody still waits");
    assert_panics(ONE_WORKER, free_with_a_joiner, "rv_queue_free: somebody still waits");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_refuses_what_makes_no_sense),
        cmocka_unit_test(making_it_without_memory_leaves_nothing_behind),
        cmocka_unit_test(a_handle_finds_what_others_have_put),
        cmocka_unit_test(what_is_no_shared_queue_cannot_be_attached_to),
        cmocka_unit_test(a_queue_outlives_its_maker_and_takes_no_new_handles),
        cmocka_unit_test(full_and_closed_queues_say_so),
        cmocka_unit_test(to_let_go_gives_back_what_is_not_done),
        cmocka_unit_test(done_is_about_the_callers_oldest),
        cmocka_unit_test(done_is_about_somebody_elses_if_the_caller_has_none),
        cmocka_unit_test(selection_refuses_a_shared_queue),
        ON_EVERY_STAGE(the_last_done_wakes_all_joiners),
        ON_EVERY_STAGE(joining_gives_up_at_its_deadline_and_not_before),
        ON_EVERY_STAGE(a_put_waits_until_something_is_done),
        ON_EVERY_STAGE(join_means_that_all_is_done),
        ON_EVERY_STAGE(who_gives_up_takes_nothing_with_him),
        ON_EVERY_STAGE(who_comes_after_a_quiet_time_is_woken),
        ON_TASKS(daemons_are_cancelled_once_joined),
        ON_TASKS(a_cancelled_task_stops_waiting_but_can_say_done),
        cmocka_unit_test(what_the_dead_had_goes_to_threads_that_look),
        cmocka_unit_test(what_the_dead_had_goes_to_tasks_whose_listener_looks),
        cmocka_unit_test(what_the_dead_had_comes_at_once_when_somebody_knows),
        cmocka_unit_test(cancelling_at_every_point_leaves_nothing_behind),
        cmocka_unit_test(failing_every_allocation_leaves_nothing_behind),
        cmocka_unit_test(a_task_that_can_have_no_listener_does_not_wait),
        cmocka_unit_test(what_is_in_hand_cannot_be_handed_out_again),
        cmocka_unit_test(free_while_somebody_waits_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
