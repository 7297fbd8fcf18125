/* SPDX-License-Identifier: MIT */
/* stress_print.c - texts of all lengths from tasks and threads, through a queue that is far too
 * small, to a reader who comes and goes; some are given up, by deadline or cancellation. What was
 * accepted comes out once, whole and in its party's order; what was refused does not. */
#include "../unit/io/print_test.h"

#include <pthread.h>

#include "base/rng.h"

enum { PARTIES = 24, THREADS = 3, LONGEST = 6000 };

static size_t texts;
static _Atomic(size_t) accepted[PARTIES];

/* "<party> <number> <length> xxxx\n" with so many x. A text longer than the queue is not given up,
 * nor printed by those who are cancelled: it might come out in part. */
static int print_one(struct rvi_rng *rng, size_t party, size_t number, rv_time patience)
{
    char text[LONGEST + 100];
    bool may_be_long = party < PARTIES / 2 && rvi_rng_below(rng, 8) == 0;
    size_t length = rvi_rng_below(rng, may_be_long ? LONGEST : 200);
    int n = snprintf(text, sizeof text, "%zu %zu %zu ", party, number, length);

    memset(text + n, 'x', length);
    text[(size_t)n + length] = '\n';
    size_t bytes = (size_t)n + length + 1;
    return rv_print_text(RV_OUT, text, bytes, bytes > BOUND ? RV_NEVER : rv_after(patience));
}

static int print_texts(void *arg)
{
    size_t party = (size_t)(uintptr_t)arg, number = 0;
    struct rvi_rng rng;

    rvi_rng_seed(&rng, party + 1);
    for (size_t i = 0; i < texts; i++) {
        int r = print_one(&rng, party, number, (rv_time)rvi_rng_below(&rng, RV_MILLISECOND));
        RV_CHECK(r == 0 || r == -ETIME || r == -ECANCELED);
        number += r == 0;
        if (i % 8 == 0)
            rv_yield();
    }
    rvi_store_relaxed(&accepted[party], number);
    return 0;
}

static int flush_again_and_again(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < texts / 4; i++) {
        int r = rv_print_flush(rv_after(RV_MILLISECOND));
        RV_CHECK(r == 0 || r == -ETIME || r == -ECANCELED);
    }
    return 0;
}

/* Half of the parties are cancelled on the way. */
static int print_in_tasks(void *arg)
{
    int err, inner_err;

    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = THREADS; i < PARTIES / 2; i++)
            go(s, print_texts, (void *)i);
        go(s, flush_again_and_again, NULL);
        RV_SCOPE(inner, inner_err, .deadline = rv_after(20 * RV_MILLISECOND)) {
            for (size_t i = PARTIES / 2; i < PARTIES; i++)
                try_go(inner, print_texts, (void *)i);
        }
    }
    RV_CHECK(inner_err == 0 || inner_err == -ETIME);
    return err;
}

static void *print_as_thread(void *arg)
{
    RV_CHECK(print_texts(arg) == 0);
    return NULL;
}

static void everybody_prints(void)
{
    pthread_t threads[THREADS];

    set_bound();
    for (size_t i = 0; i < THREADS; i++)
        RV_CHECK(pthread_create(&threads[i], NULL, print_as_thread, (void *)i) == 0);
    RV_CHECK(run_on(3, print_in_tasks, NULL) == 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    RV_CHECK(rv_print_flush(RV_NEVER) == 0);
    for (size_t i = 0; i < PARTIES; i++)
        RV_CHECK(rv_print_error("%zu\n", rvi_load_relaxed(&accepted[i])) == 0);
}

static void check_text(const char *line, size_t next[PARTIES])
{
    size_t party, number, length;
    int n = 0;

    if (sscanf(line, "%zu %zu %zu %n", &party, &number, &length, &n) != 3 || party >= PARTIES ||
        number != next[party]++ || strspn(line + n, "x") != length || strlen(line + n) != length)
        fail_msg("not whole, or not in order: %.100s", line);
}

/* Reads with pauses: the pipe is full now and then. */
static void *read_with_pauses(void *arg)
{
    FILE *from = fdopen(*(int *)arg, "r"), *to;
    char bytes[4096], *text;
    size_t n, size, turns = 0;

    to = open_memstream(&text, &size);
    while ((n = fread(bytes, 1, sizeof bytes, from)) > 0) {
        fwrite(bytes, 1, n, to);
        if (++turns % 32 == 0)
            usleep(500);
    }
    fclose(to);
    fclose(from);
    return text;
}

static void what_is_accepted_comes_out_once_and_in_order(void **state)
{
    size_t next[PARTIES] = {0};
    pthread_t reader;
    char *text, *rest;

    (void)state;
    texts = scaled(400, 20);
    struct program p = start_program(everybody_prints);
    assert_int_equal(pthread_create(&reader, NULL, read_with_pauses, &p.out), 0);
    char *counts = read_to_end(p.err, NULL), *count = counts;
    pthread_join(reader, (void **)&text);
    if (status_of(&p) != 0)
        fail_msg("%s", counts);
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        check_text(line, next);
    for (size_t i = 0; i < PARTIES; i++)
        assert_int_equal(next[i], strtoul(count, &count, 10));
    free(counts);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_accepted_comes_out_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
