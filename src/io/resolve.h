/* SPDX-License-Identifier: MIT */
/* resolve.h - the part of resolving that asks others. resolve.c has answered by then what needs no
 * question, and looked at its arguments. */
#pragma once

#include <errno.h>
#include <stdint.h>

#include <ravel/resolve.h>

#ifdef RVI_HAVE_CARES

/** As rv_resolve() and rv_resolve_name(); `port` is for every address. */
int rvi_resolve_ask(const char *host, uint16_t port, struct rv_addr *addrs, size_t room,
                    const struct rv_resolve_opts *opts, rv_time deadline);
int rvi_resolve_ask_name(const struct rv_addr *addr, char *name, size_t room,
                         const struct rv_resolve_opts *opts, rv_time deadline);

#else

static inline int rvi_resolve_ask(const char *host, uint16_t port, struct rv_addr *addrs,
                                  size_t room, const struct rv_resolve_opts *opts, rv_time deadline)
{
    (void)host, (void)port, (void)addrs, (void)room, (void)opts, (void)deadline;
    return -ENOSYS;
}

static inline int rvi_resolve_ask_name(const struct rv_addr *addr, char *name, size_t room,
                                       const struct rv_resolve_opts *opts, rv_time deadline)
{
    (void)addr, (void)name, (void)room, (void)opts, (void)deadline;
    return -ENOSYS;
}

#endif
