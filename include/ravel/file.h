/* SPDX-License-Identifier: MIT */
/* file.h - files and folders.
 *
 * Calls with a name of POSIX mean what they mean there, but that descriptors are closed in children
 * (O_CLOEXEC), results are -errno, and only the task waits. Those that end in `at` start from a
 * folder's descriptor, the others from the working directory; what is Ravel's own takes the folder
 * first, RV_CWD for the working directory.
 *
 * What is in memory (names, pages) is had at once; for the rest the kernel works on its own or a
 * helper thread waits. A deadline or a cancellation takes a call back while it waits for its turn.
 * Once the disk is at it, the call waits for the end and tells that. */
#pragma once

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <ravel/def.h>
#include <ravel/stream.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** The working directory, where a folder's descriptor is asked for: AT_FDCWD, which <fcntl.h> hides
 * in strict ISO C. */
#define RV_CWD (-100)

/* ---- open files ---- */

/** Open a file, from a folder on.
 *
 * A FIFO or a device that makes its opener wait holds up nobody else.
 *
 * @param dir       a folder's descriptor, or RV_CWD; absolute paths do without
 * @param path      the file
 * @param flags     O_RDONLY and so on, as open(2); O_CLOEXEC is always among them
 * @param mode      permissions of a file that O_CREAT or O_TMPFILE makes, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return the descriptor, the caller's to close by rv_close()
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EMFILE, -ENOENT and others of open(2); no
 *          file is left open then
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir and path until return */
RV_API RV_NODISCARD int rv_openat(int dir, const char *path, int flags, mode_t mode,
                                  rv_time deadline);

/** Open a file.
 *
 * @param path      the file
 * @param flags     as open(2)
 * @param mode      permissions of a file that O_CREAT or O_TMPFILE makes, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return the descriptor
 * Errors:  as rv_openat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: path until return */
RV_NODISCARD static inline int rv_open(const char *path, int flags, mode_t mode, rv_time deadline)
{
    return rv_openat(RV_CWD, path, flags, mode, deadline);
}

/** Read what there is at an offset; the descriptor's position stays.
 *
 * @param fd        a file
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param offset    from the file's start, not negative
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes read; fewer than count also where the rest is not in memory yet; 0 at the end of
 *         the file, or when count is 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EINVAL, -ESPIPE, -EIO and others of
 *          pread(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_pread(int fd, void *buf, size_t count, int64_t offset,
                                     rv_time deadline);

/** Write some of a buffer at an offset; the descriptor's position stays.
 *
 * @param fd        a file
 * @param buf       `count` bytes
 * @param count     bytes to write at most
 * @param offset    from the file's start, not negative
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes written
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EINVAL, -ENOSPC, -EFBIG and others of
 *          pwrite(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_pwrite(int fd, const void *buf, size_t count, int64_t offset,
                                      rv_time deadline);

/** Read into several places from an offset, each filled before the next.
 *
 * @param fd         a file
 * @param iov        the places
 * @param iov_count  0 to 1,024
 * @param offset     from the file's start, not negative
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes read, as rv_pread
 * Errors:  as rv_pread; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, what it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_preadv(int fd, const struct iovec *iov, int iov_count,
                                      int64_t offset, rv_time deadline);

/** Write some of what lies in several places at an offset.
 *
 * @param fd         a file
 * @param iov        the places
 * @param iov_count  0 to 1,024
 * @param offset     from the file's start, not negative
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes written
 * Errors:  as rv_pwrite; -EINVAL iov_count
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: iov, what it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_pwritev(int fd, const struct iovec *iov, int iov_count,
                                       int64_t offset, rv_time deadline);

/** Read at an offset until so many bytes are there or the file ends.
 *
 * @param fd        a file
 * @param buf       room for `count` bytes
 * @param count     bytes wanted
 * @param offset    from the file's start, not negative
 * @param ret_done  how many were read, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all were
 * Errors:  -ENODATA the file ends before; others as rv_pread
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD int rv_pread_full(int fd, void *buf, size_t count, int64_t offset,
                                      size_t *ret_done, rv_time deadline);

/** Write all of a buffer at an offset.
 *
 * @param fd        a file
 * @param buf       `count` bytes
 * @param count     bytes to write
 * @param offset    from the file's start, not negative
 * @param ret_done  how many were written, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all were
 * Errors:  as rv_pwrite; some bytes may have been written, see ret_done
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD int rv_pwrite_all(int fd, const void *buf, size_t count, int64_t offset,
                                      size_t *ret_done, rv_time deadline);

/** Bring what was written to a file to its disk, all that describes the file included.
 *
 * @param fd        a file or folder
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EIO, -ENOSPC, -EDQUOT something written
 *          before is lost, told once; others of fsync(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_fsync(int fd, rv_time deadline);

/** Bring what was written to a file to its disk, with no more than what it takes to read it.
 *
 * @param fd        a file
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_fsync
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_fdatasync(int fd, rv_time deadline);

/** Change the length of a file; what is new reads as zeroes.
 *
 * @param fd        a file, open for writing
 * @param bytes     its length afterwards
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EINVAL, -EFBIG and others of ftruncate(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_ftruncate(int fd, int64_t bytes, rv_time deadline);

/** Copy a piece of one file into another, without the bytes passing through the program where the
 * kernel can do so; a file system that can share them shares them.
 *
 * @param from         a file, open for reading
 * @param from_offset  from its start
 * @param to           another file, or the same where the pieces do not overlap; open for writing,
 *                     not with O_APPEND
 * @param to_offset    from its start
 * @param count        bytes to copy
 * @param ret_done     how many were, whatever the result: they are in place, the rest of the
 *                     destination is untouched; NULL: not asked for
 * @param deadline     absolute nanoseconds, or RV_NEVER; looked at between parts of some MiB, as is
 *                     cancellation
 * @return 0: all were copied, or the source has ended before: see ret_done
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOSPC, -EDQUOT, -EFBIG the destination is
 *          full; -ENOMEM; others of read(2) and write(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: from and to until return */
