/* SPDX-License-Identifier: MIT */
/* stress_io_load.c - many connections: at one time, and one after the other; and signals all the
 * while. Whatever happens, nothing is left: no descriptor, no byte, no task.
 *
 * At a scale of 20000 (`make soak`) these are 20,000 at a time, and a million. */
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "io.h"

enum {
    AT_ONCE = 1000,
    MOST_AT_ONCE = 20000,
    ONE_BY_ONE = 5000,
    CALLERS = 50,
    MESSAGE = 100,
    STORM_US = 150,
    STORM_ROUNDS = 1500,
};

static struct server server;

static int dial(void)
{
    int fd = rv_dial(server.network, server.at, RV_NEVER);
    RV_CHECK(fd >= 0);
    return fd;
}

static void exchange(int fd, char fill)
{
    char text[MESSAGE], got[MESSAGE];
    memset(text, fill, sizeof text);
    RV_CHECK(rv_send_all(fd, text, sizeof text, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_read_full(fd, got, sizeof got, NULL, RV_NEVER) == 0);
    RV_CHECK(memcmp(text, got, sizeof text) == 0);
}

/* Ports of closed connections rest for a minute; those of reset ones do not. */
static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    RV_CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    RV_CHECK(rv_close(fd) == 0);
}

/* ---- many at a time ---- */

static struct {
    size_t count;
    struct rv_latch all_there, all_done;
} crowd;

static int be_one_of_many(void *arg)
{
    int fd = dial();
    exchange(fd, (char)(uintptr_t)arg);
    rv_latch_count_down(&crowd.all_there, 1);
    RV_CHECK(rv_latch_wait(&crowd.all_there, RV_NEVER) == 0);
    exchange(fd, (char)((uintptr_t)arg >> 8));
    rv_latch_count_down(&crowd.all_done, 1);
    RV_CHECK(rv_latch_wait(&crowd.all_done, RV_NEVER) == 0);
    reset(fd);
    return 0;
}

static int be_one(void *arg)
{
    int fd = dial();
    (void)arg;
    exchange(fd, 'x');
    reset(fd);
    return 0;
}

static int all_at_once(void *arg)
{
    int err;
    (void)arg;
    rv_latch_init(&crowd.all_there, crowd.count);
    rv_latch_init(&crowd.all_done, crowd.count);
    RV_SCOPE(s, err) {
        for (uintptr_t i = 0; i < crowd.count; i++)
            RV_CHECK(rv_go(s, be_one_of_many, (void *)i) == 0);
    }
    return err;
}

/* The server has a process of its own, and so descriptors of its own. It ends when the pipe
 * does. */
static int serve_until_the_end(void *pipe_end)
{
    char byte;
    int err, fd = *(int *)pipe_end;
    RV_SCOPE(s, err) {
        server.sessions = s;
        RV_CHECK(rv_go(s, serve, &server) == 0);
        RV_CHECK(rv_read(fd, &byte, 1, RV_NEVER) == 0);
        rv_scope_cancel(s, -ECANCELED);
    }
    RV_CHECK(err == -ECANCELED);
    return 0;
}

static pid_t start_server(int *ret_end)
{
    int ends[2];
    open_server(&server, "tcp", "127.0.0.1:0");
    RV_CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    RV_CHECK(pid >= 0);
    if (pid == 0) {
        struct rv_run_opts opts = {.size = sizeof(opts), .workers = 2};
        close(ends[1]);
        size_t before = open_descriptors();
        int r = rv_run(serve_until_the_end, &ends[0], &opts);
        _exit(r == 0 && open_descriptors() == before ? 0 : 1);
    }
    close(ends[0]);
    RV_CHECK(rv_close(server.listener) == 0);
    *ret_end = ends[1];
    return pid;
}

static void thousands_are_connected_at_once(void **state)
{
    size_t wanted = scaled(AT_ONCE, 50);
    int end, status;
    (void)state;
    crowd.count = descriptors_to_have(fibers(wanted < MOST_AT_ONCE ? wanted : MOST_AT_ONCE));
    if (crowd.count == 0)
        skip();
    print_message("%zu connections\n", crowd.count);
    pid_t pid = start_server(&end);
    leave_nothing(2, all_at_once, NULL, be_one);
    close(end);
    RV_CHECK(waitpid(pid, &status, 0) == pid);
    assert_int_equal(status, 0);
}

