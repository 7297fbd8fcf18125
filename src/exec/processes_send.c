/* SPDX-License-Identifier: MIT */
/* processes_send.c - from waiting to sent, and back: which member gets which job, and when.
 *
 * Whoever has submitted, ended or cancelled a job dispatches, under the executor's lock: while jobs
 * wait and a member has room, the first of them is sent. A member without jobs has room, the one
 * that has become so last before others, as its caches are warm. A busy one has room for as many
 * as it will be through with in AHEAD_NS, by what jobs have taken lately: so that many short ones
 * follow each other without a word of ours, and few long ones wait behind another.
 *
 * What is sent ahead is not given away: as long as it has not begun it is recalled, in an instant
 * and exactly once, when it is cancelled, when its member is to be killed, or when another member
 * has nothing to do. For a handful of short jobs that is not worth it; should the one before them
 * turn out to be long after all, the service does it at its next look.
 *
 * It is recalled as well when a job of a higher lane waits, so lanes are kept there too.
 *
 * When jobs wait, or are sent ahead, and nobody is idle, one more member is wanted, up to the
 * width: one for each such job, less those that are on their way already.
 *
 * Rejected: a queue for each member with stealing between the members, as threads do. They would
 * have to share memory with each other, and one that is killed at the wrong moment would leave it
 * in disorder. */
#include "exec/processes.h"

#include <string.h>

#include <ravel/shm.h>

#include "base/check.h"
#include "sys/clock.h"
#include "sys/fd.h"

enum {
    AHEAD_NS = 200000,
    WORTH_NS = 10000, /* of work that waits elsewhere, to be fetched */
    AHEAD_LEAST = 2,
};

/* --- where a member stands --- */

static struct rvi_list *place_of(struct rvi_member *member)
{
    if (member->state != RVI_MEMBER_READY)
        return &member->pool->apart;
    return rvi_ring_load(&member->ring) > 0 ? &member->pool->busy : &member->pool->idle;
}

/* In its list. */
static bool is_alone(const struct rvi_member *member)
{
    return member->link.next == member->link.prev;
}

void rvi_member_settle(struct rvi_member *member)
{
    struct rvi_processes *pool = member->pool;
    struct rvi_list *list = place_of(member);
    bool is_occupied = rvi_ring_load(&member->ring) > 0;

    if (is_occupied != member->is_occupied) {
        pool->occupied += is_occupied ? 1 : -1U;
        member->is_occupied = is_occupied;
        rvi_processes_turn(pool);
    } else if (list == member->list && is_alone(member)) {
        return;
    }
    if (member->list)
        rvi_link_remove(&member->link);
    if (list == &pool->idle)
        rvi_list_push_front(list, &member->link);
    else
        rvi_list_push_back(list, &member->link);
    member->list = list;
}

/* --- who gets the next job --- */

/* Of a busy one. */
static bool has_room(const struct rvi_member *member)
{
    uint32_t load = rvi_ring_load(&member->ring);
    rv_time usual = member->pool->usual_ns + 1; /* jobs of no time take some all the same */

    return load < AHEAD_LEAST || (load < RVI_PROCESSES_SLOTS && (load + 1) * usual <= AHEAD_NS);
}

/* Those that are busy get their jobs in turn. */
static struct rvi_member *with_room(struct rvi_processes *pool)
{
    struct rvi_link *idle = rvi_list_first(&pool->idle);

    if (idle)
        return rvi_member_of(idle);
    RVI_LIST_FOREACH(link, &pool->busy) {
        if (has_room(rvi_member_of(link)))
            return rvi_member_of(link);
    }
    return NULL;
}

/* --- sending --- */

/* Room for what is too large for a slot. False: there is none now. */
static bool make_room(struct rvi_member *member, struct rvi_entry *entry, struct rvi_slot *slot,
                      const struct rv_job *job)
{
    size_t bytes = rvi_job_out_at(job) + job->out_bytes;

    if (rvi_arena_take(&member->arena, bytes, &entry->piece) < 0)
        return false;
    size_t at = (size_t)(member->space - member->segment.base) + rvi_piece_at(entry->piece);
    slot->in_at = (uint32_t)(at / RVI_SLOT_UNIT);
    return true;
}

unsigned char *rvi_entry_bytes(struct rvi_entry *entry, struct rvi_slot *slot)
{
    void *memory = NULL;

    if (entry->piece)
        return entry->member->space + rvi_piece_at(entry->piece);
    if (!entry->future->alone.id)
        return rvi_letter_of(slot)->small;
    RV_CHECK(rv_shm_map(entry->future->alone, &memory) == 0); /* we have made it */
    return memory;
}

static bool send(struct rvi_member *member, struct rv_future *f)
{
    struct rvi_slot *slot = rvi_ring_room(&member->ring);
    struct rvi_entry *entry = rvi_member_entry(member, member->ring.sent);

    *entry = (struct rvi_entry){.member = member, .future = f};
    slot->object = f->alone.id;
    if (!f->alone.id && !rvi_job_is_small(f->job) && !make_room(member, entry, slot, f->job))
        return false;
    rvi_slot_name(slot, f->job->key);
    rvi_store_relaxed(&rvi_letter_of(slot)->begun, 0);
    rvi_store_relaxed(&slot->has_note, 0);
    memcpy(rvi_entry_bytes(entry, slot), f->in, f->job->in_bytes);
    entry->index = rvi_ring_send(&member->ring);
    f->context = entry;
    return true;
}

