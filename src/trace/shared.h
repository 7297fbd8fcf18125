/* SPDX-License-Identifier: MIT */
/* shared.h - the rings of everything that a program runs, in memory that another program reads:
 * `ravel trace`. What was noted stays there when the program has ended, however that was.
 *
 *     | struct rvi_trace_shared, with texts | place 0: a ring a worker | place 1: ... | ...
 *
 * A runtime has a place, and so have the threads of a process that are no workers, with one ring
 * for all of them. shared.c says who writes what. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "trace/ring.h"

enum {
    RVI_TRACE_TEXTS = 16384, /* a power of two */
    RVI_TRACE_PLACES = 32,
    RVI_TRACE_NAME_BYTES = 64,
    RVI_TRACE_FILE_BYTES = 112,
};

/* What a task or a scope is called, and where it is started. */
struct rvi_trace_text {
    _Atomic(uint64_t) key; /* 0: free */
    _Atomic(uint32_t) is_there;
    uint32_t line;
    char name[RVI_TRACE_NAME_BYTES];
    char file[RVI_TRACE_FILE_BYTES];
};

enum rvi_trace_place_state {
    RVI_TRACE_FREE,
    RVI_TRACE_TAKEN, /* not yet to be read */
    RVI_TRACE_NOTES,
    RVI_TRACE_ENDED, /* nothing is noted there any more */
};

struct rvi_trace_place {
    _Atomic(uint32_t) state; /* enum rvi_trace_place_state */
    uint32_t rings;
    uint32_t pid;     /* its process, as that knows it */
    uint64_t runtime; /* its address there; 0: of threads that are no workers */
    uint64_t ring_bytes;
};

struct rvi_trace_shared {
    uint64_t magic, bytes, place_bytes;
    uint32_t clock;               /* enum rvi_ticks_clock: whoever reads can make ns of it */
    _Atomic(uint32_t) exec_error; /* whoever was to become the program says why it did not */
    _Atomic(uint32_t) refused;    /* runtimes that found no place */
    _Atomic(uint32_t) writers;    /* workers that note just now */
    _Atomic(uint32_t) is_over;    /* one side says that nobody reads any more */
    struct rvi_trace_place places[RVI_TRACE_PLACES];
    struct rvi_trace_text texts[RVI_TRACE_TEXTS];
};

/** How much memory there must be for so much a place. Of what is never touched there are no pages.
 *
 * @param place_bytes  a multiple of the page size */
size_t rvi_trace_shared_bytes(size_t place_bytes);

/** Whoever has made the memory, zeroed, prepares it. */
void rvi_trace_shared_init(struct rvi_trace_shared *shared, size_t place_bytes);

/** How much of it lies before the places. */
size_t rvi_trace_shared_head(void);

/** Whether memory of so many bytes that somebody else has prepared is as it must be. */
bool rvi_trace_shared_is_sound(const struct rvi_trace_shared *shared, size_t bytes);

/** Take a place, with empty rings; any thread.
 *
 * @param rings    for so many threads
 * @param runtime  NULL: of threads that are no workers, whose times are rvi_clock_now() and in no
 *                 order
 * @return its number
 * Errors: -ENOSPC it has too little room for them; -EBUSY all are taken */
int rvi_trace_shared_take(struct rvi_trace_shared *shared, unsigned rings, const void *runtime,
                          unsigned pid) __attribute__((warn_unused_result));

/** Nothing is noted there any more. */
void rvi_trace_shared_end(struct rvi_trace_shared *shared, int place);

/** Whoever reads has read all of one that has ended: others may have it. */
void rvi_trace_shared_reuse(struct rvi_trace_shared *shared, int place);

/** Whoever reads: FREE and TAKEN are nothing to read. */
static inline enum rvi_trace_place_state rvi_trace_shared_state(
    const struct rvi_trace_shared *shared, int place)
{
    const struct rvi_trace_place *at = &shared->places[place];

    return (enum rvi_trace_place_state)rvi_load_acquire(&at->state); /* pairs: trace-place */
}

/** One ring of a place. */
struct rvi_trace *rvi_trace_shared_ring(struct rvi_trace_shared *shared, int place, unsigned ring);

/** The number of a text, which is put there when it is first asked for; any of the program's
 * threads.
 *
 * @param key  stands for it: an address; not 0
 * @return from 1; 0: there is no more room */
unsigned rvi_trace_shared_text(struct rvi_trace_shared *shared, uint64_t key, const char *name,
                               const char *file, unsigned line);

/** The key of a text that has no address of its own. */
uint64_t rvi_trace_text_key(const char *text);

/** The text of a number; NULL: there is none. Whoever reads. */
const struct rvi_trace_text *rvi_trace_shared_find(const struct rvi_trace_shared *shared,
                                                   uint64_t number);
