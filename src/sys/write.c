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

static sigset_t broken_pipe(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
}

void rvi_quiet_begin(struct rvi_quiet *quiet)
{
    const sigset_t set = broken_pipe();
    sigset_t pending;

    sigpending(&pending);
    quiet->was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &quiet->mask);
}

/* The signal is this thread's: it is there, or ignored. */
void rvi_quiet_end(const struct rvi_quiet *quiet, bool is_broken)
{
    const struct timespec at_once = {0};
    const sigset_t set = broken_pipe();

    if (is_broken && !quiet->was_pending)
        (void)sigtimedwait(&set, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &quiet->mask, NULL);
}

int rvi_write_all_quietly(int fd, const char *bytes, size_t count)
{
    struct rvi_quiet quiet;

    rvi_quiet_begin(&quiet);
    int r = rvi_write_all(fd, bytes, count);
    rvi_quiet_end(&quiet, r == -EPIPE);
    return r;
}
