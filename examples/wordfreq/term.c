/* SPDX-License-Identifier: MIT */
/* term.c - what makes output pleasant: numbers for people, colours, one line of progress. */
#include "term.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct text text_count(uint64_t n)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, n);
    struct text t;
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            t.s[at++] = ',';
        t.s[at++] = digits[i];
    }
    t.s[at] = '\0';
    return t;
}

struct text text_bytes(uint64_t n)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    struct text t;
    if (n < 1000) {
        snprintf(t.s, sizeof t.s, "%d B", (int)n);
        return t;
    }
    size_t unit = 0;
    double value = (double)n / 1000;
    for (; value >= 999.95 && unit < 3; unit++)
        value /= 1000;
    snprintf(t.s, sizeof t.s, "%.1f %s", value, units[unit]);
    return t;
}

struct text text_time(rv_time length)
{
    double ms = (double)length / RV_MILLISECOND;
    struct text t;
    if (ms < 9.995)
        snprintf(t.s, sizeof t.s, "%.2f ms", ms);
    else if (ms < 999.5)
        snprintf(t.s, sizeof t.s, "%.0f ms", ms);
    else
        snprintf(t.s, sizeof t.s, "%.2f s", ms / 1000);
    return t;
}

bool term_is_live(FILE *out)
{
    const char *term = getenv("TERM");
    return isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
}

int term_columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const struct style *term_style(FILE *out)
{
    static const struct style plain = {"", "", "", "", "", ""};
    static const struct style coloured = {
        .bold = "\033[1m",
        .dim = "\033[2m",
        .good = "\033[32m",
        .bad = "\033[1;31m",
        .bar = "\033[36m",
        .end = "\033[m",
    };
    const char *no_color = getenv("NO_COLOR"); /* https://no-color.org */
    return term_is_live(out) && !(no_color && *no_color) ? &coloured : &plain;
}

static struct {
    const char *label; /* NULL: not allowed, or no terminal */
    bool shown;
    rv_time next;
} line;

void progress_allow(const char *label)
{
    line.label = term_is_live(stderr) ? label : NULL;
}

bool progress_is_due(void)
{
    return line.label && rv_now() >= line.next;
}

void progress_show(const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct style *style = term_style(stderr);
    int room = term_columns(stderr) - (int)strlen(line.label) - 1;
    fprintf(stderr, "\r%s%s%.*s%s\033[K", style->dim, line.label, room > 0 ? room : 0, text,
            style->end);
    line.shown = true;
    line.next = rv_now() + RV_SECOND / 10;
}

void progress_end(void)
{
    if (line.shown)
        fputs("\r\033[K", stderr);
    line.shown = false;
}
