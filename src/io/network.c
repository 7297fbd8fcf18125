/* SPDX-License-Identifier: MIT */
/* network.c - sockets as this room makes them, the words for networks, and what of an address means
 * something in each.
 *
 * Checked by: tests/unit/io/test_dial.c, test_listen.c */
#include "io/socket.h"

#include <errno.h>
#include <string.h>

#include "loop/fds.h"
#include "sys/sock.h"

int rvi_socket_open(int family, int type)
{
    int fd = rvi_sock_open(family, type, 0);

    if (fd >= 0)
        rvi_fds_made(fd, true);
    return fd;
}

static const struct {
    const char *word;
    struct rvi_network network;
} words[] = {
    {"tcp", {AF_UNSPEC, SOCK_STREAM}},         {"tcp4", {AF_INET, SOCK_STREAM}},
    {"tcp6", {AF_INET6, SOCK_STREAM}},         {"udp", {AF_UNSPEC, SOCK_DGRAM}},
    {"udp4", {AF_INET, SOCK_DGRAM}},           {"udp6", {AF_INET6, SOCK_DGRAM}},
    {"unix", {AF_UNIX, SOCK_STREAM}},          {"unixgram", {AF_UNIX, SOCK_DGRAM}},
    {"unixpacket", {AF_UNIX, SOCK_SEQPACKET}},
};

int rvi_network_of(struct rvi_network *ret, const char *word)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, word) == 0) {
            *ret = words[i].network;
            return 0;
        }
    }
    return -EINVAL;
}

const char *rvi_network_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
}

void rvi_host_replace(struct rvi_host_port *parts, const char *host)
{
    strncpy(parts->host, host, sizeof parts->host - 1);
    parts->is_bracketed = strchr(host, ':') != NULL;
}

int rvi_network_addr(struct rv_addr *ret, const struct rvi_network *network,
                     const struct rvi_host_port *parts)
{
    struct rv_addr addr;
    int r = rvi_addr_of(&addr, parts, NULL);

    if (r < 0)
        return r;
    if (network->family != AF_UNSPEC && network->family != addr.sa.sa_family)
        return -EINVAL;
    *ret = addr;
    return 0;
}
