/* SPDX-License-Identifier: MIT */
/* cluster_link.c - which cluster a verb means. What was named first wins: an address, a folder, the
 * environment's address; else the server that runs in the usual folder.
 *
 * Checked by: tests/cli/test_cluster.py */
#include "cli/cluster_link.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/cluster_dir.h"
#include "engine/address.h"

enum { SECONDS_USUAL = 5, SECONDS_MOST = 3600 };

void cluster_link_init(struct cluster_link *link)
{
    *link = (struct cluster_link){.opts.role = RVI_ENGINE_OBSERVER,
                                  .timeout = SECONDS_USUAL * RV_SECOND};
}

void cluster_link_fini(struct cluster_link *link)
{
    rvi_free(link->memory);
    link->memory = NULL;
}

static int read_timeout(struct cluster_link *link, const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !isfinite(seconds) || seconds <= 0 || seconds > SECONDS_MOST)
        return cli_unable("--timeout %s: a number of seconds above 0, at most %d, is expected",
                          text, SECONDS_MOST);
    link->timeout = (rv_time)(seconds * (double)RV_SECOND);
    return -1;
}

int cluster_link_take(struct cluster_link *link, int option, const char *value, const char *usage,
                      const char *verb)
{
    switch (option) {
    case CLUSTER_DIR:
        link->dir = value;
        return -1;
    case CLUSTER_POOL:
        link->pool = value;
        return -1;
    case CLUSTER_CA:
        link->opts.ca_file = value;
        return -1;
    case CLUSTER_CERT:
        link->opts.cert_file = value;
        return -1;
    case CLUSTER_KEY:
        link->opts.key_file = value;
        return -1;
    case CLUSTER_NKEY:
        link->opts.nkey_file = value;
        return -1;
    case CLUSTER_TIMEOUT:
        return read_timeout(link, value);
    case CLUSTER_HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        return cluster_see_help(verb);
    }
}

/* --- which one --- */

/* A folder has the keys of its server besides. */
static int use_local(struct cluster_link *link)
{
    struct cluster_state state;
    char dir[CLUSTER_PATH_BYTES];
    int status = cluster_dir_name(link->dir, dir);

    if (status != 0)
        return status;
    int pidfd = cluster_dir_read(dir, &state) ? cluster_dir_find(&state) : -ESRCH;
    if (pidfd < 0 && link->dir)
        return cli_unable("no server runs in %s", dir);
    if (pidfd < 0)
        return cli_unable("no cluster is named (URL, --dir or RAVEL_CLUSTER), and none runs in %s",
                          dir);
    close(pidfd);
    cluster_dir_url(&state, link->local);
    link->address = link->local;
    if (state.is_secure && cluster_dir_file(dir, "keys/ca.pem", link->ca) && !link->opts.ca_file)
        link->opts.ca_file = link->ca;
    if (state.is_secure && cluster_dir_file(dir, "keys/ravel.nk", link->nkey) &&
        !link->opts.nkey_file)
        link->opts.nkey_file = link->nkey;
    return 0;
}

static int split_address(struct cluster_link *link)
{
    char words[RVI_ENGINE_WORDS] = "";
    int r = rvi_engine_address_take(&link->opts, &link->memory, link->address, words);

    if (r < 0)
        return cli_unable("%s", words[0] ? words : strerror(-r));
    /* The usual one of addresses that name none lies elsewhere. */
    bool is_named =
        link->opts.pool > link->memory && link->opts.pool <= link->memory + strlen(link->address);
    if (!link->pool && is_named)
        link->pool = link->opts.pool;
    return 0;
}

int cluster_link_find(struct cluster_link *link)
{
    int status = 0;

    if (!link->address && !link->dir)
        link->address = getenv(RVI_CLUSTER_VARIABLE);
    if (!link->address || !link->address[0])
        status = use_local(link);
    if (status == 0)
        status = split_address(link);
    if (status == 0 && link->pool && !rvi_engine_is_name(link->pool))
        status =
            cli_unable("\"%s\" cannot name a pool: 1 to 63 letters, digits, - and _", link->pool);
    rvi_engine_credentials_take(&link->opts);
    return status;
}

/* --- the way --- */

static void hear_nothing(void *arg, int error, const char *words)
{
    (void)arg;
    (void)error;
    (void)words;
}

int cluster_link_open(const struct cluster_link *link, const char *pool, struct rvi_engine **ret)
{
    static const struct rvi_engine_events events = {.link = hear_nothing};
    struct rvi_engine_opts opts = link->opts;
    char words[RVI_ENGINE_WORDS] = "";

    opts.pool = pool;
    opts.connect_timeout = link->timeout;
    int r = rvi_engine_open(ret, &opts, &events, NULL, words);
    if (r == 0)
        return 0;
    if (r == -ENOENT && pool)
        return cli_unable("%s has no pool \"%s\"", opts.url, pool);
    return words[0] ? cli_unable("%s", words) : cli_unable("%s: %s", opts.url, strerror(-r));
}

rv_time cluster_link_deadline(const struct cluster_link *link)
{
    return rv_after(link->timeout);
}
