/* SPDX-License-Identifier: MIT */
/* under_tool.h - whether a tool watches that needs address space, time or signals of its own. */
#pragma once

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "sys/stack.h"

#ifdef RVI_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

static inline bool is_under_valgrind(void)
{
#ifdef RVI_HAVE_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* qemu's user mode answers for /proc/self, not for /proc/thread-self: there it is the program. It
 * is many times slower, adds a line when a signal kills, has no limit on address space (RLIMIT_AS
 * is its own) and runs no gdb inside. */
static inline bool is_under_qemu(void)
{
    char path[256] = "";
    ssize_t length = readlink("/proc/thread-self/exe", path, sizeof(path) - 1);
    const char *name = length > 0 ? strrchr(path, '/') : NULL;
    return name != NULL && strncmp(name, "/qemu-", 6) == 0;
}

/* What a child said, without the line that is qemu's. */
static inline void drop_qemu_line(char *text)
{
    char *line = is_under_qemu() ? strstr(text, "qemu: uncaught target signal") : NULL;
    if (line != NULL)
        *line = '\0';
}

static inline bool is_under_a_tool(void)
{
    return RVI_ASAN || RVI_TSAN || is_under_valgrind() || is_under_qemu();
}
