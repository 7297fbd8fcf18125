/* SPDX-License-Identifier: MIT */
/* stress_shm.c - workers on rings: nothing is lost or doubled at full load, nobody oversleeps, and
 * workers that are killed at any moment leave each job in one of the ways that there are.
 *
 * Between two threads of one process, on one mapping, where ThreadSanitizer can see; and with
 * worker processes that are killed by SIGKILL. */
#include "stress.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/bell.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "sys/fd.h"

enum { SLOTS = 16, WORKERS = 2 };

/* One worker, as its parent sees it. */
struct desk {
    struct rvi_segment segment;
    struct rvi_ring ring;
    uint64_t calls[SLOTS];
    pid_t pid;
    pthread_t thread;
};

static struct rvi_segment bell_page;
static struct rvi_bell bell;
static struct desk desks[WORKERS];

static struct rvi_ring_shared *shared_of(const struct desk *desk)
{
    return (struct rvi_ring_shared *)(void *)desk->segment.base;
}

static void make_bell(void)
{
    RV_CHECK(rvi_segment_make(&bell_page, "bell", sizeof(struct rvi_bell_shared), 0) == 0);
    RV_CHECK(rvi_bell_init(&bell, (struct rvi_bell_shared *)(void *)bell_page.base) == 0);
}

static void drop_bell(void)
{
    rvi_bell_fini(&bell);
    rvi_segment_fini(&bell_page);
}

static void make_desk(struct desk *desk)
{
    memset(desk, 0, sizeof(*desk));
    RV_CHECK(rvi_segment_make(&desk->segment, "ring", rvi_ring_bytes(SLOTS), 0) == 0);
    RV_CHECK(rvi_ring_init(&desk->ring, desk->segment.base, SLOTS, 2) == 0);
}

static void drop_desk(struct desk *desk)
{
    rvi_ring_fini(&desk->ring);
    rvi_segment_fini(&desk->segment);
}

static uint64_t answer_to(uint64_t number)
{
    return number * 0x9e3779b97f4a7c15u + 1;
}

/* Some jobs take longer than a worker spins. */
static void work(struct desk *desk, uint64_t seed)
{
    struct rvi_taker taker;
    struct rvi_slot *slot;
    struct rvi_rng rng;
    uint64_t number;

    rvi_rng_seed(&rng, seed);
    rvi_taker_init(&taker, shared_of(desk), &bell);
    while (rvi_ring_take(&taker, &slot, INT64_MAX) == 0 && slot->what == 0) {
        memcpy(&number, slot->bytes, sizeof(number));
        number = answer_to(number);
        memcpy(slot->bytes, &number, sizeof(number));
        if (rvi_rng_below(&rng, 20) == 0)
            dawdle(&rng, 20000);
        rvi_ring_done(&taker, slot, 0);
    }
    rvi_ring_done(&taker, slot, 0);
}

/* --- the parent's part --- */

struct tally {
    uint64_t next; /* number of the next job */
    uint64_t done, recalled, lost, unbegun;
    uint64_t sum; /* of the numbers of all that have ended, in whatever way */
};

static struct tally tally;
static struct rvi_rng rng;

static void send_some(struct desk *desk, uint64_t most)
{
    uint64_t n = rvi_rng_below(&rng, SLOTS);
    while (n-- > 0 && tally.next < most && rvi_ring_room(&desk->ring)) {
        struct rvi_slot *slot = rvi_ring_slot(&desk->ring, desk->ring.sent);
        slot->what = 0;
        memcpy(slot->bytes, &tally.next, sizeof(tally.next));
        desk->calls[desk->ring.sent % SLOTS] = tally.next++;
        rvi_ring_send(&desk->ring);
    }
    rvi_ring_call(&desk->ring);
}

static void recall_some(struct desk *desk)
{
    uint32_t load = rvi_ring_load(&desk->ring);
    if (load > 1 && rvi_rng_below(&rng, 20) == 0)
        (void)rvi_ring_recall(&desk->ring, desk->ring.collected + rvi_rng_below(&rng, load));
}

static void count_end(struct desk *desk, const struct rvi_ring_end *end)
{
    uint64_t answer, number = desk->calls[end->index % SLOTS];
    memcpy(&answer, rvi_ring_slot(&desk->ring, end->index)->bytes, sizeof(answer));
    RV_CHECK(answer == (end->fate == RVI_FATE_DONE ? answer_to(number) : number) ||
             end->fate == RVI_FATE_LOST);
    tally.done += end->fate == RVI_FATE_DONE;
    tally.recalled += end->fate == RVI_FATE_RECALLED;
    tally.lost += end->fate == RVI_FATE_LOST;
    tally.unbegun += end->fate == RVI_FATE_UNBEGUN;
    tally.sum += number;
}

static unsigned collect(struct desk *desk)
{
    struct rvi_ring_end end;
    unsigned count = 0;
    int r;
    while ((r = rvi_ring_collect(&desk->ring, &end)) == 1) {
        count_end(desk, &end);
        count++;
    }
    RV_CHECK(r == 0);
    return count;
}

static bool any_end(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (rvi_ring_has_end(&desks[i].ring))
            return true;
    return false;
}

static bool any_load(void)
{
    for (int i = 0; i < WORKERS; i++)
        if (rvi_ring_load(&desks[i].ring) > 0)
            return true;
    return false;
}

