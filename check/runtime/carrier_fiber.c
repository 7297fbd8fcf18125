/* SPDX-License-Identifier: MIT */
/* carrier_fiber.c - all bodies on one kernel thread, which puts on the thread pointer of whoever
 * runs.
 *
 * On x86-64 the thread pointer is the FS base. Programs may write it where the kernel says so
 * (FSGSBASE, Linux 5.9); elsewhere a system call does. On aarch64 any program may.
 *
 * Between the thread pointer's change and the jump nothing may touch a thread-local: this file is
 * compiled without stack protectors, whose secret is one (the same in all threads, but still).
 *
 * Checked by: tests/check/runtime.py */
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check/runtime/carrier_inside.h"
#include "check/runtime/next.h"
#include "sys/ctx.h"

#if defined(__x86_64__)

#include <asm/prctl.h>

enum { HAS_FSGSBASE = 2 };

static int way; /* 0: not known, 1: the instruction, 2: the system call */

uintptr_t ck_thread_pointer(void)
{
    uintptr_t value;

    __asm__ volatile("movq %%fs:0, %0" : "=r"(value)); /* the ABI: it points to itself */
    return value;
}

void ck_thread_pointer_set(uintptr_t value)
{
    if (rvi_unlikely(way == 0))
        way = getauxval(AT_HWCAP2) & HAS_FSGSBASE ? 1 : 2;
    if (rvi_likely(way == 1))
        __asm__ volatile("wrfsbase %0" : : "r"(value) : "memory");
    else
        CK_NEXT(syscall)(SYS_arch_prctl, ARCH_SET_FS, value);
}

#else

uintptr_t ck_thread_pointer(void)
{
    return (uintptr_t)__builtin_thread_pointer();
}

void ck_thread_pointer_set(uintptr_t value)
{
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(value) : "memory");
}

#endif

void ck_fiber_prepare(struct ck_carrier *carrier)
{
    carrier->context = rvi_ctx_make((void *)carrier->stack_high, ck_carrier_enter);
}

void ck_fiber_switch(struct ck_carrier *from, struct ck_carrier *to)
{
    ck_thread_pointer_set(to->thread_pointer);
    rvi_ctx_switch(&from->context, to->context, to);
}

void ck_fiber_begin(struct ck_carrier *main)
{
    void *context = main->context;

    main->context = NULL; /* it runs */
    rvi_ctx_jump(context, main);
}
