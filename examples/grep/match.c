/* SPDX-License-Identifier: MIT */
/* match.c - POSIX expressions line by line, and fixed strings by memmem(3) over all lines at once.
 *
 * The C library locks a compiled expression while it is used, so each worker has its own. A task
 * never changes its worker once it has begun: that is all it takes to have it without a lock. An
 * expression without special characters is a fixed string. */
#include "match.h"

#include <ravel.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    char *fixed; /* NULL: an expression */
    size_t fixed_bytes;
    unsigned workers; /* that have one */
    regex_t expressions[];
};

static bool is_plain(const char *text, unsigned flags)
{
    const char *special = flags & PATTERN_EXTENDED ? "\\.[*^$+?{|()" : "\\.[*^$";

    if (flags & PATTERN_IGNORE_CASE)
        return false;
    return flags & PATTERN_FIXED || !text[strcspn(text, special)];
}

/* A fixed string whose case does not matter is an expression of itself. */
static char *quoted(const char *text)
{
    char *out = malloc(2 * strlen(text) + 1), *to = out;

    for (; out && *text; text++) {
        if (strchr("\\.[*^$", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    if (out)
        *to = '\0';
    return out;
}

static int compile_all(struct pattern *p, const char *text, unsigned flags, unsigned workers)
{
    int posix = REG_NOSUB | (flags & PATTERN_EXTENDED ? REG_EXTENDED : 0) |
                (flags & PATTERN_IGNORE_CASE ? REG_ICASE : 0);
    int r = 0;

    while (r == 0 && p->workers < workers) {
        r = regcomp(&p->expressions[p->workers], text, posix);
        p->workers += r == 0;
    }
    return r;
}

static bool make_expressions(struct pattern *p, const char *text, unsigned flags, unsigned workers,
                             char *why, size_t why_bytes)
{
    char *quote = flags & PATTERN_FIXED ? quoted(text) : NULL;
    int r = flags & PATTERN_FIXED && !quote ? REG_ESPACE
                                            : compile_all(p, quote ? quote : text, flags, workers);
    if (r)
        regerror(r, NULL, why, why_bytes);
    free(quote);
    return r == 0;
}

struct pattern *pattern_new(const char *text, unsigned flags, unsigned workers, char *why,
                            size_t why_bytes)
{
    struct pattern *p = calloc(1, sizeof *p + workers * sizeof p->expressions[0]);
    bool made = p != NULL;

    snprintf(why, why_bytes, "out of memory");
    if (made && is_plain(text, flags)) {
        p->fixed = strdup(text);
        p->fixed_bytes = strlen(text);
        made = p->fixed != NULL;
    } else if (made) {
        made = make_expressions(p, text, flags, workers, why, why_bytes);
    }
    if (!made)
        pattern_free(p);
    return made ? p : NULL;
}

void pattern_free(struct pattern *p)
{
    for (unsigned i = 0; p && i < p->workers; i++)
        regfree(&p->expressions[i]);
    if (p)
        free(p->fixed);
    free(p);
}

static size_t end_of_line(const char *text, size_t bytes, size_t at)
{
    const char *end = memchr(text + at, '\n', bytes - at);
    return end ? (size_t)(end - text) : bytes;
}

static bool find_fixed(const struct pattern *p, const char *text, size_t bytes, size_t *ret_begin,
                       size_t *ret_end)
{
    const char *at = memmem(text, bytes, p->fixed, p->fixed_bytes);
    if (!at)
        return false;
    const char *before = memrchr(text, '\n', (size_t)(at - text));
    *ret_begin = before ? (size_t)(before - text) + 1 : 0;
    *ret_end = end_of_line(text, bytes, (size_t)(at - text));
    return true;
}

static bool find_expression(const regex_t *expression, const char *text, size_t bytes,
                            size_t *ret_begin, size_t *ret_end)
{
    for (size_t begin = 0, end; begin < bytes; begin = end + 1) {
        end = end_of_line(text, bytes, begin);
        regmatch_t line = {0, (regoff_t)(end - begin)};
        if (regexec(expression, text + begin, 1, &line, REG_STARTEND) == 0) {
            *ret_begin = begin;
            *ret_end = end;
            return true;
        }
    }
    return false;
}

bool pattern_find(struct pattern *p, const char *text, size_t bytes, size_t *ret_begin,
                  size_t *ret_end)
{
    if (bytes == 0)
        return false;
    if (p->fixed)
        return find_fixed(p, text, bytes, ret_begin, ret_end);
    return find_expression(&p->expressions[rv_task_worker()], text, bytes, ret_begin, ret_end);
}
