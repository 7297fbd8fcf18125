/* SPDX-License-Identifier: MIT */
/* test_print.c - what is printed comes out whole and in order, whatever becomes of the program and
 * of those who read; and only who prints is ever held up. */
#include "print_test.h"

#include "../../support/every_point.h"

#include <limits.h>
#include <pthread.h>
#include <pty.h>
#include <setjmp.h>
#include <termios.h>

#include "sys/fault.h"

enum { TASKS = 100, BOUND = 4096, TEXT = 100, MANY = 2000 };

static char text_of_100[TEXT + 1];

static void prepare_text(void)
{
    memset(text_of_100, 'x', TEXT - 1);
    text_of_100[TEXT - 1] = '\n';
}

static void set_bound(void)
{
    struct rv_print_opts opts = {.size = sizeof opts, .bound_bytes = BOUND};
    prepare_text();
    RV_CHECK(rv_print_setup(&opts) == 0);
}

/* --- order --- */

static int print_lines(void *arg)
{
    size_t count = repeats(1000);
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++) {
        r = rv_print("%zu %zu of %zu and something to make it longer\n", (size_t)(uintptr_t)arg, i,
                     count);
        if (i % 16 == 15)
            rv_yield();
    }
    return r;
}

static void *print_lines_as_thread(void *arg)
{
    RV_CHECK(print_lines(arg) == 0);
    return NULL;
}

static int print_from_tasks(void *first)
{
    int err;

    RV_SCOPE(s, err) {
        for (size_t i = 0; i < TASKS; i++)
            go(s, print_lines, (char *)first + i);
    }
    return err;
}

/* Each line whole, each party's in order, and all of them. */
static void check_lines(char *text, size_t parties)
{
    size_t *next = calloc(parties, sizeof *next), count = repeats(1000), lines = 0;
    char *rest;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t party, i, of;
        int end = -1;
        sscanf(line, "%zu %zu of %zu and something to make it longer%n", &party, &i, &of, &end);
        if (end != (int)strlen(line) || party >= parties || of != count || i != next[party]++)
            fail_msg("a line that is not whole or not in order: %s", line);
        lines++;
    }
    assert_int_equal(lines, parties * count);
    free(next);
}

static void tasks_print(void)
{
    RV_CHECK(run_on(2, print_from_tasks, NULL) == 0);
}

static void lines_of_100_tasks_are_whole_and_in_order(void **state)
{
    (void)state;
    char *text = output_of(tasks_print);
    check_lines(text, TASKS);
    free(text);
}

static void *run_tasks_of_second_runtime(void *arg)
{
    RV_CHECK(run_on(1, print_from_tasks, arg) == 0);
    return NULL;
}

static void everybody_prints(void)
{
    pthread_t second, thread;

    set_bound();
    RV_CHECK(print_lines((void *)(2 * TASKS)) == 0); /* before any runtime */
    RV_CHECK(pthread_create(&second, NULL, run_tasks_of_second_runtime, (void *)TASKS) == 0);
    RV_CHECK(pthread_create(&thread, NULL, print_lines_as_thread, (void *)(2 * TASKS + 1)) == 0);
    tasks_print();
    pthread_join(second, NULL);
    pthread_join(thread, NULL);
    RV_CHECK(print_lines((void *)(2 * TASKS + 2)) == 0); /* and after all of them */
    RV_CHECK(print_stats(RV_OUT).lost == 0);
}

static void runtimes_and_threads_print_at_one_time_through_a_small_queue(void **state)
{
    (void)state;
    char *text = output_of(everybody_prints);
    check_lines(text, 2 * TASKS + 3);
    free(text);
}

static void print_with_stdio(void)
{
    for (int i = 0; i < 3; i++) {
        RV_CHECK(rv_print("ours %d\n", i) == 0 && rv_print_flush(RV_NEVER) == 0);
        printf("stdio's %d\n", i);
        fflush(stdout);
    }
}

static void flushing_orders_it_against_stdio(void **state)
{
    (void)state;
    char *text = output_of(print_with_stdio);
    assert_string_equal(text, "ours 0\nstdio's 0\nours 1\nstdio's 1\nours 2\nstdio's 2\n");
    free(text);
}

