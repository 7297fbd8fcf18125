/* SPDX-License-Identifier: MIT */
/* cmd_worker.c - `ravel worker`: starts a program as an agent, which joins a cluster and lets
 * worker processes of its own run the jobs that it registers.
 *
 * This process becomes the program: whoever supervises it sees the agent's own process, and its own
 * exit status. All that is asked for goes by the environment. A program without Ravel in it would
 * simply run its main(), as often as somebody starts it; so its file is looked at before.
 *
 * Checked by: tests/cli/test_worker.py */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check/driver/elf_file.h"
#include "cli/cli.h"

enum { PATH_BYTES = 4096, MOST_SLOTS = 65536, NAME_MOST = 63 };

enum { CLUSTER = 256, SLOTS, NAME, CA, CERT, KEY, NKEY, JSON, QUIET, HELP };

static const struct option names[] = {
    {"cluster", required_argument, NULL, CLUSTER},
    {"slots", required_argument, NULL, SLOTS},
    {"name", required_argument, NULL, NAME},
    {"ca", required_argument, NULL, CA},
    {"cert", required_argument, NULL, CERT},
    {"key", required_argument, NULL, KEY},
    {"nkey", required_argument, NULL, NKEY},
    {"json", no_argument, NULL, JSON},
    {"quiet", no_argument, NULL, QUIET},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static const char usage[] =
    "usage: ravel worker [options] PROGRAM [-- ARGS]\n"
    "\n"
    "Has a program that is linked with libravel run jobs of a cluster, in processes of its own. "
    "Its\n"
    "main() is not run; ARGS are what its constructors find. Jobs come from programs of the same\n"
    "build that submit to the same pool.\n"
    "\n"
    "  --cluster URL   where the cluster is and which pool, nats://host:4222/pool, also tls://;\n"
    "                  several servers with commas (RAVEL_CLUSTER)\n"
    "  --slots N       jobs at one time (the usable cores)\n"
    "  --name NAME     of this worker: letters, digits, - and _ (made of host and process)\n"
    "  --ca FILE       authorities that the server's certificate is held against (RAVEL_CA_FILE)\n"
    "  --cert FILE, --key FILE   a certificate of ours (RAVEL_CERT_FILE, RAVEL_KEY_FILE)\n"
    "  --nkey FILE     the seed of an nkey (RAVEL_NKEY_FILE)\n"
    "  --json          events on standard output, one object a line: joined, state, away, back,\n"
    "                  sent away, trouble, leaving, left\n"
    "  --quiet         no line of status; without a terminal there is none in any case\n"
    "\n"
    "SIGTERM or SIGINT: take no more jobs, finish those that run, end. Once more: kill what runs "
    "and\n"
    "hand it back. SIGKILL does no harm: what was running is given to others within seconds.\n"
    "\n"
    "Example:\n"
    "  ravel worker ./wordfreq --cluster nats://10.0.0.5:4222/web --slots 4\n"
    "\n"
    "Exit status: 0 it has left as asked, 2 it could not join, or had to go.\n"
    "Manual page: ravel-worker(1).\n";

struct worker {
    unsigned slots; /* 0: as many as there are cores */
    const char *name;
    bool is_json, is_quiet;
};

/* --- what is asked for; each returns -1, or the exit status --- */

static int read_slots(struct worker *w, const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)text[0]) || *end || count < 1 || count > MOST_SLOTS)
        return cli_unable("--slots %s is no number from 1 to %d", text, MOST_SLOTS);
    w->slots = (unsigned)count;
    return -1;
}

static int read_name(struct worker *w, const char *text)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t length = strlen(text);

    if (length < 1 || length > NAME_MOST || strspn(text, letters) != length)
        return cli_unable("--name %s: a name has 1 to %d letters, digits, - and _", text,
                          NAME_MOST);
    w->name = text;
    return -1;
}

static int set(const char *variable, const char *value)
{
    return setenv(variable, value, 1) == 0 ? -1 : cli_unable("%s", strerror(errno));
}

