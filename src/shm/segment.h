/* SPDX-License-Identifier: MIT */
/* segment.h - one piece of memory that two processes of this program map, each at an address of its
 * own.
 *
 * What lies in a segment refers to other things in it by their distance from its start, never by
 * address. The parent makes it and hands the descriptor to one worker. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rvi_segment {
    int fd; /* -1: closed, the mapping stays */
    size_t bytes;
    unsigned char *base;
};

/** Make one and map it. All bytes are zero.
 *
 * @param name   for people, in /proc
 * @param bytes  rounded up to whole pages
 * @param kept   as many from its start have their memory at once; later ones as they are touched
 * @return 0
 * Errors:  -EMFILE, -ENFILE, -ENOMEM; -ENOSYS, -EPERM where memfd_create(2) is refused
 * Blocks:  no
 * Threads: any
 * Lifetime: until rvi_segment_fini */
int rvi_segment_make(struct rvi_segment *ret, const char *name, size_t bytes, size_t kept)
    __attribute__((warn_unused_result));

/** Map one that another process has made.
 *
 * @param fd  the segment's from now on; on error still the caller's
 * @return 0
 * Errors:  -EBADF, -ENOMEM; -EINVAL it was not made by rvi_segment_make()
 * Blocks:  no
 * Threads: any
 * Lifetime: until rvi_segment_fini */
int rvi_segment_map(struct rvi_segment *ret, int fd) __attribute__((warn_unused_result));

/** Close the descriptor: nobody else is to have it from here. */
void rvi_segment_close(struct rvi_segment *segment);

/** Unmap it and close the descriptor. */
void rvi_segment_fini(struct rvi_segment *segment);
