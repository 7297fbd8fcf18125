/* SPDX-License-Identifier: MIT */
/* forks.c - fork stacks: split like the deque, but the slots hold the forks themselves.
 *
 *        top            split                head
 *         |  public       |  private          |
 *   [#####v###############v###################[-----------]
 *    taken                                     EMPTY        slots, 64 bytes each
 *
 * A task that forks has one. `head` is nowhere in memory: inline code hands it down as an argument.
 * Instead each slot says whether it is in use: a fork stores its kind, a join stores EMPTY (NULL),
 * so the slots in use are those before the first EMPTY one. The owner forks and joins in the
 * private part with plain loads and stores. All else happens under the lock: taking the
 * oldest public fork, moving the split, taking a public fork back.
 *
 * A stack belongs to a task, not to a worker, because tasks of one worker interleave when they
 * block and a stack's forks are joined in order. It is the task's only while forks may be open, so
 * that a million tasks which have forked once hold no million stacks of 32 KiB; it goes back to the
 * worker's free list then. Stacks are never freed before their scheduler is closed: a thief that
 * still looks at one that has changed hands sees slots that are EMPTY, or forks that it may have.
 *
 * Invariants, with the lock held and the owner not inside a join:
 *   F1  slots <= top <= split <= head; slots before head are in use, the others EMPTY
 *   F2  slots before top are taken; each is joined by way of rvi_forks_settle
 *   F3  what children inherit of the task (scopes, shields, values) changes under the lock
 * Who writes: kind: the owner. split, top: the lock's holder.
 *
 * Why no fork is lost or run twice. Thieves exclude each other, and all slow paths of the
 * owner, by the lock. What is left is the owner's join of slot i against a thief that raises the
 * split from s:
 *
 *     owner                                thief, lock held
 *     O1  kind[i] = EMPTY                  T1  split = s2, somewhere above s
 *     O2  light fence                      T2  heavy fence
 *     O3  v = split                        T3  r = the first in [s, s2) seen EMPTY, or s2
 *     O4  i >= v: it is mine               T4  split = r
 *         else: to the lock
 *
 * The fences guarantee that (A) O3 sees s2 or something later, or (B) T3 sees EMPTY in slot i or
 * something later (queue/deque.c says why for the asymmetric pair). Let i be in [s, s2).
 *   (A) v = s2, or v = r and i < r: the owner goes to the lock, and what it finds there holds. v =
 *       r and i >= r: i stays private.
 *   (B), not (A): the owner takes i. If T3 saw EMPTY, r <= i and i is private. If it saw a later
 *       fork in the same slot, that is the one it may have: the join of that fork comes after the
 *       fork, and so after what T3 has read; were it (B), T3 would have seen its EMPTY. So it is
 *       (A). The fork's store is a release and T3 an acquire: the thief sees the arguments.
 * Each slot below r was seen in use, and its join has to come to the lock: all of them are in use
 * until the lock is free, but for one that the owner has marked EMPTY on its way to the lock. A
 * thief that meets that mark leaves the slot alone.
 *
 * No idle worker sleeps while there is work. A worker that goes to sleep sets `trap` in every
 * stack, heavy fence, looks for two forks in one; who forks stores the kind, light fence, reads
 * the trap. One sees the other. A trapped fork that is the second clears the trap and wakes
 * somebody; clearing is a read-modify-write that reads the setter's store, so the setter's sleeper
 * is seen asleep. A lone fork wakes nobody but the monitor, as a lone task does (search.c), and
 * leaves the trap set. Without idle workers forks look at the trap alone.
 *
 * Without the asymmetric fence (an old kernel, ThreadSanitizer) everything is public at once: split
 * lies beyond every slot and the trap is always set, so that each join comes to the lock and each
 * fork passes a real fence.
 *
 * Rejected: Lace's request flag, by which the owner raises the split itself: an owner in a long
 * computation would not answer, and the flag is one more load a fork. A stack that grows: who is
 * some 500 forks deep has given thieves enough to do. A compare-and-swap a join (Wool): 5.6 ns.
 *
 * Checked by: tests/unit/sched/test_forks.c, tests/unit/task/test_fork.c,
 * tests/stress/stress_fork.c */
