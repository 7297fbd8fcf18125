/* SPDX-License-Identifier: MIT */
/* files.h - opening files without waiting for more than a disk; and what of files only a helper may
 * ask for, beyond the operations of op.h.
 *
 * An open that waits for somebody (the other end of a FIFO) cannot be ended, and one that does not,
 * by O_NONBLOCK, means something else. So every file is opened with it, and then:
 *   - on files and folders it means nothing: it is taken off, and they are there;
 *   - a FIFO for writing fails without a reader, and no trace is left: it is tried again, until it
 *     has one;
 *   - a FIFO for reading is there, and a writer that has waited for a reader goes on, just as if
 *     this one waited: so it stays open, and is looked at until it has had a writer;
 *   - /dev/null and its kin never wait; other devices are closed and opened again, without it.
 *
 * Rejected: looking at the type first, by O_PATH. Four calls instead of three, and a slow one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/** A file that is being opened, and then is open. */
struct rvi_file {
    int dir;
    const char *path;
    int flags; /* as asked for, and O_CLOEXEC */
    mode_t mode;
    int fd;            /* -1: none */
    bool has_nonblock; /* O_NONBLOCK is set on it, which nobody has asked for */
    struct stat status;
};

static inline struct rvi_file rvi_file(int dir, const char *path, int flags, mode_t mode)
{
    return (struct rvi_file){.dir = dir, .path = path, .flags = flags, .mode = mode, .fd = -1};
}

/** Open it if its name and inode are in memory, which does not block. O_NONBLOCK may be left on it:
 * take it off before anybody sees it.
 *
 * Returns 0; -ENOENT, or -EAGAIN: ask rvi_file_open(); -EINPROGRESS as there. Kernels without
 * RESOLVE_CACHED (5.12): always -EAGAIN. */
int rvi_file_open_cached(struct rvi_file *file) __attribute__((warn_unused_result));

/** Open it, however long the disk takes.
 *
 * Returns 0, and file->status is known unless it was opened with O_PATH
 * or made by O_EXCL; -EINPROGRESS: a FIFO
 * without its other end, ask rvi_file_meet() from time to time; or openat(2)'s -errno. */
int rvi_file_open(struct rvi_file *file) __attribute__((warn_unused_result));

/** Whether the other end of a FIFO has come, without blocking. Returns as rvi_file_open(). */
int rvi_file_meet(struct rvi_file *file) __attribute__((warn_unused_result));

/** Take O_NONBLOCK off, if it was put there. */
void rvi_file_unset_nonblock(struct rvi_file *file);

/** Close what is open, without a word. */
void rvi_file_drop(struct rvi_file *file);

/** What statx(2) says of a file whose name and inode are in memory, without blocking; `flags` are
 * its own. Returns 0; -ENOENT, or -EAGAIN: ask a call that may block. What lies on no device of
 * this machine (a network, but also memory) may want to be asked anew, and is never known. */
int rvi_file_stat_cached(int dir, const char *path, int flags, struct statx *ret)
    __attribute__((warn_unused_result));

/** The next names of a folder, as getdents64(2). Returns bytes, 0 at the end, or -errno. */
ssize_t rvi_file_list(int fd, void *buf, size_t bytes);

/** Copy within the kernel. Returns bytes, 0 at the end, or -errno: -EOPNOTSUPP it cannot, for
 * these. */
ssize_t rvi_file_copy(int from, int64_t from_offset, int to, int64_t to_offset, size_t count);
