/* SPDX-License-Identifier: MIT */
/* options.c - what the command line says. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <ravel.h>
#include <stdio.h>
#include <stdlib.h>

enum { GO_ON = -1, BAD_USAGE = 2 };

static const char help[] =
    "usage: wordfreq [options] [DIRECTORY]\n"
    "\n"
    "Count the words in the text files below DIRECTORY (/usr/include): the same\n"
    "program on each tier of Ravel, each measured in a process of its own. Then show\n"
    "three jobs that wait: one after another, and together.\n"
    "\n"
    "  --tier NAME      only this one: inline, tasks, threads, or what else\n"
    "                   rv_executor_open() knows, such as threads:4, auto, or\n"
    "                   cluster:nats://host:4222/pool, where workers must be:\n"
    "                   ravel worker wordfreq --cluster nats://host:4222/pool\n"
    "  --workers N      threads to use; default: the usable cores\n"
    "  --rounds N       times that each tier is measured; the median is shown;\n"
    "                   default: 3, or 1 if that would take long\n"
    "  --scale F        length of a second in the picture; default: 1\n"
    "  --no-picture     count only\n"
    "  --only-picture   do not count\n"
    "  --json           one JSON document for programs\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 all tiers agree; 1 they differ or something failed; 2 bad usage.\n";

static const struct option long_options[] = {
    {"tier", required_argument, NULL, 't'},
    {"workers", required_argument, NULL, 'w'},
    {"rounds", required_argument, NULL, 'r'},
    {"scale", required_argument, NULL, 's'},
    {"no-picture", no_argument, NULL, 'n'},
    {"only-picture", no_argument, NULL, 'o'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {"measure", required_argument, NULL, 'm'},
    {NULL, 0, NULL, 0},
};

static bool parse_number(double *ret, const char *option, double least, double most)
{
    char *end;
    errno = 0;
    double value = strtod(optarg, &end);
    if (end != optarg && !*end && !errno && value >= least && value <= most) {
        *ret = value;
        return true;
    }
    fprintf(stderr, "wordfreq: --%s takes a number from %g to %g, not '%s'\n", option, least, most,
            optarg);
    return false;
}

static bool parse_count(unsigned *ret, const char *option, unsigned most)
{
    double value;
    if (!parse_number(&value, option, 1, most))
        return false;
    *ret = (unsigned)value;
    if (*ret == value)
        return true;
    fprintf(stderr, "wordfreq: --%s takes a whole number, not '%s'\n", option, optarg);
    return false;
}

static int parse_one(struct options *o, int option)
{
    switch (option) {
    case 't':
        o->tier = optarg;
        return GO_ON;
    case 'w':
        return parse_count(&o->workers, "workers", MAX_WORKERS) ? GO_ON : BAD_USAGE;
    case 'r':
        return parse_count(&o->rounds, "rounds", MAX_ROUNDS) ? GO_ON : BAD_USAGE;
    case 's':
        return parse_number(&o->scale, "scale", 0.001, 1000) ? GO_ON : BAD_USAGE;
    case 'n':
        o->picture = false;
        return GO_ON;
    case 'o':
        o->count = false;
        return GO_ON;
    case 'j':
        o->json = true;
        return GO_ON;
    case 'm':
        o->progress = optarg;
        return GO_ON;
    case 'h':
        fputs(help, stdout);
        return 0;
    case 'v':
        printf("wordfreq, an example of Ravel %s\n", rv_version());
        return 0;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

int options_parse(struct options *ret, int argc, char **argv)
{
    static char name[] = "wordfreq";
    argv[0] = name; /* what getopt's complaints begin with */
    *ret =
        (struct options){.directory = "/usr/include", .scale = 1, .count = true, .picture = true};
    int option, status = GO_ON;
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = parse_one(ret, option);
    if (status != GO_ON)
        return status;
    if (!ret->count && !ret->picture) {
        fputs("wordfreq: --no-picture and --only-picture leave nothing to do\n", stderr);
        return BAD_USAGE;
    }
    if (optind < argc)
        ret->directory = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "wordfreq: one directory at a time; what is '%s'?\n", argv[optind]);
        return BAD_USAGE;
    }
    return GO_ON;
}
