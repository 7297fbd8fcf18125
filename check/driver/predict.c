/* SPDX-License-Identifier: MIT */
/* predict.c - orders that were not seen but could be.
 *
 * One execution shows which places touch the same memory and take the same locks. From that follow
 * orders that another execution could have and that break programs most often: an access between
 * two of another thread that were meant to be one (Lu, Park and Zhou, "Finding atomicity-violation
 * bugs through unserializable interleaving testing", 2012), two locks taken crosswise, two accesses
 * the other way round (Yu, Narayanasamy, Pereira and Pokam, "Maple", 2012). Each becomes pairs of
 * locations, "hold here until there", for RVI_STRATEGY_AIM.
 *
 *   D1  to hold somebody at an access is to hold him before the first lock that he has taken since
 *       the access before: with the lock, nobody else would get there
 *   D2  what thread creation or a join has ordered is not asked for the other way round. The nth
 *       creation is of thread n; a join after a thread's end is of that thread: both may be wrong,
 *       and then a schedule is wasted or an order missed, no more
 *   D3  accesses inside one critical section, with the foreign one under the same lock, are one
 *
 * Not exact, and need not be: a prediction is a plan to try, never a report.
 *
 * Rejected: clocks for D2. They would say more than who was created and joined only if the order
 * of critical sections counted, which is just what is to be changed. */
#include "check/driver/predict.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/runtime/op.h"

enum {
    HELD_MOST = 6,
    ACCESSES_MOST = 1 << 14,
    AN_OBJECT_MOST = 48, /* accesses to one that differ */
    EDGES_MOST = 256,
    BLOCKS_MOST = 1024,
    LOOKED_BACK = 512, /* accesses, for those to memory that is freed */
    FREED_MOST = 8,    /* of these that differ in their object */
    NEAR = 3,          /* accesses of a thread that may belong together */
};

struct held {
    uint64_t lock, location;
    size_t seq;
};

struct access {
    uint64_t object, location;
    size_t seq;
    uint32_t thread;
    uint32_t held_count;
    bool is_write;
    size_t next; /* of its thread */
    struct held held[HELD_MOST];
};

/* Somebody took `to` while he held `from`. */
struct edge {
    uint64_t from, from_location, to, to_location;
    uint32_t thread;
};

struct thread {
    struct held held[HELD_MOST];
    uint32_t held_count;
    uint32_t creator;
    size_t created, ended, last_join;
    size_t last_access;
};

/* Memory that the program has allocated. */
struct block {
    uint64_t address, bytes;
};

struct study {
    struct thread threads[CK_THREADS_MOST];
    uint32_t created;
    struct access *accesses;
    size_t access_count;
    size_t *by_object; /* indices of accesses */
    struct edge edges[EDGES_MOST];
    size_t edge_count;
    struct block blocks[BLOCKS_MOST];
    size_t block_count; /* all there were: the last BLOCKS_MOST are kept */
    struct ck_prediction *found;
    int found_count;
};

static const size_t none = SIZE_MAX;

static uint64_t location_of(struct ck_place place)
{
    return (uint64_t)(place.module + 1) << 32 | place.offset;
}

/* --- what happened --- */

static void take(struct study *s, struct thread *t, const struct ck_event *event, size_t seq)
{
    uint64_t location = location_of(event->place);

    for (uint32_t i = 0; i < t->held_count && s->edge_count < EDGES_MOST; i++)
        s->edges[s->edge_count++] = (struct edge){t->held[i].lock, t->held[i].location,
                                                  event->object, location, event->thread};
    if (t->held_count < HELD_MOST)
        t->held[t->held_count++] = (struct held){event->object, location, seq};
}

static void release(struct thread *t, uint64_t lock)
{
    for (uint32_t i = t->held_count; i > 0; i--) {
        if (t->held[i - 1].lock != lock)
            continue;
        t->held_count--;
        memmove(&t->held[i - 1], &t->held[i], (t->held_count - (i - 1)) * sizeof t->held[0]);
        return;
    }
}

