/* SPDX-License-Identifier: MIT */
/* whole.c - files read and written as one piece.
 *
 * Reading a small file costs four system calls where it is in memory: open, fstat, read, close. Its
 * length is known before, so nothing has to be read to see the end, and O_NONBLOCK, which it was
 * opened with (sys/files.h), goes with the descriptor.
 *
 *   W1  bytes [0, done) are read
 *   W2  `size` is the length of a regular file that has one, else 0: the end has to be seen
 *
 * A file that grows meanwhile is read as long as it was; one that shrinks, as far as it goes.
 * Checked by: tests/unit/io/test_whole.c */
#include <ravel/file.h>

#include <errno.h>
#include <stdbool.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "io/call.h"
#include "io/open.h"
#include "io/replace.h"
#include "sched/wait.h"

enum { FIRST_ROOM = 4096 };

struct whole {
    struct rvi_file file;
    char *data;
    size_t done, room, max; /* room <= max */
    size_t size;
    bool may_grow; /* the room, up to max */
};

/* Give the room a byte to spare for a NUL. */
static int set_room(struct whole *w, size_t room)
{
    room = room < w->max ? room : w->max;
    char *data = rvi_realloc(w->data, room + 1);
    if (!data)
        return -ENOMEM;
    w->data = data;
    w->room = room;
    return 0;
}

/* What is to be known before the first byte. */
static int look_at_size(struct whole *w)
{
    const struct stat *status = &w->file.status;

    if (S_ISDIR(status->st_mode))
        return -EISDIR;
    w->size = S_ISREG(status->st_mode) ? (size_t)status->st_size : 0;
    if (w->size > w->max)
        return -EFBIG;
    return w->may_grow ? set_room(w, w->size ? w->size : FIRST_ROOM) : 0;
}

static ssize_t read_at(struct whole *w, char *buf, size_t count, rv_time deadline)
{
    if (w->size > 0)
        return rv_pread(w->file.fd, buf, count, (int64_t)w->done, deadline);
    return rv_read(w->file.fd, buf, count, deadline);
}

/* The room is full: is that all? Returns 0: yes. */
static int look_for_more(struct whole *w, rv_time deadline)
{
    char more;

    if (w->room < w->max)
        return set_room(w, 2 * w->room) < 0 ? -ENOMEM : 1;
    ssize_t n = read_at(w, &more, 1, deadline);
    return n > 0 ? -EFBIG : (int)n;
}

static int read_rest(struct whole *w, rv_time deadline)
{
    size_t end = w->size;
    ssize_t n = 1;

    while (n > 0 && (end == 0 || w->done < end)) {
        if (end == 0 && w->done == w->room) {
            n = look_for_more(w, deadline);
            continue;
        }
        n = read_at(w, w->data + w->done, (end ? end : w->room) - w->done, deadline);
        w->done += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? (int)n : 0;
}

/* Here O_NONBLOCK does no harm: whether a file is in memory is asked for with each read. */
static int read_at_once(struct whole *w)
{
    struct rvi_op op = rvi_op_read(w->file.fd, w->data, w->size, 0);
    int64_t n = w->size > 0 && rvi_task_self() ? rvi_op_try(&op) : 0;

    if (n > 0)
        w->done = (size_t)n;
    if (w->size == 0 || w->done < w->size)
        rvi_file_unset_nonblock(&w->file);
    return 0;
}

static int read_whole(struct whole *w, int dir, const char *path, rv_time deadline)
{
    w->file = rvi_file(dir, path, O_RDONLY, 0);
    int r = rvi_open(&w->file, deadline);
    if (r < 0)
        return r;
    r = look_at_size(w);
    if (r == 0)
        r = read_at_once(w);
    if (r == 0)
        r = read_rest(w, deadline);
    rv_close(w->file.fd);
    return r;
}

ssize_t rv_file_read(int dir, const char *path, void *buf, size_t room, rv_time deadline)
{
    struct whole w = {.data = buf, .room = room, .max = room};
    int r = read_whole(&w, dir, path, deadline);

    return r < 0 ? r : (ssize_t)w.done;
}

int rv_file_load(char **ret, size_t *ret_bytes, int dir, const char *path, size_t max,
                 rv_time deadline)
{
    struct whole w = {.max = max, .may_grow = true};
    int r = read_whole(&w, dir, path, deadline);

    if (r < 0) {
        rvi_free(w.data);
        return r;
    }
    w.data[w.done] = '\0';
    *ret = w.data;
    *ret_bytes = w.done;
    return 0;
}

char *rv_file_free(char *bytes)
{
    rvi_free(bytes);
    return NULL;
}

int rv_file_write(int dir, const char *path, const void *data, size_t count, mode_t mode,
                  rv_time deadline)
{
    struct rvi_replace replace;
    int r = rvi_replace_begin(&replace, dir, path, mode, true, deadline);

    if (r < 0)
        return r;
    r = rv_write_all(replace.fd, data, count, NULL, deadline);
    return rvi_replace_end(&replace, r, deadline);
}

/* ---- lines ---- */

struct rv_lines {
    struct rv_reader reader;
    int fd;
};

#define USUAL_LINE ((size_t)64 << 10)

int rv_lines_open(rv_lines **ret, int dir, const char *path, size_t max, rv_time deadline)
{
    rv_lines *lines = rvi_alloc(sizeof(*lines));
    if (!lines)
        return -ENOMEM;
    lines->fd = rv_openat(dir, path, O_RDONLY, 0, deadline);
    if (lines->fd < 0) {
        int r = lines->fd;
        rvi_free(lines);
        return r;
    }
    max = max == 0 ? USUAL_LINE : max < SIZE_MAX ? max : SIZE_MAX - 1;
    rv_reader_init(&lines->reader, rv_stream_fd(lines->fd), NULL, max + 1);
    *ret = lines;
    return 0;
}

int rv_lines_next(rv_lines *lines, struct rv_line *ret, rv_time deadline)
{
    return rv_reader_line(&lines->reader, ret, deadline);
}

struct rv_reader *rv_lines_reader(rv_lines *lines)
{
    return &lines->reader;
}

rv_lines *rv_lines_close(rv_lines *lines)
{
    if (lines) {
        rv_reader_fini(&lines->reader);
        rv_close(lines->fd);
    }
    rvi_free(lines);
    return NULL;
}
