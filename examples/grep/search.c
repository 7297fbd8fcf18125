/* SPDX-License-Identifier: MIT */
/* search.c - a file in windows of whole lines.
 *
 * Most files fit into the first window and are read by one call. Of a larger one, the last line of
 * a window, which is not whole, moves to the front of the next; a window grows only for a line that
 * it does not hold.
 *
 * A NUL makes a file binary, as grep(1) has it: from the window on in which one is seen, a match is
 * told in one sentence on standard error instead of being shown, and NULs end lines. */
#include "search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 96 << 10 };

struct window {
    const struct search *search;
    const char *path;
    struct out *to;
    char *text;
    size_t bytes, room;
    size_t counted, line; /* lines before text[counted], in the file */
    bool is_binary, has_matched;
};

static int add_text(struct window *w, const char *text)
{
    return out_add(w->to, text, strlen(text));
}

static int tell_name(struct window *w)
{
    int r = add_text(w, w->path);
    return r < 0 ? r : add_text(w, "\n");
}

/* As grep(1) since 3.5, not among the lines. */
static int tell_binary(const struct window *w)
{
    return rv_print_error("grep: %s: binary file matches\n", w->path);
}

/* Lines up to a place, which is the begin of one. */
static void count_lines(struct window *w, size_t to)
{
    const char *at = w->text + w->counted, *end = w->text + to;

    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        w->line++;
        at++;
    }
    w->counted = to;
}

static int show(struct window *w, size_t begin, size_t end)
{
    char number[32];
    int r = 0;

    if (w->search->with_name && (r = add_text(w, w->path)) == 0)
        r = add_text(w, ":");
    if (r == 0 && w->search->numbers) {
        count_lines(w, begin);
        snprintf(number, sizeof number, "%zu:", w->line + 1);
        r = add_text(w, number);
    }
    if (r == 0)
        r = out_add(w->to, w->text + begin, end - begin);
    return r < 0 ? r : add_text(w, "\n");
}

/* 1: no more of the file is wanted. */
static int tell(struct window *w, size_t begin, size_t end)
{
    w->has_matched = true;
    if (!w->search->names_only && !w->is_binary)
        return show(w, begin, end);
    int r = w->search->names_only ? tell_name(w) : tell_binary(w);
    return r < 0 ? r : 1;
}

static void look_for_nul(struct window *w)
{
    char *at = memchr(w->text, '\0', w->bytes);

    w->is_binary |= at != NULL;
    for (; at; at = memchr(at, '\0', w->bytes - (size_t)(at - w->text)))
        *at = '\n';
}

/* The lines of text[0, bytes). */
static int search_lines(struct window *w, size_t bytes)
{
    size_t at = 0, begin, end;
    int r = 0;

    while (r == 0 && at < bytes &&
           pattern_find(w->search->pattern, w->text + at, bytes - at, &begin, &end)) {
        r = tell(w, at + begin, at + end);
        at += end + 1;
    }
    return r;
}

static size_t whole_lines(const struct window *w)
{
    const char *last = memrchr(w->text, '\n', w->bytes);

    return last ? (size_t)(last - w->text) + 1 : 0;
}

/* What follows the lines that are done with moves to the front; room is made for more. */
static int move_on(struct window *w, size_t done)
{
    if (w->search->numbers)
        count_lines(w, done);
    w->counted = 0;
    w->bytes -= done;
    memmove(w->text, w->text + done, w->bytes);
    if (w->bytes < w->room)
        return 0;
    if (w->room >= LINE_BYTES)
        return -EMSGSIZE;
    char *larger = realloc(w->text, 2 * w->room);
    if (!larger)
        return -ENOMEM;
    w->text = larger;
    w->room *= 2;
    return 0;
}

static int search_windows(struct window *w, int fd)
{
    ssize_t n = 1;
    int r = 0;

    while (r == 0 && n > 0) {
        n = rv_read(fd, w->text + w->bytes, w->room - w->bytes, RV_NEVER);
        if (n < 0)
            return (int)n;
        w->bytes += (size_t)n;
        look_for_nul(w);
        size_t whole = n > 0 ? whole_lines(w) : w->bytes;
        r = search_lines(w, whole);
        if (r == 0)
            r = move_on(w, whole);
    }
    return r;
}

static int search_large(struct window *w)
{
    int fd = rv_open(w->path, O_RDONLY, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    int r = search_windows(w, fd);
    rv_close(fd);
    return r;
}

static int search_text(struct window *w)
{
    ssize_t n = rv_file_read(AT_FDCWD, w->path, w->text, w->room, RV_NEVER);
    if (n == -EFBIG)
        return search_large(w);
    if (n < 0)
        return (int)n;
    w->bytes = (size_t)n;
    look_for_nul(w);
    return search_lines(w, w->bytes);
}

int search_file(const struct search *s, const char *path, struct out *to)
{
    struct window w = {.search = s, .path = path, .to = to, .room = FIRST_BYTES};

    w.text = malloc(w.room);
    int r = w.text ? search_text(&w) : -ENOMEM;
    free(w.text);
    return r < 0 ? r : w.has_matched;
}
