/* SPDX-License-Identifier: MIT */
/* test_ring.c - each job goes to the worker once and comes back once, in order, unless it is
 * recalled; a worker's death tells them apart; one that lies is found out. */
#include "shm/ring.h"

#include <errno.h>
#include <pthread.h>
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
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/thread.h"

enum { SLOTS = 8 };

/* Both sides in one process, each on a mapping of its own. */
struct pair {
    struct rvi_segment mine, theirs;
    struct rvi_ring ring;
    struct rvi_taker taker;
};

static struct pair pair;

static int make_pair(void **state)
{
    (void)state;
    size_t bytes = rvi_ring_bytes(SLOTS);
    if (rvi_segment_make(&pair.mine, "test", bytes, bytes) < 0 ||
        rvi_segment_map(&pair.theirs, dup(pair.mine.fd)) < 0 ||
        rvi_ring_init(&pair.ring, pair.mine.base, SLOTS, 2) < 0)
        return -1;
    rvi_taker_init(&pair.taker, (struct rvi_ring_shared *)(void *)pair.theirs.base, NULL);
    return 0;
}

static int drop_pair(void **state)
{
    (void)state;
    rvi_ring_fini(&pair.ring);
    rvi_segment_fini(&pair.theirs);
    rvi_segment_fini(&pair.mine);
    return 0;
}

static struct rvi_slot *room(void)
{
    assert_non_null(rvi_ring_room(&pair.ring));
    return rvi_ring_slot(&pair.ring, pair.ring.sent);
}

static void send(uint32_t what)
{
    room()->what = what;
    rvi_ring_send(&pair.ring);
}

static void send_many(uint32_t begin, uint32_t end)
{
    for (uint32_t what = begin; what < end; what++)
        send(what);
    rvi_ring_call(&pair.ring);
}

static struct rvi_slot *take(void)
{
    struct rvi_slot *slot = NULL;
    int r = rvi_ring_take(&pair.taker, &slot, 0);
    assert_true(r == 0 || (r == -ETIME && slot == NULL));
    return slot;
}

static void run(uint32_t what, int status)
{
    struct rvi_slot *slot = take();
    assert_non_null(slot);
    assert_int_equal(slot->what, what);
    rvi_ring_done(&pair.taker, slot, status);
}

static void expect_end(uint64_t index, enum rvi_fate fate, int status)
{
    struct rvi_ring_end end;
    assert_true(rvi_ring_has_end(&pair.ring));
    assert_int_equal(rvi_ring_collect(&pair.ring, &end), 1);
    assert_int_equal(end.index, index);
    assert_int_equal(end.fate, fate);
    assert_int_equal(end.status, status);
}

static void expect_no_end(void)
{
    struct rvi_ring_end end;
    assert_false(rvi_ring_has_end(&pair.ring));
    assert_int_equal(rvi_ring_collect(&pair.ring, &end), 0);
}

static void expect_buried(uint64_t index, enum rvi_fate fate, int status)
{
    struct rvi_ring_end end;
    assert_true(rvi_ring_bury(&pair.ring, &end));
    assert_int_equal(end.index, index);
    assert_int_equal(end.fate, fate);
    assert_int_equal(end.status, status);
}

static void jobs_come_back_in_their_order(void **state)
{
    (void)state;
    for (uint32_t lap = 0; lap < 5; lap++) {
        send_many(lap * 6, lap * 6 + 6);
        for (uint32_t i = lap * 6; i < lap * 6 + 6; i++) {
            expect_no_end();
            run(i, -(int)i);
            expect_end(i, RVI_FATE_DONE, -(int)i);
        }
        expect_no_end();
        assert_null(take());
    }
}

static void payloads_go_there_and_come_back(void **state)
{
    (void)state;
    struct rvi_slot *slot = room();
    memset(slot->bytes, 'q', RVI_SLOT_INLINE);
    slot->object = 5;
    slot->in_at = 6;
    rvi_store_relaxed(&slot->has_note, 7);
    slot->flags = 8;
    rvi_ring_send(&pair.ring);
    struct rvi_slot *taken = take();
    assert_ptr_not_equal(taken, slot);
    assert_memory_equal(taken->bytes, slot->bytes, RVI_SLOT_INLINE);
    assert_int_equal(
        taken->object + taken->in_at + rvi_load_relaxed(&taken->has_note) + taken->flags, 26);
    memset(taken->bytes, 'a', RVI_SLOT_INLINE);
    rvi_ring_done(&pair.taker, taken, 0);
    expect_end(0, RVI_FATE_DONE, 0);
    assert_int_equal(slot->bytes[RVI_SLOT_INLINE - 1], 'a');
}

