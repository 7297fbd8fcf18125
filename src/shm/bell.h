/* SPDX-License-Identifier: MIT */
/* bell.h - by which the workers of an executor call whoever collects their results.
 *
 * One page that all of them map holds a word: who sleeps. A parent that has nothing to collect sets
 * it and looks at the rings once more before it sleeps; a worker that has ended a job looks at it,
 * and whoever finds it set takes it away and signals that sleeper's eventfd. While nobody sleeps a
 * job's end costs the worker a fence and a load, and no system call.
 *
 *     parent                                        worker
 *     rvi_bell_set(who)                             rvi_ring_done()
 *     any rvi_ring_has_end()? do not sleep            ... rvi_bell_ring()
 *     sleep until bell.fds[who] is readable
 *     rvi_bell_unset(who), collect
 *
 * Invariants:
 *   B1  a result that was written after the parent's last look finds the bell set, or somebody has
 *       found it set before and signals (the fences "bell", as in ring.c)
 *   B2  at most one sleeper is called by it: of several in the parent, the last to set it
 *   B3  a worker that dies between taking the word away and signalling takes the call with it, and
 *       a hostile one does so at will: so who hears of a death looks at all rings and signals the
 *       other sleepers, and whoever sleeps while jobs are under way looks now and then unasked */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/check.h"

/* Who sleeps. */
enum rvi_bell_sleeper {
    RVI_BELL_NOBODY,
    RVI_BELL_SERVICE, /* the executor's own thread */
    RVI_BELL_LEADER,  /* who waits for a result and has taken over from it */
    RVI_BELL_SLEEPERS,
};

struct rvi_bell_shared {
    _Alignas(RVI_CACHE_LINE) _Atomic(uint32_t) sleeper; /* enum rvi_bell_sleeper */
};

/* Each process has its own, of the same page and the same eventfds: the worker fills one in with
 * what it was given. */
struct rvi_bell {
    struct rvi_bell_shared *shared;
    int fds[RVI_BELL_SLEEPERS]; /* by sleeper: eventfds that do not block; the first is -1 */
};

/** Make a bell, with its eventfds.
 *
 * @param shared  a page of zeros that all workers map
 * @return 0
 * Errors:  -EMFILE, -ENFILE, -ENOMEM
 * Lifetime: until rvi_bell_fini; the page is the caller's */
int rvi_bell_init(struct rvi_bell *bell, struct rvi_bell_shared *shared)
    __attribute__((warn_unused_result));

/** Close the eventfds. */
void rvi_bell_fini(struct rvi_bell *bell);

/** Say who will sleep, before the last look at the rings. */
void rvi_bell_set(struct rvi_bell *bell, enum rvi_bell_sleeper who);

/** Awake again: nobody needs to call, if it is still `who` that would be called.
 *
 * @return whether it was; otherwise a signal has come, or is about to, or another has set it */
bool rvi_bell_unset(struct rvi_bell *bell, enum rvi_bell_sleeper who);

/** Something has ended: call who sleeps. Worker's side. */
void rvi_bell_ring(const struct rvi_bell *bell);
