/* SPDX-License-Identifier: MIT */
/* way.h - the way of bytes into a simulated socket: a ring, and when what is in it arrives.
 *
 *   W1  marks rise in both their numbers; the last one's `upto` is what was written so far
 *   W2  the end arrives after all that was written
 *
 * Times are nanoseconds on the caller's clock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RVI_WAY_NEVER INT64_MAX

enum { RVI_WAY_MARKS = 16 }; /* beyond it the last two pieces arrive together */

/* Up to which byte of the stream has arrived when. */
struct rvi_way_mark {
    uint64_t upto;
    int64_t at;
};

struct rvi_way {
    char *room; /* NULL: there is no way */
    size_t size;
    uint64_t written, read; /* so far */
    struct rvi_way_mark marks[RVI_WAY_MARKS];
    unsigned count;
    int64_t end_at; /* the end of the stream arrives */
};

static inline int64_t rvi_way_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t rvi_way_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/** False: no memory. */
bool rvi_way_open(struct rvi_way *way, size_t bytes);
void rvi_way_close(struct rvi_way *way);

/** Room for bytes that are not written yet. */
size_t rvi_way_free(const struct rvi_way *way);

/** Bytes that can be read. */
size_t rvi_way_arrived(const struct rvi_way *way, int64_t now);

/** Write bytes for which there is room; a mark says when they arrive. */
void rvi_way_put(struct rvi_way *way, const char *from, size_t count);

/** What is written so far arrives at `at`, or later when something before it does. */
void rvi_way_mark(struct rvi_way *way, int64_t at);

/** Copy bytes that have arrived. */
void rvi_way_get(const struct rvi_way *way, char *to, size_t count);

/** So much has been read. */
void rvi_way_advance(struct rvi_way *way, size_t count);

/** The end of the stream arrives at `at`, or when the last byte does. */
void rvi_way_end(struct rvi_way *way, int64_t at);

/** What has not arrived yet never does; the end has come. */
void rvi_way_cut(struct rvi_way *way, int64_t now);

/** When something will arrive next. */
int64_t rvi_way_next(const struct rvi_way *way, int64_t now);
