/* SPDX-License-Identifier: MIT */
/* test_call.c - operations that wait: by whom they are woken, and what ends them. */
#include "io/call.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <ravel.h>

#include "../../support/backends.h"
#include "../../support/crowd.h"
#include "../../support/every_point.h"

enum { FEW = 8, MANY = 200, BIG = 1 << 20 };

/* --- pairs of descriptors: ends[0] is to be read, ends[1] to be written --- */

enum pair { OUR_PIPE, PLAIN_PIPE, UNIX_STREAM, BLOCKING_UNIX_STREAM, TCP, PAIRS };

static void make_tcp(int ends[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(at);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    RV_CHECK(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 1) == 0);
    RV_CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct rvi_op op = rvi_op_connect(ends[1], (struct sockaddr *)&at, sizeof(at));
    RV_CHECK(rvi_io_call(&op, RV_NEVER) == 0);
    op = rvi_op_accept(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    ends[0] = (int)rvi_io_call(&op, RV_NEVER);
    RV_CHECK(ends[0] >= 0);
    close(listener);
}

static void make_pair(enum pair pair, int ends[2])
{
    int block = pair == BLOCKING_UNIX_STREAM ? 0 : SOCK_NONBLOCK;
    if (pair == TCP)
        make_tcp(ends);
    else if (pair == OUR_PIPE)
        RV_CHECK(rv_pipe(ends) == 0);
    else if (pair == PLAIN_PIPE)
        RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    else
        RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | block, 0, ends) == 0);
}

static void close_pair(int ends[2])
{
    RV_CHECK(rv_close(ends[0]) == 0 && rv_close(ends[1]) == 0);
}

/* A scene is played with each kind of pair. */
static int with_each_pair(void *scene)
{
    int (*const *play)(int ends[2]) = scene;
    for (enum pair pair = 0; pair < PAIRS; pair++) {
        int ends[2];
        make_pair(pair, ends);
        RV_CHECK((*play)(ends) == 0);
        close_pair(ends);
    }
    return 0;
}

static void play_with_each_pair(int (*scene)(int ends[2]))
{
    assert_int_equal(run_here(1, with_each_pair, &scene), 0);
    assert_int_equal(run_here(2, with_each_pair, &scene), 0);
}

/* --- parties --- */

/* Until somebody else waits, most likely: other tasks and workers get on meanwhile. */
static void let_others_wait(void)
{
    RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
}

/* TCP may deliver what was written a little later. No loop looks meanwhile. */
static void until_there(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    RV_CHECK(poll(&readable, 1, -1) == 1);
}

static int write_hello(void *fd)
{
    let_others_wait();
    return rv_write_all(*(int *)fd, "hello", 5, NULL, RV_NEVER);
}

static int read_hello(void *fd)
{
    char text[5];
    int r = rv_read_full(*(int *)fd, text, sizeof(text), NULL, RV_NEVER);
    RV_CHECK(r < 0 || memcmp(text, "hello", 5) == 0);
    return r;
}

struct stream {
    int fd;
    size_t bytes, piece;
};

static int write_stream(void *arg)
{
    const struct stream *s = arg;
    char *bytes = malloc(s->piece);
    int r = 0;
    for (size_t done = 0; r == 0 && done < s->bytes; done += s->piece) {
        for (size_t i = 0; i < s->piece; i++)
            bytes[i] = (char)((done + i) * 7);
        r = rv_write_all(s->fd, bytes, s->piece, NULL, RV_NEVER);
    }
    free(bytes);
    return r;
}

