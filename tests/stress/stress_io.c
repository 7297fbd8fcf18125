/* SPDX-License-Identifier: MIT */
/* stress_io.c - operations that race with their own end: wakes from every side, deadlines and
 * cancellations that come just when the bytes do, descriptors that become others. Nothing is lost
 * and nobody waits for ever. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../support/backends.h"
#include "../support/crowd.h"
#include "sys/cpu.h"

enum { WORKERS = 2, PAIRS = 12 };

static void make_pair(size_t i, int ends[2])
{
    if (i % 3 == 0)
        RV_CHECK(rv_pipe(ends) == 0);
    else if (i % 3 == 1)
        RV_CHECK(pipe2(ends, O_CLOEXEC) == 0);
    else
        RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
}

static void close_pair(int ends[2])
{
    RV_CHECK(rv_close(ends[0]) == 0 && rv_close(ends[1]) == 0);
}

/* --- a token goes round through descriptors, from worker to worker --- */

struct leg {
    int from, to;
    unsigned worker;
    size_t laps;
};

static int carry(void *arg)
{
    const struct leg *leg = arg;
    uint32_t token;
    RV_CHECK(rv_migrate(leg->worker) == 0);
    for (size_t i = 0; i < leg->laps; i++) {
        RV_CHECK(rv_read_full(leg->from, &token, sizeof(token), NULL, RV_NEVER) == 0);
        token++;
        RV_CHECK(rv_write_all(leg->to, &token, sizeof(token), NULL, RV_NEVER) == 0);
    }
    return 0;
}

static int carry_tokens(void *arg)
{
    int ends[PAIRS][2], err;
    struct leg legs[PAIRS];
    size_t laps = scaled(600, 20);
    (void)arg;
    for (size_t i = 0; i < PAIRS; i++)
        make_pair(i, ends[i]);
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < PAIRS; i++) {
            legs[i] = (struct leg){ends[i][0], ends[(i + 1) % PAIRS][1], i % WORKERS, laps};
            RV_CHECK(rv_go(s, carry, &legs[i]) == 0);
        }
        for (uint32_t token = 0, i = 0; i < 3; i++)
            RV_CHECK(rv_write_all(ends[i * 4][1], &token, sizeof(token), NULL, RV_NEVER) == 0);
    }
    for (size_t i = 0; i < PAIRS; i++)
        close_pair(ends[i]);
    return err;
}

static void every_byte_wakes_its_reader(void **state)
{
    (void)state;
    assert_int_equal(run_here(WORKERS, carry_tokens, NULL), 0);
}

/* --- ends that race --- */

struct race {
    int from, to;
    size_t rounds;
    uint64_t written, read;
};

/* As late as the bytes may come. */
static rv_time soon(struct rvi_rng *rng)
{
    return rv_now() + (rv_time)rvi_rng_below(rng, 30000);
}

static void hold_worker_until(rv_time until)
{
    while (rv_now() < until)
        rvi_cpu_relax();
}

static int write_at_odd_times(void *arg)
{
    struct race *race = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 7);
    for (size_t i = 0; i < race->rounds; i++) {
        if (i % 2)
            RV_CHECK(rv_sleep_until(soon(&rng)) == 0);
        RV_CHECK(rv_write_all(race->to, "x", 1, NULL, RV_NEVER) == 0);
        race->written++;
    }
    return 0;
}

static int read_in_time_or_not(void *arg)
{
    struct race *race = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, 8);
    while (race->read < race->rounds) {
        char byte;
        ssize_t n = rv_read(race->from, &byte, 1, soon(&rng));
        RV_CHECK(n == 1 || n == -ETIME);
        race->read += n == 1;
    }
    return 0;
}

static int race_deadlines(void *arg)
{
    struct race races[PAIRS];
    int ends[PAIRS][2], err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < PAIRS; i++) {
            make_pair(i, ends[i]);
            races[i] = (struct race){ends[i][0], ends[i][1], scaled(150, 10), 0, 0};
            RV_CHECK(rv_go(s, write_at_odd_times, &races[i]) == 0);
            RV_CHECK(rv_go(s, read_in_time_or_not, &races[i]) == 0);
        }
    }
    for (size_t i = 0; i < PAIRS; i++)
        close_pair(ends[i]);
    return err;
}

static void a_byte_is_read_once_whatever_its_reader_s_deadline(void **state)
{
    (void)state;
    assert_int_equal(run_here(WORKERS, race_deadlines, NULL), 0);
}

static int read_until_cancelled(void *arg)
{
    struct race *race = arg;
    char byte;
    while (rv_read(race->from, &byte, 1, RV_NEVER) == 1)
        race->read++;
    return 0;
}

