/* SPDX-License-Identifier: MIT */
/* match.c - POSIX expressions line by line, and fixed strings by memmem(3) over all lines at once.
 *
 * The C library locks a compiled expression while it is used, so each worker has its own. A task
 * never changes its worker once it has begun: that is all it takes to have it without a lock. An
 * expression without special characters is a fixed string. Of another, the longest string that each
 * match has to contain is looked for first, and the expression only asked about lines that have
 * it. */
#include "match.h"

#include <ctype.h>
#include <ravel.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pattern {
    char *fixed; /* is in each line that matches; NULL: nothing is known to be */
    size_t fixed_bytes;
    unsigned workers; /* that have an expression; 0: the fixed string is all */
    regex_t expressions[];
};

static bool is_plain(const char *text, unsigned flags)
{
    const char *special = flags & PATTERN_EXTENDED ? "\\.[*^$+?{|()" : "\\.[*^$";

    if (flags & PATTERN_IGNORE_CASE)
        return false;
    return flags & PATTERN_FIXED || !text[strcspn(text, special)];
}

/* Past a bracket expression, of which `at` is the first character. */
static const char *after_brackets(const char *at)
{
    at += *at == '^';
    at += *at == ']';
    for (; *at && *at != ']'; at++) {
        if (at[0] == '[' && at[1] && strchr(".=:", at[1])) {
            const char *end = at + 2;
            while (*end && !(end[0] == at[1] && end[1] == ']'))
                end++;
            at = *end ? end + 1 : end - 1;
        }
    }
    return *at ? at + 1 : at;
}

/* What an expression is made of, as far as it matters here. */
enum kind { END, LITERAL, REPEAT, GROUP, OTHER };

static enum kind kind_of(char c, bool is_extended)
{
    if (c == '*' || (is_extended && c && strchr("+?{", c)))
        return REPEAT;
    if (is_extended && c && strchr("(|", c))
        return GROUP;
    return c == '\0' ? END : strchr(".^$[", c) ? OTHER : LITERAL;
}

static enum kind kind_of_escaped(char c, bool is_extended)
{
    if (!is_extended && strchr("{+?", c))
        return REPEAT;
    if (!is_extended && strchr("(|", c))
        return GROUP;
    return ispunct((unsigned char)c) && !strchr("<>`'", c) ? LITERAL : OTHER;
}

/* The next part; *at moves to its last character, or to the one before the end. */
static enum kind next_part(const char **at, bool is_extended)
{
    bool is_escaped = **at == '\\' && (*at)[1];

    *at += is_escaped;
    enum kind kind = is_escaped ? kind_of_escaped(**at, is_extended) : kind_of(**at, is_extended);
    if (kind == OTHER && !is_escaped && **at == '[')
        *at = after_brackets(*at + 1) - 1;
    if (kind == REPEAT && **at == '{')
        *at += strcspn(*at, "}") - !strchr(*at, '}');
    return kind;
}

/* The longest run of characters of an expression that stand for themselves, into `run`, which has
 * room for all of it, as has `now`. What may be repeated may be missing; alternatives may all
 * be. */
static size_t longest_run(const char *at, bool is_extended, char *run, char *now)
{
    size_t count = 0, longest = 0;
    enum kind kind;

    do {
        kind = next_part(&at, is_extended);
        if (kind == GROUP)
            return 0;
        if (kind == LITERAL)
            now[count++] = *at;
        count -= kind == REPEAT && count > 0;
        if (kind != LITERAL && count > longest)
            memcpy(run, now, longest = count);
        if (kind != LITERAL)
            count = 0;
        at++;
    } while (kind != END);
    return longest;
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
    made = made && (p->fixed = strdup(text));
    if (made && is_plain(text, flags)) {
        p->fixed_bytes = strlen(text);
    } else if (made) {
        char *scratch = flags & PATTERN_IGNORE_CASE ? NULL : malloc(strlen(text) + 1);
        if (scratch)
            p->fixed_bytes = longest_run(text, flags & PATTERN_EXTENDED, p->fixed, scratch);
        free(scratch);
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

static bool line_matches(const regex_t *expression, const char *line, size_t bytes)
{
    regmatch_t all = {0, (regoff_t)bytes};

    return regexec(expression, line, 1, &all, REG_STARTEND) == 0;
}

/* The first line that has what each match has to have. */
static bool find_candidate(const struct pattern *p, const char *text, size_t bytes,
                           size_t *ret_begin, size_t *ret_end)
{
    if (p->fixed_bytes > 0 || p->workers == 0)
        return find_fixed(p, text, bytes, ret_begin, ret_end);
    *ret_begin = 0;
    *ret_end = end_of_line(text, bytes, 0);
    return true;
}

bool pattern_find(struct pattern *p, const char *text, size_t bytes, size_t *ret_begin,
                  size_t *ret_end)
{
    size_t begin, end;

    for (size_t at = 0; at < bytes; at += end + 1) {
        if (!find_candidate(p, text + at, bytes - at, &begin, &end))
            return false;
        if (p->workers > 0 &&
            !line_matches(&p->expressions[rv_task_worker()], text + at + begin, end - begin))
            continue;
        *ret_begin = at + begin;
        *ret_end = at + end;
        return true;
    }
    return false;
}
