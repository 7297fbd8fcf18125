/* SPDX-License-Identifier: MIT */
/* select.h - what an object has to offer to be selected on; select.c has the essay.
 *
 * To make something selectable: keep entries (entry.h) in its line, serve them by rvi_entry_pop()
 * and rvi_entry_wake(), write a kind for each thing to wait for, and name it in select.c. */
#pragma once

#include <stdbool.h>

#include <ravel/select.h>

#include "task/entry.h"
#include "task/waitlist.h"

/* What has been agreed under the lock and remains to be done without it. */
struct rvi_deal {
    struct rvi_entry *peer; /* NULL, or taken out of the line: to be served and woken */
    uint64_t place;         /* what the object has reserved, in its own terms */
    int result;
};

struct rvi_case_kind {
    /* Do it if it needs no waiting: what is the case's result then, or -EAGAIN. Takes the lock. */
    int (*attempt)(const struct rv_case *c);

    /* The object's lock; no other has it. Nested by select.c alone, in the order of addresses. */
    bool (*lock)(void *object);
    void (*unlock)(void *object, bool biased);

    /* With the lock held: agree on it if it can be done now. */
    bool (*begin)(const struct rv_case *c, struct rvi_deal *deal);

    /* With no lock held: do what was agreed. Returns the case's result. */
    int (*finish)(const struct rv_case *c, const struct rvi_deal *deal);

    /* With the lock held: prepare an entry (item, result), and say which line it joins. */
    struct rvi_waitlist *(*enlist)(const struct rv_case *c, struct rvi_entry *entry);
};

extern const struct rvi_case_kind rvi_case_send;
extern const struct rvi_case_kind rvi_case_recv;
extern const struct rvi_case_kind rvi_case_event;
