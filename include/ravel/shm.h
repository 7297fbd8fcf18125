/* SPDX-License-Identifier: MIT */
/* shm.h - memory that this program's worker processes see as well: a job's input names it, and
 * nothing is copied, however large it is.
 *
 *     struct picture { struct rv_shm pixels; };
 *     struct report { int brightest; };
 *
 *     static int invert(const struct picture *in, struct report *out)
 *     {
 *         void *pixels;
 *         int r = rv_shm_map(in->pixels, &pixels);
 *         for (uint64_t i = 0; r == 0 && i < in->pixels.bytes; i++) {
 *             unsigned char *pixel = (unsigned char *)pixels + i;
 *             *pixel = 255 - *pixel;
 *             out->brightest = *pixel > out->brightest ? *pixel : out->brightest;
 *         }
 *         return r;
 *     }
 *     RV_JOB(invert, struct picture, struct report);
 *
 * A struct rv_shm is a value: it is copied, sent and kept like a number, within inputs and results
 * of jobs, whatever tier runs them. On tiers within this process rv_shm_map() gives what the others
 * have as well. Nobody is kept from reading or writing at the same time as others: that one job at
 * a time has an object, or a part of it, is the program's to see to.
 *
 * For large things: each takes whole pages, a mapping, and a descriptor. */
#pragma once

#include <ravel/def.h>

RV_BEGIN_DECLS

/** A piece of shared memory. All zeros: none. */
struct rv_shm {
    uint64_t id;    /* a random number, so that nobody outside of the program can guess it */
    uint64_t bytes; /* its size */
};

/** Make a piece of shared memory.
 *
 * @param ret    its name
 * @param bytes  more than 0
 * @return 0; all of it is zeros, and takes memory as it is touched
 * Errors:  -EINVAL no bytes; -ENOMEM; -EMFILE or -ENFILE too many descriptors; -EOPNOTSUPP in a
 *          worker process: what it shares is its parent's to make; -ENOSYS or -EPERM a filter
 *          refuses
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_shm_free */
RV_API RV_NODISCARD int rv_shm_alloc(struct rv_shm *ret, size_t bytes);

/** Find out where a piece of shared memory lies in this process.
 *
 * @param shm  from rv_shm_alloc in this program's first process
 * @param ret  where its bytes are, each time the same in the process that has made it
 * @return 0
 * Errors:  -ENOENT there is none of that name, or no longer; -EINVAL it is smaller than `shm` says;
 *          -ENOMEM, -EMFILE; -EPIPE the parent is going
 * Blocks:  in a worker process, the first time: the thread, until the parent has answered
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: until rv_shm_free; in a worker process until the job that asked returns */
RV_API RV_NODISCARD int rv_shm_map(struct rv_shm shm, void **ret);

/** Let a piece of shared memory go. Nobody may be using it any more, in any process.
 *
 * @param shm  from rv_shm_alloc, in the same process, not freed before; all zeros do nothing;
 *             anything else is a misuse that stops the program
 * Errors:  none
 * Blocks:  no
 * Threads: any task of any worker, plain threads; not signal handlers
 * Lifetime: ends it; its name is never used again */
RV_API void rv_shm_free(struct rv_shm shm);

RV_END_DECLS
