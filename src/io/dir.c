/* SPDX-License-Identifier: MIT */
/* dir.c - listing folders, and what is made of that: whole trees of them.
 *
 *   D1  at <= end; what the kernel has told and nobody has taken lies in room[at, end)
 *   D2  has_ended  =>  the kernel has no more to tell
 *
 * The kernel offers no listing that does not block, so each filling of the room is a turn on a
 * helper thread. When there is room for another name the helper asks again at once, and sees the
 * end: a small folder takes one turn.
 * Checked by: tests/unit/io/test_dir.c */
#include <ravel/file.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "io/call.h"
#include "sys/files.h"

enum {
    ROOM_BYTES = 32 << 10,
    ENTRY_BYTES = sizeof(struct dirent64), /* at most, with the longest name */
};

struct rv_dir {
    int fd;
    bool has_ended;
    size_t at, end;
    _Alignas(struct dirent64) char room[ROOM_BYTES];
};

int rv_dir_open(rv_dir **ret, int dir, const char *path, int flags, rv_time deadline)
{
    rv_dir *list = rvi_alloc(sizeof(*list));
    if (!list)
        return -ENOMEM;
    list->fd = rv_openat(dir, path, O_RDONLY | O_DIRECTORY | (flags & O_NOFOLLOW), 0, deadline);
    if (list->fd < 0) {
        int r = list->fd;
        rvi_free(list);
        return r;
    }
    list->has_ended = false;
    list->at = list->end = 0;
    *ret = list;
    return 0;
}

int rv_dir_fd(const rv_dir *list)
{
    return list->fd;
}

rv_dir *rv_dir_close(rv_dir *list)
{
    if (list)
        rv_close(list->fd);
    rvi_free(list);
    return NULL;
}

/* On a helper thread. What it has got is not lost by an error of the second call, which shows again
 * in the next. */
static int fill(void *arg)
{
    rv_dir *list = arg;
    ssize_t n = rvi_file_list(list->fd, list->room, ROOM_BYTES);

    if (n < 0)
        return (int)n;
    list->at = 0;
    list->end = (size_t)n;
    list->has_ended = n == 0;
    if (n > 0 && n + ENTRY_BYTES <= ROOM_BYTES) {
        n = rvi_file_list(list->fd, list->room + n, ROOM_BYTES - (size_t)n);
        list->end += n > 0 ? (size_t)n : 0;
        list->has_ended = n == 0;
    }
    return 0;
}

