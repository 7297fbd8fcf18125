/* SPDX-License-Identifier: MIT */
/* explorer.h - which schedule next: a portfolio of strategies and granularities, and what is
 * learned from the executions so far. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/driver/estimate.h"
#include "check/wire.h"

struct ck_explorer_opts {
    uint64_t seed;        /* equal seeds and equal results: equal plans */
    uint64_t schedules;   /* at most so many; 0: no limit */
    int64_t time_ns;      /* for so long; 0: no limit */
    uint64_t step_limit;  /* 0: a million */
    uint64_t quiet_limit; /* 0: a hundred thousand */
    uint32_t flags;       /* of each plan: CK_FIND_RACES, CK_BATON */
    int only_strategy;    /* one of enum rvi_strategy_kind + 1; 0: all */
    int only_granularity; /* one of enum ck_granularity + 1; 0: all */
    uint32_t
        bound; /* instead of the portfolio all schedules with fewer preemptions; 0: portfolio */
};

struct ck_explorer;

/** Errors: -ENOMEM. */
int ck_explorer_new(const struct ck_explorer_opts *opts, struct ck_explorer **ret)
    __attribute__((warn_unused_result));
void ck_explorer_free(struct ck_explorer *explorer);

enum ck_explorer_end {
    CK_GO_ON,
    CK_SCHEDULES_SPENT,
    CK_TIME_SPENT,
    CK_NOTHING_TO_CHOOSE, /* all executions were one and the same */
    CK_ALL_TRIED,         /* of a bounded search: ck_explorer_tried() says what that means */
};

/** The next plan, with its counts and locations, into a mapping whose program does not run.
 *
 * @param spent_ns  since the first plan, by the caller's clock
 * @return CK_GO_ON, or why there is none */
enum ck_explorer_end ck_explorer_next(struct ck_explorer *explorer, struct ck_shared *to,
                                      int64_t spent_ns);

/** What became of a plan; any order, if several ran at a time.
 * Errors: -ENOMEM something was not learned from it. */
int ck_explorer_feed(struct ck_explorer *explorer, const struct ck_shared *from)
    __attribute__((warn_unused_result));

/** For reports. */
const struct ck_estimate *ck_explorer_estimate(const struct ck_explorer *explorer);

/** Of a bounded search: all schedules with so many preemptions or fewer have been tried, at the
 * points that share memory or synchronise, without time-outs before their time; -1: nothing can be
 * said. */
int ck_explorer_tried(const struct ck_explorer *explorer);
