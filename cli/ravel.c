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

static const struct {
    const char *name;
    cli_verb *verb;
    const char *args, *what;
} verbs[] = {
    {"cc", cli_cc, "ARGS", "compile and link a program for checking, as gcc would"},
    {"c++", cli_cc, "ARGS", "the same as g++ would; CC=\"ravel cc\" CXX=\"ravel c++\" for make"},
    {"check", cli_check, "-- PROGRAM ...", "try schedules until one fails, and say why"},
    {"cluster", cli_cluster, "up|down|status ...", "a server that stores jobs; what it holds"},
    {"worker", cli_worker, "PROGRAM ...", "have a program run the jobs of a cluster"},
    {"ps", cli_ps, "PID", "what every task of a running program is doing, or of a core"},
    {"tree", cli_tree, "PID", "the same under the scopes that they were started in"},
    {"bt", cli_bt, "PID TASK", "the calls that a task is in"},
    {"top", cli_top, "PID", "the tasks of a running program on the whole screen"},
    {"trace", cli_trace, "-- PROGRAM ...", "record who ran when, for Perfetto"},
    {"lab", cli_lab, "[--html FILE]", "what concurrency costs on this machine"},
    {"advise", cli_advise, "-- COMMAND ...", "on which tier, and with how many workers"},
};

static int show_usage(FILE *to)
{
    fputs("usage: ravel VERB ...\n"
          "\n"
          "Finds what breaks a concurrent program; shows what one is doing; measures; runs its "
          "cluster.\n"
          "\n",
          to);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        fprintf(to, "  ravel %-8s %-19s %s\n", verbs[i].name, verbs[i].args, verbs[i].what);
    fputs("\n"
          "  ravel VERB --help, ravel --version; manual pages: ravel-VERB(1)\n"
          "\n"
          "Example:\n"
          "  ravel cc -o server server.c -pthread\n"
          "  ravel check -- ./server --selftest\n"
          "\n"
          "Exit status: 0 it went well, 1 something was found, 2 it could not be done.\n",
          to);
    return ferror(to) ? CLI_UNABLE : CLI_FINE;
}

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
        return show_usage(stdout);
    show_usage(stderr);
    return word[0] ? cli_unable("there is no verb \"%s\"", word) : CLI_UNABLE;
}
