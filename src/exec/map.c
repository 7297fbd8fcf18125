/* SPDX-License-Identifier: MIT */
/* map.c - one job on every element of an array, a bounded number in flight, results in place.
 *
 * As many elements fly as the executor admits, each in a slot with its future and a watch. The slot
 * of whichever ends first takes the next element, so one slow job delays nobody. The caller alone
 * touches the map; what arrives from elsewhere arrives through the gather.
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
    size_t given;  /* elements handed over */
    size_t flying; /* of these, not yet landed */

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

/* The next element takes off. */
static int launch(struct map *map, struct slot *slot)
{
    const unsigned char *in = map->in + map->given * map->job->in_bytes;
    int r = rv_submit_job(map->ex, &slot->future, map->job, in, map->deadline);

    if (r < 0)
        return r;
    slot->index = map->given++;
    map->flying++;
    rvi_gather_watch(&map->gather, &slot->watch, slot->future);
    return 0;
}

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

    rvi_future_read(slot->future, out, &outcome);
    if (map->outcomes)
        map->outcomes[slot->index] = outcome;
    note_failure(map, slot->index, &outcome);
    slot->future = rv_future_free(slot->future);
    map->flying--;
}

static struct slot *slot_of(struct rvi_watch *watch)
{
    return rvi_container_of(watch, struct slot, watch);
}

static bool must_stop(const struct map *map)
{
    return !map->outcomes && map->error < 0;
}

/* Hand over everything, first into fresh slots, then into those that land. */
static int fly(struct map *map)
{
    struct rvi_watch *watch;
    int r = rvi_wait_allowed();

    while (r == 0 && map->given < map->slot_count)
        r = launch(map, &map->slots[map->given]);
    while (r == 0 && map->flying > 0 && !must_stop(map)) {
        r = rvi_gather_next(&map->gather, &watch, map->deadline);
        if (r < 0)
            break;
        land(map, slot_of(watch));
        if (map->given < map->n && !must_stop(map))
            r = launch(map, slot_of(watch));
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
    rvi_gather_init(&map.gather, ex);
    map.slots = rvi_calloc(map.slot_count, sizeof(*map.slots));
    if (!map.slots)
        map.slot_count = 0;
    r = map.slots ? fly(&map) : -ENOMEM;
    bring_down(&map);
    rvi_free(map.slots);
    return (r < 0 || outcomes) ? r : map.error;
}
