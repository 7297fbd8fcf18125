/* SPDX-License-Identifier: MIT */
/* log.c - a line for each answer, in the common log format. What the client sent is written with
 * everything but plain characters as \xNN, so that it cannot make lines of its own. */
#include "log.h"

#include <arpa/inet.h>
#include <ravel.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MOST = 1024, TARGET_MOST = 512 };

static void put_peer(char out[static INET6_ADDRSTRLEN], int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    const void *addr = &((struct sockaddr_in *)&peer)->sin_addr;

    strcpy(out, "-");
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return;
    if (peer.ss_family == AF_INET6)
        addr = &((struct sockaddr_in6 *)&peer)->sin6_addr;
    if (peer.ss_family == AF_INET || peer.ss_family == AF_INET6)
        inet_ntop(peer.ss_family, addr, out, INET6_ADDRSTRLEN);
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

void log_answer(int fd, const struct request *r, const char *bytes, const struct reply *reply,
                int err)
{
    char peer[INET6_ADDRSTRLEN], target[TARGET_MOST], when[40], line[LINE_MOST];
    time_t now = time(NULL);
    struct tm tm;

    put_peer(peer, fd);
    put_escaped(target, bytes + r->target.at, r->target.len);
    gmtime_r(&now, &tm);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &tm);
    int len = snprintf(line, sizeof line, "%s - - [%s] \"%s %s\" %d %llu%s\n", peer, when,
                       r->target.len ? llhttp_method_name(r->parser.method) : "-",
                       r->target.len ? target : "-", reply->status,
                       reply->body ? (unsigned long long)reply->len : 0, err < 0 ? " cut" : "");
    (void)!rv_write_all(STDOUT_FILENO, line, (size_t)len, NULL, RV_NEVER);
}
