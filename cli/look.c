/* SPDX-License-Identifier: MIT */
/* look.c - what the verbs that look at a program share: the command line, and words.
 *
 * Checked by: tests/look/test_ps.py */
#include "cli/look.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { CORE = 256, JSON, ALL, DELAY, HELP };

static const struct option names[] = {
    {"core", required_argument, NULL, CORE}, {"json", no_argument, NULL, JSON},
    {"all", no_argument, NULL, ALL},         {"delay", required_argument, NULL, DELAY},
    {"help", no_argument, NULL, HELP},       {0},
};

static bool read_pid(const char *text, int *ret)
{
    char *end;

    errno = 0;
    long pid = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || pid < 1 || pid > INT_MAX)
        return cli_unable("%s is no process number", text), false;
    *ret = (int)pid;
    return true;
}

/* What is neither an option nor its value: the process, unless it is a core, and the task. */
static bool read_words(struct cli_look_opts *opts, int argc, char **argv, int takes)
{
    int at = optind;

    if (!opts->core && at == argc)
        return cli_unable("which process? Give its number"), false;
    if (!opts->core && !read_pid(argv[at++], &opts->pid))
        return false;
    if (takes & CLI_TAKES_TASK && at == argc)
        return cli_unable("which task? Give its number or its name"), false;
    if (takes & CLI_TAKES_TASK)
        opts->task = argv[at++];
    if (at < argc)
        return cli_unable("%s is one word too many", argv[at]), false;
    return true;
}

static bool read_delay(const char *text, int *ret)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0.1 && seconds <= 60))
        return cli_unable("--delay %s: seconds from 0.1 to 60 are expected", text), false;
    *ret = (int)(seconds * 1000);
    return true;
}

static bool is_taken(int option, int takes)
{
    switch (option) {
    case CORE:
    case JSON:
        return takes & CLI_TAKES_CORE;
    case ALL:
        return takes & CLI_TAKES_ALL;
    case DELAY:
        return takes & CLI_TAKES_DELAY;
    default:
        return true;
    }
}

/* False: it makes no sense, which has been said. */
static bool take_option(struct cli_look_opts *opts, int option)
{
    switch (option) {
    case CORE:
        opts->core = optarg;
        return true;
    case JSON:
        return opts->is_json = true;
    case ALL:
        return opts->is_all = true;
    case DELAY:
        return read_delay(optarg, &opts->delay_ms);
    default:
        return false;
    }
}

bool cli_look_opts(struct cli_look_opts *ret, int argc, char **argv, const char *usage, int takes,
                   int *ret_status)
{
    int option, index = 0;

    *ret = (struct cli_look_opts){.delay_ms = 1000};
    *ret_status = CLI_UNABLE;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", names, &index)) != -1) {
        if (option == HELP) {
            *ret_status = fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
            return false;
        }
        if (!is_taken(option, takes))
            return cli_unable("--%s is not for this verb", names[index].name), false;
        if (!take_option(ret, option))
            return false;
    }
    return read_words(ret, argc, argv, takes);
}

int cli_look_open(const struct cli_look_opts *opts, struct look_target **ret)
{
    struct look_trouble trouble;
    int r = opts->core ? look_open_core(ret, opts->core, &trouble)
                       : look_open_process(ret, opts->pid, &trouble);

    return r < 0 ? cli_unable("%s", trouble.text) : CLI_FINE;
}

int cli_look_take(const struct cli_look_opts *opts, struct look_target **ret_target,
                  struct look_snapshot **ret)
{
    struct look_trouble trouble;
    int status = cli_look_open(opts, ret_target);

    if (status != CLI_FINE || look_snapshot(*ret_target, ret, &trouble) == 0)
        return status;
    look_close(*ret_target);
    return cli_unable("%s", trouble.text);
}

int cli_look_end(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return CLI_FINE;
    return cli_unable("standard output: %s", strerror(errno));
}

/* --- words --- */

const char *cli_span(rv_time ns, char room[CLI_SPAN_BYTES])
{
    double s = (double)ns / 1e9;

    if (ns < 10 * RV_MICROSECOND)
        snprintf(room, CLI_SPAN_BYTES, "%.1fus", (double)ns / 1e3);
    else if (ns < RV_MILLISECOND)
        snprintf(room, CLI_SPAN_BYTES, "%.0fus", (double)ns / 1e3);
    else if (ns < RV_SECOND)
        snprintf(room, CLI_SPAN_BYTES, "%.0fms", (double)ns / 1e6);
    else if (s < 100)
        snprintf(room, CLI_SPAN_BYTES, "%.1fs", s);
    else if (s < 6000)
        snprintf(room, CLI_SPAN_BYTES, "%.0fm%02.0f", (double)((long)s / 60),
                 (double)((long)s % 60));
    else
        snprintf(room, CLI_SPAN_BYTES, "%ldh%02ld", (long)s / 3600, (long)s / 60 % 60);
    return room;
}

const char *cli_scope_name(const struct look_snapshot *snapshot, int64_t scope, char *room,
                           size_t bytes)
{
    if (scope == LOOK_NONE)
        return "-";
    const struct look_scope *at = &snapshot->scopes[scope];
    if (at->name[0])
        return at->name;
    snprintf(room, bytes, "of %llu", (unsigned long long)snapshot->tasks[at->owner].id);
    return room;
}

void cli_put_gaps(FILE *file, const struct look_snapshot *snapshot)
{
    if (snapshot->torn)
        fprintf(file, "%zu changed while they were read, again and again: torn.\n", snapshot->torn);
    if (snapshot->lost)
        fprintf(file, "%zu more began and ended faster than they could be read.\n", snapshot->lost);
    if (snapshot->is_rough)
        fputs("Times are up to when a worker last looked at the clock, not to the end.\n", file);
}
