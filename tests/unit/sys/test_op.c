/* SPDX-License-Identifier: MIT */
/* test_op.c - calls as values, by kind and by descriptor: an attempt never waits and leaves the
 * flags of descriptors alone, whatever they are; a call that is performed waits. An attempt that
 * waits in spite of that is a hang, which the runner reports.
 *
 * Where a description blocks, kernels differ in what they know how to attempt. So there an attempt
 * may be UNTRIED: that it is not made is then what has to hold. */
#include "sys/op.h"

#include <arpa/inet.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "descriptors.h"
#include "sys/call.h"
#include "sys/clock.h"

enum { KINDS = RVI_OP_LAST + 1, MEBIBYTE = 1 << 20 };

static char bytes[MEBIBYTE];

/* Of each kind that uses memory, as much as a portion. */
static struct iovec portion = {bytes, PORTION};
static struct msghdr message = {.msg_iov = &portion, .msg_iovlen = 1};
static struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = &portion, .msg_iovlen = 1}},
                                     {.msg_hdr = {.msg_iov = &portion, .msg_iovlen = 1}}};

static bool says(int64_t result, bool blocks, int64_t expected)
{
    return result == expected || (blocks && result == RVI_OP_UNTRIED);
}

/* Attempt it: the descriptor's flags are as before. */
static int64_t attempt(struct rvi_op op)
{
    int flags = fcntl(op.fd, F_GETFL);
    int64_t result = rvi_op_try(&op);
    assert_int_equal(fcntl(op.fd, F_GETFL), flags);
    return result;
}

/* --- any descriptor --- */

typedef struct rvi_op make_op(int fd);

static struct rvi_op op_read(int fd)
{
    return rvi_op_read(fd, bytes, PORTION, RVI_OP_AT_POSITION);
}

static struct rvi_op op_readv(int fd)
{
    return rvi_op_readv(fd, &portion, 1, RVI_OP_AT_POSITION);
}

/* An eventfd adds what is written: 1. */
static struct rvi_op op_write(int fd)
{
    static const uint64_t one = 1;
    return rvi_op_write(fd, &one, sizeof one, RVI_OP_AT_POSITION);
}

static struct rvi_op op_writev(int fd)
{
    static uint64_t one = 1;
    static const struct iovec of_one = {&one, sizeof one};
    return rvi_op_writev(fd, &of_one, 1, RVI_OP_AT_POSITION);
}

static void read_from(enum pair_kind kind, bool blocks, make_op *make)
{
    int fds[2];
    if (!open_pair(kind, blocks, fds))
        return;
    assert_true(says(attempt(make(fds[0])), blocks, -EAGAIN));
    send_portion(fds);
    assert_true(says(attempt(make(fds[0])), blocks, PORTION));
    empty(fds[0]);
    send_portion(fds);
    struct rvi_op op = make(fds[0]);
    assert_int_equal(rvi_op_perform(&op), PORTION);
    close_pair(fds);
}

static void write_to(enum pair_kind kind, bool blocks, make_op *make)
{
    int fds[2];
    assert_true(open_pair(kind, blocks, fds));
    fill_up(kind, fds[1]);
    assert_true(says(attempt(make(fds[1])), blocks, -EAGAIN));
    empty(fds[0]);
    assert_true(says(attempt(make(fds[1])), blocks, PORTION));
    empty(fds[0]);
    struct rvi_op op = make(fds[1]);
    assert_int_equal(rvi_op_perform(&op), PORTION);
    close_pair(fds);
}

static void reading_what_is_empty_never_waits(void **state)
{
    (void)state;
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        for (int blocks = 0; blocks < 2; blocks++) {
            read_from((enum pair_kind)kind, blocks, op_read);
            read_from((enum pair_kind)kind, blocks, op_readv);
        }
    }
}

static void writing_to_what_is_full_never_waits(void **state)
{
    (void)state;
    for (int kind = 0; kind < OF_TERMINAL; kind++) {
        for (int blocks = 0; blocks < 2; blocks++) {
            write_to((enum pair_kind)kind, blocks, op_write);
            write_to((enum pair_kind)kind, blocks, op_writev);
        }
    }
}

