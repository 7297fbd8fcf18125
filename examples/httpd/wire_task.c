/* SPDX-License-Identifier: MIT */
/* wire_task.c - bytes from and to a client, waited for as a task of Ravel does. */
#include "wire.h"

#include <errno.h>

#include <sys/socket.h>

static ssize_t task_read(struct wire *w, char *buf, size_t room, rv_time deadline)
{
    return rv_recv(w->fd, buf, room, 0, deadline);
}

static int task_write(struct wire *w, const char *buf, size_t len, bool more, rv_time deadline)
{
    ssize_t n;
    for (; len > 0; buf += n, len -= (size_t)n) {
        n = rv_send(w->fd, buf, len, more ? MSG_MORE : 0, deadline);
        if (n < 0)
            return (int)n;
    }
    return 0;
}

static int task_send_file(struct wire *w, int file, uint64_t first, uint64_t len, rv_time deadline)
{
    uint64_t done;
    int err = rv_sendfile(w->fd, file, (int64_t)first, len, &done, deadline);
    return err == 0 && done < len ? -EIO : err;
}

static void task_finish(struct wire *w, rv_time deadline)
{
    (void)deadline;
    (void)!rv_shutdown(w->fd, SHUT_WR); /* it may have gone already */
}

bool wire_task_rest(struct wire *w)
{
    return rv_conn_idle(w->conn) == 0;
}

void wire_task_work(struct wire *w)
{
    rv_conn_busy(w->conn);
}

bool wire_task_is_last(struct wire *w)
{
    return rv_conn_is_draining(w->conn);
}

const struct wire_calls wire_of_task = {
    .read = task_read,
    .write = task_write,
    .send_file = task_send_file,
    .finish = task_finish,
    .rest = wire_task_rest,
    .work = wire_task_work,
    .is_last = wire_task_is_last,
};
