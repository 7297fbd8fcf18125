/* SPDX-License-Identifier: MIT */
/* ticks.c - which clock there is for notes, and the way from its ticks to nanoseconds.
 *
 * Who reads notes takes a mark before the first and one after the last, and everything between
 * lies on the line through both: no frequency has to be known, and the error inside is that of a
 * mark, some 20 ns, however long it takes. Where the marks are taken by another process than the
 * notes, both must have the same clock: the reader chooses, and the writer may fall back to
 * nanoseconds, and says so (trace/shared.c).
 *
 * Rejected: asking the processor for the frequency, which in virtual machines it often does not
 * tell, and for which Linux has no file; measuring it before the first note, which takes a
 * millisecond for each part in 10^5; CPUID's "invariant TSC", which does not say that the counters
 * of two sockets agree.
 *
 * Checked by: tests/unit/sys/test_ticks.c */
#include "sys/ticks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/seam.h"
#include "sys/call.h"
#include "sys/fd.h"

#define SOURCE_PATH "/sys/devices/system/clocksource/clocksource0/current_clocksource"

#if defined(__x86_64__)
#define COUNTER "tsc\n"
#elif defined(__aarch64__)
#define COUNTER "arch_sys_counter\n"
#endif

enum { TRIES = 8 };

static bool kernel_goes_by_counter(void)
{
    char name[32];
    int fd = RVI_CALL(OPEN_CLOCK_SOURCE, open(SOURCE_PATH, O_RDONLY | O_CLOEXEC));

    if (fd < 0)
        return false;
    ssize_t n = RVI_CALL(READ_CLOCK_SOURCE, read(fd, name, sizeof name - 1));
    rvi_fd_close(fd);
    name[n > 0 ? n : 0] = '\0';
    return strcmp(name, COUNTER) == 0;
}

/* A thread may have been forbidden to read it. Kernels that do not know the question allow it. */
static bool may_read_counter(void)
{
    int mode = 0;

    if (RVI_CALL(ASK_COUNTER, prctl(PR_GET_TSC, &mode, 0, 0, 0)) < 0)
        return errno == EINVAL;
    return mode == PR_TSC_ENABLE;
}

enum rvi_ticks_clock rvi_ticks_clock(void)
{
    return !rvi_seam && kernel_goes_by_counter() && may_read_counter() ? RVI_TICKS_COUNTER
                                                                       : RVI_TICKS_NS;
}

/* Of several tries the one that was interrupted least. */
struct rvi_ticks_mark rvi_ticks_mark(enum rvi_ticks_clock clock)
{
    struct rvi_ticks_mark best = {0};
    uint64_t least = UINT64_MAX;

    if (clock == RVI_TICKS_NS) {
        best.ns = rvi_clock_now();
        best.ticks = (uint64_t)best.ns;
        return best;
    }
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = rvi_ticks(clock);
        int64_t ns = rvi_clock_now();
        uint64_t took = rvi_ticks(clock) - before;
        if (took < least) {
            least = took;
            best = (struct rvi_ticks_mark){before + took / 2, ns};
        }
    }
    return best;
}

/* A double has 53 bits: to the nanosecond for a month of 3 GHz. Its product never goes back. */
int64_t rvi_ticks_ns(uint64_t ticks, const struct rvi_ticks_mark *a, const struct rvi_ticks_mark *b)
{
    double span = (double)(int64_t)(b->ticks - a->ticks);
    double rate = span > 0 ? (double)(b->ns - a->ns) / span : 1;

    return a->ns + (int64_t)((double)(int64_t)(ticks - a->ticks) * rate);
}