static int read_stream(void *arg)
{
    const struct stream *s = arg;
    char *bytes = malloc(s->piece);
    size_t done = 0;
    ssize_t n = 1;
    while (done < s->bytes && (n = rv_read(s->fd, bytes, s->piece, RV_NEVER)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            RV_CHECK(bytes[i] == (char)((done + (size_t)i) * 7));
        done += (size_t)n;
    }
    free(bytes);
    return n < 0 ? (int)n : 0;
}

/* --- waiting and being woken --- */

static int read_before_it_is_written(int ends[2])
{
    int err;
    for (int i = 0; i < 3; i++) {
        RV_SCOPE(s, err) {
            go(s, write_hello, &ends[1]);
            RV_CHECK(read_hello(&ends[0]) == 0);
        }
        RV_CHECK(err == 0);
    }
    return 0;
}

static void a_read_waits_for_what_is_written(void **state)
{
    (void)state;
    play_with_each_pair(read_before_it_is_written);
}

static int fill_and_drain(int ends[2])
{
    struct stream in = {ends[1], BIG, BIG / 2}, out = {ends[0], BIG, 5000};
    int err;
    RV_SCOPE(s, err) {
        go(s, write_stream, &in);
        let_others_wait();
        go(s, read_stream, &out);
    }
    return err;
}

static void a_write_waits_for_room(void **state)
{
    (void)state;
    play_with_each_pair(fill_and_drain);
}

static int write_elsewhere(int ends[2])
{
    struct stream in = {ends[1], BIG, 4096}, out = {ends[0], BIG, 4096};
    int err;
    if (rv_run_workers() == 1)
        return 0;
    RV_SCOPE(s, err) {
        RV_CHECK(start_elsewhere(s, write_stream, &in) >= 0);
        RV_CHECK(read_stream(&out) == 0);
    }
    return err;
}

static void two_workers_share_a_pair(void **state)
{
    (void)state;
    play_with_each_pair(write_elsewhere);
}

static int read_by_several(int ends[2])
{
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < FEW; i++)
            go(s, read_hello, &ends[0]);
        for (int i = 0; i < FEW; i++)
            RV_CHECK(write_hello(&ends[1]) == 0);
    }
    return err;
}

static int read_here_and_elsewhere(int ends[2])
{
    int err;
    if (rv_run_workers() == 1)
        return 0;
    RV_SCOPE(s, err) {
        RV_CHECK(start_elsewhere(s, read_hello, &ends[0]) >= 0);
        go(s, read_hello, &ends[0]);
        RV_CHECK(write_hello(&ends[1]) == 0 && write_hello(&ends[1]) == 0);
    }
    return err;
}

static void several_may_wait_for_one_descriptor(void **state)
{
    (void)state;
    play_with_each_pair(read_by_several);
    play_with_each_pair(read_here_and_elsewhere);
}

static int both_ways(void *unused)
{
    int ends[2], err;
    (void)unused;
    make_pair(TCP, ends);
    struct stream in[2] = {{ends[0], BIG, 3000}, {ends[1], BIG, 3000}};
    RV_SCOPE(s, err) {
        for (int i = 0; i < 2; i++) {
            go(s, write_stream, &in[i]);
            go(s, read_stream, &in[i]);
        }
    }
    close_pair(ends);
    return err;
}

static void one_reads_while_another_writes(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, both_ways, NULL), 0);
    assert_int_equal(run_here(2, both_ways, NULL), 0);
}

static int close_later(void *fd)
{
    let_others_wait();
    return rv_close(*(int *)fd);
}

static int read_until_the_end(int ends[2])
{
    int err;
    char text[8];
    RV_SCOPE(s, err) {
        RV_CHECK(rv_write_all(ends[1], "hello", 5, NULL, RV_NEVER) == 0);
        go(s, close_later, &ends[1]);
        RV_CHECK(read_hello(&ends[0]) == 0);
        RV_CHECK(rv_read(ends[0], text, sizeof(text), RV_NEVER) == 0);
        RV_CHECK(rv_read_full(ends[0], text, 1, NULL, RV_NEVER) == -ENODATA);
    }
    ends[1] = -1;
    return err;
}

static void the_end_is_read_as_none(void **state)
{
    (void)state;
    play_with_each_pair(read_until_the_end);
}

/* What ends a stream may come with the last of it, and then no event is left for the end. */
static int end_with_the_last_bytes(void *unused)
{
    char text[8];
    (void)unused;
    for (int i = 0; i < FEW; i++) {
        int ends[2];
        make_pair(TCP, ends);
        RV_CHECK(rv_poll(ends[0], POLLIN, 0) == -ETIME);
        RV_CHECK(rv_read(ends[0], text, sizeof(text), rv_now() + 1) == -ETIME);
        RV_CHECK(write(ends[1], "hello", 5) == 5);
        if (i % 2)
            RV_CHECK(send(ends[1], "!", 1, MSG_OOB) == 1 && write(ends[1], "x", 1) == 1);
        RV_CHECK(rv_close(ends[1]) == 0);
        RV_CHECK(rv_read(ends[0], text, sizeof(text), RV_NEVER) == 5);
        if (i % 2)
            RV_CHECK(rv_read(ends[0], text, sizeof(text), RV_NEVER) == 1);
        RV_CHECK(rv_read(ends[0], text, sizeof(text), RV_NEVER) == 0);
        RV_CHECK(rv_close(ends[0]) == 0);
    }
    return 0;
}

