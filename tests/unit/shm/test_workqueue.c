/* SPDX-License-Identifier: MIT */
/* test_workqueue.c - items go in and out once and in order, and come back when their taker is gone;
 * rings reach who waits; memory that makes no sense harms nobody. */
#include "shm/workqueue.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "shm/segment.h"
#include "shm/workqueue_inside.h"
#include "sys/clock.h"

enum { CAPACITY = 5, MOST = 130 };

/* Members of this process, on one mapping. */
static struct {
    struct rvi_segment memory;
    struct rvi_workqueue one, two;
} on;

static void make(size_t capacity)
{
    size_t bytes = rvi_workqueue_bytes(sizeof(int), capacity);
    assert_int_equal(rvi_segment_make(&on.memory, "test", bytes, bytes), 0);
    rvi_workqueue_format(on.memory.base, sizeof(int), capacity);
    assert_int_equal(rvi_workqueue_enter(&on.one, on.memory.base, on.memory.bytes), 0);
    assert_int_equal(rvi_workqueue_enter(&on.two, on.memory.base, on.memory.bytes), 0);
}

static int make_small(void **state)
{
    (void)state;
    make(CAPACITY);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    rvi_segment_fini(&on.memory);
    return 0;
}

static void put(struct rvi_workqueue *q, int item)
{
    assert_int_equal(rvi_workqueue_put(q, &item), 0);
}

static struct rvi_taken get(struct rvi_workqueue *q, int expected)
{
    struct rvi_taken taken;
    int item = -1;
    assert_int_equal(rvi_workqueue_get(q, &item, &taken), 0);
    assert_int_equal(item, expected);
    return taken;
}

static int try_get(struct rvi_workqueue *q)
{
    struct rvi_taken taken;
    int item;
    return rvi_workqueue_get(q, &item, &taken);
}

static void counts_are(size_t waiting, size_t unfinished)
{
    size_t now_waiting, now_unfinished;
    rvi_workqueue_count(&on.one, &now_waiting, &now_unfinished);
    assert_int_equal(now_waiting, waiting);
    assert_int_equal(now_unfinished, unfinished);
    assert_int_equal(rvi_workqueue_is_finished(&on.two), unfinished == 0);
}

/* --- in and out --- */

static void what_makes_no_sense_is_no_queue(void **state)
{
    (void)state;
    assert_int_equal(rvi_workqueue_bytes(0, 1), 0);
    assert_int_equal(rvi_workqueue_bytes(1, 0), 0);
    assert_int_equal(rvi_workqueue_bytes(1, RVI_WORKQUEUE_CAPACITY + 1), 0);
    assert_int_equal(rvi_workqueue_bytes(SIZE_MAX, 1), 0);
    assert_true(rvi_workqueue_bytes(1, RVI_WORKQUEUE_CAPACITY) > 0);
    struct rvi_workqueue q;
    size_t bytes = rvi_workqueue_bytes(sizeof(int), CAPACITY);
    assert_int_equal(rvi_workqueue_enter(&q, on.memory.base, bytes - 1), -EBADMSG);
    assert_int_equal(rvi_workqueue_enter(&q, on.memory.base, 8), -EBADMSG);
    on.one.shared->capacity = CAPACITY + 1000;
    assert_int_equal(rvi_workqueue_enter(&q, on.memory.base, on.memory.bytes), -EBADMSG);
    on.one.shared->capacity = 0;
    assert_int_equal(rvi_workqueue_enter(&q, on.memory.base, on.memory.bytes), -EBADMSG);
    on.one.shared->capacity = CAPACITY;
    on.one.shared->magic ^= 1;
    assert_int_equal(rvi_workqueue_enter(&q, on.memory.base, on.memory.bytes), -EBADMSG);
}

static void items_come_out_in_the_order_of_their_puts(void **state)
{
    (void)state;
    for (int lap = 0; lap < 20; lap++) {
        for (int i = 0; i < CAPACITY; i++)
            put(i % 2 ? &on.one : &on.two, lap * 10 + i);
        counts_are(CAPACITY, CAPACITY);
        for (int i = 0; i < CAPACITY; i++) {
            struct rvi_workqueue *q = i % 2 ? &on.two : &on.one;
            assert_int_equal(rvi_workqueue_done(q, get(q, lap * 10 + i)), 0);
        }
        counts_are(0, 0);
        assert_int_equal(try_get(&on.one), -EAGAIN);
    }
}

