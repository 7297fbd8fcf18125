/* SPDX-License-Identifier: MIT */
/* addr.c - addresses to text and back.
 *
 * Numbers only, so that nothing here can wait: whatever is not a number is refused with the place
 * where the number should have been, and goes to a resolver by those who may wait. An IPv6 host
 * with a port is written in brackets (RFC 3986, 3.2.2), its zone behind a percent sign (RFC 4007,
 * 11.2). IPv4 is four decimals; the forms of inet_aton(3) are refused.
 *
 * Checked by: tests/unit/io/test_addr.c */
#include <ravel/addr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/addr.h"
#include "sys/sock.h"

#define UNIX_PREFIX "unix:"
#define UNIX_PREFIX_LEN (sizeof UNIX_PREFIX - 1)
#define PATH_AT offsetof(struct sockaddr_un, sun_path)

static int flawed(struct rv_addr_flaw *ret, int err, const char *what, size_t at)
{
    if (ret)
        *ret = (struct rv_addr_flaw){what, at};
    return err;
}

static int moved(int err, struct rv_addr_flaw *ret_flaw, size_t by)
{
    if (err < 0 && ret_flaw)
        ret_flaw->at += by;
    return err;
}

/* --- from text --- */

int rvi_addr_port_of(uint16_t *ret, const char *text, struct rv_addr_flaw *ret_flaw)
{
    size_t digits = strspn(text, "0123456789");

    if (text[digits] != '\0')
        return flawed(ret_flaw, -EINVAL, "the port is not a number", digits);
    if (digits == 0)
        return flawed(ret_flaw, -EINVAL, "no port behind the colon", 0);
    if (digits > 5 || atoi(text) > UINT16_MAX)
        return flawed(ret_flaw, -EINVAL, "the port is beyond 65535", 0);
    *ret = (uint16_t)atoi(text);
    return 0;
}

/* Copies what fits; false when it does not. */
static bool copy(char *to, size_t room, const char *from, size_t len)
{
    if (len >= room)
        return false;
    memcpy(to, from, len);
    to[len] = '\0';
    return true;
}

static int keep_parts(struct rvi_host_port *ret, const char *text, size_t host_at, size_t host_end,
                      size_t service_at, struct rv_addr_flaw *ret_flaw)
{
    const char *service = text + service_at;

    if (!copy(ret->host, sizeof ret->host, text + host_at, host_end - host_at))
        return flawed(ret_flaw, -EINVAL, "the host is longer than a name can be", host_at);
    if (!copy(ret->service, sizeof ret->service, service, strlen(service)))
        return flawed(ret_flaw, -EINVAL, "the port is longer than a service's name", service_at);
    ret->host_at = host_at;
    ret->service_at = service_at;
    return 0;
}

static int split_bracketed(struct rvi_host_port *ret, const char *text,
                           struct rv_addr_flaw *ret_flaw)
{
    const char *end = strchr(text, ']');

    if (!end)
        return flawed(ret_flaw, -EINVAL, "the bracket is not closed", strlen(text));
    size_t at = (size_t)(end - text);
    if (end[1] != ':')
        return flawed(ret_flaw, -EINVAL, "no port: write [host]:port", at + 1);
    ret->is_bracketed = true;
    return keep_parts(ret, text, 1, at, at + 2, ret_flaw);
}

int rvi_addr_split(struct rvi_host_port *ret, const char *text, struct rv_addr_flaw *ret_flaw)
{
    const char *colon = strrchr(text, ':');

    ret->is_bracketed = false;
    if (text[0] == '[')
        return split_bracketed(ret, text, ret_flaw);
    if (!colon)
        return flawed(ret_flaw, -EINVAL, "no port: write host:port", strlen(text));
    if (strchr(text, ':') != colon)
        return flawed(ret_flaw, -EINVAL, "an IPv6 address wants brackets: [host]:port", 0);
    size_t at = (size_t)(colon - text);
    return keep_parts(ret, text, 0, at, at + 1, ret_flaw);
}

