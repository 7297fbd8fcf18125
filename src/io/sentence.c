/* SPDX-License-Identifier: MIT */
#include "io/sentence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void rvi_sentence_fini(struct rvi_sentence *s)
{
    if (s->bytes != s->own)
        rvi_free(s->bytes);
}

/* 0: there is room for so many more bytes and a NUL. */
static int make_room(struct rvi_sentence *s, size_t more)
{
    size_t wanted = s->count + more + 1;

    if (s->error || wanted <= s->room)
        return s->error;
    wanted += wanted / 2;
    char *bytes = s->bytes == s->own ? rvi_alloc(wanted) : rvi_realloc(s->bytes, wanted);
    if (!bytes)
        return s->error = -ENOMEM;
    if (s->bytes == s->own)
        memcpy(bytes, s->own, s->count);
    s->bytes = bytes;
    s->room = wanted;
    return 0;
}

void rvi_sentence_add(struct rvi_sentence *s, const char *bytes, size_t count)
{
    if (make_room(s, count) < 0)
        return;
    memcpy(s->bytes + s->count, bytes, count);
    s->count += count;
}

/* How long it is, whether there was room for it or not. */
__attribute__((format(printf, 2, 0))) static int try_format(struct rvi_sentence *s,
                                                            const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(s->bytes + s->count, s->room - s->count, format, again);
    va_end(again);
    return n < 0 ? -errno : n;
}

void rvi_sentence_add_v(struct rvi_sentence *s, const char *format, va_list args)
{
    if (s->error)
        return;
    int n = try_format(s, format, args);
    if (n >= 0 && (size_t)n >= s->room - s->count) {
        if (make_room(s, (size_t)n) < 0)
            return;
        n = try_format(s, format, args);
    }
    if (n < 0)
        s->error = n;
    else
        s->count += (size_t)n;
}

void rvi_sentence_add_f(struct rvi_sentence *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    rvi_sentence_add_v(s, format, args);
    va_end(args);
}