/* ---- one after the other ---- */

static size_t calls;

static int call_again_and_again(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < calls / CALLERS; i++) {
        int fd = dial();
        exchange(fd, (char)i);
        if (i % 2 == 0 || strcmp(server.network, "unix") != 0)
            reset(fd);
        else
            RV_CHECK(rv_close_gracefully(fd, RV_NEVER) == 0);
    }
    return 0;
}

static int all_callers(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < CALLERS; i++)
            RV_CHECK(rv_go(s, call_again_and_again, NULL) == 0);
    }
    return err;
}

static int call_over_both(void *count)
{
    char path[64];
    calls = *(size_t *)count / 2;
    open_server(&server, "tcp", "127.0.0.1:0");
    int r = with_server(&server, all_callers, NULL);
    snprintf(path, sizeof path, "@ravel-stress-%d", (int)getpid());
    open_server(&server, "unix", path);
    return r < 0 ? r : with_server(&server, all_callers, NULL);
}

static int call_a_few(void *arg)
{
    size_t few = 2 * CALLERS;
    (void)arg;
    return call_over_both(&few);
}

static void connections_that_come_and_go_leave_nothing(void **state)
{
    size_t count = scaled(ONE_BY_ONE, 4 * CALLERS);
    (void)state;
    leave_nothing(2, call_over_both, &count, call_a_few);
}

/* ---- signals all the while ---- */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

/* Without SA_RESTART, so that each wait in the kernel that may end by it does. */
static void begin_storm(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    const struct itimerval often = {{0, STORM_US}, {0, STORM_US}};
    RV_CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    RV_CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

static void end_storm(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    RV_CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    signal(SIGALRM, SIG_IGN); /* the last may be on its way */
}

static int use_a_file(void)
{
    char path[] = "/tmp/ravel-storm-XXXXXX", bytes[MESSAGE] = "", got[MESSAGE];
    int fd = mkstemp(path);
    RV_CHECK(fd >= 0);
    for (int i = 0; i < 20; i++)
        RV_CHECK(rv_write_all(fd, bytes, sizeof bytes, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_close(fd) == 0);
    RV_CHECK((fd = rv_open(path, O_RDONLY, 0, RV_NEVER)) >= 0);
    for (int i = 0; i < 20; i++)
        RV_CHECK(rv_read_full(fd, got, sizeof got, NULL, RV_NEVER) == 0);
    RV_CHECK(rv_close(fd) == 0);
    return unlink(path);
}

static int talk_in_a_storm(void *arg)
{
    size_t rounds = scaled(STORM_ROUNDS, 30);
    int fd = dial();
    (void)arg;
    for (size_t i = 0; i < rounds; i++) {
        exchange(fd, (char)i);
        if (i % 64 == 0)
            RV_CHECK(rv_sleep(200 * RV_MICROSECOND) == 0);
        if (i % 256 == 0)
            RV_CHECK(use_a_file() == 0);
    }
    return rv_close(fd);
}

static int talk_in_pairs(void *arg)
{
    int err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (int i = 0; i < 4; i++)
            RV_CHECK(rv_go(s, talk_in_a_storm, NULL) == 0);
    }
    return err;
}

/* A fast machine may be through before the first signal. */
static int storm(void *arg)
{
    int r;
    (void)arg;
    do {
        open_server(&server, "tcp", "127.0.0.1:0");
        begin_storm();
        r = with_server(&server, talk_in_pairs, NULL);
        end_storm();
    } while (r == 0 && signals == 0);
    return r;
}

static void signals_change_nothing(void **state)
{
    (void)state;
    signals = 0;
    leave_nothing(2, storm, NULL, storm);
    RV_CHECK(signals > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_are_connected_at_once),
        cmocka_unit_test(connections_that_come_and_go_leave_nothing),
        cmocka_unit_test(signals_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
