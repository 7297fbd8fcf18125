/* SPDX-License-Identifier: MIT */
/* file.c - the calls on files that are one system call each.
 *
 * Reading and writing try first what is in memory (RWF_NOWAIT), opening too: a name that is in
 * memory costs two system calls more than a plain open, a fifth of what it takes to open, read and
 * close a small file, and a tenth of what a helper thread would.
 *
 * A FIFO without its other end is looked at every so often. Rejected: letting a helper thread wait
 * there, which nothing can end: neither a deadline, nor a cancellation, nor the end of the run.
 * Checked by: tests/unit/io/test_file.c */
#include <ravel/file.h>

#include <errno.h>
#include <sys/sysmacros.h>

#include <ravel/task.h>

#include "base/seam.h"
#include "io/call.h"
#include "io/open.h"
#include "loop/fds.h"
#include "sched/wait.h"

_Static_assert(RV_CWD == AT_FDCWD, "its other name");

#define MEET_FIRST (100 * RV_MICROSECOND)
#define MEET_LAST (10 * RV_MILLISECOND)

/* A thread of its own may wait, and need not look first. */
static bool is_to_be_tried(void)
{
    return rvi_task_self() && !rvi_seam;
}

static int open_slowly(void *file)
{
    return rvi_file_open(file);
}

static int wait_for_other_end(struct rvi_file *file, rv_time deadline)
{
    int r = -EINPROGRESS;

    for (rv_time pause = MEET_FIRST; r == -EINPROGRESS; pause *= pause < MEET_LAST ? 2 : 1) {
        rv_time next = rv_after(pause);
        r = next > deadline ? rv_sleep_until(deadline) : rv_sleep_until(next);
        if (r == 0)
            r = rvi_file_meet(file);
        if (r == -EINPROGRESS && next > deadline)
            return -ETIME;
    }
    return r;
}

int rvi_open(struct rvi_file *file, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    r = is_to_be_tried() ? rvi_file_open_cached(file) : -EAGAIN;
    if (r == -EAGAIN)
        r = rvi_io_blocking(open_slowly, file, deadline);
    if (r == -EINPROGRESS)
        r = wait_for_other_end(file, deadline);
    if (r < 0)
        rvi_file_drop(file);
    else
        rvi_fds_made(file->fd, false);
    return r;
}

int rv_openat(int dir, const char *path, int flags, mode_t mode, rv_time deadline)
{
    struct rvi_file file = rvi_file(dir, path, flags, mode);
    int r = rvi_open(&file, deadline);

    if (r < 0)
        return r;
    rvi_file_unset_nonblock(&file);
    return file.fd;
}

/* The offset that means the position is negative, too. */
static ssize_t call_at(struct rvi_op *op, int64_t offset, rv_time deadline)
{
    return offset < 0 ? -EINVAL : rvi_io_call(op, deadline);
}

ssize_t rv_pread(int fd, void *buf, size_t count, int64_t offset, rv_time deadline)
{
    struct rvi_op op = rvi_op_read(fd, buf, count, offset);
    return call_at(&op, offset, deadline);
}

ssize_t rv_pwrite(int fd, const void *buf, size_t count, int64_t offset, rv_time deadline)
{
    struct rvi_op op = rvi_op_write(fd, buf, count, offset);
    return call_at(&op, offset, deadline);
}

ssize_t rv_preadv(int fd, const struct iovec *iov, int iov_count, int64_t offset, rv_time deadline)
{
    struct rvi_op op = rvi_op_readv(fd, iov, iov_count, offset);
    return call_at(&op, offset, deadline);
}

ssize_t rv_pwritev(int fd, const struct iovec *iov, int iov_count, int64_t offset, rv_time deadline)
{
    struct rvi_op op = rvi_op_writev(fd, iov, iov_count, offset);
    return call_at(&op, offset, deadline);
}