RV_API RV_NODISCARD int rv_copy_range(int from, int64_t from_offset, int to, int64_t to_offset,
                                      uint64_t count, uint64_t *ret_done, rv_time deadline);

/* ---- names ---- */

/** What the file system knows of a file.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the file; with AT_EMPTY_PATH in flags, "" is dir itself
 * @param ret       as stat(2)
 * @param flags     AT_SYMLINK_NOFOLLOW: of a link, not of what it names; AT_EMPTY_PATH
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOENT, -EACCES and others of stat(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir, path and ret until return */
RV_API RV_NODISCARD int rv_fstatat(int dir, const char *path, struct stat *ret, int flags,
                                   rv_time deadline);

/** What the file system knows of a file, or of what a link names.
 *
 * @param path      the file
 * @param ret       as stat(2)
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_fstatat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: path and ret until return */
RV_NODISCARD static inline int rv_stat(const char *path, struct stat *ret, rv_time deadline)
{
    return rv_fstatat(RV_CWD, path, ret, 0, deadline);
}

/** What the file system knows of an open file.
 *
 * @param fd        any descriptor
 * @param ret       as stat(2)
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_fstatat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd and ret until return */
RV_API RV_NODISCARD int rv_fstat(int fd, struct stat *ret, rv_time deadline);

/** Give a file another name, in place of what had it.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the name it has
 * @param new_dir   as dir, for new_path
 * @param new_path  the name it gets
 * @param flags     0, or of renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EXDEV, -EEXIST and others of rename(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return */
RV_API RV_NODISCARD int rv_renameat(int dir, const char *path, int new_dir, const char *new_path,
                                    unsigned flags, rv_time deadline);

/** Give a file another name, in place of what had it.
 *
 * @param path      the name it has
 * @param new_path  the name it gets
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_renameat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return */
RV_NODISCARD static inline int rv_rename(const char *path, const char *new_path, rv_time deadline)
{
    return rv_renameat(RV_CWD, path, RV_CWD, new_path, 0, deadline);
}

