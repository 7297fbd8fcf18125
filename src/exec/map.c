/* SPDX-License-Identifier: MIT */
/* map.c - one job on every element of an array, a bounded number in flight, results in place.
 *
 * As many elements fly as the executor admits, each in a slot with its future and a watch. The slot
 * of whichever ends first takes the next element, so one slow job delays nobody. The caller alone
 * touches the map; what arrives from elsewhere arrives through the gather.
 *
 * Whatever can be done for many at once is: all slots that are free take off together, all elements
 * that have ended land together, and the blocks of the futures are fetched from the executor once,
 * used again and again, and brought back at the end. As none of these futures outlives the call,
 * they hold none of the executor's memory; and where jobs are sent away, input and result are
 * copied between the caller's arrays and the process, and nowhere in between.
 *
 * An error ends the first half, in which elements are handed over. The second cancels what flies
 * and waits for it whatever happens, because the caller's arrays must be left alone afterwards.
 *
 * Rejected: waiting for the oldest (a slow job would idle all other runners); a future for each
 * element (memory by n instead of by width). */
#include <ravel/executor.h>

#include <errno.h>

#include "base/alloc.h"
#include "exec/executor.h"

struct slot {
    struct rvi_watch watch;
    rv_future *future; /* NULL: free */
    size_t index;
    struct rvi_qlink free; /* in the map's, while it is */
};

struct map {
    rv_executor *ex;
    const struct rv_job *job;
    const unsigned char *in;
    unsigned char *out;
    struct rv_outcome *outcomes; /* NULL: the first failure ends it */
    size_t n;
    rv_time deadline;

    struct rvi_gather gather;
    struct slot *slots;
    size_t slot_count;
    struct rvi_fifo free;     /* slots */
    struct rvi_spares blocks; /* for futures, each of block_bytes */
    size_t block_bytes;
    bool is_in_place; /* these have no room for input and result */
    size_t given;     /* elements handed over */
    size_t flying;    /* of these, not yet landed */

    bool is_cancelled; /* by this map; what is cancelled from then on is no failure */
    size_t failed;     /* the lowest index that is no value, SIZE_MAX without one */
    int error;         /* what it makes the map return */
};

static int error_of(const struct rv_outcome *outcome)
{
    switch (outcome->kind) {
    case RV_OUTCOME_VALUE:
        return 0;
    case RV_OUTCOME_ERROR:
        return outcome->error;
    case RV_OUTCOME_CANCELLED:
        return -ECANCELED;
    case RV_OUTCOME_TIMEOUT:
        return -ETIME;
    case RV_OUTCOME_MEMORY:
        return -ENOMEM;
    case RV_OUTCOME_SIGNAL:
    case RV_OUTCOME_LOST:
        break;
    }
    return -EIO;
}

/* --- blocks --- */

static void fetch_blocks(struct map *map)
{
    bool biased = rvi_bias_lock(&map->ex->lock);
    void *block;

    while (map->blocks.count < map->slot_count &&
           (block = rvi_executor_take_block(map->ex, map->block_bytes)) &&
           rvi_spares_keep(&map->blocks, block))
        continue;
    rvi_bias_unlock(&map->ex->lock, biased);
}

static void bring_blocks_back(struct map *map)
{
    bool biased = rvi_bias_lock(&map->ex->lock), has_room = true;
    void *block;

    while (has_room && (block = rvi_spares_take(&map->blocks))) {
        has_room = rvi_executor_keep_block(map->ex, block, map->block_bytes);
        if (!has_room)
            (void)rvi_spares_keep(&map->blocks, block); /* where it came from */
    }
    rvi_bias_unlock(&map->ex->lock, biased);
    rvi_spares_fini(&map->blocks);
}

static void drop_future(struct map *map, struct slot *slot)
{
    rvi_future_fini(slot->future);
    if (!rvi_spares_keep(&map->blocks, slot->future))
        rvi_free(slot->future);
    slot->future = NULL;
    rvi_fifo_push(&map->free, &slot->free);
}

/* --- taking off --- */

/* The next element, in a free slot. */
static int board(struct map *map, struct slot *slot)
{
    const unsigned char *in = map->in + map->given * map->job->in_bytes;
    unsigned char *out = map->out + map->given * map->job->out_bytes;
    void *block = rvi_spares_take(&map->blocks);

    if (!block)
        block = rvi_alloc(map->block_bytes);
    if (!block)
        return -ENOMEM;
    slot->future = map->is_in_place ? rvi_future_init_in_place(block, map->ex, map->job, in, out)
                                    : rvi_future_init(block, map->ex, map->job, in);
    int r = rvi_executor_prepare(map->ex, slot->future);
    if (r < 0) {
        drop_future(map, slot);
        return r;
    }
    slot->index = map->given++;
    map->flying++;
    rvi_gather_watch_first(&map->gather, &slot->watch, slot->future);
    return 0;
}

