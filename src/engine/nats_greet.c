/* SPDX-License-Identifier: MIT */
/* nats_greet.c - who the server is. It introduces itself with a line, "INFO {...}", to everybody
 * who connects, before any TLS and any name; libnats reads that and does not tell. So a second
 * connection is made, for that line alone, at the server that the first one has found. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/by_nats.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/op.h"
#include "sys/sock.h"

enum { LINE_MOST = 32768, GREETING_MS = 2000, MAJOR = 2, MINOR = 9 };

static const int64_t ms = 1000000;

/* Make it, until the deadline. */
static int64_t make(struct rvi_op *op, int64_t deadline)
{
    int64_t r;

    while ((r = rvi_op_try(op)) == -EAGAIN) {
        r = rvi_op_await(op, deadline);
        if (r < 0)
            return r;
    }
    return r;
}

static int connect_to(const struct addrinfo *at, int64_t deadline)
{
    int fd = rvi_sock_open(at->ai_family, SOCK_STREAM, 0);

    if (fd < 0)
        return fd;
    struct rvi_op op = rvi_op_connect(fd, at->ai_addr, at->ai_addrlen);
    op.is_nonblocking = true;
    int r = (int)make(&op, deadline);
    if (r < 0) {
        rvi_fd_close(fd);
        return r;
    }
    return fd;
}

/* "nats://user:word@host:port": host and port, which lies at the end. */
static bool split(char *url, char **ret_host, char **ret_port)
{
    char *host = strstr(url, "://"), *at = strrchr(url, '@');

    host = at ? at + 1 : host ? host + 3 : url;
    char *port = strrchr(host, ':');
    if (!port)
        return false;
    *port = '\0';
    size_t length = strlen(host);
    if (host[0] == '[' && length > 1 && host[length - 1] == ']') {
        host[length - 1] = '\0';
        host++;
    }
    *ret_host = host;
    *ret_port = port + 1;
    return true;
}

static int open_to(struct rvi_nats *e, int64_t deadline)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found, *at;
    char url[512], *host, *port;
    int fd = -EHOSTUNREACH;

    if (e->api->natsConnection_GetConnectedUrl(e->nc, url, sizeof(url)) != NATS_OK ||
        !split(url, &host, &port) || getaddrinfo(host, port, &hints, &found) != 0)
        return -EHOSTUNREACH;
    for (at = found; at && fd < 0; at = at->ai_next)
        fd = connect_to(at, deadline);
    freeaddrinfo(found);
    return fd;
}

/* Bytes of the first line; 0: it was too long. */
static int64_t read_line(int fd, char *line, size_t room, int64_t deadline)
{
    size_t used = 0;

    while (used < room) {
        struct rvi_op op = rvi_op_recv(fd, line + used, room - used, 0);
        op.is_nonblocking = true;
        int64_t n = make(&op, deadline);
        if (n <= 0)
            return n < 0 ? n : -ECONNRESET;
        char *end = memchr(line + used, '\n', (size_t)n);
        used += (size_t)n;
        if (end)
            return end - line;
    }
    return 0;
}

static int judge(struct rvi_nats *e, const char *line, size_t count,
                 char words[static RVI_ENGINE_WORDS])
{
    struct rvi_json info = {NULL, 0};
    char name[64];

    if (count > 5 && memcmp(line, "INFO ", 5) == 0)
        info = rvi_json_whole(line + 5, count - 5);
    rvi_json_text(rvi_json_member(info, "server_name"), name, sizeof(name));
    rvi_json_text(rvi_json_member(info, "version"), e->version, sizeof(e->version));
    snprintf(e->server, sizeof(e->server), "%s", name);
    e->is_clustered = rvi_json_member(info, "cluster").count > 2;
    unsigned long major = strtoul(e->version, NULL, 10);
    const char *dot = strchr(e->version, '.');
    unsigned long minor = dot ? strtoul(dot + 1, NULL, 10) : 0;
    bool is_new = major > MAJOR || (major == MAJOR && minor >= MINOR);
    bool has_streams = e->is_clustered || rvi_json_is_true(rvi_json_member(info, "jetstream"));
    if (is_new && has_streams)
        return 0;
    if (is_new)
        snprintf(words, RVI_ENGINE_WORDS, "%s: JetStream is not enabled there", e->opts.url);
    else
        snprintf(words, RVI_ENGINE_WORDS, "%s: its version is \"%s\"; %d.%d is the least",
                 e->opts.url, e->version, MAJOR, MINOR);
    return -EPROTO;
}

int rvi_nats_greet(struct rvi_nats *e, char words[static RVI_ENGINE_WORDS])
{
    int64_t deadline = rvi_clock_now() + GREETING_MS * ms;
    char *line = rvi_alloc(LINE_MOST);
    int fd = line ? open_to(e, deadline) : -ENOMEM;
    int64_t n = fd < 0 ? fd : read_line(fd, line, LINE_MOST, deadline);

    words[0] = '\0';
    if (n >= 0)
        n = judge(e, line, (size_t)n, words);
    else
        snprintf(words, RVI_ENGINE_WORDS, "%s: it does not introduce itself: %s", e->opts.url,
                 strerror((int)-n));
    if (fd >= 0)
        rvi_fd_close(fd);
    rvi_free(line);
    return (int)n;
}
