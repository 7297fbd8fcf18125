/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "net_test.h"

#include "sys/call.h"

enum { BYTES = 600000 };

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + (i >> 8) * 13);
}

static int make_file(size_t bytes)
{
    int fd = memfd_create("ravel-test", MFD_CLOEXEC);
    unsigned char *all = malloc(bytes);
    RV_CHECK(fd >= 0 && all != NULL);
    for (size_t i = 0; i < bytes; i++)
        all[i] = byte_at(i);
    RV_CHECK(write(fd, all, bytes) == (ssize_t)bytes);
    free(all);
    return fd;
}

/* Reads all that comes, and compares it with the file from an offset on. */
struct reader {
    int fd;
    size_t offset, count;
};

static int check_all(void *arg)
{
    struct reader *r = arg;
    unsigned char *buf = malloc(65536);
    ssize_t n;
    RV_CHECK(buf != NULL);
    while ((n = rv_read(r->fd, buf, 65536, RV_NEVER)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            RV_CHECK(buf[i] == byte_at(r->offset + r->count + (size_t)i));
        r->count += (size_t)n;
    }
    free(buf);
    return (int)n;
}

/* --- files --- */

static void make_socket_pair(int fds[2])
{
    RV_CHECK(rv_socketpair(SOCK_STREAM, fds) == 0);
}

static void make_blocking_pair(int fds[2])
{
    RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
}

static void make_pipe(int fds[2])
{
    int ends[2];
    RV_CHECK(rv_pipe(ends) == 0);
    fds[0] = ends[1];
    fds[1] = ends[0];
}

typedef void maker(int fds[2]); /* what is written to [0] is read from [1] */
static maker *const makers[] = {connect_pair, make_socket_pair, make_blocking_pair, make_pipe};
enum { MAKERS = sizeof makers / sizeof makers[0] };

static int send_part(maker *make, size_t offset, size_t count, size_t expected)
{
    int fds[2], file = make_file(BYTES), err;
    uint64_t done = 0;
    make(fds);
    struct reader reader = {fds[1], offset, 0};
    RV_SCOPE(s, err) {
        go(s, check_all, &reader);
        RV_CHECK(rv_sendfile(fds[0], file, (int64_t)offset, count, &done, RV_NEVER) == 0);
        rv_close(fds[0]);
    }
    RV_CHECK(done == expected && reader.count == expected);
    RV_CHECK(lseek(file, 0, SEEK_CUR) == BYTES); /* untouched */
    rv_close(fds[1]);
    rv_close(file);
    return err;
}

static int send_parts(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < MAKERS; i++) {
        RV_CHECK(send_part(makers[i], 0, BYTES, BYTES) == 0);
        RV_CHECK(send_part(makers[i], 12345, 300001, 300001) == 0);
        RV_CHECK(send_part(makers[i], BYTES - 10, 1000, 10) == 0);
        RV_CHECK(send_part(makers[i], BYTES + 10, 1000, 0) == 0);
        RV_CHECK(send_part(makers[i], 0, 0, 0) == 0);
    }
    return 0;
}

static void a_part_of_a_file_is_sent_into_anything(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    assert_int_equal(run_on(1, send_parts, NULL), 0);
    assert_int_equal(run_on(2, send_parts, NULL), 0);
    assert_int_equal(holdings_now().files, before.files);
    assert_int_equal(holdings_now().memory, before.memory);
}

static int refuse_the_kernels_way(void *arg)
{
    long at = *(long *)arg;
    int fds[2], file = make_file(1000);
    uint64_t done = 0;
    make_socket_pair(fds);
    rvi_call_fail_after(at, 2, false); /* EINVAL, of those that have it */
    int r = rv_sendfile(fds[0], file, 0, 1000, &done, RV_NEVER);
    rvi_call_fail_after(-1, 0, false);
    RV_CHECK(r == 0 && done == 1000);
    rv_close(file);
    close_pair(fds);
    return 0;
}

static void what_the_kernel_refuses_goes_through_a_buffer(void **state)
{
    long at = 1;
    (void)state;
    assert_int_equal(refuse_the_kernels_way(&at), 0);
}

static int meet_errors(void *arg)
{
    int fds[2], pipes[2], file = make_file(BYTES);
    uint64_t done = 99;
    (void)arg;
    make_socket_pair(fds);
    RV_CHECK(rv_pipe(pipes) == 0);
    RV_CHECK(rv_sendfile(fds[0], file, -1, 10, &done, RV_NEVER) == -EINVAL && done == 0);
    RV_CHECK(rv_sendfile(fds[0], pipes[0], 0, 10, &done, RV_NEVER) == -ESPIPE);
    RV_CHECK(rv_sendfile(fds[0], -1, 0, 10, &done, RV_NEVER) == -EBADF);
    RV_CHECK(rv_sendfile(-1, file, 0, 10, &done, RV_NEVER) == -EBADF);
    for (rv_time patience = RV_MILLISECOND; done == 0; patience *= 2) /* some machines are slow */
        RV_CHECK(rv_sendfile(fds[0], file, 0, BYTES, &done, rv_after(patience)) == -ETIME);
    RV_CHECK(done < BYTES);
    rv_close(fds[1]);
    RV_CHECK(rv_sendfile(fds[0], file, 0, BYTES, &done, RV_NEVER) == -EPIPE && done == 0);
    rv_close(fds[0]);
    rv_close(pipes[0]);
    rv_close(pipes[1]);
    return rv_close(file);
}

