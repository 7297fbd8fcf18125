/* SPDX-License-Identifier: MIT */
/* io.h - reading, writing and waiting, on any descriptor that the program got anywhere.
 *
 * Descriptors are plain ints. Each call blocks its task only; on a plain thread it blocks that.
 * When a call returns, its buffer is the caller's again, whatever the result, and a call that has
 * succeeded says so, however late.
 *
 * Sockets and pipes that Ravel makes have O_NONBLOCK and O_CLOEXEC; the flags of other descriptors
 * are never changed. Close by rv_close() what Ravel has made, and not by close(2) or fclose(3):
 * what Ravel knows of a number it believes until then, and whatever gets that number next could be
 * waited for in vain. */
#pragma once

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** Read what there is, at least one byte, from a descriptor's position.
 *
 * On a descriptor that can neither be tried nor has O_NONBLOCK (a terminal) the read is made by a
 * helper thread once there is something; if another process takes it first, neither deadline nor
 * cancellation ends the wait for more.
 *
 * @param fd        any descriptor: file, pipe, socket, terminal, eventfd
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read, 1 to count; 0 at the end of the file, or when count is 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EBADF no descriptor, or closed by
 *          rv_close() meanwhile; -ENOMEM; -EAGAIN no helper thread could be started, where one is
 *          needed; -EIO and others of read(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_read(int fd, void *buf, size_t count, rv_time deadline);

/** rv_read() into several buffers, one after the other.
 *
 * @param fd        any descriptor
 * @param iov       the buffers
 * @param iov_count  0 to 1,024
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read; 0 at the end of the file
 * Errors:  as rv_read; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, the buffers and fd until return */
RV_API RV_NODISCARD ssize_t rv_readv(int fd, const struct iovec *iov, int iov_count,
                                     rv_time deadline);

/** Read until a buffer is full, in as many pieces as it takes.
 *
 * @param fd        any descriptor
 * @param buf       room for `count` bytes
 * @param count     bytes to read
 * @param ret_done  how many of them were read, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all were
 * Errors:  -ENODATA the file has ended before; as rv_read; some bytes may have been read, see
 *          ret_done
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD int rv_read_full(int fd, void *buf, size_t count, size_t *ret_done,
                                     rv_time deadline);

/** Write some of a buffer at a descriptor's position.
 *
 * @param fd        any descriptor
 * @param buf       `count` bytes
 * @param count     bytes to write at most
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes written, fewer than count where the other side takes no more just now
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EPIPE nobody reads any more (on a plain
 *          thread a pipe also raises SIGPIPE, as write(2) does); -EBADF; -ENOMEM; -EAGAIN as
 *          rv_read;
 *          -ENOSPC and others of write(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_write(int fd, const void *buf, size_t count, rv_time deadline);

/** rv_write() from several buffers, one after the other.
 *
 * @param fd        any descriptor
 * @param iov       the buffers
 * @param iov_count  0 to 1,024
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes written
 * Errors:  as rv_write; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, the buffers and fd until return */
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
 * @param events    POLLIN, POLLOUT, POLLPRI, POLLRDHUP or several of them; 0: POLLERR and POLLHUP
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return the events that are there, never 0; POLLERR, POLLHUP and POLLNVAL may be among them
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EBADF closed by rv_close() meanwhile;
 *          -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_poll(int fd, short events, rv_time deadline);

/** Make a pipe: what is written to ret_ends[1] is read from ret_ends[0].
 *
 * @param ret_ends  two descriptors, O_NONBLOCK and O_CLOEXEC
 * @return 0
 * Errors:  -EMFILE, -ENFILE no more descriptors
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_close() of both */
RV_API RV_NODISCARD int rv_pipe(int ret_ends[2]);

/** Close a descriptor.
 *
 * Tasks of the same worker that wait for it have -EBADF. Those of other workers, and plain threads,
 * must not wait for it any more: they are not told.
 *
 * @param fd  negative does nothing; it is closed whatever the result
 * @return 0
 * Errors:  -EBADF; -EIO, -ENOSPC, -EDQUOT something written before did not reach its place
 * Blocks:  as close(2): not for sockets and pipes, but for those with SO_LINGER
 * Threads: any task of any worker, plain threads
 * Lifetime: ends that of fd */
RV_API int rv_close(int fd);

RV_END_DECLS
