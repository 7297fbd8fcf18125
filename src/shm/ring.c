/* SPDX-License-Identifier: MIT */
/* ring.c - see ring.h for the protocol.
 *
 * Invariants, for an index i with collected <= i < sent, and slot i its own:
 *   I1  a slot is written by the parent in FREE, DONE and PASSED, by the worker in TAKEN; in QUEUED
 *       and RECALLED nobody writes but its state
 *   I2  the worker's `next` lies from collected to sent; below it slots are DONE or PASSED, the
 *       last one perhaps TAKEN; from it on they are QUEUED or RECALLED
 *   I3  a job has begun if and only if its slot has been TAKEN
 * No index stands in a slot: it is sent anew only after the worker has left it for good, so what
 * the worker finds QUEUED at `next` was sent for this lap.
 *
 * What is handed over. The parent's store of QUEUED releases the request, the worker's
 * compare-and-swap to TAKEN acquires it ("slot-sent"). The worker's store of DONE releases status
 * and result, the parent's load acquires them ("slot-done"); PASSED likewise gives the slot back.
 * A recall gives nothing away that the worker has seen, and acquires nothing.
 *
 * Death. Each state is one aligned word, written by one instruction, so a worker that is killed
 * between any two has left every slot in one state of the list. Killed before the compare-and-swap
 * took effect: QUEUED, and somebody else may have the job. Until DONE is written: TAKEN, it had
 * begun and what it has done is not known. After that: DONE, with all of its result, whether the
 * bell was rung or not. What the worker holds besides is its `bed`, which then only costs a wake
 * for nobody.
 *
 * Sleeping. Both of the sides that sleep say so first, look again, and then sleep; the sides that
 * have something to tell write it first, and then look whether anybody sleeps:
 *
 *     worker                        parent
 *     bed = ASLEEP                  slot->state = QUEUED
 *     fence                         fence
 *     if slot->state: do not        if bed == ASLEEP: bed = AWAKE, wake
 *     sleep while bed == ASLEEP
 *
 * Of the two sequentially consistent fences ("ring-bed") one is first, and whoever passes the
 * second sees what was written before the first: either the worker sees the job or the parent the
 * sleeper. The bed is written by the parent before the wake, not by the worker alone, so that the
 * sleep ends also when the wake comes before it has begun. That the parent may write AWAKE after
 * the worker has gone to bed for the next time, having been slow since its look, costs the worker
 * one look, as it sees that the bed is not what it made it. The bell (bell.h) is the same the other
 * way round.
 *
 * Rejected:
 *   - cursors for what is sent and what is done beside the slots: two lines of the cache go each
 *     way instead of one, which alone is twice the time of a round trip;
 *   - a ring of completions apart from that of requests: again a line more;
 *   - membarrier(2) in place of the fences: across processes it interrupts every core that runs one
 *     of those that have registered.
 *
 * Checked by: tests/unit/shm/test_ring.c, test_ring_death.c (killed at every instruction),
 * tests/stress/stress_shm.c, tests/explore/explore_low.c, tests/fuzz/fuzz_ring.c */
#include "shm/ring.h"

#include <errno.h>

#include "base/alloc.h"
#include "sys/futex.h"

enum { AWAKE = 0, ASLEEP = 1 };

size_t rvi_ring_bytes(uint32_t slot_count)
{
    return sizeof(struct rvi_ring_shared) + slot_count * sizeof(struct rvi_slot);
}

/* --- the parent's side --- */

int rvi_ring_init(struct rvi_ring *ring, void *memory, uint32_t slot_count, int usable_cores)
{
    RV_DCHECK(slot_count > 0 && slot_count <= RVI_RING_MOST);
    RV_DCHECK((slot_count & (slot_count - 1)) == 0);
    RV_DCHECK((uintptr_t)memory % RVI_SLOT_BYTES == 0);
    *ring = (struct rvi_ring){.shared = memory, .mask = slot_count - 1};
    ring->is_recalled = rvi_calloc(slot_count, sizeof(*ring->is_recalled));
    if (!ring->is_recalled)
        return -ENOMEM;
    ring->slots = ring->shared->slots;
    ring->shared->slot_count = slot_count;
    ring->shared->usable_cores = usable_cores;
    return 0;
}

