/* SPDX-License-Identifier: MIT */
/* check.c - the panic: the only place in this room that calls the operating system.
 *
 * The line is built in a buffer on the stack and leaves in one write(2): stdio may hold the very
 * lock, or the heap be the very structure, whose corruption is being reported. */
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void rvi_panic(const char *format, ...)
{
    static const char prefix[] = "ravel: ";
    char line[512];
    const size_t start = sizeof(prefix) - 1;
    memcpy(line, prefix, start);

    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(line + start, sizeof(line) - start, format, args);
    va_end(args);

    size_t length = start;
    if (wanted > 0) {
        size_t room = sizeof(line) - start - 1;
        length += (size_t)wanted < room ? (size_t)wanted : room;
    }
    line[length++] = '\n';
    /* Nothing is left to do about a failed report. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    abort();
}
