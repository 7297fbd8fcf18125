/* SPDX-License-Identifier: MIT */
/* measure.c - every tier measured in a process of its own.
 *
 * Time, context switches and memory then belong to that tier alone. The process is this executable
 * started again with --measure; it gets the list of files on its standard input and answers with a
 * line of key=value. The order of the tiers turns round with each round, so that a machine that
 * becomes slower or faster meanwhile favours none of them. */
#include "measure.h"

#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The tiers to compare. A tier that this build of Ravel lacks is left out, and so is a cluster that
 * nobody has named. */
static const char *const tiers[] = {"inline", "tasks", "threads", "processes", "cluster"};

_Static_assert(sizeof tiers / sizeof *tiers <= MAX_TIERS, "there is room for all");

enum { ROUNDS = 3 };

#define LONG_ROUND (20 * RV_SECOND)

/* The executor's full name: a number of threads or processes goes behind the word. */
static const char *executor_name(char name[static 32], const char *tier, unsigned workers)
{
    if (workers == 0 || (strcmp(tier, "threads") != 0 && strcmp(tier, "processes") != 0))
        return tier;
    snprintf(name, 32, "%s:%u", tier, workers);
    return name;
}

/* ---- the started process --------------------------------------------------------------------- */

/* The most memory held at a time, by this process alone; 0 where there is no /proc. Not ru_maxrss:
 * Linux lets that begin with the maximum of the process that started this one. */
static uint64_t peak_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char text[256];
    uint64_t kib = 0;
    while (status && kib == 0 && fgets(text, sizeof text, status))
        if (sscanf(text, "VmHWM: %" SCNu64, &kib) != 1)
            kib = 0;
    if (status)
        fclose(status);
    return 1024 * kib;
}

static void print_run(const struct run *run)
{
    printf("wall_ns=%" PRIi64 " jobs=%" PRIu64 " failed=%" PRIu64 " peak_bytes=%" PRIu64
           " words=%" PRIu64 " distinct=%" PRIu64 " checksum=%" PRIx64,
           run->wall_ns, run->jobs, run->failed, peak_bytes(), run->answer.words,
           run->answer.distinct, run->answer.checksum);
    for (int i = 0; i < TOP_WORDS && run->answer.top[i].count > 0; i++)
        printf(" %s=%" PRIu64, run->answer.top[i].word, run->answer.top[i].count);
    putchar('\n');
}

static bool scan_run(FILE *in, struct measured *ret)
{
    struct answer *answer = &ret->run.answer;
    *ret = (struct measured){0};
    if (fscanf(in,
               "wall_ns=%" SCNi64 " jobs=%" SCNu64 " failed=%" SCNu64 " peak_bytes=%" SCNu64
               " words=%" SCNu64 " distinct=%" SCNu64 " checksum=%" SCNx64,
               &ret->run.wall_ns, &ret->run.jobs, &ret->run.failed, &ret->peak_bytes,
               &answer->words, &answer->distinct, &answer->checksum) != 7)
        return false;
    for (int i = 0; i < TOP_WORDS; i++)
        if (fscanf(in, " %63[^=\n]=%" SCNu64, answer->top[i].word, &answer->top[i].count) != 2)
            break;
    return true;
}

int measure_here(const struct options *options)
{
    struct files files = {0};
    struct run run = {0};
    char name[32];
    progress_allow(*options->progress ? options->progress : NULL);
    int err = files_load(&files, stdin);
    if (err == 0)
        err = work_run(&run, &files, executor_name(name, options->tier, options->workers),
                       options->workers);
    files_free(&files);
    if (err < 0) {
        fprintf(stderr, "wordfreq: %s: %s\n", options->tier, strerror(-err));
        return 1;
    }
    print_run(&run);
    return 0;
}

/* ---- the process that compares --------------------------------------------------------------- */

