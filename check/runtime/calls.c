/* SPDX-License-Identifier: MIT */
/* calls.c - interposed calls that read and write descriptors.
 *
 * A descriptor is shared with others if it is a pipe, a socket, a terminal or one of the kernel's
 * own (eventfd, epoll, timerfd); plain files and the standard output streams are passed through.
 * For a shared one:
 *   L1  the call is a point, and is made when poll(2) says that it does not block. A write to a
 *       pipe of more than PIPE_BUF is made of pieces that fit, a send is made with MSG_DONTWAIT
 *   L2  a descriptor that is non-blocking is only asked once: the call answers as ever
 *   L3  what one thread writes, and another reads later, is ordered: one clock serves all
 *       descriptors. It orders more than is promised, so it can hide a race and never invents one
 *
 * stdio's reads wait for their descriptor before they begin; if less comes than they ask for, the
 * process blocks with them. accept, connect and the like on descriptors that are ready do not
 * block.
 *
 * Checked by: tests/check */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check/runtime/io.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"

struct ck_sync ck_io_written;

static bool is_shared(int fd)
{
    struct stat about;

    if (fd == STDOUT_FILENO || fd == STDERR_FILENO || fstat(fd, &about) != 0)
        return false;
    switch (about.st_mode & S_IFMT) {
    case S_IFIFO:
    case S_IFSOCK:
    case 0:
        return true;
    case S_IFCHR:
        return isatty(fd);
    default:
        return false;
    }
}

static bool is_socket(int fd)
{
    struct stat about;

    return fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

static bool never_blocks(int fd)
{
    return fcntl(fd, F_GETFL) & O_NONBLOCK;
}

/* Begin a call on a shared descriptor. False: the real one at once. */
static bool enter(int fd)
{
    if (!ck_enter())
        return false;
    if (is_shared(fd))
        return true;
    ck_leave();
    return false;
}

static bool is_ready(void *arg)
{
    struct pollfd *one = arg;

    return CK_NEXT(poll)(one, 1, 0) != 0;
}

static int until_ready(int fd, short events, const struct ck_op *op)
{
    struct pollfd one = {.fd = fd, .events = events};

    if (never_blocks(fd))
        return 0;
    return ck_io_answer(ck_io_wait_restarting(op, fd, events, ck_io_is_ours(fd), is_ready, &one));
}

static struct ck_op op_on(int fd, uintptr_t pc)
{
    return (struct ck_op){CK_OP_IO, true, 0, (uintptr_t)fd + 1, pc};
}

/* Before a call that takes something out of the descriptor. */
static int begin_read(int fd, uintptr_t pc)
{
    const struct ck_op op = op_on(fd, pc);

    ck_point(&op);
    if (until_ready(fd, POLLIN, &op) != 0)
        return -1;
    ck_acquire(&ck_io_written);
    return 0;
}

/* After a call, with its result. */
static ssize_t end(int fd, ssize_t r, uintptr_t pc)
{
    const struct ck_op op = op_on(fd, pc);
    int error = errno;

    ck_event(&op, (uint64_t)r, 0);
    if (r > 0)
        ck_made_progress();
    ck_io_done();
    ck_leave();
    errno = error;
    return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

CK_EXPORT ssize_t read(int fd, void *to, size_t bytes)
{
    if (!enter(fd))
        return CK_NEXT(read)(fd, to, bytes);
    ssize_t r = begin_read(fd, CK_CALLER);
    return end(fd, r == 0 ? CK_NEXT(read)(fd, to, bytes) : r, CK_CALLER);
}

CK_EXPORT ssize_t readv(int fd, const struct iovec *to, int count)
{
    if (!enter(fd))
        return CK_NEXT(readv)(fd, to, count);
    ssize_t r = begin_read(fd, CK_CALLER);
    return end(fd, r == 0 ? CK_NEXT(readv)(fd, to, count) : r, CK_CALLER);
}

/* Whether one that was asked not to wait may be made at once. */
static int begin_receive(int fd, int flags, uintptr_t pc)
{
    if (!(flags & MSG_DONTWAIT))
        return begin_read(fd, pc);
    ck_point(&(struct ck_op){CK_OP_IO, true, 0, (uintptr_t)fd + 1, pc});
    ck_acquire(&ck_io_written);
    return 0;
}

/* MSG_WAITALL in pieces, each of which is there. */
static ssize_t receive_all(int fd, char *to, size_t bytes, int flags, uintptr_t pc)
{
    size_t done = 0;
    ssize_t r = 1;

    while (done < bytes && r > 0) {
        if (done > 0 && begin_read(fd, pc) != 0)
            break;
        r = CK_NEXT(recv)(fd, to + done, bytes - done, flags & ~MSG_WAITALL);
        done += r > 0 ? (size_t)r : 0;
    }
    return done > 0 ? (ssize_t)done : r;
}

CK_EXPORT ssize_t recv(int fd, void *to, size_t bytes, int flags)
{
    if (!enter(fd))
        return CK_NEXT(recv)(fd, to, bytes, flags);
    ssize_t r = begin_receive(fd, flags, CK_CALLER);
    if (r == 0)
        r = flags & MSG_WAITALL ? receive_all(fd, to, bytes, flags, CK_CALLER)
                                : CK_NEXT(recv)(fd, to, bytes, flags);
    return end(fd, r, CK_CALLER);
}

CK_EXPORT ssize_t recvfrom(int fd, void *restrict to, size_t bytes, int flags,
                           struct sockaddr *restrict from, socklen_t *restrict from_bytes)
{
    if (!enter(fd))
        return CK_NEXT(recvfrom)(fd, to, bytes, flags, from, from_bytes);
    ssize_t r = begin_receive(fd, flags, CK_CALLER);
    if (r == 0)
        r = CK_NEXT(recvfrom)(fd, to, bytes, flags, from, from_bytes);
    return end(fd, r, CK_CALLER);
}

CK_EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (!enter(fd))
        return CK_NEXT(recvmsg)(fd, message, flags);
    ssize_t r = begin_receive(fd, flags, CK_CALLER);
    return end(fd, r == 0 ? CK_NEXT(recvmsg)(fd, message, flags) : r, CK_CALLER);
}

CK_EXPORT int accept(int fd, struct sockaddr *restrict from, socklen_t *restrict from_bytes)
{
    if (!enter(fd))
        return CK_NEXT(accept)(fd, from, from_bytes);
    int r = begin_read(fd, CK_CALLER);
    return (int)end(fd, r == 0 ? CK_NEXT(accept)(fd, from, from_bytes) : r, CK_CALLER);
}

CK_EXPORT int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict from_bytes,
                      int flags)
{
    if (!enter(fd))
        return CK_NEXT(accept4)(fd, from, from_bytes, flags);
    int r = begin_read(fd, CK_CALLER);
    return (int)end(fd, r == 0 ? CK_NEXT(accept4)(fd, from, from_bytes, flags) : r, CK_CALLER);
}

