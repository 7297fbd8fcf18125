/* SPDX-License-Identifier: MIT */
/* atomic.h - the atomics shim: the memory order is part of every call's name.
 *
 * The operations are macros over <stdatomic.h>, so they take any _Atomic(T) object, pointers
 * included (the arithmetic ones: integers only). A compare-and-swap is the strong one; its order on
 * failure is the strongest that C17 allows beside the one in its name.
 *
 * At the place of use each access that is not relaxed names its partner, as `pairs:` and a label;
 * a label that occurs once is an error (tools/check_pairs.py).
 *
 * ThreadSanitizer does not model atomic_thread_fence. In its builds a fence is a sequentially
 * consistent read-modify-write of one word, the same word for the whole program: of two fences one
 * reads what the other wrote and so synchronises with it, hence whatever was written before the
 * first is seen after the second. That is all that a fence is used for here (store, fence, load
 * against the same on the other side; and fences that upgrade relaxed accesses). A word per file
 * would not do: two fences from different files would not meet.
 *
 * Rejected: plain <stdatomic.h> at the place of use, whose short forms are silently sequentially
 * consistent; and functions, which would need one copy a type. The shim is also the seam where a
 * simulation sees what others may notice (base/seam.h). */
#pragma once

#include "base/check.h"
#include "base/seam.h"

#include <stdatomic.h>

/* An access at which a simulation may let another thread go first. */
#define RVI_ACCESS(access) (RVI_POINT_DEBUG(RVI_POINT_ATOMIC), access)
#if RVI_DEBUG_CHECKS >= 2
#define RVI_FINE_ACCESS(access) RVI_ACCESS(access)
#else
#define RVI_FINE_ACCESS(access) access
#endif

/* Loads: rvi_load_ORDER(const volatile _Atomic(T) *object) -> T */
#define rvi_load_relaxed(object) atomic_load_explicit((object), memory_order_relaxed)
#define rvi_load_acquire(object) RVI_ACCESS(atomic_load_explicit((object), memory_order_acquire))
#define rvi_load_seq_cst(object) RVI_ACCESS(atomic_load_explicit((object), memory_order_seq_cst))

/* Stores: rvi_store_ORDER(_Atomic(T) *object, T value) */
#define rvi_store_relaxed(object, value)                                                           \
    RVI_FINE_ACCESS(atomic_store_explicit((object), (value), memory_order_relaxed))
#define rvi_store_release(object, value)                                                           \
    RVI_ACCESS(atomic_store_explicit((object), (value), memory_order_release))
#define rvi_store_seq_cst(object, value)                                                           \
    RVI_ACCESS(atomic_store_explicit((object), (value), memory_order_seq_cst))

/* Exchanges: rvi_exchange_ORDER(_Atomic(T) *object, T value) -> the value before */
#define rvi_exchange_relaxed(object, value)                                                        \
    RVI_ACCESS(atomic_exchange_explicit((object), (value), memory_order_relaxed))
#define rvi_exchange_acquire(object, value)                                                        \
    RVI_ACCESS(atomic_exchange_explicit((object), (value), memory_order_acquire))
#define rvi_exchange_release(object, value)                                                        \
    RVI_ACCESS(atomic_exchange_explicit((object), (value), memory_order_release))
#define rvi_exchange_acq_rel(object, value)                                                        \
    RVI_ACCESS(atomic_exchange_explicit((object), (value), memory_order_acq_rel))
#define rvi_exchange_seq_cst(object, value)                                                        \
    RVI_ACCESS(atomic_exchange_explicit((object), (value), memory_order_seq_cst))

/* Compare and swap: rvi_cas_ORDER(_Atomic(T) *object, T *expected, T desired) -> bool.
 * When it fails, *expected is the value found. */
#define rvi_cas_relaxed(object, expected, desired)                                                 \
    RVI_ACCESS(atomic_compare_exchange_strong_explicit(                                            \
        (object), (expected), (desired), memory_order_relaxed, memory_order_relaxed))
#define rvi_cas_acquire(object, expected, desired)                                                 \
    RVI_ACCESS(atomic_compare_exchange_strong_explicit(                                            \
        (object), (expected), (desired), memory_order_acquire, memory_order_acquire))
#define rvi_cas_release(object, expected, desired)                                                 \
    RVI_ACCESS(atomic_compare_exchange_strong_explicit(                                            \
        (object), (expected), (desired), memory_order_release, memory_order_relaxed))
#define rvi_cas_acq_rel(object, expected, desired)                                                 \
    RVI_ACCESS(atomic_compare_exchange_strong_explicit(                                            \
        (object), (expected), (desired), memory_order_acq_rel, memory_order_acquire))
#define rvi_cas_seq_cst(object, expected, desired)                                                 \
    RVI_ACCESS(atomic_compare_exchange_strong_explicit(                                            \
        (object), (expected), (desired), memory_order_seq_cst, memory_order_seq_cst))

/* Arithmetic: rvi_fetch_OP_ORDER(_Atomic(integer) *object, integer operand) -> the value before */
#define rvi_fetch_add_relaxed(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_add_explicit((object), (operand), memory_order_relaxed))
#define rvi_fetch_add_release(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_add_explicit((object), (operand), memory_order_release))
#define rvi_fetch_add_acq_rel(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_add_explicit((object), (operand), memory_order_acq_rel))
#define rvi_fetch_add_seq_cst(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_add_explicit((object), (operand), memory_order_seq_cst))

#define rvi_fetch_sub_relaxed(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_sub_explicit((object), (operand), memory_order_relaxed))
#define rvi_fetch_sub_release(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_sub_explicit((object), (operand), memory_order_release))
#define rvi_fetch_sub_acq_rel(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_sub_explicit((object), (operand), memory_order_acq_rel))
#define rvi_fetch_sub_seq_cst(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_sub_explicit((object), (operand), memory_order_seq_cst))
#define rvi_fetch_or_seq_cst(object, operand)                                                      \
    RVI_ACCESS(atomic_fetch_or_explicit((object), (operand), memory_order_seq_cst))
#define rvi_fetch_and_seq_cst(object, operand)                                                     \
    RVI_ACCESS(atomic_fetch_and_explicit((object), (operand), memory_order_seq_cst))

/* Fences. The word that stands in for them under ThreadSanitizer is in atomic.c. */
#if RVI_TSAN
extern _Atomic(unsigned) rvi_fence_word;
#define rvi_fence_acquire() ((void)rvi_fetch_add_seq_cst(&rvi_fence_word, 0U))
#define rvi_fence_release() ((void)rvi_fetch_add_seq_cst(&rvi_fence_word, 0U))
#define rvi_fence_seq_cst() ((void)rvi_fetch_add_seq_cst(&rvi_fence_word, 0U))
#else
#define rvi_fence_acquire() atomic_thread_fence(memory_order_acquire)
#define rvi_fence_release() atomic_thread_fence(memory_order_release)
#define rvi_fence_seq_cst() atomic_thread_fence(memory_order_seq_cst)
#endif

/* Orders this thread against its own signal handlers, and against a heavy fence elsewhere. */
#define rvi_compiler_barrier() atomic_signal_fence(memory_order_seq_cst)
