/* SPDX-License-Identifier: MIT */
/* explore_low.c - what lies under the scheduler, between plain threads: the two locks, the deque,
 * the inbox with its sleeper, the ring between an executor and a worker with its bell.
 *
 * The scenes start their threads by rvi_thread_start(), which a simulation makes its own. Their
 * points are the atomic accesses, so builds with RVI_DEBUG_CHECKS see more than others. */
#include "explore.h"

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "loop/sleeper.h"
#include "queue/deque.h"
#include "queue/inbox.h"
#include "sched/bias.h"
#include "shm/ring.h"
#include "sys/cpu.h"
#include "sys/fd.h"

enum { THREADS = 3, ROUNDS = 4, ITEMS = 6 };

static void run_threads(void *(*const fns[])(void *), size_t count)
{
    pthread_t threads[THREADS];

    RV_CHECK(count <= THREADS);
    for (size_t i = 0; i < count; i++)
        RV_CHECK(rvi_thread_start(&threads[i], "scene", fns[i], NULL) == 0);
    for (size_t i = 0; i < count; i++)
        rvi_thread_join(threads[i]);
}

/* --- locks --- */

static struct rvi_lock lock;
static struct rvi_bias bias;
static _Atomic(int) inside;

static void check_alone(void)
{
    RV_CHECK(rvi_fetch_add_relaxed(&inside, 1) == 0);
    RV_CHECK(rvi_fetch_sub_relaxed(&inside, 1) == 1);
}

static void *lock_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        rvi_lock_acquire(&lock);
        check_alone();
        rvi_lock_release(&lock);
    }
    return NULL;
}

static int lock_excludes(void *arg)
{
    (void)arg;
    rvi_lock_init(&lock);
    run_threads((void *(*const[])(void *)){lock_some, lock_some, lock_some}, 3);
    RV_CHECK(!rvi_lock_is_held(&lock));
    return 0;
}

static void enter_bias(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool biased = rvi_bias_lock(&bias);
        check_alone();
        rvi_bias_unlock(&bias, biased);
    }
}

static void *enter_bias_on_a_thread(void *arg)
{
    (void)arg;
    enter_bias();
    return NULL;
}

static int enter_bias_as_a_task(void *arg)
{
    (void)arg;
    enter_bias();
    return 0;
}

/* Whoever is first has the bias: a task, mostly the one that starts the others. */
static int bias_excludes(void *arg)
{
    pthread_t thread;
    int err;

    (void)arg;
    memset(&bias, 0, sizeof(bias));
    RV_CHECK(rvi_thread_start(&thread, "scene", enter_bias_on_a_thread, NULL) == 0);
    RV_SCOPE(s, err) {
        go(s, enter_bias_as_a_task, NULL);
        go(s, enter_bias_as_a_task, NULL);
        enter_bias();
    }
    rvi_thread_join(thread);
    return err;
}

/* --- deque --- */

static struct rvi_deque deque;
static _Atomic(int) taken[ITEMS];

static void take(void *item)
{
    rvi_fetch_add_relaxed((_Atomic(int) *)item, 1);
}

static void *steal_some(void *arg)
{
    void *loot[ITEMS];

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = rvi_deque_steal(&deque, loot, ITEMS);
        while (n > 0)
            take(loot[--n]);
    }
    return NULL;
}

static void *push_and_pop(void *arg)
{
    void *item;

    (void)arg;
    for (int i = 0; i < ITEMS; i++) {
        RV_CHECK(rvi_deque_push(&deque, &taken[i]) == 0);
        if (i % 2 && (item = rvi_deque_pop(&deque)))
            take(item);
    }
    while ((item = rvi_deque_pop(&deque)))
        take(item);
    return NULL;
}

static int deque_gives_each_item_once(void *arg)
{
    (void)arg;
    for (int i = 0; i < ITEMS; i++)
        rvi_store_relaxed(&taken[i], 0);
    RV_CHECK(rvi_deque_init(&deque) == 0);
    run_threads((void *(*const[])(void *)){push_and_pop, steal_some, steal_some}, 3);
    for (int i = 0; i < ITEMS; i++)
        RV_CHECK(rvi_load_relaxed(&taken[i]) == 1);
    rvi_deque_fini(&deque);
    return 0;
}

/* --- inbox and sleeper --- */

static struct rvi_inbox inbox;
static struct rvi_sleeper sleeper;

static void *send_messages(void *arg)
{
    static struct rvi_msg messages[2][ROUNDS];
    static _Atomic(unsigned) senders;
    struct rvi_msg *own = messages[rvi_fetch_add_relaxed(&senders, 1) % 2];

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        rvi_inbox_push(&inbox, &own[i]);
        rvi_sleeper_wake(&sleeper, RVI_SLEEPER_CALLED);
    }
    return NULL;
}

