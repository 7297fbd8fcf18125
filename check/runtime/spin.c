/* SPDX-License-Identifier: MIT */
/* spin.c - telling who waits by looking again and again.
 *
 * A thread that repeats itself - the same operations at the same places on the same objects -
 * while nobody else writes anything new cannot get out of its loop by itself: it spins, and
 * strategies run others first. It stops being a spinner when another thread makes progress.
 *
 *   N1  what a thread repeats is known from the hashes of what it did of late, by numbers that mean
 *       the same in every process; one that is not among them is new, and makes it begin counting
 *       again
 *   N2  a thread's own writes do not free it: `while (!flag) tries++` is a spin as well
 *   N3  to offer the turn counts as some repetitions, no more: what a program does after one yield
 *       is to be seen even if nobody has taken the offer
 *   N4  nobody is a spinner for ever by mistake: it matters only while others could run
 *   N5  in some executions all are more patient: who looks a number of times and then sleeps (as
 *       std::atomic's wait does) is to get there before others have run, too
 *
 * In a program whose plain accesses are not seen, what is done under a lock may be anything, so
 * there it takes many more repetitions. */
#include "check/runtime/spin.h"

#include "check/runtime/arena.h"
#include "check/runtime/sched.h"

enum { REMEMBERED = 32, TIRED = 20, TIRED_BLIND = 400, OFFER = 6 };

enum { PATIENT_ONE_IN = 4, PATIENCE = 8 /* times as long */ };

struct ck_spin {
    uint64_t done[REMEMBERED]; /* the latest that were new, in a ring */
    uint32_t newest, at;       /* of done: the latest addition; what was done last */
    uint64_t since;            /* 0: it does not spin */
    uint64_t others_then;      /* what others had done by then */
    uint64_t progress;         /* its own */
    uint32_t repeated;
};

bool ck_is_instrumented;

static uint64_t progress; /* everybody's */
static uint64_t marks;
static uint64_t last_new;   /* step */
static uint64_t last_other; /* step: something that its thread had not done of late */

static struct ck_spin *spin_of(struct ck_thread *thread)
{
    if (!thread->spin)
        thread->spin = ck_alloc(sizeof *thread->spin);
    return thread->spin;
}

static uint64_t others(const struct ck_spin *spin)
{
    return progress - spin->progress;
}

static void mark(struct ck_spin *spin)
{
    spin->since = ++marks;
    spin->others_then = others(spin);
    spin->repeated = 0;
}

uint64_t ck_spin_since(const struct ck_thread *thread)
{
    const struct ck_spin *spin = thread->spin;

    return spin && spin->since && spin->others_then == others(spin) ? spin->since : 0;
}

/* N5 */
static uint32_t patience(void)
{
    uint64_t mixed = ck_shared->plan.strategy.seed * UINT64_C(0x9e3779b97f4a7c15) >> 32;

    return mixed % PATIENT_ONE_IN == 0 ? PATIENCE : 1;
}

/* N1. A loop comes by in the order in which it was first seen. */
static bool is_known(struct ck_spin *spin, uint64_t what)
{
    uint32_t next = (spin->at + 1) % REMEMBERED;

    for (uint32_t i = 0; i < REMEMBERED; i++) {
        uint32_t at = (next + i) % REMEMBERED;

        if (spin->done[at] == what) {
            spin->at = at;
            return true;
        }
    }
    spin->newest = (spin->newest + 1) % REMEMBERED;
    spin->at = spin->newest;
    spin->done[spin->newest] = what;
    return false;
}

void ck_spin_point(struct ck_thread *thread)
{
    struct ck_spin *spin = spin_of(thread);
    const struct rvi_candidate *c = &thread->candidate;
    uint64_t what =
        (c->location * UINT64_C(0x9e3779b97f4a7c15) ^ c->object) * UINT64_C(0xbf58476d1ce4e5b9) | 1;

    if (spin->since && spin->others_then != others(spin)) {
        spin->since = 0;
        spin->repeated = 0;
    }
    if (!is_known(spin, what)) {
        spin->repeated = 0;
        last_new = last_other = ck_shared->result.steps;
        return;
    }
    if (++spin->repeated >= (ck_is_instrumented ? TIRED * patience() : TIRED_BLIND))
        mark(spin);
}

void ck_spin_yield(struct ck_thread *thread)
{
    mark(spin_of(thread));
}

void ck_spin_offer(struct ck_thread *thread)
{
    struct ck_spin *spin = spin_of(thread);

    spin->repeated += OFFER;
    if (spin->repeated >= TIRED * patience())
        mark(spin);
}

void ck_made_progress(void)
{
    progress++;
    last_new = last_other = ck_shared->result.steps;
    if (ck_self) {
        spin_of(ck_self)->progress++;
        ck_self->spin->repeated = 0;
    }
}

uint64_t ck_spin_quiet(void)
{
    return ck_shared->result.steps - last_new;
}

uint64_t ck_spin_rut(void)
{
    return ck_shared->result.steps - last_other;
}

void ck_spin_reset(void)
{
    last_new = ck_shared->result.steps;
}

void ck_spin_worked(void)
{
    if (!ck_is_instrumented)
        last_new = ck_shared->result.steps;
}

void ck_spin_time_passed(void)
{
    progress++;
}
