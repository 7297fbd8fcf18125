/* SPDX-License-Identifier: MIT */
/* child_talk.c - writing to a child and reading from it at the same time.
 *
 * One party does all three pipes: it waits for any of them, by a descriptor of epoll, then writes
 * and reads what goes without waiting. So neither side waits for the other: whatever the child is
 * held up by, a full pipe or an empty one, is seen to in the next round.
 *
 * Rejected: a task for each pipe, which plain threads have not got.
 *
 * Checked by: tests/unit/io/test_child_talk.c, tests/faults */
#include <ravel/child.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "io/call.h"
#include "sched/wait.h"
#include "sys/op.h"
#include "sys/poller.h"
#include "sys/sigpipe.h"

enum { STREAMS = 3 };

#define MAX_BYTES ((size_t)16 << 20)
#define FIRST_BYTES ((size_t)16 << 10)

/* What is collected of an output. */
struct collected {
    char **bytes;
    size_t *count;
    size_t room; /* the NUL's included */
};

struct talk {
    rv_child *child;
    int any; /* readable while any of the pipes is ready */
    const char *in;
    size_t in_left;
    size_t most; /* of each output */
    struct collected outputs[STREAMS];
};

static void stop_one(struct talk *talk, int which)
{
    int fd = rv_child_pipe(talk->child, which);

    if (fd < 0)
        return;
    /* Closing does it too, unless another process has a copy of the descriptor. */
    (void)!rvi_poller_control(talk->any, EPOLL_CTL_DEL, fd, 0, 0);
    rv_child_pipe_close(talk->child, which);
}

/* --- its input --- */

/* A worker's thread never takes the signal. */
static int64_t write_quietly(struct rvi_op *op)
{
    struct rvi_sigpipe state;

    if (rvi_worker_self())
        return rvi_op_perform(op);
    rvi_sigpipe_hold(&state);
    int64_t n = rvi_op_perform(op);
    rvi_sigpipe_release(&state);
    return n;
}

static int write_some(struct talk *talk)
{
    int fd = rv_child_pipe(talk->child, 0);
    struct rvi_op op = rvi_op_write(fd, talk->in, talk->in_left, RVI_OP_AT_POSITION);

    if (fd < 0)
        return 0;
    int64_t n = talk->in_left > 0 ? write_quietly(&op) : 0;
    if (n == -EAGAIN)
        return 0;
    if (n < 0 && n != -EPIPE)
        return (int)n;
    talk->in_left -= n > 0 ? (size_t)n : 0;
    talk->in += n > 0 ? n : 0;
    if (n < 0 || talk->in_left == 0)
        stop_one(talk, 0);
    return 0;
}

/* --- its outputs --- */

/* Twice as much, up to the most and its NUL. */
static int make_room(const struct talk *talk, struct collected *output)
{
    size_t most = talk->most + 1, room = output->room ? 2 * output->room : FIRST_BYTES;

    if (room > most)
        room = most;
    char *bytes = rvi_realloc(*output->bytes, room);
    if (!bytes)
        return -ENOMEM;
    bytes[*output->count] = '\0';
    *output->bytes = bytes;
    output->room = room;
    return 0;
}

/* There is no room: only its end is good news. */
static int64_t read_end(int fd)
{
    char one_more;
    struct rvi_op op = rvi_op_read(fd, &one_more, 1, RVI_OP_AT_POSITION);
    int64_t n = rvi_op_perform(&op);

    return n > 0 ? -EMSGSIZE : n;
}

static int64_t read_into(const struct talk *talk, int fd, struct collected *output)
{
    if (*output->count == talk->most)
        return read_end(fd);
    if (*output->count + 1 == output->room) {
        int r = make_room(talk, output);
        if (r < 0)
            return r;
    }
    struct rvi_op op = rvi_op_read(fd, *output->bytes + *output->count,
                                   output->room - 1 - *output->count, RVI_OP_AT_POSITION);
    return rvi_op_perform(&op);
}