/* Behind the percent sign: an interface's name or its number. */
static int read_scope(struct rv_addr *ret, const char *zone, struct rv_addr_flaw *ret_flaw,
                      size_t at)
{
    size_t digits = strspn(zone, "0123456789");
    unsigned index = 0;

    if (digits > 0 && digits < 10 && zone[digits] == '\0')
        index = (unsigned)atoi(zone);
    else if (*zone)
        index = rvi_sock_interface(zone);
    if (index == 0)
        return flawed(ret_flaw, -ENODEV, "no such interface", at);
    ret->in6.sin6_scope_id = index;
    return 0;
}

static int read_v6(struct rv_addr *ret, const char *host, struct rv_addr_flaw *ret_flaw, size_t at)
{
    char digits[RVI_HOST_BYTES];
    const char *zone = strchr(host, '%');
    size_t len = zone ? (size_t)(zone - host) : strlen(host);

    memcpy(digits, host, len);
    digits[len] = '\0';
    ret->len = sizeof ret->in6;
    ret->in6.sin6_family = AF_INET6;
    if (inet_pton(AF_INET6, digits, &ret->in6.sin6_addr) != 1)
        return flawed(ret_flaw, -EINVAL, "not an IPv6 address", at);
    return zone ? read_scope(ret, zone + 1, ret_flaw, at + len + 1) : 0;
}

static int read_v4(struct rv_addr *ret, const char *host, struct rv_addr_flaw *ret_flaw, size_t at)
{
    ret->len = sizeof ret->in;
    ret->in.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &ret->in.sin_addr) != 1)
        return flawed(ret_flaw, -EINVAL, "not a numeric address", at);
    return 0;
}

int rvi_addr_of(struct rv_addr *ret, const struct rvi_host_port *parts,
                struct rv_addr_flaw *ret_flaw)
{
    struct rv_addr addr = {0};
    uint16_t port;
    const char *host = parts->host[0] || parts->is_bracketed ? parts->host : "::";
    bool is_v6 = parts->is_bracketed || parts->host[0] == '\0';
    int r = is_v6 ? read_v6(&addr, host, ret_flaw, parts->host_at)
                  : read_v4(&addr, host, ret_flaw, parts->host_at);

    if (r < 0)
        return r;
    r = moved(rvi_addr_port_of(&port, parts->service, ret_flaw), ret_flaw, parts->service_at);
    if (r < 0 || (r = rv_addr_set_port(&addr, port)) < 0)
        return r;
    *ret = addr;
    return 0;
}

int rvi_addr_of_path(struct rv_addr *ret, const char *path, struct rv_addr_flaw *ret_flaw)
{
    struct rv_addr addr = {.un = {.sun_family = AF_UNIX}};
    size_t len = strlen(path);
    bool is_abstract = path[0] == '@';

    if (len == (is_abstract ? 1 : 0))
        return flawed(ret_flaw, -EINVAL, "no path", len);
    if (len > sizeof addr.un.sun_path - (is_abstract ? 0 : 1))
        return flawed(ret_flaw, -ENAMETOOLONG, "the path is longer than a socket's can be",
                      sizeof addr.un.sun_path - (is_abstract ? 0 : 1));
    memcpy(addr.un.sun_path, path, len);
    if (is_abstract)
        addr.un.sun_path[0] = '\0';
    addr.len = (socklen_t)(PATH_AT + len + (is_abstract ? 0 : 1));
    *ret = addr;
    return 0;
}

int rv_addr_parse(struct rv_addr *ret, const char *text, struct rv_addr_flaw *ret_flaw)
{
    struct rvi_host_port parts;

    if (strncmp(text, UNIX_PREFIX, UNIX_PREFIX_LEN) == 0)
        return moved(rvi_addr_of_path(ret, text + UNIX_PREFIX_LEN, ret_flaw), ret_flaw,
                     UNIX_PREFIX_LEN);
    int r = rvi_addr_split(&parts, text, ret_flaw);
    return r < 0 ? r : rvi_addr_of(ret, &parts, ret_flaw);
}