static int print_once(void *arg)
{
    return rv_print("%s\n", (const char *)arg);
}

static void run_then_write(void)
{
    RV_CHECK(run_on(1, print_once, (void *)(uintptr_t) "inside") == 0);
    RV_CHECK(write(STDOUT_FILENO, "after\n", 6) == 6);
}

static void a_run_ends_when_all_is_written(void **state)
{
    (void)state;
    char *text = output_of(run_then_write);
    assert_string_equal(text, "inside\nafter\n");
    free(text);
}

/* --- held up --- */

static flag is_over;

/* Fill pipe or terminal, and the queue, until a text has to wait. */
static int print_many(void *count)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < (size_t)(uintptr_t)count; i++)
        r = rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER);
    raise_flag(&is_over);
    return r;
}

/* On the same worker as the one that prints: it gets on while that one is held up. */
static int go_on_meanwhile(void *let_go)
{
    while (print_stats(RV_OUT).waits == 0)
        rv_yield();
    for (int i = 0; i < 1000; i++) {
        rv_yield();
        RV_CHECK(!is_raised(&is_over));
    }
    ((void (*)(void))let_go)();
    return 0;
}

static int print_beside_another(void *let_go)
{
    int err;

    RV_SCOPE(s, err) {
        go(s, print_many, (void *)MANY);
        go(s, go_on_meanwhile, let_go);
    }
    return err;
}

static void tell_parent(void)
{
    RV_CHECK(write(STDERR_FILENO, "!", 1) == 1);
}

static void fill_pipe(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    set_bound();
    RV_CHECK(run_on(1, print_beside_another, (void *)tell_parent) == 0);
    RV_CHECK(fcntl(STDOUT_FILENO, F_GETFL) == flags);
}

static void a_full_pipe_holds_up_only_who_prints(void **state)
{
    (void)state;
    struct program p = start_program(fill_pipe);
    char byte;
    size_t bytes;
    assert_int_equal(read(p.err, &byte, 1), 1); /* not a byte is taken before */
    char *text = read_to_end(p.out, &bytes);
    assert_int_equal(bytes, MANY * TEXT);
    free(text);
    assert_int_equal(status_of(&p), 0);
    close(p.err);
}

static void start_output(void)
{
    RV_CHECK(tcflow(STDOUT_FILENO, TCOON) == 0);
}

static void print_to_stopped_terminal(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    set_bound();
    RV_CHECK(tcflow(STDOUT_FILENO, TCOOFF) == 0);
    RV_CHECK(run_on(1, print_beside_another, (void *)start_output) == 0);
    RV_CHECK(fcntl(STDOUT_FILENO, F_GETFL) == flags);
}

static int open_terminal(int *ret_slave)
{
    struct termios raw;
    int master;

    if (openpty(&master, ret_slave, NULL, NULL, NULL) != 0)
        return -1;
    assert_int_equal(tcgetattr(*ret_slave, &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(*ret_slave, TCSANOW, &raw), 0);
    return master;
}

static void a_stopped_terminal_holds_up_only_who_prints(void **state)
{
    (void)state;
    int slave, master = open_terminal(&slave);
    char bytes[4096];
    ssize_t n;
    size_t count = 0;

    if (master < 0)
        skip();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int ends[2] = {dup(slave), slave}, errors[2] = {dup(2), dup(2)};
        close(master);
        program_main(ends, errors, print_to_stopped_terminal);
    }
    close(slave);
    while ((n = read(master, bytes, sizeof bytes)) > 0)
        count += (size_t)n;
    close(master);
    struct program p = {.pid = pid};
    assert_int_equal(status_of(&p), 0);
    assert_int_equal(count, MANY * TEXT);
}

static void print_many_to_nonblocking(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    set_bound();
    RV_CHECK(fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) == 0);
    RV_CHECK(print_many((void *)MANY) == 0);
    RV_CHECK(fcntl(STDOUT_FILENO, F_GETFL) == (flags | O_NONBLOCK));
}

static void a_descriptor_that_does_not_block_loses_nothing(void **state)
{
    (void)state;
    char *text = output_of(print_many_to_nonblocking);
    assert_int_equal(strlen(text), MANY * TEXT);
    free(text);
}

