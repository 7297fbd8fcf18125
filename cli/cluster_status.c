/* SPDX-License-Identifier: MIT */
/* cluster_status.c - `ravel cluster status`: what a cluster holds, and who works for it.
 *
 * What comes from the network is for a terminal only as far as it can be printed.
 *
 * Checked by: tests/cli/test_cluster.py, tests/cluster */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/driver/json.h"
#include "cli/cluster_link.h"
#include "cli/cluster_words.h"

static const char usage[] =
    "usage: ravel cluster status [URL] [options]\n"
    "\n"
    "Lists pools: what waits in each lane, what is leased, results and dead letters that are "
    "kept,\n"
    "the builds that tasks wait for, the workers that are there, and named queues.\n"
    "\n" CLUSTER_LINK_USAGE "  --json                as JSON; with --watch a line each time\n"
    "  --watch[=SECONDS]     again and again, until interrupted (every 2 s)\n"
    "\n"
    "Exit status: 0, 1 if tasks wait for a build that no worker has, 2 if it could not be asked.\n";

enum { JSON = CLUSTER_OWN, WATCH };
enum { WATCH_SECONDS = 2, NOT_WHOLE = -1 };

struct status {
    struct cluster_link link;
    bool is_json;
    double every; /* seconds; 0: once */
};

/* A pool, and who told. */
struct pool {
    const char *name;
    struct rvi_engine_survey survey;
};

static const char *const lanes[RVI_LANES] = {
    [RVI_LANE_HIGH] = "high", [RVI_LANE_NORMAL] = "normal", [RVI_LANE_LOW] = "low"};
static const enum rvi_engine_lane lane_order[RVI_LANES] = {RVI_LANE_HIGH, RVI_LANE_NORMAL,
                                                           RVI_LANE_LOW};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* --- judging --- */

static unsigned workers_of(const struct rvi_engine_survey *survey, const char *build)
{
    unsigned count = 0;

    for (size_t i = 0; i < survey->member_count; i++)
        count += strcmp(survey->members[i].build, build) == 0;
    return count;
}

static bool is_stuck(const struct rvi_engine_survey *survey)
{
    for (size_t i = 0; i < survey->build_count; i++) {
        if (survey->builds[i].waiting > 0 && workers_of(survey, survey->builds[i].build) == 0)
            return true;
    }
    return false;
}

/* --- for people --- */

static void put_clean(const char *text)
{
    for (; *text; text++)
        putchar(isprint((unsigned char)*text) ? *text : '?');
}

static void put_builds(const struct rvi_engine_survey *survey)
{
    char word[CLUSTER_WORD_BYTES];

    for (size_t i = 0; i < survey->build_count; i++) {
        const struct rvi_engine_backlog *b = &survey->builds[i];
        unsigned workers = workers_of(survey, b->build);
        printf("  build %-10s %10llu %10llu   ", cluster_say_build(b->build, word),
               (unsigned long long)b->waiting, (unsigned long long)b->leased);
        if (workers > 0)
            printf("%u worker%s\n", workers, workers == 1 ? "" : "s");
        else
            puts(b->waiting > 0 ? "no worker of this build" : "no worker");
    }
}

static void put_members(const struct rvi_engine_survey *survey)
{
    char word[CLUSTER_WORD_BYTES];
    int64_t now = cluster_now();

    for (size_t i = 0; i < survey->member_count; i++) {
        const struct rvi_engine_member *m = &survey->members[i];
        fputs("  worker ", stdout);
        put_clean(m->name);
        printf(": %u of %u busy, ", m->busy, m->slots);
        put_clean(m->program);
        printf(" (build %s), process %lld on ", cluster_say_build(m->build, word),
               (long long)m->pid);
        put_clean(m->host);
        printf(", for %s", cluster_say_age(m->since, now, word));
        printf(", seen %s ago\n", cluster_say_age(m->seen, now, word));
    }
}

static void put_queues(const struct rvi_engine_survey *survey)
{
    for (size_t i = 0; i < survey->queue_count; i++) {
        const struct rvi_engine_queued *q = &survey->queues[i];
        printf("  queue %-10s %10llu %10llu\n", q->name, (unsigned long long)q->waiting,
               (unsigned long long)q->leased);
    }
}

