/* SPDX-License-Identifier: MIT */
/* test_process.c - services that are processes: how they end, by themselves and when they are told
 * to, and what they are given. This program is its own worker. */
#include <ravel/supervisor.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ravel.h>

#include "../../support/held.h"
#include "../../support/under_tool.h"
#include "base/alloc.h"
#include "base/check.h"
#include "journal.h"

#define SOON RV_MILLISECOND
#define LONG (1000 * RV_MINUTE)

/* --- in the process --- */

enum way {
    STAY,
    SAY_READY,
    NEVER_READY,
    RETURN_WELL,
    FAIL,
    EXIT,
    EXIT_WELL,
    CRASH,
    DEAF,
    STUBBORN,
    EAT,
    READ_A_FILE,
    WRITE_A_FILE,
    HAVE_ONE
};

struct order {
    enum way way;
    int fd; /* -1, or where to say what one is */
};

static void hold_out(void)
{
    RV_CHECK(rv_shield_begin(rv_after(LONG)) == 0);
    (void)!rv_sleep(LONG);
    rv_shield_end();
}

/* 300 MiB, to stay. */
static int eat(void)
{
    volatile char *memory = malloc(300 << 20);
    RV_CHECK(memory != NULL);
    for (size_t i = 0; i < 300 << 20; i += 512) {
        memory[i] = 1;
        if (i % (1 << 20) == 0)
            rv_yield();
    }
    return rv_sleep_until(RV_NEVER);
}

/* After it has been seen to be a runtime as any other. Returns 0 or errno. */
static int open_null(int flags)
{
    char byte = 'x';
    int ends[2], r = rv_pipe(ends);
    if (r < 0)
        return r;
    RV_CHECK(rv_write(ends[1], &byte, 1, RV_NEVER) == 1 &&
             rv_read(ends[0], &byte, 1, RV_NEVER) == 1);
    RV_CHECK(rv_read(ends[0], &byte, 1, rv_after(SOON)) == -ETIME);
    rv_close(ends[0]);
    rv_close(ends[1]);
    int fd = open("/dev/null", flags | O_CLOEXEC);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int have_one_of_its_own(void);

static int act(const struct order *order)
{
    if (order->fd >= 0)
        RV_CHECK(write(order->fd, &(pid_t){getpid()}, sizeof(pid_t)) == sizeof(pid_t));
    switch (order->way) {
    case STAY:
    case NEVER_READY:
        break;
    case SAY_READY:
        RV_CHECK(rv_service_ready() == 0);
        break;
    case RETURN_WELL:
        return 300;
    case FAIL:
        return -EIO;
    case EXIT:
        RV_CHECK(write(2, "exits\n", 6) == 6);
        _exit(3);
    case EXIT_WELL:
        _exit(0);
    case CRASH:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit */
        raise(SIGSEGV);
        break;
    case STUBBORN:
        signal(SIGTERM, SIG_IGN);
        RV_CHECK(rv_service_ready() == 0);
        hold_out();
        break;
    case DEAF:
        RV_CHECK(rv_service_ready() == 0);
        hold_out();
        break;
    case EAT:
        return eat();
    case READ_A_FILE:
        return open_null(O_RDONLY);
    case WRITE_A_FILE:
        return open_null(O_WRONLY);
    case HAVE_ONE:
        return have_one_of_its_own();
    }
    return rv_sleep_until(RV_NEVER);
}
RV_SERVICE(act, struct order);

/* --- here --- */

static const struct rv_child_limit no_core = {RLIMIT_CORE, {0, 0}};

static struct {
    struct order orders[2];
    struct rv_process_opts process;
    struct rv_service services[2];
    struct rv_supervisor_opts opts;
} on;

static int wait_in_task(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

/* a is a process, b a task. */
static void set_up(enum way way)
{
    memset(&journal, 0, sizeof journal);
    on.orders[0] = (struct order){way, -1};
    on.process =
        (struct rv_process_opts){.size = sizeof on.process, .limits = &no_core, .limit_count = 1};
    on.services[0] = (struct rv_service){.size = sizeof on.services[0],
                                         .name = "a",
                                         .process = RV_PROCESS(act),
                                         .arg = &on.orders[0],
                                         .arg_bytes = sizeof on.orders[0],
                                         .restart = RV_RESTART_TEMPORARY,
                                         .stop_time = LONG,
                                         .opts = &on.process};
    on.services[1] = (struct rv_service){.size = sizeof on.services[1],
                                         .name = "b",
                                         .run = wait_in_task,
                                         .restart = RV_RESTART_TEMPORARY};
    on.opts = (struct rv_supervisor_opts){.size = sizeof on.opts,
                                          .services = on.services,
                                          .count = 1,
                                          .intensity = 5,
                                          .period = LONG,
                                          .report = note};
}

static rv_supervisor *start(rv_scope *scope)
{
    rv_supervisor *sup;
    int r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
    if (r < 0)
        rvi_panic("cannot start: %d, %s", r, journal.last.text);
    return sup;
}

static pid_t pid_of(rv_supervisor *sup, const char *name)
{
    struct rv_service_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_service_stats_read(sup, name, &stats) == 0);
    return stats.pid;
}

/* In a process: which does the same, and so on. Returns how many there could be. */
static int have_one_of_its_own(void)
{
    rv_supervisor *sup;
    int err, r = 0, below = 0;

    set_up(HAVE_ONE);
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
        if (r == 0) {
            RV_CHECK(rv_supervisor_wait(sup, NULL, RV_NEVER) == 0);
            RV_CHECK(rv_supervisor_close(sup) == 0);
        }
    }
    RV_CHECK(err == 0 && (r == 0 || r == -ELOOP));
    RV_CHECK(r < 0 || sscanf(journal.last.text, "returned %d", &below) == 1);
    return 1 + below;
}

