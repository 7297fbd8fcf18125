/* SPDX-License-Identifier: MIT */
/* ravel.c - the `ravel` command: finds the verb. One file a verb, cmd_VERB.c.
 *
 * Checked by: tests/cli */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const char usage[] =
    "usage: ravel VERB ...\n"
    "\n"
    "Finds the interleaving that breaks a program on POSIX threads, explains it, and replays it.\n"
    "\n"
    "  ravel cc  [--with COMPILER] ARGS   compile and link a program for checking, as gcc would;\n"
    "  ravel c++ [--with COMPILER] ARGS   also CC=\"ravel cc\" for make, configure and cmake\n"
    "\n"
    "  ravel check [options] -- PROGRAM [ARGS]     try schedules until one fails\n"
    "  ravel check --replay FILE [--gdb]           the same failure again; in a debugger\n"
    "  ravel check --help                          all options\n"
    "\n"
    "  ravel --version, ravel --help\n"
    "\n"
    "Example:\n"
    "  ravel cc -o server server.c -pthread\n"
    "  ravel check -- ./server --selftest\n"
    "\n"
    "Exit status: 0 nothing was found, 1 something was, 2 it could not be checked.\n"
    "Manual pages: ravel-cc(1), ravel-check(1).\n";

static const struct {
    const char *name;
    cli_verb *verb;
} verbs[] = {
    {"cc", cli_cc},
    {"c++", cli_cc},
    {"check", cli_check},
};

int cli_unable(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("ravel: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_UNABLE;
}

/* Where it may lie, from the folder of this command. */
static const char *const places[] = {
    "../" CLI_LIBDIR "/libravel_check.so",
    "../lib/libravel_check.so",
    "../check/libravel_check.so",
};

_Bool cli_find_runtime(char *ret, size_t room)
{
    char self[4096], joined[8192];
    ssize_t count = readlink("/proc/self/exe", self, sizeof self - 1);

    if (count > 0) {
        self[count] = '\0';
        *strrchr(self, '/') = '\0';
    }
    for (size_t i = 0; count > 0 && i < sizeof places / sizeof places[0]; i++) {
        snprintf(joined, sizeof joined, "%s/%s", self, places[i]);
        char *found = realpath(joined, NULL);
        if (found) {
            _Bool fits = (size_t)snprintf(ret, room, "%s", found) < room;
            free(found);
            return fits;
        }
    }
    cli_unable("libravel_check.so is not where this command expects it: %s/%s", self, places[0]);
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].verb(argc - 1, argv + 1);
    }
    if (strcmp(word, "--version") == 0)
        return puts("ravel " RVI_VERSION) < 0 ? CLI_UNABLE : CLI_FINE;
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    fputs(usage, stderr);
    return word[0] ? cli_unable("there is no verb \"%s\"", word) : CLI_UNABLE;
}
