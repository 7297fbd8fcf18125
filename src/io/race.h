/* SPDX-License-Identifier: MIT */
/* race.h - attempts at connections, of which the first that succeeds wins: the decisions of RFC
 * 8305 (Happy Eyeballs 2), apart from the network. */
#pragma once

#include <stddef.h>

#include <ravel/time.h>

/** What makes the attempts and knows the time: the network, or a test. */
struct rvi_race {
    /** Begin an attempt: 0 it has succeeded; -EINPROGRESS; or why it has failed. */
    int (*begin)(struct rvi_race *race, size_t which);
    /** Wait until one under way has ended: 0, and which, with what result; -ETIME, or why it cannot
     * be waited for. */
    int (*await)(struct rvi_race *race, rv_time until, size_t *ret_which, int *ret_result);
    rv_time (*now)(struct rvi_race *race);
    size_t count;  /* attempts to make at most, numbered from 0 */
    rv_time delay; /* after which one that is under way gets company */
};

/** Hold a race: 0, and who has won. Others may be under way when it returns, whatever it returns.
 *
 * Errors: -ETIME; those of `await`; where all attempts have failed what tells most */
int rvi_race_run(struct rvi_race *race, rv_time deadline, size_t *ret_winner)
    __attribute__((warn_unused_result));
