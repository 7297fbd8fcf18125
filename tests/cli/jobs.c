/* SPDX-License-Identifier: MIT */
/* jobs.c - a program with jobs of known kinds, for `ravel advise`. Its main() is never to be
 * run. */
#include <signal.h>
#include <stdio.h>

#include <ravel.h>

struct length {
    int us;
};

static int compute(const struct length *in, struct length *out)
{
    unsigned x = 1;

    for (int i = 0; i < in->us * 100; i++)
        x = x * 1103515245u + 12345u;
    out->us = (int)(x >> 31);
    return 0;
}
RV_JOB(compute, struct length, struct length);

static int wait_only(const struct length *in, struct length *out)
{
    *out = *in;
    return rv_sleep(in->us * RV_MICROSECOND);
}
RV_JOB(wait_only, struct length, struct length);

static int tiny(const struct length *in, struct length *out)
{
    *out = *in;
    return 0;
}
RV_JOB(tiny, struct length, struct length);

static int crash(const struct length *in, struct length *out)
{
    (void)in, (void)out;
    raise(SIGKILL);
    return 0;
}
RV_JOB(crash, struct length, struct length);

static int fail(const struct length *in, struct length *out)
{
    (void)in, (void)out;
    return -34; /* -ERANGE */
}
RV_JOB(fail, struct length, struct length);

int main(void)
{
    puts("main() was run");
    return 3;
}