static void there_is_room_for_as_many_as_have_slots(void **state)
{
    (void)state;
    send_many(0, SLOTS);
    assert_null(rvi_ring_room(&pair.ring));
    assert_int_equal(rvi_ring_load(&pair.ring), SLOTS);
    run(0, 0);
    assert_null(rvi_ring_room(&pair.ring));
    expect_end(0, RVI_FATE_DONE, 0);
    assert_non_null(rvi_ring_room(&pair.ring));
}

static void a_recalled_job_is_never_taken(void **state)
{
    (void)state;
    send_many(0, 5);
    run(0, 0);
    struct rvi_slot *running = take();
    assert_false(rvi_ring_recall(&pair.ring, 0));
    assert_false(rvi_ring_recall(&pair.ring, 1));
    assert_true(rvi_ring_recall(&pair.ring, 2));
    assert_true(rvi_ring_recall(&pair.ring, 4));
    assert_false(rvi_ring_recall(&pair.ring, 4));
    rvi_ring_done(&pair.taker, running, 1);
    expect_end(0, RVI_FATE_DONE, 0);
    expect_end(1, RVI_FATE_DONE, 1);
    expect_no_end(); /* not passed yet */
    run(3, 3);
    expect_end(2, RVI_FATE_RECALLED, 0);
    expect_end(3, RVI_FATE_DONE, 3);
    expect_no_end();
    assert_null(take());
    expect_end(4, RVI_FATE_RECALLED, 0);
    send_many(5, 5 + SLOTS);
    for (uint32_t i = 5; i < 5 + SLOTS; i++)
        run(i, 0);
}

static void what_has_begun_can_be_told(void **state)
{
    (void)state;
    send_many(0, 3);
    assert_false(rvi_ring_has_begun(&pair.ring, 0));
    struct rvi_slot *slot = take();
    assert_true(rvi_ring_has_begun(&pair.ring, 0));
    assert_false(rvi_ring_has_begun(&pair.ring, 1));
    assert_true(rvi_ring_recall(&pair.ring, 1));
    assert_false(rvi_ring_has_begun(&pair.ring, 1));
    rvi_ring_done(&pair.taker, slot, 0);
    assert_true(rvi_ring_has_begun(&pair.ring, 0));
}

static void a_death_tells_begun_from_unbegun(void **state)
{
    (void)state;
    struct rvi_ring_end end;
    send_many(0, 6);
    run(0, 0);
    expect_end(0, RVI_FATE_DONE, 0);
    assert_true(rvi_ring_recall(&pair.ring, 2));
    run(1, -7);
    run(3, 3);
    assert_non_null(take());
    assert_true(rvi_ring_recall(&pair.ring, 5));
    send(6);
    expect_buried(1, RVI_FATE_DONE, -7);
    expect_buried(2, RVI_FATE_RECALLED, 0);
    expect_buried(3, RVI_FATE_DONE, 3);
    expect_buried(4, RVI_FATE_LOST, 0);
    expect_buried(5, RVI_FATE_RECALLED, 0);
    expect_buried(6, RVI_FATE_UNBEGUN, 0);
    assert_false(rvi_ring_bury(&pair.ring, &end));
}

static void write_state(uint64_t index, uint32_t value)
{
    rvi_store_relaxed(&pair.taker.slots[index % SLOTS].state, value);
}