/* No memory, no descriptor, no process is left. */
static void perform(rv_fn *play, void *arg)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};
    long before = rvi_alloc_live();
    size_t descriptors = open_descriptors();

    assert_int_equal(rv_run(play, arg, &opts), 0);
    assert_int_equal(rvi_alloc_live(), before);
    assert_int_equal(open_descriptors(), descriptors);
    assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

/* --- ends --- */

static const struct end_case {
    enum way way;
    int error, signal;
    const char *text;
} end_cases[] = {
    {RETURN_WELL, 0, 0, "returned 300"},
    {FAIL, -EIO, 0, "returned -EIO (Input/output error)"},
    {EXIT, -ECHILD, 0, "exited with status 3"},
    {EXIT_WELL, 0, 0, "exited with status 0"},
    {CRASH, -ECHILD, SIGSEGV, "was killed by SIGSEGV"},
    {HAVE_ONE, 0, 0, "returned 3"},
};

static int play_end(void *arg)
{
    const struct end_case *one = arg;
    int err;

    set_up(one->way);
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(rv_supervisor_wait(sup, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a!a");
    if (journal.last.error != one->error || journal.last.signal != one->signal ||
        strcmp(journal.last.text, one->text) != 0)
        rvi_panic("it %s, and not %s", journal.last.text, one->text);
    return err;
}

/* What is there for good once something was handed on to our standard error, is not looked for. */
static int warm_up(void **state)
{
    struct end_case one = {EXIT, -ECHILD, 0, "exited with status 3"};
    (void)state;
    return rv_run(play_end, &one, NULL);
}

static void each_end_is_told_for_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof end_cases / sizeof *end_cases; i++)
        perform(play_end, (void *)(uintptr_t)&end_cases[i]);
}

/* --- what it is kept from --- */

