/* SPDX-License-Identifier: MIT */
/* heap.h - min-heap of intrusive nodes by 64-bit key, built for a million timers.
 *
 * Each slot of the array holds the key beside the node's address, so that comparing touches no
 * node; each node knows its slot, so that any node can be removed. Equal keys leave in any order.
 * One owner; no lock. See heap.c for the layout. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `index` of a node that is in no heap. */
#define RVI_HEAP_OUT SIZE_MAX

struct rvi_heap_node {
    size_t index;
};

struct rvi_heap_slot {
    uint64_t key;
    struct rvi_heap_node *node;
};

/* Zeroed memory is an empty heap. */
struct rvi_heap {
    struct rvi_heap_slot *slots; /* slots[0] is the smallest; NULL before the first insert */
    size_t count;
    size_t capacity;
};

static inline void rvi_heap_init(struct rvi_heap *heap)
{
    *heap = (struct rvi_heap){NULL, 0, 0};
}

/* A node must go through this before the first look at whether it is in. */
static inline void rvi_heap_node_init(struct rvi_heap_node *node)
{
    node->index = RVI_HEAP_OUT;
}

static inline bool rvi_heap_node_is_in(const struct rvi_heap_node *node)
{
    return node->index != RVI_HEAP_OUT;
}

/** The smallest key, UINT64_MAX when the heap is empty. */
static inline uint64_t rvi_heap_min_key(const struct rvi_heap *heap)
{
    return heap->count == 0 ? UINT64_MAX : heap->slots[0].key;
}

/** The key of a node that is in this heap. */
static inline uint64_t rvi_heap_key(const struct rvi_heap *heap, const struct rvi_heap_node *node)
{
    return heap->slots[node->index].key;
}

/** Free the array. Nodes still in the heap keep their stale index: they are the caller's. */
void rvi_heap_fini(struct rvi_heap *heap);

/** Put `node` into the heap under `key`.
 *
 * @return 0. On error heap and node are as they were.
 * Errors:  -ENOMEM the array could not grow
 * Blocks:  no
 * Threads: the heap's owner
 * Lifetime: keep the node in place until it has left the heap */
__attribute__((warn_unused_result)) int rvi_heap_insert(struct rvi_heap *heap,
                                                        struct rvi_heap_node *node, uint64_t key);

/** Take `node`, which is in this heap, out of it. */
void rvi_heap_remove(struct rvi_heap *heap, struct rvi_heap_node *node);

/** Take out the node with the smallest key; NULL when the heap is empty. */
struct rvi_heap_node *rvi_heap_pop(struct rvi_heap *heap);

/** Whether all invariants of heap.c hold; walks everything. */
bool rvi_heap_is_valid(const struct rvi_heap *heap);
