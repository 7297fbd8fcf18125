/* SPDX-License-Identifier: MIT */
/* engine_queues.h - an engine inside this process that has queues and nothing else, and that does
 * on demand what a real one may do. Its URLs are queues://ANYTHING. What it holds lasts until
 * engine_queues_reset(). */
#pragma once

#include <stdbool.h>

#include "engine/queue.h"

/* What goes wrong from now on; zeroes: nothing. */
struct queue_faults {
    int open;       /* connecting fails so */
    int open_queue; /* opening a queue fails so */
    int put;        /* what is put is refused so, `puts` times */
    unsigned puts;
    int count;    /* nobody is told how much there is, but this */
    bool is_away; /* nothing is answered or leased while this is set */
};

void engine_queues_reset(void);
void engine_queues_break(const struct queue_faults *faults);

/** All leases lapse: the items are got again, and their holders hear of it. */
void engine_queues_lapse(void);

/** Put bytes into a queue that exists, as another program would. */
void engine_queues_put(const char *name, const void *bytes, size_t count);

/** How many puts, counts and drops have been said and not answered. */
unsigned engine_queues_unanswered(void);

/** How many items are wanted and not there, by all handles. */
unsigned engine_queues_wanted(void);