static void access_memory(struct study *s, struct thread *t, const struct ck_event *event,
                          size_t seq, bool is_write)
{
    if (s->access_count == ACCESSES_MOST || event->object == 0)
        return;
    struct access *a = &s->accesses[s->access_count];
    *a = (struct access){.object = event->object,
                         .location = location_of(event->place),
                         .seq = seq,
                         .thread = event->thread,
                         .held_count = t->held_count,
                         .is_write = is_write,
                         .next = none};
    memcpy(a->held, t->held, sizeof a->held);
    if (t->last_access != none)
        s->accesses[t->last_access].next = s->access_count;
    t->last_access = s->access_count++;
}

/* A signal before the wait is lost: a condition variable is memory that both write. The lock is
 * not what keeps them apart. */
static void access_condition(struct study *s, struct thread *t, const struct ck_event *event,
                             size_t seq)
{
    uint32_t held_count = t->held_count;

    if (event->op == CK_OP_WAIT)
        t->held_count = 0;
    access_memory(s, t, event, seq, true);
    t->held_count = held_count;
}

static const struct block *block_at(const struct study *s, uint64_t address)
{
    for (size_t i = s->block_count; i > 0 && i + BLOCKS_MOST > s->block_count; i--) {
        if (s->blocks[(i - 1) % BLOCKS_MOST].address == address)
            return &s->blocks[(i - 1) % BLOCKS_MOST];
    }
    return NULL;
}

/* To free memory is to write to each object in it. */
static void free_memory(struct study *s, struct thread *t, const struct ck_event *event, size_t seq)
{
    const struct block *block = block_at(s, event->object);
    uint64_t freed[FREED_MOST];
    size_t count = 0, last = s->access_count;

    for (size_t i = last; block && i > 0 && i + LOOKED_BACK > last && count < FREED_MOST; i--) {
        uint64_t object = s->accesses[i - 1].object;
        size_t known = 0;
        if (object - block->address >= block->bytes)
            continue;
        while (known < count && freed[known] != object)
            known++;
        if (known == count)
            freed[count++] = object;
    }
    for (size_t i = 0; i < count; i++) {
        struct ck_event write = *event;
        write.object = freed[i];
        access_memory(s, t, &write, seq, true);
    }
}

static void create(struct study *s, uint32_t creator, size_t seq)
{
    uint32_t id = ++s->created;

    if (id < CK_THREADS_MOST) {
        s->threads[id].creator = creator;
        s->threads[id].created = seq;
    }
}

static void follow(struct study *s, const struct ck_event *event, size_t seq)
{
    struct thread *t = &s->threads[event->thread];

    switch (event->op) {
    case CK_OP_READ:
    case CK_OP_ATOMIC_LOAD:
        access_memory(s, t, event, seq, false);
        break;
    case CK_OP_WRITE:
    case CK_OP_ATOMIC_STORE:
    case CK_OP_ATOMIC_RMW:
        access_memory(s, t, event, seq, true);
        break;
    case CK_OP_LOCK:
    case CK_OP_WRLOCK:
    case CK_OP_RDLOCK:
    case CK_OP_SPIN_LOCK:
        if (!(event->flags & CK_EVENT_BLOCKED))
            take(s, t, event, seq);
        break;
    case CK_OP_UNLOCK:
    case CK_OP_RWUNLOCK:
    case CK_OP_SPIN_UNLOCK:
        release(t, event->object);
        break;
    case CK_OP_WAIT:
    case CK_OP_SIGNAL:
    case CK_OP_BROADCAST:
        access_condition(s, t, event, seq);
        break;
    case CK_OP_ALLOC:
        s->blocks[s->block_count++ % BLOCKS_MOST] = (struct block){event->object, event->value};
        break;
    case CK_OP_FREE:
        free_memory(s, t, event, seq);
        break;
    case CK_OP_CREATE:
        create(s, event->thread, seq);
        break;
    case CK_OP_JOIN:
        t->last_join = seq;
        break;
    default:
        break;
    }
    t->ended = seq;
}