void rvi_ring_fini(struct rvi_ring *ring)
{
    rvi_free(ring->is_recalled);
    *ring = (struct rvi_ring){0};
}

uint64_t rvi_ring_send(struct rvi_ring *ring)
{
    struct rvi_slot *slot = rvi_ring_slot(ring, ring->sent);

    RV_DCHECK(rvi_ring_room(ring) == slot);
    ring->is_recalled[ring->sent & ring->mask] = false;
    rvi_store_release(&slot->state, RVI_SLOT_QUEUED); /* pairs: slot-sent */
    return ring->sent++;
}

/* Both sides of it: the parent's with a job, the worker's own other thread's with the end. */
static void call_worker(struct rvi_ring_shared *shared)
{
    rvi_fence_seq_cst(); /* pairs: ring-bed */
    if (rvi_likely(rvi_load_relaxed(&shared->bed) == AWAKE))
        return;
    rvi_store_relaxed(&shared->bed, AWAKE);
    rvi_futex_wake_shared(&shared->bed, 1);
}

void rvi_ring_call(struct rvi_ring *ring)
{
    call_worker(ring->shared);
}

bool rvi_ring_recall(struct rvi_ring *ring, uint64_t index)
{
    struct rvi_slot *slot = rvi_ring_slot(ring, index);
    uint32_t state = RVI_SLOT_QUEUED;

    RV_DCHECK(index >= ring->collected && index < ring->sent);
    if (!rvi_cas_relaxed(&slot->state, &state, RVI_SLOT_RECALLED))
        return false;
    ring->is_recalled[index & ring->mask] = true;
    return true;
}

bool rvi_ring_has_begun(const struct rvi_ring *ring, uint64_t index)
{
    uint32_t state = rvi_load_relaxed(&rvi_ring_slot(ring, index)->state);

    return state != RVI_SLOT_QUEUED && !ring->is_recalled[index & ring->mask];
}

/* What the oldest slot's state says: whether it has ended, not yet, or nonsense. */
static int judge(uint32_t state, bool is_recalled)
{
    if (is_recalled)
        return state == RVI_SLOT_PASSED ? 1 : state == RVI_SLOT_RECALLED ? 0 : -EPROTO;
    if (state == RVI_SLOT_DONE)
        return 1;
    return state == RVI_SLOT_QUEUED || state == RVI_SLOT_TAKEN ? 0 : -EPROTO;
}

static int look_at_oldest(const struct rvi_ring *ring)
{
    if (ring->collected == ring->sent)
        return 0;
    struct rvi_slot *slot = rvi_ring_slot(ring, ring->collected);
    uint32_t state = rvi_load_acquire(&slot->state); /* pairs: slot-done */
    return judge(state, ring->is_recalled[ring->collected & ring->mask]);
}

bool rvi_ring_has_end(const struct rvi_ring *ring)
{
    return look_at_oldest(ring) != 0;
}

int rvi_ring_collect(struct rvi_ring *ring, struct rvi_ring_end *ret)
{
    uint64_t index = ring->collected;
    int r = look_at_oldest(ring);

    if (r <= 0)
        return r;
    bool is_recalled = ring->is_recalled[index & ring->mask];
    ring->collected++;
    *ret = (struct rvi_ring_end){
        .index = index,
        .fate = is_recalled ? RVI_FATE_RECALLED : RVI_FATE_DONE,
        .status = is_recalled ? 0 : rvi_load_relaxed(&rvi_ring_slot(ring, index)->status),
    };
    return 1;
}

/* A state that no worker leaves counts as begun: such a job must not run again. */
static enum rvi_fate fate_of(uint32_t state, bool is_recalled)
{
    if (is_recalled)
        return RVI_FATE_RECALLED;
    if (state == RVI_SLOT_QUEUED)
        return RVI_FATE_UNBEGUN;
    return state == RVI_SLOT_DONE ? RVI_FATE_DONE : RVI_FATE_LOST;
}

bool rvi_ring_bury(struct rvi_ring *ring, struct rvi_ring_end *ret)
{
    uint64_t index = ring->collected;
    struct rvi_slot *slot = rvi_ring_slot(ring, index);

    if (index == ring->sent)
        return false;
    uint32_t state = rvi_load_acquire(&slot->state); /* pairs: slot-done */
    enum rvi_fate fate = fate_of(state, ring->is_recalled[index & ring->mask]);
    int status = fate == RVI_FATE_DONE ? rvi_load_relaxed(&slot->status) : 0;
    ring->collected++;
    *ret = (struct rvi_ring_end){.index = index, .fate = fate, .status = status};
    return true;
}

