/* SPDX-License-Identifier: MIT */
/* test_simio.c - reading and writing in simulated runs: the same calls, on descriptors that are
 * nowhere but in the run. */
#include <ravel/sim.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../support/crowd.h"
#include "../sched/sched_test.h"
#include "base/alloc.h"

enum { SEEDS = 100, BYTES = 3000 };

static struct rv_sim_result explore(rv_fn *scene, void *arg, struct rv_sim_opts opts, int wanted)
{
    struct rv_sim_result result = {.size = sizeof result};
    long before = rvi_alloc_live();

    opts.size = sizeof opts;
    opts.seeds = opts.seeds ? opts.seeds : scaled(SEEDS, 10);
    opts.quiet = wanted < 0;
    assert_int_equal(rv_sim_explore(scene, arg, &opts, &result), wanted);
    assert_int_equal(rvi_alloc_live(), before);
    if (wanted == 0)
        assert_int_equal(result.descriptors, 0);
    return result;
}

/* --- connections --- */

static char at[RV_ADDR_TEXT];

static int listen_at(const char *network, const char *address)
{
    struct rv_addr addr;
    int fd = rv_listen(network, address, NULL);

    RV_CHECK(fd >= 0);
    RV_CHECK(rv_addr_local(fd, &addr) == 0);
    rv_addr_format(&addr, at, sizeof at);
    return fd;
}

static int serve_one(void *listener)
{
    char bytes[700];
    ssize_t n;
    int fd = rv_accept(*(int *)listener, NULL, RV_NEVER);

    if (fd < 0)
        return fd;
    while ((n = rv_recv(fd, bytes, sizeof bytes, 0, RV_NEVER)) > 0) {
        if ((n = rv_send_all(fd, bytes, (size_t)n, NULL, RV_NEVER)) < 0)
            break;
    }
    int closed = rv_close(fd);
    return n < 0 ? (int)n : closed;
}

static int send_bytes(void *fd)
{
    char bytes[BYTES];

    for (size_t i = 0; i < BYTES; i++)
        bytes[i] = (char)(i * 7);
    int r = rv_send_all(*(int *)fd, bytes, BYTES, NULL, RV_NEVER);
    return r < 0 ? r : rv_shutdown(*(int *)fd, SHUT_WR);
}

static int receive_bytes(int fd)
{
    size_t got = 0;
    char bytes[200];
    ssize_t n;

    while ((n = rv_recv(fd, bytes, sizeof bytes, 0, RV_NEVER)) > 0) {
        for (ssize_t i = 0; i < n; i++, got++)
            RV_CHECK(bytes[i] == (char)(got * 7));
    }
    /* Word of a reset may have gone to the sender. */
    return n < 0 ? (int)n : got == BYTES ? 0 : -ECONNRESET;
}

