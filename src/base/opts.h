/* SPDX-License-Identifier: MIT */
/* opts.h - options structures that may grow: a program and a library of different ages understand
 * each other, or say that they do not.
 *
 * The first field of such a structure is `size`, what the caller believes its size to be. A caller
 * that is older than the library leaves out the newer fields, which become zero, and zero always
 * means the default. A caller that is newer may have fields that the library has never heard of: as
 * long as they are zero nothing is asked for, otherwise the call must fail rather than do half of
 * it. The rule is that of Linux's copy_struct_from_user (2019). */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>

/** Copy the caller's options into a structure of the library's own age.
 *
 * @param dst        all of it is written, unless an error is returned
 * @param dst_bytes  sizeof *dst
 * @param src        the caller's; NULL: the defaults, which are zeroes
 * @param src_bytes  the caller's `size` field; 0 stands for the first release's, which is dst_bytes
 *                   until the structure has grown
 * @return 0
 * Errors:  -E2BIG the caller has set something that this library does not know
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
__attribute__((warn_unused_result)) static inline int rvi_opts_copy(void *dst, size_t dst_bytes,
                                                                    const void *src,
                                                                    size_t src_bytes)
{
    const unsigned char *from = src;

    if (!src)
        src_bytes = 0;
    else if (src_bytes == 0)
        src_bytes = dst_bytes;
    for (size_t i = dst_bytes; i < src_bytes; i++) {
        if (from[i] != 0)
            return -E2BIG;
    }
    if (src_bytes == dst_bytes) { /* by far the most: a few moves */
        memcpy(dst, src, dst_bytes);
        return 0;
    }
    memset(dst, 0, dst_bytes);
    if (src_bytes > 0)
        memcpy(dst, src, src_bytes < dst_bytes ? src_bytes : dst_bytes);
    return 0;
}

/** The way back: give a caller as much of a structure as it knows. Fields that only the caller has
 * heard of become zero.
 *
 * @param dst          the caller's, whose first field is its `size`
 * @param src          the library's
 * @param src_bytes    sizeof *src
 * @param least_bytes  the first release's size of the structure
 * @return 0
 * Errors:  -EINVAL the caller's `size` is less than least_bytes; nothing is written
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
__attribute__((warn_unused_result)) static inline int rvi_opts_give(void *dst, const void *src,
                                                                    size_t src_bytes,
                                                                    size_t least_bytes)
{
    size_t dst_bytes;

    memcpy(&dst_bytes, dst, sizeof(dst_bytes));
    if (dst_bytes < least_bytes)
        return -EINVAL;
    memset(dst, 0, dst_bytes);
    memcpy(dst, src, src_bytes < dst_bytes ? src_bytes : dst_bytes);
    memcpy(dst, &dst_bytes, sizeof(dst_bytes));
    return 0;
}