/* Looked at from its start on, and well within: it is stopped as any other. */
static int play_slim(void *arg)
{
    int err;

    (void)arg;
    set_up(STAY);
    on.process.memory_bytes = (uint64_t)1 << 40;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(rv_sleep(20 * RV_MILLISECOND) == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a-a");
    RV_CHECK(journal.last.error == -ECANCELED && journal.last.signal == 0);
    return err;
}

static int play_fat(void *arg)
{
    int err;

    (void)arg;
    set_up(EAT);
    on.process.memory_bytes = 256 << 20;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(rv_supervisor_wait(sup, NULL, RV_NEVER) == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a!a");
    RV_CHECK(journal.last.error == -ENOMEM && journal.last.signal == SIGKILL);
    RV_CHECK(strstr(journal.last.text, "more memory than it may have"));
    return err;
}

static void one_with_more_memory_than_it_may_have_is_killed(void **state)
{
    (void)state;
    perform(play_slim, NULL);
    perform(play_fat, NULL);
}

struct confined_case {
    enum rv_confinement confinement;
    enum way way;
    int returned;
    const char *const *env_changes;
};

/* -EOPNOTSUPP: this kernel confines nobody so. */
static int play_confined(void *arg)
{
    const struct confined_case *one = arg;
    rv_supervisor *sup;
    char text[32];
    int err, r = 0;

    set_up(one->way);
    snprintf(text, sizeof text, "returned %d", one->returned);
    on.process.confinement = one->confinement;
    on.process.env_changes = one->env_changes;
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
        if (r == 0) {
            RV_CHECK(rv_supervisor_wait(sup, NULL, RV_NEVER) == 0);
            RV_CHECK(rv_supervisor_close(sup) == 0 && strcmp(journal.last.text, text) == 0);
        }
    }
    RV_CHECK(err == 0);
    return r;
}

static void check_confined(const struct confined_case *cases, size_t count)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};

    for (size_t i = 0; i < count; i++) {
        int r = rv_run(play_confined, (void *)(uintptr_t)&cases[i], &opts);
        if (r == -EOPNOTSUPP)
            skip();
        assert_int_equal(r, 0);
    }
}

static void one_that_is_confined_to_computing_is_a_runtime_still(void **state)
{
    static const struct confined_case cases[] = {{RV_CONFINE_COMPUTE, READ_A_FILE, EPERM, NULL},
                                                 {RV_CONFINE_COMPUTE, WRITE_A_FILE, EPERM, NULL}};
    (void)state;
    check_confined(cases, 2);
}

static void regress_one_that_only_computes_wanted_the_ring_of_the_environment(void **state)
{
    static const char *const changes[] = {"RAVEL_BACKEND=uring", NULL};
    static const struct confined_case one = {RV_CONFINE_COMPUTE, READ_A_FILE, EPERM, changes};
    (void)state;
    check_confined(&one, 1);
}

static void one_that_is_confined_to_reading_is_a_runtime_still(void **state)
{
    static const struct confined_case cases[] = {{RV_CONFINE_READING, READ_A_FILE, 0, NULL},
                                                 {RV_CONFINE_READING, WRITE_A_FILE, EACCES, NULL}};
    (void)state;
    check_confined(cases, 2);
}

/* --- started again --- */

static int play_killed(void *arg)
{
    int err;

    (void)arg;
    set_up(SAY_READY);
    on.opts.count = 2;
    on.opts.strategy = RV_REST_FOR_ONE;
    on.services[0].restart = on.services[1].restart = RV_RESTART_PERMANENT;
    on.services[0].start_time = LONG;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        pid_t first = pid_of(sup, "a");
        RV_CHECK(first > 0 && kill(first, SIGKILL) == 0);
        await_journal("+a+b!a-b+a+b");
        pid_t second = pid_of(sup, "a");
        RV_CHECK(second > 0 && second != first && pid_of(sup, "b") == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a+b!a-b+a+b-b-a");
    RV_CHECK(journal.last.error == -ECANCELED);
    return err;
}

static void one_that_is_killed_is_started_again_with_the_rest(void **state)
{
    (void)state;
    perform(play_killed, NULL);
}

/* --- stopped --- */

static int play_stubborn(void *arg)
{
    int err, number = *(const int *)arg;

    set_up(number == SIGKILL ? STUBBORN : DEAF);
    on.services[0].start_time = LONG;
    on.services[0].stop_time = SOON;
    on.process.term_grace = number == SIGKILL ? SOON : LONG;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a~a-a");
    RV_CHECK(journal.last.signal == number);
    return err;
}

static void one_that_does_not_stop_is_killed_by_and_by(void **state)
{
    (void)state;
    perform(play_stubborn, &(int){SIGTERM});
    perform(play_stubborn, &(int){SIGKILL});
}

/* It cannot hear that it is to stop, nor SIGTERM. */
static int play_held(void *arg)
{
    int err;

    (void)arg;
    set_up(SAY_READY);
    on.services[0].start_time = LONG;
    on.services[0].stop_time = on.process.term_grace = SOON;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(kill(pid_of(sup, "a"), SIGSTOP) == 0);
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    expect_journal("+a~a-a");
    RV_CHECK(strcmp(journal.last.text, "was killed by SIGKILL") == 0);
    RV_CHECK(journal.last.error == -ECHILD && journal.last.signal == SIGKILL);
    return err;
}

static void regress_one_that_was_killed_unheard_was_lost(void **state)
{
    (void)state;
    perform(play_held, NULL);
}

static int play_cancelled(void *arg)
{
    int err;
    rv_supervisor *sup = NULL;

    (void)arg;
    set_up(STAY);
    on.opts.count = 2;
    RV_SCOPE(scope, err) {
        sup = start(scope);
        rv_scope_cancel(scope, -EINTR);
    }
    RV_CHECK(err == -EINTR && rv_supervisor_close(sup) == -ECANCELED);
    expect_journal("+a+b-b-a");
    RV_CHECK(journal.last.error == -ECANCELED && journal.last.signal == 0);
    return 0;
}

static void a_cancelled_scope_stops_it(void **state)
{
    (void)state;
    perform(play_cancelled, NULL);
}

static int play_never_ready(void *arg)
{
    int err;
    rv_supervisor *sup;

    (void)arg;
    set_up(NEVER_READY);
    on.services[0].start_time = SOON;
    RV_SCOPE(scope, err)
        RV_CHECK(rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER) == -ETIME);
    expect_journal("!a");
    return err;
}