/* --- what could have --- */

static bool is_equal(const struct ck_prediction *a, const struct ck_prediction *b)
{
    return a->aim_count == b->aim_count && a->is_renewed == b->is_renewed &&
           memcmp(a->aims, b->aims, a->aim_count * sizeof a->aims[0]) == 0;
}

static void add_aim(struct ck_prediction *p, uint64_t hold, uint64_t until)
{
    for (uint32_t i = 0; i < p->aim_count; i++) {
        if (p->aims[i].hold == hold && p->aims[i].until == until)
            return;
    }
    p->aims[p->aim_count++] = (struct rvi_strategy_aim){.hold = hold, .until = until};
}

static void find(struct study *s, const struct ck_prediction *p)
{
    for (int i = 0; i < s->found_count; i++) {
        if (is_equal(&s->found[i], p))
            return;
    }
    if (s->found_count < CK_PREDICTIONS_MOST)
        s->found[s->found_count++] = *p;
}

/* D1: where to hold somebody who comes from `since` on to this access. */
static uint64_t hold_at(const struct access *a, size_t since)
{
    for (uint32_t i = 0; i < a->held_count; i++) {
        if (a->held[i].seq > since)
            return a->held[i].location;
    }
    return a->location;
}

static bool have_common_lock(const struct access *a, const struct access *b)
{
    for (uint32_t i = 0; i < a->held_count; i++) {
        for (uint32_t j = 0; j < b->held_count; j++) {
            if (a->held[i].lock == b->held[j].lock)
                return true;
        }
    }
    return false;
}

/* D3: a lock that is held from a to b, and at c as well. */
static bool is_guarded(const struct access *a, const struct access *b, const struct access *c)
{
    for (uint32_t i = 0; i < b->held_count; i++) {
        for (uint32_t j = 0; b->held[i].seq < a->seq && j < c->held_count; j++) {
            if (b->held[i].lock == c->held[j].lock)
                return true;
        }
    }
    return false;
}

/* D2: the second could have come before the first. */
static bool may_turn(const struct study *s, const struct access *first, const struct access *second)
{
    const struct thread *one = &s->threads[first->thread], *other = &s->threads[second->thread];

    if (second->thread > 0 && other->creator == first->thread && first->seq < other->created)
        return false;
    return !(second->seq > one->ended && other->last_join > one->ended &&
             other->last_join != none && s->threads[first->thread].creator == second->thread);
}

static bool conflict(const struct access *a, const struct access *b)
{
    return a->thread != b->thread && (a->is_write || b->is_write);
}

/* Of three accesses to one object: not what any order one after the other could give. */
static bool is_unserializable(const struct access *a, const struct access *c,
                              const struct access *b)
{
    return c->is_write != (a->is_write && b->is_write);
}

static void predict_between(struct study *s, const struct access *a, const struct access *b,
                            const struct access *c)
{
    struct ck_prediction p = {.rank = CK_FOREIGN_WRITE};

    if (!is_unserializable(a, c, b) || is_guarded(a, b, c))
        return;
    if ((c->seq < a->seq && !may_turn(s, c, a)) || (c->seq > b->seq && !may_turn(s, b, c)))
        return;
    add_aim(&p, hold_at(b, a->seq), c->location);
    add_aim(&p, hold_at(c, 0), a->location);
    find(s, &p);
}

static void predict_turned(struct study *s, const struct access *first, const struct access *second)
{
    struct ck_prediction p = {.rank = have_common_lock(first, second) ? CK_OTHER_SECTIONS
                                                                      : CK_OTHER_ORDER};

    if (!may_turn(s, first, second))
        return;
    add_aim(&p, hold_at(first, 0), second->location);
    find(s, &p);
}

/* The next access of the same thread to the same object. */
static const struct access *again(const struct study *s, const struct access *a)
{
    for (size_t i = a->next, far = 0; i != none && far < AN_OBJECT_MOST; far++) {
        if (s->accesses[i].object == a->object)
            return &s->accesses[i];
        i = s->accesses[i].next;
    }
    return NULL;
}

