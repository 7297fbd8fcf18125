/* SPDX-License-Identifier: MIT */
/* copy.c - from one file into another.
 *
 *   C1  `done` bytes are in place, in order, whatever happens next
 *
 * A helper thread copies a part of some MiB at a time, and the task looks at its deadline and its
 * scope in between: so no helper is kept for as long as a disk is large, and no copy goes on for
 * long when nobody wants it any more.
 *
 * copy_file_range(2) shares blocks where the file system can, and else copies pages in the kernel.
 * Where it cannot at all, and where it says that a file ends before its first byte (as files of
 * /proc do, which have no length), bytes are read and written.
 * Checked by: tests/unit/io/test_copy.c */
#include <ravel/file.h>

#include <errno.h>
#include <stdbool.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "io/call.h"
#include "io/replace.h"
#include "sys/files.h"

enum { PART_BYTES = 8 << 20, BUFFER_BYTES = 128 << 10 };

struct copy {
    int from, to;
    int64_t from_at, to_at;
    uint64_t left, done;
    bool has_ended;
    char *buffer; /* there as soon as the kernel cannot do it */
};

static void note(struct copy *c, size_t bytes)
{
    c->from_at += (int64_t)bytes;
    c->to_at += (int64_t)bytes;
    c->left -= bytes;
    c->done += bytes;
}

static int make_buffer(struct copy *c)
{
    c->buffer = rvi_alloc(BUFFER_BYTES);
    return c->buffer ? 0 : -ENOMEM;
}

static int copy_in_kernel(struct copy *c, size_t most)
{
    ssize_t n = rvi_file_copy(c->from, c->from_at, c->to, c->to_at, most);

    if (n == -EOPNOTSUPP || (n == 0 && c->done == 0))
        return make_buffer(c);
    if (n < 0)
        return (int)n;
    c->has_ended = n == 0;
    note(c, (size_t)n);
    return 0;
}

static int copy_by_buffer(struct copy *c, size_t most)
{
    size_t count = most < BUFFER_BYTES ? most : BUFFER_BYTES;
    struct rvi_op op = rvi_op_read(c->from, c->buffer, count, c->from_at);
    int64_t n = rvi_op_perform(&op);

    c->has_ended = n == 0;
    for (int64_t at = 0, end = n; at < end && n > 0; at += n) {
        op = rvi_op_write(c->to, c->buffer + at, (size_t)(end - at), c->to_at);
        n = rvi_op_perform(&op);
        if (n > 0)
            note(c, (size_t)n);
    }
    return n < 0 ? (int)n : 0;
}

/* On a helper thread. */
static int copy_part(void *arg)
{
    struct copy *c = arg;
    uint64_t end = c->left > PART_BYTES ? c->left - PART_BYTES : 0;
    int r = 0;

    while (r == 0 && c->left > end && !c->has_ended) {
        size_t most = (size_t)(c->left - end);
        r = c->buffer ? copy_by_buffer(c, most) : copy_in_kernel(c, most);
    }
    return r;
}

int rv_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, uint64_t count,
                  uint64_t *ret_done, rv_time deadline)
{
    struct copy copy = {
        .from = from, .to = to, .from_at = from_offset, .to_at = to_offset, .left = count};
    int r = from_offset < 0 || to_offset < 0 ? -EINVAL : 0;

    while (r == 0 && copy.left > 0 && !copy.has_ended)
        r = rvi_io_blocking(copy_part, &copy, deadline);
    rvi_free(copy.buffer);
    if (ret_done)
        *ret_done = copy.done;
    return r;
}

static int copy_all(int from, int new_dir, const char *new_path, rv_time deadline)
{
    struct stat status;
    struct rvi_replace replace;
    int r = rv_fstat(from, &status, deadline);

    if (r == 0 && !S_ISREG(status.st_mode))
        r = -EINVAL;
    if (r == 0)
        r = rvi_replace_begin(&replace, new_dir, new_path, status.st_mode & 0777, false, deadline);
    if (r < 0)
        return r;
    r = rv_copy_range(from, 0, replace.fd, 0, UINT64_MAX, NULL, deadline);
    return rvi_replace_end(&replace, r, deadline);
}

int rv_file_copy(int dir, const char *path, int new_dir, const char *new_path, rv_time deadline)
{
    int from = rv_openat(dir, path, O_RDONLY | O_NONBLOCK, 0, deadline);

    if (from < 0)
        return from;
    int r = copy_all(from, new_dir, new_path, deadline);
    rv_close(from);
    return r;
}