static void the_end_may_come_with_the_last_bytes(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, end_with_the_last_bytes, NULL), 0);
}

static int be_reset(void *unused)
{
    const struct linger at_once = {.l_onoff = 1};
    int ends[2];
    char byte = 0;
    (void)unused;
    make_pair(TCP, ends);
    RV_CHECK(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) == 0);
    RV_CHECK(rv_close(ends[1]) == 0);
    RV_CHECK(rv_read(ends[0], &byte, 1, RV_NEVER) == -ECONNRESET);
    RV_CHECK(rv_write(ends[0], &byte, 1, RV_NEVER) == -EPIPE);
    return rv_close(ends[0]);
}

static void a_reset_ends_a_read(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, be_reset, NULL), 0);
}

/* --- rv_poll --- */

static int poll_everything(int ends[2])
{
    int nowhere = 1000000;
    RV_CHECK(rv_poll(ends[0], POLLIN, rv_now() + 1000) == -ETIME);
    RV_CHECK(rv_poll(ends[1], POLLOUT, RV_NEVER) == POLLOUT);
    RV_CHECK(write(ends[1], "hello", 5) == 5);
    RV_CHECK(rv_poll(ends[0], POLLIN, RV_NEVER) == POLLIN);
    RV_CHECK(read_hello(&ends[0]) == 0);
    RV_CHECK(rv_poll(ends[0], POLLIN, rv_now() + 1000) == -ETIME);
    RV_CHECK(rv_close(ends[1]) == 0);
    RV_CHECK(rv_poll(ends[0], 0, rv_now() + 1000) != 0);
    RV_CHECK(rv_poll(ends[0], POLLIN, RV_NEVER) & (POLLIN | POLLHUP));
    RV_CHECK(rv_poll(nowhere, POLLIN, RV_NEVER) == POLLNVAL);
    ends[1] = -1;
    return 0;
}

static void poll_says_what_is_there(void **state)
{
    (void)state;
    play_with_each_pair(poll_everything);
}

/* --- what is no stream --- */

static int use_files(void *unused)
{
    char text[6], name[] = "/tmp/ravel-XXXXXX";
    int fd = mkstemp(name), zero = open("/dev/zero", O_RDWR | O_CLOEXEC), event = eventfd(0, 0);
    int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    uint64_t count = 3;
    (void)unused;
    RV_CHECK(fd >= 0 && zero >= 0 && event >= 0 && maps >= 0 && unlink(name) == 0);
    RV_CHECK(rv_write_all(fd, "hello", 5, NULL, RV_NEVER) == 0);
    RV_CHECK(lseek(fd, 0, SEEK_SET) == 0 && rv_read(fd, text, 6, RV_NEVER) == 5);
    RV_CHECK(rv_read(fd, text, 6, RV_NEVER) == 0 && memcmp(text, "hello", 5) == 0);
    RV_CHECK(rv_poll(fd, POLLIN, RV_NEVER) == POLLIN);
    RV_CHECK(rv_read(zero, text, 6, RV_NEVER) == 6 && text[0] == 0);
    RV_CHECK(rv_write(zero, text, 6, RV_NEVER) == 6);
    RV_CHECK(rv_read(maps, text, 6, RV_NEVER) > 0);
    RV_CHECK(rv_read(event, &count, 8, rv_now() + 1000) == -ETIME);
    RV_CHECK(rv_write(event, &count, 8, RV_NEVER) == 8);
    RV_CHECK(rv_read(event, &count, 8, RV_NEVER) == 8 && count == 3);
    return rv_close(fd) + rv_close(zero) + rv_close(event) + rv_close(maps);
}

static void files_and_devices_are_read_and_written(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, use_files, NULL), 0);
}

struct terminal {
    int master, slave;
};

static int type_a_line(void *arg)
{
    const struct terminal *t = arg;
    let_others_wait();
    return rv_write_all(t->master, "hello\n", 6, NULL, RV_NEVER);
}

static int open_terminal(struct terminal *t)
{
    char name[64];
    t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (t->master < 0 || grantpt(t->master) < 0 || unlockpt(t->master) < 0 ||
        ptsname_r(t->master, name, sizeof(name)) != 0)
        return -ENOTTY;
    t->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    RV_CHECK(t->slave >= 0);
    return 0;
}

