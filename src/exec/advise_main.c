/* SPDX-License-Identifier: MIT */
/* advise_main.c - what `ravel advise` makes of a program: it runs one of its jobs on each tier,
 * with more and more workers, and tells what that took.
 *
 * It is told in words in the variable: where to write (fd), where to read the sample inputs
 * (input), the job, milliseconds of a sample, samples, the most workers, and how long a cluster may
 * be silent (patience_ms). Lines come back:
 *
 *     program                                  this is one of Ravel's; always first
 *     job NAME IN_BYTES OUT_BYTES              of each job, if none was named, or of that
 *     alone TIER NS                            one, nothing else being under way, from its
 *                                              hand-over until its result is there
 *     sample TIER WORKERS JOBS NS              so many jobs took so long
 *     spent TIER WORKERS JOBS NS VOLUNTARY FORCED BYTES
 *                                              of all samples of those workers together: processor
 *                                              time, switches, the largest process
 *     failed TIER WORKERS ERRNO WORDS          and so there is no more of this tier; words if there
 *                                              are any
 *     end
 *
 *   A1  what is spent is counted from before a tier is opened until it is closed, since worker
 *       processes are charged to us when they have ended; their start is in it
 *   A2  a tier gets no more workers after two doublings that gave less than a tenth
 *   A3  a cluster is asked if RAVEL_CLUSTER names one, and waited for as long as patience_ms says.
 *       How many workers it has is its own affair: their number is that of the jobs under way,
 *       which so many can use. What is spent is spent here: what its workers spend they alone know.
 *
 * Checked by: tests/cli/test_advise.py */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ravel/cluster.h>
#include <ravel/executor.h>
#include <ravel/io.h>
#include <ravel/run.h>

#include "base/alloc.h"
#include "exec/jobs_wire.h"
#include "proc/before_main.h"

enum { JOBS_MOST = 1 << 20, BYTES_MOST = 64 << 20, UNABLE = 2 };

struct trial {
    int fd, input, sample_ms, samples, most, patience_ms;
    const struct rv_job *job;
    char *in, *out;     /* of JOBS_MOST jobs, or as many as fit into BYTES_MOST */
    size_t given, room; /* inputs in the file; jobs that fit */
    size_t jobs;        /* that take a sample's time, one after another */
    char words[256];    /* of a tier that could not be opened: why */
};

#define ALONE_NS RV_MILLISECOND /* one after another for so long at least */

static void tell(const struct trial *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(const struct trial *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vdprintf(t->fd, format, args);
    va_end(args);
}

/* --- what is to be done --- */

static bool take_word(struct trial *t, char *word)
{
    static const char *const names[] = {"fd", "input", "ms", "samples", "most", "patience_ms"};
    char *value = strchr(word, '='), *end;

    if (!value)
        return false;
    *value++ = '\0';
    if (strcmp(word, "job") == 0)
        return (t->job = rv_job_find(value)) != NULL;

    long number = strtol(value, &end, 10);
    for (int i = 0; i < 6; i++) {
        if (strcmp(word, names[i]) != 0)
            continue;
        *(int *[]){&t->fd, &t->input, &t->sample_ms, &t->samples, &t->most, &t->patience_ms}[i] =
            (int)number;
        return *value && !*end && number >= 0 && number <= 100000;
    }
    return false;
}

static int take_words(struct trial *t, char *text)
{
    char *rest;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (!take_word(t, word)) {
            fprintf(stderr, "ravel: %s: `ravel advise` sets it\n", RVI_ADVISE_VARIABLE);
            return -EINVAL;
        }
    }
    return 0;
}

static void tell_job(const struct trial *t, const struct rv_job *job)
{
    tell(t, "job %s %zu %zu\n", job->name, job->in_bytes, job->out_bytes);
}

static void list_jobs(const struct trial *t)
{
    for (const struct rv_job *job = rvi_job_newest(); job; job = job->next)
        tell_job(t, job);
}