static void put_pool(const struct pool *pool)
{
    const struct rvi_engine_survey *s = &pool->survey;
    char word[CLUSTER_WORD_BYTES];

    printf("\npool %-13s %10s %10s   %llu result%s, %llu dead, %s\n", pool->name, "waiting",
           "leased", (unsigned long long)s->results, s->results == 1 ? "" : "s",
           (unsigned long long)s->dead, cluster_say_bytes(s->bytes, word));
    for (size_t i = 0; i < RVI_LANES; i++) {
        enum rvi_engine_lane lane = lane_order[i];
        printf("  lane %-11s %10llu %10llu\n", lanes[lane], (unsigned long long)s->waiting[lane],
               (unsigned long long)s->leased[lane]);
    }
    put_builds(s);
    put_queues(s);
    put_members(s);
    if (s->member_count == 0)
        puts("  no worker");
}

static void put_text(const char *url, const struct pool *pools, size_t count)
{
    fputs(url, stdout);
    if (count > 0) {
        fputs(": ", stdout);
        put_clean(pools[0].survey.server);
        fputs(", nats-server ", stdout);
        put_clean(pools[0].survey.version);
    }
    putchar('\n');
    for (size_t i = 0; i < count; i++)
        put_pool(&pools[i]);
    if (count == 0)
        puts("\nno pools: nothing was submitted yet, and no worker has joined");
}

/* --- for programs --- */

static void put_field(const char *name, const char *value)
{
    printf("\"%s\":", name);
    ck_put_json(stdout, value);
}

static void put_lanes(const char *name, const uint64_t *counts)
{
    printf(",\"%s\":{", name);
    for (size_t i = 0; i < RVI_LANES; i++)
        printf("%s\"%s\":%llu", i ? "," : "", lanes[lane_order[i]],
               (unsigned long long)counts[lane_order[i]]);
    putchar('}');
}

static void put_json_builds(const struct rvi_engine_survey *survey)
{
    fputs(",\"builds\":[", stdout);
    for (size_t i = 0; i < survey->build_count; i++) {
        fputs(i ? ",{" : "{", stdout);
        put_field("build", survey->builds[i].build);
        printf(",\"waiting\":%llu,\"leased\":%llu}", (unsigned long long)survey->builds[i].waiting,
               (unsigned long long)survey->builds[i].leased);
    }
    putchar(']');
}

static void put_json_queues(const struct rvi_engine_survey *survey)
{
    fputs(",\"queues\":[", stdout);
    for (size_t i = 0; i < survey->queue_count; i++) {
        fputs(i ? ",{" : "{", stdout);
        put_field("name", survey->queues[i].name);
        printf(",\"waiting\":%llu,\"leased\":%llu}", (unsigned long long)survey->queues[i].waiting,
               (unsigned long long)survey->queues[i].leased);
    }
    putchar(']');
}

static void put_json_members(const struct rvi_engine_survey *survey)
{
    fputs(",\"workers\":[", stdout);
    for (size_t i = 0; i < survey->member_count; i++) {
        const struct rvi_engine_member *m = &survey->members[i];
        fputs(i ? ",{" : "{", stdout);
        put_field("name", m->name);
        putchar(',');
        put_field("host", m->host);
        putchar(',');
        put_field("program", m->program);
        putchar(',');
        put_field("build", m->build);
        printf(",\"pid\":%lld,\"slots\":%u,\"busy\":%u,\"since_ns\":%lld,\"seen_ns\":%lld}",
               (long long)m->pid, m->slots, m->busy, (long long)m->since, (long long)m->seen);
    }
    putchar(']');
}

static void put_json_pool(const struct pool *pool)
{
    const struct rvi_engine_survey *s = &pool->survey;

    putchar('{');
    put_field("name", pool->name);
    put_lanes("waiting", s->waiting);
    put_lanes("leased", s->leased);
    printf(",\"results\":%llu,\"dead\":%llu,\"bytes\":%llu", (unsigned long long)s->results,
           (unsigned long long)s->dead, (unsigned long long)s->bytes);
    put_json_builds(s);
    put_json_queues(s);
    put_json_members(s);
    putchar('}');
}

static void put_json(const char *url, const struct pool *pools, size_t count)
{
    putchar('{');
    put_field("url", url);
    if (count > 0) {
        putchar(',');
        put_field("server", pools[0].survey.server);
        putchar(',');
        put_field("version", pools[0].survey.version);
    }
    fputs(",\"pools\":[", stdout);
    for (size_t i = 0; i < count; i++) {
        if (i)
            putchar(',');
        put_json_pool(&pools[i]);
    }
    puts("]}");
}

/* --- asking --- */

/* NOT_WHOLE: it is just being made, or removed. */
static int survey_pool(const struct cluster_link *link, struct pool *pool)
{
    struct rvi_engine *e = NULL;
    int status = cluster_link_open(link, pool->name, &e);

    if (status != 0)
        return status;
    int r = rvi_engine_survey(e, &pool->survey, cluster_link_deadline(link));
    rvi_engine_close(e, cluster_link_deadline(link));
    if (r == -ENOENT && !link->pool)
        return NOT_WHOLE;
    return r < 0 ? cli_unable("%s: cannot see into pool \"%s\": %s", link->opts.url, pool->name,
                              strerror(-r))
                 : 0;
}

