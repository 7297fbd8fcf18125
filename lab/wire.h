/* SPDX-License-Identifier: MIT */
/* wire.h - how a probe's process reports to who has started it. */
#pragma once

#include <limits.h>

#include "lab/report.h"

/* Written whole or not at all, as it is no longer than a pipe promises. */
struct lab_record {
    enum { LAB_FIGURE, LAB_MISSING, LAB_FAILED } kind;
    union {
        struct lab_figure figure;
        char why_not[LAB_WHY];
    };
};
_Static_assert(sizeof(struct lab_record) <= PIPE_BUF, "a record may be torn");

struct lab_bench {
    int fd; /* records go there */
    bool is_quick;
    char note[LAB_NOTE]; /* of the next figure */
};

/** Say why the probe has failed. @return 0; -errno when nobody listens any more */
int lab_fail(struct lab_bench *b, const char *why);

void lab_bench_init(struct lab_bench *b, int fd, bool is_quick);
