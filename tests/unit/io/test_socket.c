/* SPDX-License-Identifier: MIT */
/* test_socket.c - a connection's life, and every way in which it can end early. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/time.h>

#include "net_test.h"

/* More than the buffers on loopback hold. */
enum { PLENTY = 8 << 20 };

/* --- bytes --- */

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + (i >> 8) * 13);
}

struct flow {
    int fd;
    size_t count, piece;
    rv_time pause; /* after each piece */
};

static int send_flow(void *arg)
{
    struct flow *f = arg;
    unsigned char buf[4096];
    int r = 0;
    for (size_t sent = 0; r == 0 && sent < f->count;) {
        size_t n = f->count - sent < f->piece ? f->count - sent : f->piece;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(sent + i);
        r = rv_send_all(f->fd, buf, n, NULL, RV_NEVER);
        sent += n;
        if (r == 0 && f->pause)
            r = rv_sleep(f->pause);
    }
    return r < 0 ? r : rv_shutdown(f->fd, SHUT_WR);
}

static int recv_flow(void *arg)
{
    struct flow *f = arg;
    unsigned char buf[4096];
    size_t received = 0;
    ssize_t n;
    while ((n = rv_recv(f->fd, buf, f->piece, 0, RV_NEVER)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            RV_CHECK(buf[i] == byte_at(received + (size_t)i));
        received += (size_t)n;
        int r = f->pause ? rv_sleep(f->pause) : 0;
        if (r < 0)
            return r;
    }
    RV_CHECK(n < 0 || received == f->count);
    return (int)n;
}

/* Both ways at a time, in pieces of other sizes: what is short on one side is whole on the
 * other. */
static int flow_both_ways(void *arg)
{
    int fds[2], err;
    (void)arg;
    connect_pair(fds);
    size_t count = scaled(300000, 50000);
    struct flow there = {fds[0], count, 4096, 0}, here = {fds[1], count, 1000, 0};
    struct flow back = {fds[1], count, 333, 0}, forth = {fds[0], count, 4096, 0};
    RV_SCOPE(s, err) {
        go(s, send_flow, &there);
        go(s, recv_flow, &here);
        go(s, send_flow, &back);
        go(s, recv_flow, &forth);
    }
    close_pair(fds);
    return err;
}

static void what_is_sent_is_received_in_pieces_of_any_size(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, flow_both_ways, NULL), 0);
    assert_int_equal(run_on(2, flow_both_ways, NULL), 0);
}

/* --- flags --- */

struct receiver {
    int fd, flags;
    bool by_message;
};

static int recv_half(void *arg)
{
    const struct receiver *r = arg;
    char text[10];
    struct iovec part = {text, sizeof text};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    RV_CHECK((r->by_message ? rv_recvmsg(r->fd, &msg, r->flags, RV_NEVER)
                            : rv_recv(r->fd, text, sizeof text, r->flags, RV_NEVER)) == 5);
    return 0;
}

/* It waits, most likely: then a ring makes its call. */
static int send_half(struct receiver *receiver, int to)
{
    int err;
    RV_SCOPE(s, err) {
        go(s, recv_half, receiver);
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        RV_CHECK(rv_send_all(to, "hello", 5, NULL, RV_NEVER) == 0);
    }
    return err;
}

static int ask_for_all(void *unused)
{
    int fds[2];
    (void)unused;
    connect_pair(fds);
    RV_CHECK(send_half(&(struct receiver){fds[0], MSG_WAITALL, false}, fds[1]) == 0);
    RV_CHECK(send_half(&(struct receiver){fds[0], MSG_WAITALL, true}, fds[1]) == 0);
    close_pair(fds);
    return 0;
}

static void regress_nobody_waits_for_all(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_for_all, NULL), 0);
}

/* That there is nothing more to read says nothing of what is urgent. */
static int ask_for_urgent(void *unused)
{
    int fds[2];
    char byte;
    (void)unused;
    connect_pair(fds);
    RV_CHECK(send_half(&(struct receiver){fds[0], 0, false}, fds[1]) == 0);
    RV_CHECK(rv_recv(fds[0], &byte, 1, MSG_OOB, RV_NEVER) == -EINVAL);
    close_pair(fds);
    return 0;
}

static void regress_nobody_waits_for_what_is_urgent(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, ask_for_urgent, NULL), 0);
}

/* A slow reader holds its writer up: no more is under way than the kernel has room for. */
struct pressure {
    int fd;
    size_t taken;
};

static int send_until_full(void *arg)
{
    struct pressure *p = arg;
    char *plenty = calloc(1, PLENTY);
    RV_CHECK(plenty != NULL);
    int r = rv_send_all(p->fd, plenty, PLENTY, &p->taken, rv_after(3 * RV_MILLISECOND));
    free(plenty);
    return r;
}

