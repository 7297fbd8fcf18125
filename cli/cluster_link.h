/* SPDX-License-Identifier: MIT */
/* cluster_link.h - a verb's way to a cluster: which one is meant, and who we are there. */
#pragma once

#include <getopt.h>

#include "cli/cluster.h"
#include "engine/engine.h"

/* What verbs that ask a cluster have in common on their command lines. */
#define CLUSTER_LINK_OPTIONS                                                                       \
    {"dir", required_argument, NULL, CLUSTER_DIR},                                                 \
        {"pool", required_argument, NULL, CLUSTER_POOL},                                           \
        {"ca", required_argument, NULL, CLUSTER_CA},                                               \
        {"cert", required_argument, NULL, CLUSTER_CERT},                                           \
        {"key", required_argument, NULL, CLUSTER_KEY},                                             \
        {"nkey", required_argument, NULL, CLUSTER_NKEY},                                           \
        {"timeout", required_argument, NULL, CLUSTER_TIMEOUT},                                     \
    {                                                                                              \
        "help", no_argument, NULL, CLUSTER_HELP                                                    \
    }

#define CLUSTER_LINK_USAGE                                                                         \
    "  URL                   nats://host:port[/POOL]; several servers with commas; without one\n"  \
    "                        RAVEL_CLUSTER, or else what `ravel cluster up` has started\n"         \
    "  --dir DIR             the server that was started there\n"                                  \
    "  --pool NAME           this pool alone\n"                                                    \
    "  --nkey FILE           our nkey's seed (RAVEL_NKEY_FILE)\n"                                  \
    "  --ca FILE             authorities that sign servers (RAVEL_CA_FILE)\n"                      \
    "  --cert FILE --key FILE   our certificate (RAVEL_CERT_FILE, RAVEL_KEY_FILE)\n"               \
    "  --timeout SECONDS     how long an answer may take (5)\n"

enum cluster_link_option {
    CLUSTER_FIRST = 256,
    CLUSTER_DIR,
    CLUSTER_POOL,
    CLUSTER_CA,
    CLUSTER_CERT,
    CLUSTER_KEY,
    CLUSTER_NKEY,
    CLUSTER_TIMEOUT,
    CLUSTER_HELP,
    CLUSTER_OWN, /* the verb's own from here on */
};

struct cluster_link {
    const char *address, *dir, *pool; /* as given; NULL */
    struct rvi_engine_opts opts;
    rv_time timeout; /* nanoseconds */
    char *memory;
    char local[CLUSTER_URL_BYTES], ca[CLUSTER_PATH_BYTES], nkey[CLUSTER_PATH_BYTES];
};

void cluster_link_init(struct cluster_link *link);
void cluster_link_fini(struct cluster_link *link);

/** Take an option of CLUSTER_LINK_OPTIONS. @return -1: go on; else the exit status */
int cluster_link_take(struct cluster_link *link, int option, const char *value, const char *usage,
                      const char *verb);

/** Settle which cluster is meant, and in link->pool which pool, if one was named.
 *
 * @return 0; else the exit status, and it was said */
int cluster_link_find(struct cluster_link *link);

/** Connect as an observer of a pool, or of none.
 *
 * @return as above */
int cluster_link_open(const struct cluster_link *link, const char *pool, struct rvi_engine **ret);

/** Until when an answer is waited for. */
rv_time cluster_link_deadline(const struct cluster_link *link);