CK_EXPORT int eventfd_read(int fd, eventfd_t *ret)
{
    return read(fd, ret, sizeof *ret) == sizeof *ret ? 0 : -1;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void begin_write(int fd, uintptr_t pc)
{
    const struct ck_op op = op_on(fd, pc);

    ck_point(&op);
    ck_release(&ck_io_written);
}

/* One piece that does not block. */
static ssize_t write_some(int fd, const char *from, size_t bytes, bool to_socket)
{
    if (to_socket)
        return CK_NEXT(send)(fd, from, bytes, MSG_DONTWAIT);
    return CK_NEXT(write)(fd, from, bytes < PIPE_BUF ? bytes : PIPE_BUF);
}

static ssize_t write_all(int fd, const char *from, size_t bytes, uintptr_t pc)
{
    const struct ck_op op = op_on(fd, pc);
    bool to_socket = is_socket(fd);
    size_t done = 0;

    do {
        if (until_ready(fd, POLLOUT, &op) != 0)
            break;
        ssize_t r = write_some(fd, from + done, bytes - done, to_socket);
        if (r < 0 && errno == EAGAIN)
            continue;
        if (r < 0)
            return done > 0 ? (ssize_t)done : -1;
        done += (size_t)r;
        ck_io_done();
    } while (done < bytes);
    return done > 0 || bytes == 0 ? (ssize_t)done : -1;
}

CK_EXPORT ssize_t write(int fd, const void *from, size_t bytes)
{
    if (!enter(fd))
        return CK_NEXT(write)(fd, from, bytes);
    begin_write(fd, CK_CALLER);
    ssize_t r =
        never_blocks(fd) ? CK_NEXT(write)(fd, from, bytes) : write_all(fd, from, bytes, CK_CALLER);
    return end(fd, r, CK_CALLER);
}

/* Those of several pieces, or with addresses, are small: made when there is room for some. */
CK_EXPORT ssize_t writev(int fd, const struct iovec *from, int count)
{
    if (!enter(fd))
        return CK_NEXT(writev)(fd, from, count);
    const struct ck_op op = op_on(fd, CK_CALLER);
    begin_write(fd, CK_CALLER);
    ssize_t r = until_ready(fd, POLLOUT, &op);
    return end(fd, r == 0 ? CK_NEXT(writev)(fd, from, count) : r, CK_CALLER);
}

CK_EXPORT ssize_t send(int fd, const void *from, size_t bytes, int flags)
{
    if (!enter(fd))
        return CK_NEXT(send)(fd, from, bytes, flags);
    const struct ck_op op = op_on(fd, CK_CALLER);
    begin_write(fd, CK_CALLER);
    ssize_t r;
    do {
        r = flags & MSG_DONTWAIT ? 0 : until_ready(fd, POLLOUT, &op);
        if (r == 0)
            r = CK_NEXT(send)(fd, from, bytes, flags | MSG_DONTWAIT);
    } while (r < 0 && errno == EAGAIN && !(flags & MSG_DONTWAIT) && !never_blocks(fd));
    return end(fd, r, CK_CALLER);
}

CK_EXPORT ssize_t sendto(int fd, const void *from, size_t bytes, int flags,
                         const struct sockaddr *to, socklen_t to_bytes)
{
    if (!enter(fd))
        return CK_NEXT(sendto)(fd, from, bytes, flags, to, to_bytes);
    const struct ck_op op = op_on(fd, CK_CALLER);
    begin_write(fd, CK_CALLER);
    ssize_t r = flags & MSG_DONTWAIT ? 0 : until_ready(fd, POLLOUT, &op);
    return end(fd, r == 0 ? CK_NEXT(sendto)(fd, from, bytes, flags, to, to_bytes) : r, CK_CALLER);
}

CK_EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (!enter(fd))
        return CK_NEXT(sendmsg)(fd, message, flags);
    const struct ck_op op = op_on(fd, CK_CALLER);
    begin_write(fd, CK_CALLER);
    ssize_t r = flags & MSG_DONTWAIT ? 0 : until_ready(fd, POLLOUT, &op);
    return end(fd, r == 0 ? CK_NEXT(sendmsg)(fd, message, flags) : r, CK_CALLER);
}