/* Start a process that measures one tier: it reads `list`, writes into `answer_fd`. 0 or -errno. */
static int start(pid_t *ret_pid, const char *tier, const char *label, unsigned workers, FILE *list,
                 int answer_fd)
{
    char name[] = "wordfreq", measure[96], only[640], threads[32];
    char *argv[] = {name, measure, only, workers ? threads : NULL, NULL};
    snprintf(measure, sizeof measure, "--measure=%s", label);
    snprintf(only, sizeof only, "--tier=%s", tier);
    snprintf(threads, sizeof threads, "--workers=%u", workers);

    char self[PATH_MAX];
    if (!realpath("/proc/self/exe", self))
        return -errno;
    posix_spawn_file_actions_t actions;
    int err = posix_spawn_file_actions_init(&actions);
    if (err)
        return -err;
    rewind(list);
    err = posix_spawn_file_actions_adddup2(&actions, fileno(list), STDIN_FILENO);
    if (err == 0)
        err = posix_spawn_file_actions_adddup2(&actions, answer_fd, STDOUT_FILENO);
    if (err == 0)
        err = posix_spawn(ret_pid, self, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return -err;
}

/* Read a process's answer, then wait for its end. */
static int collect(struct measured *ret, pid_t pid, FILE *answer)
{
    bool answered = scan_run(answer, ret);
    int status;
    struct rusage usage;
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return -errno;
    ret->voluntary = (uint64_t)usage.ru_nvcsw;
    ret->involuntary = (uint64_t)usage.ru_nivcsw;
    if (WIFSIGNALED(status))
        fprintf(stderr, "wordfreq: killed: %s\n", strsignal(WTERMSIG(status)));
    return answered && status == 0 ? 0 : -EIO;
}

/* Measure one tier once, in a process of its own. 0 or -errno. */
static int measure_once(struct measured *ret, const char *tier, const char *label, unsigned workers,
                        FILE *list)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid;
    int err = start(&pid, tier, label, workers, list, fds[1]);
    close(fds[1]);
    FILE *answer = fdopen(fds[0], "r");
    if (err == 0)
        err = answer ? collect(ret, pid, answer) : -ENOMEM;
    if (answer)
        fclose(answer);
    return err;
}

static int by_wall(const void *a, const void *b)
{
    const struct measured *x = a, *y = b;
    return (x->run.wall_ns > y->run.wall_ns) - (x->run.wall_ns < y->run.wall_ns);
}

/* What the runs of a tier come to. One of them is shown, so that its numbers belong together. */
static void conclude(struct tier_result *tier, struct measured *runs, unsigned n, uint64_t checksum)
{
    tier->same = true;
    for (unsigned i = 0; i < n; i++) {
        tier->same &= runs[i].run.answer.checksum == checksum;
        tier->failed += runs[i].run.failed;
    }
    qsort(runs, n, sizeof *runs, by_wall);
    tier->median = runs[(n - 1) / 2];
}

static int measure_round(struct results *r, const struct options *o, unsigned round,
                         unsigned planned, struct measured runs[][MAX_ROUNDS], FILE *list)
{
    for (size_t i = 0; i < r->tier_count; i++) {
        size_t tier = round % 2 == 0 ? i : r->tier_count - 1 - i;
        char label[64] = "";
        if (!o->json)
            snprintf(label, sizeof label, "round %u of %u, %s: ", round + 1, planned,
                     r->tiers[tier].name);
        int err = measure_once(&runs[tier][round], r->tiers[tier].name, label, o->workers, list);
        if (err < 0) {
            fprintf(stderr, "wordfreq: measuring %s: %s\n", r->tiers[tier].name, strerror(-err));
            return err;
        }
    }
    return 0;
}

static int measure_rounds(struct results *r, const struct options *o,
                          struct measured runs[][MAX_ROUNDS], FILE *list)
{
    unsigned planned = o->rounds ? o->rounds : ROUNDS;
    rv_time start = rv_now();
    int err = 0;
    for (r->rounds = 0; err == 0 && r->rounds < planned; r->rounds++) {
        err = measure_round(r, o, r->rounds, planned, runs, list);
        if (!o->rounds && rv_now() - start > LONG_ROUND)
            planned = r->rounds + 1;
    }
    return err;
}

