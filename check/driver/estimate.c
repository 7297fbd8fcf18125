/* SPDX-License-Identifier: MIT */
/* estimate.c - what the behaviours seen say about those not seen.
 *
 * The chance that the next is new is about the share of runs whose behaviour was seen this once
 * (Good, "The population frequencies of species and the estimation of population parameters",
 * 1953). How many are missing is at least once^2 / (2 twice) (Chao, "Nonparametric estimation of
 * the number of classes in a population", 1984; in the form without bias, once (once - 1) / (2
 * (twice + 1))).
 *
 * Both assume that all runs are drawn from one distribution. Here several strategies take turns, so
 * the numbers say how far the whole portfolio has come, and are said as "about", and "or more". */
#include "check/driver/estimate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/alloc.h"

enum { FIRST_ROOM = 1024, PERCENT = 100 };

static struct ck_estimate_entry *find(struct ck_estimate *e, uint64_t hash)
{
    size_t at = (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (e->room - 1);

    while (e->entries[at].times > 0 && e->entries[at].hash != hash)
        at = (at + 1) & (e->room - 1);
    return &e->entries[at];
}

static bool grow(struct ck_estimate *e)
{
    struct ck_estimate old = *e;
    size_t room = old.room > 0 ? old.room * 2 : FIRST_ROOM;
    struct ck_estimate_entry *entries = rvi_calloc(room, sizeof *entries);

    if (!entries)
        return false;
    e->entries = entries;
    e->room = room;
    for (size_t i = 0; i < old.room; i++) {
        if (old.entries[i].times > 0)
            *find(e, old.entries[i].hash) = old.entries[i];
    }
    rvi_free(old.entries);
    return true;
}

int ck_estimate_add(struct ck_estimate *e, uint64_t hash)
{
    if (e->distinct * 2 >= e->room && !grow(e))
        return -ENOMEM;
    struct ck_estimate_entry *entry = find(e, hash);
    bool is_new = entry->times == 0;
    e->once = e->once + is_new - (entry->times == 1);
    e->twice = e->twice + (entry->times == 1) - (entry->times == 2);
    e->distinct += is_new;
    e->runs++;
    entry->hash = hash;
    entry->times += entry->times < UINT32_MAX;
    return is_new;
}

double ck_estimate_next_is_new(const struct ck_estimate *e)
{
    return e->runs > 0 ? (double)e->once / (double)e->runs : 1;
}

double ck_estimate_unseen(const struct ck_estimate *e)
{
    double once = (double)e->once;

    return e->once > 0 ? once * (once - 1) / (2 * ((double)e->twice + 1)) : 0;
}

void ck_estimate_words(const struct ck_estimate *e, char *to, size_t room)
{
    double percent = PERCENT * ck_estimate_next_is_new(e);

    if (e->once == 0 || e->distinct <= 1)
        snprintf(to, room, "%" PRIu64 " distinct, the last ones all seen before", e->distinct);
    else if (e->twice == 0)
        snprintf(to, room, "%" PRIu64 " distinct, most of them still unseen", e->distinct);
    else
        snprintf(to, room,
                 "%" PRIu64 " distinct, about %.0f or more unseen (%.*f%% of runs are new)",
                 e->distinct, ck_estimate_unseen(e), percent < 1 ? 1 : 0, percent);
}

void ck_estimate_fini(struct ck_estimate *e)
{
    rvi_free(e->entries);
    *e = (struct ck_estimate){0};
}