/* Nobody reads. The pipe first, to the last byte, so that no piece of the queue still fits. */
static void fill_up(void)
{
    static const char zeros[PIPE_BUF];
    int r, flags = fcntl(STDOUT_FILENO, F_GETFL);

    RV_CHECK(fcntl(STDOUT_FILENO, F_SETFL, flags | O_NONBLOCK) == 0);
    for (size_t n = sizeof zeros; n > 0; n /= 2) {
        while (write(STDOUT_FILENO, zeros, n) > 0) {}
    }
    RV_CHECK(errno == EAGAIN && fcntl(STDOUT_FILENO, F_SETFL, flags) == 0);
    do
        r = rv_print_text(RV_OUT, text_of_100, TEXT, rv_after(0));
    while (r == 0);
    RV_CHECK(r == -ETIME);
}

static void other_stream_is_not_held_up(void)
{
    RV_CHECK(rv_print_error("still there\n") == 0);
    while (print_stats(RV_ERR).written < print_stats(RV_ERR).queued)
        rv_yield();
}

static void give_up_by_deadline(void)
{
    struct rv_print_stats before, after;

    fill_up();
    before = print_stats(RV_OUT);
    RV_CHECK(before.queued - before.written <= BOUND);
    RV_CHECK(rv_print_text(RV_OUT, text_of_100, TEXT, rv_after(RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_print_flush(rv_after(RV_MILLISECOND)) == -ETIME);
    after = print_stats(RV_OUT);
    RV_CHECK(after.queued == before.queued && after.waits == before.waits + 1);
    other_stream_is_not_held_up();
}

static int print_one_more(void *arg)
{
    (void)arg;
    return rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER);
}

static int flush(void *arg)
{
    (void)arg;
    return rv_print_flush(RV_NEVER);
}

static void give_up_by_cancellation(void)
{
    struct rv_print_stats before = print_stats(RV_OUT);
    int err;

    RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
        go(s, print_one_more, NULL);
        go(s, print_one_more, NULL);
        go(s, flush, NULL);
        while (print_stats(RV_OUT).waits < before.waits + 2)
            rv_yield();
        rv_yield();
        rv_scope_cancel(s, -EINTR);
        RV_CHECK(rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER) == -ECANCELED);
        RV_CHECK(rv_print_flush(RV_NEVER) == -ECANCELED);
        other_stream_is_not_held_up(); /* nor by the cancellation */
    }
    RV_CHECK(err == -EINTR && print_stats(RV_OUT).queued == before.queued);
}

/* The end of a run would wait. */
static int give_up_and_leave(void *arg)
{
    (void)arg;
    give_up_by_deadline();
    give_up_by_cancellation();
    _exit(0);
}

static void give_up(void)
{
    set_bound();
    give_up_by_deadline();
    (void)run_on(2, give_up_and_leave, NULL);
}

static void who_is_held_up_can_give_up(void **state)
{
    (void)state;
    struct program p = start_program(give_up);
    assert_int_equal(status_of(&p), 0);
    close(p.out);
    close(p.err);
}

enum { LONG = 100000 };

/* Longer than the queue, between others. */
static int print_long(void *mark)
{
    char *text = malloc(LONG + 1);

    memset(text, *(char *)mark, LONG);
    text[LONG] = '\n';
    int r = rv_print_text(RV_OUT, text, LONG + 1, RV_NEVER);
    free(text);
    return r;
}

static int print_long_ones(void *arg)
{
    static char marks[] = "abcd";
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < 4; i++)
            go(s, print_long, &marks[i]);
        go(s, print_many, (void *)MANY);
    }
    return err;
}

static void print_long_texts(void)
{
    set_bound();
    RV_CHECK(run_on(2, print_long_ones, NULL) == 0);
    RV_CHECK(rv_print("%0*d\n", LONG, 0) == 0); /* formatted */
}

static void check_long_line(const char *line)
{
    size_t length = strlen(line);

    assert_int_equal(strspn(line, (char[]){line[0], '\0'}), length);
    assert_int_equal(length, line[0] == 'x' ? TEXT - 1 : LONG);
}

