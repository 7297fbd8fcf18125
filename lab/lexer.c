/* SPDX-License-Identifier: MIT */
/* lexer.c - JSON, piece by piece.
 *
 * A reader of files that people have edited and mailed: it knows at which line and column it
 * stopped, and what it expected there. Depth is bounded, as each level is a level of calls.
 *
 * Checked by: tests/unit/lab/test_json.c, tests/unit/timeline/test_story.c */
#include "lab/lexer.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64, REPLACEMENT = 0xfffd };

bool lab_lexer_fail(struct lab_lexer *l, int err, const char *expected)
{
    if (l->err < 0)
        return false;
    l->err = err;
    l->expected = expected;
    l->err_line = l->line;
    l->err_column = (unsigned)(l->at - l->line_begin) + 1;
    return false;
}

void lab_lexer_why(const struct lab_lexer *l, char *why, size_t room)
{
    snprintf(why, room, "line %u, column %u: %s", l->err_line, l->err_column, l->expected);
}

static bool wrong(struct lab_lexer *l, const char *expected)
{
    return lab_lexer_fail(l, -EINVAL, expected);
}

/* --- strings --- */

static bool add(struct lab_lexer *l, const char *bytes, size_t count)
{
    size_t room = l->text_room ? l->text_room : 64;

    while (room < l->text_bytes + count + 1)
        room *= 2;
    if (room > l->text_room) {
        char *larger = l->resize(l->text, room);
        if (!larger)
            return lab_lexer_fail(l, -ENOMEM, "no memory");
        l->text = larger;
        l->text_room = room;
    }
    memcpy(l->text + l->text_bytes, bytes, count);
    l->text_bytes += count;
    l->text[l->text_bytes] = '\0';
    return true;
}

/* As UTF-8 (RFC 3629). */
static bool add_character(struct lab_lexer *l, uint32_t c)
{
    char bytes[4] = {(char)c};
    size_t count = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = count - 1; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 63));
    if (count > 1)
        bytes[0] = (char)(first[count] | c);
    return add(l, bytes, count);
}

static bool add_no_character(struct lab_lexer *l, const char *expected)
{
    return l->mends ? add_character(l, REPLACEMENT) : wrong(l, expected);
}

static bool read_hex(struct lab_lexer *l, uint32_t *ret)
{
    *ret = 0;
    for (int i = 0; i < 4; i++, l->at++) {
        static const char digits[] = "0123456789abcdefABCDEF";
        const char *digit = *l->at ? strchr(digits, *l->at) : NULL;
        if (!digit)
            return wrong(l, "four hexadecimal digits are expected");
        *ret = *ret * 16 + (uint32_t)(digit - digits - (digit - digits > 15 ? 6 : 0));
    }
    return true;
}

/* Behind "\u": one character, perhaps of two escapes. A zero would end the text. */
static bool read_unicode(struct lab_lexer *l)
{
    static const char half[] = "the second half of a character is expected";
    uint32_t c, low;

    if (!read_hex(l, &c))
        return false;
    if (c == 0 || (c >= 0xdc00 && c <= 0xdfff))
        return add_no_character(l, "this is no character");
    if (c < 0xd800 || c > 0xdfff)
        return add_character(l, c);
    if (l->at[0] != '\\' || l->at[1] != 'u')
        return add_no_character(l, half);
    l->at += 2;
    if (!read_hex(l, &low))
        return false;
    if (low < 0xdc00 || low > 0xdfff)
        return add_no_character(l, half);
    return add_character(l, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
}

static bool read_escape(struct lab_lexer *l)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *found = *l->at ? strchr(names, *l->at) : NULL;

    if (!found && *l->at != 'u')
        return wrong(l, "no such escape");
    l->at++;
    return found ? add(l, &values[found - names], 1) : read_unicode(l);
}

