/* SPDX-License-Identifier: MIT */
/* probe_scale.c - the same work by more and more workers: waiting, computing, under one lock.
 *
 * What computing gives is fitted by the Universal Scalability Law (stats.h); the note on the last
 * figure of each line says what it foretells.
 *
 * Checked by: tests/cli/test_lab.py */
#include <math.h>
#include <stdio.h>

#include "lab/stats.h"
#include "lab/workers.h"

enum { MOST_COUNTS = 16, MOST_SAMPLES = 21 };

struct line {
    const char *name;
    struct lab_work work;
    enum lab_kind kind;
    double workers[MOST_COUNTS], rates[MOST_COUNTS];
    unsigned count;
    bool is_noisy;
};

static void foretell(struct lab_bench *b, const struct line *line)
{
    struct lab_usl law;

    if (!line->work.steps || !lab_usl_fit(line->workers, line->rates, line->count, &law))
        return;
    if (line->is_noisy || law.error > 0.15)
        lab_note(b, "too noisy for the scalability law");
    else if (isinf(law.best))
        lab_note(b, "law: contention %.3f, coherence 0: more workers go on helping",
                 law.contention);
    else
        lab_note(b, "law: contention %.3f, coherence %.4f: most is done by %.0f", law.contention,
                 law.coherence, law.best);
}

static int measure(struct lab_bench *b, struct line *line, unsigned workers, bool is_last)
{
    double samples[MOST_SAMPLES];
    long count = lab_pick(b, 3, MOST_SAMPLES);

    for (long i = 0; i < count; i++) {
        samples[i] = lab_divide(&line->work, line->kind, workers);
        if (samples[i] < 0)
            return (int)samples[i];
    }
    struct lab_summary s = lab_summarise(samples, (size_t)count);
    line->workers[line->count] = workers;
    line->rates[line->count++] = 1e9 / s.median;
    line->is_noisy |= s.is_noisy;
    if (is_last)
        foretell(b, line);
    return lab_tell(b, line->name, workers, "ns", samples, (size_t)count);
}

static int measure_all(struct lab_bench *b, struct line *line, unsigned most)
{
    unsigned workers[MOST_COUNTS], count = lab_worker_counts(most, workers);
    int r = 0;

    for (unsigned i = 0; i < count && r == 0; i++)
        r = measure(b, line, workers[i], i + 1 == count);
    return r;
}

static int by_all_kinds(struct lab_bench *b, struct lab_work work, unsigned most)
{
    int r = 0;

    for (int kind = 0; kind < LAB_KINDS && r == 0; kind++) {
        struct line line = {lab_kind_names[kind], work, (enum lab_kind)kind, .count = 0};
        r = measure_all(b, &line, most);
    }
    return r;
}

int lab_waiting(struct lab_bench *b)
{
    struct lab_work work = {.pieces = lab_pick(b, 8, 64), .wait_ns = 1000000};

    return by_all_kinds(b, work, (unsigned)work.pieces);
}

static unsigned most_computing(void)
{
    return lab_processors() * 2 > 4 ? lab_processors() * 2 : 4;
}

/* Divisible by the usual numbers of workers. */
int lab_computing(struct lab_bench *b)
{
    struct lab_work work = {.pieces = 48};

    work.steps = lab_steps_for(lab_pick(b, 6000000, 96000000)) / work.pieces;
    return by_all_kinds(b, work, most_computing());
}

int lab_one_lock(struct lab_bench *b)
{
    long computing = lab_steps_for(lab_pick(b, 4000000, 48000000)) / 16;
    struct line lines[] = {
        {"computing, no lock", {16, computing, 0, false}, LAB_THREADS, .count = 0},
        {"computing, one lock", {16, computing, 0, true}, LAB_THREADS, .count = 0},
        {"waiting, no lock", {lab_pick(b, 8, 48), 0, 1000000, false}, LAB_THREADS, .count = 0},
        {"waiting, one lock", {lab_pick(b, 8, 48), 0, 1000000, true}, LAB_THREADS, .count = 0},
    };
    int r = 0;

    for (unsigned i = 0; i < sizeof lines / sizeof lines[0] && r == 0; i++)
        r = measure_all(b, &lines[i], most_computing());
    return r;
}
