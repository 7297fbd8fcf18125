/* SPDX-License-Identifier: MIT */
/* deque.c - split work-stealing deque with an asymmetric fence.
 *
 *        top            split               bottom
 *         |  public       |  private          |
 *         v               v                   v
 *   ------[###############[###################[------    indexes grow, slot = index & mask
 *         thieves take    owner pops          owner pushes
 *         from here       from here           here
 *
 * As in Lace (van Dijk and van de Pol 2014) the items are split into a public part, for thieves,
 * and a private one, the owner's. The owner pushes and pops in the private part with plain loads
 * and stores. All else happens under the lock, which thieves only try: taking from the public part,
 * moving the split, growing. Unlike Lace, a thief that finds nothing public moves the split itself
 * and does not ask the owner to: an owner in a long computation would not answer. The fence that
 * Dekker's pattern wants between the owner's store of `bottom` and its load of `split` is the
 * light half of an asymmetric one (Dice, Huang and Yang 2001; membarrier(2)); a thief pays
 * the heavy half, and only when it moves the split, which half of the private items then cross.
 *
 * Invariants, with the lock held and the owner not inside rvi_deque_pop:
 *   D1  0 <= top <= split <= bottom <= top + capacity, and bottom <= limit <= top + capacity
 *   D2  the slot of each index in [top, bottom) holds the item pushed there last, not NULL
 *   D3  capacity = mask + 1 is a power of two
 * Who writes: bottom, limit: the owner. slots, mask: the owner, with the lock. top, split: the
 * lock's holder. top never decreases. Indexes are signed: a pop at bottom == top == 0 shows
 * bottom == -1 for a moment.
 *
 * Why no item is lost or taken twice
 *
 * Thieves exclude each other, and all slow paths of the owner, by the lock. What is left is one
 * owner's fast pop of index b against one thief that raises the split from s:
 *
 *     owner                                thief, lock held
 *     O1  bottom = b                       T1  b1 = bottom; s2 in (s, b1]; split = s2
 *     O2  light fence                      T2  heavy fence
 *     O3  v = split                        T3  b2 = bottom
 *     O4  b >= v: slots[b] is mine         T4  split = max(s, min(s2, b2))   =: r
 *         else: to the lock                T5  take from [top, r)
 *
 * The fences guarantee for each pop that (A) O3 sees s2 or something later in split's modification
 * order, or (B) T3 sees the store O1 or something later in bottom's. For real fences that is their
 * order in the single total order. For the asymmetric pair, the heavy fence makes the owner's core
 * run a full barrier at some point P of its program while T2 is under way: if P is before O3, what
 * T1 stored is seen by O3; otherwise O1 is before P, and T3 sees it. O1 and O3 keep their program
 * order around a compiler barrier as far as P can tell. The thief gains indexes in [s, r), so only
 * a pop of some b in [s, s2) can conflict:
 *
 *   (A) v is s2, or r, or something later.
 *       v = s2: b < v, the owner goes to the lock and waits there for T5.
 *       v = r and b < r: the same. v = r and b >= r: the owner takes b; the thief takes only below
 *       r, and a later thief needs a raise of its own first, for which this argument starts again
 *       with s = r.
 *       v is from a later raise: likewise. v is from the owner's own lowering, under the lock and
 *       after T5: all from v on was private then, and is until a later raise.
 *   (B) but not (A): O3 read s, or older, and the owner takes b. T3 read O1's store or a later one.
 *       If b2 <= b, then r <= max(s, b) = b: index b stays private. If b2 > b, the owner has since
 *       pushed b again, and b2's store is a release that comes after that push: the thief sees
 *       the new item in the slot. A later pop of that new item is one more pop, with its own (A)
 *       or (B); under (B) it is in b2 too, as bottom's modification order is program order.
 *
 * A pop of some b < s would have to read a split older than s, so it missed the raise to s. That
 * raise had its fence: the same case (B) says that it left b private, or public with a newer item
 * in it. Reading a split that is too high, such as s2 after T4, only costs a slow path.
 *
 * The owner's bottom is one too small between O1 and the moment at which pop_slow restores it.
 * A thief that sees this in T1 raises less, or nothing. In T3: r = b >= s leaves b private, and the
 * owner, once it has the lock, takes b wherever the split is; b < s is why T4 has its max: what
 * is public already stays so, and the owner cannot take it without the lock either.
 *
 * Orders. bottom: each store by the owner is a release, each load in T1 and T3 an acquire, so the
 * slots below the bottom that was read are visible; the stores in pop carry no item, but b2 may
 * come from one, and then stands for the pushes before it. split: relaxed, the fences order it.
 * top: relaxed; the lock orders it, and a thief's reads of slots before the owner writes over
 * them, as `limit` follows top only under the lock. The owner may read top without the lock to
 * learn that the deque is empty: top == bottom cannot change until it pushes.
 *
 * Growing replaces the array under the lock and frees the old one at once: a thief reads slots
 * under the lock only. The array does not shrink: it costs 8 bytes an item of the peak.
 *
 * Rejected: Chase and Lev 2005, in the form of Le, Pop, Cohen and Zappa Nardelli 2013. Each pop
 * there has a full fence (5.4 of 5.8 ns for push and pop, measured) and a read-modify-write for the
 * last item; a thief that takes several items by one compare-and-swap of top races with pops
 * that pass it without one, so batches are unsound; and as thieves read slots at any time, old
 * arrays are kept until the end or need a reclamation scheme. What it has over this one: thieves
 * do not exclude each other. Here a thief that finds the lock taken goes to another victim.
 *
 * Checked by: tests/unit/queue/test_deque.c, tests/stress/stress_deque.c */
