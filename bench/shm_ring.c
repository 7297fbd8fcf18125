/* SPDX-License-Identifier: MIT */
/* shm_ring.c - an empty job to a worker process and back on the bare ring, without an executor:
 * what the tier "processes" can cost at least.
 *
 * wait=spin: both look all the time. wait=both: for a while, then they sleep, which while both are
 * busy they do not. wait=sleep: each at once, so each job wakes both. cores=1, 2: on how many the
 * two are. in_flight: sent in a row and called for once. bytes: of an input that the parent copies
 * into the segment, and of a result that it copies out of there.
 *
 * None of this is public, so it includes from src/shm and is linked with the static library. */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/ring.h"
#include "shm/segment.h"
#include "sys/cpu.h"
#include "sys/fd.h"

enum { SLOTS = 256 };

static struct rvi_segment segment, page;
static struct rvi_ring ring;
static struct rvi_bell bell;
static struct rvi_spin spin;
static long in_flight, bytes;
static bool looks, sleeps;
static char *payload; /* the parent's own */

/* The input's place in the segment; the result's is behind it. */
static unsigned char *place(void)
{
    return segment.base + rvi_ring_bytes(SLOTS);
}

static void serve(void)
{
    struct rvi_taker taker;
    struct rvi_slot *slot;
    rvi_taker_init(&taker, (struct rvi_ring_shared *)(void *)segment.base, &bell);
    while (rvi_ring_take(&taker, &slot, INT64_MAX) == 0)
        rvi_ring_done(&taker, slot, 0);
}

static void sleep_for_an_end(void)
{
    struct pollfd fd = {.fd = bell.fds[RVI_BELL_SERVICE], .events = POLLIN};
    rvi_bell_set(&bell, RVI_BELL_SERVICE);
    if (!rvi_ring_has_end(&ring))
        (void)poll(&fd, 1, -1);
    if (!rvi_bell_unset(&bell, RVI_BELL_SERVICE))
        rvi_fd_event_clear(bell.fds[RVI_BELL_SERVICE]);
}

static void wait_for_an_end(void)
{
    struct rvi_spin_turn turn = {0};
    bool found;
    while (!(found = rvi_ring_has_end(&ring)) && looks && (!sleeps || rvi_spin_again(&spin, &turn)))
        if (!sleeps)
            rvi_cpu_relax();
    if (sleeps && looks)
        rvi_spin_end(&spin, found);
    if (!found)
        sleep_for_an_end();
}

static void send_some(long count)
{
    if (bytes > 0)
        memcpy(place(), payload, (size_t)bytes);
    while (count-- > 0 && rvi_ring_room(&ring))
        rvi_ring_send(&ring);
    rvi_ring_call(&ring);
}

static void run(void *arg, long ops)
{
    struct rvi_ring_end end;
    (void)arg;
    while (ops > 0) {
        int r;
        if ((long)rvi_ring_load(&ring) <= in_flight / 2)
            send_some(in_flight - (long)rvi_ring_load(&ring));
        while ((r = rvi_ring_collect(&ring, &end)) == 0)
            wait_for_an_end();
        bench_must(r, "rvi_ring_collect");
        if (bytes > 0)
            memcpy(payload, place() + bytes, (size_t)bytes);
        ops--;
    }
}

static pid_t start_worker(long cores)
{
    bench_stay_on(cores - 1);
    pid_t child = fork();
    bench_must(child < 0 ? -errno : 0, "fork");
    if (child == 0) {
        serve();
        _exit(0);
    }
    bench_stay_on(0);
    return child;
}

int main(int argc, char **argv)
{
    bench_begin("shm-ring", "ravel", argc, argv);
    char wait[16] = {0};
    strncpy(wait, bench_param_text("wait", "both"), sizeof wait - 1);
    looks = strcmp(wait, "sleep") != 0;
    sleeps = strcmp(wait, "spin") != 0;
    bench_require(!strcmp(wait, "spin") || !strcmp(wait, "both") || !strcmp(wait, "sleep"),
                  "wait=spin, both or sleep");
    long cores = bench_param_upto("cores", 2, 2);
    in_flight = bench_param_upto("in_flight", 1, SLOTS);
    bytes = bench_param_upto("bytes", 0, 64 << 20);
    bench_require(cores > 0 && in_flight > 0, "nothing to measure");
    payload = calloc(1, (size_t)bytes + 1);
    bench_require(payload != NULL, "no memory");
    size_t all = rvi_ring_bytes(SLOTS) + 2 * (size_t)bytes;
    bench_must(rvi_segment_make(&segment, "bench", all, all), "rvi_segment_make");
    bench_must(rvi_segment_make(&page, "bell", sizeof(struct rvi_bell_shared), 0), "the bell");
    bench_must(rvi_bell_init(&bell, (struct rvi_bell_shared *)(void *)page.base), "rvi_bell_init");
    bench_must(rvi_ring_init(&ring, segment.base, SLOTS, looks ? 2 : 1), "rvi_ring_init");
    rvi_spin_init(&spin, looks ? 2 : 1);
    pid_t child = start_worker(cores);
    bench_batches(run, NULL, bytes > 0 ? 500 : looks ? 200000 : 10000);
    bench_must(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child ? 0 : -errno, "kill");
    free(payload);
}