static int call_the_server(const char *network)
{
    int err, fd = rv_dial(network, at, RV_NEVER);

    if (fd < 0)
        return fd;
    RV_SCOPE(s, err) {
        go(s, send_bytes, &fd);
        int r = receive_bytes(fd);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    RV_CHECK(rv_close(fd) == 0);
    return err;
}

static int echo_on(const char *network, const char *address)
{
    int err, listener = listen_at(network, address);

    RV_SCOPE(s, err) {
        go(s, serve_one, &listener);
        int r = call_the_server(network);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    RV_CHECK(rv_close(listener) == 0);
    return err;
}

static int echo_over_tcp(void *arg)
{
    (void)arg;
    return echo_on("tcp", "127.0.0.1:0");
}

static int echo_over_tcp6(void *arg)
{
    (void)arg;
    return echo_on("tcp", "[::1]:8080");
}

static int echo_over_unix(void *arg)
{
    (void)arg;
    return echo_on("unix", "@a name");
}

static void what_is_sent_comes_back(void **state)
{
    (void)state;
    explore(echo_over_tcp, NULL, (struct rv_sim_opts){0}, 0);
    explore(echo_over_tcp, NULL, (struct rv_sim_opts){.net_buffer_bytes = 1, .seeds = 3}, 0);
    explore(echo_over_tcp6, NULL, (struct rv_sim_opts){0}, 0);
    explore(echo_over_unix, NULL, (struct rv_sim_opts){0}, 0);
}

static void a_slow_network_takes_virtual_time_alone(void **state)
{
    struct rv_sim_opts opts = {.net_latency_ns = RV_SECOND, .seeds = 5};
    (void)state;
    struct rv_sim_result result = explore(echo_over_tcp, NULL, opts, 0);
    assert_true(result.elapsed >= 4 * RV_SECOND);
}

static void lost_packets_are_sent_again(void **state)
{
    struct rv_sim_opts opts = {.net_lose_ppm = 1000000, .net_buffer_bytes = 1000, .seeds = 20};
    (void)state;
    struct rv_sim_result result = explore(echo_over_tcp, NULL, opts, 0);
    assert_true(result.elapsed >= 400 * RV_MILLISECOND);
}

static int dial_by_name(void *arg)
{
    int err, listener = listen_at("tcp4", "127.0.0.1:80");

    (void)arg;
    RV_SCOPE(s, err) {
        go(s, serve_one, &listener);
        int fd = rv_dial("tcp", "localhost:80", RV_NEVER); /* ::1 refuses */
        RV_CHECK(fd >= 0);
        RV_CHECK(rv_close(fd) == 0);
    }
    RV_CHECK(rv_close(listener) == 0);
    return err == -ECONNRESET ? 0 : err;
}

static void several_addresses_are_raced(void **state)
{
    (void)state;
    explore(dial_by_name, NULL, (struct rv_sim_opts){0}, 0);
}

/* --- what goes wrong --- */

static void faults_reach_the_program(void **state)
{
    (void)state;
    explore(echo_over_tcp, NULL, (struct rv_sim_opts){.net_refuse_ppm = 1000000}, -ECONNREFUSED);
    explore(echo_over_tcp, NULL, (struct rv_sim_opts){.net_reset_ppm = 200000}, -ECONNRESET);
    explore(echo_over_tcp, NULL, (struct rv_sim_opts){.net_silence_ppm = 500000}, -EDEADLK);
}

static int nobody_answers(void *arg)
{
    char byte;
    int fds[2];

    (void)arg;
    RV_CHECK(rv_pipe(fds) == 0);
    rv_time before = rv_now();
    RV_CHECK(rv_read(fds[0], &byte, 1, before + RV_SECOND) == -ETIME);
    RV_CHECK(rv_now() >= before + RV_SECOND && rv_now() < before + 2 * RV_SECOND);
    RV_CHECK(rv_poll(fds[0], POLLIN, before) == -ETIME);
    RV_CHECK(rv_poll(fds[1], POLLOUT, before) == POLLOUT);
    RV_CHECK(rv_close(fds[0]) == 0);
    RV_CHECK(rv_write(fds[1], &byte, 1, RV_NEVER) == -EPIPE);
    RV_CHECK(rv_close(fds[1]) == 0);
    return 0;
}

static void deadlines_hold(void **state)
{
    (void)state;
    explore(nobody_answers, NULL, (struct rv_sim_opts){0}, 0);
}

static int read_for_ever(void *fd)
{
    char byte;
    return (int)rv_read(*(int *)fd, &byte, 1, RV_NEVER);
}

static int is_cancelled(void *arg)
{
    int err, fds[2];

    (void)arg;
    RV_CHECK(rv_pipe(fds) == 0);
    RV_SCOPE(s, err) {
        go(s, read_for_ever, &fds[0]);
        rv_yield();
        rv_scope_cancel(s, -EDOM);
    }
    RV_CHECK(err == -EDOM);
    RV_CHECK(rv_close(fds[0]) == 0 && rv_close(fds[1]) == 0);
    return 0;
}

static void a_wait_is_cancelled(void **state)
{
    (void)state;
    explore(is_cancelled, NULL, (struct rv_sim_opts){0}, 0);
}

static int is_closed_meanwhile(void *arg)
{
    int err, fds[2];

    (void)arg;
    RV_CHECK(rv_pipe(fds) == 0);
    RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
        go(s, read_for_ever, &fds[0]);
        rv_yield();
        RV_CHECK(rv_close(fds[0]) == 0);
    }
    RV_CHECK(err == -EBADF);
    RV_CHECK(rv_close(fds[1]) == 0);
    return 0;
}

static void closing_what_others_wait_for_wakes_them(void **state)
{
    (void)state;
    explore(is_closed_meanwhile, NULL, (struct rv_sim_opts){0}, 0);
}

static int read_what_nobody_writes(void *arg)
{
    int fds[2];

    (void)arg;
    RV_CHECK(rv_pipe(fds) == 0);
    int r = read_for_ever(&fds[0]);
    RV_CHECK(rv_close(fds[0]) == 0 && rv_close(fds[1]) == 0);
    return r;
}

static void waiting_for_nobody_is_a_deadlock(void **state)
{
    (void)state;
    explore(read_what_nobody_writes, NULL, (struct rv_sim_opts){0}, -EDEADLK);
}

/* --- descriptors --- */

static int hold_and_let_go(void *fd)
{
    RV_CHECK(rv_sleep(RV_SECOND) == 0);
    return rv_close(*(int *)fd);
}

/* The listener, both ends, and one more: there is room for that one only later. */
static int accept_when_there_is_room(void *arg)
{
    int err, listener = listen_at("tcp", "127.0.0.1:0"), spare;

    (void)arg;
    int client = rv_dial("tcp", at, RV_NEVER);
    RV_CHECK(client >= 0);
    spare = rv_listen("tcp", "127.0.0.1:0", NULL);
    RV_CHECK(spare >= 0);
    RV_CHECK(rv_listen("tcp", "127.0.0.1:0", NULL) == -EMFILE);
    RV_SCOPE(s, err) {
        go(s, hold_and_let_go, &spare);
        int fd = rv_accept(listener, NULL, rv_after(RV_MINUTE));
        RV_CHECK(fd >= 0);
        RV_CHECK(rv_close(fd) == 0);
    }
    RV_CHECK(rv_close(client) == 0 && rv_close(listener) == 0);
    return err;
}

static void accepting_waits_out_a_lack_of_descriptors(void **state)
{
    (void)state;
    explore(accept_when_there_is_room, NULL, (struct rv_sim_opts){.net_descriptors = 3}, 0);
}

static int use_what_is_not_simulated(void *arg)
{
    int real = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];
    char byte = 0;

    (void)arg;
    RV_CHECK(real >= 0);
    RV_CHECK(rv_write(real, &byte, 1, RV_NEVER) == -ENOTSUP);
    RV_CHECK(rv_poll(real, POLLIN, RV_NEVER) == -ENOTSUP);
    RV_CHECK(rv_close(real) == 0);
    RV_CHECK(fcntl(real, F_GETFD) < 0);
    RV_CHECK(rv_pipe(fds) == 0);
    RV_CHECK(read(fds[0], &byte, 1) < 0 && errno == EBADF);
    RV_CHECK(rv_close(fds[0]) == 0 && rv_close(fds[1]) == 0);
    RV_CHECK(rv_read(fds[0], &byte, 1, RV_NEVER) == -EBADF);
    RV_CHECK(rv_listen("udp", "127.0.0.1:0", NULL) == -EPROTONOSUPPORT);
    return 0;
}