/* Would wait for ever if a wake were lost. */
static void *receive_messages(void *arg)
{
    int received = 0;

    (void)arg;
    while (received < 2 * ROUNDS) {
        for (struct rvi_msg *msg = rvi_inbox_take_all(&inbox); msg; msg = msg->next)
            received++;
        if (received == 2 * ROUNDS)
            break;
        rvi_sleeper_prepare(&sleeper, RVI_SLEEPER_ASLEEP);
        if (rvi_inbox_looks_empty_seq_cst(&inbox)) /* pairs: inbox-sleep */
            rvi_sleeper_sleep(&sleeper, RV_NEVER);
        else
            rvi_sleeper_cancel(&sleeper);
    }
    return NULL;
}

static int sleeper_misses_no_message(void *arg)
{
    (void)arg;
    rvi_inbox_init(&inbox);
    rvi_sleeper_init(&sleeper);
    run_threads((void *(*const[])(void *)){receive_messages, send_messages, send_messages}, 3);
    return 0;
}

/* --- the ring and the bell --- */

enum { SLOTS = 2, JOBS = 5 };

static _Alignas(RVI_SLOT_BYTES) unsigned char ring_memory[(SLOTS + 1) * RVI_SLOT_BYTES];
static struct rvi_ring ring;
static struct rvi_bell_shared bell_page;
static struct rvi_bell bell;
static _Atomic(int) jobs_begun[JOBS];

/* The sleeps are without a limit: it is woken for each job, or stays there. */
static void *serve_ring(void *arg)
{
    struct rvi_taker taker;
    struct rvi_slot *slot;
    uint32_t what;

    (void)arg;
    rvi_taker_init(&taker, (struct rvi_ring_shared *)(void *)ring_memory, &bell);
    do {
        RV_CHECK(rvi_ring_take(&taker, &slot, RV_NEVER) == 0);
        what = slot->what;
        RV_CHECK(rvi_fetch_add_relaxed(&jobs_begun[what], 1) == 0);
        rvi_ring_done(&taker, slot, -(int)what);
    } while (what < JOBS - 1);
    return NULL;
}

static bool is_called(void)
{
    struct pollfd fd = {.fd = bell.fds[RVI_BELL_SERVICE], .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* Spins for the eventfd instead of sleeping, which a simulation does not know of. */
static void sleep_for_an_end(void)
{
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    if (!rvi_ring_has_end(&ring))
        while (!is_called())
            rvi_cpu_relax();
    rvi_bell_unset(&bell, RVI_BELL_SERVICE);
    rvi_fd_event_clear(bell.fds[RVI_BELL_SERVICE]);
}

static void send_job(uint32_t what, bool *is_recalled)
{
    rvi_ring_slot(&ring, ring.sent)->what = what;
    uint64_t index = rvi_ring_send(&ring);
    rvi_ring_call(&ring);
    is_recalled[what] = what == 1 && rvi_ring_recall(&ring, index);
}

static void *send_and_collect(void *arg)
{
    bool is_recalled[JOBS] = {false};
    struct rvi_ring_end end;
    uint32_t sent = 0;

    (void)arg;
    while (sent < JOBS || rvi_ring_load(&ring) > 0) {
        if (sent < JOBS && rvi_ring_room(&ring)) {
            send_job(sent, is_recalled);
            sent++;
        } else if (rvi_ring_collect(&ring, &end) == 1) {
            RV_CHECK(end.fate == (is_recalled[end.index] ? RVI_FATE_RECALLED : RVI_FATE_DONE));
            RV_CHECK(rvi_load_relaxed(&jobs_begun[end.index]) == !is_recalled[end.index]);
        } else {
            sleep_for_an_end();
        }
    }
    return NULL;
}

static int ring_and_bell_miss_nothing(void *arg)
{
    (void)arg;
    memset(ring_memory, 0, sizeof(ring_memory));
    memset(jobs_begun, 0, sizeof(jobs_begun));
    memset(&bell_page, 0, sizeof(bell_page));
    RV_CHECK(rvi_ring_init(&ring, ring_memory, SLOTS, 1) == 0);
    RV_CHECK(rvi_bell_init(&bell, &bell_page) == 0);
    run_threads((void *(*const[])(void *)){serve_ring, send_and_collect}, 2);
    RV_CHECK(ring.collected == JOBS);
    rvi_bell_fini(&bell);
    rvi_ring_fini(&ring);
    return 0;
}

EXPLORATION(lock_excludes)
EXPLORATION(bias_excludes)
EXPLORATION(deque_gives_each_item_once)
EXPLORATION(sleeper_misses_no_message)
EXPLORATION(ring_and_bell_miss_nothing)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXPLORED(lock_excludes),
        EXPLORED(bias_excludes),
        EXPLORED(deque_gives_each_item_once),
        EXPLORED(sleeper_misses_no_message),
        EXPLORED(ring_and_bell_miss_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
