/* SPDX-License-Identifier: MIT */
/* test_net_every_point.c - scenes with sockets, cancelled at every point, and with every allocation
 * failing in turn: support/every_point.h. No descriptor is left of any. */
#include <errno.h>
#include <sys/mman.h>

#include "net_test.h"

#include "../../support/every_point.h"

/* Long enough never to pass, short enough to need a timer. */
static rv_time patience(void)
{
    return rv_after(RV_MINUTE);
}

static void go_or_cancel(rv_scope *s, rv_fn *fn, void *arg)
{
    int r = rv_go(s, fn, arg);
    if (r < 0)
        rv_scope_cancel(s, r);
}

/* --- TCP --- */

static int answer(void *arg)
{
    char buf[8];
    int fd = rv_accept(*(int *)arg, NULL, patience());
    if (fd < 0)
        return fd;
    ssize_t n = rv_recv(fd, buf, sizeof buf, 0, patience());
    if (n > 0)
        n = rv_send_all(fd, buf, (size_t)n, NULL, patience());
    int closed = rv_close_gracefully(fd, patience());
    return n < 0 ? (int)n : closed;
}

static int ask(void *at)
{
    char buf[8];
    int fd = rv_dial("tcp", at, patience());
    if (fd < 0)
        return fd;
    int r = rv_send_all(fd, "question", 8, NULL, patience());
    if (r == 0)
        r = (int)rv_recv(fd, buf, sizeof buf, 0, patience());
    rv_close(fd);
    return r < 0 ? r : 0;
}

/* Beside the one who failed, others only hear of the connection's end. */
static int first_reason(int err)
{
    return err == -ECONNRESET || err == -EPIPE ? -ECANCELED : err;
}

static int converse(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        go_or_cancel(s, answer, &l.fd);
        go_or_cancel(s, ask, l.at);
    }
    rv_close(l.fd);
    return first_reason(err);
}

/* --- a race --- */

static int race(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    struct nobody dead = nobody_at(0);
    struct rv_addr addrs[3] = {dead.addr};
    (void)arg;
    RV_CHECK(rv_addr_local(l.fd, &addrs[1]) == 0);
    addrs[2] = addrs[1];
    int fd = rv_dial_addrs(addrs, 3, NULL, patience());
    rv_close(fd);
    rv_close(dead.fd);
    rv_close(l.fd);
    return fd < 0 ? fd : 0;
}

/* --- datagrams --- */

static int take_datagrams(void *arg)
{
    char data[2][8];
    struct rv_datagram two[] = {{.data = data[0], .room = 8}, {.data = data[1], .room = 8}};
    struct rv_addr from;
    ssize_t n = rv_recv_batch(*(int *)arg, two, 1, patience());
    if (n > 0)
        n = rv_recv_from(*(int *)arg, data[0], 8, &from, patience());
    return n < 0 ? (int)n : 0;
}

static int post_datagrams(void *arg)
{
    struct listener l = listen_on("udp", "127.0.0.1:0");
    struct rv_datagram one = {.data = (void *)(uintptr_t) "x", .len = 1};
    int err, fd = listen_on("udp", "127.0.0.1:0").fd;
    (void)arg;
    RV_CHECK(rv_addr_local(l.fd, &one.addr) == 0);
    RV_SCOPE(s, err) {
        go_or_cancel(s, take_datagrams, &l.fd);
        ssize_t n = rv_send_batch(fd, &one, 1, patience());
        if (n > 0)
            n = rv_send_to(fd, "y", 1, &one.addr, patience());
        if (n < 0)
            rv_scope_cancel(s, (int)n);
    }
    rv_close(l.fd);
    rv_close(fd);
    return err;
}

/* --- descriptors --- */

static int take_descriptors(void *arg)
{
    int fds[2] = {-1, -1};
    size_t count = 0;
    char byte;
    ssize_t n = rv_recv_fds(*(int *)arg, &byte, 1, fds, 2, &count, patience());
    for (size_t i = 0; i < count; i++)
        rv_close(fds[i]);
    return n < 0 ? (int)n : 0;
}

static int pass_descriptors(void *arg)
{
    int fds[2], err;
    (void)arg;
    RV_CHECK(rv_socketpair(SOCK_SEQPACKET, fds) == 0);
    RV_SCOPE(s, err) {
        go_or_cancel(s, take_descriptors, &fds[1]);
        ssize_t n = rv_send_fds(fds[0], "x", 1, fds, 2, patience());
        if (n < 0)
            rv_scope_cancel(s, (int)n);
    }
    close_pair(fds);
    return err;
}

/* --- transfers --- */

enum { BYTES = 700000 };

static int drain(void *arg)
{
    char *buf = malloc(65536);
    ssize_t n;
    RV_CHECK(buf != NULL);
    while ((n = rv_recv(*(int *)arg, buf, 65536, 0, patience())) > 0)
        continue;
    free(buf);
    return (int)n;
}

static int relay(void *arg)
{
    int *fds = arg;
    int r = rv_splice(fds[2], fds[1], UINT64_MAX, NULL, patience());
    int shut = rv_shutdown(fds[2], SHUT_WR);
    return r < 0 ? r : shut;
}

/* A file goes through two connections. */
static int transfer(void *arg)
{
    int file = memfd_create("ravel-test", MFD_CLOEXEC), fds[4], err;
    (void)arg;
    RV_CHECK(file >= 0 && ftruncate(file, BYTES) == 0);
    RV_CHECK(rv_socketpair(SOCK_STREAM, fds) == 0 && rv_socketpair(SOCK_STREAM, fds + 2) == 0);
    RV_SCOPE(s, err) {
        go_or_cancel(s, drain, &fds[3]);
        go_or_cancel(s, relay, fds);
        int r = rv_sendfile(fds[0], file, 0, BYTES, NULL, patience());
        if (r == 0)
            r = rv_shutdown(fds[0], SHUT_WR);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    close_pair(fds);
    close_pair(fds + 2);
    rv_close(file);
    return first_reason(err);
}

/* --- all of them --- */

static rv_fn *const scenes[] = {converse, race, post_datagrams, pass_descriptors, transfer};

static void every_call_may_be_cancelled(void **state)
{
    size_t files = open_descriptors();
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        cancel_at_every_point(scenes[i], 1);
        cancel_at_every_point(scenes[i], 2);
        assert_int_equal(open_descriptors(), files);
    }
}

static void every_call_may_lack_memory(void **state)
{
    size_t files = open_descriptors();
    (void)state;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        fail_every_allocation(scenes[i], 1);
        assert_int_equal(open_descriptors(), files);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_may_be_cancelled),
        cmocka_unit_test(every_call_may_lack_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
