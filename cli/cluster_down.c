/* SPDX-License-Identifier: MIT */
/* cluster_down.c - `ravel cluster down`: ends the server that `up` has started, and no other.
 *
 * Checked by: tests/cli/test_cluster.py */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cluster_dir.h"

static const char usage[] =
    "usage: ravel cluster down [--dir DIR]\n"
    "\n"
    "Ends the server that `ravel cluster up` has started there. What it stores stays.\n"
    "\n"
    "  --dir DIR   its folder ($XDG_STATE_HOME/ravel/cluster, or ~/.local/state/ravel/cluster)\n"
    "\n"
    "Exit status: 0 it has ended, 1 none was running, 2 it could not be ended.\n";

static int end_server(const char *dir)
{
    struct cluster_state state;

    if (!cluster_dir_read(dir, &state)) {
        cli_unable("no server was started in %s", dir);
        return CLI_FOUND;
    }
    int pidfd = cluster_dir_find(&state);
    if (pidfd == -ESRCH) {
        cli_unable("the server of %s does not run any more", dir);
        return CLI_FOUND;
    }
    int r = pidfd < 0 ? pidfd : cluster_dir_end(pidfd);
    if (pidfd >= 0)
        close(pidfd);
    if (r < 0)
        return cli_unable("cannot end the server, process %d: %s", (int)state.pid, strerror(-r));
    fprintf(stderr, "The server, process %d, has ended; its data stay in %s.\n", (int)state.pid,
            dir);
    return CLI_FINE;
}

int cluster_down(int argc, char **argv)
{
    static const struct option names[] = {
        {"dir", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'}, {0}};
    const char *given = NULL;
    char dir[CLUSTER_PATH_BYTES];
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
        if (option != 'd')
            return cluster_see_help("down");
        given = optarg;
    }
    if (optind < argc)
        return cli_unable("%s: `ravel cluster down` takes no names", argv[optind]);
    int status = cluster_dir_name(given, dir);
    return status != 0 ? status : end_server(dir);
}
