/* SPDX-License-Identifier: MIT */
/* strategy_aim.c - orders that were not seen yet, asked for by location.
 *
 * To have a read see a write that it has never seen, hold the reader until the writer has been
 * there (in the manner of RFF: Wolff, Shi, Duck, Mathur and Roychoudhury, "Greybox fuzzing for
 * concurrency testing", 2024). To put a foreign access between two of one thread, hold the second
 * of them until that access. To have two threads take two locks crosswise, hold each at its second
 * lock until the other has the first (Joshi, Park, Sen and Naik, "A randomized dynamic program
 * analysis technique for detecting real deadlocks", 2009). All of them are pairs of locations: hold
 * here until there.
 *
 *   A1  an aim is met, for somebody, once anybody else has taken a step at its `until`
 *   A2  a renewed aim is met anew for each time that its `hold` is passed: two that answer each
 *       other go step by step
 *   A3  who is held runs only if all that are busy are
 *   A4  whoever was held at the object of the step that released it goes first, before another
 *       write
 *   A5  without aims whoever conflicts with the step just taken goes next: accesses to one object
 *       take turns. With a depth above 1 priorities are drawn anew after one step in REDRAWN
 *   A6  otherwise threads run by random priorities and until they block: what an aim says is the
 *       only thing that disturbs them */
#include "explore/strategy_inside.h"

enum { REDRAWN = 4 };

static bool is_met(const struct rvi_strategy *s, unsigned aim, uint64_t who)
{
    return s->met[aim].is_many || (s->met[aim].first != 0 && s->met[aim].first != who);
}

static bool is_held(const struct rvi_strategy *s, const struct rvi_candidate *c)
{
    for (unsigned i = 0; i < s->opts.aim_count; i++) {
        const struct rvi_strategy_aim *aim = &s->opts.aims[i];
        if (aim->hold == c->location && (aim->who == 0 || aim->who == c->who) &&
            !is_met(s, i, c->who))
            return true;
    }
    return false;
}

/* The step before this one was what it was held for. */
static bool is_released(const struct rvi_strategy *s, const struct rvi_candidate *c)
{
    if (c->object == 0 || c->object != s->last.object || c->who == s->last.who)
        return false;
    if (s->opts.aim_count == 0)
        return c->is_write || s->last.is_write;
    for (unsigned i = 0; i < s->opts.aim_count; i++) {
        if (s->opts.aims[i].hold == c->location && s->opts.aims[i].until == s->last.location)
            return true;
    }
    return false;
}

static void look(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    (void)c, (void)count;
    if (s->opts.aim_count == 0 && s->opts.depth > 1 && rvi_rng_below(&s->rng, REDRAWN) == 0)
        s->key = rvi_rng_next(&s->rng);
    for (unsigned i = 0; i < s->opts.aim_count; i++) {
        if (s->opts.is_renewed && s->opts.aims[i].hold == s->last.location) {
            s->met[i].first = 0;
            s->met[i].is_many = false;
        }
        if (s->opts.aims[i].until != s->last.location)
            continue;
        if (s->met[i].first == 0)
            s->met[i].first = s->last.who;
        s->met[i].is_many |= s->met[i].first != s->last.who;
    }
}

static uint64_t rank(const struct rvi_strategy *s, const struct rvi_candidate *c)
{
    uint64_t class = is_held(s, c) ? 0 : is_released(s, c) ? 2 : 1;

    return class << 62 | rvi_strategy_hash(s, c->who) >> 2;
}

static size_t pick(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t best = count;
    uint64_t top = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t r = rvi_candidate_is_busy(&c[i]) ? rank(s, &c[i]) : 0;
        if (rvi_candidate_is_busy(&c[i]) && (best == count || r > top)) {
            best = i;
            top = r;
        }
    }
    return best;
}

static void begin(struct rvi_strategy *s)
{
    if (s->opts.aim_count > RVI_STRATEGY_AIMS_MOST)
        s->opts.aim_count = RVI_STRATEGY_AIMS_MOST;
}

const struct rvi_strategy_ops rvi_strategy_aim = {begin, look, pick};
