/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"

enum { FIRST_ROOM = 1024 };

/* Room for so many bytes and a NUL. */
static bool reserve(struct rvi_text *text, size_t count)
{
    size_t room = text->room ? text->room : FIRST_ROOM;

    while (room < count + 1)
        room *= 2;
    if (room == text->room)
        return true;
    char *bytes = rvi_realloc(text->bytes, room);
    if (!bytes)
        return false;
    text->bytes = bytes;
    text->room = room;
    return true;
}

void rvi_text_add(struct rvi_text *text, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int count = vsnprintf(NULL, 0, format, args);
    if (count >= 0 && reserve(text, text->count + (size_t)count)) {
        vsnprintf(text->bytes + text->count, (size_t)count + 1, format, again);
        text->count += (size_t)count;
    } else {
        text->is_cut = true;
    }
    va_end(again);
    va_end(args);
}

void rvi_text_fini(struct rvi_text *text)
{
    rvi_free(text->bytes);
    *text = (struct rvi_text){0};
}
