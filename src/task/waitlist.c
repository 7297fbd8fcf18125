/* SPDX-License-Identifier: MIT */
/* waitlist.c - the longer half of waitlist.h: waking many, withdrawing. */
#include "task/waitlist.h"

uint64_t rvi_waitlist_take(struct rvi_waitlist *list, uint64_t most, struct rvi_link **ret_chain)
{
    struct rvi_link **end = ret_chain;
    uint64_t taken = 0;

    while (taken < most && !rvi_waitlist_is_empty(list)) {
        *end = &rvi_waitlist_pop(list)->link;
        end = &(*end)->next;
        taken++;
    }
    *end = NULL;
    return taken;
}

void rvi_chain_wake(struct rvi_link *chain)
{
    while (chain != NULL) {
        struct rvi_link *next = chain->next;
        rvi_wake(rvi_waiter_of(chain));
        chain = next;
    }
}

bool rvi_waitlist_withdraw(struct rvi_waiter *w, void *place)
{
    struct rvi_place *at = place;
    bool biased = rvi_bias_lock(at->lock);
    bool waits = rvi_waitlist_leave(at->list, w);

    rvi_bias_unlock(at->lock, biased);
    return waits;
}

bool rvi_waitlist_is_valid(const struct rvi_waitlist *list)
{
    const struct rvi_link *link = list->first;

    if (link == NULL)
        return true;
    do {
        if (link->prev == NULL || link->prev->next != link || link->next->prev != link)
            return false;
        link = link->next;
    } while (link != list->first);
    return true;
}