static void predict_at(struct study *s, const size_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct access *a = &s->accesses[at[i]], *b = again(s, a);
        for (size_t j = 0; j < count; j++) {
            const struct access *c = &s->accesses[at[j]];
            if (b && ((conflict(a, c) || conflict(b, c))) && c->thread != a->thread)
                predict_between(s, a, b, c);
            if (conflict(a, c) && a->seq < c->seq)
                predict_turned(s, a, c);
        }
    }
}

static const struct access *other_to(const struct study *s, const struct access *c,
                                     const struct access *b)
{
    for (size_t i = c->next, far = 0; i != none && far < AN_OBJECT_MOST; far++) {
        if (s->accesses[i].object == b->object && conflict(&s->accesses[i], b))
            return &s->accesses[i];
        i = s->accesses[i].next;
    }
    return NULL;
}

/* Somebody has a at one object and then b at another; somebody else takes both, in that order or
 * the other, in between. */
static void predict_torn(struct study *s, const struct access *a, const struct access *c,
                         const struct access *b)
{
    const struct access *d = b->object != a->object ? other_to(s, c, b) : NULL;

    if (!d || is_guarded(a, b, c) || is_guarded(a, b, d))
        return;
    struct ck_prediction p = {.rank = CK_TWO_VARIABLES};
    add_aim(&p, hold_at(b, a->seq), d->location);
    add_aim(&p, hold_at(c, 0), a->location);
    find(s, &p);
}

/* Somebody reads a and writes b, somebody else reads b and writes a: each waits for the other. */
static void predict_hand_over(struct study *s, const struct access *a, const struct access *c,
                              const struct access *b)
{
    const struct access *d = b->object != a->object ? other_to(s, c, b) : NULL;

    if (!d || a->is_write || !b->is_write || !c->is_write || d->is_write)
        return;
    struct ck_prediction p = {.rank = CK_HAND_OVER, .is_renewed = true};
    add_aim(&p, a->location, c->location);
    add_aim(&p, d->location, b->location);
    find(s, &p);
}

static void predict_two(struct study *s, const struct access *a, const struct access *c)
{
    const struct access *b = a;

    for (int far = 0; far < NEAR && b->next != none; far++) {
        b = &s->accesses[b->next];
        predict_torn(s, a, c, b);
        predict_hand_over(s, a, c, b);
    }
}

static void predict_pairs_at(struct study *s, const size_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            const struct access *a = &s->accesses[at[i]], *c = &s->accesses[at[j]];
            if (conflict(a, c) && may_turn(s, a->seq < c->seq ? a : c, a->seq < c->seq ? c : a))
                predict_two(s, a, c);
        }
    }
}

/* Somebody holds what the next one wants, round a ring of `length`. */
static void close_ring(struct study *s, const struct edge *const *ring, uint32_t length)
{
    struct ck_prediction p = {.rank = CK_CROSSED_LOCKS};

    for (uint32_t i = 0; i < length; i++)
        add_aim(&p, ring[i]->to_location, ring[(i + 1) % length]->from_location);
    find(s, &p);
}

static bool is_new_thread(const struct edge *const *ring, uint32_t length, const struct edge *edge)
{
    for (uint32_t i = 0; i < length; i++) {
        if (ring[i]->thread == edge->thread)
            return false;
    }
    return true;
}

static void extend_ring(struct study *s, const struct edge **ring, uint32_t length)
{
    if (length > 1 && ring[length - 1]->to == ring[0]->from) {
        close_ring(s, ring, length);
        return;
    }
    for (size_t i = 0; length < RVI_STRATEGY_AIMS_MOST && i < s->edge_count; i++) {
        const struct edge *edge = &s->edges[i];
        if (edge->from != ring[length - 1]->to || !is_new_thread(ring, length, edge))
            continue;
        ring[length] = edge;
        extend_ring(s, ring, length + 1);
    }
}