/** Take a name away; the file goes with its last name and its last descriptor.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the name
 * @param flags     0, or AT_REMOVEDIR: it names a folder, which has to be empty
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ENOENT, -EISDIR, -ENOTEMPTY and others of
 *          unlink(2) and rmdir(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir and path until return */
RV_API RV_NODISCARD int rv_unlinkat(int dir, const char *path, int flags, rv_time deadline);

/** Take a file's name away.
 *
 * @param path      the name
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_unlinkat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: path until return */
RV_NODISCARD static inline int rv_unlink(const char *path, rv_time deadline)
{
    return rv_unlinkat(RV_CWD, path, 0, deadline);
}

/** Remove an empty folder.
 *
 * @param path      the folder
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_unlinkat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: path until return */
RV_API RV_NODISCARD int rv_rmdir(const char *path, rv_time deadline);

/** Make a folder.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      its name
 * @param mode      its permissions, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -EEXIST, -ENOENT and others of mkdir(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir and path until return */
RV_API RV_NODISCARD int rv_mkdirat(int dir, const char *path, mode_t mode, rv_time deadline);

/** Make a folder.
 *
 * @param path      its name
 * @param mode      its permissions, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  as rv_mkdirat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: path until return */
RV_NODISCARD static inline int rv_mkdir(const char *path, mode_t mode, rv_time deadline)
{
    return rv_mkdirat(RV_CWD, path, mode, deadline);
}

/** Make a folder and all above it that are missing.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the folder; one that is there already is a success
 * @param mode      permissions of each that is made, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ENOTDIR something on the way, or at its end, is no folder; -ENAMETOOLONG; others as
 *          rv_mkdirat. Some of the folders may have been made
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir and path until return */
RV_API RV_NODISCARD int rv_mkdir_all(int dir, const char *path, mode_t mode, rv_time deadline);

/** Remove a file, or a folder with all that is in it. Links are removed, never followed.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      what to remove; if there is nothing of that name, that is a success
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ENOMEM; -EMFILE it goes deeper than descriptors reach; others as rv_unlinkat. Some of
 *          it may be gone
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: dir and path until return */
RV_API RV_NODISCARD int rv_remove_all(int dir, const char *path, rv_time deadline);

/* ---- folders ---- */

/** A listing of a folder, one name after another, with memory that does not grow with it. */
typedef struct rv_dir rv_dir;

/** One name in a folder. */
struct rv_dir_entry {
    const char *name; /* within the folder; until the listing's next call */
    mode_t type;      /* S_IFREG, S_IFDIR, S_IFLNK and so on, as st_mode has it */
    uint64_t inode;   /* the file's number */
};

/** Begin to list a folder.
 *
 * @param ret       the listing
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the folder; "." is dir itself
 * @param flags     0, or O_NOFOLLOW: a link is refused with -ENOTDIR
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ENOTDIR, -ENOMEM; others as rv_openat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: until rv_dir_close; dir and path until return */
RV_API RV_NODISCARD int rv_dir_open(rv_dir **ret, int dir, const char *path, int flags,
                                    rv_time deadline);

/** The next name, in the order of the file system; "." and ".." are left out. What is made or
 * removed meanwhile may be among them or not.
 *
 * @param list      the listing
 * @param ret       the name; untouched unless 1 is returned
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 1: *ret is one; 0: there are no more
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled: the call may be made again; -EIO and others
 *          of getdents(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: ret->name until the listing's next call */
RV_API RV_NODISCARD int rv_dir_next(rv_dir *list, struct rv_dir_entry *ret, rv_time deadline);

/** The folder's descriptor, for calls that start from it.
 *
 * @param list  the listing
 * @return a descriptor that stays the listing's
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: until rv_dir_close */
RV_API int rv_dir_fd(const rv_dir *list);

/** End a listing.
 *
 * @param list  NULL does nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API rv_dir *rv_dir_close(rv_dir *list);

/* ---- whole files ---- */

/** Read a whole file into memory that is there: the fastest way to read many small files.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      a file of any kind that comes to an end
 * @param buf       room for `room` bytes
 * @param room      the most that it may have
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return its bytes
 * Errors:  -EFBIG it has more than `room`; -EISDIR; others as rv_openat and rv_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return */