static int compare_members(const void *a, const void *b)
{
    return strcmp(((const struct rvi_engine_member *)a)->name,
                  ((const struct rvi_engine_member *)b)->name);
}

static int show(const struct status *status, struct pool *pools, size_t count)
{
    int result = CLI_FINE;

    for (size_t i = 0; i < count; i++) {
        struct rvi_engine_survey *s = &pools[i].survey;
        if (s->member_count > 0)
            qsort(s->members, s->member_count, sizeof *s->members, compare_members);
        if (is_stuck(s))
            result = CLI_FOUND;
    }
    if (status->is_json)
        put_json(status->link.opts.url, pools, count);
    else
        put_text(status->link.opts.url, pools, count);
    return fflush(stdout) == 0 && !ferror(stdout) ? result : CLI_UNABLE;
}

static int ask_pools(const struct status *status, const struct rvi_engine_pools *list)
{
    struct pool *pools = calloc(list->count + 1, sizeof *pools);
    size_t asked = 0;
    int result = pools ? 0 : cli_unable("no memory");

    for (size_t i = 0; result == 0 && i < list->count; i++) {
        pools[asked].name = list->names[i];
        result = survey_pool(&status->link, &pools[asked]);
        if (result == 0)
            asked++;
        else if (result == NOT_WHOLE)
            result = 0;
    }
    if (result == 0)
        result = show(status, pools, asked);
    while (asked > 0)
        rvi_engine_survey_drop(&pools[--asked].survey);
    free(pools);
    return result;
}

static int ask_all(const struct status *status)
{
    struct rvi_engine_pools list = {0};
    struct rvi_engine *e = NULL;
    int result = cluster_link_open(&status->link, NULL, &e);

    if (result != 0)
        return result;
    int r = rvi_engine_pools(e, &list, cluster_link_deadline(&status->link));
    rvi_engine_close(e, cluster_link_deadline(&status->link));
    if (r < 0)
        return cli_unable("%s: cannot list pools: %s", status->link.opts.url, strerror(-r));
    result = ask_pools(status, &list);
    rvi_engine_pools_drop(&list);
    return result;
}

static int ask(const struct status *status)
{
    char name[1][RVI_ENGINE_NAME_BYTES];

    if (!status->link.pool)
        return ask_all(status);
    snprintf(name[0], sizeof name[0], "%s", status->link.pool);
    return ask_pools(status, &(struct rvi_engine_pools){.names = name, .count = 1});
}

/* What cannot be asked now may be there again next time. */
static int watch(const struct status *status)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    bool is_screen = isatty(STDOUT_FILENO) && !status->is_json;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!interrupted) {
        if (is_screen)
            fputs("\033[H\033[2J", stdout);
        ask(status);
        if (ferror(stdout))
            return CLI_UNABLE;
        poll(NULL, 0, (int)(status->every * 1000));
    }
    return CLI_FINE;
}

/* --- the verb --- */

static int read_every(struct status *status, const char *text)
{
    char *end;

    status->every = text ? strtod(text, &end) : WATCH_SECONDS;
    if (text && (end == text || *end || !isfinite(status->every) || status->every < 0.1 ||
                 status->every > 86400))
        return cli_unable("--watch=%s: a number of seconds from 0.1 to 86400 is expected", text);
    return -1;
}

static int read_options(struct status *status, int argc, char **argv)
{
    static const struct option names[] = {CLUSTER_LINK_OPTIONS,
                                          {"json", no_argument, NULL, JSON},
                                          {"watch", optional_argument, NULL, WATCH},
                                          {0}};
    int option, result = -1;

    while (result < 0 && (option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == JSON)
            status->is_json = true;
        else if (option == WATCH)
            result = read_every(status, optarg);
        else
            result = cluster_link_take(&status->link, option, optarg, usage, "status");
    }
    if (result < 0 && argc > optind + 1)
        return cli_unable("%s: one URL is enough", argv[optind + 1]);
    if (optind < argc)
        status->link.address = argv[optind];
    return result;
}

int cluster_status(int argc, char **argv)
{
    struct status status = {0};

    cluster_link_init(&status.link);
    int result = read_options(&status, argc, argv);
    if (result < 0) {
        result = cluster_link_find(&status.link);
        if (result == 0)
            result = status.every > 0 ? watch(&status) : ask(&status);
    }
    cluster_link_fini(&status.link);
    return result;
}
