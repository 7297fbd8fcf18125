/* SPDX-License-Identifier: MIT */
/* options.c - what the command line says. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GO_ON = -1, BAD_USAGE = 2 };

static const char help[] =
    "usage: supervised [options]\n"
    "\n"
    "A weather station of services, two of them tasks, three of them processes. One\n"
    "fails now and then, and is started again; what happens is printed.\n"
    "\n"
    "  --crash NAME     who fails: north, east or south, a process, by SIGSEGV;\n"
    "                   ledger, a task, by an error; or none; default: east\n"
    "  --after N        after so many readings; default: 20\n"
    "  --rate N         readings a second, of each sensor; default: 10\n"
    "  --strategy NAME  who is started again with a sensor: one, all, or rest, those\n"
    "                   after it; default: one\n"
    "  --intensity N    how often that may be in 5 seconds, before the supervisor\n"
    "                   gives up; default: 3\n"
    "  --seconds N      how long; default: until Ctrl-C or SIGTERM\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 it was told to end; 1 a supervisor gave up, or something failed;\n"
    "2 bad usage.\n";

static const struct option long_options[] = {
    {"crash", required_argument, NULL, 'c'},
    {"after", required_argument, NULL, 'a'},
    {"rate", required_argument, NULL, 'r'},
    {"strategy", required_argument, NULL, 's'},
    {"intensity", required_argument, NULL, 'i'},
    {"seconds", required_argument, NULL, 'S'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int parse_count(unsigned *ret, const char *option, unsigned most)
{
    char *end;
    errno = 0;
    long value = strtol(optarg, &end, 10);
    if (end != optarg && !*end && !errno && value >= 1 && value <= (long)most) {
        *ret = (unsigned)value;
        return GO_ON;
    }
    fprintf(stderr, "supervised: --%s takes a whole number from 1 to %u, not '%s'\n", option, most,
            optarg);
    return BAD_USAGE;
}

/* Which of the words it is; BAD_USAGE has been said otherwise. */
static int parse_word(int *ret, const char *option, const char *const words[])
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(optarg, words[i]) == 0) {
            *ret = i;
            return GO_ON;
        }
    }
    fprintf(stderr, "supervised: --%s does not know '%s'\n", option, optarg);
    return BAD_USAGE;
}

static int parse_crash(struct options *o)
{
    static const char *const names[] = {"none", "north", "east", "south", "ledger", NULL};
    int which, status = parse_word(&which, "crash", names);
    if (status == GO_ON)
        o->crash = which == 0 ? NULL : names[which];
    return status;
}

static int parse_strategy(struct options *o)
{
    static const char *const names[] = {
        [RV_ONE_FOR_ONE] = "one", [RV_ONE_FOR_ALL] = "all", [RV_REST_FOR_ONE] = "rest", NULL};
    int which, status = parse_word(&which, "strategy", names);
    if (status == GO_ON)
        o->strategy = (enum rv_strategy)which;
    return status;
}

static int parse_intensity(struct options *o)
{
    unsigned value = 0;
    int status = parse_count(&value, "intensity", 1000);
    o->intensity = (int)value;
    return status;
}

static int parse_one(struct options *o, int option)
{
    switch (option) {
    case 'c':
        return parse_crash(o);
    case 'a':
        return parse_count(&o->after, "after", 1000000);
    case 'r':
        return parse_count(&o->rate, "rate", 1000);
    case 's':
        return parse_strategy(o);
    case 'i':
        return parse_intensity(o);
    case 'S':
        return parse_count(&o->seconds, "seconds", 1000000);
    case 'h':
        fputs(help, stdout);
        return 0;
    case 'v':
        printf("supervised, an example of Ravel %s\n", rv_version());
        return 0;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

int options_parse(struct options *ret, int argc, char **argv)
{
    static char name[] = "supervised";
    argv[0] = name; /* what getopt's complaints begin with */
    *ret = (struct options){.crash = "east", .after = 20, .rate = 10, .intensity = 3};
    int option, status = GO_ON;
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = parse_one(ret, option);
    if (status == GO_ON && optind < argc) {
        fprintf(stderr, "supervised: what is '%s'? Try --help.\n", argv[optind]);
        status = BAD_USAGE;
    }
    return status;
}

unsigned crash_after(const struct options *o, const char *service)
{
    return o->crash && strcmp(o->crash, service) == 0 ? o->after : 0;
}
