/* SPDX-License-Identifier: MIT */
/* simio.c - input and output in simulated runs: who waits for the network inside, and who is woken.
 *
 * Whatever src/sys would ask the kernel about descriptors comes here (sys/net_seam.h) and is
 * answered by explore/simnet.h, which knows all that there is to know but does not wait. A call
 * that cannot be made now joins the line of its descriptor and waits until something about it has
 * changed, or until the time at which it will; then it tries again. Real descriptors, and what is
 * no network (files, children), are not simulated: -ENOTSUP.
 *
 *   S1  the network is looked at and changed with the seam taken away: no point lies in between, so
 *       it needs no lock, and a call and the joining of the line are one step
 *   S2  whoever has to look again is taken out of the line in that step, and woken after it
 *   S3  who has been taken out is woken, so a waiter never looks at the line of a descriptor that
 *       was closed meanwhile
 *
 * Checked by: tests/unit/io/test_simio.c, tests/explore/explore_net.c */
#include "task/simio.h"

#include <errno.h>
#include <string.h>

#include "base/seam.h"
#include "sched/wait.h"
#include "sys/clock.h"
#include "task/waitlist.h"

/* The network, as one step sees it. */
struct look {
    struct rvi_seam *seam;
    struct rvi_simnet *net;
    rv_time now;
};

static struct rvi_simio *io_of(struct rvi_net_seam *seam)
{
    return rvi_container_of(seam, struct rvi_simio, seam);
}

/* Reading the clock is a point; there is none from here to look_away(). */
static struct look look_at(struct rvi_net_seam *seam)
{
    struct look look = {.net = io_of(seam)->net, .now = rvi_clock_now()};

    look.seam = rvi_seam_leave();
    return look;
}

static struct rvi_waitlist *line_of(struct rvi_link **waiters)
{
    _Static_assert(sizeof(struct rvi_waitlist) == sizeof *waiters, "a line is its first waiter");
    return (struct rvi_waitlist *)waiters;
}

static void append(struct rvi_link **chain, struct rvi_link *more)
{
    while (*chain)
        chain = &(*chain)->next;
    *chain = more;
}

/* Wakes whoever has to look again: first those in `chain`. */
static void look_away(struct look *look, struct rvi_link *chain)
{
    struct rvi_link **waiters;

    while ((waiters = rvi_simnet_pop_changed(look->net)))
        append(&chain, rvi_waitlist_take_all(line_of(waiters)));
    rvi_seam_return(look->seam);
    rvi_chain_wake(chain);
}

/* --- what is asked at once --- */

#define WITH_NETWORK(seam, call)                                                                   \
    struct look look = look_at(seam);                                                              \
    int result = (call);                                                                           \
    look_away(&look, NULL);                                                                        \
    return result

static int open_socket(struct rvi_net_seam *seam, int family, int type)
{
    WITH_NETWORK(seam, rvi_simnet_socket(look.net, family, type));
}

static int open_pair(struct rvi_net_seam *seam, int type, int ret[2])
{
    WITH_NETWORK(seam, rvi_simnet_pair(look.net, type, ret));
}

static int open_pipe(struct rvi_net_seam *seam, int ret[2])
{
    WITH_NETWORK(seam, rvi_simnet_pipe(look.net, ret));
}

static int any_of(struct rvi_net_seam *seam, const struct pollfd *fds, size_t count)
{
    WITH_NETWORK(seam, rvi_simnet_any_of(look.net, fds, count));
}

static int bind_to(struct rvi_net_seam *seam, int fd, const struct sockaddr *addr, socklen_t len)
{
    WITH_NETWORK(seam, rvi_simnet_bind(look.net, fd, addr, len));
}

static int listen_on(struct rvi_net_seam *seam, int fd, int backlog)
{
    WITH_NETWORK(seam, rvi_simnet_listen(look.net, fd, backlog));
}