static void what_is_not_simulated_says_so(void **state)
{
    (void)state;
    explore(use_what_is_not_simulated, NULL, (struct rv_sim_opts){.seeds = 1}, 0);
}

static int leave_one_open(void *arg)
{
    int fds[2];

    (void)arg;
    RV_CHECK(rv_pipe(fds) == 0);
    return rv_close(fds[0]);
}

static void what_was_left_open_is_counted(void **state)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .seeds = 1};
    struct rv_sim_result result = {.size = sizeof result};
    (void)state;
    assert_int_equal(rv_sim_explore(leave_one_open, NULL, &opts, &result), 0);
    assert_int_equal(result.descriptors, 1);
}

/* --- the same again --- */

static void equal_seeds_give_equal_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct rv_sim_opts opts = {.seed = seed, .seeds = 1, .net_lose_ppm = 100000};
        struct rv_sim_result one = explore(echo_over_tcp, NULL, opts, 0);
        struct rv_sim_result two = explore(echo_over_tcp, NULL, opts, 0);
        assert_true(one.digest == two.digest && one.elapsed == two.elapsed);
    }
}

static void options_out_of_range_are_refused(void **state)
{
    const struct rv_sim_opts bad[] = {
        {.size = sizeof bad[0], .quiet = 1, .net_latency_ns = -1},
        {.size = sizeof bad[0], .quiet = 1, .net_buffer_bytes = SIZE_MAX},
        {.size = sizeof bad[0], .quiet = 1, .net_descriptors = 1u << 30},
        {.size = sizeof bad[0], .quiet = 1, .net_lose_ppm = 1000001},
        {.size = sizeof bad[0], .quiet = 1, .net_reset_ppm = 1000001},
        {.size = sizeof bad[0], .quiet = 1, .net_silence_ppm = 1000001},
        {.size = sizeof bad[0], .quiet = 1, .net_refuse_ppm = 1000001},
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rv_sim_run(do_nothing, NULL, &bad[i]), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_back),
        cmocka_unit_test(a_slow_network_takes_virtual_time_alone),
        cmocka_unit_test(lost_packets_are_sent_again),
        cmocka_unit_test(several_addresses_are_raced),
        cmocka_unit_test(faults_reach_the_program),
        cmocka_unit_test(deadlines_hold),
        cmocka_unit_test(a_wait_is_cancelled),
        cmocka_unit_test(closing_what_others_wait_for_wakes_them),
        cmocka_unit_test(waiting_for_nobody_is_a_deadlock),
        cmocka_unit_test(accepting_waits_out_a_lack_of_descriptors),
        cmocka_unit_test(what_is_not_simulated_says_so),
        cmocka_unit_test(what_was_left_open_is_counted),
        cmocka_unit_test(equal_seeds_give_equal_runs),
        cmocka_unit_test(options_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
