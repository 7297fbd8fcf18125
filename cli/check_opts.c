/* SPDX-License-Identifier: MIT */
/* check_opts.c - the command line of `ravel check`.
 *
 * Checked by: tests/cli/test_check.py */
#include "cli/check_opts.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check/driver/search.h"
#include "check/driver/words.h"
#include "cli/cli.h"

enum {
    FIRST = 256,
    REPLAY,
    GDB,
    WITHOUT,
    SCHEDULES,
    SECONDS,
    SEED,
    STRATEGY,
    GRANULARITY,
    PREEMPTIONS,
    JOBS,
    JSON,
    HTML,
    EXPECT,
    SUPPRESS,
    RACES,
    OUTPUT,
    RANDOMISE,
    HELP
};

static const struct option names[] = {
    {"replay", required_argument, NULL, REPLAY},
    {"gdb", no_argument, NULL, GDB},
    {"without-recompiling", no_argument, NULL, WITHOUT},
    {"schedules", required_argument, NULL, SCHEDULES},
    {"seconds", required_argument, NULL, SECONDS},
    {"seed", required_argument, NULL, SEED},
    {"strategy", required_argument, NULL, STRATEGY},
    {"granularity", required_argument, NULL, GRANULARITY},
    {"preemptions", required_argument, NULL, PREEMPTIONS},
    {"jobs", required_argument, NULL, JOBS},
    {"json", no_argument, NULL, JSON},
    {"html", required_argument, NULL, HTML},
    {"expect-output", required_argument, NULL, EXPECT},
    {"suppressions", required_argument, NULL, SUPPRESS},
    {"races", required_argument, NULL, RACES},
    {"output", required_argument, NULL, OUTPUT},
    {"randomise", no_argument, NULL, RANDOMISE},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char usage[] =
    "usage: ravel check [options] -- PROGRAM [ARGS]\n"
    "       ravel check --replay FILE [--gdb]\n"
    "\n"
    "What is run:\n"
    "  --without-recompiling   the program was not built by `ravel cc`: its locks are seen, its\n"
    "                          memory is not\n"
    "  --replay FILE           follow the schedule that is in FILE\n"
    "  --gdb                   in a debugger, stopped where it fails\n"
    "  --randomise             leave address randomisation on\n"
    "How long:\n"
    "  --schedules N           at most N executions\n"
    "  --seconds S             at most S seconds (60 without either)\n"
    "  --jobs N                executions at a time (as many as there are processors)\n"
    "How:\n"
    "  --seed N                another N, other schedules (1)\n"
    "  --strategy NAME         walk, pct, pos, surw, location or aim (all in turn)\n"
    "  --granularity NAME      accesses that schedules may part: sync (none), learned (those to\n"
    "                          shared memory), all (all in turn)\n"
    "  --preemptions N         instead of the portfolio, all schedules in which at most N times a\n"
    "                          thread is stopped that could go on\n"
    "What is a failure:\n"
    "  --expect-output FILE    standard output other than FILE's contents\n"
    "  --races HOW             report: tell of data races when the search is over (usual); fail: "
    "end\n"
    "                          the search at the first one; off: do not look for them\n"
    "  --suppressions FILE     lines KIND:PATTERN of what is not to be told\n"
    "What is written:\n"
    "  --output FILE           the schedule of the failure (bug.ravel)\n"
    "  --json                  the report as JSON, on standard output\n"
    "  --html FILE             the report as a page\n"
    "\n"
    "Exit status: 0 nothing was found, 1 something was, 2 it could not be checked.\n";

static int wrong(const char *option, const char *value, const char *wanted)
{
    return cli_unable("--%s %s: %s is expected", option, value, wanted);
}

static bool read_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 0);
    return end != text && *end == '\0' && text[0] != '-' && errno == 0 && *ret >= least &&
           *ret <= most;
}

static int read_seconds(struct ck_check_opts *opts, const char *text)
{
    char *end;

    opts->seconds = strtod(text, &end);
    if (end == text || *end || !isfinite(opts->seconds) || opts->seconds <= 0 ||
        opts->seconds > 1e8)
        return wrong("seconds", text, "a number above 0");
    return -1;
}

static int read_jobs(struct ck_check_opts *opts, const char *text)
{
    uint64_t jobs;

    if (!read_number(text, 1, CK_STREAMS_MOST, &jobs))
        return wrong("jobs", text, "a number from 1 to 256");
    opts->jobs = (unsigned)jobs;
    return -1;
}

