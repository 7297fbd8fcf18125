/* SPDX-License-Identifier: MIT */
/* log.c - a line for each answer, in the common log format. What the client sent is written with
 * everything but plain characters as \xNN, so that it cannot make lines of its own. */
#include "log.h"

#include <stdio.h>
#include <time.h>

enum { TARGET_MOST = 512 };

static void put_peer(char out[static RV_ADDR_TEXT], int fd)
{
    struct rv_addr peer;
    if (rv_addr_peer(fd, &peer) < 0 || rv_addr_format(&peer, out, RV_ADDR_TEXT) < 0)
        snprintf(out, RV_ADDR_TEXT, "-");
}

static void put_escaped(char out[static TARGET_MOST], const char *text, size_t len)
{
    char *end = out + TARGET_MOST - 5;
    for (; len > 0 && out < end; text++, len--) {
        if (*text > ' ' && *text < 0x7f && *text != '"' && *text != '\\')
            *out++ = *text;
        else
            out += sprintf(out, "\\x%02x", (unsigned char)*text);
    }
    *out = '\0';
}

void log_answer(const struct wire *w, const struct request *r, const char *bytes,
                const struct reply *reply, int err)
{
    char peer[RV_ADDR_TEXT], target[TARGET_MOST], when[40];
    bool is_request = r->target.len > 0;
    time_t now = time(NULL);
    struct tm tm;

    put_peer(peer, w->fd);
    put_escaped(target, bytes + r->target.at, r->target.len);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", gmtime_r(&now, &tm));
    rv_print("%s - - [%s] \"%s %s\" %d %llu%s\n", peer, when,
             is_request ? llhttp_method_name(r->parser.method) : "-", is_request ? target : "-",
             reply->status, reply->body ? (unsigned long long)reply->len : 0,
             err < 0 ? " cut" : "");
}
