/* SPDX-License-Identifier: MIT */
/* order.c - locks that threads take in different orders: a deadlock that did not happen yet.
 *
 * Who takes B while it holds A draws an edge from A to B. Edges of different threads that form a
 * cycle are a deadlock in waiting, if those threads can stand there at the same time. They cannot
 * when
 *   - two of them hold a common lock besides (a gate), or
 *   - one edge lies before another by what else the threads synchronise by: creation, joining,
 *     barriers, flags, other locks. The locks of the nest themselves always order what happened, by
 *     chance of who came first, so a thread's knowledge counts as it was before it took its
 *     outermost lock
 *   - they would share the lock, as both read
 * A lock that was taken by trying draws no edge: nobody would have waited there.
 *
 *   O1  edges are told apart by both locks, the thread and what else it held; the latest of these
 *       is kept, as it is the least likely to lie before others
 *   O2  a cycle is looked for from each edge as it is drawn: its last one closes it
 *   O3  both searching and remembering have bounds. Beyond them inversions are missed, and none
 *       is invented
 *
 * As this is about other schedules it is a report, not a failure; the strategies look for the
 * deadlock itself. The basis is Havelund's Goodlock (2000) with Bensalem and Havelund's
 * happens-before (2005).
 *
 * Checked by: tests/unit/check/test_order.c, tests/check */
#include "check/runtime/order.h"

#include <string.h>

#include "check/runtime/arena.h"
#include "check/runtime/clocks.h"
#include "check/runtime/fail.h"
#include "check/runtime/objects.h"
#include "check/runtime/sched.h"

enum { HELD_MOST = 24, EDGES_MOST = 1 << 14, CYCLE_MOST = 8, SEARCH_MOST = 256 };

struct held_lock {
    const void *lock;
    uintptr_t pc;
    unsigned flags;
};

struct held {
    uint32_t count; /* beyond HELD_MOST they are counted alone */
    struct held_lock locks[HELD_MOST];
    struct ck_sync before; /* what the thread knew before the first of them */
};

struct edge {
    struct rvi_link in_all;
    struct edge *next; /* of those from the same lock */
    const void *from, *to;
    uint32_t thread, time;
    uint64_t step;
    uintptr_t pc; /* where `to` is taken */
    bool reads_from, reads_to;
    bool is_reported;
    uint32_t held_count;
    const void *held[HELD_MOST];
    struct ck_sync before;
};

struct ordered {
    struct edge *out;
};

static struct held *held_by[CK_THREADS_MOST];
static struct rvi_list edges;
static uint32_t edge_count;

/* ---- which locks a thread has ---------------------------------------------------------------- */

static struct held *my_held(void)
{
    struct held **held = &held_by[ck_self->id];

    if (!*held)
        *held = ck_alloc(sizeof **held);
    return *held;
}

static void push(struct held *held, const void *lock, uintptr_t pc, unsigned flags)
{
    if (held->count < HELD_MOST)
        held->locks[held->count] = (struct held_lock){lock, pc, flags};
    held->count++;
}