static int read_slowly(void *arg)
{
    struct pressure p;
    int fds[2];
    (void)arg;
    connect_pair(fds);
    RV_CHECK(rv_sock_set(fds[0], RV_SOCK_SEND_BYTES, 8192) == 0);
    RV_CHECK(rv_sock_set(fds[1], RV_SOCK_RECV_BYTES, 8192) == 0);
    p.fd = fds[0];
    RV_CHECK(send_until_full(&p) == -ETIME);
    RV_CHECK(p.taken > 0 && p.taken < PLENTY);
    close_pair(fds);
    return 0;
}

static void a_reader_that_stops_holds_its_writer_up(void **state)
{
    (void)state;
    play_everywhere(read_slowly, NULL);
}

/* On this machine: TCP takes its time with small windows. */
static int flow_slowly(void *arg)
{
    int fds[2], err;
    (void)arg;
    RV_CHECK(rv_socketpair(SOCK_STREAM, fds) == 0);
    RV_CHECK(rv_sock_set(fds[0], RV_SOCK_SEND_BYTES, 4096) == 0);
    struct flow there = {fds[0], 100000, 4096, 0};
    struct flow here = {fds[1], 100000, 4096, 200 * RV_MICROSECOND};
    RV_SCOPE(s, err) {
        go(s, send_flow, &there);
        go(s, recv_flow, &here);
    }
    close_pair(fds);
    return err;
}

static void a_slow_reader_gets_all_in_the_end(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, flow_slowly, NULL), 0);
    assert_int_equal(run_on(2, flow_slowly, NULL), 0);
}

/* --- half-close --- */

static int half_close(void *arg)
{
    int fds[2];
    char buf[8];
    (void)arg;
    for (int side = 0; side < 2; side++) {
        connect_pair(fds);
        int one = fds[side], other = fds[!side];
        RV_CHECK(rv_send_all(one, "last", 4, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_shutdown(one, SHUT_WR) == 0);
        RV_CHECK(rv_send(one, "x", 1, 0, RV_NEVER) == -EPIPE);
        RV_CHECK(rv_recv(other, buf, 4, 0, RV_NEVER) == 4);
        RV_CHECK(rv_recv(other, buf, 4, 0, RV_NEVER) == 0);
        RV_CHECK(rv_send_all(other, "back", 4, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_recv(one, buf, 4, 0, RV_NEVER) == 4 && memcmp(buf, "back", 4) == 0);
        RV_CHECK(rv_shutdown(other, SHUT_WR) == 0);
        RV_CHECK(rv_recv(one, buf, 4, 0, RV_NEVER) == 0);
        close_pair(fds);
    }
    return 0;
}

static void one_direction_ends_and_the_other_goes_on(void **state)
{
    (void)state;
    play_everywhere(half_close, NULL);
}

static int shut_late(void *fd)
{
    int r = rv_sleep(RV_MILLISECOND);
    return r < 0 ? r : rv_shutdown(*(int *)fd, SHUT_RDWR);
}

static int shut_under_a_reader(void *arg)
{
    int fds[2], err;
    char byte;
    (void)arg;
    connect_pair(fds);
    RV_SCOPE(s, err) {
        go(s, shut_late, &fds[0]);
        RV_CHECK(rv_recv(fds[0], &byte, 1, 0, RV_NEVER) == 0);
    }
    close_pair(fds);
    return err;
}

static void a_shutdown_wakes_whoever_waits(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, shut_under_a_reader, NULL), 0);
    assert_int_equal(run_on(2, shut_under_a_reader, NULL), 0);
}

/* --- the peer is gone --- */

static int reset_late(void *fd)
{
    int r = rv_sleep(RV_MILLISECOND);
    close_with_reset(*(int *)fd);
    return r;
}

static int reset_under_a_reader(void *arg)
{
    int fds[2], err;
    char byte;
    (void)arg;
    connect_pair(fds);
    RV_SCOPE(s, err) {
        go(s, reset_late, &fds[1]);
        RV_CHECK(rv_recv(fds[0], &byte, 1, 0, RV_NEVER) == -ECONNRESET);
    }
    rv_close(fds[0]);
    return err;
}

static int reset_under_a_writer(void *arg)
{
    int fds[2], err;
    char *plenty = calloc(1, PLENTY);
    size_t done = 0;
    (void)arg;
    connect_pair(fds);
    RV_SCOPE(s, err) {
        go(s, reset_late, &fds[1]);
        int r = rv_send_all(fds[0], plenty, PLENTY, &done, RV_NEVER);
        RV_CHECK(r == -ECONNRESET || r == -EPIPE);
        RV_CHECK(done < PLENTY);
        RV_CHECK(rv_send(fds[0], plenty, 1, 0, RV_NEVER) == -EPIPE);
    }
    free(plenty);
    rv_close(fds[0]);
    return err;
}

