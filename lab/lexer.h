/* SPDX-License-Identifier: MIT */
/* lexer.h - the pieces of a JSON text (RFC 8259), for who makes something of them: a tree
 * (json.h), or tables of a text that is too large for one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lab/json.h"

/** Begin with {.at = text, .line_begin = text, .line = 1, .resize = realloc}. The text ends with a
 * zero. Once anything has failed the rest is not to be looked at. */
struct lab_lexer {
    const char *at, *line_begin;
    unsigned line, depth;
    bool mends; /* what an escape says that is no character becomes U+FFFD; else it is refused */

    /* The string that was read last, with a zero behind it; who has given `resize` frees it. */
    char *text;
    size_t text_bytes, text_room;
    void *(*resize)(void *memory, size_t bytes);

    /* What failed first: 0, -EINVAL, -ENOMEM or the caller's own; what was expected, and where. */
    int err;
    const char *expected;
    unsigned err_line, err_column;
};

/** What comes next, behind blanks; 0: the end. */
static inline char lab_lexer_peek(struct lab_lexer *l)
{
    for (; *l->at == ' ' || *l->at == '\n' || *l->at == '\t' || *l->at == '\r'; l->at++) {
        if (*l->at == '\n') {
            l->line++;
            l->line_begin = l->at + 1;
        }
    }
    return *l->at;
}

/** @return whether it came next, and is passed */
static inline bool lab_lexer_take(struct lab_lexer *l, char wanted)
{
    if (lab_lexer_peek(l) != wanted)
        return false;
    l->at++;
    return true;
}

/** Say what is wrong here, unless something was before. @return false */
bool lab_lexer_fail(struct lab_lexer *l, int err, const char *expected);

/** From here on all return false when they have failed. */
bool lab_lexer_string(struct lab_lexer *l);
bool lab_lexer_number(struct lab_lexer *l, double *ret);

/** A number, true, false or null.
 *
 * @param ret_number  NULL: it is passed over, as large as it may be */
bool lab_lexer_plain(struct lab_lexer *l, enum lab_json_kind *ret_kind, double *ret_number);

/** Hand each member of an object or an array to `read`, which passes its value. The name of an
 * object's is in l->text. */
bool lab_lexer_inside(struct lab_lexer *l, bool (*read)(struct lab_lexer *l, void *arg), void *arg);

/** Pass one value. */
bool lab_lexer_skip(struct lab_lexer *l);

/** "line 3, column 14: a value is expected" */
void lab_lexer_why(const struct lab_lexer *l, char *why, size_t room);
