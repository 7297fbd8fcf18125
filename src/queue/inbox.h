/* SPDX-License-Identifier: MIT */
/* inbox.h - messages from any thread to one: intrusive, unbounded, never fails.
 *
 * Any number of producers push; one consumer takes everything at once, in the order in which each
 * producer pushed. inbox.c has the protocol, and how a consumer sleeps without missing one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/atomic.h"
#include "base/check.h"

/* Embedded in whatever is sent. From push until delivery it is the inbox's. */
struct rvi_msg {
    struct rvi_msg *next;
    void (*deliver)(struct rvi_msg *msg, void *receiver);
};

struct rvi_inbox {
    _Alignas(RVI_CACHE_LINE) _Atomic(struct rvi_msg *) newest;
};

static inline void rvi_inbox_init(struct rvi_inbox *inbox)
{
    rvi_store_relaxed(&inbox->newest, NULL);
}

/** Send a message.
 *
 * @return whether the inbox was empty before: only then can the consumer be asleep and need a wake
 * Errors:  none
 * Blocks:  no
 * Threads: any, signal handlers included
 * Lifetime: `msg` is the inbox's; the consumer may have freed it before this returns */
bool rvi_inbox_push(struct rvi_inbox *inbox, struct rvi_msg *msg);

/** Take everything, as a chain linked by `next`, each producer's messages in the order pushed;
 * NULL when empty, which costs a load only.
 *
 * Errors:  none
 * Blocks:  no
 * Threads: the consumer
 * Lifetime: the messages are the caller's; read `next` before delivering */
struct rvi_msg *rvi_inbox_take_all(struct rvi_inbox *inbox);

/** Whether there was nothing, at some moment; for polling. */
static inline bool rvi_inbox_looks_empty(const struct rvi_inbox *inbox)
{
    return rvi_load_relaxed(&inbox->newest) == NULL;
}

/** The same in the single total order of sequentially consistent operations; for going to sleep. */
static inline bool rvi_inbox_looks_empty_seq_cst(const struct rvi_inbox *inbox)
{
    return rvi_load_seq_cst(&inbox->newest) == NULL; /* pairs: inbox-sleep */
}
