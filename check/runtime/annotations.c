/* SPDX-License-Identifier: MIT */
/* annotations.c - what programs tell ThreadSanitizer by hand (<sanitizer/tsan_interface.h>): they
 * are linked without it, so somebody has to be there.
 *
 * Synchronisation that no instrumentation sees, and locks of the program's own making, order what
 * they say they order. Names, fibers and hints about ignoring are taken note of and nothing else: a
 * program that switches stacks by itself is one thread all the same.
 *
 * Checked by: tests/check/must_pass/told_by_hand.c */
#include <stddef.h>

#include "check/runtime/hb.h"
#include "check/runtime/sched.h"
#include "check/runtime/shadow.h"

CK_EXPORT void __tsan_acquire(void *object);
CK_EXPORT void __tsan_release(void *object);
CK_EXPORT void __tsan_mutex_create(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_destroy(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_pre_lock(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_post_lock(void *mutex, unsigned flags, int recursion);
CK_EXPORT int __tsan_mutex_pre_unlock(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_post_unlock(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_pre_signal(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_post_signal(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_pre_divert(void *mutex, unsigned flags);
CK_EXPORT void __tsan_mutex_post_divert(void *mutex, unsigned flags);
CK_EXPORT void *__tsan_get_current_fiber(void);
CK_EXPORT void *__tsan_create_fiber(unsigned flags);
CK_EXPORT void __tsan_destroy_fiber(void *fiber);
CK_EXPORT void __tsan_switch_to_fiber(void *fiber, unsigned flags);
CK_EXPORT void __tsan_set_fiber_name(void *fiber, const char *name);
CK_EXPORT void __tsan_ignore_thread_begin(void);
CK_EXPORT void __tsan_ignore_thread_end(void);
CK_EXPORT void AnnotateHappensBefore(const char *file, int line, void *object);
CK_EXPORT void AnnotateHappensAfter(const char *file, int line, void *object);

void __tsan_acquire(void *object)
{
    if (!ck_enter())
        return;
    ck_hb_load(ck_shadow_sync_find((uintptr_t)object), true);
    ck_leave();
}

void __tsan_release(void *object)
{
    if (!ck_enter())
        return;
    ck_hb_modify(ck_shadow_sync((uintptr_t)object), false, true);
    ck_leave();
}

void AnnotateHappensBefore(const char *file, int line, void *object)
{
    (void)file, (void)line;
    __tsan_release(object);
}

void AnnotateHappensAfter(const char *file, int line, void *object)
{
    (void)file, (void)line;
    __tsan_acquire(object);
}

/* --- locks --- */

void __tsan_mutex_post_lock(void *mutex, unsigned flags, int recursion)
{
    (void)flags, (void)recursion;
    __tsan_acquire(mutex);
}

int __tsan_mutex_pre_unlock(void *mutex, unsigned flags)
{
    (void)flags;
    __tsan_release(mutex);
    return 0;
}

#define NOTHING(name)                                                                              \
    void name(void *mutex, unsigned flags)                                                         \
    {                                                                                              \
        (void)mutex, (void)flags;                                                                  \
    }

NOTHING(__tsan_mutex_create)
NOTHING(__tsan_mutex_destroy)
NOTHING(__tsan_mutex_pre_lock)
NOTHING(__tsan_mutex_post_unlock)
NOTHING(__tsan_mutex_pre_signal)
NOTHING(__tsan_mutex_post_signal)
NOTHING(__tsan_mutex_pre_divert)
NOTHING(__tsan_mutex_post_divert)

/* --- fibers of the program's own, and what it asks not to look at --- */

NOTHING(__tsan_switch_to_fiber)

void *__tsan_get_current_fiber(void)
{
    return NULL;
}

void *__tsan_create_fiber(unsigned flags)
{
    (void)flags;
    return NULL;
}

void __tsan_destroy_fiber(void *fiber)
{
    (void)fiber;
}

void __tsan_set_fiber_name(void *fiber, const char *name)
{
    (void)fiber, (void)name;
}

void __tsan_ignore_thread_begin(void)
{
}

void __tsan_ignore_thread_end(void)
{
}