#include "sched/forks.h"

#include <string.h>

#include "base/alloc.h"
#include "sched/sched.h"
#include "sched/worker.h"
#include "sys/fence.h"

enum {
    SLOTS = (RVI_FORK_STACK_BYTES - sizeof(struct rvi_forks)) / sizeof(struct rvi_fork_slot),
    LONE_LOOKS = 4, /* searches that pass a lone fork by: mostly it is joined the next instant */
};

static bool is_all_public(void)
{
    return !rvi_fence_is_asymmetric;
}

static struct rvi_fork_slot *end_of(const struct rvi_forks *forks)
{
    return (struct rvi_fork_slot *)(uintptr_t)(forks->slots + SLOTS);
}

/* NULL: EMPTY, or no slot of this stack any more. */
static const struct rvi_fork_kind *kind_of(const struct rvi_forks *forks,
                                           const struct rvi_fork_slot *slot)
{
    return slot < end_of(forks) ? rvi_load_acquire(&slot->kind) : NULL; /* pairs: fork-kind */
}

static bool is_in_use(const struct rvi_forks *forks, const struct rvi_fork_slot *slot)
{
    return kind_of(forks, slot) != NULL;
}

/* --- life --- */

static void set_split(struct rvi_forks *forks, struct rvi_fork_slot *split)
{
    if (!is_all_public())
        rvi_store_relaxed(&forks->seen.split, (uintptr_t)split);
}

static struct rvi_forks *forks_new(struct rvi_sched *sched)
{
    struct rvi_forks *forks =
        rvi_alloc_aligned((size_t)2 * RVI_FORK_STACK_BYTES, RVI_FORK_STACK_BYTES);

    if (!forks)
        return NULL;
    memset(forks, 0, RVI_FORK_STACK_BYTES);
    rvi_lock_init(&forks->lock);
    forks->hint = forks->slots;
    rvi_store_relaxed(&forks->top, forks->slots);
    rvi_store_relaxed(&forks->seen.split, is_all_public() ? UINTPTR_MAX : (uintptr_t)forks->slots);
    rvi_store_relaxed(&forks->seen.trap, sched->worker_count > 1); /* somebody may sleep already */
    forks->next = rvi_load_relaxed(&sched->forks);
    while (!rvi_cas_acq_rel(&sched->forks, &forks->next, forks)) /* pairs: forks-list */
        ;
    return forks;
}

struct rvi_forks *rvi_forks_first(const struct rvi_sched *sched)
{
    return rvi_load_acquire(&sched->forks); /* pairs: forks-list */
}

struct rvi_forks *rvi_forks_take(struct rvi_worker *w, struct rvi_task *task)
{
    struct rvi_forks *forks = w->free_forks;

    if (rvi_likely(forks != NULL))
        w->free_forks = forks->next_free;
    else if (!(forks = forks_new(w->sched)))
        return NULL;
    RV_DCHECK(forks->entries == 0 && !is_in_use(forks, forks->slots));
    forks->task = task; /* the first fork's release store shows it to thieves */
    task->forks = forks;
    return forks;
}

void rvi_forks_give(struct rvi_worker *w, struct rvi_forks *forks)
{
    RV_DCHECK(forks->entries == 0 && !is_in_use(forks, forks->slots));
    forks->task->forks = NULL;
    forks->next_free = w->free_forks;
    w->free_forks = forks;
}

void rvi_forks_fini(struct rvi_sched *sched)
{
    struct rvi_forks *forks = rvi_forks_first(sched);

    while (forks) {
        struct rvi_forks *next = forks->next;
        rvi_free(forks);
        forks = next;
    }
}

/* --- the owner --- */

/* The first EMPTY one, by halving. */
struct rvi_fork_slot *rvi_forks_search(const struct rvi_forks *forks)
{
    const struct rvi_fork_slot *low = forks->slots, *high = end_of(forks);

    while (low < high) {
        const struct rvi_fork_slot *middle = low + (high - low) / 2;
        if (is_in_use(forks, middle))
            low = middle + 1;
        else
            high = middle;
    }
    return (struct rvi_fork_slot *)(uintptr_t)low;
}