static void full_is_as_many_unfinished_as_it_holds(void **state)
{
    (void)state;
    for (int i = 0; i < CAPACITY; i++)
        put(&on.one, i);
    int more = 9;
    assert_int_equal(rvi_workqueue_put(&on.two, &more), -EAGAIN);
    struct rvi_taken taken = get(&on.two, 0);
    assert_int_equal(rvi_workqueue_put(&on.two, &more), -EAGAIN);
    counts_are(CAPACITY - 1, CAPACITY);
    assert_int_equal(rvi_workqueue_done(&on.two, taken), 0);
    put(&on.two, more);
}

static void one_that_takes_long_holds_nobody_up(void **state)
{
    (void)state;
    put(&on.one, -1);
    struct rvi_taken slow = get(&on.two, -1);
    for (int i = 0; i < 100; i++) {
        put(&on.one, i);
        assert_int_equal(rvi_workqueue_done(&on.one, get(&on.one, i)), 0);
    }
    counts_are(0, 1);
    assert_int_equal(rvi_workqueue_done(&on.two, slow), 0);
    counts_are(0, 0);
}

static void what_is_not_taken_cannot_be_done(void **state)
{
    (void)state;
    put(&on.one, 1);
    struct rvi_taken taken = get(&on.two, 1);
    assert_int_equal(rvi_workqueue_done(&on.one, taken), -EBADMSG);
    assert_int_equal(rvi_workqueue_done(&on.two, taken), 0);
    assert_int_equal(rvi_workqueue_done(&on.two, taken), -EBADMSG);
}

static void every_size_holds_as_many_as_it_says(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= MOST; capacity++) {
        make(capacity);
        for (int lap = 0; lap < 3; lap++) {
            int more = -1;
            for (size_t i = 0; i < capacity; i++)
                put(&on.one, (int)i);
            assert_int_equal(rvi_workqueue_put(&on.one, &more), -EAGAIN);
            for (size_t i = 0; i < capacity; i++)
                assert_int_equal(rvi_workqueue_done(&on.two, get(&on.two, (int)i)), 0);
            counts_are(0, 0);
        }
        drop(state);
    }
}

/* --- closing --- */

static void a_closed_queue_takes_nothing_and_gives_all(void **state)
{
    (void)state;
    int more = 9;
    for (int i = 0; i < CAPACITY; i++)
        put(&on.one, i);
    assert_int_equal(rvi_workqueue_close(&on.one), 0);
    assert_int_equal(rvi_workqueue_close(&on.two), 0);
    assert_int_equal(rvi_workqueue_put(&on.two, &more), -EPIPE);
    for (int i = 0; i < CAPACITY; i++) {
        assert_int_equal(rvi_workqueue_done(&on.two, get(&on.two, i)), 0);
        assert_int_equal(rvi_workqueue_put(&on.two, &more), -EPIPE);
    }
    assert_int_equal(try_get(&on.one), -EPIPE);
    counts_are(0, 0);
}

static void what_comes_back_to_a_closed_queue_can_be_got(void **state)
{
    (void)state;
    put(&on.one, 1);
    get(&on.two, 1);
    assert_int_equal(rvi_workqueue_close(&on.one), 0);
    assert_int_equal(try_get(&on.one), -EPIPE);
    rvi_workqueue_leave(&on.two);
    assert_int_equal(rvi_workqueue_done(&on.one, get(&on.one, 1)), 0);
    assert_int_equal(try_get(&on.one), -EPIPE);
}

/* --- going back --- */

