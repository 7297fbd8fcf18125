/* SPDX-License-Identifier: MIT */
#include "task/entry.h"

struct rvi_link *rvi_entries_pop_all(struct rvi_waitlist *line)
{
    struct rvi_link *chain = NULL;
    struct rvi_link **end = &chain;
    struct rvi_entry *entry;

    while ((entry = rvi_entry_pop(line)) != NULL) {
        *end = &entry->waiter.link;
        end = &entry->waiter.link.next;
    }
    *end = NULL;
    return chain;
}

void rvi_entries_wake(struct rvi_link *chain)
{
    while (chain != NULL) {
        struct rvi_link *next = chain->next;
        rvi_entry_wake(rvi_entry_of(rvi_waiter_of(chain)));
        chain = next;
    }
}
