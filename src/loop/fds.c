/* SPDX-License-Identifier: MIT */
/* fds.c - relaxed plain stores: who has just made a descriptor, or is about to close it, is alone
 * with it, and the kernel orders a close before the next use of the number.
 *
 * Checked by: tests/unit/loop/test_fds.c */
#include "loop/fds.h"

_Atomic(uint32_t) rvi_fds[RVI_FDS_MOST];

void rvi_fds_made(int fd, bool is_ours)
{
    if ((unsigned)fd >= RVI_FDS_MOST)
        return;
    uint32_t was = rvi_load_relaxed(&rvi_fds[fd]);
    if (is_ours)
        rvi_store_relaxed(&rvi_fds[fd], (was + 2) | 1);
    else if (was & 1)
        rvi_store_relaxed(&rvi_fds[fd], was + 1); /* somebody has closed it behind our back */
}

void rvi_fds_closing(int fd)
{
    rvi_fds_made(fd, false);
}
