/* SPDX-License-Identifier: MIT */
/* race.c - which attempt begins when.
 *
 *   R1  an attempt begins when none is under way, or the latest began `delay` ago, or one has
 *       failed since
 *   R2  the first to succeed wins; none begins after it
 *   R3  all have failed => no other is left to begin
 *
 * It is one task that waits for all attempts at once, not a task for each: a plain thread can do it
 * as well, a race costs no stacks, and there is one place to be cancelled at.
 *
 * What failed tells more the closer it came to the other end: that somebody there refused says more
 * than silence, and silence more than that this machine has no way to go there at all, which is
 * usual where only one family has a route. Among equals the first counts: it was the best address.
 *
 * Source: RFC 8305, 5. Checked by: tests/unit/io/test_race.c */
#include "io/race.h"

#include <errno.h>
#include <stdbool.h>

/* How much an error tells. */
static int rank(int err)
{
    switch (err) {
    case -EAFNOSUPPORT:
    case -EADDRNOTAVAIL:
    case -ENETUNREACH:
    case -EHOSTUNREACH:
    case -ENETDOWN:
        return 1;
    case -ETIMEDOUT:
        return 2;
    default:
        return 3;
    }
}

static int more_telling(int known, int err)
{
    return known == 0 || rank(err) > rank(known) ? err : known;
}

int rvi_race_run(struct rvi_race *race, rv_time deadline, size_t *ret_winner)
{
    size_t begun = 0, under_way = 0, which = 0;
    rv_time next = 0;
    int told = 0, r;

    for (;;) {
        if (begun < race->count && (under_way == 0 || race->now(race) >= next)) {
            which = begun++;
            r = race->begin(race, which);
            under_way++;
            next = race->now(race) + race->delay;
        } else if (under_way == 0) {
            return told;
        } else {
            bool is_for_next = begun < race->count && next < deadline;
            int waited = race->await(race, is_for_next ? next : deadline, &which, &r);
            if (waited == -ETIME && is_for_next)
                continue;
            if (waited < 0)
                return waited;
        }
        if (r == 0) {
            *ret_winner = which;
            return 0;
        }
        if (r == -EINPROGRESS)
            continue;
        told = more_telling(told, r);
        under_way--;
        next = 0;
    }
}
