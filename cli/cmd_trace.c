/* SPDX-License-Identifier: MIT */
/* cmd_trace.c - `ravel trace`: runs a program on Ravel, or looks at one that runs, and writes down
 * who ran when, and why.
 *
 * Checked by: tests/look/test_trace.py, tests/look/test_deeds.py */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "cli/pictures.h"
#include "look/recording.h"
#include "timeline/events.h"

static const char usage[] =
    "usage: ravel trace [--output FILE] [--html FILE] [--sequence FILE] [--tasks NAMES]\n"
    "                   [--from-time TIME] [--to-time TIME] [--memory MEGABYTES]\n"
    "                   -- PROGRAM [ARGS]\n"
    "       ravel trace [--seconds N] [the same] PID\n"
    "       ravel trace --from FILE [--from FILE]... [the same]\n"
    "\n"
    "Runs a program on Ravel, or looks at one that runs, which goes on afterwards as before, and\n"
    "writes what its workers did: a lane each, a bar a run, arrows for who started or woke whom,\n"
    "scopes, input and output, and waits for locks as bands, jobs of executors.\n"
    "https://ui.perfetto.dev and about:tracing show it.\n"
    "\n"
    "  --output FILE        instead of trace.json\n"
    "  --html FILE          one page to look at it with, which needs nothing else\n"
    "  --sequence FILE      an SVG of who runs and who waits for what, step by step\n"
    "                       With one of these two trace.json is written only by --output.\n"
    "  --tasks NAMES        of the sequence: tasks with these names, such as reader,'worker *'\n"
    "  --from-time TIME, --to-time TIME\n"
    "                       of the sequence: this part, such as 1.5ms (s, ms, us, ns), as the "
    "page\n"
    "                       tells time: from the begin of the trace on\n"
    "  --from FILE          traces that were written before, instead of running a program;\n"
    "                       several stand side by side in the sequence\n"
    "  --memory MEGABYTES   for what was noted and not read yet, of all workers (8)\n"
    "  --seconds N          of a PID; otherwise until ctrl-C, or it ends\n"
    "\n"
    "Exit status: the program's, 0 for a PID; 2 if it could not be recorded.\n"
    "Manual page: ravel-trace(1).\n";

enum {
    OUTPUT = 256,
    MEMORY,
    SECONDS,
    HELP,
    HTML,
    SEQUENCE,
    FROM,
    TASKS,
    FROM_TIME,
    TO_TIME,
    MEGABYTE = 1 << 20,
};

static const struct option names[] = {
    {"output", required_argument, NULL, OUTPUT},
    {"html", required_argument, NULL, HTML},
    {"sequence", required_argument, NULL, SEQUENCE},
    {"from", required_argument, NULL, FROM},
    {"tasks", required_argument, NULL, TASKS},
    {"from-time", required_argument, NULL, FROM_TIME},
    {"to-time", required_argument, NULL, TO_TIME},
    {"memory", required_argument, NULL, MEMORY},
    {"seconds", required_argument, NULL, SECONDS},
    {"help", no_argument, NULL, HELP},
    {0},
};

struct trace_opts {
    const char *output; /* NULL: pictures only */
    struct cli_pictures pictures;
    size_t bytes;
    char **program; /* none: */
    pid_t pid;
    int64_t ns; /* 0: without an end */
};

static bool read_memory(const char *text, size_t *ret)
{
    char *end;
    unsigned long megabytes = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || megabytes < 1 || megabytes > 65536)
        return cli_unable("--memory %s: megabytes from 1 to 65536 are expected", text), false;
    *ret = megabytes * MEGABYTE;
    return true;
}

/* A number and its unit. */
static bool read_time(const char *option, const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"µs", 1e3}, {"ns", 1}};
    char *end;
    double value = strtod(text, &end);

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double ns = value * units[i].ns;
        if (*text >= '0' && *text <= '9' && strcmp(end, units[i].name) == 0 && ns < 1e18)
            return *ret = (int64_t)ns, true;
    }
    return cli_unable("%s %s: a time such as 1.5ms is expected", option, text), false;
}

