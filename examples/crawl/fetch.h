/* SPDX-License-Identifier: MIT */
/* fetch.h - one request, and what came back. */
#pragma once

#include "url.h"

#include <ravel.h>

/* What came back. */
struct fetched {
    int status;     /* of HTTP; 0: there was no answer */
    uint64_t bytes; /* of the body */
};

/* Ask for a URL, and read the whole answer. 0, or -errno: -EPROTO what came is no HTTP, -ENODATA it
 * ended too early. */
int fetch(const struct url *url, struct fetched *ret, rv_time deadline);
