/* SPDX-License-Identifier: MIT */
/* cluster_server.h - nats-server as a program: where it is found, what it says of itself. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cluster.h"

/** The program: the given one, that of RAVEL_NATS_SERVER, or the one that is installed.
 *
 * @return 0; else the exit status, and it was said */
int cluster_server_find(const char *given, char ret[static CLUSTER_PATH_BYTES]);

/** Whether a port of 127.0.0.1 is free. @return 0 or -errno */
int cluster_server_try_port(unsigned port);

/** Make room for what a server says of its ports. @return as cluster_server_find() */
int cluster_server_clear_ports(const char *dir);

/** The port that a server of a folder has. @return 0: it has not said so yet */
unsigned cluster_server_port(const char *dir, pid_t pid);

/** Whether it greets whoever connects, and has JetStream. Blocks: for a second */
bool cluster_server_greets(unsigned port);

/** Say on standard error why it has ended: the last line of its log behind `from`. */
void cluster_server_say_last_words(const char *log, off_t from);
