/* SPDX-License-Identifier: MIT */
/* web.h - libcurl, which knows nothing of Ravel, called from tasks: each waits for its own transfer
 * alone, however many there are at a time. */
#pragma once

#include <curl/curl.h>
#include <ravel.h>

struct web;

/* What became of a transfer. */
struct web_reply {
    long status; /* of the last answer; 0: none came */
    long long bytes;
    char why[CURL_ERROR_SIZE]; /* it failed, in libcurl's words; or "" */
};

/* Open it in the calling task, on whose worker libcurl is going to live, with a scope that is open
 * until web_close(): should libcurl fail, all that the task does inside is cancelled. */
int web_open(struct web **ret);

/* Close it, when no transfer is left. Returns 0, or why it had failed. */
int web_close(struct web *web);

/* Fetch a URL into a descriptor. The calling task moves to libcurl's worker, so it must have no
 * scope open, unless it is there already.
 *
 * Returns 0, or -errno: *reply is filled in either way. */
int web_get(struct web *web, const char *url, int to, struct web_reply *reply, rv_time deadline);