CK_EXPORT int eventfd_write(int fd, eventfd_t value)
{
    return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}

/* What ends a conversation is seen at the other end. */
CK_EXPORT int close(int fd)
{
    if (!enter(fd))
        return CK_NEXT(close)(fd);
    begin_write(fd, CK_CALLER);
    ck_io_note_ours(fd, false);
    return (int)end(fd, CK_NEXT(close)(fd), CK_CALLER);
}

CK_EXPORT int shutdown(int fd, int how)
{
    if (!enter(fd))
        return CK_NEXT(shutdown)(fd, how);
    begin_write(fd, CK_CALLER);
    return (int)end(fd, CK_NEXT(shutdown)(fd, how), CK_CALLER);
}

CK_EXPORT int connect(int fd, const struct sockaddr *to, socklen_t to_bytes)
{
    if (!enter(fd))
        return CK_NEXT(connect)(fd, to, to_bytes);
    begin_write(fd, CK_CALLER);
    return (int)end(fd, CK_NEXT(connect)(fd, to, to_bytes), CK_CALLER);
}

/* ---- made here ------------------------------------------------------------------------------- */

static int note_both(int r, const int *fds)
{
    if (r == 0 && ck_self) {
        ck_io_note_ours(fds[0], true);
        ck_io_note_ours(fds[1], true);
    }
    return r;
}

CK_EXPORT int pipe(int fds[2])
{
    return note_both(CK_NEXT(pipe)(fds), fds);
}

CK_EXPORT int pipe2(int fds[2], int flags)
{
    return note_both(CK_NEXT(pipe2)(fds, flags), fds);
}

CK_EXPORT int socketpair(int domain, int type, int protocol, int fds[2])
{
    return note_both(CK_NEXT(socketpair)(domain, type, protocol, fds), fds);
}

CK_EXPORT int eventfd(unsigned value, int flags)
{
    int fd = CK_NEXT(eventfd)(value, flags);

    if (ck_self)
        ck_io_note_ours(fd, true);
    return fd;
}