static void a_state_that_cannot_be_is_found_out(void **state)
{
    (void)state;
    const uint32_t for_sent[] = {RVI_SLOT_FREE, RVI_SLOT_RECALLED, RVI_SLOT_PASSED, 6, UINT32_MAX};
    const uint32_t for_recalled[] = {
        RVI_SLOT_FREE, RVI_SLOT_QUEUED, RVI_SLOT_TAKEN, RVI_SLOT_DONE, 6, UINT32_MAX};
    struct rvi_ring_end end;
    send_many(0, 2);
    for (size_t i = 0; i < sizeof(for_sent) / sizeof(for_sent[0]); i++) {
        write_state(0, for_sent[i]);
        assert_true(rvi_ring_has_end(&pair.ring));
        assert_int_equal(rvi_ring_collect(&pair.ring, &end), -EPROTO);
    }
    expect_buried(0, RVI_FATE_LOST, 0);
    assert_true(rvi_ring_recall(&pair.ring, 1));
    for (size_t i = 0; i < sizeof(for_recalled) / sizeof(for_recalled[0]); i++) {
        write_state(1, for_recalled[i]);
        assert_int_equal(rvi_ring_collect(&pair.ring, &end), -EPROTO);
    }
    expect_buried(1, RVI_FATE_RECALLED, 0);
}

static void waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    struct rvi_slot *slot;
    int64_t deadline = rvi_clock_now() + 2000000;
    assert_int_equal(rvi_ring_take(&pair.taker, &slot, deadline), -ETIME);
    assert_true(rvi_clock_now() >= deadline);
}

static void *quit_soon(void *arg)
{
    struct timespec moment = {.tv_nsec = 2000000};
    nanosleep(&moment, NULL);
    rvi_ring_quit(arg);
    return NULL;
}

static void a_sleeping_worker_can_be_told_to_quit(void **state)
{
    (void)state;
    struct rvi_slot *slot;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, quit_soon, &pair.taker), 0);
    assert_int_equal(rvi_ring_take(&pair.taker, &slot, INT64_MAX), -ECANCELED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    send(1);
    assert_int_equal(rvi_ring_take(&pair.taker, &slot, INT64_MAX), -ECANCELED);
}

static void without_memory_there_is_no_ring(void **state)
{
    (void)state;
    struct rvi_ring ring;
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_ring_init(&ring, pair.mine.base, SLOTS, 2), -ENOMEM);
    rvi_alloc_fail_after(-1);
}

/* --- in two processes --- */

/* A worker that adds up, and crashes when told to. */
enum { ADD, CRASH, LEAVE };

static void serve(void)
{
    struct rvi_segment segment;
    struct rvi_taker taker;
    struct rvi_slot *slot;

    RV_CHECK(rvi_segment_map(&segment, pair.mine.fd) == 0);
    rvi_taker_init(&taker, (struct rvi_ring_shared *)(void *)segment.base, NULL);
    for (;;) {
        RV_CHECK(rvi_ring_take(&taker, &slot, INT64_MAX) == 0);
        if (slot->what == LEAVE)
            _exit(0);
        if (slot->what == CRASH)
            raise(SIGKILL);
        uint64_t numbers[2];
        memcpy(numbers, slot->bytes, sizeof(numbers));
        numbers[0] += numbers[1];
        memcpy(slot->bytes, numbers, sizeof(numbers[0]));
        rvi_ring_done(&taker, slot, 0);
    }
}

static pid_t start(void)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        serve();
    return child;
}

static void send_sum(uint64_t a, uint64_t b)
{
    uint64_t numbers[2] = {a, b};
    memcpy(room()->bytes, numbers, sizeof(numbers));
    send(ADD);
}

static uint64_t collect_sum(void)
{
    struct rvi_ring_end end;
    uint64_t sum;
    int r;
    while ((r = rvi_ring_collect(&pair.ring, &end)) == 0)
        rvi_thread_yield();
    assert_int_equal(r, 1);
    assert_int_equal(end.fate, RVI_FATE_DONE);
    memcpy(&sum, rvi_ring_slot(&pair.ring, end.index)->bytes, sizeof(sum));
    return sum;
}

