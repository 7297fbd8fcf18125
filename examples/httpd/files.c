/* SPDX-License-Identifier: MIT */
/* files.c - the files that are served: what lies below one folder.
 *
 * openat2(2) keeps every path below the root, whatever links there are, and where the kernel has
 * none of it each step is opened by itself and no link is followed at all.
 *
 * A disk may keep us waiting. What the kernel has at hand is opened at once (RESOLVE_CACHED); all
 * else is left to a helper thread, while only this connection waits. */
#include "files.h"

#include "mime.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <ravel.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };

static const char index_name[FILES_INDEX_BYTES] = "index.html";

int files_open_root(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_beneath(int root, const char *path, uint64_t also)
{
    struct open_how how = {
        .flags = FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | also,
    };
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

/* Without openat2(): step by step, and never through a link. */
static int open_in_steps(int root, const char *path)
{
    char name[NAME_MAX + 1];
    int at = root, fd = -ENOENT;

    while (*path) {
        size_t len = strcspn(path, "/");
        bool last = path[len] == '\0' || path[len + 1] == '\0';
        if (len > NAME_MAX)
            fd = -ENAMETOOLONG;
        else {
            memcpy(name, path, len);
            name[len] = '\0';
            fd = openat(at, name, (last ? FLAGS : O_PATH | O_CLOEXEC) | O_NOFOLLOW);
            fd = fd < 0 ? -errno : fd;
        }
        if (at != root)
            close(at);
        if (fd < 0 || last)
            return fd;
        at = fd;
        path += len + 1;
    }
    return fd;
}

/* What a helper thread does. */
struct slow_open {
    int root;
    const char *path;
    int fd;
};

static int open_slowly(void *arg)
{
    struct slow_open *o = arg;
    o->fd = open_beneath(o->root, o->path, 0);
    if (o->fd == -ENOSYS || o->fd == -EPERM)
        o->fd = open_in_steps(o->root, o->path);
    return 0;
}

static int open_path(int root, const char *path)
{
    struct slow_open o = {.root = root, .path = path};
    int fd = open_beneath(root, path, RESOLVE_CACHED);
    /* Kernels before 5.12 do not know the flag, those before 5.6 not the call. */
    if (fd != -EAGAIN && fd != -EINVAL && fd != -ENOSYS && fd != -EPERM)
        return fd;
    int err = rv_blocking(open_slowly, &o, NULL);
    return err < 0 ? err : o.fd;
}

static int status_of(int err)
{
    switch (-err) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case EXDEV: /* led out of the root */
    case ENAMETOOLONG:
    case ENXIO: /* a socket, or a pipe's end */
        return 404;
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ECANCELED:
        return 503;
    default:
        return 500;
    }
}

static int describe(struct file *f, const char *path, struct stat *st)
{
    if (fstat(f->fd, st) < 0)
        return 500;
    f->thing = (struct thing){
        .type = mime_type(path),
        .size = (uint64_t)st->st_size,
        .changed = st->st_mtim,
    };
    return S_ISREG(st->st_mode) ? 200 : S_ISDIR(st->st_mode) ? 301 : 404;
}

static int open_file(struct file *ret, int root, const char *path)
{
    struct stat st;
    int fd = open_path(root, path);
    if (fd < 0)
        return status_of(fd);
    ret->fd = fd;
    return describe(ret, path, &st);
}

int files_open(struct file *ret, int root, char *path)
{
    size_t len = strlen(path);
    bool folder = len == 0 || path[len - 1] == '/';

    ret->fd = -1;
    if (folder)
        memcpy(path + len, index_name, sizeof index_name);
    int status = open_file(ret, root, path);
    if (status == 301 && folder)
        status = 404;
    if (status != 200)
        files_close(ret);
    return status;
}

int files_read(int fd, char *buf, size_t len, uint64_t at)
{
    size_t done;
    int err = rv_pread_full(fd, buf, len, (int64_t)at, &done, RV_NEVER);
    return err == 0 && done < len ? -EIO : err;
}

void files_close(struct file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
}
