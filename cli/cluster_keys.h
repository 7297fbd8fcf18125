/* SPDX-License-Identifier: MIT */
/* cluster_keys.h - a folder of keys:
 *
 *     NAME.nk              the seed of a user's nkey
 *     users.conf           the public keys of all of them, for the server's configuration
 *     ca.pem, ca.key       the authority that signs servers
 *     HOST.pem, HOST.key   a server's certificate and key
 *
 * Seeds and keys can be read by their owner alone. What is there is kept, but for certificates of
 * servers: those are made anew. */
#pragma once

#include "cli/cluster.h"
#include "engine/nkey.h"

/** A user's pair, made if it is not there.
 *
 * @return 0; else the exit status, and it was said */
int cluster_keys_user(const char *dir, const char *name, char public[static RVI_NKEY_PUBLIC_BYTES]);

/** users.conf, of all seeds that are there. @return as above */
int cluster_keys_list(const char *dir);

/** A server's certificate; `names` are its name and what else it is called, with commas.
 *
 * @return as above */
int cluster_keys_server(const char *dir, const char *names);