static struct slot *slot_of(struct rvi_watch *watch)
{
    return rvi_container_of(watch, struct slot, watch);
}

/* One that was not handed over after all; so were none behind it. */
static void disembark(struct map *map, rv_future *f)
{
    struct slot *slot =
        slot_of(rvi_container_of(rvi_list_pop_front(&f->watches), struct rvi_watch, link));

    map->given--;
    map->flying--;
    drop_future(map, slot);
}

/* As many elements as there are free slots. */
static int launch(struct map *map)
{
    struct rvi_list boarded;
    struct rvi_qlink *free;
    struct rvi_link *link;
    int r = 0, submitted;

    rvi_list_init(&boarded);
    while (r == 0 && map->given < map->n && (free = rvi_fifo_pop(&map->free))) {
        struct slot *slot = rvi_container_of(free, struct slot, free);
        r = board(map, slot);
        if (r == 0)
            rvi_list_push_back(&boarded, &slot->future->link);
    }
    submitted = rvi_backlog_submit_all(map->ex, &boarded, map->deadline);
    while ((link = rvi_list_pop_front(&boarded)))
        disembark(map, rvi_container_of(link, struct rv_future, link));
    return r < 0 ? r : submitted;
}

/* --- landing --- */

static void note_failure(struct map *map, size_t index, const struct rv_outcome *outcome)
{
    bool by_us = map->is_cancelled && outcome->kind == RV_OUTCOME_CANCELLED;

    if (outcome->kind == RV_OUTCOME_VALUE || by_us || index > map->failed)
        return;
    map->failed = index;
    map->error = error_of(outcome);
}

/* An element has ended; its slot is free again. */
static void land(struct map *map, struct slot *slot)
{
    struct rv_outcome outcome;
    unsigned char *out = map->out + slot->index * map->job->out_bytes;

    rvi_future_read(slot->future, map->is_in_place ? NULL : out, &outcome);
    if (map->outcomes)
        map->outcomes[slot->index] = outcome;
    note_failure(map, slot->index, &outcome);
    map->flying--;
    drop_future(map, slot);
}

/* One at least, and what has ended with it. */
static int land_some(struct map *map)
{
    struct rvi_watch *watch;
    int r = rvi_gather_next(&map->gather, &watch, map->deadline);

    for (; r == 0 && watch; watch = rvi_gather_more(&map->gather))
        land(map, slot_of(watch));
    return r;
}

static bool must_stop(const struct map *map)
{
    return !map->outcomes && map->error < 0;
}

/* Hand over everything, first into fresh slots, then into those that land. */
static int fly(struct map *map)
{
    int r = rvi_wait_allowed();

    while (r == 0 && !must_stop(map) && (map->given < map->n || map->flying > 0)) {
        r = launch(map);
        if (r == 0)
            r = land_some(map);
    }
    return r;
}

/* Whatever still flies is cancelled and waited for. */
static void bring_down(struct map *map)
{
    map->is_cancelled = true;
    for (size_t i = 0; i < map->slot_count; i++) {
        if (map->slots[i].future)
            rv_future_cancel(map->slots[i].future);
    }
    while (map->flying > 0)
        land(map, slot_of(rvi_gather_next_always(&map->gather)));
    for (size_t i = map->given; map->outcomes && i < map->n; i++)
        map->outcomes[i] = (struct rv_outcome){.kind = RV_OUTCOME_CANCELLED};
}

/* On error there are no slots. */
static int prepare(struct map *map)
{
    rvi_gather_init(&map->gather, map->ex);
    map->is_in_place = map->ex->tier->dispatch != NULL;
    bool is_possible = rvi_future_measure(map->job, &map->block_bytes);
    if (map->is_in_place)
        map->block_bytes = sizeof(struct rv_future);
    if (is_possible)
        map->slots = rvi_calloc(map->slot_count, sizeof(*map->slots));
    if (!map->slots) {
        map->slot_count = 0;
        return -ENOMEM;
    }
    for (size_t i = 0; i < map->slot_count; i++)
        rvi_fifo_push(&map->free, &map->slots[i].free);
    fetch_blocks(map);
    return 0;
}

int rv_map_job(rv_executor *ex, const struct rv_job *job, const void *in, size_t n, void *out,
               struct rv_outcome *outcomes, rv_time deadline)
{
    struct map map = {
        .ex = ex,
        .job = job,
        .in = in,
        .out = out,
        .outcomes = outcomes,
        .n = n,
        .deadline = deadline,
        .slot_count = n < ex->limit ? n : ex->limit,
        .failed = SIZE_MAX,
    };
    int r;

    if (n == 0)
        return rvi_wait_allowed();
    r = prepare(&map);
    if (r == 0)
        r = fly(&map);
    bring_down(&map);
    bring_blocks_back(&map);
    rvi_free(map.slots);
    return (r < 0 || outcomes) ? r : map.error;
}