static int read_a_terminal(void *unused)
{
    struct terminal t;
    char text[16];
    int err;
    (void)unused;
    if (open_terminal(&t) < 0)
        return -ENOTTY;
    RV_CHECK(rv_read(t.slave, text, sizeof(text), rv_now() + 1000) == -ETIME);
    RV_SCOPE(s, err) {
        go(s, type_a_line, &t);
        RV_CHECK(rv_read(t.slave, text, sizeof(text), RV_NEVER) == 6);
    }
    RV_CHECK(!(fcntl(t.slave, F_GETFL) & O_NONBLOCK));
    return err + rv_close(t.master) + rv_close(t.slave);
}

static void a_terminal_is_waited_for_without_changing_it(void **state)
{
    (void)state;
    int r = run_here(1, read_a_terminal, NULL);
    if (r == -ENOTTY)
        skip();
    assert_int_equal(r, 0);
}

/* There is no way to try it, and still there is a way to be late. */
static int read_a_terminal_at_once(void *unused)
{
    struct terminal t;
    char text[16];
    (void)unused;
    if (open_terminal(&t) < 0)
        return -ENOTTY;
    RV_CHECK(rv_read(t.slave, text, sizeof(text), 0) == -ETIME);
    RV_CHECK(rv_read(t.slave, text, sizeof(text), rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_write_all(t.master, "hello\n", 6, NULL, RV_NEVER) == 0);
    until_there(t.slave);
    RV_CHECK(rv_read(t.slave, text, sizeof(text), 0) == 6);
    return rv_close(t.master) + rv_close(t.slave);
}

static void regress_a_deadline_holds_for_what_cannot_be_tried(void **state)
{
    (void)state;
    int r = read_a_terminal_at_once(NULL);
    if (r == -ENOTTY)
        skip();
    assert_int_equal(r, 0);
    assert_int_equal(run_here(1, read_a_terminal_at_once, NULL), 0);
}

static int use_no_descriptor(void *unused)
{
    char byte = 0;
    (void)unused;
    const int none[] = {INT_MIN, -1, 900, 1 << 20, INT_MAX};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        int fd = none[i];
        RV_CHECK(rv_read(fd, &byte, 1, RV_NEVER) == -EBADF);
        RV_CHECK(rv_write(fd, &byte, 1, RV_NEVER) == -EBADF);
    }
    struct rvi_op op = rvi_op_accept(-1, NULL, NULL, 0);
    RV_CHECK(rvi_io_call(&op, RV_NEVER) == -EBADF);
    RV_CHECK(rv_poll(-1, POLLIN, RV_NEVER) == POLLNVAL);
    return rv_close(-1);
}

static void no_descriptor_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, use_no_descriptor, NULL), 0);
    assert_int_equal(use_no_descriptor(NULL), 0);
}

/* --- deadlines and cancellation --- */

static int be_late(int ends[2])
{
    char byte;
    RV_CHECK(rv_read(ends[0], &byte, 1, 0) == -ETIME);
    RV_CHECK(rv_read(ends[0], &byte, 1, rv_now() + RV_MILLISECOND) == -ETIME);
    RV_CHECK(write(ends[1], "hello", 5) == 5);
    until_there(ends[0]);
    RV_CHECK(rv_read(ends[0], &byte, 1, 0) == 1 && byte == 'h');
    RV_CHECK(rv_read(ends[0], &byte, 1, RV_NEVER) == 1 && byte == 'e');
    char rest[4];
    RV_CHECK(rv_read(ends[0], rest, 4, 0) == 3);
    return 0;
}

static void a_deadline_ends_a_wait_and_loses_nothing(void **state)
{
    (void)state;
    play_with_each_pair(be_late);
}

/* The loop has learnt that there is nothing; then something comes, and nobody has let it look. */
static int read_what_has_just_come(void *unused)
{
    struct rv_addr at;
    int ends[2], err;
    char text[RV_ADDR_TEXT];
    (void)unused;
    int listener = rv_listen("tcp", "127.0.0.1:0", NULL);
    RV_CHECK(listener >= 0 && rv_addr_local(listener, &at) == 0);
    RV_CHECK(rv_addr_format(&at, text, sizeof(text)) > 0);
    ends[1] = rv_dial("tcp", text, RV_NEVER);
    ends[0] = rv_accept(listener, NULL, RV_NEVER);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, write_hello, &ends[1]) == 0);
        RV_CHECK(rv_recv(ends[0], text, sizeof(text), 0, RV_NEVER) == 5);
        RV_CHECK(send(ends[1], "late", 4, 0) == 4);
        until_there(ends[0]);
        RV_CHECK(rv_recv(ends[0], text, sizeof(text), 0, 0) == 4);
        RV_CHECK(rv_recv(ends[0], text, sizeof(text), 0, 0) == -ETIME);
    }
    close_pair(ends);
    RV_CHECK(rv_close(listener) == 0);
    return err;
}

