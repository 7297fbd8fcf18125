/* SPDX-License-Identifier: MIT */
/* tasks.h - a benchmark's operations, shared out among tasks. */
#pragma once

#include "bench.h"

#include <ravel.h>

/* Each task is given a `long`: how many operations are its own. */
static inline void bench_share_out(rv_fn *fn, long tasks, long ops)
{
    long each = ops / tasks;
    rv_scope *s;

    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < tasks; i++)
        bench_must(rv_go(s, fn, &each), "rv_go");
    bench_must(rv_scope_close(s), "a task");
}
