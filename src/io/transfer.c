/* SPDX-License-Identifier: MIT */
/* transfer.c - bytes from one descriptor to another that the program need not see.
 *
 * The kernel's calls have no flag that says "do not wait" for both sides: whether they do follows
 * from the descriptions' O_NONBLOCK. Where a side has not got it, or the kernel refuses the pair,
 * bytes go through a buffer.
 *
 * sendfile(2) reads what is not in memory while its thread waits. So before each piece the last
 * byte of it is read in the ordinary way, which waits as a task, and tells at once when it is
 * there: a call for each 256 KiB, and what the kernel reads ahead for it is the piece.
 *
 * splice(2) goes by way of a pipe. -EAGAIN then means the one descriptor that is no pipe, for the
 * pipe is empty before it is filled and is emptied before it is filled again.
 *
 * Checked by: tests/unit/io/test_transfer.c, test_net_every_point.c */
#include <ravel/net.h>

#include <errno.h>
#include <fcntl.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "io/call.h"
#include "sys/fd.h"

enum {
    FILE_PIECE = 256 << 10,
    PIPE_PIECE = 64 << 10,   /* what a pipe holds */
    BUFFER_BYTES = 64 << 10, /* of the way through the program */
};

#define SINCE_POSITION RVI_OP_AT_POSITION

struct transfer {
    int out, in;
    int64_t offset; /* the next byte's; or SINCE_POSITION */
    uint64_t left, done;
    rv_time deadline;
};

static size_t piece_of(const struct transfer *t, size_t most)
{
    return t->left < most ? (size_t)t->left : most;
}

static void advance(struct transfer *t, uint64_t bytes)
{
    t->done += bytes;
    t->left -= bytes;
    if (t->offset != SINCE_POSITION)
        t->offset += (int64_t)bytes;
}

/* Ends after the last piece, or where the source does. */
static int through_buffer(struct transfer *t)
{
    char *buf = rvi_alloc(BUFFER_BYTES);
    int64_t n = 0;

    if (!buf)
        return -ENOMEM;
    while (t->left > 0) {
        size_t taken;
        struct rvi_op op = rvi_op_read(t->in, buf, piece_of(t, BUFFER_BYTES), t->offset);
        n = rvi_io_call(&op, t->deadline);
        if (n <= 0)
            break;
        n = rv_write_all(t->out, buf, (size_t)n, &taken, t->deadline);
        advance(t, taken);
        if (n < 0)
            break;
    }
    rvi_free(buf);
    return n < 0 ? (int)n : 0;
}

/* The kernel does not do this with such descriptors. */
static bool is_refusal(int64_t err)
{
    return err == -EINVAL || err == -ENOSYS || err == -EOPNOTSUPP;
}

/* --- sendfile --- */

/* Wait until a piece is in memory. */
static int64_t fetch(const struct transfer *t, size_t bytes)
{
    char last;
    struct rvi_op op = rvi_op_read(t->in, &last, 1, t->offset + (int64_t)bytes - 1);

    return rvi_io_call(&op, t->deadline);
}

static int by_sendfile(struct transfer *t)
{
    int64_t n = 1;

    while (t->left > 0 && n > 0) {
        size_t bytes = piece_of(t, FILE_PIECE);
        n = fetch(t, bytes);
        if (n < 0)
            break;
        struct rvi_op op = rvi_op_sendfile(t->out, t->in, t->offset, bytes);
        n = rvi_io_call(&op, t->deadline);
        if (n > 0)
            advance(t, (uint64_t)n);
    }
    return n < 0 ? (int)n : 0;
}

static int finish(const struct transfer *t, int result, uint64_t *ret_done)
{
    if (ret_done)
        *ret_done = t->done;
    return result;
}

int rv_sendfile(int out, int in, int64_t offset, uint64_t count, uint64_t *ret_done,
                rv_time deadline)
{
    struct transfer t = {out, in, offset, count, 0, deadline};
    int r = -EINVAL;

    if (offset < 0)
        return finish(&t, r, ret_done);
    if (rvi_fd_is_nonblocking(out))
        r = by_sendfile(&t);
    if (is_refusal(r))
        r = through_buffer(&t);
    return finish(&t, r, ret_done);
}

/* --- splice --- */

static int64_t empty_pipe(struct transfer *t, int pipe, size_t bytes)
{
    int64_t n = 0;

    while (bytes > 0 && n >= 0) {
        struct rvi_op op = rvi_op_splice_out(t->out, pipe, bytes);
        n = rvi_io_call(&op, t->deadline);
        if (n > 0) {
            bytes -= (size_t)n;
            advance(t, (uint64_t)n);
        }
    }
    return n;
}

/* What the kernel will not take out of the pipe the program can. */
static int64_t rescue(struct transfer *t, int pipe, size_t bytes)
{
    struct transfer rest = {t->out, pipe, SINCE_POSITION, bytes, 0, t->deadline};
    int r = through_buffer(&rest);

    advance(t, rest.done);
    return r;
}

static int by_splice(struct transfer *t, const int pipe[2])
{
    int64_t n = 1;

    while (t->left > 0 && n > 0) {
        struct rvi_op op = rvi_op_splice_in(t->in, pipe[1], piece_of(t, PIPE_PIECE));
        n = rvi_io_call(&op, t->deadline);
        if (n <= 0)
            break;
        uint64_t before = t->done;
        int64_t r = empty_pipe(t, pipe[0], (size_t)n);
        if (is_refusal(r)) {
            r = rescue(t, pipe[0], (size_t)n - (size_t)(t->done - before));
            return r < 0 ? (int)r : through_buffer(t);
        }
        n = r < 0 ? r : n;
    }
    return n < 0 ? (int)n : 0;
}

int rv_splice(int out, int in, uint64_t count, uint64_t *ret_done, rv_time deadline)
{
    struct transfer t = {out, in, SINCE_POSITION, count, 0, deadline};
    int pipe[2], r = -EINVAL;

    if (rvi_fd_is_nonblocking(in) && rvi_fd_is_nonblocking(out) && rv_pipe(pipe) == 0) {
        r = by_splice(&t, pipe);
        (void)rv_close(pipe[0]);
        (void)rv_close(pipe[1]);
    }
    if (is_refusal(r))
        r = through_buffer(&t);
    return finish(&t, r, ret_done);
}
