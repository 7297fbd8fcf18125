/* SPDX-License-Identifier: MIT */
/* fiber_hooks.h - the one place that tells AddressSanitizer, ThreadSanitizer and valgrind about
 * stacks and switches, and the switch that does so. Everything here compiles to nothing but the
 * switch itself in a plain build.
 *
 * Protocol of a switch:
 *
 *     from:  before_switch(from, to); rvi_ctx_switch(); after_switch(from)   [once switched back]
 *     to:    its own pending after_switch(to), or, at the first entry, rvi_stack_entered(to)
 *
 * An entry function therefore starts with rvi_stack_entered() and ends with
 * rvi_stack_switch_final(). */
#pragma once

#include <stddef.h>

#include "base/check.h"
#include "sys/ctx.h"
#include "sys/stack.h"

#if RVI_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if RVI_TSAN
#include <sanitizer/tsan_interface.h>
#include <time.h>
#endif
#ifdef RVI_HAVE_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* A descriptor's low and high are set; nothing runs on the stack. */
static inline void rvi_hooks_stack_created(struct rvi_stack *stack)
{
#ifdef RVI_HAVE_VALGRIND
    if (RUNNING_ON_VALGRIND)
        stack->valgrind_id = VALGRIND_STACK_REGISTER(stack->low, stack->high - 1);
#endif
#if RVI_TSAN
    stack->tsan_fiber = __tsan_create_fiber(0);
#endif
    (void)stack;
}

static inline void rvi_hooks_stack_destroyed(struct rvi_stack *stack)
{
#ifdef RVI_HAVE_VALGRIND
    if (stack->valgrind_id)
        VALGRIND_STACK_DEREGISTER(stack->valgrind_id);
#endif
#if RVI_TSAN
    __tsan_destroy_fiber(stack->tsan_fiber);
#endif
#if RVI_ASAN
    __asan_unpoison_memory_region(stack->low, (size_t)(stack->high - stack->low));
#endif
    (void)stack;
}

/* The last fiber left without unwinding: its frames' red zones are still poisoned. */
static inline void rvi_hooks_stack_reused(struct rvi_stack *stack)
{
#ifdef RVI_HAVE_VALGRIND
    if (stack->valgrind_id)
        VALGRIND_MAKE_MEM_UNDEFINED(stack->low, stack->high - stack->low);
#endif
#if RVI_ASAN
    __asan_unpoison_memory_region(stack->low, (size_t)(stack->high - stack->low));
    stack->asan_fake = NULL;
#endif
    (void)stack;
}

/* Somebody looks at bytes below the stack pointer, which memcheck takes for nobody's. */
static inline void rvi_hooks_stack_inspected(const struct rvi_stack *stack)
{
#ifdef RVI_HAVE_VALGRIND
    if (stack->valgrind_id)
        VALGRIND_MAKE_MEM_DEFINED(stack->low, stack->high - stack->low);
#endif
    (void)stack;
}

/* A word that may be no longer or never anybody's was read, and will be judged. */
static inline void rvi_hooks_word_read(uintptr_t *word)
{
#ifdef RVI_HAVE_VALGRIND
    VALGRIND_MAKE_MEM_DEFINED(word, sizeof *word);
#endif
    (void)word;
}

static inline void rvi_hooks_thread_adopted(struct rvi_stack *stack)
{
#if RVI_TSAN
    stack->tsan_fiber = __tsan_get_current_fiber();
#endif
    (void)stack;
}

/* from is NULL when the running fiber will never run again: its fake frames are freed.
 * Always inlined: as a function of its own it would be entered on one of ThreadSanitizer's call
 * stacks and left on the other, which underflows in the end.
 * And it keeps a signal that has come with the fiber that ran then, until that calls the C library
 * or makes an atomic access: which is done here, for this fiber may not run again soon. */
RVI_INLINE void rvi_hooks_before_switch(struct rvi_stack *from, struct rvi_stack *to)
{
#if RVI_ASAN
    __sanitizer_start_switch_fiber(from ? &from->asan_fake : NULL, to->low,
                                   (size_t)(to->high - to->low));
#endif
#if RVI_TSAN
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    __tsan_switch_to_fiber(to->tsan_fiber, 0);
#endif
    (void)from;
    (void)to;
}

/* self is running again. */
static inline void rvi_hooks_after_switch(struct rvi_stack *self)
{
#if RVI_ASAN
    __sanitizer_finish_switch_fiber(self->asan_fake, NULL, NULL);
#endif
    (void)self;
}

/* Leave `from`, whose context goes to *save, and continue `to`, which was left with the context
 * to_ctx; returns what the switch back passes. Only tools look at the stacks' descriptors. */
RVI_INLINE void *rvi_stack_switch_ctx(struct rvi_stack *from, void **save, struct rvi_stack *to,
                                      void *to_ctx, void *pass)
{
    rvi_hooks_before_switch(from, to);
    void *back = rvi_ctx_switch(save, to_ctx, pass);
    rvi_hooks_after_switch(from);
    return back;
}

/* The same for whoever keeps the contexts in the descriptors. */
RVI_INLINE void *rvi_stack_switch(struct rvi_stack *from, struct rvi_stack *to, void *pass)
{
    return rvi_stack_switch_ctx(from, &from->ctx, to, to->ctx, pass);
}

/* The switch between threads of a simulation, each of which may be on any stack just now: its own
 * or that of a fiber. `from` and `to` are contexts that the threads keep: what is known of a stack
 * for as long as it is left. The stack's own descriptor is untouched.
 *
 * First thing on the side that was switched to, `left` being what was passed. */
static inline void rvi_context_entered(struct rvi_stack *self, struct rvi_stack *left)
{
#if RVI_ASAN
    const void *low;
    size_t bytes;
    __sanitizer_finish_switch_fiber(self->asan_fake, &low, &bytes);
    left->low = (char *)(uintptr_t)low;
    left->high = left->low + bytes;
#endif
    (void)self;
    (void)left;
}

RVI_INLINE void rvi_context_switch(struct rvi_stack *from, struct rvi_stack *to)
{
#if RVI_TSAN
    from->tsan_fiber = __tsan_get_current_fiber();
#endif
    rvi_hooks_before_switch(from, to);
    struct rvi_stack *left = rvi_ctx_switch(&from->ctx, to->ctx, from);
    rvi_context_entered(from, left);
}

/* First statement of an entry function. */
static inline void rvi_stack_entered(struct rvi_stack *self)
{
    rvi_hooks_after_switch(self);
}

/* Last statement of an entry function: its stack may be reused once `to` runs. */
__attribute__((noreturn, always_inline)) static inline void rvi_stack_switch_final_ctx(
    struct rvi_stack *to, void *to_ctx, void *pass)
{
    rvi_hooks_before_switch(NULL, to);
    rvi_ctx_jump(to_ctx, pass);
}

__attribute__((noreturn, always_inline)) static inline void rvi_stack_switch_final(
    struct rvi_stack *to, void *pass)
{
    rvi_stack_switch_final_ctx(to, to->ctx, pass);
}
