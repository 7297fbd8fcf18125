/* SPDX-License-Identifier: MIT */
/* options.h - what the command line of the servers says. */
#pragma once

#include "site.h"

struct options {
    const char *program;
    const char *listen;
    const char *root; /* the folder whose files are served */
    unsigned workers; /* 0: the usable cores */
    rv_time drain_ns; /* that connections have to finish */
    const char *cert; /* NULL: no TLS */
    const char *key;
    rv_signals *ends;   /* SIGTERM and SIGINT */
    rv_tls_config *tls; /* NULL: none */
    struct site site;
};

/* Read the command line; `threads` is for the program that has a thread for each connection. -1 to
 * go on, or the exit status. */
int options_parse(struct options *o, int argc, char **argv, bool threads);

/* Open the root, take the signals, read the certificate and make room for as many descriptors as
 * there may be. Complains by itself. */
int options_prepare(struct options *o);

/* Say on standard output where a socket listens. */
void options_say_where(const struct options *o, int listener);
