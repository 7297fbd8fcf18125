/* SPDX-License-Identifier: MIT */
/* bench_schedules.c - schedules and time to the first failure of programs under check.
 *
 *     bench_schedules LIBRARY SEEDS BUDGET STRATEGIES PROGRAM...
 *
 * STRATEGIES: numbers with commas between, 0 the portfolio, n enum rvi_strategy_kind + 1. Prints
 * JSON: a line a program and strategy, with the schedules of each seed (the budget: not found),
 * milliseconds, the kinds found, and the deviations left after minimising each failure; -1: it did
 * not fail again. One stream, so that equal seeds give equal numbers. tools/check_bench.py makes
 * tables of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "check/driver/explorer.h"
#include "check/driver/minimise.h"
#include "check/driver/stream.h"

enum { SEEDS_MOST = 100, MINIMISE_MS = 500 };

static unsigned seeds, budget;

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void judge(struct ck_result *r)
{
    int status = (int)r->exit_status;

    if (r->failure.kind != CK_FINE)
        return;
    if (WIFSIGNALED(status))
        r->failure.kind = CK_CRASH;
    else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        r->failure.kind = CK_EXIT;
}

static bool is_failure(const struct ck_result *r)
{
    return r->failure.kind != CK_FINE && r->failure.kind < CK_STEPS;
}

struct trial {
    struct ck_stream *stream;
    struct ck_report failure;
};

static bool fails(void *arg, const struct ck_switch *switches, size_t count,
                  const struct ck_switch **ret_taken, size_t *ret_count)
{
    struct trial *t = arg;
    struct ck_shared *shared = ck_stream_shared(t->stream);

    shared->plan.mode = CK_FOLLOW;
    shared->plan.switch_count = (uint32_t)count;
    memcpy(shared->switches, switches, count * sizeof *switches);
    if (ck_stream_run(t->stream) < 0)
        return false;
    judge(&shared->result);
    *ret_taken = shared->trace;
    *ret_count = shared->result.switch_count;
    return ck_minimise_is_same(&t->failure, &shared->result.failure);
}

static double over_at;

static bool is_over(void *arg)
{
    (void)arg;
    return now_ms() > over_at;
}

static long minimise(struct ck_stream *stream)
{
    static struct ck_switch switches[CK_SWITCHES_MOST];
    struct ck_shared *shared = ck_stream_shared(stream);
    struct trial t = {stream, shared->result.failure};
    struct ck_minimise_opts opts = {.fails = fails, .is_over = is_over, .arg = &t};
    size_t count = shared->result.switch_count, taken_count;
    const struct ck_switch *taken;
    bool is_done;

    memcpy(switches, shared->trace, count * sizeof *switches);
    if (!fails(&t, switches, count, &taken, &taken_count))
        return -1;
    over_at = now_ms() + MINIMISE_MS;
    return ck_minimise(switches, count, &opts, &is_done);
}

struct run {
    unsigned schedules;
    double ms;
    uint32_t kind;
    long left;
};

/* A program may end its server; the run goes on with another. */
static void again(struct ck_stream **stream, const struct ck_stream_opts *opts)
{
    struct rvi_text why = {0};

    fprintf(stderr, "%s: its server ended\n", opts->program);
    ck_stream_close(*stream);
    if (ck_stream_open(opts, stream, &why) < 0) {
        fprintf(stderr, "%s: and cannot be started again\n", opts->program);
        exit(1);
    }
}

static struct ck_explorer *explorer(uint64_t seed, int strategy)
{
    struct ck_explorer *e;
    struct ck_explorer_opts opts = {
        .seed = seed, .schedules = budget, .only_strategy = strategy, .flags = CK_FIND_RACES};

    if (ck_explorer_new(&opts, &e) < 0)
        exit(1);
    return e;
}

static struct run run(struct ck_stream **stream, const struct ck_stream_opts *opts, uint64_t seed,
                      int strategy)
{
    struct ck_explorer *e = explorer(seed, strategy);
    struct run run = {.schedules = 0, .left = -1};
    double began = now_ms();

    while (run.kind == CK_FINE && ck_explorer_next(e, ck_stream_shared(*stream), 0) == CK_GO_ON) {
        run.schedules++;
        if (ck_stream_run(*stream) < 0) {
            again(stream, opts);
            continue;
        }
        struct ck_shared *shared = ck_stream_shared(*stream);
        judge(&shared->result);
        if (is_failure(&shared->result))
            run.kind = shared->result.failure.kind;
        else if (ck_explorer_feed(e, shared) < 0)
            exit(1);
    }
    run.ms = now_ms() - began;
    ck_explorer_free(e);
    if (run.kind == CK_FINE)
        run.schedules = budget;
    else
        run.left = minimise(*stream);
    return run;
}

static void print_runs(const char *program, int strategy, const struct run *runs)
{
    printf("{\"program\": \"%s\", \"strategy\": %d, \"runs\": [", program, strategy);
    for (unsigned i = 0; i < seeds; i++)
        printf("%s[%u, %.3f, %u, %ld]", i > 0 ? ", " : "", runs[i].schedules, runs[i].ms,
               runs[i].kind, runs[i].left);
    printf("]}\n");
    fflush(stdout);
}

static int measure(const char *library, const char *program, char *strategies)
{
    const char *args[] = {program, NULL};
    struct ck_stream_opts opts = {.program = program, .argv = args, .runtime = library};
    struct ck_stream *stream;
    struct rvi_text why = {0};
    struct run runs[SEEDS_MOST];

    if (ck_stream_open(&opts, &stream, &why) < 0) {
        fprintf(stderr, "%s: cannot be started\n", program);
        return 1;
    }
    for (char *at = strategies; *at; at += *at == ',') {
        int strategy = (int)strtol(at, &at, 10);
        for (unsigned i = 0; i < seeds; i++)
            runs[i] = run(&stream, &opts, i + 1, strategy);
        print_runs(program, strategy, runs);
    }
    ck_stream_close(stream);
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc < 6)
        return 2;
    seeds = (unsigned)atoi(argv[2]);
    budget = (unsigned)atoi(argv[3]);
    if (seeds > SEEDS_MOST)
        return 2;
    for (int i = 5; i < argc; i++)
        status |= measure(argv[1], argv[i], argv[4]);
    return status;
}