static void account(struct rvi_member *member)
{
    uint64_t most = member->pool->opts.recycle_jobs;

    member->jobs++;
    if (most > 0 && member->jobs >= most)
        rvi_member_retire(member);
    else
        rvi_member_settle(member);
}

/* Each member that gets some in a row is called once. */
static void send_waiting(struct rvi_processes *pool)
{
    struct rvi_member *member, *called = NULL;

    while (pool->ex.queued > 0 && (member = with_room(pool))) {
        struct rv_future *f = rvi_backlog_send(&pool->ex);
        if (!send(member, f)) {
            rvi_member_entry(member, member->ring.sent)->future = NULL;
            rvi_backlog_take_back(f);
            break;
        }
        if (called && called != member)
            rvi_ring_call(&called->ring);
        called = member;
        account(member);
    }
    if (called)
        rvi_ring_call(&called->ring);
}

/* --- taking back --- */

bool rvi_processes_recall(struct rv_future *f)
{
    struct rvi_entry *entry = f->context;

    if (!rvi_ring_recall(&entry->member->ring, entry->index))
        return false;
    rvi_arena_give(&entry->member->arena, entry->piece);
    entry->piece = NULL;
    entry->future = NULL;
    entry->member->jobs--;
    f->context = NULL;
    rvi_backlog_take_back(f);
    return true;
}

void rvi_member_recall_all(struct rvi_member *member)
{
    for (uint64_t i = member->ring.sent; i-- > member->ring.collected;) {
        struct rv_future *f = rvi_member_entry(member, i)->future;
        if (f)
            (void)rvi_processes_recall(f);
    }
}

/* The oldest job of a member that can be had back; NULL: there is none. */
static struct rv_future *recall_one(struct rvi_member *member)
{
    for (uint64_t i = member->ring.collected + 1; i < member->ring.sent; i++) {
        struct rv_future *f = rvi_member_entry(member, i)->future;
        if (f && rvi_processes_recall(f))
            return f;
    }
    return NULL;
}

static bool is_worth_it(const struct rvi_member *member)
{
    uint32_t load = rvi_ring_load(&member->ring);

    return load > 1 && (load - 1) * member->pool->usual_ns >= WORTH_NS;
}

static bool fetch_one(struct rvi_processes *pool, bool whatever)
{
    RVI_LIST_FOREACH(link, &pool->busy) {
        struct rvi_member *member = rvi_member_of(link);
        if ((whatever || is_worth_it(member)) && recall_one(member))
            return true;
    }
    return false;
}

void rvi_processes_share(struct rvi_processes *pool, bool whatever)
{
    while (!rvi_list_is_empty(&pool->idle) && fetch_one(pool, whatever))
        send_waiting(pool);
}

/* What was sent ahead of others and has not begun waits still: one of a higher lane goes before. */
static void prefer(struct rvi_processes *pool, enum rv_lane lane)
{
    RVI_LIST_FOREACH(link, &pool->busy) {
        struct rvi_member *member = rvi_member_of(link);
        for (uint64_t i = member->ring.sent; i-- > member->ring.collected;) {
            struct rv_future *f = rvi_member_entry(member, i)->future;
            if (f && rvi_lane_is_before(lane, f->lane))
                (void)rvi_processes_recall(f);
        }
    }
}

/* --- who is to be had, and who is to be called --- */

/* Jobs that nobody is at yet. */
static uint64_t behind(const struct rvi_processes *pool)
{
    uint64_t in_flight = rvi_executor_in_flight(&pool->ex);

    return in_flight > pool->occupied ? in_flight - pool->occupied : 0;
}

static void want_more(struct rvi_processes *pool)
{
    if (!rvi_list_is_empty(&pool->idle) || behind(pool) <= pool->coming ||
        pool->alive >= pool->ex.width || pool->wanted > pool->alive)
        return;
    pool->wanted = pool->alive + 1;
    rvi_processes_kick(pool);
}

void rvi_processes_dispatch(struct rv_executor *ex)
{
    struct rvi_processes *pool = rvi_processes_of(ex);

    if (ex->queued > 0 && rvi_unlikely(rvi_load_relaxed(&ex->has_lanes)))
        prefer(pool, rvi_backlog_first(ex)->lane);
    if (ex->queued > 0)
        send_waiting(pool);
    if (ex->queued == 0 && !rvi_list_is_empty(&pool->idle) && !rvi_list_is_empty(&pool->busy))
        rvi_processes_share(pool, false);
    want_more(pool);
    if (pool->service_rests && pool->occupied > 0) {
        pool->service_rests = false;
        rvi_processes_kick(pool);
    }
    rvi_processes_set_bell(pool);
}

uint64_t rvi_processes_running(struct rv_executor *ex)
{
    uint64_t count = 0;

    RVI_LIST_FOREACH(link, &ex->running) {
        struct rvi_entry *entry = rvi_container_of(link, struct rv_future, link)->context;
        count += rvi_ring_has_begun(&entry->member->ring, entry->index);
    }
    return count;
}
