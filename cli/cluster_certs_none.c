/* SPDX-License-Identifier: MIT */
/* cluster_certs_none.c - a build without OpenSSL makes no certificates. */
#include "cli/cluster_certs.h"

#include <errno.h>
#include <stdio.h>

static int refuse(char *words)
{
    snprintf(words, CERTS_WORDS, "this build has no OpenSSL");
    return -ENOSYS;
}

int certs_make_authority(const char *dir, char words[static CERTS_WORDS])
{
    (void)dir;
    return refuse(words);
}

int certs_make_server(const char *dir, const char *name, const char *also,
                      char words[static CERTS_WORDS])
{
    (void)dir;
    (void)name;
    (void)also;
    return refuse(words);
}