static void regress_a_deadline_that_has_passed_hides_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, read_what_has_just_come, NULL), 0);
    assert_int_equal(run_here(2, read_what_has_just_come, NULL), 0);
}

static int read_a_byte(void *fd)
{
    char byte;
    return (int)rv_read(*(int *)fd, &byte, 1, RV_NEVER);
}

static int be_cancelled(int ends[2])
{
    int err;
    RV_SCOPE(s, err) {
        for (int i = 0; i < FEW; i++)
            go(s, read_a_byte, &ends[0]);
        let_others_wait();
        rv_scope_cancel(s, -EINTR);
    }
    RV_CHECK(err == -EINTR);
    RV_CHECK(write(ends[1], "hello", 5) == 5 && read_hello(&ends[0]) == 0);
    return 0;
}

static void a_cancellation_ends_a_wait(void **state)
{
    (void)state;
    play_with_each_pair(be_cancelled);
}

static int wait_in_every_way(void *unused)
{
    int ends[PAIRS][2], err;
    int r = 0;
    (void)unused;
    for (enum pair pair = 0; pair < PAIRS; pair++)
        make_pair(pair == TCP ? OUR_PIPE : pair, ends[pair]);
    RV_SCOPE(s, err) {
        for (enum pair pair = 0; pair < PAIRS; pair++)
            try_go(s, read_hello, &ends[pair][0]);
        rv_yield();
        for (enum pair pair = 0; r == 0 && pair < PAIRS; pair++)
            r = rv_write_all(ends[pair][1], "hello", 5, NULL, RV_NEVER);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    for (enum pair pair = 0; pair < PAIRS; pair++)
        close_pair(ends[pair]);
    return r < 0 ? r : err;
}

static int nothing(void *unused)
{
    (void)unused;
    return 0;
}

static void a_wait_may_be_cut_short_at_every_point(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, nothing, NULL), 0);
    cancel_at_every_point(wait_in_every_way, 1);
    cancel_at_every_point(wait_in_every_way, 2);
}

/* Whoever gets no memory gets nothing else either. */
static int wait_with_little_memory(void *unused)
{
    int ends[2], err;
    int r = rv_pipe(ends);
    (void)unused;
    if (r < 0)
        return r;
    RV_SCOPE(s, err) {
        r = rv_go(s, read_hello, &ends[0]);
        if (r == 0)
            rv_yield();
        if (r == 0)
            r = rv_write_all(ends[1], "hello", 5, NULL, RV_NEVER);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    close_pair(ends);
    return err < 0 ? err : r;
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, nothing, NULL), 0);
    fail_every_allocation(wait_with_little_memory, 1);
}

/* --- closing --- */

static int expect_bad_descriptor(void *fd)
{
    char byte;
    RV_CHECK(rv_read(*(int *)fd, &byte, 1, RV_NEVER) == -EBADF);
    return 0;
}

static int close_under_readers(int ends[2])
{
    int err;
    if (rv_run_workers() > 1)
        return 0;
    RV_SCOPE(s, err) {
        for (int i = 0; i < FEW; i++)
            go(s, expect_bad_descriptor, &ends[0]);
        let_others_wait();
        RV_CHECK(rv_close(ends[0]) == 0);
    }
    ends[0] = -1;
    return err;
}

static void closing_ends_the_waits_of_its_worker(void **state)
{
    (void)state;
    play_with_each_pair(close_under_readers);
}

/* Whatever had the number before, and whoever closed it. */
static int reuse_numbers(void *unused)
{
    (void)unused;
    for (int i = 0; i < MANY; i++) {
        int ends[2];
        make_pair((enum pair)(i % PAIRS), ends);
        RV_CHECK(read_before_it_is_written(ends) == 0);
        if (i % 3 == 0 || i % PAIRS == OUR_PIPE || i % PAIRS == TCP)
            close_pair(ends);
        else
            close(ends[0]), close(ends[1]);
    }
    return 0;
}