static int read_races(struct ck_check_opts *opts, const char *text)
{
    static const char *const names_of[] = {
        [CK_RACES_REPORT] = "report", [CK_RACES_FAIL] = "fail", [CK_RACES_OFF] = "off"};

    for (int i = 0; i <= CK_RACES_OFF; i++) {
        if (strcmp(text, names_of[i]) == 0) {
            opts->races = (enum ck_races)i;
            return -1;
        }
    }
    return wrong("races", text, "report, fail or off");
}

static int read_expected(struct ck_check_opts *opts, const char *path)
{
    FILE *file = fopen(path, "re"), *to;
    char block[4096];
    size_t count;

    if (!file)
        return cli_unable("cannot read %s: %s", path, strerror(errno));
    free(opts->expected);
    opts->expected = NULL;
    to = open_memstream(&opts->expected, &opts->expected_bytes);
    while (to && (count = fread(block, 1, sizeof block, file)) > 0)
        fwrite(block, 1, count, to);
    bool is_whole = to && !ferror(file);
    is_whole &= to && fclose(to) == 0;
    fclose(file);
    return is_whole ? -1 : cli_unable("cannot read %s", path);
}

static int read_suppressions(struct ck_check_opts *opts, const char *path)
{
    struct rvi_text why = {0};
    int status = -1;

    if (ck_suppressions_read(&opts->suppressions, path, &why) < 0)
        status = cli_unable("%s", why.count ? why.bytes : "no memory");
    rvi_text_fini(&why);
    return status;
}

static int read_preemptions(struct ck_check_opts *opts, const char *value)
{
    uint64_t most;

    if (!read_number(value, 0, CK_PREEMPTIONS_MOST, &most))
        return wrong("preemptions", value, "a number from 0 to 15");
    opts->bound = (uint32_t)most + 1;
    return -1;
}

/* -1: go on. */
static int read_option(struct ck_check_opts *opts, int option, const char *value)
{
    switch (option) {
    case REPLAY:
        opts->replay = value;
        return -1;
    case GDB:
        opts->is_debugged = true;
        return -1;
    case WITHOUT:
        opts->is_preloaded = true;
        return -1;
    case SCHEDULES:
        return read_number(value, 1, UINT64_MAX, &opts->schedules)
                   ? -1
                   : wrong("schedules", value, "a number above 0");
    case SECONDS:
        return read_seconds(opts, value);
    case SEED:
        return read_number(value, 0, UINT64_MAX, &opts->seed) ? -1
                                                              : wrong("seed", value, "a number");
    case STRATEGY:
        return ck_words_strategy_of(value, &opts->strategy)
                   ? -1
                   : wrong("strategy", value, "walk, pct, pos, surw, location or aim");
    case GRANULARITY:
        return ck_words_granularity_of(value, &opts->granularity)
                   ? -1
                   : wrong("granularity", value, "sync, learned or all");
    case PREEMPTIONS:
        return read_preemptions(opts, value);
    case JOBS:
        return read_jobs(opts, value);
    case JSON:
        opts->json = true;
        return -1;
    case HTML:
        opts->html = value;
        return -1;
    case EXPECT:
        opts->expected_file = value;
        return read_expected(opts, value);
    case SUPPRESS:
        return read_suppressions(opts, value);
    case RACES:
        return read_races(opts, value);
    case OUTPUT:
        opts->output = value;
        return -1;
    case RANDOMISE:
        opts->is_randomised = true;
        return -1;
    case HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        fputs("(ravel check --help lists all options)\n", stderr);
        return CLI_UNABLE;
    }
}

static unsigned usable_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > CK_STREAMS_MOST ? CK_STREAMS_MOST : count > 0 ? (unsigned)count : 1;
}

static int check_whole(const struct ck_check_opts *opts)
{
    if (opts->replay && opts->program)
        return cli_unable("--replay has the program in its file; none is to be named");
    if (!opts->replay && !opts->program)
        return cli_unable("no program was named: ravel check [options] -- PROGRAM [ARGS]");
    if (opts->is_debugged && !opts->replay)
        return cli_unable("--gdb goes with --replay FILE");
    return -1;
}

int check_opts_read(struct ck_check_opts *opts, int argc, char **argv)
{
    int status = -1, option;

    *opts = (struct ck_check_opts){
        .output = "bug.ravel",
        .strategy = CK_ANY,
        .granularity = CK_ANY,
        .seed = 1,
        .jobs = usable_processors(),
    };
    while (status < 0 && (option = getopt_long(argc, argv, "+", names, NULL)) != -1)
        status = read_option(opts, option, optarg);
    if (status >= 0)
        return status;
    opts->argv = (const char *const *)argv + optind;
    opts->program = argv[optind];
    return check_whole(opts);
}

void check_opts_fini(struct ck_check_opts *opts)
{
    free(opts->expected);
    ck_suppressions_fini(&opts->suppressions);
}
