/* SPDX-License-Identifier: MIT */
/* next.c - finding libc's own functions behind ours.
 *
 * Condition variables have two sets of functions in an old x86-64 libc, and an unversioned question
 * is answered with the older: so the newer version is asked for by name first. On processors that
 * came later nobody knows that version, and the plain question is right.
 *
 * Checked by: tests/check */
#include "check/runtime/next.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern struct ck_next __start_ck_next[] __attribute__((visibility("hidden")));
extern struct ck_next __stop_ck_next[] __attribute__((visibility("hidden")));

static void *look_up(const char *name)
{
    void *function = NULL;

    if (strncmp(name, "pthread_cond_", strlen("pthread_cond_")) == 0)
        function = dlvsym(RTLD_NEXT, name, "GLIBC_2.3.2");
    return function ? function : dlsym(RTLD_NEXT, name);
}

void *ck_next_find(struct ck_next *slot)
{
    slot->function = look_up(slot->name);
    if (!slot->function) {
        static const char said[] = "libravel_check: this C library lacks ";

        (void)!write(STDERR_FILENO, said, sizeof said - 1);
        (void)!write(STDERR_FILENO, slot->name, strlen(slot->name));
        (void)!write(STDERR_FILENO, "\n", 1);
        _exit(127);
    }
    return slot->function;
}

/* Optional ones (C++'s run time may be absent) stay empty. */
void ck_next_find_all(void)
{
    for (struct ck_next *slot = __start_ck_next; slot < __stop_ck_next; slot++) {
        if (!slot->function)
            slot->function = look_up(slot->name);
    }
}
