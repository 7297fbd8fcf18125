/* SPDX-License-Identifier: MIT */
/* addr.h - the address of a socket, whatever its family: what names resolve to, what is dialled,
 * and who is at the other end.
 *
 * They are written as 127.0.0.1:80, [::1]:80, [fe80::1%eth0]:80, unix:/run/app.sock and, for the
 * names that are no files, unix:@name. ":80" is the IPv6 address that means any. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <ravel/def.h>

RV_BEGIN_DECLS

/** A socket address and its length, as bind(2) and connect(2) take them. Plain data, copied by
 * assignment. */
struct rv_addr {
    socklen_t len; /* bytes that count of what follows; 0: no address */
    union {
        struct sockaddr sa;              /* sa.sa_family says which of the others is meant */
        struct sockaddr_in in;           /* AF_INET */
        struct sockaddr_in6 in6;         /* AF_INET6 */
        struct sockaddr_un un;           /* AF_UNIX */
        struct sockaddr_storage storage; /* room for any */
    };
};

/** What is wrong with an address's text, and where. */
struct rv_addr_flaw {
    const char *what; /* a few words; static */
    size_t at;        /* bytes from the beginning of the text */
};

/** Read a numeric address.
 *
 * @param ret       the address
 * @param text      as above; host names are for rv_dial() and rv_resolve()
 * @param ret_flaw  written when there is one: what and where; NULL: not asked for
 * @return 0
 * Errors:  -EINVAL not an address, or one that begins with a name; -ENAMETOOLONG a path longer than
 *          the kernel takes; -ENODEV no such interface behind the percent sign
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_addr_parse(struct rv_addr *ret, const char *text,
                                      struct rv_addr_flaw *ret_flaw);

/** Room for any address's text, its end included. */
#define RV_ADDR_TEXT 128

/** Write an address as rv_addr_parse() reads it. NULs in an abstract name become at-signs.
 *
 * @param addr  an address; one of another family, or none, becomes words in brackets
 * @param text  receives the text, cut to what fits, with a NUL
 * @param room  bytes at `text`; RV_ADDR_TEXT is always enough
 * @return the length of the whole text, without its NUL
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_addr_format(const struct rv_addr *addr, char *text, size_t room);

/** An address's port.
 *
 * @param addr  any address
 * @return 0 to 65535
 * Errors:  -EAFNOSUPPORT its family has none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_addr_port(const struct rv_addr *addr);

/** Give an address another port.
 *
 * @param addr  changed
 * @param port  0 to 65535
 * @return 0
 * Errors:  -EAFNOSUPPORT its family has none; -EINVAL no port
 * Blocks:  no
 * Threads: any, one at a time
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_addr_set_port(struct rv_addr *addr, int port);

/** Whether two addresses name the same place: family, host, port and scope, or path.
 *
 * @param a  one
 * @param b  the other
 * @return 1 or 0
 * Errors:  none
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API int rv_addr_equal(const struct rv_addr *a, const struct rv_addr *b);

RV_END_DECLS