static bool read_choice(struct tl_choice *to, int option)
{
    if (option == TASKS)
        return to->tasks = optarg, true;
    to->has_times = true;
    return option == FROM_TIME ? read_time("--from-time", optarg, &to->from_ns)
                               : read_time("--to-time", optarg, &to->until_ns);
}

static bool read_picture(struct cli_pictures *to, int option)
{
    if (option == TASKS || option == FROM_TIME || option == TO_TIME)
        return read_choice(&to->choice, option);
    if (option == HTML)
        return to->html = optarg, true;
    if (option == SEQUENCE)
        return to->sequence = optarg, true;
    if (option != FROM)
        return false;
    if (to->from_count == CLI_PICTURE_SOURCES)
        return cli_unable("--from: %d traces at most", CLI_PICTURE_SOURCES), false;
    to->from[to->from_count++] = optarg;
    return true;
}

static bool read_seconds(const char *text, int64_t *ret)
{
    char *end;
    double seconds = strtod(text, &end);

    if (*text < '0' || *text > '9' || *end || !(seconds >= 0.001 && seconds <= 1e6))
        return cli_unable("--seconds %s: seconds from 0.001 to 1000000 are expected", text), false;
    *ret = (int64_t)(seconds * 1e9);
    return true;
}

/* A number that is no program's name: options may follow it. */
static bool read_pid(struct trace_opts *ret, char **argv)
{
    const char *word = argv[optind];
    char *end;

    if (ret->pid || !word || *word < '1' || *word > '9' || strcmp(argv[optind - 1], "--") == 0)
        return false;
    long number = strtol(word, &end, 10);
    if (*end || number > INT32_MAX)
        return false;
    ret->pid = (pid_t)number;
    optind++;
    return true;
}

static bool are_fine(struct trace_opts *opts)
{
    const struct cli_pictures *pictures = &opts->pictures;
    const struct tl_choice *choice = &pictures->choice;
    bool is_picture = pictures->html || pictures->sequence, runs = opts->pid || *opts->program;

    if (pictures->from_count && (runs || opts->output))
        return cli_unable("--from: nothing is recorded, so there is no program and no --output"),
               false;
    if (pictures->from_count && !is_picture)
        return cli_unable("--from: to what? --html FILE or --sequence FILE"), false;
    if ((choice->tasks || choice->has_times) && !pictures->sequence)
        return cli_unable("--tasks, --from-time, --to-time: they choose for --sequence FILE"),
               false;
    if (choice->has_times && choice->from_ns >= choice->until_ns)
        return cli_unable("--to-time: it is not after --from-time"), false;
    if (pictures->from_count > 1 && pictures->html)
        return cli_unable("--html: a page is of one trace"), false;
    if (!runs && !pictures->from_count)
        return cli_unable("which program? ravel trace -- PROGRAM [ARGS], or ravel trace PID"),
               false;
    if (opts->pid && *opts->program)
        return cli_unable("%s: what comes after a PID are options", *opts->program), false;
    if (!opts->pid && opts->ns)
        return cli_unable("--seconds: a program is recorded to its end"), false;
    if (!opts->output && !is_picture)
        opts->output = "trace.json";
    return true;
}

static bool read_opts(struct trace_opts *ret, int argc, char **argv, int *ret_status)
{
    int option;

    *ret =
        (struct trace_opts){.bytes = (size_t)8 * MEGABYTE, .pictures.choice.until_ns = INT64_MAX};
    *ret_status = CLI_UNABLE;
    optind = 1;
    while ((option = getopt_long(argc, argv, "+", names, NULL)) != -1 || read_pid(ret, argv)) {
        if (option == -1)
            continue;
        if (option == OUTPUT)
            ret->output = optarg;
        else if (option == HELP)
            return *ret_status = fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE, false;
        else if (option == SECONDS  ? !read_seconds(optarg, &ret->ns)
                 : option == MEMORY ? !read_memory(optarg, &ret->bytes)
                                    : !read_picture(&ret->pictures, option))
            return false;
    }
    ret->program = argv + optind;
    return are_fine(ret);
}

