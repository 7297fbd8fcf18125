/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_AT_ONCE = 1000, WRONG_USE = 2 };

static const char usage[] =
    "usage: parallel [-j N] [-t SECONDS] COMMAND [ARGUMENT...] < LINES\n"
    "\n"
    "Runs the command once for each line, with the line in place of each {} in its arguments, or "
    "as\n"
    "its last one, and prints what the commands have written in the order of the lines.\n"
    "\n"
    "  -j N        commands that run at one time (4)\n"
    "  -t SECONDS  end a command that has not ended by itself\n"
    "\n"
    "Exit status: 0 all commands have succeeded, 1 some have not, 2 wrong use or no input,\n"
    "128 and the signal's number when one has ended it. SIGUSR1 shows how far it is.\n";

static __attribute__((noreturn)) void refuse(const char *what, const char *value)
{
    fprintf(stderr, "parallel: %s: %s\n%s", what, value, usage);
    exit(WRONG_USE);
}

static double number(const char *text, double least, double most)
{
    char *end;

    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || errno || !(value >= least && value <= most))
        refuse("no such number", text);
    return value;
}

void read_options(struct options *ret, int argc, char **argv)
{
    static const struct option longs[] = {{"help", no_argument, NULL, 'h'}, {0}};
    int option;

    *ret = (struct options){.at_once = 4, .time_limit = RV_NEVER};
    while ((option = getopt_long(argc, argv, "+j:t:h", longs, NULL)) != -1) {
        if (option == 'j')
            ret->at_once = (size_t)number(optarg, 1, MOST_AT_ONCE);
        else if (option == 't')
            ret->time_limit = (rv_time)(number(optarg, 1e-3, 1e6) * (double)RV_SECOND);
        else if (option == 'h')
            exit(fputs(usage, stdout) < 0);
        else
            exit(WRONG_USE);
    }
    if (optind == argc)
        refuse("what", "no command");
    ret->command = (const char *const *)(argv + optind);
}