static int reuse_dups(void *unused)
{
    int ends[2], kept, err;
    (void)unused;
    RV_CHECK(rv_pipe(ends) == 0);
    RV_CHECK(read_before_it_is_written(ends) == 0);
    kept = dup(ends[0]); /* the registration lives on with the description */
    RV_CHECK(rv_close(ends[0]) == 0);
    int other[2];
    RV_CHECK(rv_pipe(other) == 0 && other[0] == ends[0]);
    RV_CHECK(write(ends[1], "hello", 5) == 5);
    RV_SCOPE(s, err) {
        go(s, read_hello, &other[0]);
        RV_CHECK(read_hello(&kept) == 0);
        RV_CHECK(write_hello(&other[1]) == 0);
    }
    RV_CHECK(read_before_it_is_written((int[]){kept, ends[1]}) == 0);
    close_pair(other);
    RV_CHECK(rv_close(kept) == 0 && rv_close(ends[1]) == 0);
    return err;
}

static void a_number_may_be_used_again(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, reuse_numbers, NULL), 0);
    assert_int_equal(run_here(1, reuse_dups, NULL), 0);
}

static int open_datagrams(struct rv_addr *ret)
{
    int fd = rv_listen("udp", "127.0.0.1:0", NULL);
    RV_CHECK(fd >= 0 && rv_addr_local(fd, ret) == 0);
    return fd;
}

static void send_datagram(int fd, const struct rv_addr *to)
{
    RV_CHECK(rv_send_to(fd, "hello", 5, to, RV_NEVER) == 5);
}

static int expecting; /* with one worker alone: who has come so far waits when another looks */

static int expect_closed_batch(void *fd)
{
    char room[8];
    struct rv_datagram one = {.data = room, .room = sizeof(room)};
    expecting++;
    RV_CHECK(rv_recv_batch(*(int *)fd, &one, 1, RV_NEVER) == -EBADF);
    return 0;
}

/* It has become ready just before it is closed: the close of another lets a ring see that. */
static int reuse_a_ready_number(void *unused)
{
    struct rv_addr at, old_at, new_at;
    int err, other = open_datagrams(&at), old = open_datagrams(&old_at);
    int fd = open_datagrams(&at);
    char room[8];
    (void)unused;
    expecting = 0;
    RV_SCOPE(s, err) {
        go(s, expect_closed_batch, &other);
        go(s, expect_closed_batch, &old);
        while (expecting < 2)
            rv_yield();
        send_datagram(fd, &old_at);
        until_there(old);
        RV_CHECK(rv_close(other) == 0);
        RV_CHECK(rv_close(old) == 0);
        RV_CHECK(open_datagrams(&at) == other);
        RV_CHECK(open_datagrams(&new_at) == old);
        send_datagram(fd, &new_at);
        until_there(old);
    }
    RV_CHECK(rv_recv(old, room, sizeof(room), 0, 0) == 5);
    return err + rv_close(other) + rv_close(old) + rv_close(fd);
}

static void regress_a_wait_that_was_closed_takes_nothing_from_who_has_its_number(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, reuse_a_ready_number, NULL), 0);
}

/* --- turns --- */

static int count_turns(void *arg)
{
    for (size_t *turns = arg; !rv_cancelled(); ++*turns)
        rv_yield();
    return 0;
}

/* Whoever always finds something to do does not keep the others from it, nor they it. */
static int take_turns(int ends[2])
{
    struct stream in = {ends[1], BIG, 64}, out = {ends[0], BIG, 64};
    size_t turns = 0;
    int err;
    if (rv_run_workers() > 1)
        return 0;
    RV_SCOPE(s, err) {
        rv_scope *inner = open_scope(NULL);
        go(inner, count_turns, &turns);
        go(s, write_stream, &in);
        RV_CHECK(read_stream(&out) == 0);
        rv_scope_cancel(inner, -ECANCELED);
        RV_CHECK(rv_scope_close(inner) == -ECANCELED);
    }
    RV_CHECK(turns >= BIG / 64 / 64);
    return err;
}

static void neither_input_nor_tasks_starve(void **state)
{
    (void)state;
    play_with_each_pair(take_turns);
}

/* --- threads --- */