static void predict_locks(struct study *s)
{
    const struct edge *ring[RVI_STRATEGY_AIMS_MOST];

    for (size_t i = 0; i < s->edge_count && s->found_count < CK_PREDICTIONS_MOST / 4; i++) {
        ring[0] = &s->edges[i];
        extend_ring(s, ring, 1);
    }
}

/* --- all of it --- */

static struct study *sorted; /* qsort() has no argument for its comparison */

static int by_object(const void *a, const void *b)
{
    const struct access *one = &sorted->accesses[*(const size_t *)a];
    const struct access *other = &sorted->accesses[*(const size_t *)b];

    if (one->object != other->object)
        return one->object < other->object ? -1 : 1;
    return one->seq < other->seq ? -1 : 1;
}

static bool is_same(const struct access *a, const struct access *b)
{
    return a->thread == b->thread && a->location == b->location && a->held_count == b->held_count;
}

/* Of accesses to one object, those that differ; they are moved to the front. */
static size_t distinct(const struct study *s, size_t *at, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count && kept < AN_OBJECT_MOST; i++) {
        size_t j = 0;
        while (j < kept && !is_same(&s->accesses[at[j]], &s->accesses[at[i]]))
            j++;
        if (j == kept)
            at[kept++] = at[i];
    }
    return kept;
}

static void each_object(struct study *s, void (*predict)(struct study *, const size_t *, size_t))
{
    for (size_t i = 0, end; i < s->access_count; i = end) {
        uint64_t object = s->accesses[s->by_object[i]].object;
        for (end = i; end < s->access_count; end++) {
            if (s->accesses[s->by_object[end]].object != object)
                break;
        }
        predict(s, &s->by_object[i], distinct(s, &s->by_object[i], end - i));
    }
}

/* For code that several threads run: the same with one of them held, by its thread. */
static void predict_one_held(struct study *s, const struct access *a, const struct access *c)
{
    const struct access *b = again(s, a);
    struct ck_prediction p = {.rank = CK_ONE_HELD};

    if (!b || is_guarded(a, b, c) || c->thread == a->thread)
        return;
    add_aim(&p, hold_at(b, a->seq), c->location);
    p.aims[0].who = (uint64_t)b->thread + 1;
    find(s, &p);
}

static void predict_held_at(struct study *s, const size_t *at, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = count; j > 0; j--) {
            const struct access *a = &s->accesses[at[i]], *c = &s->accesses[at[j - 1]];
            if (conflict(a, c))
                predict_one_held(s, a, c);
        }
    }
}

static int by_rank(const void *a, const void *b)
{
    const struct ck_prediction *one = a, *other = b;

    return one->rank < other->rank ? -1 : one->rank > other->rank;
}

static void read_events(struct study *s, const struct ck_event *events, size_t count)
{
    for (size_t i = 0; i < CK_THREADS_MOST; i++)
        s->threads[i].last_access = s->threads[i].last_join = none;
    for (size_t i = 0; i < count; i++) {
        if (events[i].thread < CK_THREADS_MOST)
            follow(s, &events[i], i + 1);
    }
    for (size_t i = 0; i < s->access_count; i++)
        s->by_object[i] = i;
    sorted = s;
    qsort(s->by_object, s->access_count, sizeof s->by_object[0], by_object);
}

int ck_predict(const struct ck_event *events, size_t count, struct ck_prediction *to)
{
    struct study *s = rvi_calloc(1, sizeof *s);
    struct access *accesses = rvi_calloc(ACCESSES_MOST, sizeof *accesses);
    size_t *at = rvi_calloc(ACCESSES_MOST, sizeof *at);
    int found = -ENOMEM;

    if (!s || !accesses || !at)
        goto out;
    s->accesses = accesses;
    s->by_object = at;
    s->found = to;
    read_events(s, events, count);
    predict_locks(s);
    each_object(s, predict_at);
    each_object(s, predict_pairs_at);
    each_object(s, predict_held_at);
    found = s->found_count;
    qsort(to, (size_t)found, sizeof *to, by_rank);
out:
    rvi_free(at);
    rvi_free(accesses);
    rvi_free(s);
    return found;
}
