/* SPDX-License-Identifier: MIT */
/* main.c - crawl: fetch a list of URLs, several at a time. Begin with crawl.c. */
#include "crawl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { GO_ON = -1, DONE = 0, FAILED = 1, BAD_USAGE = 2 };

static const char help[] =
    "usage: crawl [options] [FILE]\n"
    "\n"
    "Fetch the http URLs in FILE, one a line, or from standard input. Lines that are\n"
    "empty or begin with # are passed over. For each a line is printed: status, bytes\n"
    "and URL, or why it failed.\n"
    "\n"
    "  --jobs N         fetches at a time; default: 16\n"
    "  --retries N      further attempts at what may go better; default: 3\n"
    "  --timeout-ms N   time for one attempt; default: 10000\n"
    "  --backoff-ms N   wait before the first of these at most; it doubles each time,\n"
    "                   up to 10 s, and a random part of it is waited; default: 100\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 all were fetched; 1 some were not; 2 bad usage.\n";

static const struct option long_options[] = {
    {"jobs", required_argument, NULL, 'j'},
    {"retries", required_argument, NULL, 'r'},
    {"timeout-ms", required_argument, NULL, 't'},
    {"backoff-ms", required_argument, NULL, 'b'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static bool take_number(long *ret, const char *option, long least, long most)
{
    char *end;
    *ret = strtol(optarg, &end, 10);
    if (end != optarg && !*end && *ret >= least && *ret <= most)
        return true;
    fprintf(stderr, "crawl: --%s takes a number from %ld to %ld, not '%s'\n", option, least, most,
            optarg);
    return false;
}

static int parse_one(struct plan *p, int option)
{
    long n = 0;
    switch (option) {
    case 'j':
        if (!take_number(&n, "jobs", 1, 100000))
            return BAD_USAGE;
        p->jobs = (size_t)n;
        return GO_ON;
    case 'r':
        if (!take_number(&n, "retries", 0, 1000))
            return BAD_USAGE;
        p->retries = (unsigned)n;
        return GO_ON;
    case 't':
        if (!take_number(&n, "timeout-ms", 1, 86400000))
            return BAD_USAGE;
        p->timeout_ns = n * RV_MILLISECOND;
        return GO_ON;
    case 'b':
        if (!take_number(&n, "backoff-ms", 1, 10000))
            return BAD_USAGE;
        p->backoff_ns = n * RV_MILLISECOND;
        return GO_ON;
    case 'h':
        fputs(help, stdout);
        return DONE;
    case 'v':
        printf("crawl, an example of Ravel %s\n", rv_version());
        return DONE;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

static int parse(struct plan *p, int argc, char **argv)
{
    int option, status = GO_ON;
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = parse_one(p, option);
    if (status != GO_ON)
        return status;
    if (optind < argc)
        p->list = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "crawl: one list at a time; what is '%s'?\n", argv[optind]);
        return BAD_USAGE;
    }
    return GO_ON;
}

struct both {
    const struct plan *plan;
    struct report *report;
};

static int run(void *arg)
{
    struct both *b = arg;
    return crawl(b->plan, b->report);
}

int main(int argc, char **argv)
{
    struct plan plan = {.list = "-",
                        .jobs = 16,
                        .retries = 3,
                        .timeout_ns = 10 * RV_SECOND,
                        .backoff_ns = 100 * RV_MILLISECOND};
    struct report report = {.progress = isatty(STDERR_FILENO)};
    int status = parse(&plan, argc, argv);

    if (status != GO_ON)
        return status;
    int err = rv_run(run, &(struct both){&plan, &report}, NULL);
    if (err == -EINTR || err == -ECANCELED) /* SIGINT cancels the first task */
        fputs("crawl: interrupted\n", stderr);
    else if (err < 0)
        fprintf(stderr, "crawl: %s: %s\n", err == report.err ? "standard output" : plan.list,
                strerror(-err));
    return err < 0 || report.failed > 0 ? FAILED : DONE;
}
