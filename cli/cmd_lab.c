/* SPDX-License-Identifier: MIT */
/* cmd_lab.c - `ravel lab`: what the user asks for, and where the report goes.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/terminal.h"
#include "lab/page.h"
#include "lab/runner.h"
#include "lab/table.h"

enum { BAR = 24, WHY = 512 };

enum { FIRST = 256, ONLY, QUICK, JSON, HTML, COMPARE, LIST, HELP };

static const struct option names[] = {
    {"only", required_argument, NULL, ONLY}, {"quick", no_argument, NULL, QUICK},
    {"json", no_argument, NULL, JSON},       {"html", required_argument, NULL, HTML},
    {"compare", no_argument, NULL, COMPARE}, {"list", no_argument, NULL, LIST},
    {"help", no_argument, NULL, HELP},       {0},
};

static const char usage[] =
    "usage: ravel lab [options]\n"
    "       ravel lab --compare FIRST.json SECOND.json [--html FILE]\n"
    "\n"
    "Measures what concurrency costs on this machine, in a few minutes.\n"
    "\n"
    "  --only NAMES   these probes alone, a comma between them; several times for more\n"
    "  --quick        some seconds in all: few samples, rough figures\n"
    "  --list         the probes, and what each asks\n"
    "  --json         the report as JSON, on standard output\n"
    "  --html FILE    the report as a page with plots; works without a network\n"
    "  --compare      two reports side by side: of two machines, or of two days\n"
    "\n"
    "Exit status: 0 it was measured, 1 some probe has failed or nothing can be compared,\n"
    "2 it could not be done.\n"
    "Manual page: ravel-lab(1).\n";

struct lab_opts {
    char only[512];
    const char *html;
    bool is_quick, json, is_comparison;
};

static struct lab_look look_of(int fd)
{
    return (struct lab_look){cli_terminal_width(fd), cli_has_colours(fd)};
}

static void show_progress(double done, const char *what, const char *figure, void *arg)
{
    const struct lab_look *look = arg;
    int full = (int)(done * BAR + 0.5), room = (int)look->width - BAR - 10;
    char words[160];

    snprintf(words, sizeof words, "%s%s%s", what, figure[0] ? ": " : "", figure);
    fprintf(stderr, "\r\033[K[%.*s%*s] %3.0f%% %.*s", full, "########################", BAR - full,
            "", 100 * done, room > 0 ? room : 0, words);
}

static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* --- where it goes --- */

static int write_page(const char *path, const struct lab_report *a, const struct lab_report *b)
{
    FILE *file = fopen(path, "we");

    if (!file)
        return cli_unable("cannot write %s: %s", path, strerror(errno));
    lab_put_page(file, a, b);
    bool is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    return is_whole ? CLI_FINE : cli_unable("cannot write %s", path);
}

static bool has_failed(const struct lab_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        if (report->results[i].has_failed)
            return true;
    }
    return false;
}

static int say(const struct lab_opts *opts, const struct lab_report *report)
{
    struct lab_look look = look_of(STDOUT_FILENO);

    if (opts->json)
        lab_report_put_json(stdout, report);
    else
        lab_put_table(stdout, report, &look);
    if (opts->html && write_page(opts->html, report, NULL) != CLI_FINE)
        return CLI_UNABLE;
    if (fflush(stdout) != 0 || ferror(stdout))
        return cli_unable("cannot write: %s", strerror(errno));
    return has_failed(report) ? CLI_FOUND : CLI_FINE;
}

/* --- what is done --- */

static int measure(const struct lab_opts *opts)
{
    struct lab_look look = look_of(STDERR_FILENO);
    struct lab_run run = {.only = opts->only[0] ? opts->only : NULL,
                          .is_quick = opts->is_quick,
                          .interrupted = cli_watch_interrupts()};
    struct lab_report report;

    if (isatty(STDERR_FILENO)) {
        run.progress = show_progress;
        run.progress_arg = &look;
    }
    lab_report_begin(&report, opts->is_quick);
    int err = lab_run(&report, &run);
    end_progress();
    int status =
        err < 0 && err != -EINTR ? cli_unable("measuring: %s", strerror(-err)) : say(opts, &report);
    lab_report_fini(&report);
    return status;
}

static int say_both(const struct lab_opts *opts, const struct lab_report *a,
                    const struct lab_report *b)
{
    struct lab_look look = look_of(STDOUT_FILENO);
    size_t found = lab_put_comparison(stdout, a, b, &look);

    if (opts->html && write_page(opts->html, a, b) != CLI_FINE)
        return CLI_UNABLE;
    if (fflush(stdout) != 0)
        return cli_unable("cannot write: %s", strerror(errno));
    if (found == 0)
        fputs("ravel: the two have no figure in common\n", stderr);
    return found ? CLI_FINE : CLI_FOUND;
}

static int compare(const struct lab_opts *opts, int argc, char **argv)
{
    struct lab_report a, b;
    char why[WHY];

    if (argc != 2)
        return cli_unable(
            "--compare takes two reports: ravel lab --compare FIRST.json SECOND.json");
    if (opts->json || opts->is_quick || opts->only[0])
        return cli_unable("--compare measures nothing: of the other options it takes --html alone");
    if (lab_report_read(argv[0], &a, why, sizeof why) < 0)
        return cli_unable("%s", why);
    int status = lab_report_read(argv[1], &b, why, sizeof why) < 0 ? cli_unable("%s", why)
                                                                   : say_both(opts, &a, &b);
    lab_report_fini(&b);
    lab_report_fini(&a);
    return status;
}

static int list(void)
{
    for (const struct lab_probe *p = lab_probes; p->name; p++)
        printf("%-18s%s\n", p->name, p->title);
    return fflush(stdout) == 0 ? CLI_FINE : CLI_UNABLE;
}

/* --- options --- */

static int add_names(struct lab_opts *opts, const char *names_of)
{
    size_t had = strlen(opts->only);

    for (const char *at = names_of;; at++) {
        size_t bytes = strcspn(at, ",");
        if (!lab_probe_exists(at, bytes))
            return cli_unable("--only %.*s: no such probe; ravel lab --list names them", (int)bytes,
                              at);
        at += bytes;
        if (!*at)
            break;
    }
    if (had + strlen(names_of) + 2 > sizeof opts->only)
        return cli_unable("--only: that is too much");
    snprintf(opts->only + had, sizeof opts->only - had, "%s%s", had ? "," : "", names_of);
    return -1;
}

/* -1: go on. */
static int read_option(struct lab_opts *opts, int option, const char *value)
{
    switch (option) {
    case ONLY:
        return add_names(opts, value);
    case QUICK:
        opts->is_quick = true;
        return -1;
    case JSON:
        opts->json = true;
        return -1;
    case HTML:
        opts->html = value;
        return -1;
    case COMPARE:
        opts->is_comparison = true;
        return -1;
    case LIST:
        return list();
    case HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        fputs("(ravel lab --help lists all options)\n", stderr);
        return CLI_UNABLE;
    }
}

int cli_lab(int argc, char **argv)
{
    struct lab_opts opts = {0};
    int status = -1, option;

    while (status < 0 && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
        status = read_option(&opts, option, optarg);
    if (status >= 0)
        return status;
    if (opts.is_comparison)
        return compare(&opts, argc - optind, argv + optind);
    if (optind < argc)
        return cli_unable("%s: ravel lab takes no such argument (ravel lab --help)", argv[optind]);
    return measure(&opts);
}