static void one_that_is_not_ready_in_time_has_failed(void **state)
{
    (void)state;
    perform(play_never_ready, NULL);
}

/* --- what it is given --- */

static int play_descriptor(void *arg)
{
    int err, ends[2];
    pid_t said = 0;

    (void)arg;
    RV_CHECK(rv_pipe(ends) == 0);
    set_up(STAY);
    on.orders[0].fd = 9;
    on.process.fds = &(struct rv_child_fd){ends[1], 9};
    on.process.fd_count = 1;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup = start(scope);
        RV_CHECK(rv_read(ends[0], &said, sizeof said, RV_NEVER) == sizeof said);
        RV_CHECK(said == pid_of(sup, "a") && said != getpid());
        RV_CHECK(rv_supervisor_close(sup) == 0);
    }
    rv_close(ends[0]);
    rv_close(ends[1]);
    return err;
}

static void it_gets_its_argument_and_its_descriptors(void **state)
{
    (void)state;
    perform(play_descriptor, NULL);
}

static int refuse(void *arg)
{
    int err, r;
    rv_supervisor *sup;

    (void)arg;
    RV_SCOPE(scope, err) {
        set_up(STAY);
        on.services[0].arg_bytes--;
        r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
        RV_CHECK(r == -EINVAL);
        if (is_under_valgrind() || is_under_qemu())
            continue; /* which learn of it too late: sys/spawn.c */
        set_up(STAY);
        on.process.folder = "/nowhere at all";
        r = rv_supervisor_start(&sup, scope, &on.opts, RV_NEVER);
        RV_CHECK(r == -ENOENT && strstr(journal.last.text, "/nowhere at all"));
    }
    return err;
}

static void one_that_cannot_be_started_says_why(void **state)
{
    (void)state;
    perform(refuse, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_told_for_what_it_is),
        cmocka_unit_test(one_with_more_memory_than_it_may_have_is_killed),
        cmocka_unit_test(one_that_is_confined_to_computing_is_a_runtime_still),
        cmocka_unit_test(regress_one_that_only_computes_wanted_the_ring_of_the_environment),
        cmocka_unit_test(one_that_is_confined_to_reading_is_a_runtime_still),
        cmocka_unit_test(one_that_is_killed_is_started_again_with_the_rest),
        cmocka_unit_test(one_that_does_not_stop_is_killed_by_and_by),
        cmocka_unit_test(regress_one_that_was_killed_unheard_was_lost),
        cmocka_unit_test(a_cancelled_scope_stops_it),
        cmocka_unit_test(one_that_is_not_ready_in_time_has_failed),
        cmocka_unit_test(it_gets_its_argument_and_its_descriptors),
        cmocka_unit_test(one_that_cannot_be_started_says_why),
    };
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
