/* SPDX-License-Identifier: MIT */
/* test_crash.c - what a worker that dies has said before, and what is kept of what it says. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ravel.h>

#include "../sched/sched_test.h"
#include "proc/proc.h"

enum { PLENTY = 4 << 20 };

#define SOON rv_after(60 * RV_SECOND)

/* --- what workers do --- */

static void heard_nothing(void *arg, const void *bytes, size_t count, const int *fds,
                          size_t fd_count)
{
    (void)arg, (void)bytes, (void)count, (void)fds, (void)fd_count;
}

static void begin(const struct rvi_proc_self *self, const char *job)
{
    RV_CHECK(rvi_proc_listen(self, 64, heard_nothing, NULL) == 0);
    rvi_proc_set_job(job);
}

static volatile uintptr_t low_address = 16;

__attribute__((noinline)) static int write_to(volatile int *where)
{
    *where = 1;
    return *where;
}

static int fault(const struct rvi_proc_self *self)
{
    begin(self, "fault");
    return write_to((volatile int *)low_address); /* NOLINT: the crash is the test */
}

static int stop_itself(const struct rvi_proc_self *self)
{
    begin(self, "stop_itself");
    fprintf(stderr, "the program's own words\n");
    abort();
}

static volatile bool has_room; /* never */

__attribute__((noinline)) static int use_up(volatile char *above)
{
    volatile char room[2048];
    room[0] = above ? above[0] : 1;
    return has_room ? 0 : use_up(room) + room[0];
}

static int use_up_the_stack(const struct rvi_proc_self *self)
{
    begin(self, "use_up_the_stack");
    return use_up(NULL);
}

static int leave(const struct rvi_proc_self *self)
{
    begin(self, "leave");
    exit(3);
}

static int end_without_a_job(const struct rvi_proc_self *self)
{
    begin(self, NULL);
    exit(4);
}

static int be_killed(const struct rvi_proc_self *self)
{
    begin(self, "be_killed");
    fprintf(stderr, "before\n");
    return raise(SIGKILL);
}

static int crash_while_confined(const struct rvi_proc_self *self)
{
    begin(self, "crash_while_confined");
    return write_to((volatile int *)low_address); /* NOLINT: the crash is the test */
}

static int say_plenty(const struct rvi_proc_self *self)
{
    begin(self, "say_plenty");
    for (int i = 0; i < PLENTY / 16; i++)
        fprintf(stderr, "line %010d\n", i);
    return 0;
}

static int crash_before_it_listens(const struct rvi_proc_self *self)
{
    (void)self;
    rvi_proc_set_job("early");
    return write_to((volatile int *)low_address); /* NOLINT: the crash is the test */
}

static struct rvi_role roles[] = {
    {.name = "fault", .run = fault},
    {.name = "stop itself", .run = stop_itself},
    {.name = "use up the stack", .run = use_up_the_stack},
    {.name = "leave", .run = leave},
    {.name = "end without a job", .run = end_without_a_job},
    {.name = "be killed", .run = be_killed},
    {.name = "crash while confined", .run = crash_while_confined},
    {.name = "say plenty", .run = say_plenty},
    {.name = "crash before it listens", .run = crash_before_it_listens},
};

__attribute__((constructor)) static void register_roles(void)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        rvi_role_register(&roles[i]);
}

/* --- the parent --- */

struct death {
    struct rv_child_status status;
    char words[RVI_WORDS_KEPT + 1];
};

/* As a service does it: until it has ended and nothing is left to read. */
static void attend(struct rvi_proc *proc)
{
    struct pollfd fds[] = {{.fd = proc->pidfd, .events = POLLIN},
                           {.fd = proc->words.fd, .events = POLLIN}};
    ssize_t n;

    do {
        RV_CHECK(poll(fds, 2, 60000) > 0);
        n = rvi_words_read(&proc->words);
        if (n == -EBUSY)
            RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
        fds[1].fd = proc->words.fd;
    } while (!fds[0].revents || n > 0 || n == -EBUSY);
}

/* Its standard error is ours, which is not to be seen: somewhere else meanwhile. */
static struct death die(const char *role, enum rv_confinement confinement, int errors)
{
    const struct rv_child_limit no_core = {RLIMIT_CORE, {0, 0}};
    struct rv_process_opts opts = {
        .size = sizeof opts, .limits = &no_core, .limit_count = 1, .confinement = confinement};
    struct rvi_proc_start what = {.role = role, .opts = &opts};
    struct rvi_proc proc;
    struct death death;
    int before = dup(2);

    dup2(errors, 2);
    RV_CHECK(rvi_proc_start(&proc, &what, NULL) == 0);
    attend(&proc);
    RV_CHECK(rvi_proc_end(&proc, true, &death.status) == 0);
    rvi_words_finish(&proc.words);
    rvi_words_last(&proc.words, death.words, sizeof death.words);
    RV_CHECK(rv_print_flush(SOON) == 0);
    rvi_proc_fini(&proc);
    dup2(before, 2);
    close(before);
    return death;
}

static struct death die_quietly(const char *role)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct death death = die(role, RV_CONFINE_NONE, null);
    close(null);
    return death;
}

static void check_words(const struct death *death, const char *expected)
{
    if (!strstr(death->words, expected))
        fail_msg("'%s' is not in:\n%s", expected, death->words);
}

