/* SPDX-License-Identifier: MIT */
/* datagram.c - datagrams, one by one and in batches.
 *
 * The kernel's list of messages is built on the caller's stack, so a batch is bounded and allocates
 * nothing. A batch is one call, which waits for the first datagram only: with a second call, an
 * error of that one would have to be forgotten for the sake of the first one's success.
 *
 * Checked by: tests/unit/io/test_datagram.c, test_net_every_point.c */
#include <ravel/net.h>

#include <errno.h>
#include <string.h>

#include "io/call.h"

enum { AT_A_TIME = 64 };

ssize_t rv_recv_from(int fd, void *buf, size_t count, struct rv_addr *ret_from, rv_time deadline)
{
    struct rv_addr from = {0};
    struct iovec one = {buf, count};
    struct msghdr msg = {.msg_name = &from.storage,
                         .msg_namelen = sizeof from.storage,
                         .msg_iov = &one,
                         .msg_iovlen = 1};
    ssize_t n = rv_recvmsg(fd, &msg, 0, deadline);

    if (n < 0)
        return n;
    from.len = msg.msg_namelen;
    *ret_from = from;
    return n;
}

/* What the kernel only reads. */
static void *unconst(const void *data)
{
    return (void *)(uintptr_t)data;
}

ssize_t rv_send_to(int fd, const void *buf, size_t count, const struct rv_addr *to,
                   rv_time deadline)
{
    struct iovec one = {unconst(buf), count};
    struct msghdr msg = {.msg_name = unconst(&to->storage),
                         .msg_namelen = to->len,
                         .msg_iov = &one,
                         .msg_iovlen = 1};

    return rv_sendmsg(fd, &msg, 0, deadline);
}

/* The kernel's words for some datagrams. */
struct list {
    struct mmsghdr msgs[AT_A_TIME];
    struct iovec data[AT_A_TIME];
};

static unsigned build(struct list *list, struct rv_datagram *datagrams, size_t count, bool sends)
{
    unsigned n = count < AT_A_TIME ? (unsigned)count : AT_A_TIME;

    for (unsigned i = 0; i < n; i++) {
        struct rv_datagram *d = &datagrams[i];
        bool has_name = !sends || d->addr.len > 0;
        list->data[i] = (struct iovec){d->data, sends ? d->len : d->room};
        list->msgs[i].msg_hdr = (struct msghdr){
            .msg_name = has_name ? &d->addr.storage : NULL,
            .msg_namelen = sends ? d->addr.len : sizeof d->addr.storage,
            .msg_iov = &list->data[i],
            .msg_iovlen = 1,
        };
    }
    return n;
}

static void take(struct rv_datagram *datagrams, const struct list *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        datagrams[i].len = list->msgs[i].msg_len;
        datagrams[i].addr.len = list->msgs[i].msg_hdr.msg_namelen;
        datagrams[i].flags = list->msgs[i].msg_hdr.msg_flags & MSG_TRUNC;
    }
}

int rv_recv_batch(int fd, struct rv_datagram *datagrams, size_t count, rv_time deadline)
{
    struct list list;

    if (count == 0)
        return -EINVAL;
    struct rvi_op op = rvi_op_recvmmsg(fd, list.msgs, build(&list, datagrams, count, false));
    int64_t n = rvi_io_call(&op, deadline);
    if (n > 0)
        take(datagrams, &list, (size_t)n);
    return (int)n;
}

int rv_send_batch(int fd, const struct rv_datagram *datagrams, size_t count, rv_time deadline)
{
    struct list list;

    if (count == 0)
        return -EINVAL;
    struct rvi_op op =
        rvi_op_sendmmsg(fd, list.msgs, build(&list, unconst(datagrams), count, true));
    return (int)rvi_io_call(&op, deadline);
}