static void what_a_leaver_had_not_done_goes_in_front_oldest_first(void **state)
{
    (void)state;
    for (int i = 0; i < CAPACITY; i++)
        put(&on.one, i);
    get(&on.two, 0);
    struct rvi_taken second = get(&on.two, 1);
    get(&on.two, 2);
    struct rvi_taken mine = get(&on.one, 3);
    assert_int_equal(rvi_workqueue_done(&on.two, second), 0);
    put(&on.one, 5);
    rvi_workqueue_leave(&on.two);
    counts_are(4, 5);
    get(&on.one, 0);
    get(&on.one, 2);
    get(&on.one, 4);
    get(&on.one, 5);
    assert_int_equal(try_get(&on.one), -EAGAIN);
    assert_int_equal(rvi_workqueue_done(&on.one, mine), 0);
}

static void what_went_back_twice_keeps_its_place(void **state)
{
    (void)state;
    struct rvi_workqueue third;
    put(&on.one, 0);
    put(&on.one, 1);
    get(&on.two, 0);
    rvi_workqueue_leave(&on.two);
    assert_int_equal(rvi_workqueue_enter(&third, on.memory.base, on.memory.bytes), 0);
    assert_int_not_equal(third.me, on.two.me);
    get(&third, 0);
    get(&third, 1);
    rvi_workqueue_leave(&third);
    get(&on.one, 0);
    get(&on.one, 1);
}

static void to_forget_a_member_of_the_past_does_nothing(void **state)
{
    (void)state;
    struct rvi_workqueue third;
    put(&on.one, 0);
    rvi_workqueue_leave(&on.two);
    assert_int_equal(rvi_workqueue_enter(&third, on.memory.base, on.memory.bytes), 0);
    struct rvi_taken taken = get(&third, 0);
    rvi_workqueue_forget_member(&on.one, on.two.me);
    assert_int_equal(try_get(&on.one), -EAGAIN);
    assert_int_equal(rvi_workqueue_done(&third, taken), 0);
}

static void there_are_so_many_members_and_no_more(void **state)
{
    (void)state;
    struct rvi_workqueue *others = calloc(RVI_WORKQUEUE_MEMBERS, sizeof *others), late;
    for (int i = 2; i < RVI_WORKQUEUE_MEMBERS; i++)
        assert_int_equal(rvi_workqueue_enter(&others[i], on.memory.base, on.memory.bytes), 0);
    assert_int_equal(rvi_workqueue_enter(&late, on.memory.base, on.memory.bytes), -EUSERS);
    put(&others[200], 7);
    get(&others[100], 7);
    rvi_workqueue_leave(&others[100]);
    assert_int_equal(rvi_workqueue_enter(&late, on.memory.base, on.memory.bytes), 0);
    get(&late, 7);
    free(others);
}

/* --- rings --- */

static void a_put_rings_one_of_those_who_want(void **state)
{
    (void)state;
    uint32_t one = rvi_workqueue_bell(&on.one), two = rvi_workqueue_bell(&on.two);
    put(&on.one, 0);
    assert_int_equal(rvi_workqueue_bell(&on.two), two);
    rvi_workqueue_want(&on.one, RVI_WANT_ITEM);
    rvi_workqueue_want(&on.two, RVI_WANT_ITEM);
    put(&on.one, 1);
    uint32_t rings = rvi_workqueue_bell(&on.one) - one + rvi_workqueue_bell(&on.two) - two;
    assert_int_equal(rings, 1);
    put(&on.one, 2);
    assert_int_equal(rvi_workqueue_bell(&on.one) - one, 1);
    assert_int_equal(rvi_workqueue_bell(&on.two) - two, 1);
    put(&on.one, 3);
    assert_int_equal(rvi_workqueue_bell(&on.one) - one, 1);
    assert_int_equal(rvi_workqueue_sleep(&on.one, one, INT64_MAX), -EAGAIN);
    assert_int_equal(rvi_workqueue_sleep(&on.one, one + 1, rvi_clock_now() + 1000000), -ETIME);
}

static void who_wants_no_more_hands_its_ring_on(void **state)
{
    (void)state;
    rvi_workqueue_want(&on.two, RVI_WANT_ITEM);
    uint32_t one = rvi_workqueue_bell(&on.one);
    put(&on.one, 0);
    rvi_workqueue_want(&on.one, RVI_WANT_ITEM);
    rvi_workqueue_unwant(&on.two, RVI_WANT_ITEM);
    assert_int_equal(rvi_workqueue_bell(&on.one), one + 1);
    rvi_workqueue_want(&on.one, RVI_WANT_ITEM);
    rvi_workqueue_unwant(&on.one, RVI_WANT_ITEM); /* no ring has come: none to hand on */
    put(&on.one, 1);
    assert_int_equal(rvi_workqueue_bell(&on.one), one + 1);
}