#include "queue/deque.h"

#include <errno.h>

#include "base/alloc.h"

enum { MIN_CAPACITY = 64 };

_Static_assert(sizeof(struct rvi_deque) == 2 * RVI_CACHE_LINE, "the owner's line, the thieves'");

static int64_t min_index(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool is_valid_locked(struct rvi_deque *deque)
{
    int64_t top = rvi_load_relaxed(&deque->top);
    int64_t split = rvi_load_relaxed(&deque->split);
    int64_t bottom = rvi_load_relaxed(&deque->bottom);
    int64_t capacity = deque->mask + 1;
    if (capacity < MIN_CAPACITY || (capacity & deque->mask) != 0)
        return false;
    if (top < 0 || top > split || split > bottom)
        return false;
    if (bottom > deque->limit || deque->limit > top + capacity)
        return false;
    for (int64_t i = top; i < bottom; i++) {
        if (deque->slots[i & deque->mask] == NULL)
            return false;
    }
    return true;
}

int rvi_deque_init(struct rvi_deque *deque)
{
    RV_DCHECK((uintptr_t)deque % RVI_CACHE_LINE == 0);
    deque->slots = rvi_alloc(MIN_CAPACITY * sizeof(*deque->slots));
    if (deque->slots == NULL)
        return -ENOMEM;
    deque->mask = MIN_CAPACITY - 1;
    deque->limit = MIN_CAPACITY;
    rvi_store_relaxed(&deque->top, 0);
    rvi_store_relaxed(&deque->split, 0);
    rvi_store_relaxed(&deque->bottom, 0);
    rvi_lock_init(&deque->lock);
    return 0;
}

void rvi_deque_fini(struct rvi_deque *deque)
{
    RV_DCHECK(rvi_deque_count(deque) == 0);
    rvi_free(deque->slots);
    deque->slots = NULL;
}

/* Lock held. */
static int grow(struct rvi_deque *deque, int64_t top, int64_t bottom)
{
    int64_t capacity = 2 * (deque->mask + 1);
    void **slots = rvi_alloc((size_t)capacity * sizeof(*slots));
    if (slots == NULL)
        return -ENOMEM;
    for (int64_t i = top; i < bottom; i++)
        slots[i & (capacity - 1)] = deque->slots[i & deque->mask];
    rvi_free(deque->slots);
    deque->slots = slots;
    deque->mask = capacity - 1;
    return 0;
}

/* Lets bottom go on past the limit. Thieves may have made room; less than a quarter of the array
 * would bring the owner back here too soon, and counts only when there is no memory for more. */
static int make_room(struct rvi_deque *deque)
{
    rvi_lock_acquire(&deque->lock);
    int64_t top = rvi_load_relaxed(&deque->top);
    int64_t bottom = rvi_load_relaxed(&deque->bottom);
    int64_t capacity = deque->mask + 1;
    int result = 0;
    if (bottom - top > capacity - capacity / 4)
        result = grow(deque, top, bottom);
    deque->limit = top + deque->mask + 1;
    RV_DCHECK_SLOW(is_valid_locked(deque));
    rvi_lock_release(&deque->lock);
    return bottom < deque->limit ? 0 : result;
}

int rvi_deque_push_slow(struct rvi_deque *deque, void *item)
{
    int result = make_room(deque);
    if (result < 0)
        return result;
    return rvi_deque_push(deque, item);
}

/* Undoes the step down of rvi_deque_pop, then does it all again with the lock. */
void *rvi_deque_pop_slow(struct rvi_deque *deque)
{
    int64_t bottom = rvi_load_relaxed(&deque->bottom) + 1;
    rvi_store_release(&deque->bottom, bottom); /* pairs: deque-bottom */
    if (rvi_load_relaxed(&deque->top) == bottom)
        return NULL;

    void *item = NULL;
    rvi_lock_acquire(&deque->lock);
    int64_t top = rvi_load_relaxed(&deque->top);
    if (top < bottom) {
        int64_t half = top + (bottom - top) / 2;
        if (half < rvi_load_relaxed(&deque->split))
            rvi_store_relaxed(&deque->split, half);
        item = deque->slots[--bottom & deque->mask];
        rvi_store_release(&deque->bottom, bottom); /* pairs: deque-bottom */
    }
    RV_DCHECK_SLOW(is_valid_locked(deque));
    rvi_lock_release(&deque->lock);
    return item;
}

void *rvi_deque_pop_oldest(struct rvi_deque *deque)
{
    if (rvi_deque_looks_empty(deque))
        return NULL;

    void *item = NULL;
    rvi_lock_acquire(&deque->lock);
    int64_t top = rvi_load_relaxed(&deque->top);
    if (top < rvi_load_relaxed(&deque->bottom)) {
        item = deque->slots[top++ & deque->mask];
        /* Raised by the owner, who is not popping meanwhile: no fence. */
        if (rvi_load_relaxed(&deque->split) < top)
            rvi_store_relaxed(&deque->split, top);
        rvi_store_relaxed(&deque->top, top);
    }
    RV_DCHECK_SLOW(is_valid_locked(deque));
    rvi_lock_release(&deque->lock);
    return item;
}

/* Lock held. Makes half of the private items public; returns the split. T1 to T4 of the essay. */
static int64_t raise_split(struct rvi_deque *deque, int64_t split)
{
    int64_t bottom = rvi_load_acquire(&deque->bottom); /* pairs: deque-bottom */
    if (bottom <= split)
        return split;
    int64_t wanted = split + (bottom - split + 1) / 2;
    rvi_store_relaxed(&deque->split, wanted);
    rvi_fence_heavy();                         /* pairs: deque-split */
    bottom = rvi_load_acquire(&deque->bottom); /* pairs: deque-bottom */
    int64_t raised = min_index(wanted, bottom);
    if (raised < split)
        raised = split;
    rvi_store_relaxed(&deque->split, raised);
    return raised;
}

size_t rvi_deque_steal(struct rvi_deque *deque, void **items, size_t max)
{
    if (rvi_deque_looks_empty(deque) || !rvi_lock_try_acquire(&deque->lock))
        return 0;
    int64_t top = rvi_load_relaxed(&deque->top);
    int64_t split = rvi_load_relaxed(&deque->split);
    if (split == top)
        split = raise_split(deque, split);
    size_t count = (size_t)(split - top + 1) / 2;
    if (count > max)
        count = max;
    for (size_t i = 0; i < count; i++)
        items[i] = deque->slots[(top + (int64_t)i) & deque->mask];
    rvi_store_relaxed(&deque->top, top + (int64_t)count);
    rvi_lock_release(&deque->lock);
    return count;
}

bool rvi_deque_is_valid(struct rvi_deque *deque)
{
    rvi_lock_acquire(&deque->lock);
    bool valid = is_valid_locked(deque);
    rvi_lock_release(&deque->lock);
    return valid;
}
