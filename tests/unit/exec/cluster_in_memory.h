/* SPDX-License-Identifier: MIT */
/* cluster_in_memory.h - an executor on an engine that is in memory, and what that engine does. */
#pragma once

#include "exec/executor.h"

#include <ravel/cluster.h>

#include "../../support/engine_memory.h"
#include "../../support/hand.h"
#include "cluster_plays.h"

#define URL "memory://here"
#define POOL "pool"
#define SPEC "cluster:" URL "/" POOL

static struct hand *hand;
static char words[256];

static inline rv_executor *open_with(struct rv_cluster_opts cluster, struct rv_executor_opts opts)
{
    rv_executor *ex;

    cluster.size = sizeof(cluster);
    cluster.words = words;
    cluster.words_bytes = sizeof(words);
    opts.size = sizeof(opts);
    opts.cluster = &cluster;
    RV_CHECK(rv_executor_open(&ex, SPEC, &opts) == 0);
    return ex;
}

#define OPEN(...) open_with((struct rv_cluster_opts){__VA_ARGS__}, (struct rv_executor_opts){0})

static inline void break_it(struct memory_faults faults)
{
    memory_engine_break(&faults);
}

#define BREAK(...) break_it((struct memory_faults){__VA_ARGS__})

static inline bool has_member(const struct memory_counts *counts)
{
    return counts->members > 0;
}

static inline void needs_hand(unsigned slots)
{
    hand = hand_open(URL, POOL, slots);
    memory_engine_until(has_member);
}

static inline void expect_words(rv_future *f, const char *wanted)
{
    char text[512];

    (void)rv_future_last_words(f, text, sizeof(text));
    if (!strstr(text, wanted))
        fprintf(stderr, "words: \"%s\"\n", text);
    RV_CHECK(strstr(text, wanted));
}

static inline bool is_one_stored(const struct memory_counts *counts)
{
    return counts->stored == 1;
}

static inline void perform_here(void **state)
{
    memory_engine_reset();
    perform(*state);
    if (hand)
        hand_close(hand);
    hand = NULL;
}
