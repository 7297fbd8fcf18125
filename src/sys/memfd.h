/* SPDX-License-Identifier: MIT */
/* memfd.h - memory behind a descriptor, to be mapped by several processes.
 *
 * Its size is sealed: nobody who is handed the descriptor can shrink it, which would kill everybody
 * else with SIGBUS at their next access, nor let it grow, nor execute what is in it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Make zeroed memory. Its pages come as they are touched.
 *
 * @param name   seen in /proc, for people
 * @param bytes  more than 0, a multiple of the page size
 * @return a descriptor with O_CLOEXEC
 * Errors:  -EMFILE, -ENFILE, -ENOMEM; -ENOSYS, -EPERM where a filter forbids it
 * Blocks:  no
 * Threads: any
 * Lifetime: of the memory, until the descriptor is closed everywhere and nobody maps it */
int rvi_memfd_make(const char *name, size_t bytes) __attribute__((warn_unused_result));

/** Have all pages now, so that no later access can find that there is no memory.
 * Errors: -ENOMEM. */
int rvi_memfd_fill(int fd, size_t bytes) __attribute__((warn_unused_result));

/** Give its pages back to the kernel, also from under those who map it, who find zeros then. */
void rvi_memfd_drop(int fd, size_t bytes);

/** How many bytes somebody else's has.
 * Errors: -EBADF; -EINVAL it is not sealed as those made here are, and cannot be trusted. */
int rvi_memfd_bytes(int fd, size_t *ret) __attribute__((warn_unused_result));

/** Map it, for reading and writing. The descriptor may be closed then.
 * Errors: -ENOMEM, -EBADF. */
int rvi_memfd_map(int fd, size_t bytes, void **ret) __attribute__((warn_unused_result));

/** Have the pages between two addresses of a mapping now, as far as there is memory, rather than
 * each at its first access. Kernels before 5.14 leave it at that. */
void rvi_memfd_touch(void *memory, size_t bytes);

/** Unmap what rvi_memfd_map() mapped; NULL is nothing. */
void rvi_memfd_unmap(void *memory, size_t bytes);

/** Say that this description's holder uses it, until the last copy of the descriptor is closed, if
 * that is by the end of its process. Errors: -EAGAIN another description's holder does. */
int rvi_memfd_claim(int fd) __attribute__((warn_unused_result));

/** Whether another description's holder says so. */
bool rvi_memfd_is_claimed(int fd);