static int reset_under_a_poll(void *arg)
{
    int fds[2], err;
    (void)arg;
    connect_pair(fds);
    RV_SCOPE(s, err) {
        go(s, reset_late, &fds[1]);
        int events = rv_poll(fds[0], POLLIN, RV_NEVER);
        RV_CHECK(events > 0 && (events & (POLLERR | POLLHUP)));
    }
    rv_close(fds[0]);
    return err;
}

/* Of a connection that nobody has accepted yet. */
static int reset_in_the_queue(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int fd = rv_dial("tcp", l.at, RV_NEVER);
    char byte;
    (void)arg;
    close_with_reset(fd);
    fd = rv_accept(l.fd, NULL, rv_after(RV_MILLISECOND)); /* Linux hands it out all the same */
    RV_CHECK(fd >= 0 || fd == -ETIME);
    RV_CHECK(fd < 0 || rv_recv(fd, &byte, 1, 0, RV_NEVER) == -ECONNRESET);
    rv_close(fd);
    return rv_close(l.fd);
}

/* A listener that closes resets who is in its queue. */
static int reset_by_a_listener(void *arg)
{
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    int fd = rv_dial("tcp", l.at, RV_NEVER);
    char byte;
    (void)arg;
    rv_close(l.fd);
    RV_CHECK(rv_recv(fd, &byte, 1, 0, RV_NEVER) == -ECONNRESET);
    return rv_close(fd);
}

static int reset_during_a_graceful_close(void *arg)
{
    int fds[2], err;
    (void)arg;
    connect_pair(fds);
    RV_SCOPE(s, err) {
        go(s, reset_late, &fds[1]);
        RV_CHECK(rv_close_gracefully(fds[0], RV_NEVER) == -ECONNRESET);
    }
    return err;
}

static void a_reset_is_told_at_each_step(void **state)
{
    rv_fn *const steps[] = {reset_under_a_reader, reset_under_a_writer,
                            reset_under_a_poll,   reset_in_the_queue,
                            reset_by_a_listener,  reset_during_a_graceful_close};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t files = open_descriptors();
        assert_int_equal(run_on(1, steps[i], NULL), 0);
        assert_int_equal(run_on(2, steps[i], NULL), 0);
        assert_int_equal(open_descriptors(), files);
    }
}

/* --- ending well --- */

static int close_with_bytes_unread(void *arg)
{
    int fds[2], err;
    char text[8];
    (void)arg;
    connect_pair(fds);
    RV_CHECK(rv_send_all(fds[0], "nobody reads this", 17, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_send_all(fds[1], "answer", 6, NULL, RV_NEVER) == 0);
    RV_SCOPE(s, err) {
        struct flow rest = {fds[0], 0, 1, 0};
        RV_CHECK(rv_recv(fds[0], text, 6, 0, RV_NEVER) == 6);
        go(s, send_flow, &rest); /* ends its direction */
        RV_CHECK(rv_close_gracefully(fds[1], RV_NEVER) == 0);
    }
    RV_CHECK(rv_recv(fds[0], text, 1, 0, RV_NEVER) == 0);
    rv_close(fds[0]);
    return err;
}

static void a_graceful_close_waits_for_the_other_end(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, close_with_bytes_unread, NULL), 0);
    assert_int_equal(run_on(2, close_with_bytes_unread, NULL), 0);
}

