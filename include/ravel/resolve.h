/* SPDX-License-Identifier: MIT */
/* resolve.h - from names to addresses and back, by asking the name servers from the task itself.
 *
 * A look-up is a conversation of its own, over sockets of its own: it ends at its deadline or with
 * its scope, at once, and what it held is closed by then. No thread waits anywhere, there is no
 * cache, and none of it is shared: two look-ups of one name ask twice.
 *
 * c-ares does the asking. It reads /etc/hosts, the "hosts" line of /etc/nsswitch.conf (as far as
 * "files" and "dns" go) and /etc/resolv.conf (nameserver, search, domain, sortlist, and the options
 * ndots and rotate) anew for each look-up, so a change of these is seen at once; these small files
 * are read on the task's own thread. It knows the environment's LOCALDOMAIN, RES_OPTIONS and
 * HOSTALIASES. "localhost" never reaches a server, names below "onion" neither (RFC 6761, RFC
 * 7686). A server's first answer is waited for during 5 s, and twice as long in each of the rounds
 * that follow.
 *
 * What it does not do, and getaddrinfo(3) may: other modules of nsswitch.conf (mdns, myhostname,
 * resolve, ldap, wins: where the system has systemd-resolved, its stub at 127.0.0.53 is asked like
 * any server); actions such as [NOTFOUND=return]; resolv.conf's "timeout" and "attempts", before
 * c-ares 1.23; /etc/gai.conf; internationalised names (give
 * them in their xn-- form); DNSSEC, and DNS over TLS or HTTPS. A look-up has some 75 KiB of memory
 * while it is under way.
 *
 * In a build without c-ares addresses in digits work, and names are refused with -ENOSYS; likewise
 * in simulated mode, with -ENOTSUP. */
#pragma once

#include <stddef.h>

#include <ravel/addr.h>
#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/** What a look-up may be told; all zero is the usual. */
struct rv_resolve_opts {
    size_t size;          /* sizeof(struct rv_resolve_opts) */
    int family;           /* AF_INET or AF_INET6: only these; AF_UNSPEC (0): both */
    const char *protocol; /* whose names of services are meant: "tcp" (NULL), "udp" ... */
    const char *servers;  /* ask these, "192.0.2.1,[2001:db8::1]:5353", not those of resolv.conf;
                           * NULL: those */
    rv_time patience_ns;  /* how long a server has for its first answer, doubled with each round;
                           * 0: 5 s, or what RES_OPTIONS says */
    unsigned tries;       /* rounds through the servers; 0: 4, or what RES_OPTIONS says */
};

/** The addresses of a host, best first (RFC 6724, without its rules 3, 4 and 7).
 *
 * An address in digits costs no query: "192.0.2.1", "2001:db8::1", "fe80::1%eth0".
 *
 * @param host      a name or an address in digits
 * @param service   a port in digits, a name of getservbyname(3), which is looked up on a helper
 *                  thread; NULL: port 0
 * @param addrs     filled in, ports included
 * @param room      how many there is room for; the less good ones beyond that are left out
 * @param opts      NULL: the usual
 * @param deadline  absolute nanoseconds, or RV_NEVER: the servers' patience bounds it alone
 * @return how many addresses there are in addrs, 1 to room
 * Errors:  -ENOENT there is no such name; -ENODATA there is, without an address of the family;
 *          -EAGAIN servers say that they cannot answer now; -ETIMEDOUT none has said anything;
 *          -ECONNREFUSED none could be reached; -EBADMSG an answer makes no sense; -EINVAL an
 *          unknown service, an impossible name, an address of another family, or a server's address
 *          that is none; -ENODEV no such interface behind a percent sign; -EACCES, -EIO a file of
 *          /etc cannot be read; -EMFILE, -ENFILE, -ENOMEM; -ENOSYS a build without c-ares; -ENOTSUP
 *          a name in simulated mode; -E2BIG opts has fields from the future; -ETIME deadline;
 *          -ECANCELED scope cancelled
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_resolve(const char *host, const char *service, struct rv_addr *addrs,
                                   size_t room, const struct rv_resolve_opts *opts,
                                   rv_time deadline);

/** The name of an address (reverse look-up: /etc/hosts, then a PTR query).
 *
 * Whoever owns an address may let it claim any name: look that one up again before you believe it.
 *
 * @param addr      AF_INET or AF_INET6
 * @param name      filled in, with its ending zero
 * @param room      bytes there; 256 are enough for every name
 * @param opts      family and protocol mean nothing here; NULL: the usual
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return the name's length
 * Errors:  -ENOENT it has none; -ERANGE no room for it; -EAFNOSUPPORT another family; others as of
 *          rv_resolve
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_resolve_name(const struct rv_addr *addr, char *name, size_t room,
                                        const struct rv_resolve_opts *opts, rv_time deadline);

RV_END_DECLS