static void room_rings_one_and_the_end_all(void **state)
{
    (void)state;
    uint32_t one = rvi_workqueue_bell(&on.one), two = rvi_workqueue_bell(&on.two);
    put(&on.one, 0);
    put(&on.one, 1);
    struct rvi_taken first = get(&on.one, 0), second = get(&on.one, 1);
    rvi_workqueue_want(&on.two, RVI_WANT_ROOM);
    rvi_workqueue_want(&on.one, RVI_WANT_END);
    rvi_workqueue_want(&on.two, RVI_WANT_END);
    assert_int_equal(rvi_workqueue_done(&on.one, second), 0);
    assert_int_equal(rvi_workqueue_bell(&on.one), one);
    assert_int_equal(rvi_workqueue_bell(&on.two), two + 1);
    assert_int_equal(rvi_workqueue_done(&on.one, first), 0);
    assert_int_equal(rvi_workqueue_bell(&on.one), one + 1);
    assert_int_equal(rvi_workqueue_bell(&on.two), two + 2);
}

static void close_and_death_ring_all(void **state)
{
    (void)state;
    struct rvi_workqueue third;
    assert_int_equal(rvi_workqueue_enter(&third, on.memory.base, on.memory.bytes), 0);
    for (int what = 0; what < RVI_WANT_KINDS; what++) {
        uint32_t one = rvi_workqueue_bell(&on.one), two = rvi_workqueue_bell(&on.two);
        rvi_workqueue_want(&on.one, what);
        rvi_workqueue_want(&on.two, what);
        if (what == RVI_WANT_ITEM)
            rvi_workqueue_leave(&third);
        else
            assert_int_equal(rvi_workqueue_close(&on.one), 0);
        assert_int_equal(rvi_workqueue_bell(&on.one), one + 1);
        assert_int_equal(rvi_workqueue_bell(&on.two), two + 1);
    }
}

/* --- deaths --- */

/* A child that gets two items, says done of the second, puts one and is killed. */
static pid_t start_victim(void)
{
    int pipe_fds[2];
    char byte;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rvi_workqueue q;
        struct rvi_taken taken;
        int item, mine = 77;
        if (rvi_workqueue_enter(&q, on.memory.base, on.memory.bytes) < 0 ||
            rvi_workqueue_get(&q, &item, &taken) < 0 || rvi_workqueue_get(&q, &item, &taken) < 0 ||
            rvi_workqueue_done(&q, taken) < 0 || rvi_workqueue_put(&q, &mine) < 0)
            _exit(1);
        _exit(write(pipe_fds[1], "", 1) == 1 && pause() < 0);
    }
    close(pipe_fds[1]);
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    close(pipe_fds[0]);
    return pid;
}

static void a_dead_process_is_found_and_its_items_go_back(void **state)
{
    (void)state;
    for (int reaped = 0; reaped < 2; reaped++) {
        siginfo_t info;
        for (int i = 0; i < 3; i++)
            put(&on.one, i);
        pid_t pid = start_victim();
        assert_int_equal(rvi_workqueue_look_around(&on.one), 0);
        kill(pid, SIGKILL);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | (reaped ? 0 : WNOWAIT)), 0);
        counts_are(2, 3);
        assert_int_equal(rvi_workqueue_look_around(&on.one), 1);
        assert_int_equal(rvi_workqueue_look_around(&on.two), 0);
        counts_are(3, 3);
        assert_int_equal(rvi_workqueue_done(&on.one, get(&on.one, 0)), 0);
        assert_int_equal(rvi_workqueue_done(&on.one, get(&on.one, 2)), 0);
        assert_int_equal(rvi_workqueue_done(&on.one, get(&on.one, 77)), 0);
        if (!reaped)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

