/* SPDX-License-Identifier: MIT */
/* keys.c - thread-specific data, and C++ destructors of thread-locals.
 *
 * Keys are ours from the program's first constructor on, since a value has to be the thread's
 * that runs, and destructors have to run under control. A key is deleted by making its age odd:
 * values of another age are none (as in libc).
 *
 * Checked by: tests/check/runtime.py */
#include <errno.h>
#include <limits.h>

#include "check/runtime/arena.h"
#include "check/runtime/entry.h"
#include "check/runtime/next.h"
#include "check/runtime/posix.h"

struct key {
    uint64_t age; /* odd: in use */
    void (*destroy)(void *);
};

struct ck_at_thread_exit {
    struct ck_at_thread_exit *next;
    void (*destroy)(void *);
    void *object;
};

static struct key keys[CK_KEYS_MOST];
static unsigned keys_ever; /* numbers below were in use once */

static bool is_key(pthread_key_t key)
{
    return key < keys_ever && keys[key].age % 2 == 1;
}

CK_EXPORT int pthread_key_create(pthread_key_t *ret, void (*destroy)(void *))
{
    if (!ck_attach())
        return CK_NEXT(pthread_key_create)(ret, destroy);
    for (pthread_key_t key = 0; key < CK_KEYS_MOST; key++) {
        if (keys[key].age % 2 == 1)
            continue;
        keys[key].age++;
        keys[key].destroy = destroy;
        keys_ever = key >= keys_ever ? key + 1 : keys_ever;
        *ret = key;
        return 0;
    }
    return EAGAIN;
}

CK_EXPORT int pthread_key_delete(pthread_key_t key)
{
    if (!ck_attach())
        return CK_NEXT(pthread_key_delete)(key);
    if (!is_key(key))
        return EINVAL;
    keys[key].age++;
    return 0;
}

CK_EXPORT void *pthread_getspecific(pthread_key_t key)
{
    if (!ck_attach())
        return CK_NEXT(pthread_getspecific)(key);
    const struct ck_posix *posix = ck_posix_self();
    if (!is_key(key) || !posix->values || posix->value_ages[key] != keys[key].age)
        return NULL;
    return (void *)(uintptr_t)posix->values[key];
}

CK_EXPORT int pthread_setspecific(pthread_key_t key, const void *value)
{
    if (!ck_attach())
        return CK_NEXT(pthread_setspecific)(key, value);
    struct ck_posix *posix = ck_posix_self();
    if (!is_key(key))
        return EINVAL;
    if (!posix->values) {
        posix->values = ck_alloc(CK_KEYS_MOST * sizeof *posix->values);
        posix->value_ages = ck_alloc(CK_KEYS_MOST * sizeof *posix->value_ages);
    }
    posix->values[key] = value;
    posix->value_ages[key] = keys[key].age;
    return 0;
}

/* One round; true: something was left to do. */
static bool destroy_values(struct ck_posix *posix)
{
    bool had = false;

    for (pthread_key_t key = 0; posix->values && key < keys_ever; key++) {
        const void *value = posix->values[key];
        if (!value || !is_key(key) || posix->value_ages[key] != keys[key].age)
            continue;
        posix->values[key] = NULL;
        if (!keys[key].destroy)
            continue;
        had = true;
        keys[key].destroy((void *)(uintptr_t)value);
    }
    return had;
}

static void destroy_objects(struct ck_posix *posix)
{
    struct ck_at_thread_exit *one;

    while ((one = posix->at_exit)) {
        posix->at_exit = one->next;
        one->destroy(one->object);
        ck_free(one, sizeof *one);
    }
}

void ck_keys_run_destructors(void)
{
    struct ck_posix *posix = ck_posix_self();

    destroy_objects(posix);
    for (int round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS && destroy_values(posix); round++)
        destroy_objects(posix);
}

void ck_keys_run_thread_locals(void)
{
    destroy_objects(ck_posix_self());
}

int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);

/* What C++ run times call for a thread_local with a destructor. */
CK_EXPORT int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *module)
{
    if (!ck_attach())
        return CK_NEXT(__cxa_thread_atexit_impl)(destroy, object, module);
    struct ck_posix *posix = ck_posix_self();
    struct ck_at_thread_exit *one = ck_alloc(sizeof *one);
    *one = (struct ck_at_thread_exit){posix->at_exit, destroy, object};
    posix->at_exit = one;
    return 0;
}