int rv_pread_full(int fd, void *buf, size_t count, int64_t offset, size_t *ret_done,
                  rv_time deadline)
{
    char *bytes = buf;
    size_t done = 0;
    ssize_t n = 1;

    while (done < count &&
           (n = rv_pread(fd, bytes + done, count - done, offset + (int64_t)done, deadline)) > 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    return n > 0 ? 0 : n == 0 ? -ENODATA : (int)n;
}

int rv_pwrite_all(int fd, const void *buf, size_t count, int64_t offset, size_t *ret_done,
                  rv_time deadline)
{
    const char *bytes = buf;
    size_t done = 0;
    ssize_t n = 0;

    while (done < count &&
           (n = rv_pwrite(fd, bytes + done, count - done, offset + (int64_t)done, deadline)) >= 0)
        done += (size_t)n;
    if (ret_done)
        *ret_done = done;
    return n < 0 ? (int)n : 0;
}

int rv_fsync(int fd, rv_time deadline)
{
    struct rvi_op op = rvi_op_sync(fd, false);
    return (int)rvi_io_call(&op, deadline);
}

int rv_fdatasync(int fd, rv_time deadline)
{
    struct rvi_op op = rvi_op_sync(fd, true);
    return (int)rvi_io_call(&op, deadline);
}

int rv_ftruncate(int fd, int64_t bytes, rv_time deadline)
{
    struct rvi_op op = rvi_op_truncate(fd, bytes);
    return (int)rvi_io_call(&op, deadline);
}

static struct timespec timespec_of(struct statx_timestamp t)
{
    return (struct timespec){.tv_sec = t.tv_sec, .tv_nsec = t.tv_nsec};
}

static struct stat stat_of(const struct statx *x)
{
    return (struct stat){
        .st_dev = makedev(x->stx_dev_major, x->stx_dev_minor),
        .st_ino = x->stx_ino,
        .st_mode = x->stx_mode,
        .st_nlink = x->stx_nlink,
        .st_uid = x->stx_uid,
        .st_gid = x->stx_gid,
        .st_rdev = makedev(x->stx_rdev_major, x->stx_rdev_minor),
        .st_size = (off_t)x->stx_size,
        .st_blksize = (blksize_t)x->stx_blksize,
        .st_blocks = (blkcnt_t)x->stx_blocks,
        .st_atim = timespec_of(x->stx_atime),
        .st_mtim = timespec_of(x->stx_mtime),
        .st_ctim = timespec_of(x->stx_ctime),
    };
}

/* As stat(2) does, nothing is mounted for it. */
int rv_fstatat(int dir, const char *path, struct stat *ret, int flags, rv_time deadline)
{
    struct statx found;
    struct rvi_op op = rvi_op_stat(dir, path, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &found);
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    r = is_to_be_tried() ? rvi_file_stat_cached(dir, path, flags, &found) : -EAGAIN;
    if (r == -EAGAIN)
        r = (int)rvi_io_call(&op, deadline);
    if (r == 0)
        *ret = stat_of(&found);
    return r;
}

int rv_fstat(int fd, struct stat *ret, rv_time deadline)
{
    return rv_fstatat(fd, "", ret, AT_EMPTY_PATH, deadline);
}

int rv_renameat(int dir, const char *path, int new_dir, const char *new_path, unsigned flags,
                rv_time deadline)
{
    struct rvi_op op = rvi_op_rename(dir, path, new_dir, new_path, flags);
    return (int)rvi_io_call(&op, deadline);
}

int rv_unlinkat(int dir, const char *path, int flags, rv_time deadline)
{
    struct rvi_op op = rvi_op_unlink(dir, path, flags);
    return (int)rvi_io_call(&op, deadline);
}

int rv_rmdir(const char *path, rv_time deadline)
{
    return rv_unlinkat(AT_FDCWD, path, AT_REMOVEDIR, deadline);
}

int rv_mkdirat(int dir, const char *path, mode_t mode, rv_time deadline)
{
    struct rvi_op op = rvi_op_mkdir(dir, path, mode);
    return (int)rvi_io_call(&op, deadline);
}
