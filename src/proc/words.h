/* SPDX-License-Identifier: MIT */
/* words.h - what a worker writes to its standard error: handed on to ours, and the last of it
 * kept. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include <ravel/child.h>

enum {
    RVI_WORDS_KEPT = 4096,  /* the last bytes, for whoever asks what a worker has died of */
    RVI_WORDS_PIECE = 4096, /* handed on at one time */
};

/* Used by one thread at a time. */
struct rvi_words {
    rv_child *child;
    int fd;            /* the child's, does not block; -1: it has ended */
    size_t waiting;    /* bytes of `piece` that our standard error has not taken yet */
    size_t lost;       /* bytes that it has not taken at all */
    size_t kept_count; /* bytes ever read */
    char piece[RVI_WORDS_PIECE];
    char kept[RVI_WORDS_KEPT]; /* the last of them, a ring */
};

/** Of a child whose standard error is a pipe, which is read by nobody else. */
void rvi_words_init(struct rvi_words *words, rv_child *child);

/** Read some, and hand it on. Does not wait for our standard error: what that does not take now
 * stays here, and nothing more is read meanwhile, so that the worker waits.
 *
 * @return bytes, 0 at the end: words->fd is closed
 * Errors:  -EAGAIN nothing is there now; -EBUSY our standard error is full: call again in some
 *          milliseconds rather than when there is more */
ssize_t rvi_words_read(struct rvi_words *words);

/** The worker has ended: read the rest. What our standard error does not take is lost, and said to
 * be. */
void rvi_words_finish(struct rvi_words *words);

/** Copy the last bytes, RVI_WORDS_KEPT of them at most. They begin with a line, if that is not
 * longer.
 *
 * @param buf  room for n, of which one is for a NUL behind; n > 0
 * @return how many, without the NUL */
size_t rvi_words_last(const struct rvi_words *words, char *buf, size_t n);