static int close_on_the_silent(void *arg)
{
    int fds[2];
    (void)arg;
    connect_pair(fds);
    RV_CHECK(rv_close_gracefully(fds[0], rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_close(fds[0]) == -EBADF);
    rv_close(fds[1]);
    RV_CHECK(rv_close_gracefully(-1, RV_NEVER) == -EBADF);
    return 0;
}

static void a_graceful_close_ends_at_its_deadline(void **state)
{
    (void)state;
    play_everywhere(close_on_the_silent, NULL);
}

/* --- deadlines and misuse --- */

static int miss_deadlines(void *arg)
{
    int fds[2];
    char byte;
    char *plenty = calloc(1, PLENTY);
    struct iovec iov = {plenty, PLENTY};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    (void)arg;
    RV_CHECK(rv_socketpair(SOCK_STREAM, fds) == 0); /* of TCP the kernel may make the room larger */
    RV_CHECK(rv_recv(fds[0], &byte, 1, 0, 0) == -ETIME);
    RV_CHECK(rv_recv(fds[0], &byte, 1, 0, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_recvmsg(fds[0], &msg, 0, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_send_all(fds[0], plenty, PLENTY, NULL, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_send(fds[0], plenty, PLENTY, 0, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_sendmsg(fds[0], &msg, 0, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_recv(fds[1], &byte, 1, 0, 0) == 1); /* it is there: the deadline does not matter */
    free(plenty);
    close_pair(fds);
    return 0;
}

static void each_call_ends_at_its_deadline(void **state)
{
    (void)state;
    play_everywhere(miss_deadlines, NULL);
}

static void what_is_no_socket_is_refused(void **state)
{
    int fds[2], file = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct rv_addr addr;
    char byte = 0;
    (void)state;
    assert_int_equal(rv_recv(file, &byte, 1, 0, RV_NEVER), -ENOTSOCK);
    assert_int_equal(rv_send(file, &byte, 1, 0, RV_NEVER), -ENOTSOCK);
    assert_int_equal(rv_shutdown(file, SHUT_WR), -ENOTSOCK);
    assert_int_equal(rv_addr_local(file, &addr), -ENOTSOCK);
    assert_int_equal(rv_recv(-1, &byte, 1, 0, RV_NEVER), -EBADF);
    close(file);
    connect_pair(fds);
    rv_close(fds[1]);
    struct listener l = listen_on("tcp", "127.0.0.1:0");
    assert_int_equal(rv_addr_peer(l.fd, &addr), -ENOTCONN);
    assert_int_equal(rv_shutdown(l.fd, 99), -EINVAL);
    rv_close(l.fd);
    rv_close(fds[0]);
}

/* A foreign descriptor that blocks keeps its flag, and blocks only the task. */
static int use_blocking(void *arg)
{
    int fds[2], err;
    char byte;
    (void)arg;
    RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    struct flow there = {fds[0], 300000, 4096, 0}, here = {fds[1], 300000, 4096, 0};
    RV_CHECK(rv_recv(fds[0], &byte, 1, 0, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_SCOPE(s, err) {
        go(s, recv_flow, &here);
        go(s, send_flow, &there);
    }
    RV_CHECK(!(fcntl(fds[0], F_GETFL) & O_NONBLOCK));
    close_pair(fds);
    return err;
}

static void sockets_that_block_do_not_block_the_worker(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, use_blocking, NULL), 0);
}

/* --- signals --- */

static void on_signal(int number)
{
    (void)number;
}

static void storm(rv_time every)
{
    struct itimerval often = {{0, every / 1000}, {0, every / 1000}};
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    RV_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    RV_CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static int flow_on_a_plain_thread(void *arg)
{
    int fds[2];
    unsigned char buf[4096], back[4096];
    (void)arg;
    connect_pair(fds);
    for (int i = 0; i < 300; i++) {
        size_t got = 0;
        memset(buf, i, sizeof buf);
        RV_CHECK(rv_send_all(fds[0], buf, sizeof buf, NULL, RV_NEVER) == 0);
        while (got < sizeof back) {
            ssize_t n = rv_recv(fds[1], back + got, sizeof back - got, 0, RV_NEVER);
            RV_CHECK(n > 0);
            got += (size_t)n;
        }
        RV_CHECK(memcmp(buf, back, sizeof buf) == 0);
    }
    RV_CHECK(rv_recv(fds[0], buf, 1, 0, rv_after(2 * RV_MILLISECOND)) == -ETIME);
    close_pair(fds);
    return 0;
}

static void a_storm_of_signals_is_not_noticed(void **state)
{
    (void)state;
    storm(is_under_valgrind() ? 50 * RV_MILLISECOND : 200 * RV_MICROSECOND);
    assert_int_equal(flow_on_a_plain_thread(NULL), 0);
    assert_int_equal(run_on(1, flow_both_ways, NULL), 0);
    assert_int_equal(run_on(2, reset_under_a_writer, NULL), 0);
    storm(0);
    signal(SIGALRM, SIG_IGN); /* the last may be on its way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_is_received_in_pieces_of_any_size),
        cmocka_unit_test(regress_nobody_waits_for_all),
        cmocka_unit_test(regress_nobody_waits_for_what_is_urgent),
        cmocka_unit_test(a_reader_that_stops_holds_its_writer_up),
        cmocka_unit_test(a_slow_reader_gets_all_in_the_end),
        cmocka_unit_test(one_direction_ends_and_the_other_goes_on),
        cmocka_unit_test(a_shutdown_wakes_whoever_waits),
        cmocka_unit_test(a_reset_is_told_at_each_step),
        cmocka_unit_test(a_graceful_close_waits_for_the_other_end),
        cmocka_unit_test(a_graceful_close_ends_at_its_deadline),
        cmocka_unit_test(each_call_ends_at_its_deadline),
        cmocka_unit_test(what_is_no_socket_is_refused),
        cmocka_unit_test(sockets_that_block_do_not_block_the_worker),
        cmocka_unit_test(a_storm_of_signals_is_not_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
