/* SPDX-License-Identifier: MIT */
/* search.c - iterative context bounding (Musuvathi and Qadeer, "Iterative context bounding for
 * systematic testing of multithreaded programs", 2007).
 *
 * A schedule is the default one with some switches. Its children have one switch more, later than
 * its own last: so each schedule has one parent, and is run once. A switch of somebody who could
 * have gone on is a preemption; others are free. Schedules with fewer preemptions come first, and
 * of those with as many the deepest, so that few wait.
 *
 *   B1  a node is a schedule: its last switch, and its parent's
 *   B2  waiting[n] are nodes with n preemptions that have not been run; given counts those that run
 *   B3  a level is done when none that waits or runs has as few preemptions; what was then unknown
 *       (time-outs, over 64 threads, an execution cut short, no memory for a node) is unknown for
 *       all levels from there on, as children may be missing
 *
 * Rejected: sleep sets (Godefroid 1996). They leave out schedules that only reorder what is
 * independent, but the one that is left may need more preemptions than the bound allows; then "all
 * with up to k" would not be true (Coons, Musuvathi and McKinley, "Bounded partial-order
 * reduction", 2013). */
#include "check/driver/search.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

enum { LEVELS = CK_PREEMPTIONS_MOST + 1, NODES_MOST = 1 << 23, NO_NODE = 0 };

struct node {
    struct ck_switch last;
    uint32_t parent;
    uint32_t below; /* in its stack; 0: none */
    uint16_t depth, preemptions;
};

struct ck_search {
    struct node *nodes; /* [1] is the default schedule */
    uint32_t count, room;
    uint32_t waiting[LEVELS];
    uint32_t running[LEVELS];
    uint32_t preemptions_most;
    uint32_t restarts;
    int first_unknown; /* level */
};

static int add(struct ck_search *s, struct node node)
{
    if (s->count == NODES_MOST)
        return -ENOMEM;
    if (s->count == s->room) {
        uint32_t room = s->room * 2;
        struct node *nodes = rvi_realloc(s->nodes, room * sizeof *nodes);
        if (!nodes)
            return -ENOMEM;
        s->nodes = nodes;
        s->room = room;
    }
    node.below = s->waiting[node.preemptions];
    s->nodes[s->count] = node;
    s->waiting[node.preemptions] = s->count++;
    return 0;
}

void ck_search_restart(struct ck_search *s)
{
    s->restarts++;
    memset(s->waiting, 0, sizeof s->waiting);
    memset(s->running, 0, sizeof s->running);
    s->first_unknown = LEVELS;
    s->count = 1;
    s->nodes[1] = (struct node){0};
    s->waiting[0] = s->count++;
}

int ck_search_new(uint32_t preemptions_most, struct ck_search **ret)
{
    struct ck_search *s = rvi_calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->room = 1024;
    s->preemptions_most = preemptions_most < LEVELS ? preemptions_most : LEVELS - 1;
    s->nodes = rvi_calloc(s->room, sizeof *s->nodes);
    if (!s->nodes) {
        rvi_free(s);
        return -ENOMEM;
    }
    ck_search_restart(s);
    *ret = s;
    return 0;
}

void ck_search_free(struct ck_search *s)
{
    if (!s)
        return;
    rvi_free(s->nodes);
    rvi_free(s);
}

static long spell(const struct ck_search *s, uint32_t at, struct ck_switch *switches)
{
    long count = s->nodes[at].depth;

    for (uint32_t depth = s->nodes[at].depth; depth > 0; depth--) {
        switches[depth - 1] = s->nodes[at].last;
        at = s->nodes[at].parent;
    }
    return count;
}

long ck_search_next(struct ck_search *s, struct ck_switch *switches, uint64_t *ret_token)
{
    for (uint32_t level = 0; level <= s->preemptions_most; level++) {
        uint32_t at = s->waiting[level];
        if (at != NO_NODE) {
            s->waiting[level] = s->nodes[at].below;
            s->running[level]++;
            *ret_token = (uint64_t)s->restarts << 32 | at;
            return spell(s, at, switches);
        }
        if (s->running[level] > 0)
            return -ENOENT;
    }
    return -ENOENT;
}

/* From this level on something is not known. */
static void forget(struct ck_search *s, uint32_t level)
{
    if ((int)level < s->first_unknown)
        s->first_unknown = (int)level;
}

/* All that this decision could have been. */
static int branch(struct ck_search *s, uint32_t parent, const struct ck_decision *d)
{
    uint32_t preemptions = s->nodes[parent].preemptions + (d->is_preemption != 0);
    int err = 0;

    if (preemptions > s->preemptions_most)
        return 0;
    for (uint64_t able = d->able; able != 0 && err == 0; able &= able - 1) {
        uint32_t value = (uint32_t)__builtin_ctzll(able);
        if (value == d->chosen)
            continue;
        err = s->nodes[parent].depth == UINT16_MAX
                  ? -ENOMEM
                  : add(s, (struct node){.last = {d->thread, d->nth, value},
                                         .parent = parent,
                                         .depth = (uint16_t)(s->nodes[parent].depth + 1),
                                         .preemptions = (uint16_t)preemptions});
    }
    if (err < 0)
        forget(s, preemptions);
    return err;
}

/* The decisions after its last switch; `count`: that was never made. */
static uint32_t first_free(const struct node *node, const struct ck_shared *from, uint32_t count)
{
    if (node->depth == 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct ck_decision *d = &from->decisions[i];
        if (d->thread == node->last.thread && d->nth == node->last.nth)
            return i + 1;
    }
    return count;
}

int ck_search_feed(struct ck_search *s, uint64_t token, const struct ck_shared *from)
{
    uint32_t at = (uint32_t)token;
    const struct ck_result *r = &from->result;
    uint32_t count = r->decision_count < CK_DECISIONS_MOST ? r->decision_count : CK_DECISIONS_MOST;
    int err = 0;

    if (token >> 32 != s->restarts || at == NO_NODE || at >= s->count)
        return 0;
    uint32_t level = s->nodes[at].preemptions;
    s->running[level] -= s->running[level] > 0;
    if (r->is_partial || r->failure.kind >= CK_STEPS || count == 0)
        forget(s, level);
    for (uint32_t i = first_free(&s->nodes[at], from, count); i < count && err == 0; i++)
        err = branch(s, at, &from->decisions[i]);
    return err;
}

bool ck_search_is_over(const struct ck_search *s)
{
    for (uint32_t level = 0; level <= s->preemptions_most; level++) {
        if (s->waiting[level] != NO_NODE || s->running[level] > 0)
            return false;
    }
    return true;
}

int ck_search_done(const struct ck_search *s)
{
    int done = -1;

    for (uint32_t level = 0; level <= s->preemptions_most; level++) {
        if (s->waiting[level] != NO_NODE || s->running[level] > 0 || (int)level >= s->first_unknown)
            break;
        done = (int)level;
    }
    return done;
}