static void drop(struct held *held, const void *lock)
{
    uint32_t known = held->count < HELD_MOST ? held->count : HELD_MOST;

    for (uint32_t i = known; i-- > 0;) {
        if (held->locks[i].lock != lock)
            continue;
        memmove(&held->locks[i], &held->locks[i + 1], (known - i - 1) * sizeof held->locks[0]);
        held->count -= held->count <= HELD_MOST;
        return;
    }
    held->count -= held->count > HELD_MOST;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static struct ordered *node_of(const void *lock)
{
    bool is_new;

    return ck_object(CK_ORDERED, lock, sizeof(struct ordered), &is_new);
}

static bool holds_same(const struct edge *edge, const struct held *held)
{
    if (edge->held_count != held->count)
        return false;
    for (uint32_t i = 0; i < held->count; i++) {
        if (edge->held[i] != held->locks[i].lock)
            return false;
    }
    return true;
}

static struct edge *find_edge(const struct ordered *node, const void *to, const struct held *held)
{
    for (struct edge *edge = node->out; edge; edge = edge->next) {
        if (edge->to == to && edge->thread == ck_self->id && holds_same(edge, held))
            return edge;
    }
    return NULL;
}

static struct edge *new_edge(struct ordered *node, const void *to, const struct held *held)
{
    if (edge_count == EDGES_MOST)
        return NULL;
    if (edge_count++ == 0)
        rvi_list_init(&edges);
    struct edge *edge = ck_alloc(sizeof *edge);
    edge->to = to;
    edge->thread = ck_self->id;
    edge->held_count = held->count;
    for (uint32_t i = 0; i < held->count; i++)
        edge->held[i] = held->locks[i].lock;
    edge->next = node->out;
    node->out = edge;
    rvi_list_push_back(&edges, &edge->in_all);
    return edge;
}

static struct edge *draw(const struct held_lock *from, const void *to, uintptr_t pc, unsigned flags,
                         const struct held *held)
{
    struct ordered *node = node_of(from->lock);
    struct edge *edge = find_edge(node, to, held);

    if (!edge)
        edge = new_edge(node, to, held);
    if (!edge)
        return NULL;
    node_of(to);
    edge->from = from->lock;
    edge->pc = pc;
    edge->reads_from = from->flags & CK_TAKE_READS;
    edge->reads_to = flags & CK_TAKE_READS;
    edge->time = ck_hb_time();
    edge->step = ck_self->step;
    ck_sync_copy(&edge->before, &held->before);
    return edge;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

struct search {
    struct edge *path[CYCLE_MOST];
    uint32_t length;
    uint32_t looked_at;
};

static bool shares_gate(const struct edge *a, const struct edge *b)
{
    for (uint32_t i = 0; i < a->held_count; i++) {
        for (uint32_t j = 0; j < b->held_count; j++) {
            if (a->held[i] == b->held[j])
                return true;
        }
    }
    return false;
}

static bool is_before(const struct edge *a, const struct edge *b)
{
    return ck_hb_knows(&b->before, a->thread, a->time);
}

/* Both threads can stand at their edges at once. */
static bool can_meet(const struct edge *a, const struct edge *b)
{
    return a->thread != b->thread && !shares_gate(a, b) && !is_before(a, b) && !is_before(b, a);
}

static bool fits(const struct search *search, const struct edge *edge)
{
    const struct edge *last = search->path[search->length - 1];

    if (last->reads_to && edge->reads_from)
        return false;
    for (uint32_t i = 0; i < search->length; i++) {
        if (!can_meet(search->path[i], edge))
            return false;
    }
    return true;
}

static bool is_closed(const struct search *search)
{
    const struct edge *first = search->path[0], *last = search->path[search->length - 1];

    return last->to == first->from && !(last->reads_to && first->reads_from);
}

static bool extend(struct search *search)
{
    const struct ordered *node = ck_object_find(CK_ORDERED, search->path[search->length - 1]->to);

    if (search->length > 1 && is_closed(search))
        return true;
    if (!node || search->length == CYCLE_MOST)
        return false;
    for (struct edge *edge = node->out; edge; edge = edge->next) {
        if (search->looked_at++ == SEARCH_MOST)
            return false;
        if (!fits(search, edge))
            continue;
        search->path[search->length++] = edge;
        if (extend(search))
            return true;
        search->length--;
    }
    return false;
}

static void report(const struct search *search)
{
    struct ck_report *r =
        ck_report_begin(CK_LOCK_ORDER,
                        "%u threads take %u locks in different orders; at another time they would "
                        "wait for each other",
                        search->length, search->length);

    for (uint32_t i = 0; i < search->length; i++) {
        struct edge *edge = search->path[i];
        struct ck_party *party =
            i == 0 ? ck_report_party(r, edge->thread, (uintptr_t)edge->to)
                   : ck_report_past(r, edge->thread, (uintptr_t)edge->to, edge->pc);

        edge->is_reported = true;
        if (party) {
            party->waits_for_thread = search->path[(i + 1) % search->length]->thread;
            party->event = edge->step;
        }
    }
    ck_report_end(r);
}

static void look_for_cycle(struct edge *edge)
{
    struct search search = {.path = {edge}, .length = 1};

    if (!edge->is_reported && extend(&search))
        report(&search);
}

/* ---- what the locks say ---------------------------------------------------------------------- */

static bool is_nested(const struct held *held, const void *lock)
{
    if (held->count == 0 || held->count > HELD_MOST)
        return false;
    for (uint32_t i = 0; i < held->count; i++) {
        if (held->locks[i].lock == lock)
            return false;
    }
    return true;
}

void ck_order_take(const void *lock, uintptr_t pc, unsigned flags)
{
    struct held *held = my_held();

    if (held->count == 0)
        ck_hb_snapshot(&held->before);
    if (is_nested(held, lock) && !(flags & CK_TAKE_TRIES)) {
        for (uint32_t i = 0; i < held->count; i++) {
            struct edge *edge = draw(&held->locks[i], lock, pc, flags, held);

            if (edge)
                look_for_cycle(edge);
        }
    }
    push(held, lock, pc, flags);
}

void ck_order_drop(const void *lock)
{
    drop(my_held(), lock);
}

static void remove_edge(struct edge *edge)
{
    struct ordered *node = ck_object_find(CK_ORDERED, edge->from);
    struct edge **at = &node->out;

    while (*at != edge)
        at = &(*at)->next;
    *at = edge->next;
    rvi_link_remove(&edge->in_all);
    edge_count--;
    ck_sync_fini(&edge->before);
    ck_free(edge, sizeof *edge);
}

void ck_order_forget(const void *lock)
{
    struct rvi_link *next;

    if (!ck_object_find(CK_ORDERED, lock))
        return;
    for (struct rvi_link *link = edges.head.next; link != &edges.head; link = next) {
        struct edge *edge = rvi_container_of(link, struct edge, in_all);

        next = link->next;
        if (edge->from == lock || edge->to == lock)
            remove_edge(edge);
    }
    ck_object_forget(CK_ORDERED, lock);
}
