/* SPDX-License-Identifier: MIT */
/* addr.h - "host:port" taken apart, for those who look names up. */
#pragma once

#include <stdbool.h>

#include <ravel/addr.h>

enum { RVI_HOST_BYTES = 256, RVI_SERVICE_BYTES = 64 };

/** The two halves of "host:port". */
struct rvi_host_port {
    char host[RVI_HOST_BYTES]; /* without brackets; "": any */
    char service[RVI_SERVICE_BYTES];
    bool is_bracketed; /* so it is an IPv6 address */
    size_t host_at;    /* where they stand in the text */
    size_t service_at;
};

/** Take "host:port" apart. Errors: -EINVAL, with the flaw. */
int rvi_addr_split(struct rvi_host_port *ret, const char *text, struct rv_addr_flaw *ret_flaw)
    __attribute__((warn_unused_result));

/** The numeric address of what was split; the service has to be a number. Errors: -EINVAL, -ENODEV,
 * with the flaw, whose place is in the text that was split. */
int rvi_addr_of(struct rv_addr *ret, const struct rvi_host_port *parts,
                struct rv_addr_flaw *ret_flaw) __attribute__((warn_unused_result));

/** The address of a Unix socket: a path, or "@" and an abstract name. Errors: -EINVAL,
 * -ENAMETOOLONG. */
int rvi_addr_of_path(struct rv_addr *ret, const char *path, struct rv_addr_flaw *ret_flaw)
    __attribute__((warn_unused_result));

/** A decimal port. Errors: -EINVAL, with a flaw at 0. */
int rvi_addr_port_of(uint16_t *ret, const char *text, struct rv_addr_flaw *ret_flaw)
    __attribute__((warn_unused_result));