static void a_text_longer_than_the_queue_stays_in_one_piece(void **state)
{
    (void)state;
    char *text = output_of(print_long_texts), *rest;
    size_t lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        check_long_line(line);
        lines++;
    }
    assert_int_equal(lines, 4 + MANY + 1);
    free(text);
}

/* --- cancelled at every point --- */

static int print_and_flush(void *arg)
{
    (void)arg;
    for (int i = 0; i < 60; i++) {
        int r = rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER);
        if (r < 0)
            return r;
    }
    return rv_print_flush(RV_NEVER);
}

/* Where there is room nobody is asked whether he is cancelled. */
static int print_in_two_tasks(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        try_go(s, print_and_flush, NULL);
        try_go(s, print_and_flush, NULL);
    }
    return rv_cancelled() ? -ECANCELED : err;
}

static void *read_slowly(void *fd)
{
    char bytes[TEXT];

    while (read(*(int *)fd, bytes, sizeof bytes) > 0)
        sched_yield();
    return NULL;
}

/* A pipe of a page, so that the queue is full again and again. */
static void cancel_at_each_point(void)
{
    pthread_t reader;
    int ends[2];

    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
    RV_CHECK(dup2(ends[1], STDOUT_FILENO) >= 0);
    close(ends[1]);
    set_bound();
    RV_CHECK(pthread_create(&reader, NULL, read_slowly, &ends[0]) == 0);
    RV_CHECK(rv_print("a thread and a ring\n") == 0 && rv_print_flush(RV_NEVER) == 0);
    cancel_at_every_point(print_in_two_tasks, 1);
    close(STDOUT_FILENO);
    pthread_join(reader, NULL);
}

static void printing_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    free(output_of(cancel_at_each_point));
}

/* --- errors --- */

static void print_to(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    RV_CHECK(fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
    close(fd);
}

static void print_to_full_device(void)
{
    print_to("/dev/full");
    for (int i = 0; i < 3; i++) {
        RV_CHECK(rv_print("lost\n") == 0);
        RV_CHECK(rv_print_flush(RV_NEVER) == -ENOSPC);
        RV_CHECK(rv_print_flush(RV_NEVER) == 0); /* it is told once */
    }
    RV_CHECK(print_stats(RV_OUT).lost == 15 && print_stats(RV_OUT).written == 0);
    print_to("/dev/null");
    RV_CHECK(rv_print("written\n") == 0 && rv_print_flush(RV_NEVER) == 0);
    RV_CHECK(print_stats(RV_OUT).written == 8);
}

static void a_full_device_is_told_and_later_texts_are_tried(void **state)
{
    (void)state;
    free(output_of(print_to_full_device));
}

static void print_to_closed(void)
{
    close(STDOUT_FILENO);
    RV_CHECK(rv_print("lost\n") == 0 && rv_print_flush(RV_NEVER) == -EBADF);
}

static void a_closed_descriptor_is_told(void **state)
{
    (void)state;
    free(output_of(print_to_closed));
}

/* SIGPIPE would kill. The next call hears of it, and prints nothing. */
static void print_to_nobody(void)
{
    int ends[2];

    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0 && dup2(ends[1], STDOUT_FILENO) >= 0);
    close(ends[0]);
    close(ends[1]);
    RV_CHECK(rv_print("lost\n") == 0);
    while (print_stats(RV_OUT).lost == 0)
        rv_yield();
    RV_CHECK(rv_print("refused\n") == -EPIPE);
    RV_CHECK(rv_print_flush(RV_NEVER) == 0 && print_stats(RV_OUT).queued == 5);
}

static void a_pipe_that_nobody_reads_is_told_without_a_signal(void **state)
{
    (void)state;
    free(output_of(print_to_nobody));
}

static void print_without_memory(void)
{
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_print("no queue\n") == -ENOMEM);
    RV_CHECK(rv_print("one\n") == 0);
    rvi_alloc_fail_after(1);
    RV_CHECK(rv_print("%0*d\n", 2000, 0) == -ENOMEM); /* too long for the stack */
    RV_CHECK(rv_print("two\n") == 0);
}

static void without_memory_nothing_is_printed_and_the_next_is(void **state)
{
    (void)state;
    char *text = output_of(print_without_memory);
    assert_string_equal(text, "one\ntwo\n");
    free(text);
}