static void as_much_is_written_as_there_is_room_for(void **state)
{
    (void)state;
    for (int kind = OF_PIPE; kind <= OF_STREAM; kind++) {
        for (int blocks = 0; blocks < 2; blocks++) {
            int fds[2];
            assert_true(open_pair((enum pair_kind)kind, blocks, fds));
            int64_t n = attempt(rvi_op_write(fds[1], bytes, MEBIBYTE, RVI_OP_AT_POSITION));
            assert_true((n > 0 && n < MEBIBYTE) || (blocks && n == RVI_OP_UNTRIED));
            close_pair(fds);
        }
    }
}

/* --- sockets --- */

static struct rvi_op op_recv(int fd)
{
    return rvi_op_recv(fd, bytes, PORTION, 0);
}

static struct rvi_op op_recvmsg(int fd)
{
    return rvi_op_recvmsg(fd, &message, 0);
}

static struct rvi_op op_send(int fd)
{
    return rvi_op_send(fd, bytes, PORTION, 0);
}

static struct rvi_op op_sendmsg(int fd)
{
    return rvi_op_sendmsg(fd, &message, 0);
}

static void sockets_are_attempted_whether_they_block_or_not(void **state)
{
    make_op *const receives[] = {op_recv, op_recvmsg}, *const sends[] = {op_send, op_sendmsg};
    (void)state;
    for (int i = 0; i < 8; i++) {
        enum pair_kind kind = i & 1 ? OF_STREAM : OF_DATAGRAMS;
        int fds[2];
        assert_true(open_pair(kind, i & 2, fds));
        assert_int_equal(attempt(receives[i / 4](fds[0])), -EAGAIN);
        send_portion(fds);
        assert_int_equal(attempt(receives[i / 4](fds[0])), PORTION);
        fill_up(kind, fds[1]);
        assert_int_equal(attempt(sends[i / 4](fds[1])), -EAGAIN);
        empty(fds[0]);
        assert_int_equal(attempt(sends[i / 4](fds[1])), PORTION);
        close_pair(fds);
    }
}

/* One that waits has all of what it waited for, however little that is. */
static void batches_are_as_long_as_what_is_there(void **state)
{
    (void)state;
    for (int blocks = 0; blocks < 2; blocks++) {
        int fds[2];
        assert_true(open_pair(OF_DATAGRAMS, blocks, fds));
        struct rvi_op receive = rvi_op_recvmmsg(fds[0], messages, 2);
        assert_int_equal(attempt(receive), -EAGAIN);
        send_portion(fds);
        assert_int_equal(attempt(receive), 1);
        send_portion(fds);
        assert_int_equal(rvi_op_perform(&receive), 1);
        assert_int_equal(attempt(rvi_op_sendmmsg(fds[1], messages, 2)), 2);
        assert_int_equal(attempt(receive), 2);
        fill_up(OF_DATAGRAMS, fds[1]);
        assert_int_equal(attempt(rvi_op_sendmmsg(fds[1], messages, 2)), -EAGAIN);
        close_pair(fds);
    }
}

static void flags_of_the_caller_are_kept(void **state)
{
    int fds[2];
    (void)state;
    assert_true(open_pair(OF_STREAM, true, fds));
    send_portion(fds);
    assert_int_equal(attempt(rvi_op_recv(fds[0], bytes, PORTION, MSG_PEEK)), PORTION);
    assert_int_equal(attempt(rvi_op_recv(fds[0], bytes, PORTION, 0)), PORTION);
    close_pair(fds);
}

/* --- calls that have no way to say that they must not wait --- */

static int listen_on_loopback(struct sockaddr_in *ret, int type)
{
    socklen_t len = sizeof *ret;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | type, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)ret, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret, &len), 0);
    return fd;
}

static struct rvi_op op_connect(int fd, const struct sockaddr_in *to)
{
    return rvi_op_connect(fd, (const struct sockaddr *)to, sizeof *to);
}

/* Attempt it until it is over. */
static int64_t make_when_ready(struct rvi_op op)
{
    int64_t result;
    while ((result = attempt(op)) == -EAGAIN)
        assert_int_equal(rvi_op_await(&op, INT64_MAX), 1);
    return result;
}

