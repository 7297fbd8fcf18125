/* SPDX-License-Identifier: MIT */
/* suppress.c - a file of what is known and shall not be told.
 *
 * Checked by: tests/cli */
#include "check/driver/suppress.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/words.h"

static char *trimmed(char *text)
{
    size_t count = strlen(text);

    while (count > 0 && isspace((unsigned char)text[count - 1]))
        text[--count] = '\0';
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

static bool add(struct ck_suppressions *all, uint32_t kind, const char *pattern)
{
    size_t bytes = strlen(pattern) + 1;
    struct ck_suppression *list = rvi_realloc(all->list, (all->count + 1) * sizeof *list);
    char *copy = rvi_alloc(bytes);

    if (list)
        all->list = list;
    if (!list || !copy) {
        rvi_free(copy);
        return false;
    }
    memcpy(copy, pattern, bytes);
    list[all->count++] = (struct ck_suppression){.kind = kind, .pattern = copy};
    return true;
}

/* 0, or -EINVAL for one that is not understood. */
static int read_line(struct ck_suppressions *all, char *line)
{
    uint32_t kind = CK_KINDS;
    char *text = trimmed(line), *colon = strchr(text, ':');

    if (text[0] == '\0' || text[0] == '#')
        return 0;
    if (!colon || colon[1] == '\0')
        return -EINVAL;
    *colon = '\0';
    if (strcmp(text, "*") != 0 && !ck_words_kind_of(trimmed(text), &kind))
        return -EINVAL;
    return add(all, kind, trimmed(colon + 1)) ? 0 : -ENOMEM;
}

int ck_suppressions_read(struct ck_suppressions *all, const char *path, struct rvi_text *why)
{
    char *line = NULL;
    size_t room = 0;
    int err = 0;
    unsigned number = 0;
    FILE *file = fopen(path, "re");

    if (!file) {
        err = errno;
        rvi_text_add(why, "cannot read %s: %s", path, strerror(err));
        return -err;
    }
    while (err == 0 && getline(&line, &room, file) >= 0) {
        number++;
        err = read_line(all, line);
    }
    free(line);
    fclose(file);
    if (err < 0)
        rvi_text_add(why, "%s:%u: expected KIND:PATTERN, such as data-race:counter_add", path,
                     number);
    return err;
}

static bool matches(const char *pattern, const struct ck_source *source)
{
    return fnmatch(pattern, source->function, 0) == 0 || fnmatch(pattern, source->path, 0) == 0 ||
           fnmatch(pattern, source->file, 0) == 0;
}

static bool matches_party(const char *pattern, const struct ck_party *party,
                          struct ck_symbols *symbols)
{
    struct ck_source source;

    for (uint32_t i = 0; i < party->frame_count; i++) {
        ck_symbols_source(symbols, party->frames[i], &source);
        if (matches(pattern, &source))
            return true;
    }
    return false;
}

bool ck_suppressions_match(struct ck_suppressions *all, const struct ck_report *report,
                           struct ck_symbols *symbols)
{
    for (size_t i = 0; i < all->count; i++) {
        struct ck_suppression *one = &all->list[i];
        for (uint32_t k = 0; k < report->party_count; k++) {
            if ((one->kind == CK_KINDS || one->kind == report->kind) &&
                matches_party(one->pattern, &report->parties[k], symbols)) {
                one->times++;
                return true;
            }
        }
    }
    return false;
}

void ck_suppressions_fini(struct ck_suppressions *all)
{
    for (size_t i = 0; i < all->count; i++)
        rvi_free(all->list[i].pattern);
    rvi_free(all->list);
    *all = (struct ck_suppressions){0};
}