static const struct dirent64 *take(rv_dir *list)
{
    const struct dirent64 *entry = (const void *)(list->room + list->at);

    list->at += entry->d_reclen;
    return entry;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Some file systems do not tell the type with the name. Returns 0: the file is gone already. */
static int look_at_type(const rv_dir *list, const char *name, mode_t *ret, rv_time deadline)
{
    struct stat status;
    int r = rv_fstatat(list->fd, name, &status, AT_SYMLINK_NOFOLLOW, deadline);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    *ret = status.st_mode & S_IFMT;
    return 1;
}

static int give(rv_dir *list, const struct dirent64 *entry, struct rv_dir_entry *ret,
                rv_time deadline)
{
    mode_t type = DTTOIF(entry->d_type);
    int r = type ? 1 : look_at_type(list, entry->d_name, &type, deadline);

    if (r > 0)
        *ret = (struct rv_dir_entry){entry->d_name, type, entry->d_ino};
    if (r < 0)
        list->at -= entry->d_reclen;
    return r;
}

int rv_dir_next(rv_dir *list, struct rv_dir_entry *ret, rv_time deadline)
{
    int r = 0;

    while (r == 0) {
        if (list->at == list->end && list->has_ended)
            return 0;
        if (list->at == list->end && (r = rvi_io_blocking(fill, list, deadline)) < 0)
            return r;
        if (list->at == list->end)
            continue;
        const struct dirent64 *entry = take(list);
        r = is_dots(entry->d_name) ? 0 : give(list, entry, ret, deadline);
    }
    return r;
}

/* ---- making a way ---- */

static int require_folder(int dir, const char *path, rv_time deadline)
{
    struct stat status;
    int r = rv_fstatat(dir, path, &status, 0, deadline);

    return r < 0 ? r : S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

/* Each folder on the way, from the outermost on; what is there already may be. */
static int make_way(int dir, char *path, mode_t mode, rv_time deadline)
{
    int r = 0;

    for (char *at = path + 1; r == 0 && (at = strchr(at, '/')); at++) {
        *at = '\0';
        r = rv_mkdirat(dir, path, mode, deadline);
        *at = '/';
        r = r == -EEXIST ? 0 : r;
    }
    return r;
}

int rv_mkdir_all(int dir, const char *path, mode_t mode, rv_time deadline)
{
    char copy[PATH_MAX];
    size_t bytes = strlen(path) + 1;
    int r = rv_mkdirat(dir, path, mode, deadline);

    if (r == -ENOENT && bytes > 1 && bytes <= sizeof(copy)) {
        memcpy(copy, path, bytes);
        r = make_way(dir, copy, mode, deadline);
        if (r == 0)
            r = rv_mkdirat(dir, path, mode, deadline);
    }
    return r == -EEXIST ? require_folder(dir, path, deadline) : r;
}

/* ---- removing trees ---- */

/* A folder that is being emptied, below the one that it is in. The depth is that of the tree: it
 * takes memory and descriptors, not stack. */
struct level {
    struct level *up;
    rv_dir *list;
    bool has_removed; /* something, in this pass: names may have been passed over */
    char name[];      /* in the one above, or of the whole */
};

static int enter(struct level **top, int dir, const char *name, rv_time deadline)
{
    size_t bytes = strlen(name) + 1;
    struct level *level = rvi_alloc(sizeof(*level) + bytes);
    if (!level)
        return -ENOMEM;
    int r = rv_dir_open(&level->list, dir, name, O_NOFOLLOW, deadline);
    if (r < 0) {
        rvi_free(level);
        return r;
    }
    memcpy(level->name, name, bytes);
    level->has_removed = false;
    level->up = *top;
    *top = level;
    return 0;
}

static void leave(struct level **top)
{
    struct level *level = *top;

    *top = level->up;
    rv_dir_close(level->list);
    rvi_free(level);
}

/* Somebody else may be faster. */
static int unless_gone(int r)
{
    return r == -ENOENT ? 0 : r;
}

static int remove_entry(struct level **top, const struct rv_dir_entry *entry, rv_time deadline)
{
    int dir = rv_dir_fd((*top)->list);

    (*top)->has_removed = true;
    if (S_ISDIR(entry->type))
        return unless_gone(enter(top, dir, entry->name, deadline));
    return unless_gone(rv_unlinkat(dir, entry->name, 0, deadline));
}

/* A folder that is not empty after a pass that has removed something gets another one. */
static int remove_emptied(struct level **top, int dir, rv_time deadline)
{
    struct level *level = *top;
    int above = level->up ? rv_dir_fd(level->up->list) : dir;
    int r = unless_gone(rv_unlinkat(above, level->name, AT_REMOVEDIR, deadline));

    if (r != -ENOTEMPTY || !level->has_removed) {
        leave(top);
        return r;
    }
    level->has_removed = false;
    level->list = rv_dir_close(level->list);
    return rv_dir_open(&level->list, above, level->name, O_NOFOLLOW, deadline);
}

static int remove_tree(int dir, const char *path, rv_time deadline)
{
    struct level *top = NULL;
    struct rv_dir_entry entry;
    int r = enter(&top, dir, path, deadline);

    while (r == 0 && top) {
        r = rv_dir_next(top->list, &entry, deadline);
        if (r > 0)
            r = remove_entry(&top, &entry, deadline);
        else if (r == 0)
            r = remove_emptied(&top, dir, deadline);
    }
    while (top)
        leave(&top);
    return unless_gone(r);
}

int rv_remove_all(int dir, const char *path, rv_time deadline)
{
    int r = unless_gone(rv_unlinkat(dir, path, 0, deadline));

    return r == -EISDIR ? remove_tree(dir, path, deadline) : r;
}
