/* SPDX-License-Identifier: MIT */
/* cluster.h - the verbs of `ravel cluster`, and what they share. */
#pragma once

#include "cli/cli.h"

/* Each with its own name as argv[0]. */
cli_verb cluster_up, cluster_down, cluster_status, cluster_dead, cluster_keys;

/* Of most options with a value: a folder, a file, a URL. */
enum { CLUSTER_PATH_BYTES = 4096, CLUSTER_URL_BYTES = 512 };

/** What getopt_long() has complained about. @return CLI_UNABLE */
int cluster_see_help(const char *verb);
