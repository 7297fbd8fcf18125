/* SPDX-License-Identifier: MIT */
/* tls_none.c - TLS in a build without OpenSSL: nobody gets a configuration or a connection, so all
 * that works on one is out of reach. */
#include <ravel/tls.h>

#include <errno.h>

#include "base/check.h"

int rv_tls_config_new(rv_tls_config **ret, const struct rv_tls_config_opts *opts,
                      struct rv_tls_flaw *ret_flaw)
{
    (void)ret, (void)opts;
    if (ret_flaw)
        *ret_flaw = (struct rv_tls_flaw){"this library was built without OpenSSL"};
    return -ENOSYS;
}

static __attribute__((noreturn)) void unreachable(const char *call)
{
    rvi_panic("%s: without OpenSSL there are no connections", call);
}

rv_tls_config *rv_tls_config_free(rv_tls_config *config)
{
    if (config)
        unreachable(__func__);
    return NULL;
}

int rv_tls_client(rv_tls **ret, int fd, rv_tls_config *config, const char *host,
                  const struct rv_tls_opts *opts, rv_time deadline)
{
    (void)ret, (void)fd, (void)config, (void)host, (void)opts, (void)deadline;
    return -ENOSYS;
}

int rv_tls_server(rv_tls **ret, int fd, rv_tls_config *config, const struct rv_tls_opts *opts,
                  rv_time deadline)
{
    (void)ret, (void)fd, (void)config, (void)opts, (void)deadline;
    return -ENOSYS;
}

rv_tls *rv_tls_free(rv_tls *tls)
{
    if (tls)
        unreachable(__func__);
    return NULL;
}

ssize_t rv_tls_read(rv_tls *tls, void *buf, size_t count, rv_time deadline)
{
    (void)tls, (void)buf, (void)count, (void)deadline;
    unreachable(__func__);
}

ssize_t rv_tls_write(rv_tls *tls, const void *buf, size_t count, rv_time deadline)
{
    (void)tls, (void)buf, (void)count, (void)deadline;
    unreachable(__func__);
}

int rv_tls_shutdown(rv_tls *tls, rv_time deadline)
{
    (void)tls, (void)deadline;
    unreachable(__func__);
}

int rv_tls_close(rv_tls *tls, rv_time deadline)
{
    (void)tls, (void)deadline;
    unreachable(__func__);
}

struct rv_stream rv_tls_stream(rv_tls *tls)
{
    (void)tls;
    unreachable(__func__);
}

const char *rv_tls_error(const rv_tls *tls)
{
    (void)tls;
    unreachable(__func__);
}

int rv_tls_info_read(rv_tls *tls, struct rv_tls_info *info)
{
    (void)tls, (void)info;
    unreachable(__func__);
}

ssize_t rv_tls_session(rv_tls *tls, void *buf, size_t room)
{
    (void)tls, (void)buf, (void)room;
    unreachable(__func__);
}