static void print_without_thread(void)
{
    struct rlimit limit = {0, 100};

    become_nobody_else();
    RV_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    RV_CHECK(rv_print("lost\n") == -EAGAIN);
    limit.rlim_cur = 100;
    RV_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    RV_CHECK(rv_print("one\n") == 0);
}

static void without_a_thread_nothing_is_printed_and_the_next_is(void **state)
{
    (void)state;
    if (!can_forbid_threads())
        skip();
    char *text = output_of(print_without_thread);
    assert_string_equal(text, "one\n");
    free(text);
}

static void set_up_wrongly(void)
{
    struct rv_print_opts small = {.size = sizeof small, .bound_bytes = 100}, usual = {0};

    RV_CHECK(rv_print_setup(&small) == -EINVAL);
    RV_CHECK(setenv("RAVEL_PRINT_BYTES", "12x", 1) == 0);
    RV_CHECK(rv_print_setup(&usual) == -EINVAL);
    RV_CHECK(setenv("RAVEL_PRINT_BYTES", "8192", 1) == 0);
    RV_CHECK(rv_print_setup(NULL) == 0);
    RV_CHECK(rv_print("x\n") == 0);
    RV_CHECK(rv_print_setup(NULL) == -EBUSY);
    RV_CHECK(rv_print_text((enum rv_print_stream)3, "x", 1, RV_NEVER) == -EINVAL);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    char *text = output_of(set_up_wrongly);
    assert_string_equal(text, "x\n");
    free(text);
}

/* --- the end of the process --- */

static void fill_queue_and_a_line(const char *line)
{
    prepare_text();
    for (int i = 0; i < MANY; i++)
        RV_CHECK(rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER) == 0);
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

/* --- simulated --- */

static int print_in_simulation(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < 3; i++) {
            go(s, print_once, (void *)(uintptr_t) "task");
            int r = rv_print("%zu at %lld\n", i, (long long)rv_now());
            RV_CHECK(r == 0 && rv_print_flush(RV_NEVER) == 0);
        }
    }
    RV_CHECK(print_stats(RV_OUT).queued == 4); /* not by way of the queue */
    return err;
}

static void simulate(void)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .seed = 11, .workers = 2, .quiet = 1};

    RV_CHECK(rv_print("one\n") == 0);
    RV_CHECK(rv_sim_run(print_in_simulation, NULL, &opts) == 0);
}

static void a_simulation_prints_the_same_each_time(void **state)
{
    (void)state;
    char *first = output_of(simulate), *second = output_of(simulate);
    assert_string_equal(first, second);
    assert_int_equal(strncmp(first, "one\n", 4), 0);
    assert_non_null(strstr(first, "task\n"));
    free(first);
    free(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_100_tasks_are_whole_and_in_order),
        cmocka_unit_test(runtimes_and_threads_print_at_one_time_through_a_small_queue),
        cmocka_unit_test(flushing_orders_it_against_stdio),
        cmocka_unit_test(a_run_ends_when_all_is_written),
        cmocka_unit_test(a_full_pipe_holds_up_only_who_prints),
        cmocka_unit_test(a_stopped_terminal_holds_up_only_who_prints),
        cmocka_unit_test(a_descriptor_that_does_not_block_loses_nothing),
        cmocka_unit_test(who_is_held_up_can_give_up),
        cmocka_unit_test(a_text_longer_than_the_queue_stays_in_one_piece),
        cmocka_unit_test(printing_can_be_cancelled_at_every_point),
        cmocka_unit_test(a_full_device_is_told_and_later_texts_are_tried),
        cmocka_unit_test(a_closed_descriptor_is_told),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_told_without_a_signal),
        cmocka_unit_test(without_memory_nothing_is_printed_and_the_next_is),
        cmocka_unit_test(without_a_thread_nothing_is_printed_and_the_next_is),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(exit_writes_all),
        cmocka_unit_test(a_panic_and_a_crash_write_all),
        cmocka_unit_test(a_crash_does_not_wait_for_ever),
        cmocka_unit_test(regress_a_crash_that_is_survived_leaves_printing_as_it_was),
        cmocka_unit_test(a_fork_writes_nothing_twice),
        cmocka_unit_test(a_simulation_prints_the_same_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
