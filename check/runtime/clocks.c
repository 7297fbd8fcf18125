/* SPDX-License-Identifier: MIT */
/* clocks.c - vector clocks.
 *
 * Each thread counts; an entry of a clock is up to which count of that thread is known to have
 * happened. A thread's count rises with each of its releases, so that what it does afterwards is
 * not taken for released.
 *
 *   H1  hb->clock[hb->thread] is the count in hb->id; no other clock has a higher entry for that
 *       thread, and only clocks that come from a release, a creation or a join have an equal one
 *       minus one
 *   H2  a clock is as long as the highest thread that it knows: programs of three threads pay for
 *       three
 *   H3  the clock of a thread that has ended stays: it may be joined later
 *
 * Fences follow C11 7.17.4: a release fence keeps a copy of the clock, which later relaxed stores
 * hand on; relaxed loads collect what an acquire fence takes. A sequentially consistent fence is
 * both. It adds no edge between two such fences: neither does C11 (what it adds is about values,
 * and values are sequentially consistent here anyway).
 *
 * Rejected: tree clocks and sparse clocks. A join of a hundred entries is some vector instructions.
 *
 * Checked by: tests/unit/check/test_races.c */
#include "check/runtime/clocks.h"

#include <string.h>

#include "check/runtime/arena.h"
#include "check/runtime/hb.h"
#include "check/runtime/sched.h"

enum { ROOM_STEP = 8 };

static uint32_t room(uint32_t count)
{
    return (count + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;
}

static void grow(struct ck_sync *clock, uint32_t count)
{
    uint32_t *larger;

    if (count <= clock->count)
        return;
    if (room(count) > room(clock->count)) {
        larger = ck_alloc(room(count) * sizeof *larger);
        if (clock->count > 0)
            memcpy(larger, clock->clock, clock->count * sizeof *larger);
        ck_free(clock->clock, room(clock->count) * sizeof *larger);
        clock->clock = larger;
    }
    clock->count = count;
}

static void join(struct ck_sync *into, const struct ck_sync *from)
{
    grow(into, from->count);
    for (uint32_t i = 0; i < from->count; i++)
        into->clock[i] = into->clock[i] > from->clock[i] ? into->clock[i] : from->clock[i];
}

static void clear(struct ck_sync *clock)
{
    if (clock->count > 0)
        memset(clock->clock, 0, clock->count * sizeof *clock->clock);
}

/* Entries beyond `from` become 0, which is the same as that they are not there. */
static void copy(struct ck_sync *to, const struct ck_sync *from)
{
    clear(to);
    join(to, from);
}

void ck_sync_fini(struct ck_sync *sync)
{
    ck_free(sync->clock, room(sync->count) * sizeof *sync->clock);
    *sync = (struct ck_sync){0};
}

/* H1. What was handed on is the past. */
static void advance(struct ck_hb *hb)
{
    hb->clock.clock[hb->thread]++;
    hb->id++;
}

void ck_acquire(const struct ck_sync *sync)
{
    join(&ck_self->hb->clock, sync);
}

void ck_release(struct ck_sync *sync)
{
    join(sync, &ck_self->hb->clock);
    advance(ck_self->hb);
}

void ck_release_store(struct ck_sync *sync)
{
    copy(sync, &ck_self->hb->clock);
    advance(ck_self->hb);
}

static void inherit(struct ck_hb *child, struct ck_hb *creator)
{
    join(&child->clock, &creator->clock);
    join(&child->forks, &creator->forks);
    grow(&child->forks, creator->thread + 1);
    child->forks.clock[creator->thread] = creator->clock.clock[creator->thread];
    advance(creator);
}

void ck_hb_begin(struct ck_thread *child, const struct ck_thread *creator)
{
    struct ck_hb *hb = ck_alloc(sizeof *hb);

    hb->thread = child->id;
    hb->stack_low = child->stack_low;
    hb->stack_bytes = child->stack_high - child->stack_low;
    if (creator)
        inherit(hb, creator->hb);
    grow(&hb->clock, child->id + 1);
    hb->clock.clock[child->id] = 1;
    hb->id = (uint64_t)child->id << CK_ID_THREAD_SHIFT | 1;
    child->hb = hb;
    ck_hb_forget(hb->stack_low, creator ? hb->stack_bytes : 0);
}

void ck_hb_join(const struct ck_thread *ended)
{
    struct ck_hb *self = ck_self->hb;

    join(&self->clock, &ended->hb->clock);
    join(&self->forks, &ended->hb->forks);
    grow(&self->forks, ended->id + 1);
    self->forks.clock[ended->id] = ended->hb->clock.clock[ended->id];
}

void ck_sync_copy(struct ck_sync *to, const struct ck_sync *from)
{
    copy(to, from);
}

void ck_hb_snapshot(struct ck_sync *ret)
{
    copy(ret, &ck_self->hb->clock);
}

uint32_t ck_hb_time(void)
{
    return (uint32_t)ck_self->hb->id;
}

bool ck_hb_knows(const struct ck_sync *snapshot, uint32_t thread, uint32_t time)
{
    return ck_clock_of(snapshot, thread) >= time;
}

/* --- atomic operations --- */

void ck_hb_load(const struct ck_sync *at, bool is_acquire)
{
    if (at)
        join(is_acquire ? &ck_self->hb->clock : &ck_self->hb->loaded, at);
}

void ck_hb_store(struct ck_sync *at, bool is_release)
{
    if (is_release)
        ck_release_store(at);
    else
        copy(at, &ck_self->hb->fenced);
}

/* It continues the release sequence that it reads from: nothing is taken out of `at`. */
void ck_hb_modify(struct ck_sync *at, bool is_acquire, bool is_release)
{
    ck_hb_load(at, is_acquire);
    if (is_release)
        ck_release(at);
    else
        join(at, &ck_self->hb->fenced);
}

void ck_hb_fence(bool is_acquire, bool is_release)
{
    struct ck_hb *hb = ck_self->hb;

    if (is_acquire)
        join(&hb->clock, &hb->loaded);
    if (is_release) {
        copy(&hb->fenced, &hb->clock);
        advance(hb);
    }
}