/* --- the worker's side --- */

void rvi_taker_init(struct rvi_taker *taker, struct rvi_ring_shared *shared,
                    const struct rvi_bell *bell)
{
    *taker = (struct rvi_taker){
        .shared = shared,
        .slots = shared->slots,
        .mask = shared->slot_count - 1,
        .bell = bell,
    };
    rvi_spin_init(&taker->spin, shared->usable_cores);
}

static struct rvi_slot *next_slot(const struct rvi_taker *taker)
{
    return &taker->slots[taker->next & taker->mask];
}

/* Whether the next slot is one to take, or to pass. */
static bool has_news(const struct rvi_taker *taker)
{
    uint32_t state = rvi_load_relaxed(&next_slot(taker)->state);

    return state == RVI_SLOT_QUEUED || state == RVI_SLOT_RECALLED ||
           rvi_load_relaxed(&taker->has_quit);
}

/* QUEUED -> TAKEN, unless the parent is faster. */
static bool try_begin(struct rvi_slot *slot)
{
    uint32_t state = RVI_SLOT_QUEUED;

    return rvi_load_relaxed(&slot->state) == RVI_SLOT_QUEUED &&
           rvi_cas_acquire(&slot->state, &state, RVI_SLOT_TAKEN); /* pairs: slot-sent */
}

static bool try_pass(struct rvi_slot *slot)
{
    if (rvi_load_relaxed(&slot->state) != RVI_SLOT_RECALLED)
        return false;
    rvi_store_release(&slot->state, RVI_SLOT_PASSED); /* pairs: slot-done */
    return true;
}

/* Those recalled are passed on the way, and the parent told, who may wait for room. */
static struct rvi_slot *try_take(struct rvi_taker *taker)
{
    uint64_t before = taker->next;
    struct rvi_slot *slot = next_slot(taker);
    bool has_begun;

    while (!(has_begun = try_begin(slot)) && try_pass(slot)) {
        taker->next++;
        slot = next_slot(taker);
    }
    if (rvi_unlikely(taker->next != before) && taker->bell)
        rvi_bell_ring(taker->bell);
    taker->next += has_begun;
    return has_begun ? slot : NULL;
}

static bool spin_for_news(struct rvi_taker *taker)
{
    struct rvi_spin_turn turn = {0};
    bool found;

    while (!(found = has_news(taker)) && rvi_spin_again(&taker->spin, &turn))
        continue;
    rvi_spin_end(&taker->spin, found);
    return found;
}

static int sleep_for_news(struct rvi_taker *taker, int64_t deadline)
{
    _Atomic(uint32_t) *bed = &taker->shared->bed;
    int r = 0;

    rvi_store_relaxed(bed, ASLEEP);
    rvi_fence_seq_cst(); /* pairs: ring-bed */
    if (!has_news(taker))
        r = rvi_futex_wait_shared(bed, ASLEEP, deadline);
    rvi_store_relaxed(bed, AWAKE);
    return r == -ETIME ? r : 0;
}

int rvi_ring_take(struct rvi_taker *taker, struct rvi_slot **ret, int64_t deadline)
{
    int r = 0;

    taker->has_waited = false;
    for (;;) {
        if (rvi_load_relaxed(&taker->has_quit))
            return -ECANCELED;
        if ((*ret = try_take(taker)))
            return 0;
        if (r < 0)
            return r;
        taker->has_waited = true;
        if (!spin_for_news(taker))
            r = sleep_for_news(taker, deadline);
    }
}

void rvi_ring_done(struct rvi_taker *taker, struct rvi_slot *slot, int status)
{
    RV_DCHECK(rvi_load_relaxed(&slot->state) == RVI_SLOT_TAKEN);
    rvi_store_relaxed(&slot->status, status);
    rvi_store_release(&slot->state, RVI_SLOT_DONE); /* pairs: slot-done */
    if (taker->bell)
        rvi_bell_ring(taker->bell);
}

void rvi_ring_quit(struct rvi_taker *taker)
{
    rvi_store_relaxed(&taker->has_quit, 1);
    call_worker(taker->shared);
}
