/* SPDX-License-Identifier: MIT */
/* url.c - the parts of an http URL. Whatever could break out of a request's first lines, a blank or
 * a control character, is no part of one: RFC 3986 has these written as %20 and so on. */
#include "url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char scheme[] = "http://";

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

/* Where the host's name ends; an IPv6 address stands in brackets. */
static size_t host_len(const char *text, size_t len)
{
    const char *bracket = *text == '[' ? memchr(text, ']', len) : text;
    const char *colon = bracket ? memchr(bracket, ':', len - (size_t)(bracket - text)) : NULL;
    return colon ? (size_t)(colon - text) : len;
}

bool url_parse(struct url *ret, const char *text)
{
    if (strncasecmp(text, scheme, sizeof scheme - 1) != 0 || !is_plain(text) ||
        strlen(text) >= URL_MOST)
        return false;
    text += sizeof scheme - 1;
    size_t len = strcspn(text, "/?#"), host = len > 0 ? host_len(text, len) : 0;
    const char *path = text + len, *port = host < len ? text + host : ":80";
    if (host == 0 || len >= sizeof ret->host - 4 || memchr(text, '@', len))
        return false;
    bool named = host < len;
    snprintf(ret->address, sizeof ret->address, "%.*s%.*s", (int)host, text,
             named ? (int)(len - host) : 3, port);
    snprintf(ret->host, sizeof ret->host, "%.*s", (int)len, text);
    snprintf(ret->target, sizeof ret->target, "%s%.*s", *path == '/' ? "" : "/",
             (int)strcspn(path, "#"), path);
    return true;
}
