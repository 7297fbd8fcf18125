/* SPDX-License-Identifier: MIT */
/* stress.h - what stress tests on a whole runtime share. A lost wake-up is a hang, which the
 * runner's time limit reports; everything else is checked by RV_CHECK, which works in any task. */
#pragma once

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ravel.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/rng.h"
#include "sys/cpu.h"

/* RAVEL_TEST_SCALE is a percentage. */
static inline size_t scaled(size_t count, size_t least)
{
    const char *text = getenv("RAVEL_TEST_SCALE");
    size_t percent = text ? strtoul(text, NULL, 10) : 100;
    size_t result = count * percent / 100;
    return result < least ? least : result;
}

/* Tasks that may have a stack at one time: ThreadSanitizer knows of 8,000 fibers. */
static inline size_t fibers(size_t count)
{
    return RVI_TSAN && count > 2000 ? 2000 : count;
}

static inline void run_on(unsigned workers, rv_fn *fn, void *arg)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = workers};
    assert_int_equal(rv_run(fn, arg, &opts), 0);
}

/* Lose some time, at most about so many nanoseconds, the thread's own. */
static inline void dawdle(struct rvi_rng *rng, uint64_t most_ns)
{
    rv_time until = rv_now() + (rv_time)rvi_rng_below(rng, most_ns + 1);
    while (rv_now() < until)
        rvi_cpu_relax();
}
