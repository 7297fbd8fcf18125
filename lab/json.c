/* SPDX-License-Identifier: MIT */
/* json.c - JSON read into a tree, and its pieces written.
 *
 * Checked by: tests/unit/lab/test_json.c */
#include "lab/json.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lexer.h"

/* --- reading --- */

static bool read_value(struct lab_lexer *l, struct lab_json **ret);

static bool keep_text(struct lab_lexer *l, char **ret)
{
    *ret = strdup(l->text);
    return *ret || lab_lexer_fail(l, -ENOMEM, "no memory");
}

/* What is under way in an object or an array. */
struct inside {
    struct lab_json **last;
    bool has_keys;
};

static bool read_member(struct lab_lexer *l, void *arg)
{
    struct inside *inside = arg;
    char *key = NULL;

    if (inside->has_keys && !keep_text(l, &key))
        return false;
    bool is_fine = read_value(l, inside->last);
    if (!*inside->last) {
        free(key);
        return false;
    }
    (*inside->last)->key = key;
    inside->last = &(*inside->last)->next;
    return is_fine;
}

static bool read_value(struct lab_lexer *l, struct lab_json **ret)
{
    struct lab_json *value = *ret = calloc(1, sizeof *value);
    char first = lab_lexer_peek(l);

    if (!value)
        return lab_lexer_fail(l, -ENOMEM, "no memory");
    value->line = l->line;
    value->column = (unsigned)(l->at - l->line_begin) + 1;
    if (first == '{' || first == '[') {
        struct inside inside = {&value->inside, first == '{'};
        value->kind = first == '{' ? LAB_OBJECT : LAB_ARRAY;
        return lab_lexer_inside(l, read_member, &inside);
    }
    if (first != '"')
        return lab_lexer_plain(l, &value->kind, &value->number);
    value->kind = LAB_STRING;
    return lab_lexer_string(l) && keep_text(l, &value->text);
}

int lab_json_read(const char *text, struct lab_json **ret, char *why, size_t why_room)
{
    struct lab_lexer l = {.at = text, .line_begin = text, .line = 1, .resize = realloc};
    struct lab_json *root = NULL;

    if (read_value(&l, &root) && lab_lexer_peek(&l))
        (void)lab_lexer_fail(&l, -EINVAL, "the end is expected");
    free(l.text);
    if (l.err == 0) {
        *ret = root;
        return 0;
    }
    if (l.err == -ENOMEM)
        snprintf(why, why_room, "no memory");
    else
        lab_lexer_why(&l, why, why_room);
    lab_json_free(root);
    return l.err;
}

struct lab_json *lab_json_free(struct lab_json *value)
{
    while (value) {
        struct lab_json *next = value->next;
        lab_json_free(value->inside);
        free(value->text);
        free(value->key);
        free(value);
        value = next;
    }
    return NULL;
}

const struct lab_json *lab_json_member(const struct lab_json *of, const char *key)
{
    const struct lab_json *m = of && of->kind == LAB_OBJECT ? of->inside : NULL;

    while (m && strcmp(m->key, key) != 0)
        m = m->next;
    return m;
}

/* --- writing --- */

/* Bytes of the well-formed character that begins here (RFC 3629); 0: none does. */
static size_t character(const unsigned char *at)
{
    size_t more = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 1 : at[0] < 0xf0 ? 2 : at[0] < 0xf5 ? 3 : 0;
    unsigned low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;

    if (at[0] < 0x80)
        return 1;
    if (more == 0 || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i <= more; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return more + 1;
}

static size_t put_character(FILE *to, const unsigned char *at)
{
    size_t bytes = character(at);

    if (at[0] == '"' || at[0] == '\\')
        fprintf(to, "\\%c", at[0]);
    else if (at[0] < ' ' || at[0] == '<' || at[0] == 0x7f)
        fprintf(to, "\\u%04x", at[0]);
    else if (bytes == 0)
        fputs("\\ufffd", to);
    else
        fwrite(at, 1, bytes, to);
    return bytes ? bytes : 1;
}

void lab_json_put(FILE *to, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    putc('"', to);
    while (*at)
        at += put_character(to, at);
    putc('"', to);
}

void lab_json_put_number(FILE *to, double number)
{
    char text[32];

    if (!isfinite(number)) {
        fputs("null", to);
        return;
    }
    for (int precise = 1; precise <= 17; precise++) {
        snprintf(text, sizeof text, "%.*g", precise, number);
        if (strtod(text, NULL) == number)
            break;
    }
    fputs(text, to);
}