RV_API RV_NODISCARD ssize_t rv_file_read(int dir, const char *path, void *buf, size_t room,
                                         rv_time deadline);

/** Read a whole file into memory that is made for it.
 *
 * @param ret        its bytes, and a NUL behind them
 * @param ret_bytes  how many, without that NUL
 * @param dir        a folder's descriptor, or RV_CWD
 * @param path       a file of any kind that comes to an end
 * @param max        the most that it may have
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -EFBIG it has more than `max`; -ENOMEM; -EISDIR; others as rv_openat and rv_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: *ret until rv_file_free; dir and path until return */
RV_API RV_NODISCARD int rv_file_load(char **ret, size_t *ret_bytes, int dir, const char *path,
                                     size_t max, rv_time deadline);

/** Free what rv_file_load() has made.
 *
 * @param bytes  NULL does nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends it */
RV_API char *rv_file_free(char *bytes);

/** Give a file a new content, all or nothing: whoever opens it, now or after the machine has
 * crashed, finds the old one or the new one, whole.
 *
 * The content is written beside it, brought to the disk, and renamed in its place; so links to the
 * old file keep the old content, and a path that is a link is itself replaced.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      the file, there already or not
 * @param data      `count` bytes
 * @param count     any number
 * @param mode      its permissions afterwards, less the umask
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: it is there for good
 * Errors:  -ENOSPC, -EACCES and others of rv_openat, rv_write, rv_fsync and rv_renameat: the old
 *          content is there still, and nothing else; but for an error of the last step, the
 *          folder's way to its disk: then the new one is there, and a crash may undo it
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return */
RV_API RV_NODISCARD int rv_file_write(int dir, const char *path, const void *data, size_t count,
                                      mode_t mode, rv_time deadline);

/** Copy a file, all or nothing, in place of what has the new name: content and permissions, not
 * owner, times or holes. It is not brought to the disk.
 *
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      a regular file
 * @param new_dir   as dir, for new_path
 * @param new_path  the copy
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -EINVAL path is no regular file; others as rv_openat, rv_copy_range and rv_renameat:
 *          what had the new name has it still, and nothing is left behind
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: all arguments until return */
RV_API RV_NODISCARD int rv_file_copy(int dir, const char *path, int new_dir, const char *new_path,
                                     rv_time deadline);

/** The lines of a file, one after another, with memory that does not grow with it. */
typedef struct rv_lines rv_lines;

/** Begin to read the lines of a file. It is read, not mapped, so that one which is cut short
 * meanwhile ends early instead of killing the program.
 *
 * @param ret       the reader
 * @param dir       a folder's descriptor, or RV_CWD
 * @param path      a file of any kind
 * @param max       the longest line, without its newline; 0: 64 KiB
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0
 * Errors:  -ENOMEM; others as rv_openat
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: until rv_lines_close; dir and path until return */
RV_API RV_NODISCARD int rv_lines_open(rv_lines **ret, int dir, const char *path, size_t max,
                                      rv_time deadline);

/** The next line.
 *
 * @param lines     the reader
 * @param ret       the line without its newline; untouched unless 1 is returned
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 1: *ret is one; 0: there are no more
 * Errors:  -EMSGSIZE it is too long: rv_lines_reader() gives the ways to go on; -EISDIR; others as
 *          rv_read
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads; one at a time
 * Lifetime: ret->text until the next call */
RV_API RV_NODISCARD int rv_lines_next(rv_lines *lines, struct rv_line *ret, rv_time deadline);

/** The reader beneath, for whatever stream.h offers.
 *
 * @param lines  the lines
 * @return a reader that stays theirs
 * Errors:  none
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: until rv_lines_close */
RV_API struct rv_reader *rv_lines_reader(rv_lines *lines);

/** Be done with the lines of a file.
 *
 * @param lines  NULL does nothing
 * @return NULL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: ends them */
RV_API rv_lines *rv_lines_close(rv_lines *lines);

RV_END_DECLS
