/* SPDX-License-Identifier: MIT */
/* resolve.c - names and addresses: what can be answered without a question, and who is asked
 * otherwise.
 *
 * A simulation has no name servers, and c-ares has a clock of its own: there names are refused.
 *
 * Names of services come from getservbyname_r(3), which may read files, load modules and talk to
 * daemons, with a stack and a patience of its own: a helper thread calls it.
 * Checked by: tests/unit/io/test_resolve.c and test_resolve_dns.c, tests/fuzz/fuzz_resolve.c */
#include "io/resolve.h"

#include <netdb.h>
#include <string.h>

#include "base/opts.h"
#include "base/seam.h"
#include "io/addr.h"
#include "io/call.h"
#include "sched/wait.h"

struct service {
    const char *name, *protocol;
    uint16_t port;
};

/* On a helper thread. */
static int find_service(void *arg)
{
    struct service *service = arg;
    struct servent entry, *found = NULL;
    char texts[4096];
    int err =
        getservbyname_r(service->name, service->protocol, &entry, texts, sizeof(texts), &found);

    if (!found)
        return err == ENOMEM ? -ENOMEM : -EINVAL;
    service->port = ntohs((uint16_t)found->s_port);
    return 0;
}

static int port_of(const char *name, const char *protocol, uint16_t *ret, rv_time deadline)
{
    struct service service = {.name = name, .protocol = protocol ? protocol : "tcp"};

    *ret = 0;
    if (!name || rvi_addr_port_of(ret, name, NULL) == 0)
        return 0;
    int r = rvi_io_blocking(find_service, &service, deadline);
    *ret = service.port;
    return r;
}

/* The one address that `host` is in digits: 1; it is a name: 0. Names have no colon, so what has
 * one and is no address is refused. */
static int as_address(const char *host, uint16_t port, struct rv_addr *ret)
{
    struct rvi_host_port parts = {.service = "0", .is_bracketed = strchr(host, ':')};
    size_t len = strlen(host);

    if (len >= sizeof(parts.host))
        return -EINVAL;
    memcpy(parts.host, host, len);
    int r = rvi_addr_of(ret, &parts, NULL);
    if (r < 0)
        return parts.is_bracketed ? r : 0;
    r = rv_addr_set_port(ret, port);
    return r < 0 ? r : 1;
}

static bool is_family(int family)
{
    return family == AF_UNSPEC || family == AF_INET || family == AF_INET6;
}

int rv_resolve(const char *host, const char *service, struct rv_addr *addrs, size_t room,
               const struct rv_resolve_opts *opts, rv_time deadline)
{
    struct rv_resolve_opts known;
    struct rv_addr addr;
    uint16_t port;
    int r = rvi_wait_allowed();

    if (r < 0 || (r = rvi_opts_copy(&known, sizeof(known), opts, opts ? opts->size : 0)) < 0)
        return r;
    if (!host || *host == '\0' || room == 0 || !is_family(known.family))
        return -EINVAL;
    if ((r = port_of(service, known.protocol, &port, deadline)) < 0)
        return r;
    if ((r = as_address(host, port, &addr)) == 0)
        return rvi_seam ? -ENOTSUP : rvi_resolve_ask(host, port, addrs, room, &known, deadline);
    if (r < 0)
        return r;
    if (known.family != AF_UNSPEC && known.family != addr.sa.sa_family)
        return -EINVAL;
    addrs[0] = addr;
    return 1;
}

int rv_resolve_name(const struct rv_addr *addr, char *name, size_t room,
                    const struct rv_resolve_opts *opts, rv_time deadline)
{
    struct rv_resolve_opts known;
    int r = rvi_wait_allowed();

    if (r < 0 || (r = rvi_opts_copy(&known, sizeof(known), opts, opts ? opts->size : 0)) < 0)
        return r;
    if (addr->sa.sa_family != AF_INET && addr->sa.sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    return rvi_seam ? -ENOTSUP : rvi_resolve_ask_name(addr, name, room, &known, deadline);
}