static void connections_are_attempted_where_they_do_not_block(void **state)
{
    struct sockaddr_in addr, peer;
    socklen_t len = sizeof peer;
    int listener = listen_on_loopback(&addr, SOCK_NONBLOCK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)state;
    assert_int_equal(make_when_ready(op_connect(fd, &addr)), -ECONNREFUSED);
    close(fd);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(attempt(rvi_op_accept(listener, NULL, NULL, SOCK_CLOEXEC)), -EAGAIN);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(make_when_ready(op_connect(fd, &addr)), 0);
    int64_t accepted =
        make_when_ready(rvi_op_accept(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC));
    assert_true(accepted >= 0 && len == sizeof peer && peer.sin_family == AF_INET);
    assert_int_equal(fcntl((int)accepted, F_GETFD), FD_CLOEXEC);
    close((int)accepted);
    close(fd);
    close(listener);
}

static void connections_are_not_attempted_where_they_block(void **state)
{
    struct sockaddr_in addr;
    int listener = listen_on_loopback(&addr, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    struct rvi_op accept = rvi_op_accept(listener, NULL, NULL, SOCK_CLOEXEC);
    struct rvi_op connect = op_connect(fd, &addr);
    assert_true(attempt(accept) == RVI_OP_UNTRIED && attempt(connect) == RVI_OP_UNTRIED);
    assert_int_equal(rvi_op_perform(&connect), 0);
    int64_t accepted = rvi_op_perform(&accept);
    assert_true(accepted >= 0);
    close((int)accepted);
    close(fd);
    close(listener);
}

static int open_file(void)
{
    char path[] = "/tmp/ravel-op-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pwrite(fd, "0123456789", 10, 0), 10);
    return fd;
}

static void transfers_are_attempted_where_they_do_not_block(void **state)
{
    int file = open_file(), fds[2], pipe[2];
    (void)state;
    assert_true(open_pair(OF_STREAM, false, fds) && open_pair(OF_PIPE, false, pipe));
    assert_int_equal(attempt(rvi_op_splice_in(fds[0], pipe[1], PORTION)), -EAGAIN);
    assert_int_equal(attempt(rvi_op_sendfile(fds[1], file, 2, PORTION)), PORTION);
    assert_int_equal(attempt(rvi_op_splice_in(fds[0], pipe[1], PORTION)), PORTION);
    assert_int_equal(attempt(rvi_op_splice_out(fds[1], pipe[0], PORTION)), PORTION);
    assert_int_equal(attempt(op_recv(fds[0])), PORTION);
    assert_memory_equal(bytes, "23456789", PORTION);
    assert_int_equal(attempt(rvi_op_sendfile(fds[1], file, 10, PORTION)), 0);
    fill_up(OF_STREAM, fds[1]);
    assert_int_equal(attempt(rvi_op_sendfile(fds[1], file, 0, PORTION)), -EAGAIN);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
    close_pair(fds);
    close_pair(pipe);
    close(file);
}

static void transfers_are_not_attempted_where_they_block(void **state)
{
    int file = open_file(), fds[2], pipe[2];
    (void)state;
    assert_true(open_pair(OF_STREAM, true, fds) && open_pair(OF_PIPE, true, pipe));
    struct rvi_op send = rvi_op_sendfile(fds[1], file, 0, PORTION);
    struct rvi_op in = rvi_op_splice_in(fds[0], pipe[1], PORTION);
    struct rvi_op out = rvi_op_splice_out(fds[1], pipe[0], PORTION);
    assert_true(attempt(send) == RVI_OP_UNTRIED && attempt(in) == RVI_OP_UNTRIED);
    assert_true(attempt(out) == RVI_OP_UNTRIED);
    assert_int_equal(rvi_op_perform(&send), PORTION);
    assert_int_equal(rvi_op_perform(&in), PORTION);
    assert_int_equal(rvi_op_perform(&out), PORTION);
    close_pair(fds);
    close_pair(pipe);
    close(file);
}

/* The signal would end this program. */
static void a_peer_that_is_gone_is_an_error_without_a_signal(void **state)
{
    int file = open_file(), fds[2];
    (void)state;
    assert_int_equal(signal(SIGPIPE, SIG_DFL) == SIG_ERR, 0);
    for (int blocks = 0; blocks < 2; blocks++) {
        assert_true(open_pair(OF_STREAM, blocks, fds));
        close(fds[0]);
        assert_int_equal(attempt(op_send(fds[1])), -EPIPE);
        assert_int_equal(attempt(op_sendmsg(fds[1])), -EPIPE);
        struct rvi_op send = rvi_op_sendfile(fds[1], file, 0, PORTION);
        assert_int_equal(rvi_op_perform(&send), -EPIPE);
        close(fds[1]);
    }
    close(file);
}

/* --- files --- */

/* Not every file system can say whether it has the bytes at hand. */
static void a_file_is_read_at_once_or_not_at_all(void **state)
{
    int file = open_file();
    (void)state;
    for (int i = 0; i < 2; i++) {
        int64_t n = attempt(i == 0 ? rvi_op_read(file, bytes, PORTION, 2)
                                   : rvi_op_readv(file, &portion, 1, 2));
        assert_true(says(n, true, PORTION) || n == -EAGAIN);
    }
    struct rvi_op read = rvi_op_read(file, bytes, PORTION, 2);
    assert_int_equal(rvi_op_perform(&read), PORTION);
    assert_memory_equal(bytes, "23456789", PORTION);
    assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
    read.buf.offset = RVI_OP_AT_POSITION;
    assert_int_equal(rvi_op_perform(&read), PORTION);
    assert_int_equal(lseek(file, 0, SEEK_CUR), PORTION);
    close(file);
}

static void a_file_is_written_where_it_is_said(void **state)
{
    static char more[] = "ABCDEFGH";
    static const struct iovec iov = {more, PORTION};
    int file = open_file();
    (void)state;
    struct rvi_op at = rvi_op_write(file, more, PORTION, 1);
    struct rvi_op behind = rvi_op_writev(file, &iov, 1, 9);
    struct rvi_op first = rvi_op_write(file, "-", 1, RVI_OP_AT_POSITION);
    assert_int_equal(rvi_op_perform(&at), PORTION);
    assert_int_equal(rvi_op_perform(&behind), PORTION);
    assert_int_equal(rvi_op_perform(&first), 1);
    assert_int_equal(pread(file, bytes, 100, 0), 17);
    assert_memory_equal(bytes, "-ABCDEFGHABCDEFGH", 17);
    close(file);
}

static void a_folder_cannot_be_read(void **state)
{
    int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct rvi_op op = op_read(folder);
    (void)state;
    assert_true(says(attempt(op), true, -EISDIR));
    assert_int_equal(rvi_op_perform(&op), -EISDIR);
    close(folder);
}

/* What a path names may lie on any disk. */
static void paths_are_never_attempted_and_may_be_performed(void **state)
{
    char name[] = "/tmp/ravel-op-XXXXXX";
    struct statx status;
    (void)state;
    assert_non_null(mkdtemp(name));
    int folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(folder, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    struct rvi_op steps[] = {
        rvi_op_truncate(fd, 100),
        rvi_op_sync(fd, true),
        rvi_op_sync(fd, false),
        rvi_op_mkdir(folder, "d", 0700),
        rvi_op_rename(folder, "f", folder, "d/g", 0),
        rvi_op_stat(folder, "d/g", 0, STATX_SIZE, &status),
        rvi_op_unlink(folder, "d/g", 0),
        rvi_op_unlink(folder, "d", AT_REMOVEDIR),
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(attempt(steps[i]), -EAGAIN);
        assert_int_equal(rvi_op_perform(&steps[i]), 0);
    }
    assert_int_equal(status.stx_size, 100);
    assert_int_equal(openat(folder, "f", O_RDONLY | O_CLOEXEC), -1);
    assert_int_equal(errno, ENOENT);
    close(fd);
    close(folder);
    assert_int_equal(rmdir(name), 0);
}

/* --- of all kinds --- */

static struct rvi_op of_kind(int kind, int fd)
{
    return (struct rvi_op){.kind = (uint8_t)kind, .fd = fd};
}

static bool is_path(int kind)
{
    return kind >= RVI_OP_STAT && kind <= RVI_OP_TRUNCATE;
}

static void each_kind_knows_what_it_waits_for(void **state)
{
    static const short input[] = {RVI_OP_READ,     RVI_OP_READV,     RVI_OP_RECV,  RVI_OP_RECVMSG,
                                  RVI_OP_RECVMMSG, RVI_OP_SPLICE_IN, RVI_OP_ACCEPT};
    (void)state;
    for (int kind = RVI_OP_READ; kind < KINDS; kind++) {
        const struct rvi_op op = of_kind(kind, 0);
        short expected = is_path(kind) ? 0 : POLLOUT;
        for (size_t i = 0; i < sizeof input / sizeof input[0]; i++)
            expected = input[i] == kind ? POLLIN : expected;
        assert_int_equal(rvi_op_readiness(&op), expected);
    }
    const struct rvi_op poll = rvi_op_poll(0, POLLPRI);
    assert_int_equal(rvi_op_readiness(&poll), POLLPRI | POLLERR | POLLHUP);
}

static void a_descriptor_that_is_closed_is_refused(void **state)
{
    int fds[2];
    (void)state;
    assert_true(open_pair(OF_PIPE, true, fds));
    close_pair(fds);
    for (int kind = RVI_OP_READ; kind < KINDS; kind++) {
        struct rvi_op op = of_kind(kind, fds[0]);
        if (kind == RVI_OP_RECVMSG || kind == RVI_OP_SENDMSG)
            op.msg = &message;
        if (!is_path(kind))
            assert_int_equal(rvi_op_try(&op), -EBADF);
    }
    struct rvi_op poll = rvi_op_poll(fds[0], POLLIN), none = rvi_op_poll(-1, POLLIN);
    assert_int_equal(rvi_op_try(&poll), POLLNVAL);
    assert_int_equal(rvi_op_try(&none), POLLNVAL);
    assert_int_equal(rvi_op_await(&poll, INT64_MAX), 1);
    assert_false(rvi_op_is_of_file(&poll));
}

static void only_files_have_nothing_to_wait_for(void **state)
{
    int file = open_file(), folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[2];
    (void)state;
    struct rvi_op of_a_file = op_read(file), of_a_folder = op_read(folder);
    assert_true(rvi_op_is_of_file(&of_a_file) && rvi_op_is_of_file(&of_a_folder));
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        if (!open_pair((enum pair_kind)kind, true, fds))
            continue;
        struct rvi_op read = op_read(fds[0]), write = op_write(fds[1]);
        struct rvi_op sync = rvi_op_sync(fds[0], false);
        assert_false(rvi_op_is_of_file(&read) || rvi_op_is_of_file(&write));
        assert_true(rvi_op_is_of_file(&sync));
        close_pair(fds);
    }
    close(folder);
    close(file);
}

static void polling_tells_what_is_there(void **state)
{
    (void)state;
    for (int kind = 0; kind < PAIR_KINDS; kind++) {
        int fds[2];
        if (!open_pair((enum pair_kind)kind, true, fds))
            continue;
        assert_int_equal(attempt(rvi_op_poll(fds[0], POLLIN)), -EAGAIN);
        assert_int_equal(attempt(rvi_op_poll(fds[1], POLLOUT)), POLLOUT);
        send_portion(fds);
        struct rvi_op op = rvi_op_poll(fds[0], POLLIN);
        assert_int_equal(attempt(op), POLLIN);
        assert_int_equal(rvi_op_perform(&op), POLLIN);
        close_pair(fds);
    }
}

/* --- waiting --- */

static void ignore(int number)
{
    (void)number;
}

struct feeder {
    pthread_t whom;
    int fd;
};

/* Some signals find the thread where it waits. */
static void *interrupt_and_feed(void *arg)
{
    const struct timespec millisecond = {0, 1000000};
    struct feeder *f = arg;
    for (int i = 0; i < 10; i++) {
        nanosleep(&millisecond, NULL);
        pthread_kill(f->whom, SIGUSR1);
    }
    RV_CHECK(write(f->fd, "portion.", PORTION) == PORTION);
    return NULL;
}

static void a_call_waits_whatever_signals_come(void **state)
{
    struct sigaction action = {.sa_handler = ignore}; /* calls are not restarted */
    int fds[2];
    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_true(open_pair(OF_STREAM, true, fds));
    struct rvi_op ops[] = {op_read(fds[0]), op_recvmsg(fds[0]), rvi_op_poll(fds[0], POLLIN)};
    const int64_t expected[] = {PORTION, PORTION, POLLIN};
    for (int i = 0; i < 3; i++) {
        struct feeder f = {pthread_self(), fds[1]};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, interrupt_and_feed, &f), 0);
        assert_int_equal(rvi_op_perform(&ops[i]), expected[i]);
        pthread_join(thread, NULL);
    }
    signal(SIGUSR1, SIG_DFL);
    close_pair(fds);
}

