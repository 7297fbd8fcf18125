/* SPDX-License-Identifier: MIT */
/* address.c - where a cluster is, and who one is there.
 *
 * The pool follows the last "/" of the list of servers. An address shows in lists of processes and
 * in logs: so one with "user:password@" is refused rather than used.
 *
 * Checked by: tests/unit/engine/test_address.c */
#include "engine/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char prefix[] = "cluster:";

/* Behind the last server's name; NULL: it has none. */
static char *find_pool(char *address)
{
    char *slash = strrchr(address, '/');
    bool is_of_scheme = slash && slash > address && slash[-1] == '/';

    return slash && !is_of_scheme ? slash : NULL;
}

static bool is_address(const char *text)
{
    const char *end = strstr(text, "://");

    return end && end > text && end[3] != '\0' && end[3] != '/';
}

/* Without what was said, if that may be secret. */
static int judge(const char *address, char words[static RVI_ENGINE_WORDS])
{
    if (strchr(address, '@'))
        snprintf(words, RVI_ENGINE_WORDS,
                 "the cluster's address has a user in it; what is secret belongs into a file");
    else if (!is_address(address))
        snprintf(words, RVI_ENGINE_WORDS,
                 "\"%s\" is no cluster's address; one is nats://host:4222/pool", address);
    else
        return 0;
    return -EINVAL;
}

int rvi_engine_address_take(struct rvi_engine_opts *opts, char **ret_memory, const char *address,
                            char words[static RVI_ENGINE_WORDS])
{
    if (strncmp(address, prefix, sizeof(prefix) - 1) == 0)
        address += sizeof(prefix) - 1;
    if (judge(address, words) < 0)
        return -EINVAL;
    size_t bytes = strlen(address) + 1;
    char *memory = rvi_alloc(bytes);
    if (!memory)
        return -ENOMEM;
    memcpy(memory, address, bytes);
    char *slash = find_pool(memory);
    if (slash)
        *slash = '\0';
    opts->url = memory;
    opts->pool = slash && slash[1] ? slash + 1 : RVI_ENGINE_POOL_USUAL;
    *ret_memory = memory;
    return 0;
}

static void fill_in(const char **field, const char *variable)
{
    const char *text = *field ? NULL : getenv(variable);

    if (text && text[0])
        *field = text;
}

void rvi_engine_credentials_take(struct rvi_engine_opts *opts)
{
    fill_in(&opts->ca_file, "RAVEL_CA_FILE");
    fill_in(&opts->cert_file, "RAVEL_CERT_FILE");
    fill_in(&opts->key_file, "RAVEL_KEY_FILE");
    fill_in(&opts->nkey_file, "RAVEL_NKEY_FILE");
}