static void *write_from_thread(void *fd)
{
    char *bytes = calloc(1, BIG);
    RV_CHECK(rv_write_all(*(int *)fd, "hello", 5, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_write_all(*(int *)fd, bytes, BIG, NULL, RV_NEVER) == 0);
    free(bytes);
    return NULL;
}

static void plain_threads_wait_too(void **state)
{
    (void)state;
    for (enum pair pair = 0; pair < PAIRS; pair++) {
        pthread_t thread;
        int ends[2];
        char byte, *bytes = malloc(BIG);
        make_pair(pair, ends);
        RV_CHECK(rv_read(ends[0], &byte, 1, rv_now() + RV_MILLISECOND) == -ETIME);
        RV_CHECK(pthread_create(&thread, NULL, write_from_thread, &ends[1]) == 0);
        RV_CHECK(read_hello(&ends[0]) == 0);
        RV_CHECK(rv_read_full(ends[0], bytes, BIG, NULL, RV_NEVER) == 0);
        pthread_join(thread, NULL);
        free(bytes);
        close_pair(ends);
    }
}

static void ignore_signal(int number)
{
    (void)number;
}

struct storm {
    pthread_t target;
    flag is_over;
};

static void *send_signals(void *arg)
{
    struct storm *storm = arg;
    while (!is_raised(&storm->is_over)) {
        pthread_kill(storm->target, SIGUSR1);
        rvi_thread_yield();
    }
    return NULL;
}

static int live_through_signals(void *unused)
{
    struct storm storm = {.target = pthread_self()};
    pthread_t thread;
    (void)unused;
    RV_CHECK(pthread_create(&thread, NULL, send_signals, &storm) == 0);
    int (*scene)(int ends[2]) = fill_and_drain;
    RV_CHECK(with_each_pair(&scene) == 0);
    scene = read_before_it_is_written;
    RV_CHECK(with_each_pair(&scene) == 0);
    raise_flag(&storm.is_over);
    pthread_join(thread, NULL);
    return 0;
}

static void signals_end_no_wait(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = ignore_signal};
    struct sigaction old;
    assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
    int r = run_here(1, live_through_signals, NULL);
    sigaction(SIGUSR1, &old, NULL);
    assert_int_equal(r, 0);
}

/* A wait that a signal ends, by whose handler it is late and there is something to do. */
static struct {
    int fd;
    rv_time deadline;
    void (*act)(int fd);
} late;

static void act_late(int number)
{
    (void)number;
    while (rv_now() < late.deadline)
        continue;
    late.act(late.fd);
}

static void interrupt_soon(int fd, void (*act)(int fd))
{
    const struct sigaction action = {.sa_handler = act_late};
    const struct itimerval soon = {.it_value.tv_usec = 5000};
    late.fd = fd;
    late.deadline = rv_after(20 * RV_MILLISECOND);
    late.act = act;
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
}

static void say_late(int fd)
{
    RV_CHECK(write(fd, "late", 4) == 4);
}

static void make_room_for_two(int fd)
{
    static char bytes[2 * PIPE_BUF];
    RV_CHECK(read(fd, bytes, sizeof(bytes)) == sizeof(bytes));
}

static void regress_a_call_that_ends_at_its_deadline_is_made_once(void **state)
{
    (void)state;
    static char bytes[PIPE_BUF];
    int ends[2], there;
    make_pair(PLAIN_PIPE, ends);
    interrupt_soon(ends[1], say_late);
    assert_int_equal(rv_read(ends[0], bytes, sizeof(bytes), late.deadline), 4);
    while (rv_write(ends[1], bytes, sizeof(bytes), 0) > 0)
        continue;
    assert_int_equal(ioctl(ends[0], FIONREAD, &there), 0);
    interrupt_soon(ends[0], make_room_for_two);
    assert_int_equal(rv_write(ends[1], bytes, sizeof(bytes), late.deadline), sizeof(bytes));
    int before = there;
    assert_int_equal(ioctl(ends[0], FIONREAD, &there), 0);
    assert_int_equal(there, before - PIPE_BUF);
    signal(SIGALRM, SIG_DFL);
    close_pair(ends);
}

static void be_late_alone(int fd)
{
    (void)fd;
}

static void regress_a_signal_lets_no_thread_wait_beyond_its_deadline(void **state)
{
    (void)state;
    struct terminal t;
    char byte;
    if (open_terminal(&t) < 0)
        skip();
    interrupt_soon(-1, be_late_alone);
    assert_int_equal(rv_read(t.slave, &byte, 1, late.deadline), -ETIME);
    signal(SIGALRM, SIG_DFL);
    rv_close(t.master);
    rv_close(t.slave);
}

/* As far away as a time can be. */
static int be_late_for_ever(void *unused)
{
    int ends[2];
    char byte;
    (void)unused;
    make_pair(OUR_PIPE, ends);
    RV_CHECK(rv_read(ends[0], &byte, 1, INT64_MIN) == -ETIME);
    RV_CHECK(rv_poll(ends[0], POLLIN, INT64_MIN) == -ETIME);
    RV_CHECK(rv_sleep_until(INT64_MIN) == 0);
    close_pair(ends);
    return 0;
}