static void another_process_works(void **state)
{
    (void)state;
    pid_t child = start();
    for (uint64_t i = 0; i < 200; i++) {
        send_sum(i, i);
        send_sum(i, 1);
        rvi_ring_call(&pair.ring);
        assert_int_equal(collect_sum(), 2 * i);
        assert_int_equal(collect_sum(), i + 1);
        if (i % 20 == 0) /* let it go to bed */
            usleep(1000);
    }
    send(LEAVE);
    rvi_ring_call(&pair.ring);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_worker_that_dies_leaves_its_jobs(void **state)
{
    (void)state;
    int status;
    pid_t child = start();
    send_sum(1, 2);
    send(CRASH);
    send_sum(3, 4);
    rvi_ring_call(&pair.ring);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    expect_buried(0, RVI_FATE_DONE, 0);
    expect_buried(1, RVI_FATE_LOST, 0);
    expect_buried(2, RVI_FATE_UNBEGUN, 0);
}

/* --- against a worker that writes anything --- */

static void scribble(struct rvi_rng *rng, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rvi_rng_below(rng, 4) == 0)
            bytes[i] = (unsigned char)(rvi_rng_below(rng, 2) ? rvi_rng_below(rng, 7)
                                                             : rvi_rng_below(rng, 256));
}

/* Jobs are neither lost nor counted twice, whatever is read. */
static void play_against_nonsense(struct rvi_rng *rng)
{
    struct rvi_ring_end end;
    uint64_t ended = 0;
    int r;

    for (int step = 0; step < 40; step++) {
        if (rvi_ring_room(&pair.ring) && rvi_rng_below(rng, 2))
            send((uint32_t)step);
        if (rvi_ring_load(&pair.ring) > 0 && rvi_rng_below(rng, 4) == 0)
            (void)rvi_ring_recall(&pair.ring, pair.ring.collected);
        scribble(rng, pair.theirs.base, pair.theirs.bytes);
        rvi_ring_call(&pair.ring);
        if ((r = rvi_ring_collect(&pair.ring, &end)) == 1)
            assert_int_equal(end.index, ended++);
        else
            assert_true(r == 0 || r == -EPROTO);
    }
    while (rvi_ring_bury(&pair.ring, &end))
        assert_int_equal(end.index, ended++);
    assert_int_equal(ended, pair.ring.sent);
}

static void nonsense_in_every_shared_byte_harms_nobody(void **state)
{
    (void)state;
    struct rvi_rng rng;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        rvi_rng_seed(&rng, seed);
        play_against_nonsense(&rng);
        drop_pair(NULL);
        assert_int_equal(make_pair(NULL), 0);
    }
}

/* Writes to the ring while it is read, faster than it is looked at. */
static void scribble_for_ever(void)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 1);
    for (;;)
        scribble(&rng, pair.theirs.base, pair.theirs.bytes);
}

static void a_process_that_writes_nonsense_all_the_time_harms_nobody(void **state)
{
    (void)state;
    struct rvi_ring_end end;
    uint64_t ended = 0, broken = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        scribble_for_ever();
    while (broken < 1000 || ended < 1000) {
        int r = rvi_ring_collect(&pair.ring, &end);
        if (r < 0 && rvi_ring_bury(&pair.ring, &end)) {
            broken++;
            r = 1;
        }
        if (r == 1)
            assert_int_equal(end.index, ended++);
        else if (rvi_ring_room(&pair.ring))
            send(0);
        if (rvi_ring_load(&pair.ring) > 4)
            (void)rvi_ring_recall(&pair.ring, pair.ring.collected + 3);
        rvi_ring_call(&pair.ring);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (rvi_ring_bury(&pair.ring, &end))
        assert_int_equal(end.index, ended++);
    assert_int_equal(ended, pair.ring.sent);
}

#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, make_pair, drop_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(jobs_come_back_in_their_order),
        RING_TEST(payloads_go_there_and_come_back),
        RING_TEST(there_is_room_for_as_many_as_have_slots),
        RING_TEST(a_recalled_job_is_never_taken),
        RING_TEST(what_has_begun_can_be_told),
        RING_TEST(a_death_tells_begun_from_unbegun),
        RING_TEST(a_state_that_cannot_be_is_found_out),
        RING_TEST(waiting_ends_at_the_deadline),
        RING_TEST(a_sleeping_worker_can_be_told_to_quit),
        RING_TEST(without_memory_there_is_no_ring),
        RING_TEST(another_process_works),
        RING_TEST(a_worker_that_dies_leaves_its_jobs),
        RING_TEST(nonsense_in_every_shared_byte_harms_nobody),
        RING_TEST(a_process_that_writes_nonsense_all_the_time_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
