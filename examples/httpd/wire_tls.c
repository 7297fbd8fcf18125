/* SPDX-License-Identifier: MIT */
/* wire_tls.c - bytes from and to a client through TLS, waited for as a task of Ravel does. A file
 * goes through memory, to be encrypted on its way. */
#include "wire.h"

#include "buffers.h"

#include <errno.h>

static ssize_t tls_read(struct wire *w, char *buf, size_t room, rv_time deadline)
{
    return rv_tls_read(w->tls, buf, room, deadline);
}

/* What TLS takes is on its way at once, so there is nothing to wait for more with. */
static int tls_write(struct wire *w, const char *buf, size_t len, bool more, rv_time deadline)
{
    ssize_t n;
    (void)more;
    for (; len > 0; buf += n, len -= (size_t)n) {
        n = rv_tls_write(w->tls, buf, len, deadline);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

static int tls_send_file(struct wire *w, int file, uint64_t first, uint64_t len, rv_time deadline)
{
    struct buffers *b = buffers_take();
    int err = b ? 0 : -ENOMEM;

    while (err == 0 && len > 0) {
        size_t part = len < sizeof b->out ? (size_t)len : sizeof b->out;
        err = files_read(file, b->out, part, first);
        if (err == 0)
            err = tls_write(w, b->out, part, true, deadline);
        first += part;
        len -= part;
    }
    buffers_give(b);
    return err;
}

static void tls_finish(struct wire *w, rv_time deadline)
{
    if (rv_tls_shutdown(w->tls, deadline) == 0)
        (void)!rv_shutdown(w->fd, SHUT_WR); /* it may have gone already */
}

const struct wire_calls wire_of_tls = {
    .read = tls_read,
    .write = tls_write,
    .send_file = tls_send_file,
    .finish = tls_finish,
    .rest = wire_task_rest,
    .work = wire_task_work,
    .is_last = wire_task_is_last,
};
