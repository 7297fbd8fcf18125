/* SPDX-License-Identifier: MIT */
/* strategy.c - the random walk and PCT.
 *
 * The walk draws uniformly among those that may run. It mixes finely and finds what needs a few
 * switches at any of many places; it hardly ever holds somebody back for long.
 *
 * PCT (Burckhardt, Kothari, Musuvathi and Nagarakatte, "A randomized scheduler with probabilistic
 * guarantees of finding bugs", 2010) runs the one of highest priority, always. Priorities are
 * random; after d - 1 random ones of the k steps, whoever has just run falls below everybody who
 * has not fallen. A bug that needs d orderings among n threads is found with a probability of at
 * least 1 / (n k^(d-1)) a run.
 *
 *   S1  the priority of somebody who has not fallen is a keyed hash of his number, with the top bit
 *       set: drawn, in effect, when he is first seen, without a table of who there is
 *   S2  change i (0 .. d-2) gives priority i + 1; who falls twice has the later one
 *   S3  somebody who spins runs only when all others do; of those, the one who said so first
 *
 * S3 is not in the paper, whose threads do not spin: without it the highest would spin for ever for
 * something that a lower one has to do.
 *
 * Rejected: a list in random order into which newcomers are inserted, as the paper has it; it has
 * to be allocated, and gives the same distribution. Switching with a small probability a step (the
 * walk in bursts): between the two, better than neither. */
#include "explore/strategy.h"

#include <stdbool.h>

#include "base/check.h"

/* The finalizer of splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t priority_of(const struct rvi_strategy *s, uint64_t who)
{
    for (unsigned i = s->changes; i > 0; i--) {
        if (s->demoted[i - 1] == who)
            return i;
    }
    return mix(mix(who * UINT64_C(0x9e3779b97f4a7c15)) ^ s->key) | UINT64_C(1) << 63;
}

/* Whoever ran last falls if one of the changes comes after that step. */
static void change(struct rvi_strategy *s)
{
    for (unsigned i = 0; i < s->changes; i++) {
        if (s->change_at[i] != s->step)
            continue;
        for (unsigned j = 0; j < s->changes; j++) {
            if (s->demoted[j] == s->last)
                s->demoted[j] = 0;
        }
        s->demoted[i] = s->last;
    }
}

static size_t first_spinner(const struct rvi_candidate *c, size_t count)
{
    size_t first = 0;

    for (size_t i = 1; i < count; i++) {
        if (c[i].spun < c[first].spun)
            first = i;
    }
    return first;
}

static size_t highest(const struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t best = count;
    uint64_t best_priority = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t priority = c[i].spun ? 0 : priority_of(s, c[i].who);
        if (priority > best_priority) {
            best = i;
            best_priority = priority;
        }
    }
    return best < count ? best : first_spinner(c, count);
}

static size_t draw(struct rvi_strategy *s, const struct rvi_candidate *c, size_t count)
{
    size_t busy = 0;

    for (size_t i = 0; i < count; i++)
        busy += c[i].spun == 0;
    if (busy == 0)
        return first_spinner(c, count);
    size_t left = busy > 1 ? (size_t)rvi_rng_below(&s->rng, busy) : 0;
    for (size_t i = 0;; i++) {
        if (c[i].spun == 0 && left-- == 0)
            return i;
    }
}

void rvi_strategy_init(struct rvi_strategy *s, const struct rvi_strategy_opts *opts)
{
    *s = (struct rvi_strategy){.kind = opts->kind};
    rvi_rng_seed(&s->rng, opts->seed);
    s->key = rvi_rng_next(&s->rng);
    if (opts->kind != RVI_STRATEGY_PCT)
        return;
    RV_CHECK(opts->depth >= 1 && opts->depth <= RVI_STRATEGY_DEPTH_MOST && opts->length > 0);
    s->changes = opts->depth - 1;
    for (unsigned i = 0; i < s->changes; i++)
        s->change_at[i] = 1 + rvi_rng_below(&s->rng, opts->length);
}

size_t rvi_strategy_choose(struct rvi_strategy *s, const struct rvi_candidate *candidates,
                           size_t count)
{
    RV_DCHECK(count > 0);
    if (s->step > 0)
        change(s);
    size_t chosen =
        s->kind == RVI_STRATEGY_PCT ? highest(s, candidates, count) : draw(s, candidates, count);
    s->step++;
    s->last = candidates[chosen].who;
    return chosen;
}