/* What was recorded: a program with its arguments, as far as they fit, or a process. */
static void name_run(char *text, size_t room, const struct trace_opts *opts)
{
    size_t at = 0;

    text[0] = 0;
    if (opts->pid)
        snprintf(text, room, "process %d", (int)opts->pid);
    for (char **word = opts->program; *word && at < room; word++) {
        int bytes = snprintf(text + at, room - at, "%s%s", at ? " " : "", *word);
        at += bytes > 0 ? (size_t)bytes : room;
    }
}

static int write_trace(const struct trace_opts *opts, const struct look_recording *recording)
{
    const char *name = opts->output ? opts->output : "what was recorded";
    FILE *file = opts->output ? fopen(opts->output, "w+e") : tmpfile();
    char words[256];
    int status = CLI_FINE;

    if (!file)
        return cli_unable("%s: %s", name, strerror(errno));
    name_run(words, sizeof words, opts);
    int r = tl_put_events(file, recording, words);
    bool is_whole = fflush(file) == 0 && !ferror(file);
    if (r < 0)
        status = cli_unable("no memory for what %s did", words);
    else if (!is_whole)
        status = cli_unable("%s: %s", name, strerror(errno));
    rewind(file);
    if (status == CLI_FINE && (opts->pictures.html || opts->pictures.sequence))
        status = cli_make_pictures(&opts->pictures, file);
    fclose(file);
    return status;
}

/* One of the files that were written. */
static const char *name_of(const struct trace_opts *opts)
{
    if (opts->output)
        return opts->output;
    return opts->pictures.html ? opts->pictures.html : opts->pictures.sequence;
}

/* What was recorded, for people; its own output is the program's. */
static void tell(const struct trace_opts *opts, const struct look_recording *recording)
{
    uint64_t count = 0, lost = 0;
    unsigned workers = 0, runtimes = recording->runtime_count;

    for (unsigned i = 0; i < recording->worker_count; i++) {
        count += recording->workers[i].count;
        lost += recording->workers[i].lost;
        workers += recording->workers[i].kind == LOOK_LANE_WORKER;
    }
    fprintf(stderr, "ravel: %llu events of %u workers are in %s\n", (unsigned long long)count,
            workers, name_of(opts));
    if (lost)
        fprintf(stderr, "ravel: %llu more were overwritten before they were read: try --memory\n",
                (unsigned long long)lost);
    if (recording->unrecorded)
        fprintf(stderr, "ravel: of %u runtimes %u were recorded: too many at a time\n",
                runtimes + recording->unrecorded, runtimes);
}

static int status_of(const struct trace_opts *opts, const struct look_recording *recording)
{
    if (opts->pid)
        return CLI_FINE;
    return WIFEXITED(recording->status) ? WEXITSTATUS(recording->status)
                                        : 128 + WTERMSIG(recording->status);
}

int cli_trace(int argc, char **argv)
{
    struct trace_opts opts;
    struct look_recording *recording;
    struct look_trouble trouble;
    int status;

    if (!read_opts(&opts, argc, argv, &status))
        return status;
    if (opts.pictures.from_count)
        return cli_make_pictures(&opts.pictures, NULL);
    int r = opts.pid ? look_record_process(&recording, opts.pid, opts.bytes, opts.ns, &trouble)
                     : look_record(&recording, opts.program, opts.bytes, &trouble);
    if (r < 0)
        return cli_unable("%s", trouble.text);
    if (recording->worker_count == 0) {
        char words[256];
        name_run(words, sizeof words, &opts);
        status = cli_unable("no runtime of Ravel has run in %s, or one of another version: there "
                            "is nothing to write",
                            words);
    } else {
        status = write_trace(&opts, recording);
        if (status == CLI_FINE) {
            tell(&opts, recording);
            status = status_of(&opts, recording);
        }
    }
    look_recording_free(recording);
    return status;
}
