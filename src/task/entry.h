/* SPDX-License-Identifier: MIT */
/* entry.h - one that waits at an object which can be selected on: for it alone, or for the first of
 * several (select.c).
 *
 * Such an object keeps entries in its line, not bare waiters. An entry that waits for this object
 * alone belongs to whoever takes it out of the line. One of a choice stands in the lines of other
 * objects too, so taking it out is not enough; it has to be claimed, by the one compare-and-swap
 * that succeeds in the choice's life:
 *
 *   E1  a choice is claimed once: by one of its entries, or by the call itself when it gives up
 *   E2  whoever claims an entry owes its choice one wake, after the lock is free
 *   E3  an entry that could not be claimed is not touched after it has been taken out
 *
 * rvi_entry_pop() hides the difference: what it returns is the caller's to serve. By E3, and
 * because a call takes each other object's lock once more before it returns, the frame of a choice
 * is not touched after its call. The claim needs no order of its own: what the claimer writes into
 * the entry is published by the wake, and its taking out by the object's lock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/check.h"
#include "sched/wait.h"
#include "task/waitlist.h"

struct rvi_entry;

/* What the entries of one call share. */
struct rvi_choice {
    struct rvi_waiter waiter;
    _Atomic(struct rvi_entry *) claimed; /* NULL, the entry that was served, or RVI_GIVEN_UP */
};

#define RVI_GIVEN_UP ((struct rvi_entry *)1)

struct rvi_entry {
    struct rvi_waiter waiter;  /* of a choice's entry only the link is used */
    struct rvi_choice *choice; /* NULL: waits for this object alone */
    union {
        const void *from;
        void *to;
    } item;                    /* a channel's: where it lies, or goes */
    int result;                /* a channel's: -EPIPE until an item has been handed over */
    struct rvi_waitlist *line; /* of a choice's entry: where it stands */
};

static inline struct rvi_entry *rvi_entry_of(struct rvi_waiter *w)
{
    return rvi_container_of(w, struct rvi_entry, waiter);
}

/** E1: whether `by` is the one. */
static inline bool rvi_choice_claim(struct rvi_choice *choice, struct rvi_entry *by)
{
    struct rvi_entry *nobody = NULL;

    return rvi_cas_relaxed(&choice->claimed, &nobody, by);
}

/** Take out the first that can be served, and those before it that cannot any more; NULL when
 * nobody is left. The object's lock is held; the caller owes a wake. */
static inline struct rvi_entry *rvi_entry_pop(struct rvi_waitlist *line)
{
    while (!rvi_waitlist_is_empty(line)) {
        struct rvi_entry *entry = rvi_entry_of(rvi_waitlist_pop(line));
        if (rvi_likely(entry->choice == NULL) || rvi_choice_claim(entry->choice, entry))
            return entry;
    }
    return NULL;
}

/** Wake one that has been popped: last of all, its frame may be gone then. */
static inline void rvi_entry_wake(struct rvi_entry *entry)
{
    rvi_wake(rvi_likely(entry->choice == NULL) ? &entry->waiter : &entry->choice->waiter);
}

/** Take out everybody, chained as by rvi_waitlist_take_all. */
struct rvi_link *rvi_entries_pop_all(struct rvi_waitlist *line);

/** Wake everybody in such a chain. The object may be gone already. */
void rvi_entries_wake(struct rvi_link *chain);
