/* SPDX-License-Identifier: MIT */
/* wire_thread.c - bytes from and to a client, waited for as a thread does: plain blocking calls. */
#include "wire.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

/* What a call says whose SO_RCVTIMEO or SO_SNDTIMEO has passed. */
static int error_of_call(void)
{
    return errno == EAGAIN ? -ETIME : -errno;
}

static ssize_t thread_read(struct wire *w, char *buf, size_t room, rv_time deadline)
{
    ssize_t n;
    (void)deadline;
    do
        n = recv(w->fd, buf, room, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? error_of_call() : n;
}

static int thread_write(struct wire *w, const char *buf, size_t len, bool more, rv_time deadline)
{
    (void)deadline;
    while (len > 0) {
        ssize_t n = send(w->fd, buf, len, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        if (n < 0 && errno != EINTR)
            return error_of_call();
        buf += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int thread_send_file(struct wire *w, int file, uint64_t first, uint64_t len,
                            rv_time deadline)
{
    off_t at = (off_t)first;
    (void)deadline;
    while (len > 0) {
        ssize_t n = sendfile(w->fd, file, &at, len);
        if (n < 0 && errno != EINTR)
            return error_of_call();
        if (n == 0)
            return -EIO;
        len -= n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}

static void thread_finish(struct wire *w, rv_time deadline)
{
    (void)deadline;
    shutdown(w->fd, SHUT_WR);
}

const struct wire_calls wire_of_thread = {thread_read, thread_write, thread_send_file,
                                          thread_finish};