/* SIGPIPE would end the program. */
static void a_peer_that_is_gone_is_an_error_and_no_signal(void **state)
{
    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    play_everywhere(meet_errors, NULL);
}

/* --- anything --- */

struct source {
    int fd;
    size_t count;
};

static int write_all(void *arg)
{
    struct source *source = arg;
    unsigned char *all = malloc(source->count + 1);
    RV_CHECK(all != NULL);
    for (size_t i = 0; i < source->count; i++)
        all[i] = byte_at(i);
    int r = rv_write_all(source->fd, all, source->count, NULL, RV_NEVER);
    free(all);
    rv_close(source->fd);
    return r;
}

static int move_between(maker *make_in, maker *make_out, size_t count, uint64_t most)
{
    int in[2], out[2], err;
    uint64_t done = 0;
    make_in(in);
    make_out(out);
    struct source source = {in[0], count};
    struct reader reader = {out[1], 0, 0};
    RV_SCOPE(s, err) {
        go(s, write_all, &source);
        go(s, check_all, &reader);
        RV_CHECK(rv_splice(out[0], in[1], most, &done, RV_NEVER) == 0);
        rv_close(out[0]);
    }
    RV_CHECK(done == (count < most ? count : most) && reader.count == done);
    rv_close(out[1]);
    rv_close(in[1]);
    return err;
}

static int move_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < MAKERS; i++) {
        for (size_t j = 0; j < MAKERS; j++) {
            RV_CHECK(move_between(makers[i], makers[j], 200000, UINT64_MAX) == 0);
            RV_CHECK(move_between(makers[i], makers[j], 1000, 1000) == 0);
            RV_CHECK(move_between(makers[i], makers[j], 0, UINT64_MAX) == 0);
        }
    }
    return 0;
}

static void bytes_move_between_any_two(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    assert_int_equal(run_on(1, move_all, NULL), 0);
    assert_int_equal(run_on(2, move_all, NULL), 0);
    assert_int_equal(holdings_now().files, before.files);
    assert_int_equal(holdings_now().memory, before.memory);
}

static int move_under_failures(void *arg)
{
    int in[2], out[2];
    uint64_t done = 0;
    char buf[32];
    make_socket_pair(in);
    make_socket_pair(out);
    RV_CHECK(send(in[0], "some bytes that move", 20, 0) == 20);
    rvi_call_fail_after(*(long *)arg, 2, false); /* EINVAL, of SPLICE */
    int r = rv_splice(out[0], in[1], 20, &done, RV_NEVER);
    bool all_tried = rvi_call_fail_pending();
    rvi_call_fail_after(-1, 0, false);
    RV_CHECK(r == 0 && done == 20);
    RV_CHECK(recv(out[1], buf, sizeof buf, 0) == 20);
    RV_CHECK(memcmp(buf, "some bytes that move", 20) == 0);
    close_pair(in);
    close_pair(out);
    return all_tried;
}

static void bytes_are_not_lost_where_the_kernel_refuses_half_way(void **state)
{
    long at = 1;
    (void)state;
    while (move_under_failures(&at) == 0 && at < 100)
        at++;
    assert_true(RVI_DEBUG_CHECKS < 1 || (at > 2 && at < 100));
}

static int meet_errors_between(void *arg)
{
    int in[2], out[2];
    uint64_t done = 99;
    (void)arg;
    make_socket_pair(in);
    make_socket_pair(out);
    RV_CHECK(rv_splice(out[0], in[1], 10, &done, rv_after(RV_MILLISECOND)) == -ETIME && done == 0);
    RV_CHECK(rv_splice(out[0], -1, 10, &done, RV_NEVER) == -EBADF);
    RV_CHECK(send(in[0], "lost", 4, 0) == 4);
    RV_CHECK(rv_splice(-1, in[1], 10, &done, RV_NEVER) == -EBADF && done == 0);
    RV_CHECK(send(in[0], "lost", 4, 0) == 4);
    rv_close(out[1]);
    RV_CHECK(rv_splice(out[0], in[1], 10, &done, RV_NEVER) == -EPIPE && done == 0);
    rv_close(out[0]);
    close_pair(in);
    return 0;
}

static void both_ends_may_fail(void **state)
{
    (void)state;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    play_everywhere(meet_errors_between, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_a_file_is_sent_into_anything),
        cmocka_unit_test(what_the_kernel_refuses_goes_through_a_buffer),
        cmocka_unit_test(a_peer_that_is_gone_is_an_error_and_no_signal),
        cmocka_unit_test(bytes_move_between_any_two),
        cmocka_unit_test(bytes_are_not_lost_where_the_kernel_refuses_half_way),
        cmocka_unit_test(both_ends_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