static void regress_no_deadline_is_too_early(void **state)
{
    (void)state;
    assert_int_equal(be_late_for_ever(NULL), 0);
    assert_int_equal(run_here(1, be_late_for_ever, NULL), 0);
}

/* --- what it takes --- */

static int open_by_need(void *unused)
{
    int ends[2];
    char byte;
    (void)unused;
    RV_CHECK(rv_pipe(ends) == 0);
    size_t before = open_descriptors();
    RV_CHECK(rv_write(ends[1], "x", 1, RV_NEVER) == 1 && rv_read(ends[0], &byte, 1, RV_NEVER) == 1);
    RV_CHECK(rv_sleep(1) == 0);
    RV_CHECK(open_descriptors() == before);
    RV_CHECK(rv_read(ends[0], &byte, 1, 0) == -ETIME);
    RV_CHECK(open_descriptors() > before);
    close_pair(ends);
    return 0;
}

static void the_first_wait_opens_what_waits_need(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, open_by_need, NULL), 0);
}

static void nothing_is_left_open(void **state)
{
    (void)state;
    int (*scene)(int ends[2]) = read_before_it_is_written;
    assert_int_equal(run_here(2, with_each_pair, &scene), 0);
    struct holdings before = holdings_now();
    assert_int_equal(run_here(2, with_each_pair, &scene), 0);
    assert_no_more_is_held(&before);
}

static int wait_in_child(void *unused)
{
    int ends[2];
    (void)unused;
    make_pair(OUR_PIPE, ends);
    RV_CHECK(read_before_it_is_written(ends) == 0);
    if (fork() == 0)
        return read_hello(&ends[0]);
    int status = 0;
    RV_CHECK(wait(&status) > 0);
    RV_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    RV_CHECK(read_before_it_is_written(ends) == 0);
    close_pair(ends);
    return 0;
}

static void run_and_fork(void *unused)
{
    (void)unused;
    RV_CHECK(run_on(1, wait_in_child, NULL) == 0);
}

static void a_forks_child_that_waits_is_stopped_and_its_parent_goes_on(void **state)
{
    (void)state;
    assert_int_equal(run_here(1, nothing, NULL), 0);
    struct ending ending = run_child(run_and_fork, NULL);
    assert_true(WIFEXITED(ending.status) && WEXITSTATUS(ending.status) == 0);
    assert_non_null(strstr(ending.text, "do not survive a fork"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_waits_for_what_is_written),
        cmocka_unit_test(a_write_waits_for_room),
        cmocka_unit_test(two_workers_share_a_pair),
        cmocka_unit_test(several_may_wait_for_one_descriptor),
        cmocka_unit_test(one_reads_while_another_writes),
        cmocka_unit_test(the_end_is_read_as_none),
        cmocka_unit_test(the_end_may_come_with_the_last_bytes),
        cmocka_unit_test(a_reset_ends_a_read),
        cmocka_unit_test(poll_says_what_is_there),
        cmocka_unit_test(files_and_devices_are_read_and_written),
        cmocka_unit_test(a_terminal_is_waited_for_without_changing_it),
        cmocka_unit_test(regress_a_deadline_holds_for_what_cannot_be_tried),
        cmocka_unit_test(no_descriptor_is_an_error),
        cmocka_unit_test(a_deadline_ends_a_wait_and_loses_nothing),
        cmocka_unit_test(regress_a_deadline_that_has_passed_hides_what_is_there),
        cmocka_unit_test(a_cancellation_ends_a_wait),
        cmocka_unit_test(a_wait_may_be_cut_short_at_every_point),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(closing_ends_the_waits_of_its_worker),
        cmocka_unit_test(a_number_may_be_used_again),
        cmocka_unit_test(regress_a_wait_that_was_closed_takes_nothing_from_who_has_its_number),
        cmocka_unit_test(neither_input_nor_tasks_starve),
        cmocka_unit_test(plain_threads_wait_too),
        cmocka_unit_test(signals_end_no_wait),
        cmocka_unit_test(regress_a_call_that_ends_at_its_deadline_is_made_once),
        cmocka_unit_test(regress_a_signal_lets_no_thread_wait_beyond_its_deadline),
        cmocka_unit_test(regress_no_deadline_is_too_early),
        cmocka_unit_test(the_first_wait_opens_what_waits_need),
        cmocka_unit_test(nothing_is_left_open),
        cmocka_unit_test(a_forks_child_that_waits_is_stopped_and_its_parent_goes_on),
    };
    int failed;
    signal(SIGPIPE, SIG_IGN);
    RUN_ON_EACH_BACKEND(tests, failed);
    return failed;
}
