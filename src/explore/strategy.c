/* SPDX-License-Identifier: MIT */
/* strategy.c - what all strategies share, and the random walk.
 *
 * The walk draws uniformly among those that may run. It mixes finely and finds what needs a few
 * switches at any of many places; it hardly ever holds somebody back for long.
 *
 *   S1  whoever spins or could go on by a time-out alone is never offered to a strategy: it chooses
 *       among the busy
 *   S2  of those that wait for time, one goes on by chance (`hurry`), whoever it is, so that a
 *       time-out may come before what it guards against; and when nobody else can
 *   S3  somebody who spins runs only when all others do; of those, the one who said so first
 *   S4  after `patience` steps all priorities are drawn anew: a strategy of priorities would let
 *       the highest poll for ever for something that a lower one has to do, if the polling does not
 *       look like spinning
 *
 * None of these is in the papers, whose threads do not spin, wait for time, or poll.
 *
 * Rejected: time-outs as candidates like others. A program that waits with a limit of seconds would
 * mostly be seen giving up; with a chance a step, drawn by plans that want it, it is seen both
 * ways. */
#include "explore/strategy.h"

#include "base/check.h"
#include "explore/strategy_inside.h"

enum { SPINS = 4 }; /* of so many turns while all wait, spinners get one */

static size_t draw_busy(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t busy = 0;

    for (size_t i = 0; i < count; i++)
        busy += rvi_candidate_is_busy(&c[i]);
    size_t left = busy > 1 ? (size_t)rvi_rng_below(&s->rng, busy) : 0;
    for (size_t i = 0;; i++) {
        if (rvi_candidate_is_busy(&c[i]) && left-- == 0)
            return i;
    }
}

static const struct rvi_strategy_ops walk = {.pick = draw_busy};

static const struct rvi_strategy_ops *const all[RVI_STRATEGY_KINDS] = {
    [RVI_STRATEGY_WALK] = &walk,
    [RVI_STRATEGY_PCT] = &rvi_strategy_pct,
    [RVI_STRATEGY_POS] = &rvi_strategy_pos,
    [RVI_STRATEGY_SURW] = &rvi_strategy_surw,
    [RVI_STRATEGY_LOCATION] = &rvi_strategy_location,
    [RVI_STRATEGY_AIM] = &rvi_strategy_aim,
};

static size_t first_spinner(const struct rvi_candidate *c, size_t count)
{
    size_t first = count;

    for (size_t i = 0; i < count; i++) {
        if (c[i].spun && !c[i].is_late && (first == count || c[i].spun < c[first].spun))
            first = i;
    }
    return first;
}

static size_t draw_late(struct rvi_strategy *s, const struct rvi_candidate *c, size_t late)
{
    size_t left = late > 1 ? (size_t)rvi_rng_below(&s->rng, late) : 0;

    for (size_t i = 0;; i++) {
        if (c[i].is_late && left-- == 0)
            return i;
    }
}

/* Time passes sooner than a spinner is helped by running once more. */
static size_t among_waiting(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count,
                            size_t late)
{
    bool is_spin = late == 0 || (late < count && rvi_rng_below(&s->rng, SPINS) == 0);

    return is_spin ? first_spinner(c, count) : draw_late(s, c, late);
}

static void look(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    const struct rvi_strategy_ops *ops = all[s->opts.kind];

    if (ops->look && s->step > 0)
        ops->look(s, c, count);
    if (s->opts.patience > 0 && s->step > 0 && s->step % s->opts.patience == 0)
        s->key = rvi_rng_next(&s->rng);
}

static size_t choose(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t busy = 0, late = 0;

    for (size_t i = 0; i < count; i++) {
        busy += rvi_candidate_is_busy(&c[i]);
        late += c[i].is_late;
    }
    if (busy == 0)
        return among_waiting(s, c, count, late);
    if (late > 0 && s->opts.hurry > 0 && rvi_rng_below(&s->rng, s->opts.hurry) == 0)
        return draw_late(s, c, late);
    return all[s->opts.kind]->pick(s, c, count);
}

void rvi_strategy_init(struct rvi_strategy *s, const struct rvi_strategy_opts *opts)
{
    RV_CHECK((unsigned)opts->kind < RVI_STRATEGY_KINDS);
    *s = (struct rvi_strategy){.opts = *opts};
    rvi_rng_seed(&s->rng, opts->seed);
    s->key = rvi_rng_next(&s->rng);
    if (all[opts->kind]->begin)
        all[opts->kind]->begin(s);
}

void rvi_strategy_give(struct rvi_strategy *s, struct rvi_strategy_slot *slots, size_t slot_count,
                       const uint32_t *counts, size_t count)
{
    RV_CHECK(count <= slot_count);
    s->slots = slots;
    s->slot_count = slot_count;
    for (size_t i = 0; i < count; i++) {
        if (counts[i] == 0)
            continue;
        slots[i].left = counts[i];
        s->unborn += counts[i];
    }
}

size_t rvi_strategy_choose(struct rvi_strategy *s, const struct rvi_candidate *candidates,
                           size_t count)
{
    RV_DCHECK(count > 0);
    look(s, candidates, count);
    size_t chosen = choose(s, candidates, count);
    s->step++;
    s->last = candidates[chosen];
    return chosen;
}
