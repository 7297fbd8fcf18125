/* SPDX-License-Identifier: MIT */
#include "sys/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sys/call.h"

/* In <linux/openat2.h> from 5.12 on. */
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20
#endif

enum { MEMORY_DEVICES = 1 }; /* their major number: null, zero, full, random ... */

void rvi_file_drop(struct rvi_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

void rvi_file_unset_nonblock(struct rvi_file *file)
{
    if (file->has_nonblock)
        (void)fcntl(file->fd, F_SETFL, file->flags); /* with flags it was opened with */
    file->has_nonblock = false;
}

/* -errno, which is also remembered as the file's lack of a descriptor. */
static int open_with(struct rvi_file *file, int flags)
{
    do
        file->fd = RVI_CALL(OPEN, openat(file->dir, file->path, flags, file->mode));
    while (file->fd < 0 && errno == EINTR);
    return file->fd < 0 ? -errno : 0;
}

static bool is_writer(const struct rvi_file *file)
{
    return (file->flags & O_ACCMODE) != O_RDONLY;
}

static bool is_fifo(const struct rvi_file *file)
{
    struct stat status;

    return fstatat(file->dir, file->path, &status, 0) == 0 && S_ISFIFO(status.st_mode);
}

/* The C library's fstat(3) goes by way of an empty path, which takes half as long again. On 64 bits
 * its structure is the kernel's. */
static int look_at_status(struct rvi_file *file)
{
    _Static_assert(sizeof(long) == 8, "struct stat is the kernel's");
    return RVI_CALL(STAT, syscall(SYS_fstat, file->fd, &file->status)) < 0 ? -errno : 0;
}

/* It is open with O_NONBLOCK. -ENODEV: that may mean something. */
static int look_at(struct rvi_file *file)
{
    file->has_nonblock = !(file->flags & O_NONBLOCK);
    int r = look_at_status(file);
    if (r < 0)
        return r;
    mode_t type = file->status.st_mode & S_IFMT;
    if (!file->has_nonblock || type == S_IFREG || type == S_IFDIR)
        return 0;
    if (type == S_IFIFO)
        return is_writer(file) ? 0 : rvi_file_meet(file);
    return type == S_IFCHR && major(file->status.st_rdev) == MEMORY_DEVICES ? 0 : -ENODEV;
}

/* The kernel never creates or empties files in a hurry; O_PATH opens nothing. */
static bool is_never_cached(int flags)
{
    return flags & (O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY) | O_PATH);
}

/* -ENOENT, or -EAGAIN for all that somebody else has to find out. */
static int open_at_once(int dir, const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags | O_CLOEXEC, .resolve = RESOLVE_CACHED};
    long fd = RVI_CALL(OPEN_CACHED, syscall(SYS_openat2, dir, path, &how, sizeof(how)));

    return fd >= 0 ? (int)fd : errno == ENOENT ? -ENOENT : -EAGAIN;
}

int rvi_file_open_cached(struct rvi_file *file)
{
    if (is_never_cached(file->flags))
        return -EAGAIN;
    file->fd = open_at_once(file->dir, file->path, file->flags | O_NONBLOCK);
    if (file->fd < 0)
        return file->fd;
    int r = look_at(file);
    if (r < 0 && r != -EINPROGRESS) {
        rvi_file_drop(file);
        return -EAGAIN;
    }
    return r;
}

/* It is a file that nobody has opened before: there is nothing to wait for. */
static bool is_made_new(int flags)
{
    return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

/* The first time with O_NONBLOCK, which also keeps a file from waiting until somebody gives up a
 * lease on it (EAGAIN). */
int rvi_file_open(struct rvi_file *file)
{
    if (file->flags & O_PATH || is_made_new(file->flags))
        return open_with(file, file->flags | O_CLOEXEC);
    int r = open_with(file, file->flags | O_CLOEXEC | O_NONBLOCK);
    if (r == 0)
        r = look_at(file);
    else if (r == -ENXIO && !(file->flags & O_NONBLOCK) && is_fifo(file))
        return -EINPROGRESS;
    if (r == 0 || r == -EINPROGRESS)
        return r;
    rvi_file_drop(file);
    if (r != -ENODEV && r != -EAGAIN)
        return r;
    file->has_nonblock = false;
    r = open_with(file, file->flags | O_CLOEXEC);
    return r == 0 ? look_at_status(file) : r;
}

/* Without anything being read: a FIFO with a writer has nothing yet, one without is at its end. */
static bool has_writer(int fd)
{
    struct pollfd now = {.fd = fd, .events = POLLIN};
    int ends[2];

    if (RVI_CALL(POLL, poll(&now, 1, 0)) > 0)
        return true; /* one has written, or come and gone */
    if (RVI_CALL(OPEN_PIPE, pipe2(ends, O_CLOEXEC | O_NONBLOCK)) < 0)
        return false;
    ssize_t n = tee(fd, ends[1], 1, SPLICE_F_NONBLOCK);
    bool has = n > 0 || (n < 0 && errno == EAGAIN);
    close(ends[0]);
    close(ends[1]);
    return has;
}

int rvi_file_meet(struct rvi_file *file)
{
    if (file->fd >= 0)
        return has_writer(file->fd) ? 0 : -EINPROGRESS;
    return rvi_file_open(file);
}

/* Without asking a server; only what has a device needs none. */
static int stat_at_once(int fd, struct statx *ret)
{
    int r =
        RVI_CALL(STAT, statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS, ret));

    return r < 0 || ret->stx_dev_major == 0 ? -EAGAIN : 0;
}

int rvi_file_stat_cached(int dir, const char *path, int flags, struct statx *ret)
{
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EAGAIN;
    if (flags & AT_EMPTY_PATH && *path == '\0')
        return stat_at_once(dir, ret);
    int fd = open_at_once(dir, path, O_PATH | (flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0));
    if (fd < 0)
        return fd;
    int r = stat_at_once(fd, ret);
    close(fd);
    return r;
}

ssize_t rvi_file_list(int fd, void *buf, size_t bytes)
{
    ssize_t n = RVI_CALL(LIST, getdents64(fd, buf, bytes));

    return n < 0 ? -errno : n;
}

/* Across file systems (before 5.3), for files of kinds that it does not know, without the call at
 * all: each kernel says so in another way. */
static bool is_inability(int error)
{
    return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
           error == EPERM || error == ETXTBSY;
}

ssize_t rvi_file_copy(int from, int64_t from_offset, int to, int64_t to_offset, size_t count)
{
    ssize_t n;

    do
        n = RVI_CALL(COPY, copy_file_range(from, &from_offset, to, &to_offset, count, 0));
    while (n < 0 && errno == EINTR);
    return n >= 0 ? n : is_inability(errno) ? -EOPNOTSUPP : -errno;
}
