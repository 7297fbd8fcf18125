/* SPDX-License-Identifier: MIT */
/* sentence.h - a text that is put together on the stack, and only goes to the heap when it is
 * long. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

enum { RVI_SENTENCE_BYTES = 1024 };

struct rvi_sentence {
    char *bytes; /* not ended by a NUL */
    size_t count, room;
    int error; /* 0; or why something is missing: -ENOMEM, or what vsnprintf(3) says */
    char own[RVI_SENTENCE_BYTES];
};

static inline void rvi_sentence_init(struct rvi_sentence *s)
{
    s->bytes = s->own;
    s->count = 0;
    s->room = sizeof s->own;
    s->error = 0;
}

/** Free it. */
void rvi_sentence_fini(struct rvi_sentence *s);

void rvi_sentence_add(struct rvi_sentence *s, const char *bytes, size_t count);

void rvi_sentence_add_v(struct rvi_sentence *s, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

void rvi_sentence_add_f(struct rvi_sentence *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
