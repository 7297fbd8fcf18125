/* SPDX-License-Identifier: MIT */
/* usdt.h - places where other programs may look in: static probes of the user space, as SystemTap
 * defined them and perf, bpftrace, bcc and gdb know them.
 *
 *     RVI_USDT(task_park, task->id, why);
 *
 * is one instruction that does nothing, and a note in the library's .note.stapsdt that says where
 * it stands, what it is called, and in which register or memory each argument is. Whoever looks
 * puts a breakpoint there; until then nothing is computed or tested for it. So an argument is
 * something that is at hand: a variable, or one load.
 *
 * Without the option `usdt`, or <sys/sdt.h>, there is nothing. ravel-usdt(7) lists all of them:
 * tests/usdt/test_usdt.py holds that list against the library. */
#pragma once

#ifdef RVI_HAVE_USDT

#include <sys/sdt.h>

#define RVI_USDT_COUNT(a1, a2, a3, a4, count, ...) count
#define RVI_USDT_NAME(count) STAP_PROBE##count
#define RVI_USDT_OF(count) RVI_USDT_NAME(count)

/** One to four arguments, integers or pointers. */
#define RVI_USDT(name, ...)                                                                        \
    RVI_USDT_OF(RVI_USDT_COUNT(__VA_ARGS__, 4, 3, 2, 1, 0))(ravel, name, __VA_ARGS__)

#else

#define RVI_USDT(name, ...) ((void)0)

#endif
