/* SPDX-License-Identifier: MIT */
/* io.h - reading, writing and waiting, on any descriptor that the program got anywhere.
 *
 * Descriptors are plain ints. Each call blocks its task only; on a plain thread it blocks that.
 * When a call returns, its buffer is the caller's again, whatever the result. */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Read what there is, at least one byte, from a descriptor's position.
 *
 * @param fd        any descriptor: file, pipe, socket, terminal, eventfd
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read, 1 to count; 0 at the end of the file, or when count is 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EBADF, -EIO and others of read(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_read(int fd, void *buf, size_t count, rv_time deadline);

/** Write some of a buffer at a descriptor's position.
 *
 * @param fd        any descriptor
 * @param buf       `count` bytes
 * @param count     bytes to write at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes written, fewer than count where the other side takes no more just now
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EPIPE nobody reads any more (no signal is
 *          raised for sockets); -ENOSPC and others of write(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_write(int fd, const void *buf, size_t count, rv_time deadline);

/** Read into several places, each filled before the next, from a descriptor's position.
 *
 * @param fd         any descriptor
 * @param iov        the places
 * @param iov_count  0 to 1,024
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes read, at least 1; 0 at the end of the file, or when there is no room in any place
 * Errors:  as rv_read; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, what it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_readv(int fd, const struct iovec *iov, int iov_count,
                                     rv_time deadline);

/** Write some of what lies in several places, at a descriptor's position.
 *
 * @param fd         any descriptor
 * @param iov        the places
 * @param iov_count  0 to 1,024
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes written, fewer than all where the other side takes no more just now
 * Errors:  as rv_write; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, what it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_writev(int fd, const struct iovec *iov, int iov_count,
                                      rv_time deadline);

/** Write all of a buffer, in as many pieces as it takes.
 *
 * @param fd        any descriptor
 * @param buf       `count` bytes
 * @param count     bytes to write
 * @param ret_done  how many of them were written, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all were
 * Errors:  as rv_write; some bytes may have been written, see ret_done
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD int rv_write_all(int fd, const void *buf, size_t count, size_t *ret_done,
                                     rv_time deadline);

/** Wait until a descriptor is ready, as poll(2): by this, whatever library shows a descriptor can
 * be waited for.
 *
 * @param fd        any descriptor that poll(2) knows
 * @param events    POLLIN, POLLOUT, POLLPRI, POLLRDHUP or several of them
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return the events that are there, never 0; POLLERR, POLLHUP and POLLNVAL may be among them
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_poll(int fd, short events, rv_time deadline);

/** Close a descriptor. Tasks that wait for it must have been cancelled before.
 *
 * @param fd  negative does nothing; it is closed whatever the result
 * @return 0
 * Errors:  -EBADF; -EIO, -ENOSPC, -EDQUOT something written before did not reach its place
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: ends that of fd */
RV_API int rv_close(int fd);

RV_END_DECLS