void rvi_forks_call(struct rvi_forks *forks)
{
    struct rvi_sched *sched = forks->task->birth->sched;

    rvi_fence_light(); /* pairs: fork-look */
    if (!is_in_use(forks, rvi_load_relaxed(&forks->top) + 1)) {
        rvi_monitor_call(sched);
        return;
    }
    if (!is_all_public())
        (void)rvi_exchange_acq_rel(&forks->seen.trap, 0); /* pairs: fork-trap */
    rvi_sched_wake_one(sched);
}

/* Half of what is public becomes private again, for the joins that follow. */
bool rvi_forks_reclaim(struct rvi_forks *forks, struct rvi_fork_slot *slot)
{
    rvi_lock_acquire(&forks->lock);
    struct rvi_fork_slot *top = rvi_load_relaxed(&forks->top);
    bool is_mine = slot >= top;
    struct rvi_fork_slot *half = is_mine ? top + (slot - top) / 2 : NULL;
    if (is_mine && (uintptr_t)half < rvi_load_relaxed(&forks->seen.split))
        set_split(forks, half);
    rvi_lock_release(&forks->lock);
    return is_mine;
}

void rvi_forks_settle(struct rvi_forks *forks, struct rvi_fork_slot *slot)
{
    rvi_lock_acquire(&forks->lock);
    RV_CHECK(rvi_load_relaxed(&forks->top) == slot + 1);
    rvi_store_relaxed(&forks->top, slot);
    set_split(forks, slot);
    rvi_lock_release(&forks->lock);
}

/* --- thieves --- */

bool rvi_forks_tempts(struct rvi_forks *forks)
{
    struct rvi_fork_slot *top = rvi_load_relaxed(&forks->top);

    if (!is_in_use(forks, top)) {
        rvi_store_relaxed(&forks->lone_looks, 0);
        return false;
    }
    if ((uintptr_t)top < rvi_load_relaxed(&forks->seen.split) || is_in_use(forks, top + 1))
        return true;
    uint32_t looks = rvi_load_relaxed(&forks->lone_looks) + 1;
    rvi_store_relaxed(&forks->lone_looks, looks < LONE_LOOKS ? looks : 0);
    return looks >= LONE_LOOKS;
}

/* Lock held. Makes about half of the private forks public. T1 to T4 of the essay. */
static void raise_split(struct rvi_forks *forks, struct rvi_fork_slot *split)
{
    ptrdiff_t count = 1;

    while (is_in_use(forks, split + count))
        count *= 2;
    struct rvi_fork_slot *wanted = split + (count + 1) / 2, *raised = split;
    rvi_store_relaxed(&forks->seen.split, (uintptr_t)wanted);
    rvi_fence_heavy(); /* pairs: fork-split */
    while (raised < wanted && is_in_use(forks, raised))
        raised++;
    rvi_store_relaxed(&forks->seen.split, (uintptr_t)raised);
}

struct rvi_fork_slot *rvi_forks_claim(struct rvi_forks *forks,
                                      const struct rvi_fork_kind **ret_kind)
{
    struct rvi_fork_slot *top = rvi_load_relaxed(&forks->top);

    if ((uintptr_t)top == rvi_load_relaxed(&forks->seen.split) && is_in_use(forks, top))
        raise_split(forks, top);
    if ((uintptr_t)top >= rvi_load_relaxed(&forks->seen.split))
        return NULL;
    *ret_kind = kind_of(forks, top);
    if (!*ret_kind)
        return NULL;
    rvi_store_relaxed(&forks->top, top + 1);
    return top;
}

/* --- who goes to sleep --- */

void rvi_forks_arm(struct rvi_sched *sched)
{
    for (struct rvi_forks *forks = rvi_forks_first(sched); forks; forks = forks->next)
        rvi_store_release(&forks->seen.trap, 1); /* pairs: fork-trap */
}

bool rvi_forks_have(const struct rvi_sched *sched, int count)
{
    for (struct rvi_forks *forks = rvi_forks_first(sched); forks; forks = forks->next) {
        if (is_in_use(forks, rvi_load_relaxed(&forks->top) + count - 1))
            return true;
    }
    return false;
}