/* The error number of an interruption, of the sites that have one: which it is. */
static void interrupted(struct rvi_op op, unsigned variant, int64_t expected)
{
    rvi_call_fail_after(1, variant, false);
    int64_t result =
        expected == -EAGAIN || rvi_op_readiness(&op) ? rvi_op_try(&op) : rvi_op_perform(&op);
    assert_false(rvi_call_fail_pending());
    rvi_call_fail_after(-1, 0, false);
    assert_int_equal(result, expected);
}

static void an_interruption_is_nobodys_result(void **state)
{
    int file = open_file(), fds[2], pipe[2];
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    assert_true(open_pair(OF_STREAM, false, fds) && open_pair(OF_PIPE, false, pipe));
    interrupted(rvi_op_poll(fds[0], POLLIN), 1, -EAGAIN);
    interrupted(op_write(fds[1]), 1, PORTION);
    interrupted(op_read(fds[0]), 1, PORTION);
    interrupted(op_send(fds[1]), 2, PORTION);
    interrupted(op_recv(fds[0]), 1, PORTION);
    interrupted(rvi_op_sendfile(fds[1], file, 0, PORTION), 1, PORTION);
    interrupted(rvi_op_splice_in(fds[0], pipe[1], PORTION), 1, PORTION);
    interrupted(rvi_op_truncate(file, 5), 1, 0);
    close_pair(fds);
    close_pair(pipe);
    close(file);
}

