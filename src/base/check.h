/* SPDX-License-Identifier: MIT */
/* check.h - assertions in three tiers, the panic they end in, and the few macros every file needs.
 *
 *   RV_CHECK       always compiled in: a broken promise of the caller that would corrupt memory.
 *   RV_DCHECK      RVI_DEBUG_CHECKS >= 1: a broken invariant of our own, cheap to test.
 *   RV_DCHECK_SLOW RVI_DEBUG_CHECKS >= 2: walks a whole structure (the *_is_valid functions), which
 *                  turns every stress run into an invariant test.
 * A tier that is off still compiles its condition, unevaluated, so that it cannot rot. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef RVI_DEBUG_CHECKS
#define RVI_DEBUG_CHECKS 0
#endif

/* 1 in a ThreadSanitizer build of either compiler. Given from outside where the compiler's
 * instrumentation serves another runtime: models, under the checker. */
#if defined(RVI_TSAN)
#elif defined(__SANITIZE_THREAD__)
#define RVI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RVI_TSAN 1
#endif
#endif
#ifndef RVI_TSAN
#define RVI_TSAN 0
#endif

/* The unit of false sharing. Some parts prefetch lines in pairs; 128 would double all padding. */
#define RVI_CACHE_LINE 64

#define rvi_likely(cond) __builtin_expect(!!(cond), 1)
#define rvi_unlikely(cond) __builtin_expect(!!(cond), 0)

/* For hot paths that are to be one function each, without frames of their own in between, whatever
 * the compiler thinks of their size. */
#define RVI_INLINE __attribute__((always_inline)) static inline

/* Let a line that will be written come nearer. Any address will do, valid or not. */
#define rvi_prefetch(address, offset_bytes)                                                        \
    __builtin_prefetch((const void *)((uintptr_t)(address) + (offset_bytes)), 1)

/* The structure of which `ptr` is the member. The conditional never yields its second operand: it
 * makes the compiler compare the type of `ptr` with the member's. */
#define rvi_container_of(ptr, type, member)                                                        \
    ((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

/** Report a state that cannot be survived and abort the process.
 *
 * Writes one line, "ravel: " and the message, to standard error in one write(2), so that lines of
 * several threads do not mix. Messages longer than 500 bytes are cut.
 *
 * Errors:  does not return
 * Blocks:  as long as standard error does
 * Threads: any; formats on the stack, takes no lock and allocates nothing
 * Lifetime: the arguments, until the process ends */
__attribute__((noreturn, cold, format(printf, 1, 2))) void rvi_panic(const char *format, ...);

#define RV_CHECK(cond)                                                                             \
    (rvi_likely(cond) ? (void)0 : rvi_panic("%s:%d: check failed: %s", __FILE__, __LINE__, #cond))

#define RVI_CHECK_OFF(cond) ((void)(false && (cond)))

#if RVI_DEBUG_CHECKS >= 1
#define RV_DCHECK(cond) RV_CHECK(cond)
#else
#define RV_DCHECK(cond) RVI_CHECK_OFF(cond)
#endif

#if RVI_DEBUG_CHECKS >= 2
#define RV_DCHECK_SLOW(cond) RV_CHECK(cond)
#else
#define RV_DCHECK_SLOW(cond) RVI_CHECK_OFF(cond)
#endif
