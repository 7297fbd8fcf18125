/* SPDX-License-Identifier: MIT */
/* report.h - what becomes of the URLs, told while it happens and summed up in the end. */
#pragma once

#include "fetch.h"

/* One thing that has happened to one URL. */
struct news {
    enum { NEWS_RETRY, NEWS_DONE } kind;
    char *url;              /* NEWS_DONE: the report's to free */
    struct fetched fetched; /* in the last attempt */
    int err;                /* -errno of the last attempt */
    unsigned attempts;
};

struct report {
    rv_chan *news;
    bool progress; /* show it, on a terminal */
    rv_time begin, shown;
    uint64_t fetched, failed, retries, bytes;
    char *first_failure; /* NULL: none */
    int err;             /* of standard output */
};

/* Whether an attempt has brought what was asked for. */
bool report_is_success(const struct news *n);

/* A task: take the news until their channel is closed. */
int report_run(void *report);

/* Say in one line what has come of it all, and free what the report keeps. */
void report_end(struct report *r);
