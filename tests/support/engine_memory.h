/* SPDX-License-Identifier: MIT */
/* engine_memory.h - an engine inside this process: what a cluster's engine does when all goes well,
 * and what it may do otherwise, on demand.
 *
 * Its URLs are memory://ANYTHING; pools are told apart by URL and name. Clients and workers of one
 * pool meet here. A pool and what it holds last until memory_engine_reset(). Each endpoint has a
 * thread of its own, as with a real engine; what an endpoint says is done on it, in its order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

/* What goes wrong from now on. Zeroes: nothing; a count is used up one by one. */
struct memory_faults {
    int open; /* opening fails so */
    const char *open_words;
    int submit; /* rvi_engine_submit() fails so, `submits` times */
    unsigned submits;
    int store; /* tasks are refused so, `stores` times */
    unsigned stores;
    unsigned lost_tasks;      /* so many are said to be stored, and are not */
    unsigned lost_results;    /* so many results are stored, and nobody hears of it */
    unsigned doubled_results; /* so many are told twice, which breaks E3 */
    unsigned lost_cancels;    /* so many cancellations come to nothing */
    int survey;               /* surveys fail so */
    rv_time lease_ns;         /* how long leases last; 0: as they should */
    bool holds_tasks;         /* none is stored, refused or leased while this is set */
};

/* What has happened in all pools since the last reset. */
struct memory_counts {
    unsigned stored, refused;
    unsigned leased, extended, lapsed;
    unsigned settled, handed_back, buried;
    unsigned doubled;       /* results that were there already */
    unsigned cancelled;     /* tasks that waited and were deleted */
    unsigned waiting, held; /* now: tasks without and with a lease */
    unsigned members;       /* now */
};

/** Begin anew: the engine is there, nothing is stored, nothing goes wrong. No endpoint is open. */
void memory_engine_reset(void);

/** Let this go wrong from now on, and nothing else. */
void memory_engine_break(const struct memory_faults *faults);

/** The link of all endpoints of a role is away (-ENOTCONN), back (0), or gone for good. While it is
 * not there, what they say waits, and they hear nothing. */
void memory_engine_link(enum rvi_engine_role role, int error, const char *words);

struct memory_counts memory_engine_count(void);

/** Wait until is_so(counts) holds, for ten seconds at most, which is a failure. */
void memory_engine_until(bool (*is_so)(const struct memory_counts *counts));

/** A result that nobody has asked for, told to every client: for a tier that has to live with
 * it. */
void memory_engine_tell(const struct rvi_engine_result *result);

/** A worker that is only said to be there. */
void memory_engine_add_member(const char *url, const char *pool, const char *build);
