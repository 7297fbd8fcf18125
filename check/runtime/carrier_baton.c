/* SPDX-License-Identifier: MIT */
/* carrier_baton.c - a kernel thread each, of which one has the baton.
 *
 * For debuggers, which show kernel threads. Stacks and thread-control blocks are the same as those
 * of fibers, so the same plan gives the same execution; only what goes on is another kernel thread,
 * made by clone() on the stack and with the thread pointer that a fiber would have.
 *
 *   B1  exactly one has the turn; the others sleep on their own futex
 *
 * Checked by: tests/check/runtime.py */
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check/runtime/arena.h"
#include "check/runtime/carrier_inside.h"
#include "check/runtime/crash.h"
#include "check/runtime/fail.h"
#include "check/runtime/next.h"

enum { ROOM_BYTES = 512 }; /* of clone() itself, above the body's frames */

static int body_of_kernel_thread(void *arg)
{
    ck_crash_stack_begin();
    ck_carrier_enter(arg);
}

static void start(struct ck_carrier *carrier)
{
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                CLONE_SETTLS;
    uintptr_t top = (carrier->stack_high - ROOM_BYTES) & ~(uintptr_t)15;

    if (clone(body_of_kernel_thread, (void *)top, flags, carrier, NULL, carrier->thread_pointer,
              NULL) < 0)
        ck_unable("no kernel thread for a thread");
}

void ck_baton_switch(struct ck_carrier *from, struct ck_carrier *to)
{
    if (to->context) {
        to->context = NULL; /* it has a kernel thread from now on */
        start(to);
    } else {
        __atomic_store_n(&to->turn, 1, __ATOMIC_RELEASE);
        CK_NEXT(syscall)(SYS_futex, &to->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
    while (!__atomic_load_n(&from->turn, __ATOMIC_ACQUIRE))
        CK_NEXT(syscall)(SYS_futex, &from->turn, FUTEX_WAIT, 0, NULL, NULL, 0);
    __atomic_store_n(&from->turn, 0, __ATOMIC_RELAXED);
}
