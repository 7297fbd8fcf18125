/* SPDX-License-Identifier: MIT */
/* heap.c - 4-ary min-heap, children of one node in one cache line.
 *
 * Invariants:
 *   H1  slots[i].key >= slots[(i - 1) / 4].key for each i in [1, count)
 *   H2  slots[i].node->index == i for each i in [0, count)
 *   H3  count <= capacity; capacity is 0 or a power of two, at least MIN_CAPACITY
 *   H4  &slots[1] is at a multiple of the cache line
 *
 * Four children (Johnson 1975) halve the depth against a binary heap, and with slots of 16 bytes
 * the four are exactly one line, provided that slot 1 starts one (LaMarca and Ladner 1996): hence
 * H4, by an array that begins three slots before a line. A level costs one miss, not two.
 *
 * Taking out goes bottom-up (Wegener 1993): the hole sinks to a leaf along the smallest children,
 * without looking at the slot that will fill it, and that one, the last of the array, rises from
 * there. It came from the bottom and seldom rises, so a comparison a level is saved. The same walk
 * serves a hole in the middle: the filler may then rise past where the hole began, as it should.
 *
 * The array doubles when full and halves when a quarter full, so that a million inserts and
 * removals at any size cost amortised O(1) for it. A shrink that finds no memory is put off:
 * taking out never fails.
 *
 * Rejected: a timer wheel (cheaper a timer, but rounds deadlines up and pays for empty ticks when a
 * sleeping loop asks for its next deadline); a pairing heap (a miss a link); fetching the next
 * level's four candidate lines ahead while sinking (no difference beyond noise at a million). */
#include "base/heap.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"

enum {
    ARITY = 4,
    MIN_CAPACITY = 64,
    LEAD = ARITY - 1, /* unused slots before slots[0], for H4 */
};

_Static_assert(ARITY * sizeof(struct rvi_heap_slot) <= RVI_CACHE_LINE, "children share a line");

static void set(struct rvi_heap *heap, size_t index, struct rvi_heap_slot slot)
{
    heap->slots[index] = slot;
    slot.node->index = index;
}

static void array_free(struct rvi_heap *heap)
{
    if (heap->slots != NULL)
        rvi_free(heap->slots - LEAD);
}

static int resize(struct rvi_heap *heap, size_t capacity)
{
    RV_DCHECK(capacity >= heap->count);
    if (capacity > SIZE_MAX / sizeof(struct rvi_heap_slot) - LEAD)
        return -ENOMEM;
    struct rvi_heap_slot *array =
        rvi_alloc_aligned(RVI_CACHE_LINE, (capacity + LEAD) * sizeof(*array));
    if (array == NULL)
        return -ENOMEM;
    if (heap->count > 0)
        memcpy(array + LEAD, heap->slots, heap->count * sizeof(*array));
    array_free(heap);
    heap->slots = array + LEAD;
    heap->capacity = capacity;
    return 0;
}

static void rise(struct rvi_heap *heap, size_t hole, struct rvi_heap_slot slot)
{
    while (hole > 0) {
        size_t parent = (hole - 1) / ARITY;
        if (heap->slots[parent].key <= slot.key)
            break;
        set(heap, hole, heap->slots[parent]);
        hole = parent;
    }
    set(heap, hole, slot);
}

static size_t smallest_child(const struct rvi_heap *heap, size_t first)
{
    const struct rvi_heap_slot *slots = heap->slots;
    if (rvi_likely(first + ARITY <= heap->count)) {
        size_t left = first + (slots[first + 1].key < slots[first].key);
        size_t right = first + 2 + (slots[first + 3].key < slots[first + 2].key);
        return slots[right].key < slots[left].key ? right : left;
    }
    size_t best = first;
    for (size_t i = first + 1; i < heap->count; i++) {
        if (slots[i].key < slots[best].key)
            best = i;
    }
    return best;
}

/* Returns the leaf where the hole ends up. */
static size_t sink(struct rvi_heap *heap, size_t hole)
{
    for (;;) {
        size_t first = hole * ARITY + 1;
        if (first >= heap->count)
            return hole;
        size_t child = smallest_child(heap, first);
        set(heap, hole, heap->slots[child]);
        hole = child;
    }
}

void rvi_heap_fini(struct rvi_heap *heap)
{
    array_free(heap);
    rvi_heap_init(heap);
}

int rvi_heap_insert(struct rvi_heap *heap, struct rvi_heap_node *node, uint64_t key)
{
    if (rvi_unlikely(heap->count == heap->capacity)) {
        int result = resize(heap, heap->capacity == 0 ? MIN_CAPACITY : heap->capacity * 2);
        if (result < 0)
            return result;
    }
    rise(heap, heap->count++, (struct rvi_heap_slot){key, node});
    RV_DCHECK_SLOW(rvi_heap_is_valid(heap));
    return 0;
}

void rvi_heap_remove(struct rvi_heap *heap, struct rvi_heap_node *node)
{
    size_t hole = node->index;
    RV_DCHECK(hole < heap->count && heap->slots[hole].node == node);
    struct rvi_heap_slot last = heap->slots[--heap->count];
    if (hole != heap->count)
        rise(heap, sink(heap, hole), last);
    node->index = RVI_HEAP_OUT;
    if (rvi_unlikely(heap->count < heap->capacity / 4 && heap->capacity > MIN_CAPACITY))
        (void)resize(heap, heap->capacity / 2);
    RV_DCHECK_SLOW(rvi_heap_is_valid(heap));
}

struct rvi_heap_node *rvi_heap_pop(struct rvi_heap *heap)
{
    if (heap->count == 0)
        return NULL;
    struct rvi_heap_node *node = heap->slots[0].node;
    rvi_heap_remove(heap, node);
    return node;
}

bool rvi_heap_is_valid(const struct rvi_heap *heap)
{
    if (heap->count > heap->capacity || (heap->capacity & (heap->capacity - 1)) != 0)
        return false;
    if (heap->slots != NULL && (uintptr_t)&heap->slots[1] % RVI_CACHE_LINE != 0)
        return false;
    for (size_t i = 0; i < heap->count; i++) {
        if (heap->slots[i].node->index != i)
            return false;
        if (i > 0 && heap->slots[i].key < heap->slots[(i - 1) / ARITY].key)
            return false;
    }
    return true;
}
