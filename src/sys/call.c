/* SPDX-License-Identifier: MIT */
/* call.c - which system call fails next; the protocol of the countdown is that of base/alloc.c.
 *
 * Checked by: tests/unit/sys/test_call.c, tests/faults */
#include "sys/call.h"

#include <stddef.h>

#include "base/atomic.h"
#include "base/check.h"

#if RVI_DEBUG_CHECKS >= 1

static const struct {
    const char *name;
    bool is_optional;
    int errors[RVI_CALL_VARIANTS]; /* 0 where there are fewer */
} calls[RVI_CALL_COUNT] = {
#define RVI_CALL_ROW(site, optional, ...) {#site, optional, {__VA_ARGS__}},
    RVI_CALLS(RVI_CALL_ROW)
#undef RVI_CALL_ROW
};

static _Atomic(long) countdown = -1;
static _Atomic(int) failed = -1; /* a site, once it has */
static _Atomic(bool) lacking[RVI_CALL_COUNT];
/* Set while nothing is to fail; but a thread that writes what was printed may look at any time. */
static _Atomic(unsigned) variant;
static _Atomic(bool) stays;
static _Atomic(int) wanted = -1; /* the one site that counts; -1: all */

/* Callers that ask again until they succeed would do so for ever. */
static bool is_repeated(enum rvi_call_site call, int error)
{
    return error == EINTR || call == RVI_CALL_WAIT || call == RVI_CALL_BARRIER ||
           call == RVI_CALL_WRITE || call == RVI_CALL_WAIT_EVENTS ||
           call == RVI_CALL_WAIT_NANOSECONDS || call == RVI_CALL_ACCEPT ||
           call == RVI_CALL_ENTER_RING;
}

bool rvi_call_fails(enum rvi_call_site call)
{
    int error = calls[call].errors[rvi_load_relaxed(&variant)];
    bool lasts = rvi_load_relaxed(&stays);
    int only = rvi_load_relaxed(&wanted);
    if (rvi_unlikely(rvi_load_relaxed(&lacking[call]))) {
        errno = calls[call].errors[0];
        return true;
    }
    if (error == 0 || (lasts && is_repeated(call, error)) || (only >= 0 && only != (int)call))
        return false;
    if (!lasts || rvi_load_relaxed(&failed) != (int)call) {
        if (rvi_likely(rvi_load_relaxed(&countdown) <= 0) ||
            rvi_fetch_sub_relaxed(&countdown, 1) != 1)
            return false;
        rvi_store_relaxed(&failed, (int)call);
    }
    errno = error;
    return true;
}

void rvi_call_fail_after(long n, unsigned which, bool lasting)
{
    RV_CHECK(n != 0 && which < RVI_CALL_VARIANTS);
    rvi_store_relaxed(&variant, which);
    rvi_store_relaxed(&stays, lasting);
    rvi_store_relaxed(&failed, -1);
    rvi_store_relaxed(&wanted, -1);
    rvi_store_relaxed(&countdown, n);
}

void rvi_call_fail_at(enum rvi_call_site call)
{
    rvi_call_fail_after(-1, 0, false);
    rvi_store_relaxed(&wanted, (int)call);
    rvi_store_relaxed(&countdown, 1);
}

void rvi_call_lacks(enum rvi_call_site call, bool lacks)
{
    rvi_store_relaxed(&lacking[call], lacks);
}

bool rvi_call_fail_pending(void)
{
    return rvi_load_relaxed(&countdown) > 0;
}

const char *rvi_call_failed(bool *ret_is_optional)
{
    int call = rvi_load_relaxed(&failed);
    if (call < 0)
        return NULL;
    *ret_is_optional = calls[call].is_optional;
    return calls[call].name;
}

#else

void rvi_call_fail_after(long n, unsigned variant, bool stays)
{
    (void)variant;
    (void)stays;
    RV_CHECK(n != 0);
}

void rvi_call_fail_at(enum rvi_call_site call)
{
    (void)call;
}

void rvi_call_lacks(enum rvi_call_site call, bool lacks)
{
    (void)call;
    (void)lacks;
}

bool rvi_call_fail_pending(void)
{
    return true;
}

const char *rvi_call_failed(bool *ret_is_optional)
{
    (void)ret_is_optional;
    return NULL;
}

#endif
