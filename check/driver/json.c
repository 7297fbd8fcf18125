/* SPDX-License-Identifier: MIT */
/* json.c - writing texts into JSON and HTML. Names and last words come from a program that may say
 * anything.
 *
 * Checked by: tests/unit/check/test_reports.c */
#include "check/driver/json.h"

#include <stddef.h>

/* Bytes of the character that begins here; 0: this is no UTF-8. Overlong forms, surrogates and what
 * is beyond U+10FFFF are none (RFC 3629). */
static size_t character(const unsigned char *at)
{
    static const struct {
        unsigned char first, last, low, high; /* first byte; bounds of the second */
        unsigned char bytes;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    if (at[0] < 0x80)
        return 1;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        if (at[1] < forms[i].low || at[1] > forms[i].high)
            return 0;
        for (size_t k = 2; k < forms[i].bytes; k++) {
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        }
        return forms[i].bytes;
    }
    return 0;
}

/* What cannot stand there: replaced, and skipped by one byte. */
static const unsigned char *put_character(FILE *file, const unsigned char *at)
{
    size_t bytes = character(at);

    if (bytes == 0) {
        fputs("\xef\xbf\xbd", file);
        return at + 1;
    }
    fwrite(at, 1, bytes, file);
    return at + bytes;
}

void ck_put_json(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    putc('"', file);
    while (*at) {
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at++);
        else if (*at < ' ' || *at == 0x7f)
            fprintf(file, "\\u%04x", *at++);
        else
            at = put_character(file, at);
    }
    putc('"', file);
}

void ck_put_html(FILE *file, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at) {
        if (*at == '<' || *at == '>' || *at == '&' || *at == '"' || *at == '\'')
            fprintf(file, "&#%d;", *at++);
        else if (*at < ' ' && *at != '\n' && *at != '\t')
            fprintf(file, "\xef\xbf\xbd"), at++;
        else
            at = put_character(file, at);
    }
}