static int read_some(struct talk *talk, int which)
{
    struct collected *output = &talk->outputs[which];
    int fd = rv_child_pipe(talk->child, which);
    int64_t n = fd < 0 ? -EAGAIN : read_into(talk, fd, output);

    if (n == -EAGAIN)
        return 0;
    if (n < 0)
        return (int)n;
    *output->count += (size_t)n;
    (*output->bytes)[*output->count] = '\0';
    if (n == 0)
        stop_one(talk, which);
    return 0;
}

/* --- all of them --- */

static bool is_over(const struct talk *talk)
{
    for (int i = 0; i < STREAMS; i++) {
        if (rv_child_pipe(talk->child, i) >= 0)
            return false;
    }
    return true;
}

static int begin(struct talk *talk)
{
    for (int i = 0; i < STREAMS; i++) {
        int fd = rv_child_pipe(talk->child, i);
        uint32_t events = i == 0 ? EPOLLOUT : EPOLLIN;
        int r = fd < 0 ? 0 : rvi_poller_control(talk->any, EPOLL_CTL_ADD, fd, events, 0);
        if (r == 0 && fd >= 0 && i > 0)
            r = make_room(talk, &talk->outputs[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int talk_until_over(struct talk *talk, rv_time deadline)
{
    int r = begin(talk);

    while (r >= 0 && !is_over(talk)) {
        r = rvi_io_poll(talk->any, POLLIN, RVI_WHY_CHILD, deadline);
        if (r < 0 || (r = write_some(talk)) < 0 || (r = read_some(talk, 1)) < 0)
            return r;
        r = read_some(talk, 2);
    }
    return r;
}

static int communicate(rv_child *child, struct rv_child_io *io, rv_time deadline)
{
    struct talk talk = {
        .child = child,
        .any = rvi_poller_open(),
        .in = io->in,
        .in_left = io->in_bytes,
        .most = io->max_bytes ? io->max_bytes : MAX_BYTES,
        .outputs = {{0}, {&io->out, &io->out_bytes, 0}, {&io->err, &io->err_bytes, 0}},
    };
    if (talk.any < 0)
        return talk.any;
    int r = talk_until_over(&talk, deadline);
    for (int i = 0; i < STREAMS; i++)
        stop_one(&talk, i);
    rv_close(talk.any);
    return r;
}

static void forget_outputs(struct rv_child_io *io)
{
    io->out = io->err = NULL;
    io->out_bytes = io->err_bytes = 0;
}

int rv_child_communicate(rv_child *child, struct rv_child_io *io, rv_time deadline)
{
    int r = rvi_wait_allowed();

    forget_outputs(io);
    if (r == 0)
        r = communicate(child, io, deadline);
    for (int i = 0; i < STREAMS; i++)
        rv_child_pipe_close(child, i);
    return r;
}

void rv_child_io_fini(struct rv_child_io *io)
{
    if (!io)
        return;
    rvi_free(io->out);
    rvi_free(io->err);
    forget_outputs(io);
}

/* --- from beginning to end --- */

static void settle(struct rv_child_stream *stream, enum rv_child_stdio kind)
{
    if (stream->kind == RV_CHILD_DEFAULT)
        stream->kind = kind;
}

static int run_started(rv_child *child, struct rv_child_io *io, struct rv_child_status *ret_status,
                       rv_time deadline)
{
    int r = io ? rv_child_communicate(child, io, deadline) : 0;

    return r < 0 ? r : rv_child_wait(child, ret_status, deadline);
}

int rv_child_run(const char *const *argv, const struct rv_child_opts *opts, struct rv_child_io *io,
                 struct rv_child_status *ret_status, rv_time deadline)
{
    struct rv_child_opts known;
    rv_child *child;
    int r = rvi_opts_copy(&known, sizeof known, opts, opts ? opts->size : 0);

    if (io)
        forget_outputs(io);
    if (r < 0)
        return r;
    known.size = sizeof known;
    settle(&known.in, io && io->in_bytes > 0 ? RV_CHILD_PIPE : RV_CHILD_NULL);
    settle(&known.out, io ? RV_CHILD_PIPE : RV_CHILD_INHERIT);
    settle(&known.err, io ? RV_CHILD_PIPE : RV_CHILD_INHERIT);
    r = rv_child_start(&child, argv, &known);
    if (r < 0)
        return r;
    r = run_started(child, io, ret_status, deadline);
    rv_child_close(child);
    return r;
}
