/* SPDX-License-Identifier: MIT */
/* cluster_dir.h - the folder of a server that `ravel cluster up` has started.
 *
 *     lock         held by the server itself as long as it lives, through a descriptor it inherits
 *     state        the last server that was started there: a line a field
 *     server.conf  what it was told
 *     server.log   what it says
 *     store/       JetStream's
 *     keys/        if it is a secure one: see cluster_keys.h
 *
 * Whether a server runs there is never taken from the files alone: a process is the one of the
 * state file if its pid, the time of its start and the boot of the machine are. It is looked at by
 * its pidfd, which is opened first: what the number means cannot change any more from then on. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "cli/cluster.h"

struct cluster_state {
    pid_t pid;
    unsigned long long started; /* in ticks since the boot, as /proc says */
    char boot[40];              /* which one */
    unsigned port;              /* 0: it is not known yet */
    bool is_secure;
};

/** The folder that is meant: the given one; else that of $XDG_STATE_HOME, or of $HOME.
 *
 * @return 0; else the exit status, and it was said */
int cluster_dir_name(const char *given, char ret[static CLUSTER_PATH_BYTES]);

/** Make it where it is missing, and refuse one that is not ours alone.
 *
 * @return as above */
int cluster_dir_make(const char *dir);

/** "DIR/NAME". @return whether it fits */
bool cluster_dir_file(const char *dir, const char *name, char ret[static CLUSTER_PATH_BYTES]);

/** Take the lock, which what is started from here on inherits.
 *
 * @return a descriptor; -EWOULDBLOCK somebody has it; another -errno */
int cluster_dir_lock(const char *dir);

/** The state that is written there. @return whether there is one that makes sense */
bool cluster_dir_read(const char *dir, struct cluster_state *ret);

/** Write it, whole or not at all. @return 0 or -errno */
int cluster_dir_write(const char *dir, const struct cluster_state *state);

/** Fill in who a running process is. @return whether that could be found out */
bool cluster_dir_identify(pid_t pid, struct cluster_state *ret);

/** The server of a state, if it runs.
 *
 * @return its pidfd; -ESRCH it does not; another -errno */
int cluster_dir_find(const struct cluster_state *state);

/** End what a pidfd means: SIGTERM, and after a while SIGKILL. @return 0 or -errno */
int cluster_dir_end(int pidfd);

/** Whether it ends within so many milliseconds. */
bool cluster_dir_has_ended(int pidfd, int within_ms);

/** Where clients find it: URL of the server, without a pool. */
void cluster_dir_url(const struct cluster_state *state, char ret[static CLUSTER_URL_BYTES]);
