/* SPDX-License-Identifier: MIT */
/* things_flows.c - channels and queues that have a name.
 *
 * Checked by: tests/unit/look/test_things.c, tests/look/test_things.py */
#include "look/things_reader.h"

#include <errno.h>

#include "base/alloc.h"
#include "look/array.h"
#include "task/named.h"

enum {
    WAITERS_MOST = 10000,
    ROOM_BYTES_MOST = 1 << 17, /* of a shared queue's map of free slots */
    PLACE_SHUT = 63,
};

static const struct look_expected expected = LOOK_EXPECTED(RVI_QUEUE, RVI_QUEUE_LAYOUT);

_Static_assert((int)RVI_QUEUE_RECORDS <= LOOK_RECORDS_MOST &&
                   (int)RVI_QUEUE_FIELDS <= LOOK_FIELDS_MOST,
               "they fit");

/* A ring of waiters without a head: task/waitlist.h. Its links are the first of each. */
static int count_waiters(const struct look_reader *in, uint64_t first, size_t *ret)
{
    uint64_t links[2] = {0, 0}, at = first;
    int r = 0;

    for (*ret = 0; at && *ret < WAITERS_MOST; at = links[1]) {
        uint64_t before = at;
        if ((r = look_reader_bytes(in, at, links, sizeof links)) < 0 || !links[1])
            break;
        ++*ret;
        if (links[1] == first || links[1] == before)
            break;
    }
    return r == -EAGAIN ? 0 : r;
}

/* As rv_chan_count() and rvi_chan_sent(): task/ring.h. */
static uint64_t items_before(const struct look_part *part, const char *chan, uint64_t place)
{
    uint64_t slot = look_part_get(part, chan, RVI_AT_CHAN_SLOT_BYTES);
    uint64_t mask = look_part_get(part, chan, RVI_AT_CHAN_OFFSET_MASK);

    if (!slot)
        return 0;
    place &= ~((uint64_t)1 << PLACE_SHUT);
    return place / (mask + 1) * look_part_get(part, chan, RVI_AT_CHAN_CAPACITY) +
           (place & mask) / slot;
}

static int take_chan(const struct look_reader *in, const char *chan, struct look_flow *flow,
                     uint64_t *ret_sent)
{
    const struct look_part *part = &in->queue;
    uint64_t out = items_before(part, chan, look_part_get(part, chan, RVI_AT_CHAN_HEAD));
    uint64_t put = items_before(part, chan, look_part_get(part, chan, RVI_AT_CHAN_TAIL));
    uint64_t inside = put + look_part_get(part, chan, RVI_AT_CHAN_BARE_COUNT);

    flow->capacity = look_part_get(part, chan, RVI_AT_CHAN_CAPACITY);
    flow->items = inside > out ? inside - out : 0;
    if (flow->items > flow->capacity)
        flow->items = flow->capacity;
    flow->is_closed = look_part_get(part, chan, RVI_AT_CHAN_CLOSED) != 0;
    *ret_sent = put + look_part_get(part, chan, RVI_AT_CHAN_PASSED_BY);
    int r = count_waiters(in, look_part_get(part, chan, RVI_AT_CHAN_SENDERS), &flow->senders);
    return r < 0 ? r
                 : count_waiters(in, look_part_get(part, chan, RVI_AT_CHAN_RECEIVERS),
                                 &flow->receivers);
}

/* Its free slots are a bit each. */
static int take_shared(const struct look_reader *in, uint64_t handle, struct look_flow *flow)
{
    const struct look_part *part = &in->queue;
    uint64_t room, words[ROOM_BYTES_MOST / sizeof(uint64_t)], free_slots = 0;
    int r = look_reader_field(in, part, handle, RVI_AT_WORKQUEUE_CAPACITY, &flow->capacity);
    size_t bytes = (flow->capacity + 63) / 64 * sizeof(uint64_t);

    if (r == 0 && bytes > sizeof words)
        r = -EAGAIN;
    if (r == 0)
        r = look_reader_field(in, part, handle, RVI_AT_WORKQUEUE_ROOM, &room);
    if (r == 0)
        r = look_reader_bytes(in, room, words, bytes);
    for (size_t i = 0; r == 0 && i < bytes / sizeof *words; i++)
        free_slots += (uint64_t)__builtin_popcountll(words[i]);
    flow->unfinished = free_slots < flow->capacity ? flow->capacity - free_slots : 0;
    return r;
}

static int take_queue(const struct look_reader *in, uint64_t address, struct look_flow *flow)
{
    const struct look_part *part = &in->queue;
    char *record;
    uint64_t sent, done;
    int r = look_reader_record(in, part, RVI_RECORD_QUEUE, address, &record);

    if (r < 0)
        return r;
    uint64_t shared = look_part_get(part, record, RVI_AT_QUEUE_SHARED);
    if (look_part_get(part, record, RVI_AT_QUEUE_CLUSTER))
        flow->where = LOOK_IN_CLUSTER;
    else if (shared)
        flow->where = LOOK_SHARED;
    if (shared) {
        r = take_shared(in, shared, flow);
    } else if (flow->where == LOOK_HERE) {
        r = take_chan(in, record, flow, &sent);
        done = look_part_get(part, record, RVI_AT_QUEUE_DONE);
        flow->unfinished = sent > done ? sent - done : 0;
        if (r == 0)
            r = count_waiters(in, look_part_get(part, record, RVI_AT_QUEUE_JOINERS),
                              &flow->joiners);
    }
    rvi_free(record);
    return r;
}

static int fill_flow(const struct look_reader *in, uint64_t address, uint64_t named,
                     struct look_flow *flow)
{
    const struct look_part *part = &in->queue;
    char *record = NULL;
    uint64_t sent;
    int r = look_reader_word(in, named + part->fields[RVI_AT_NAMED_NAME].offset, flow->name,
                             sizeof flow->name);

    if (r == 0 && flow->is_queue)
        return take_queue(in, address, flow);
    if (r == 0)
        r = look_reader_record(in, part, RVI_RECORD_CHAN, address, &record);
    if (r == 0)
        r = take_chan(in, record, flow, &sent);
    rvi_free(record);
    return r;
}

int look_add_flow(struct look_reader *in, uint64_t table, uint64_t address, uint64_t place,
                  bool is_queue)
{
    struct look_things *made = in->made;
    struct look_flow *flow;
    int r = look_reader_table(in, &in->queue, table, &expected);

    if (r < 0)
        return r;
    flow = look_one_more(&made->flows, &in->flow_room, made->flow_count, sizeof *flow);
    if (!flow)
        return -ENOMEM;
    flow->is_queue = is_queue;
    r = fill_flow(in, address, place, flow);
    made->flow_count += r == 0;
    return r;
}
