/* SPDX-License-Identifier: MIT */
/* cluster_certs.h - an authority of one's own, and what it signs for servers: X.509 (RFC 5280). */
#pragma once

#include <stddef.h>

enum { CERTS_WORDS = 512 };

/** The authority of a folder, ca.pem and ca.key: made if neither is there.
 *
 * @param words  why it failed
 * @return 0; -ENOSYS built without OpenSSL; another -errno */
int certs_make_authority(const char *dir, char words[static CERTS_WORDS]);

/** A certificate of a server and its key, NAME.pem and NAME.key, signed by the folder's authority;
 * good for both sides of a connection, as servers of one cluster connect to each other.
 *
 * @param also  further names and addresses of it, with commas; NULL
 * @return as above; -EINVAL a name that is none */
int certs_make_server(const char *dir, const char *name, const char *also,
                      char words[static CERTS_WORDS]);