static void a_process_whose_end_is_known_is_forgotten(void **state)
{
    (void)state;
    put(&on.one, 0);
    put(&on.one, 1);
    pid_t pid = start_victim();
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    rvi_workqueue_forget(&on.one, (uint32_t)pid);
    counts_are(2, 2);
    assert_int_equal(rvi_workqueue_look_around(&on.one), 0);
}

/* --- malice --- */

/* Whatever the memory says, calls come back. What they write lies in their own arguments, which
 * AddressSanitizer and valgrind watch. */
static void memory_that_makes_no_sense_harms_nobody(void **state)
{
    (void)state;
    enum { ROUNDS = 300 };
    struct rvi_rng rng;
    unsigned char *image = malloc(on.memory.bytes);
    memcpy(image, on.memory.base, on.memory.bytes);
    rvi_rng_seed(&rng, 1);
    for (int round = 0; round < ROUNDS; round++) {
        size_t begin = offsetof(struct rvi_workqueue_shared, tail);
        size_t words = (on.memory.bytes - begin) / 8;
        memcpy(on.memory.base, image, on.memory.bytes);
        for (int i = 0; i < CAPACITY; i++)
            put(&on.one, i);
        struct rvi_taken taken = get(&on.one, 0);
        int strikes = 1 + (int)rvi_rng_below(&rng, 40);
        for (int i = 0; i < strikes; i++) {
            /* half of them into the line that matters most */
            size_t at = rvi_rng_below(&rng, i % 2 ? words : 24) * 8 + begin;
            uint64_t value = rvi_rng_next(&rng) >> rvi_rng_below(&rng, 64);
            memcpy(on.memory.base + at, &value, 8);
        }
        for (int i = 0; i < 3; i++) {
            int item = i, r = rvi_workqueue_put(&on.one, &item);
            assert_true(r == 0 || r == -EAGAIN || r == -EPIPE || r == -EBADMSG);
            r = try_get(&on.two);
            assert_true(r == 0 || r == -EAGAIN || r == -EPIPE || r == -EBADMSG);
        }
        int r = rvi_workqueue_done(&on.one, taken);
        assert_true(r == 0 || r == -EBADMSG);
        size_t waiting, unfinished;
        rvi_workqueue_count(&on.one, &waiting, &unfinished);
        assert_true(unfinished <= CAPACITY);
        rvi_workqueue_is_finished(&on.one);
        rvi_workqueue_forget_member(&on.one, on.two.me);
        r = rvi_workqueue_close(&on.one);
        assert_true(r == 0 || r == -EBADMSG);
    }
    free(image);
}

int main(void)
{
#define ON_SMALL(test) cmocka_unit_test_setup_teardown(test, make_small, drop)
    const struct CMUnitTest tests[] = {
        ON_SMALL(what_makes_no_sense_is_no_queue),
        ON_SMALL(items_come_out_in_the_order_of_their_puts),
        ON_SMALL(full_is_as_many_unfinished_as_it_holds),
        ON_SMALL(one_that_takes_long_holds_nobody_up),
        ON_SMALL(what_is_not_taken_cannot_be_done),
        cmocka_unit_test(every_size_holds_as_many_as_it_says),
        ON_SMALL(a_closed_queue_takes_nothing_and_gives_all),
        ON_SMALL(what_comes_back_to_a_closed_queue_can_be_got),
        ON_SMALL(what_a_leaver_had_not_done_goes_in_front_oldest_first),
        ON_SMALL(what_went_back_twice_keeps_its_place),
        ON_SMALL(to_forget_a_member_of_the_past_does_nothing),
        ON_SMALL(there_are_so_many_members_and_no_more),
        ON_SMALL(a_put_rings_one_of_those_who_want),
        ON_SMALL(who_wants_no_more_hands_its_ring_on),
        ON_SMALL(room_rings_one_and_the_end_all),
        ON_SMALL(close_and_death_ring_all),
        ON_SMALL(a_dead_process_is_found_and_its_items_go_back),
        ON_SMALL(a_process_whose_end_is_known_is_forgotten),
        ON_SMALL(memory_that_makes_no_sense_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
