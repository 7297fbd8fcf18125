/* SPDX-License-Identifier: MIT */
/* probe_python.c - the CPython of this machine beside Ravel: computing and waiting.
 *
 * Each side works in its own language, and is compared with its own single worker. So the figures
 * say what running side by side gives, not how fast a language is. python.py is compiled in, and
 * run by `python3 -c`; it prints a line of "series workers seconds" for each sample.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/embedded.h"
#include "lab/stats.h"
#include "lab/workers.h"

extern char **environ;

enum { MOST_LINES = 512, MOST_COUNTS = 16, MOST_SAMPLES = 16 };

struct said {
    char series[32];
    unsigned workers; /* 0: the series is the version */
    double seconds;
};

static unsigned most_workers(struct lab_bench *b, bool waits)
{
    unsigned all = lab_processors() > 2 ? lab_processors() : 2;

    return waits ? (unsigned)lab_pick(b, 8, 32) : all;
}

/* --- Python's side --- */

static int start_python(struct lab_bench *b, bool waits, int fd, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    char program[] = "python3", flag[] = "-c", most[16], rounds[16], what[16];
    char *script = strdup(lab_python_script);
    char *argv[] = {program, flag, script, what, most, rounds, NULL};

    if (!script)
        return -ENOMEM;
    snprintf(what, sizeof what, "%s", waits ? "waiting" : "computing");
    snprintf(most, sizeof most, "%u", most_workers(b, waits));
    snprintf(rounds, sizeof rounds, "%ld", lab_pick(b, 1, 11));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fd, 1);
    int r = -posix_spawnp(ret, program, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    free(script);
    return r;
}

static long read_lines(FILE *in, struct said *all)
{
    char line[128];
    long count = 0;

    while (count < MOST_LINES && fgets(line, sizeof line, in)) {
        struct said *s = &all[count];
        count += sscanf(line, "%31s %u %lf", s->series, &s->workers, &s->seconds) == 3;
    }
    return count;
}

/* @return how many lines it said; -errno */
static long ask_python(struct lab_bench *b, bool waits, struct said *all)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int r = start_python(b, waits, ends[1], &pid);
    close(ends[1]);
    FILE *in = r < 0 ? NULL : fdopen(ends[0], "r");
    long count = in ? read_lines(in, all) : 0;
    if (in)
        fclose(in);
    else
        close(ends[0]);
    if (r == 0)
        r = lab_reap(pid);
    return r < 0 ? r : count;
}

/* --- both --- */

static size_t samples_of(const struct said *all, long count, const char *series, unsigned workers,
                         double *ret)
{
    size_t found = 0;

    for (long i = 0; i < count && found < MOST_SAMPLES; i++) {
        if (all[i].workers == workers && strcmp(all[i].series, series) == 0)
            ret[found++] = all[i].seconds;
    }
    return found;
}

/* As multiples of one worker's speed. */
static int tell_series(struct lab_bench *b, const struct said *all, long count, const char *series,
                       const char *name)
{
    double samples[MOST_SAMPLES];
    size_t ones = samples_of(all, count, series, 1, samples);
    double one = ones ? lab_summarise(samples, ones).median : (double)NAN;
    int r = 0;

    for (unsigned workers = 1; workers <= 4096 && r == 0; workers++) {
        size_t found = samples_of(all, count, series, workers, samples);
        for (size_t i = 0; i < found; i++)
            samples[i] = one / samples[i];
        if (found > 0)
            r = lab_tell(b, name, workers, "x", samples, found);
    }
    return r;
}

static int tell_python(struct lab_bench *b, const struct said *all, long count)
{
    static const char *const series[] = {"threads", "processes", "asyncio"};
    const char *version = count > 0 && all[0].workers == 0 ? all[0].series : "unknown";
    char name[64];
    int r = 0;

    for (size_t i = 0; i < 3 && r == 0; i++) {
        snprintf(name, sizeof name, "CPython %s, %s", version, series[i]);
        r = tell_series(b, all, count, series[i], name);
    }
    return r;
}

static int tell_ravel(struct lab_bench *b, bool waits, enum lab_kind kind)
{
    struct lab_work work = {.pieces = lab_pick(b, 8, 32), .wait_ns = 1000000};
    unsigned workers[MOST_COUNTS], count = lab_worker_counts(most_workers(b, waits), workers);
    static struct said all[MOST_COUNTS * MOST_SAMPLES];
    long found = 0, rounds = lab_pick(b, 3, 15);
    char name[64];

    if (!waits)
        work.steps = lab_steps_for(lab_pick(b, 8000000, 64000000)) / work.pieces;
    for (unsigned i = 0; i < count; i++) {
        for (long k = 0; k < rounds; k++) {
            double ns = lab_divide(&work, kind, workers[i]);
            if (ns < 0)
                return (int)ns;
            all[found++] = (struct said){"ravel", workers[i], ns};
        }
    }
    snprintf(name, sizeof name, "Ravel, %s", lab_kind_names[kind]);
    return tell_series(b, all, found, "ravel", name);
}

static int compare(struct lab_bench *b, bool waits)
{
    static struct said all[MOST_LINES];
    long count = ask_python(b, waits, all);
    int r = tell_ravel(b, waits, LAB_TASKS);

    if (r < 0)
        return r;
    if (count == -ENOENT)
        return lab_missing(b, "there is no python3");
    if (count < 0)
        return lab_missing(b, "python3 has failed");
    return tell_python(b, all, count);
}

int lab_python_computing(struct lab_bench *b)
{
    return compare(b, false);
}

int lab_python_waiting(struct lab_bench *b)
{
    return compare(b, true);
}
