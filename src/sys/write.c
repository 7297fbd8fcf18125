/* SPDX-License-Identifier: MIT */
#include "sys/write.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "sys/call.h"

/* An error of poll's shows again in the next write. */
static void wait_until_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};

    (void)poll(&wanted, 1, -1);
}

ssize_t rvi_write_some(int fd, const char *bytes, size_t count)
{
    ssize_t n;

    while ((n = RVI_CALL(WRITE, write(fd, bytes, count))) < 0) {
        if (errno == EAGAIN)
            wait_until_writable(fd);
        else if (errno != EINTR)
            return -errno;
    }
    return n;
}

int rvi_write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = rvi_write_some(fd, bytes, count);
        if (n < 0)
            return (int)n;
        bytes += n;
        count -= (size_t)n;
    }
    return 0;
}

/* A signal that was pending before stays so. */
int rvi_write_all_quietly(int fd, const char *bytes, size_t count)
{
    const struct timespec at_once = {0};
    sigset_t broken_pipe, before, pending;

    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
    int r = rvi_write_all(fd, bytes, count);
    if (r == -EPIPE && !sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&broken_pipe, NULL, &at_once); /* of this thread: it is there, or
                                                             ignored */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}