static void compare(struct results *r, struct measured runs[][MAX_ROUNDS])
{
    uint64_t checksum = runs[0][0].run.answer.checksum;
    for (size_t i = 0; i < r->tier_count; i++)
        conclude(&r->tiers[i], runs[i], r->rounds, checksum);
    if (strcmp(r->tiers[0].name, "inline") != 0)
        return;
    double inline_ns = (double)r->tiers[0].median.run.wall_ns;
    for (size_t i = 0; i < r->tier_count; i++)
        r->tiers[i].speed_up = inline_ns / (double)r->tiers[i].median.run.wall_ns;
}

int measure_all(struct results *r, const struct options *o)
{
    static struct measured runs[MAX_TIERS][MAX_ROUNDS];
    FILE *list = tmpfile();
    int err = list ? files_save(&r->files, list) : -errno;
    if (err < 0)
        fprintf(stderr, "wordfreq: temporary file: %s\n", strerror(-err));
    else
        err = measure_rounds(r, o, runs, list);
    if (list)
        fclose(list);
    if (err == 0)
        compare(r, runs);
    return err;
}

/* ---- before anything is measured ------------------------------------------------------------- */

static bool has_cluster(void)
{
    const char *address = getenv("RAVEL_CLUSTER");
    return address && *address;
}

struct survey {
    struct results *results;
    const struct options *options;
};

/* Open an executor only to see whether it is there. */
static int try_executor(const char *executor, char *ret_choice, size_t bytes)
{
    rv_executor *ex;
    char words[256] = "";
    struct rv_cluster_opts cluster = {
        .size = sizeof cluster, .words = words, .words_bytes = sizeof words};
    struct rv_executor_opts opts = {.size = sizeof opts, .cluster = &cluster};
    int err = rv_executor_open(&ex, executor, &opts);
    if (words[0])
        fprintf(stderr, "wordfreq: %s: %s\n", executor, words);
    if (err < 0)
        return err;
    snprintf(ret_choice, bytes, "%s", rv_executor_choice(ex));
    return rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
}

static int survey(void *arg)
{
    struct survey *s = arg;
    struct results *r = s->results;
    const char *only = s->options->tier;
    r->workers = rv_run_workers();
    for (size_t i = 0; i < (only ? 1 : sizeof tiers / sizeof *tiers); i++) {
        const char *tier = only ? only : tiers[i];
        if (!only && strcmp(tier, "cluster") == 0 && !has_cluster())
            continue;
        int err = try_executor(tier, r->choice, sizeof r->choice);
        if (err == 0)
            r->tiers[r->tier_count++].name = tier;
        else if (only || err != -EOPNOTSUPP)
            return err;
    }
    return try_executor("auto", r->choice, sizeof r->choice);
}

int measure_survey(struct results *ret, const struct options *o)
{
    struct survey s = {ret, o};
    struct rv_run_opts opts = {.size = sizeof opts, .workers = o->workers, .no_interrupt = 1};
    *ret = (struct results){0};
    int err = rv_run(survey, &s, &opts);
    bool is_cluster = o->tier && strncmp(o->tier, "cluster", 7) == 0; /* that has told already */
    bool about_tier =
        o->tier && !is_cluster && ret->workers > 0 && (err == -EINVAL || err == -EOPNOTSUPP);
    if (about_tier)
        fprintf(stderr, "wordfreq: --tier: %s '%s'\n",
                err == -EINVAL ? "there is no tier" : "this build of Ravel lacks", o->tier);
    else if (err < 0)
        fprintf(stderr, "wordfreq: cannot start: %s\n", strerror(-err));
    return about_tier ? -EINVAL : err == -EINVAL ? -ECANCELED : err;
}
