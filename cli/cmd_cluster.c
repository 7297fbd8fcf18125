/* SPDX-License-Identifier: MIT */
/* cmd_cluster.c - `ravel cluster`: finds the verb behind it. One file a verb, cluster_VERB.c.
 *
 * Checked by: tests/cli/test_cluster.py */
#include <stdio.h>
#include <string.h>

#include "cli/cluster.h"

static const char usage[] =
    "usage: ravel cluster VERB ...\n"
    "\n"
    "A cluster is a server of NATS with JetStream, which stores jobs, and workers that join it.\n"
    "\n"
    "  ravel cluster up [--dir DIR] [--port N] [--limit BYTES] [--secure]\n"
    "                        start a server on this machine, for this user; prints what to export\n"
    "  ravel cluster down [--dir DIR]                  end it\n"
    "  ravel cluster status [URL] [--json] [--watch]   pools, lanes, backlog, workers, dead "
    "letters\n"
    "  ravel cluster dead list|retry|drop ...          jobs that had their last attempt\n"
    "  ravel cluster keys [--user NAME] [--server HOST[,ALSO]]   nkeys and certificates\n"
    "\n"
    "  ravel worker PROGRAM [--cluster URL] [--slots N]          have a program work for it\n"
    "\n"
    "Each has --help. Example:\n"
    "  eval \"$(ravel cluster up)\"                      # sets RAVEL_CLUSTER\n"
    "  ravel worker ./prog --slots 4 &\n"
    "  ./prog                                          # its executor \"auto\" uses the cluster\n"
    "  ravel cluster status\n"
    "  ravel cluster down\n"
    "\n"
    "Manual pages: ravel-cluster(1), ravel-worker(1).\n";

static const struct {
    const char *name;
    cli_verb *verb;
} verbs[] = {
    {"up", cluster_up},     {"down", cluster_down}, {"status", cluster_status},
    {"dead", cluster_dead}, {"keys", cluster_keys},
};

int cluster_see_help(const char *verb)
{
    fprintf(stderr, "(ravel cluster %s --help lists all options)\n", verb);
    return CLI_UNABLE;
}

int cli_cluster(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i].name) == 0)
            return verbs[i].verb(argc - 1, argv + 1);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    fputs(usage, stderr);
    return word[0] ? cli_unable("there is no verb \"cluster %s\"", word) : CLI_UNABLE;
}
