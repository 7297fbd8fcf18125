/* SPDX-License-Identifier: MIT */
/* strategy_priority.c - the strategies in which the highest of random priorities runs, always.
 *
 * PCT (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic
 * guarantees of finding bugs", 2010): a priority a thread; after d - 1 random ones of the k steps,
 * whoever has just run falls below everybody who has not fallen. A bug that needs d orderings among
 * n threads is found with a probability of at least 1 / (n k^(d-1)) a run.
 *
 * POS (Yuan, Yang and Gu, "Partial order aware concurrency sampling", 2018): a priority an event.
 * When one has run, those that conflict with it get new ones, so that who comes first at one object
 * says nothing about who does at the next.
 *
 * Location priority: a priority a place in the program, for a whole run. Whoever comes to a low one
 * waits there for the others: a few places decide, however many threads there are and however often
 * each passes. Two places in either order are two runs, if the second is the reverse of the first.
 *
 *   P1  a priority is a keyed hash of what it belongs to: drawn, in effect, when that is first
 *       seen, without a table of what there is
 *   P2  PCT: change i (0 .. d-2) gives priority i + 1, below all others; who falls twice has the
 *       later
 *   P3  location: between threads at places of one priority a priority a thread decides
 *
 * Rejected: a list in random order into which newcomers are inserted, as PCT's paper has it; it has
 * to be allocated, and gives the same distribution. Switching with a small probability a step (the
 * walk in bursts): between the two, better than neither. */
#include "base/check.h"
#include "explore/strategy_inside.h"

/* Compared as one number. */
struct rank {
    uint64_t major, minor;
};

typedef struct rank rank_of(struct rvi_strategy *s, const struct rvi_candidate *c);

static size_t highest(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count,
                      rank_of *rank)
{
    size_t best = count;
    struct rank top = {0, 0};

    for (size_t i = 0; i < count; i++) {
        if (!rvi_candidate_is_busy(&c[i]))
            continue;
        struct rank r = rank(s, &c[i]);
        if (best == count || r.major > top.major || (r.major == top.major && r.minor > top.minor)) {
            best = i;
            top = r;
        }
    }
    return best;
}

static uint64_t turned(const struct rvi_strategy *s, uint64_t priority)
{
    return s->opts.is_reversed ? ~priority : priority;
}

/* --- PCT --- */

static void pct_begin(struct rvi_strategy *s)
{
    const struct rvi_strategy_opts *o = &s->opts;

    RV_CHECK(o->depth >= 1 && o->depth <= RVI_STRATEGY_DEPTH_MOST && o->length > 0);
    s->changes = o->depth - 1;
    for (unsigned i = 0; i < s->changes; i++)
        s->change_at[i] = 1 + rvi_rng_below(&s->rng, o->length);
}

/* Whoever ran last falls if one of the changes comes after that step. */
static void pct_look(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    (void)c, (void)count;
    for (unsigned i = 0; i < s->changes; i++) {
        if (s->change_at[i] != s->step)
            continue;
        for (unsigned j = 0; j < s->changes; j++) {
            if (s->demoted[j] == s->last.who)
                s->demoted[j] = 0;
        }
        s->demoted[i] = s->last.who;
    }
}

static struct rank pct_rank(struct rvi_strategy *s, const struct rvi_candidate *c)
{
    for (unsigned i = s->changes; i > 0; i--) {
        if (s->demoted[i - 1] == c->who)
            return (struct rank){i, 0};
    }
    return (struct rank){turned(s, rvi_strategy_hash(s, c->who)) | UINT64_C(1) << 63, 0};
}

static size_t pct_pick(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    return highest(s, c, count, pct_rank);
}

const struct rvi_strategy_ops rvi_strategy_pct = {pct_begin, pct_look, pct_pick};

/* --- POS --- */

static bool conflict(const struct rvi_candidate *a, const struct rvi_candidate *b)
{
    return a->object != 0 && a->object == b->object && (a->is_write || b->is_write);
}

/* The next event of whoever ran is a new one; and who lost against it may now be the first. */
static void pos_look(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (c[i].who == s->last.who || conflict(&c[i], &s->last))
            rvi_strategy_slot(s, c[i].who)->epoch++;
    }
}

static struct rank pos_rank(struct rvi_strategy *s, const struct rvi_candidate *c)
{
    uint64_t event = rvi_strategy_mix(c->who) + rvi_strategy_slot(s, c->who)->epoch;

    return (struct rank){turned(s, rvi_strategy_hash(s, event)), 0};
}

static size_t pos_pick(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    return highest(s, c, count, pos_rank);
}

const struct rvi_strategy_ops rvi_strategy_pos = {NULL, pos_look, pos_pick};

/* --- by location --- */

static struct rank location_rank(struct rvi_strategy *s, const struct rvi_candidate *c)
{
    uint64_t place = s->opts.is_own ? c->location + rvi_strategy_mix(c->who) : c->location;

    return (struct rank){turned(s, rvi_strategy_hash(s, place)),
                         turned(s, rvi_strategy_hash(s, ~c->who))};
}

static size_t location_pick(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    return highest(s, c, count, location_rank);
}

const struct rvi_strategy_ops rvi_strategy_location = {NULL, NULL, location_pick};
