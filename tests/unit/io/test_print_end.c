/* SPDX-License-Identifier: MIT */
/* test_print_end.c - what is in the queue when the process ends comes out, once, whichever way it
 * ends. */
#include "print_test.h"

#include <setjmp.h>

#include "sys/fault.h"

static void fill_queue_and_a_line(const char *line)
{
    RV_CHECK(print_many((void *)MANY) == 0);
    RV_CHECK(rv_print("%s\n", line) == 0);
}

static void print_at_exit(void)
{
    RV_CHECK(rv_print("at exit\n") == 0);
}

static void exit_from_main(void)
{
    atexit(print_at_exit);
    fill_queue_and_a_line("last");
    exit(0);
}

static int exit_from_task(void *arg)
{
    (void)arg;
    exit_from_main();
    return 0;
}

static void exit_inside_a_run(void)
{
    (void)run_on(2, exit_from_task, NULL);
}

static void check_end(const char *text, const char *end)
{
    size_t length = strlen(text);

    assert_int_equal(length, (size_t)MANY * TEXT + strlen(end));
    assert_string_equal(text + (size_t)MANY * TEXT, end);
}

static void exit_writes_all(void **state)
{
    (void)state;
    void (*const ways[])(void) = {exit_from_main, exit_inside_a_run};
    for (size_t i = 0; i < (RVI_ASAN ? 1 : 2); i++) { /* to it, what a task has left behind leaks */
        char *text = output_of(ways[i]);
        check_end(text, "last\nat exit\n");
        free(text);
    }
}

static int number_to_die_of;

static void die_as_told(void)
{
    struct rvi_fault_thread thread;

    RV_CHECK(rvi_fault_thread_enter(&thread) == 0);
    signal(SIGABRT, SIG_DFL);
    fill_queue_and_a_line("last");
    if (number_to_die_of == SIGABRT)
        rvi_panic("of the test");
    raise(number_to_die_of);
}

static __attribute__((noinline)) int overflow(int depth)
{
    volatile char bytes[1024];

    bytes[0] = (char)depth;
    return depth < 0 ? 0 : overflow(depth + 1) + bytes[0];
}

static int print_and_overflow(void *arg)
{
    (void)arg;
    fill_queue_and_a_line("last");
    return overflow(0);
}

static void die_of_stack_overflow(void)
{
    (void)run_on(1, print_and_overflow, NULL);
}

static void check_death(void (*fn)(void), int number)
{
    struct program p = start_program(fn);
    (void)fcntl(p.out, F_SETPIPE_SZ, 1 << 20); /* there is a second for all of it, if we are slow */
    char *text = read_to_end(p.out, NULL), *complaints = read_to_end(p.err, NULL);
    int status = status_of(&p);

    if (!WIFSIGNALED(status) || WTERMSIG(status) != number)
        fail_msg("status %x: %s", status, complaints);
    check_end(text, "last\n");
    free(text);
    free(complaints);
}

static void a_panic_and_a_crash_write_all(void **state)
{
    (void)state;
    const int numbers[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP};
    if (is_under_a_tool())
        skip(); /* which catch them */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        number_to_die_of = numbers[i];
        check_death(die_as_told, numbers[i]);
    }
    check_death(die_of_stack_overflow, SIGSEGV);
}

static sigjmp_buf survivor;

static void survive(int number)
{
    (void)number;
    siglongjmp(survivor, 1);
}

static int print_in_two(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        go(s, print_many, (void *)(MANY / 2));
        go(s, print_many, (void *)(MANY / 2));
    }
    return err;
}

static void survive_a_crash(void)
{
    struct sigaction ours = {.sa_handler = survive};

    sigaction(SIGSEGV, &ours, NULL);
    set_bound();
    RV_CHECK(rv_print("before\n") == 0);
    for (int i = 0; i < 2; i++) { /* in the second one the handler is the program's own again */
        if (sigsetjmp(survivor, 1) == 0)
            raise(SIGSEGV);
    }
    RV_CHECK(run_on(2, print_in_two, NULL) == 0);
}

static void regress_a_crash_that_is_survived_leaves_printing_as_it_was(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip();
    char *text = output_of(survive_a_crash);
    assert_int_equal(strlen(text), 7 + MANY * TEXT);
    free(text);
}

static void abort_with_full_pipe(void)
{
    signal(SIGABRT, SIG_DFL);
    set_bound();
    fill_up();
    abort();
}

/* It ends by itself: nobody reads. */
static void a_crash_does_not_wait_for_ever(void **state)
{
    (void)state;
    if (is_under_a_tool())
        skip();
    struct program p = start_program(abort_with_full_pipe);
    int status = status_of(&p);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    close(p.out);
    close(p.err);
}

/* Only the parent writes what it has printed; a child by fork() may print as well, and one by
 * exec() has nothing to do with it. */
static void print_and_fork(void)
{
    int status;

    fill_queue_and_a_line("parent");
    pid_t pid = fork();
    RV_CHECK(pid >= 0);
    if (pid == 0)
        exit(0);
    RV_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    RV_CHECK(rv_print_flush(RV_NEVER) == 0);
    pid = fork();
    RV_CHECK(pid >= 0);
    if (pid == 0) {
        RV_CHECK(print_stats(RV_OUT).queued == 0 && rv_print("child\n") == 0);
        exit(0);
    }
    RV_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    RV_CHECK(system("echo shell") == 0 && rv_print("parent again\n") == 0);
}

static void a_fork_writes_nothing_twice(void **state)
{
    (void)state;
    if (RVI_TSAN)
        skip(); /* no thread may be started after such a fork */
    char *text = output_of(print_and_fork);
    check_end(text, "parent\nchild\nshell\nparent again\n");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_writes_all),
        cmocka_unit_test(a_panic_and_a_crash_write_all),
        cmocka_unit_test(a_crash_does_not_wait_for_ever),
        cmocka_unit_test(regress_a_crash_that_is_survived_leaves_printing_as_it_was),
        cmocka_unit_test(a_fork_writes_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