static int shut_down(struct rvi_net_seam *seam, int fd, int how)
{
    WITH_NETWORK(seam, rvi_simnet_shut_down(look.net, look.now, fd, how));
}

static int addr_of(struct rvi_net_seam *seam, int fd, bool of_peer, struct sockaddr_storage *ret,
                   socklen_t *ret_len)
{
    WITH_NETWORK(seam, rvi_simnet_addr(look.net, fd, of_peer, ret, ret_len));
}

static int set_option(struct rvi_net_seam *seam, int fd, int level, int option)
{
    bool shares = level == SOL_SOCKET && option == SO_REUSEPORT;

    WITH_NETWORK(seam, !rvi_simnet_has(look.net, fd) ? -EBADF
                       : shares                      ? rvi_simnet_share(look.net, fd)
                                                     : 0);
}

static int get_error(struct rvi_net_seam *seam, int fd)
{
    WITH_NETWORK(seam, rvi_simnet_error(look.net, look.now, fd));
}

static int get_option(struct rvi_net_seam *seam, int fd, int level, int option, void *ret,
                      socklen_t len)
{
    if (level != SOL_SOCKET || option != SO_ERROR || len != sizeof(int))
        return -ENOPROTOOPT;
    int r = get_error(seam, fd);
    if (r < 0)
        return r;
    memcpy(ret, &r, sizeof r);
    return 0;
}

static int close_fd(struct rvi_net_seam *seam, int fd)
{
    struct look look = look_at(seam);
    struct rvi_link **waiters = rvi_simnet_waiters(look.net, fd);
    struct rvi_link *chain = waiters ? rvi_waitlist_take_all(line_of(waiters)) : NULL;
    int r = fd < RVI_SIMNET_FIRST ? -ENOTSUP : rvi_simnet_close_fd(look.net, look.now, fd);

    look_away(&look, chain);
    return r;
}

/* --- operations --- */

/* Of several buffers the first that has room: a part is all that a caller may count on. */
static struct iovec first_of(const struct iovec *iov, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (iov[i].iov_len > 0)
            return iov[i];
    }
    return (struct iovec){0};
}

static int64_t receive(const struct look *look, int fd, struct iovec to, int flags)
{
    if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_NOSIGNAL | MSG_CMSG_CLOEXEC))
        return -EOPNOTSUPP;
    return rvi_simnet_recv(look->net, look->now, fd, to.iov_base, to.iov_len, flags & MSG_PEEK);
}

static int64_t send_from(const struct look *look, int fd, struct iovec from, int flags)
{
    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE))
        return -EOPNOTSUPP;
    return rvi_simnet_send(look->net, look->now, fd, from.iov_base, from.iov_len);
}

static int64_t receive_msg(const struct look *look, const struct rvi_op *op)
{
    struct msghdr *msg = op->msg;
    int64_t r = receive(look, op->fd, first_of(msg->msg_iov, msg->msg_iovlen), op->flags);

    if (r >= 0) {
        msg->msg_namelen = 0;
        msg->msg_controllen = 0;
        msg->msg_flags = 0;
    }
    return r;
}

static int64_t send_msg(const struct look *look, const struct rvi_op *op)
{
    const struct msghdr *msg = op->msg;

    if (msg->msg_namelen > 0 || msg->msg_controllen > 0)
        return -EOPNOTSUPP;
    return send_from(look, op->fd, first_of(msg->msg_iov, msg->msg_iovlen), op->flags);
}

static int64_t poll_now(const struct look *look, const struct rvi_op *op)
{
    short events = rvi_simnet_poll(look->net, look->now, op->fd, (short)op->flags);

    return events ? events : -EAGAIN;
}

