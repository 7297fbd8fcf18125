/* SPDX-License-Identifier: MIT */
/* test_print_full.c - a full queue holds up only who prints, for as long as he likes, and nothing
 * is lost or torn by that. */
#include "print_test.h"

#include "../../support/every_point.h"

#include <pthread.h>
#include <pty.h>
#include <termios.h>

/* --- held up --- */

static flag is_over;

static int print_many_and_tell(void *count)
{
    int r = print_many(count);

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
        go(s, print_many_and_tell, (void *)MANY);
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

/* --- in line --- */

enum { PARTIES = 4 };

static int print_numbered(void *number)
{
    char text[TEXT];

    memcpy(text, text_of_100, TEXT);
    text[0] = (char)('0' + (uintptr_t)number);
    return rv_print_text(RV_OUT, text, TEXT, RV_NEVER);
}

static void *print_numbered_as_thread(void *number)
{
    RV_CHECK(print_numbered(number) == 0);
    return NULL;
}

/* Threads and tasks by turns, each when the one before is known to wait. Only then may anybody
 * read. */
static int line_up(void *arg)
{
    uint64_t before = print_stats(RV_OUT).waits;
    pthread_t threads[PARTIES / 2];
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < PARTIES; i++) {
            if (i % 2 == 0)
                RV_CHECK(pthread_create(&threads[i / 2], NULL, print_numbered_as_thread,
                                        (void *)i) == 0);
            else
                go(s, print_numbered, (void *)i);
            while (print_stats(RV_OUT).waits < before + i + 1)
                rv_yield();
        }
        tell_parent();
    }
    for (size_t i = 0; i < PARTIES / 2; i++)
        pthread_join(threads[i], NULL);
    return err;
}

static void line_up_before_a_full_pipe(void)
{
    set_bound();
    fill_up();
    RV_CHECK(run_on(2, line_up, NULL) == 0);
    RV_CHECK(print_stats(RV_OUT).lost == 0);
}

static void who_waits_for_room_is_served_in_order(void **state)
{
    (void)state;
    struct program p = start_program(line_up_before_a_full_pipe);
    char byte;
    size_t bytes;
    assert_int_equal(read(p.err, &byte, 1), 1);
    char *text = read_to_end(p.out, &bytes), *last = text + bytes - PARTIES * TEXT;
    for (size_t i = 0; i < PARTIES; i++) {
        assert_int_equal(last[i * TEXT], '0' + (int)i);
        assert_memory_equal(last + i * TEXT + 1, text_of_100 + 1, TEXT - 1);
    }
    free(text);
    assert_int_equal(status_of(&p), 0);
    close(p.err);
}

/* --- cancelled at every point --- */

/* Of two tasks, more than pipe and queue hold. */
enum { TEXTS_EACH = 60, PIPE_BYTES = 4096 };

_Static_assert(2 * TEXTS_EACH * TEXT > PIPE_BYTES + BOUND + TEXT, "somebody has to wait");

/* The reader stands still while this is how often anybody has waited. */
static _Atomic(uint64_t) held_at = UINT64_MAX;

static int print_and_flush(void *arg)
{
    (void)arg;
    for (int i = 0; i < TEXTS_EACH; i++) {
        int r = rv_print_text(RV_OUT, text_of_100, TEXT, RV_NEVER);
        if (r < 0)
            return r;
    }
    return rv_print_flush(RV_NEVER);
}

/* Where there is room nobody is asked whether he is cancelled. */
static int print_in_two_tasks(void *arg)
{
    uint64_t before = print_stats(RV_OUT).waits;
    int err;

    (void)arg;
    rvi_store_relaxed(&held_at, before);
    RV_SCOPE(s, err) {
        try_go(s, print_and_flush, NULL);
        try_go(s, print_and_flush, NULL);
    }
    rvi_store_relaxed(&held_at, UINT64_MAX); /* the end of the run waits for the queue */
    if (rv_cancelled())
        return -ECANCELED;
    RV_CHECK(print_stats(RV_OUT).waits > before);
    return err;
}

static void *read_slowly(void *fd)
{
    char bytes[TEXT];

    while (read(*(int *)fd, bytes, sizeof bytes) > 0) {
        do
            sched_yield();
        while (rvi_load_relaxed(&held_at) == print_stats(RV_OUT).waits);
    }
    return NULL;
}

/* A pipe of a page, so that the queue is full again and again. */
static void cancel_at_each_point(void)
{
    pthread_t reader;
    int ends[2];

    RV_CHECK(pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) >= 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_pipe_holds_up_only_who_prints),
        cmocka_unit_test(a_stopped_terminal_holds_up_only_who_prints),
        cmocka_unit_test(a_descriptor_that_does_not_block_loses_nothing),
        cmocka_unit_test(who_is_held_up_can_give_up),
        cmocka_unit_test(a_text_longer_than_the_queue_stays_in_one_piece),
        cmocka_unit_test(who_waits_for_room_is_served_in_order),
        cmocka_unit_test(printing_can_be_cancelled_at_every_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