/* --- to text --- */

static int format_v4(const struct sockaddr_in *in, char *text, size_t room)
{
    char host[INET_ADDRSTRLEN];

    inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
    return snprintf(text, room, "%s:%u", host, ntohs(in->sin_port));
}

static int format_v6(const struct sockaddr_in6 *in6, char *text, size_t room)
{
    char host[INET6_ADDRSTRLEN], zone[12] = "";

    inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    if (in6->sin6_scope_id)
        snprintf(zone, sizeof zone, "%%%u", in6->sin6_scope_id);
    return snprintf(text, room, "[%s%s]:%u", host, zone, ntohs(in6->sin6_port));
}

/* A path may fill its place, and then has no NUL. */
static size_t path_len(const struct rv_addr *addr)
{
    size_t room = addr->len > PATH_AT ? addr->len - PATH_AT : 0;

    return room > 0 && addr->un.sun_path[0] ? strnlen(addr->un.sun_path, room) : room;
}

static int format_path(const struct rv_addr *addr, char *text, size_t room)
{
    char path[sizeof addr->un.sun_path + 1];
    size_t len = path_len(addr);

    for (size_t i = 0; i < len; i++)
        path[i] = addr->un.sun_path[i] ? addr->un.sun_path[i] : '@';
    path[len] = '\0';
    return snprintf(text, room, UNIX_PREFIX "%s", path);
}

int rv_addr_format(const struct rv_addr *addr, char *text, size_t room)
{
    if (addr->len == 0)
        return snprintf(text, room, "(no address)");
    switch (addr->sa.sa_family) {
    case AF_INET:
        return format_v4(&addr->in, text, room);
    case AF_INET6:
        return format_v6(&addr->in6, text, room);
    case AF_UNIX:
        return format_path(addr, text, room);
    default:
        return snprintf(text, room, "(family %d)", addr->sa.sa_family);
    }
}

/* --- parts --- */

/* NULL: the family has none. In network order. */
static in_port_t *port_in(struct rv_addr *addr)
{
    if (addr->len == 0)
        return NULL;
    return addr->sa.sa_family == AF_INET    ? &addr->in.sin_port
           : addr->sa.sa_family == AF_INET6 ? &addr->in6.sin6_port
                                            : NULL;
}

int rv_addr_port(const struct rv_addr *addr)
{
    const in_port_t *port = port_in((struct rv_addr *)(uintptr_t)addr);

    return port ? ntohs(*port) : -EAFNOSUPPORT;
}

int rv_addr_set_port(struct rv_addr *addr, int port)
{
    in_port_t *place = port_in(addr);

    if (!place)
        return -EAFNOSUPPORT;
    if (port < 0 || port > UINT16_MAX)
        return -EINVAL;
    *place = htons((uint16_t)port);
    return 0;
}

int rv_addr_equal(const struct rv_addr *a, const struct rv_addr *b)
{
    if (a->len == 0 || b->len == 0)
        return a->len == b->len;
    if (a->sa.sa_family != b->sa.sa_family)
        return 0;
    switch (a->sa.sa_family) {
    case AF_INET:
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    case AF_INET6:
        return a->in6.sin6_port == b->in6.sin6_port &&
               a->in6.sin6_scope_id == b->in6.sin6_scope_id &&
               IN6_ARE_ADDR_EQUAL(&a->in6.sin6_addr, &b->in6.sin6_addr);
    case AF_UNIX:
        return path_len(a) == path_len(b) &&
               memcmp(a->un.sun_path, b->un.sun_path, path_len(a)) == 0;
    default:
        return a->len == b->len && memcmp(&a->storage, &b->storage, a->len) == 0;
    }
}