static int64_t make_call(const struct look *look, struct rvi_op *op)
{
    struct iovec one = {op->buf.data, op->buf.len};

    switch ((enum rvi_op_kind)op->kind) {
    case RVI_OP_POLL:
        return poll_now(look, op);
    case RVI_OP_READ:
        return op->buf.offset < 0 ? receive(look, op->fd, one, 0) : -ESPIPE;
    case RVI_OP_WRITE:
        return op->buf.offset < 0 ? send_from(look, op->fd, one, 0) : -ESPIPE;
    case RVI_OP_READV:
        one = first_of(op->vec.iov, (size_t)op->vec.count);
        return op->vec.offset < 0 ? receive(look, op->fd, one, 0) : -ESPIPE;
    case RVI_OP_WRITEV:
        one = first_of(op->vec.iov, (size_t)op->vec.count);
        return op->vec.offset < 0 ? send_from(look, op->fd, one, 0) : -ESPIPE;
    case RVI_OP_RECV:
        return receive(look, op->fd, one, op->flags);
    case RVI_OP_SEND:
        return send_from(look, op->fd, one, op->flags);
    case RVI_OP_RECVMSG:
        return receive_msg(look, op);
    case RVI_OP_SENDMSG:
        return send_msg(look, op);
    case RVI_OP_ACCEPT:
        return rvi_simnet_accept(look->net, look->now, op->fd, op->peer.addr, op->peer.len);
    case RVI_OP_CONNECT:
        return rvi_simnet_connect(look->net, look->now, op->fd, op->peer.addr, op->peer.size);
    default:
        return -ENOTSUP;
    }
}

static int64_t try_op(const struct look *look, struct rvi_op *op)
{
    if (op->fd < RVI_SIMNET_FIRST || rvi_op_readiness(op) == 0)
        return -ENOTSUP;
    return make_call(look, op);
}

static int64_t attempt(struct rvi_net_seam *seam, struct rvi_op *op)
{
    struct look look = look_at(seam);
    int64_t r = try_op(&look, op);

    look_away(&look, NULL);
    return r;
}

/* The descriptor's line, to be waited in until *ret_until; NULL: the result is in *ret. */
static struct rvi_waitlist *try_or_join(struct rvi_op *op, struct rvi_waiter *w, int64_t *ret,
                                        rv_time *ret_until)
{
    struct rvi_waitlist *line = NULL;

    rvi_waiter_init(w);
    struct look look = look_at(rvi_seam->net);
    *ret = try_op(&look, op);
    if (*ret == -EAGAIN) {
        line = line_of(rvi_simnet_waiters(look.net, op->fd));
        rvi_waitlist_push(line, w);
        *ret_until = rvi_simnet_next(look.net, look.now, op->fd);
    }
    look_away(&look, NULL);
    return line;
}

static bool withdraw(struct rvi_waiter *w, void *line)
{
    return rvi_waitlist_leave(line, w);
}

int64_t rvi_simio_call(struct rvi_op *op, enum rvi_why why, rv_time deadline)
{
    struct rvi_waiter w;
    struct rvi_waitlist *line;
    rv_time until;
    int64_t result;

    for (;;) {
        int r = rvi_wait_allowed();
        if (r < 0)
            return r;
        if (!(line = try_or_join(op, &w, &result, &until)))
            return result;
        r = rvi_wait(&w, until < deadline ? until : deadline, why, withdraw, line);
        if (r < 0 && (r != -ETIME || until >= deadline))
            return r;
    }
}

/* --- life --- */

static const struct rvi_net_seam functions = {
    .open = open_socket,
    .pair = open_pair,
    .pipe = open_pipe,
    .any_of = any_of,
    .bind = bind_to,
    .listen = listen_on,
    .shut_down = shut_down,
    .addr = addr_of,
    .set = set_option,
    .get = get_option,
    .close = close_fd,
    .attempt = attempt,
};

int rvi_simio_open(struct rvi_simio *io, const struct rvi_simnet_opts *opts)
{
    io->seam = functions;
    return rvi_simnet_open(&io->net, opts);
}

unsigned rvi_simio_close(struct rvi_simio *io)
{
    unsigned left = rvi_simnet_count(io->net);

    rvi_simnet_close(io->net);
    return left;
}
