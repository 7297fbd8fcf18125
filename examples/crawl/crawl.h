/* SPDX-License-Identifier: MIT */
/* crawl.h - a list of URLs fetched, several at a time. */
#pragma once

#include "report.h"

/* How it is done. */
struct plan {
    const char *list;   /* a file, one URL a line; "-": standard input */
    size_t jobs;        /* fetches at a time */
    unsigned retries;   /* of each URL, after the first attempt */
    rv_time timeout_ns; /* of one attempt */
    rv_time backoff_ns; /* before the first retry, at most; doubled for each further one */
};

/* Fetch them all. 0 whatever became of each, or why it could not be done. */
int crawl(const struct plan *plan, struct report *report);