static void check_killed(const struct death *death, int signal)
{
    if (RVI_ASAN || RVI_TSAN)
        return; /* sanitizers end the process in their own ways */
    assert_int_equal(death->status.kind, RV_CHILD_KILLED);
    assert_int_equal(death->status.signal, signal);
}

static void a_fault_tells_job_address_and_place(void **state)
{
    struct death death = die_quietly("fault");
    (void)state;
    check_killed(&death, SIGSEGV);
    check_words(&death, "job 'fault': ended by SIGSEGV at address 0x10\n");
    check_words(&death, "write_to");
}

static void an_abort_tells_job_and_place(void **state)
{
    struct death death = die_quietly("stop itself");
    (void)state;
    check_killed(&death, SIGABRT);
    check_words(&death, "the program's own words\nravel: worker ");
    check_words(&death, "job 'stop_itself': ended by SIGABRT\n");
    check_words(&death, "stop_itself");
}

static void a_stack_that_is_used_up_tells_where(void **state)
{
    (void)state;
    struct death death = die_quietly("use up the stack");
    check_killed(&death, SIGSEGV);
    if (!RVI_ASAN && !RVI_TSAN) /* whose long backtraces are the last words then */
        check_words(&death, "job 'use_up_the_stack': ended by SIGSEGV at address ");
    check_words(&death, "use_up");
}

static void exit_within_a_job_is_told(void **state)
{
    struct death death = die_quietly("leave");
    (void)state;
    assert_int_equal(death.status.code, 3);
    check_words(&death, "job 'leave': called exit(3)\n");
    death = die_quietly("end without a job");
    assert_int_equal(death.status.code, 4);
    assert_string_equal(death.words, "");
}

static void a_kill_leaves_the_words_that_were_said(void **state)
{
    struct death death = die_quietly("be killed");
    (void)state;
    assert_int_equal(death.status.signal, SIGKILL);
    assert_string_equal(death.words, "before\n");
}

static void a_confined_worker_tells_as_well(void **state)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct death death = die("crash while confined", RV_CONFINE_COMPUTE, null);
    (void)state;
    close(null);
    if (death.status.code == EXIT_FAILURE && !RVI_ASAN && !RVI_TSAN)
        skip(); /* it has refused: no filters here */
    check_killed(&death, SIGSEGV);
    check_words(&death, "job 'crash_while_confined': ended by SIGSEGV at address 0x10\n");
}

static void one_that_nobody_hears_yet_tells_a_line(void **state)
{
    struct death death = die_quietly("crash before it listens");
    (void)state;
    check_killed(&death, SIGSEGV);
    check_words(&death, "job 'early': ended by SIGSEGV at address 0x10\n");
}

static void all_that_is_said_is_handed_on_and_the_last_is_kept(void **state)
{
    char path[] = "/tmp/ravel-words-XXXXXX", last[64];
    int file = mkostemp(path, O_CLOEXEC);
    (void)state;
    assert_true(file >= 0);
    unlink(path);
    struct death death = die("say plenty", RV_CONFINE_NONE, file);
    snprintf(last, sizeof last, "line %010d\n", PLENTY / 16 - 1);
    assert_int_equal(death.status.code, 0);
    assert_int_equal(strlen(death.words), RVI_WORDS_KEPT);
    assert_string_equal(death.words + RVI_WORDS_KEPT - 16, last);
    assert_true(strncmp(death.words, "line ", 5) == 0);
    assert_int_equal(lseek(file, 0, SEEK_END), PLENTY);
    close(file);
}

/* Its words fill the pipe that is our standard error, our outlet, and its own pipe: then it waits.
 * We do not. */
static void a_standard_error_that_nobody_reads_holds_up_the_worker_alone(void **state)
{
    struct rvi_proc_start what = {.role = "say plenty"};
    struct rvi_proc proc;
    struct rv_child_status status;
    int ends[2], before = dup(2), busy = 0;
    char bytes[4096];
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    dup2(ends[1], 2);
    close(ends[1]);
    RV_CHECK(rvi_proc_start(&proc, &what, NULL) == 0);
    while (busy < 20) {
        ssize_t n = rvi_words_read(&proc.words);
        busy = n == -EBUSY ? busy + 1 : n > 0 ? 0 : busy;
        RV_CHECK(n != 0 && rv_sleep(n < 0 ? RV_MILLISECOND : 0) == 0);
    }
    RV_CHECK(proc.words.kept_count < PLENTY / 4);
    RV_CHECK(rvi_proc_kill(&proc, SIGKILL) == 0 && rvi_proc_end(&proc, true, &status) == 0);
    rvi_words_finish(&proc.words);
    rvi_proc_fini(&proc);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (rv_print_flush(rv_after(RV_MILLISECOND)) == -ETIME) {
        while (read(ends[0], bytes, sizeof bytes) > 0)
            ;
    }
    dup2(before, 2);
    close(before);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_tells_job_address_and_place),
        cmocka_unit_test(an_abort_tells_job_and_place),
        cmocka_unit_test(a_stack_that_is_used_up_tells_where),
        cmocka_unit_test(exit_within_a_job_is_told),
        cmocka_unit_test(a_kill_leaves_the_words_that_were_said),
        cmocka_unit_test(a_confined_worker_tells_as_well),
        cmocka_unit_test(one_that_nobody_hears_yet_tells_a_line),
        cmocka_unit_test(all_that_is_said_is_handed_on_and_the_last_is_kept),
        cmocka_unit_test(a_standard_error_that_nobody_reads_holds_up_the_worker_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
