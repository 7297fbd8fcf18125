/* SPDX-License-Identifier: MIT */
/* strategy_surw.c - the selectively uniform random walk (Zhao, Wolff, Mathur and Roychoudhury,
 * "Selectively uniform concurrency testing", 2025).
 *
 * If threads have a, b, ... steps to go, as many of the interleavings begin with a step of the
 * first as a is of their sum. So somebody drawn with that probability, each step, samples all
 * interleavings alike, where the plain walk would rather have the longer thread end alone. Of the
 * selected steps only: the others are taken in any order, by whoever is not about to take a
 * selected one.
 *
 *   U1  somebody is intended for the next selected step, drawn by what each has left. Others who
 *       come to a selected step wait there until he has taken his; then the next is drawn
 *   U2  he is drawn again when he can take no step now (blocked, spinning)
 *   U3  steps of those who are not there yet count as the first one's: he has to start them
 *
 * Steps left are steps of the thread, selected or not: of threads that run similar code the
 * selected are about the same share. What is left is at least 1, as counts come from another run.
 * */
#include "explore/strategy_inside.h"

static uint64_t weight(struct rvi_strategy *s, const struct rvi_candidate *c)
{
    uint64_t left = rvi_strategy_slot(s, c->who)->left;

    if (c->who == 1)
        left += s->unborn;
    return left > 0 ? left : 1;
}

static void meet(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rvi_strategy_slot *slot = rvi_strategy_slot(s, c[i].who);
        if (slot->is_seen || slot == &s->spare)
            continue;
        slot->is_seen = true;
        s->unborn -= slot->left;
    }
}

static uint64_t draw(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += rvi_candidate_is_busy(&c[i]) ? weight(s, &c[i]) : 0;
    uint64_t at = rvi_rng_below(&s->rng, sum);
    for (size_t i = 0;; i++) {
        uint64_t w = rvi_candidate_is_busy(&c[i]) ? weight(s, &c[i]) : 0;
        if (at < w)
            return c[i].who;
        at -= w;
    }
}

static bool is_selected(const struct rvi_strategy *s, const struct rvi_candidate *c)
{
    return rvi_strategy_hash(s, c->location) >> 1 >> (63 - s->opts.share) == 0;
}

static bool is_there(const struct rvi_candidate *c, size_t count, uint64_t who)
{
    for (size_t i = 0; i < count; i++) {
        if (c[i].who == who)
            return rvi_candidate_is_busy(&c[i]);
    }
    return false;
}

static bool may_go(const struct rvi_strategy *s, const struct rvi_candidate *c)
{
    return rvi_candidate_is_busy(c) && (c->who == s->intended || !is_selected(s, c));
}

static size_t pick_free(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t able = 0;

    for (size_t i = 0; i < count; i++)
        able += may_go(s, &c[i]);
    size_t left = able > 1 ? (size_t)rvi_rng_below(&s->rng, able) : 0;
    for (size_t i = 0;; i++) {
        if (may_go(s, &c[i]) && left-- == 0)
            return i;
    }
}

static void look(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    struct rvi_strategy_slot *slot = rvi_strategy_slot(s, s->last.who);

    (void)c, (void)count;
    slot->left -= slot->left > 0;
    if (s->last.who == s->intended && is_selected(s, &s->last))
        s->intended = 0;
}

static size_t pick(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    meet(s, c, count);
    if (!is_there(c, count, s->intended))
        s->intended = draw(s, c, count);
    return pick_free(s, c, count);
}

const struct rvi_strategy_ops rvi_strategy_surw = {NULL, look, pick};
