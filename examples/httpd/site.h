/* SPDX-License-Identifier: MIT */
/* site.h - what all connections of a server share. */
#pragma once

#include "reply.h"

#include <ravel.h>
#include <stdatomic.h>

struct site {
    int root;          /* the folder whose files are served; -1: none */
    const char *hello; /* what /hello says; NULL: nothing */
    rv_time head_ns;   /* that a client may take to send a request */
    rv_time idle_ns;   /* until it begins the next one */
    rv_time send_ns;   /* to take SITE_SEND_BYTES */
    unsigned most;     /* connections at a time */
    bool log;          /* a line on standard output for each answer */

    atomic_uint count; /* connections */
};

enum { SITE_SEND_BYTES = 262144 };

#define SITE_DEFAULTS                                                                              \
    {                                                                                              \
        .root = -1, .head_ns = 10 * RV_SECOND, .idle_ns = 60 * RV_SECOND,                          \
        .send_ns = 30 * RV_SECOND, .most = 100000,                                                 \
    }
