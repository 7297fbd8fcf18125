/* SPDX-License-Identifier: MIT */
/* fds.h - which descriptors are ours, and whether a number is still the descriptor that it was.
 *
 * A number's generation is odd while it is a descriptor that this library has made, by a call that
 * said so here, and has not closed. Those have O_NONBLOCK and O_CLOEXEC, belong to nobody else's
 * description, and are closed by rv_close() only: so whatever was found out about one holds as long
 * as its generation does. Of all other descriptors nothing is known for longer than a call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

/** Numbers beyond are never ours. */
enum { RVI_FDS_MOST = 1 << 20 };

/* Pages that are never touched take no memory. */
extern _Atomic(uint32_t) rvi_fds[RVI_FDS_MOST];

/** What changes when the number becomes another descriptor; 0: it is not ours. */
static inline uint32_t rvi_fds_generation(int fd)
{
    uint32_t generation = (unsigned)fd < RVI_FDS_MOST ? rvi_load_relaxed(&rvi_fds[fd]) : 0;

    return generation & 1 ? generation : 0;
}

/** A call of the library has made this descriptor: ours, or one that the caller may do with what it
 * likes. */
void rvi_fds_made(int fd, bool is_ours);

/** It is about to be closed. */
void rvi_fds_closing(int fd);
