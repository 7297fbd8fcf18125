/* SPDX-License-Identifier: MIT */
/* test_print.c - what is printed comes out whole and in order, and who prints hears of what is
 * lost. */
#include "print_test.h"

#include <pthread.h>

enum { TASKS = 100 };

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
        cmocka_unit_test(a_full_device_is_told_and_later_texts_are_tried),
        cmocka_unit_test(a_closed_descriptor_is_told),
        cmocka_unit_test(a_pipe_that_nobody_reads_is_told_without_a_signal),
        cmocka_unit_test(without_memory_nothing_is_printed_and_the_next_is),
        cmocka_unit_test(without_a_thread_nothing_is_printed_and_the_next_is),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(a_simulation_prints_the_same_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
