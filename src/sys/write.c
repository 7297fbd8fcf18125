/* SPDX-License-Identifier: MIT */
#include "sys/write.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "sys/call.h"

/* An error of poll's shows again in the next write. */
static void wait_until_writable(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};

    (void)poll(&wanted, 1, -1);
}

int rvi_write_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = RVI_CALL(WRITE, write(fd, bytes, count));
        if (n >= 0) {
            bytes += n;
            count -= (size_t)n;
        } else if (errno == EAGAIN) {
            wait_until_writable(fd);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}