/* What a cancelled read has not taken the next one finds. */
static int race_cancellations(void *arg)
{
    size_t rounds = scaled(300, 10);
    struct rvi_rng rng;
    (void)arg;
    rvi_rng_seed(&rng, 9);
    for (size_t i = 0; i < rounds; i++) {
        int ends[2], err;
        char rest[8];
        make_pair(i, ends);
        struct race race = {ends[0], ends[1], 4, 0, 0};
        RV_SCOPE(s, err) {
            RV_CHECK(rv_go(s, read_until_cancelled, &race) == 0);
            for (race.written = 0; race.written < race.rounds; race.written++) {
                RV_CHECK(rv_write_all(ends[1], "x", 1, NULL, RV_NEVER) == 0);
                if (i % 4 == race.written)
                    rv_yield();
            }
            hold_worker_until(soon(&rng));
            rv_scope_cancel(s, -EINTR);
        }
        RV_CHECK(rv_close(ends[1]) == 0);
        ssize_t left = rv_read(ends[0], rest, sizeof(rest), RV_NEVER);
        RV_CHECK(left >= 0 && race.read + (uint64_t)left == race.written);
        RV_CHECK(rv_close(ends[0]) == 0);
    }
    return 0;
}

static void a_cancelled_read_takes_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_here(WORKERS, race_cancellations, NULL), 0);
}

/* --- plain threads on the other side --- */

static void *write_from_thread(void *arg)
{
    struct race *race = arg;
    struct rvi_rng rng;
    rvi_rng_seed(&rng, (uint64_t)race->to);
    for (size_t i = 0; i < race->rounds; i++) {
        if (i % 16 == 0)
            hold_worker_until(soon(&rng));
        RV_CHECK(rv_write_all(race->to, "x", 1, NULL, RV_NEVER) == 0);
    }
    return NULL;
}

static int read_all(void *arg)
{
    struct race *race = arg;
    char bytes[7];
    ssize_t n;
    while (race->read < race->rounds && (n = rv_read(race->from, bytes, 7, RV_NEVER)) > 0)
        race->read += (uint64_t)n;
    RV_CHECK(race->read == race->rounds);
    return 0;
}

static int read_from_threads(void *arg)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    struct race races[THREADS];
    int ends[THREADS][2], err;
    (void)arg;
    RV_SCOPE(s, err) {
        for (size_t i = 0; i < THREADS; i++) {
            make_pair(i, ends[i]);
            races[i] = (struct race){ends[i][0], ends[i][1], scaled(2000, 50), 0, 0};
            RV_CHECK(rv_go(s, read_all, &races[i]) == 0);
            RV_CHECK(pthread_create(&threads[i], NULL, write_from_thread, &races[i]) == 0);
        }
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        close_pair(ends[i]);
    }
    return err;
}

static void what_threads_write_arrives(void **state)
{
    (void)state;
    assert_int_equal(run_here(WORKERS, read_from_threads, NULL), 0);
}

/* --- many operations, and nothing left of them --- */

static int pass_many(void *arg)
{
    size_t count = *(size_t *)arg;
    int ends[2];
    char byte = 0;
    make_pair(0, ends);
    for (size_t i = 0; i < count; i++) {
        RV_CHECK(rv_write(ends[1], &byte, 1, RV_NEVER) == 1);
        RV_CHECK(rv_read(ends[0], &byte, 1, RV_NEVER) == 1);
    }
    close_pair(ends);
    return 0;
}

static int reopen_many(void *arg)
{
    size_t count = *(size_t *)arg / 50;
    for (size_t i = 0; i < count; i++) {
        int ends[2];
        char byte = 0;
        make_pair(i, ends);
        RV_CHECK(rv_read(ends[0], &byte, 1, 0) == -ETIME);
        RV_CHECK(rv_write(ends[1], &byte, 1, RV_NEVER) == 1);
        RV_CHECK(rv_read(ends[0], &byte, 1, RV_NEVER) == 1);
        close_pair(ends);
    }
    return 0;
}

static void nothing_is_left_of_many_operations(void **state)
{
    size_t count = scaled(150000, 2000);
    (void)state;
    assert_int_equal(run_here(WORKERS, pass_many, &(size_t){100}), 0);
    struct holdings before = holdings_now();
    assert_int_equal(run_here(WORKERS, pass_many, &count), 0);
    assert_int_equal(run_here(WORKERS, reopen_many, &count), 0);
    assert_no_more_is_held(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_wakes_its_reader),
        cmocka_unit_test(a_byte_is_read_once_whatever_its_reader_s_deadline),
        cmocka_unit_test(a_cancelled_read_takes_nothing),
        cmocka_unit_test(what_threads_write_arrives),
        cmocka_unit_test(nothing_is_left_of_many_operations),
    };
    int failed;
    signal(SIGPIPE, SIG_IGN);
    RUN_ON_EACH_BACKEND(tests, failed);
    return failed;
}