/* The inputs of the file, over and over. */
static int load(struct trial *t)
{
    size_t each = t->job->in_bytes, out = t->job->out_bytes, count = 0;
    size_t room = BYTES_MOST / (each + out);

    t->room = room > JOBS_MOST ? JOBS_MOST : room;
    if (t->room == 0)
        return -E2BIG;
    t->in = rvi_alloc(t->room * each);
    t->out = rvi_alloc(t->room * out);
    if (!t->in || !t->out)
        return -ENOMEM;
    int r = rv_read_full(t->input, t->in, t->room * each, &count, RV_NEVER);
    if (r < 0 && r != -ENODATA)
        return r;
    t->given = count / each;
    if (t->given == 0 || count % each != 0)
        return -EBADMSG;
    for (size_t i = t->given; i < t->room; i++)
        memcpy(t->in + i * each, t->in + (i % t->given) * each, each);
    return 0;
}

/* --- one tier, so many workers --- */

static bool is_cluster(const char *tier)
{
    return strcmp(tier, "cluster") == 0;
}

static int open_cluster(struct trial *t, unsigned window, rv_executor **ret)
{
    rv_time patience = t->patience_ms * RV_MILLISECOND;
    struct rv_cluster_opts cluster = {.size = sizeof(cluster),
                                      .connect_timeout = patience,
                                      .worker_wait = patience,
                                      .link_wait = patience,
                                      .window = window,
                                      .words = t->words,
                                      .words_bytes = sizeof(t->words)};
    struct rv_executor_opts opts = {.size = sizeof(opts), .cluster = &cluster};
    return rv_executor_open(ret, "cluster", &opts);
}

static int open_tier(struct trial *t, const char *tier, unsigned workers, rv_executor **ret)
{
    char spec[32];

    if (is_cluster(tier))
        return open_cluster(t, workers, ret);
    snprintf(spec, sizeof(spec), strcmp(tier, "inline") == 0 ? "%s" : "%s:%u", tier, workers);
    return rv_executor_open(ret, spec, NULL);
}

static int run_jobs(struct trial *t, rv_executor *ex, size_t jobs, rv_time *ret_ns)
{
    rv_time begin = rv_now();
    int r = rv_map_job(ex, t->job, t->in, jobs, t->out, NULL, RV_NEVER);

    *ret_ns = rv_now() - begin;
    return r;
}

/* As many as take a sample's time. */
static int find_count(struct trial *t, rv_executor *ex)
{
    rv_time ns = 0, goal = t->sample_ms * RV_MILLISECOND;
    int r = 0;

    for (t->jobs = 1; r == 0; t->jobs *= 2) {
        r = run_jobs(t, ex, t->jobs, &ns);
        if (ns >= goal || t->jobs * 2 > t->room)
            break;
    }
    return r;
}

struct spent {
    double ns, voluntary, forced;
};

static struct spent spent_by(int who)
{
    struct rusage used;

