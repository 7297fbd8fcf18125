/* SPDX-License-Identifier: MIT */
/* options.c - what the command line says. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <ravel.h>
#include <stdio.h>
#include <stdlib.h>

enum { GO_ON = -1, BAD_USAGE = 2, MOST = 9999 };

static const char help[] =
    "usage: convert [options] FROM TO\n"
    "       convert --make N [--bad-every N] FOLDER\n"
    "       convert --demo\n"
    "\n"
    "Make a small PPM picture in folder TO of each PNG picture in folder FROM. Those\n"
    "that cannot be converted are listed with what went wrong.\n"
    "\n"
    "  --tier NAME      where: processes, threads, inline, or what else\n"
    "                   rv_executor_open() knows; default: processes. In processes,\n"
    "                   a picture that crashes the program crashes its process only\n"
    "  --confined       the processes may read files and do nothing else to them\n"
    "  --make N         make N pictures (0001.png and so on) in FOLDER instead\n"
    "  --bad-every N    of these, one in N is damaged; default: 1000\n"
    "  --demo           1,000 pictures, one of them damaged: converted in processes,\n"
    "                   then in threads\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 all were converted; 1 some were not, or something failed; 2 bad\n"
    "usage. With --demo: 0 processes converted all but the damaged one.\n";

static const struct option long_options[] = {
    {"tier", required_argument, NULL, 't'}, {"confined", no_argument, NULL, 'c'},
    {"make", required_argument, NULL, 'm'}, {"bad-every", required_argument, NULL, 'b'},
    {"demo", no_argument, NULL, 'd'},       {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},    {NULL, 0, NULL, 0},
};

static int parse_count(unsigned *ret, const char *option, unsigned least)
{
    char *end;
    errno = 0;
    long value = strtol(optarg, &end, 10);
    if (end != optarg && !*end && !errno && value >= least && value <= MOST) {
        *ret = (unsigned)value;
        return GO_ON;
    }
    fprintf(stderr, "convert: --%s takes a whole number from %u to %d, not '%s'\n", option, least,
            MOST, optarg);
    return BAD_USAGE;
}

static int parse_one(struct options *o, int option)
{
    switch (option) {
    case 't':
        o->tier = optarg;
        return GO_ON;
    case 'c':
        o->confined = true;
        return GO_ON;
    case 'm':
        return parse_count(&o->make, "make", 1);
    case 'b':
        return parse_count(&o->bad_every, "bad-every", 2);
    case 'd':
        o->demo = true;
        return GO_ON;
    case 'h':
        fputs(help, stdout);
        return 0;
    case 'v':
        printf("convert, an example of Ravel %s\n", rv_version());
        return 0;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

int options_parse(struct options *ret, int argc, char **argv)
{
    static char name[] = "convert";
    argv[0] = name; /* what getopt's complaints begin with */
    *ret = (struct options){.tier = "processes", .bad_every = 1000};
    int option, status = GO_ON;
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
        status = parse_one(ret, option);
    if (status != GO_ON)
        return status;
    int wanted = ret->demo ? 0 : ret->make ? 1 : 2;
    if (argc - optind != wanted) {
        fprintf(stderr, "convert: %s. Try --help.\n",
                ret->demo   ? "--demo takes no folder"
                : ret->make ? "--make takes one folder"
                            : "two folders are needed: where the pictures are, and where to");
        return BAD_USAGE;
    }
    ret->from = wanted > 0 ? argv[optind] : NULL;
    ret->to = wanted > 1 ? argv[optind + 1] : NULL;
    return GO_ON;
}
