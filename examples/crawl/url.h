/* SPDX-License-Identifier: MIT */
/* url.h - the parts of an http URL. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { URL_MOST = 2048 };

struct url {
    char address[300];     /* "host:port", as rv_dial() takes it */
    char host[300];        /* as the Host field says it: without the port that is usual */
    char target[URL_MOST]; /* path and query, at least "/" */
};

/* Take an "http://host[:port][/path][?query]" apart. False: it is none. */
bool url_parse(struct url *ret, const char *text);