/* Without a limit: a call that is missed is a hang. Returns whether it did sleep. */
static bool sleep_for_an_end(int timeout_ms)
{
    struct pollfd fd = {.fd = bell.fds[RVI_BELL_SERVICE], .events = POLLIN};
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    bool sleeps = !any_end() && any_load();
    if (sleeps)
        (void)poll(&fd, 1, timeout_ms);
    rvi_bell_unset(&bell, RVI_BELL_SERVICE);
    rvi_fd_event_clear(bell.fds[RVI_BELL_SERVICE]);
    return sleeps;
}

/* All numbers up to `count` have ended once each. */
static void check_tally(uint64_t count)
{
    RV_CHECK(tally.next == count);
    RV_CHECK(tally.done + tally.recalled + tally.lost + tally.unbegun == count);
    RV_CHECK(tally.sum == count * (count - 1) / 2);
}

static void begin(uint64_t seed)
{
    memset(&tally, 0, sizeof(tally));
    rvi_rng_seed(&rng, seed);
    make_bell();
    for (int i = 0; i < WORKERS; i++)
        make_desk(&desks[i]);
}

static void end(void)
{
    for (int i = 0; i < WORKERS; i++)
        drop_desk(&desks[i]);
    drop_bell();
}

static void send_leave(struct desk *desk)
{
    struct rvi_slot *slot = rvi_ring_slot(&desk->ring, desk->ring.sent);
    RV_CHECK(rvi_ring_room(&desk->ring));
    slot->what = 1;
    rvi_ring_send(&desk->ring);
    rvi_ring_call(&desk->ring);
}

/* --- threads --- */

static void *work_on_a_thread(void *arg)
{
    struct desk *desk = arg;
    work(desk, (uint64_t)(desk - desks));
    return NULL;
}

static void workers_and_parent_always_wake_each_other(void **state)
{
    (void)state;
    const uint64_t count = scaled(150000, 2000);
    size_t sleeps = 0;
    begin(1);
    for (int i = 0; i < WORKERS; i++)
        RV_CHECK(pthread_create(&desks[i].thread, NULL, work_on_a_thread, &desks[i]) == 0);
    while (tally.next < count || any_load()) {
        unsigned collected = 0;
        for (int i = 0; i < WORKERS; i++) {
            send_some(&desks[i], count);
            recall_some(&desks[i]);
            collected += collect(&desks[i]);
        }
        if (collected == 0)
            sleeps += sleep_for_an_end(-1);
    }
    check_tally(count);
    for (int i = 0; i < WORKERS; i++) {
        send_leave(&desks[i]);
        RV_CHECK(pthread_join(desks[i].thread, NULL) == 0);
    }
    print_message("# %zu jobs, %zu recalled, %zu sleeps\n", (size_t)count, (size_t)tally.recalled,
                  sleeps);
    assert_int_equal(tally.lost + tally.unbegun, 0);
    end();
}

/* --- processes --- */

static void start_worker(struct desk *desk)
{
    static uint64_t seed;
    seed++;
    desk->pid = fork();
    RV_CHECK(desk->pid >= 0);
    if (desk->pid == 0) {
        work(desk, seed);
        _exit(0);
    }
}

/* Kills it, whatever it is doing, and starts another on memory of its own. */
static void replace_worker(struct desk *desk)
{
    struct rvi_ring_end end;
    int status;
    RV_CHECK(kill(desk->pid, SIGKILL) == 0);
    RV_CHECK(waitpid(desk->pid, &status, 0) == desk->pid);
    while (rvi_ring_bury(&desk->ring, &end))
        count_end(desk, &end);
    drop_desk(desk);
    make_desk(desk);
    start_worker(desk);
}

static void workers_killed_at_any_moment_lose_what_they_had_begun(void **state)
{
    (void)state;
    const uint64_t count = scaled(100000, 2000);
    const uint64_t every = 500; /* jobs */
    uint64_t deaths = 0;
    begin(2);
    for (int i = 0; i < WORKERS; i++)
        start_worker(&desks[i]);
    while (tally.next < count || any_load()) {
        unsigned collected = 0;
        for (int i = 0; i < WORKERS; i++) {
            send_some(&desks[i], count);
            recall_some(&desks[i]);
            collected += collect(&desks[i]);
        }
        if (tally.next / every > deaths) {
            dawdle(&rng, 30000);
            replace_worker(&desks[deaths % WORKERS]);
            deaths++;
        }
        if (collected == 0)
            (void)sleep_for_an_end(20); /* the dead one may have had the call */
    }
    check_tally(count);
    for (int i = 0; i < WORKERS; i++) {
        int status;
        send_leave(&desks[i]);
        RV_CHECK(waitpid(desks[i].pid, &status, 0) == desks[i].pid && status == 0);
    }
    print_message("# %zu deaths: %zu done, %zu lost, %zu not begun\n", (size_t)deaths,
                  (size_t)tally.done, (size_t)tally.lost, (size_t)tally.unbegun);
    assert_true(tally.lost <= deaths);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* While there is one thread only. */
        cmocka_unit_test(workers_killed_at_any_moment_lose_what_they_had_begun),
        cmocka_unit_test(workers_and_parent_always_wake_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