    if (getrusage(who, &used) != 0)
        return (struct spent){0};
    return (struct spent){(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
                              (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3,
                          (double)used.ru_nvcsw, (double)used.ru_nivcsw};
}

static struct spent spent_now(void)
{
    struct spent a = spent_by(RUSAGE_SELF), b = spent_by(RUSAGE_CHILDREN);

    return (struct spent){a.ns + b.ns, a.voluntary + b.voluntary, a.forced + b.forced};
}

static long largest(void)
{
    struct rusage own, children;

    if (getrusage(RUSAGE_SELF, &own) != 0 || getrusage(RUSAGE_CHILDREN, &children) != 0)
        return 0;
    return 1024 * (own.ru_maxrss > children.ru_maxrss ? own.ru_maxrss : children.ru_maxrss);
}

static size_t jobs_for(const struct trial *t, unsigned workers)
{
    size_t jobs = t->jobs > 2 * (size_t)workers ? t->jobs : 2 * (size_t)workers;

    return jobs < t->room ? jobs : t->room;
}

/* One sample more than is told: the first one warms up. */
static int take_samples(struct trial *t, rv_executor *ex, const char *tier, unsigned workers,
                        double *ret_best)
{
    size_t jobs = jobs_for(t, workers);
    rv_time ns;
    int r = 0;

    for (int i = -1; i < t->samples && r == 0; i++) {
        r = run_jobs(t, ex, jobs, &ns);
        if (r < 0 || i < 0)
            continue;
        tell(t, "sample %s %u %zu %lld\n", tier, workers, jobs, (long long)ns);
        double rate = (double)jobs / (double)(ns ? ns : 1);
        *ret_best = rate > *ret_best ? rate : *ret_best;
    }
    return r;
}

/* One after another, each waited for: the first one warms up. */
static int take_alone(struct trial *t, rv_executor *ex, const char *tier)
{
    rv_time ns;
    int r = run_jobs(t, ex, 1, &ns);

    for (int i = 0; i < t->samples && r == 0; i++) {
        rv_time all = 0;
        int count = 0;
        for (; r == 0 && all < ALONE_NS; count++) {
            r = run_jobs(t, ex, 1, &ns);
            all += ns + 1; /* also where the clock stands still */
        }
        if (r == 0)
            tell(t, "alone %s %.1f\n", tier, (double)all / count);
    }
    return r;
}

/* What is found out before anything is counted: how long one takes, and of what follows how many to
 * run, which the first tier says for all that are here. */
static int begin_tier(struct trial *t, const char *tier)
{
    rv_executor *ex;
    int r = open_tier(t, tier, 1, &ex);

    if (r < 0)
        return r;
    r = take_alone(t, ex, tier);
    if (r == 0 && (t->jobs == 0 || is_cluster(tier)))
        r = find_count(t, ex);
    int closed = rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER);
    return r < 0 ? r : closed;
}

static int try_workers(struct trial *t, const char *tier, unsigned workers, double *ret_best)
{
    struct spent before = spent_now();
    rv_executor *ex;
    int r = open_tier(t, tier, workers, &ex);

    if (r < 0)
        return r;
    r = take_samples(t, ex, tier, workers, ret_best);
    int closed = rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER);
    struct spent now = spent_now();
    tell(t, "spent %s %u %zu %.0f %.0f %.0f %ld\n", tier, workers,
         jobs_for(t, workers) * ((size_t)t->samples + 1), now.ns - before.ns,
         now.voluntary - before.voluntary, now.forced - before.forced, largest());
    return r < 0 ? r : closed;
}

static unsigned most_of(const struct trial *t, const char *tier)
{
    return strcmp(tier, "inline") == 0 ? 1 : (unsigned)t->most;
}

static void try_tier(struct trial *t, const char *tier)
{
    unsigned in_vain = 0, workers = 1;
    double best = 0;
    int r = begin_tier(t, tier);

    while (r == 0 && workers <= most_of(t, tier) && in_vain < 2) {
        double rate = 0;
        r = try_workers(t, tier, workers, &rate);
        in_vain = rate > 1.1 * best ? 0 : in_vain + 1;
        best = rate > best ? rate : best;
        workers *= r == 0 ? 2 : 1;
    }
    if (r < 0)
        tell(t, "failed %s %u %d %s\n", tier, workers, -r, t->words);
}

static int try_all(void *arg)
{
    static const char *const tiers[] = {"inline", "tasks", "threads", "processes"};
    const char *cluster = getenv("RAVEL_CLUSTER");
    struct trial *t = arg;
    int r = load(t);

    if (r < 0)
        tell(t, "failed input 0 %d\n", -r);
    for (size_t i = 0; i < sizeof(tiers) / sizeof(tiers[0]) && r == 0; i++)
        try_tier(t, tiers[i]);
    if (r == 0 && cluster && cluster[0])
        try_tier(t, "cluster");
    rvi_free(t->in);
    rvi_free(t->out);
    return 0;
}

int rvi_advise_main(char *text)
{
    /* "inline" holds its worker, and is to; the watch's signals would be measured as well. */
    struct rv_run_opts opts = {.size = sizeof(opts), .stall_ns = RV_NEVER};
    struct trial t = {
        .fd = -1, .input = -1, .samples = 5, .sample_ms = 50, .most = 1, .patience_ms = 5000};
    int r = take_words(&t, text);

    if (r < 0)
        return UNABLE;
    tell(&t, "program\n");
    if (!t.job) {
        list_jobs(&t);
    } else {
        tell_job(&t, t.job);
        r = rv_run(try_all, &t, &opts);
    }
    tell(&t, "end\n");
    return r < 0 ? UNABLE : EXIT_SUCCESS;
}
