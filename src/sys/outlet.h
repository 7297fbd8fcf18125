/* SPDX-License-Identifier: MIT */
/* outlet.h - what is on its way to standard output and standard error: a bounded queue of bytes
 * each, and a thread that writes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rvi_outlet;

/** The one of STDOUT_FILENO or STDERR_FILENO. */
struct rvi_outlet *rvi_outlet_of(int fd);

/** Who waits above for news of an outlet; a new state is set under a lock of theirs. */
enum rvi_outlet_crowd {
    RVI_OUTLET_NOBODY = 0,
    RVI_OUTLET_PRINTERS = 1, /* stand in line for room: whoever is not in turn gets none */
    RVI_OUTLET_FLUSHERS = 2, /* wait until something has been written */
};

/** Called by the outlet's thread, with nothing locked, each time it has got on while anybody
 * waits. */
typedef void rvi_outlet_news(struct rvi_outlet *o);

/** How many bytes may wait, 0: as many as usually; for outlets that are opened later.
 * Errors: -EBUSY one has been opened already */
int rvi_outlets_set_bound(size_t bytes) __attribute__((warn_unused_result));

/** Make it ready for rvi_outlet_put(), if it is not: get its queue and start its thread. `news` is
 * the same for all. Errors: -ENOMEM, -EAGAIN no thread; others from sigaction(2). */
int rvi_outlet_open(struct rvi_outlet *o, rvi_outlet_news *news)
    __attribute__((warn_unused_result));

/** Queue bytes to be written, all or none; if in turn, of more than the bound as many as there is
 * room for.
 * Never waits, but at the end of the process and in a simulation, which write at once.
 *
 * @param in_turn  the caller may go before those who stand in line
 * @return how many: 0, there is no room
 * Errors: those of write(2), of bytes that were queued before: once each, nothing is queued */
int64_t rvi_outlet_put(struct rvi_outlet *o, const char *bytes, size_t count, bool in_turn)
    __attribute__((warn_unused_result));

/** Tell who waits; then look once more at what one is going to wait for. */
void rvi_outlet_set_crowd(struct rvi_outlet *o, unsigned crowd);

/** Bytes ever queued, and of those the ones that are written or lost. */
uint64_t rvi_outlet_queued(struct rvi_outlet *o);
uint64_t rvi_outlet_passed(struct rvi_outlet *o);

/** Bytes that could not be written. */
uint64_t rvi_outlet_lost(const struct rvi_outlet *o);

/** The error that waits to be told, 0 for none: it is told by that. */
int rvi_outlet_take_error(struct rvi_outlet *o);

/** Wait until all that is queued now, of both, has been written or lost. Blocks the thread. */
void rvi_outlets_drain(void);