/* It is opened by the program; but here it can be said which option it was. */
static int set_file(const char *variable, const char *path)
{
    if (access(path, R_OK) != 0)
        return cli_unable("cannot read %s: %s", path, strerror(errno));
    return set(variable, path);
}

static int read_option(struct worker *w, int option, const char *value)
{
    switch (option) {
    case CLUSTER:
        return set("RAVEL_CLUSTER", value);
    case SLOTS:
        return read_slots(w, value);
    case NAME:
        return read_name(w, value);
    case CA:
        return set_file("RAVEL_CA_FILE", value);
    case CERT:
        return set_file("RAVEL_CERT_FILE", value);
    case KEY:
        return set_file("RAVEL_KEY_FILE", value);
    case NKEY:
        return set_file("RAVEL_NKEY_FILE", value);
    case JSON:
        w->is_json = true;
        return -1;
    case QUIET:
        w->is_quiet = true;
        return -1;
    case HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        fputs("(ravel worker --help lists all options)\n", stderr);
        return CLI_UNABLE;
    }
}

static int check_whole(const char *program)
{
    const char *cluster = getenv("RAVEL_CLUSTER");

    if (!program)
        return cli_unable("no program was named: ravel worker [options] PROGRAM [-- ARGS]");
    if (!cluster || !cluster[0])
        return cli_unable(
            "where is the cluster? --cluster nats://host:4222/pool, or RAVEL_CLUSTER");
    return -1;
}

/* --- the program --- */

/* Of libravel.a in the program: src/proc/before_main.c. */
static bool is_of_ravel(const struct ck_elf *elf)
{
    return ck_elf_needs(elf, "libravel.so") || ck_elf_has_note(elf, "Ravel", 1);
}

static int judge_program(const char *program)
{
    struct ck_elf *elf;
    enum ck_elf_sort sort = ck_elf_open(program, &elf);
    bool is_ours = elf && is_of_ravel(elf);

    ck_elf_close(elf);
    if (access(program, X_OK) != 0)
        return cli_unable("%s cannot be executed: %s", program, strerror(errno));
    if (sort == CK_ELF_NONE)
        return cli_unable("cannot read %s", program);
    if (sort == CK_ELF_SCRIPT)
        return cli_unable("%s is a script; name the program itself", program);
    if (sort == CK_ELF_OTHER)
        return cli_unable("%s is no program for this machine", program);
    if (!is_ours)
        return cli_unable(
            "%s is not a Ravel program: libravel is not linked to it, so it would run "
            "its main() instead of joining a cluster",
            program);
    return -1;
}

/* --- becoming it --- */

static const char *report_of(const struct worker *w)
{
    if (w->is_json)
        return "json";
    return isatty(STDERR_FILENO) && !w->is_quiet ? "line" : "none";
}

static int become(const struct worker *w, const char *program, char **argv)
{
    char words[256], slots[32] = "";

    if (w->slots > 0)
        snprintf(slots, sizeof slots, " slots=%u", w->slots);
    snprintf(words, sizeof words, "report=%s%s%s%s", report_of(w), slots, w->name ? " name=" : "",
             w->name ? w->name : "");
    int status = set("RAVEL_AGENT", words);
    if (status >= 0)
        return status;
    execv(program, argv);
    return cli_unable("%s cannot be executed: %s", program, strerror(errno));
}

int cli_worker(int argc, char **argv)
{
    struct worker w = {0};
    char program[PATH_BYTES];
    int status = -1, option;

    while (status < 0 && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
        status = read_option(&w, option, optarg);
    if (status < 0)
        status = check_whole(argv[optind]);
    if (status >= 0)
        return status;
    if (!cli_find_program(argv[optind], program, sizeof program))
        return cli_unable("there is no program %s", argv[optind]);
    status = judge_program(program);
    return status >= 0 ? status : become(&w, program, argv + optind);
}