bool lab_lexer_string(struct lab_lexer *l)
{
    l->text_bytes = 0;
    if (!lab_lexer_take(l, '"'))
        return wrong(l, "a text in quotation marks is expected");
    for (;;) {
        const char *from = l->at;
        while (*l->at != '"' && *l->at != '\\' && (unsigned char)*l->at >= ' ')
            l->at++;
        if (!add(l, from, (size_t)(l->at - from)))
            return false;
        if (*l->at == '"')
            return l->at++, true;
        if (*l->at != '\\')
            return wrong(l, "the end of a text is expected, a quotation mark");
        l->at++;
        if (!read_escape(l))
            return false;
    }
}

/* --- numbers and words --- */

static size_t digits(const char *at)
{
    return strspn(at, "0123456789");
}

/* Of the number that begins here; 0: none does. strtod() knows more than JSON does. */
static size_t number_bytes(const char *from)
{
    const char *at = from + (*from == '-');
    size_t whole = digits(at);

    if (whole == 0 || (whole > 1 && *at == '0'))
        return 0;
    at += whole;
    if (*at == '.' && digits(at + 1) > 0)
        at += 1 + digits(at + 1);
    if (*at == 'e' || *at == 'E') {
        size_t sign = at[1] == '+' || at[1] == '-';
        if (digits(at + 1 + sign) > 0)
            at += 1 + sign + digits(at + 1 + sign);
    }
    return (size_t)(at - from);
}

bool lab_lexer_plain(struct lab_lexer *l, enum lab_json_kind *ret_kind, double *ret_number)
{
    static const struct {
        const char *word;
        enum lab_json_kind kind;
    } words[] = {{"null", LAB_NULL}, {"false", LAB_FALSE}, {"true", LAB_TRUE}};

    lab_lexer_peek(l);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i].word);
        if (strncmp(l->at, words[i].word, length) == 0) {
            *ret_kind = words[i].kind;
            l->at += length;
            return true;
        }
    }
    size_t bytes = number_bytes(l->at);
    if (bytes == 0)
        return wrong(l, "a value is expected");
    *ret_kind = LAB_NUMBER;
    if (ret_number && !isfinite(*ret_number = strtod(l->at, NULL)))
        return wrong(l, "this number is too large");
    l->at += bytes;
    return true;
}

bool lab_lexer_number(struct lab_lexer *l, double *ret)
{
    enum lab_json_kind kind;
    char c = lab_lexer_peek(l);

    if (c != '-' && (c < '0' || c > '9'))
        return wrong(l, "a number is expected");
    return lab_lexer_plain(l, &kind, ret);
}

/* --- objects and arrays --- */

static bool read_name(struct lab_lexer *l)
{
    if (lab_lexer_peek(l) != '"')
        return wrong(l, "a name in quotation marks is expected");
    return lab_lexer_string(l) && (lab_lexer_take(l, ':') || wrong(l, "a colon is expected"));
}

bool lab_lexer_inside(struct lab_lexer *l, bool (*read)(struct lab_lexer *l, void *arg), void *arg)
{
    bool is_object = lab_lexer_peek(l) == '{';
    char end = is_object ? '}' : ']';

    if (!is_object && *l->at != '[')
        return wrong(l, "an object or an array is expected");
    if (++l->depth > DEEPEST)
        return wrong(l, "this is nested too deeply");
    l->at++;
    if (!lab_lexer_take(l, end)) {
        do {
            if ((is_object && !read_name(l)) || !read(l, arg))
                return false;
        } while (lab_lexer_take(l, ','));
        if (!lab_lexer_take(l, end))
            return wrong(l, is_object ? "a comma or } is expected" : "a comma or ] is expected");
    }
    l->depth--;
    return true;
}

static bool skip_member(struct lab_lexer *l, void *arg)
{
    (void)arg;
    return lab_lexer_skip(l);
}

bool lab_lexer_skip(struct lab_lexer *l)
{
    enum lab_json_kind kind;

    switch (lab_lexer_peek(l)) {
    case '{':
    case '[':
        return lab_lexer_inside(l, skip_member, NULL);
    case '"':
        return lab_lexer_string(l);
    default:
        return lab_lexer_plain(l, &kind, NULL);
    }
}
