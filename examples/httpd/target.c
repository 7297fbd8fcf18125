/* SPDX-License-Identifier: MIT */
/* target.c - from a request's target to the name of a file.
 *
 * The path is decoded first and taken apart then, so "%2e%2e%2f" is seen for what it is. What comes
 * out has no "..", whoever opens it; files.c has the kernel check the same again, because links in
 * the tree are not seen here. Names that begin with a dot (.git, .htpasswd) are nobody's
 * business. */
#include "target.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a target, and how many it is written in; 0 when it is no byte that a path has. */
static size_t decode(char *ret, const char *p, const char *end)
{
    int high, low;
    *ret = *p;
    if (*p != '%')
        return *p != '\0';
    if (end - p < 3 || (high = digit(p[1])) < 0 || (low = digit(p[2])) < 0)
        return 0;
    *ret = (char)(high << 4 | low);
    return *ret == '\0' ? 0 : 3;
}

/* Where the path begins: an absolute target has a scheme and a host in front of it. */
static const char *skip_origin(const char *p, const char *end)
{
    if (end - p >= 7 && strncasecmp(p, "http://", 7) == 0)
        p += 7;
    else if (end - p >= 8 && strncasecmp(p, "https://", 8) == 0)
        p += 8;
    else
        return p;
    while (p < end && !strchr("/?#", *p))
        p++;
    return p;
}

/* A segment has been written from `begin` to `end`: what remains of it, as the new end. NULL: it
 * leads out of the root, or is hidden. */
static char *settle(char *path, char *begin, char *end)
{
    size_t len = (size_t)(end - begin);
    if (len == 1 && begin[0] == '.')
        return begin;
    if (len == 2 && begin[0] == '.' && begin[1] == '.') {
        if (begin == path)
            return NULL;
        for (begin--; begin > path && begin[-1] != '/'; begin--)
            ;
        return begin;
    }
    return len > 0 && begin[0] == '.' ? NULL : end;
}

int target_path(char *path, const char *target, size_t len)
{
    const char *end = target + len, *p = skip_origin(target, end);
    char *out = path, *segment = path, c;
    bool absolute = p > target;

    if (p == end ? !absolute : *p != '/' && !(absolute && *p == '?'))
        return 400;
    for (size_t n; p < end && *p != '?' && *p != '#'; p += n) {
        n = decode(&c, p, end);
        if (n == 0)
            return 400;
        if (c != '/') {
            *out++ = c;
            continue;
        }
        out = settle(path, segment, out);
        if (!out)
            return 404;
        if (out > path && out[-1] != '/')
            *out++ = '/';
        segment = out;
    }
    out = settle(path, segment, out);
    if (!out)
        return 404;
    *out = '\0';
    return 0;
}