static void a_thread_waits_until_it_is_ready_or_late(void **state)
{
    int fds[2];
    int64_t r;
    (void)state;
    assert_true(open_pair(OF_PIPE, true, fds));
    struct rvi_op op = op_read(fds[0]);
    assert_int_equal(rvi_op_await(&op, 0), -ETIME);
    assert_int_equal(rvi_op_await(&op, INT64_MIN), -ETIME);
    const int64_t deadline = rvi_clock_now() + 1000000;
    while ((r = rvi_op_await(&op, deadline)) == 0) {}
    assert_int_equal(r, -ETIME);
    assert_true(rvi_clock_now() >= deadline);
    send_portion(fds);
    assert_int_equal(rvi_op_await(&op, 0), 1);
    assert_int_equal(rvi_op_await(&op, INT64_MAX), 1);
    close_pair(fds);
}

static void a_wait_that_fails_says_why(void **state)
{
    int fds[2];
    (void)state;
    if (RVI_DEBUG_CHECKS < 1)
        skip();
    assert_true(open_pair(OF_PIPE, true, fds));
    struct rvi_op op = op_read(fds[0]);
    rvi_call_fail_after(1, 0, false);
    assert_int_equal(rvi_op_await(&op, INT64_MAX), -ENOMEM);
    rvi_call_fail_after(1, 1, false);
    assert_int_equal(rvi_op_await(&op, INT64_MAX), 0); /* interrupted: for nothing */
    rvi_call_fail_after(-1, 0, false);
    close_pair(fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_what_is_empty_never_waits),
        cmocka_unit_test(writing_to_what_is_full_never_waits),
        cmocka_unit_test(as_much_is_written_as_there_is_room_for),
        cmocka_unit_test(sockets_are_attempted_whether_they_block_or_not),
        cmocka_unit_test(batches_are_as_long_as_what_is_there),
        cmocka_unit_test(flags_of_the_caller_are_kept),
        cmocka_unit_test(connections_are_attempted_where_they_do_not_block),
        cmocka_unit_test(connections_are_not_attempted_where_they_block),
        cmocka_unit_test(transfers_are_attempted_where_they_do_not_block),
        cmocka_unit_test(transfers_are_not_attempted_where_they_block),
        cmocka_unit_test(a_peer_that_is_gone_is_an_error_without_a_signal),
        cmocka_unit_test(a_file_is_read_at_once_or_not_at_all),
        cmocka_unit_test(a_file_is_written_where_it_is_said),
        cmocka_unit_test(a_folder_cannot_be_read),
        cmocka_unit_test(paths_are_never_attempted_and_may_be_performed),
        cmocka_unit_test(each_kind_knows_what_it_waits_for),
        cmocka_unit_test(a_descriptor_that_is_closed_is_refused),
        cmocka_unit_test(only_files_have_nothing_to_wait_for),
        cmocka_unit_test(polling_tells_what_is_there),
        cmocka_unit_test(a_call_waits_whatever_signals_come),
        cmocka_unit_test(an_interruption_is_nobodys_result),
        cmocka_unit_test(a_thread_waits_until_it_is_ready_or_late),
        cmocka_unit_test(a_wait_that_fails_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
