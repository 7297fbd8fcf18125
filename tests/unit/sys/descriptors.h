/* SPDX-License-Identifier: MIT */
/* descriptors.h - one pair of descriptors of each kind that can be waited for: what is written to
 * [1] is read from [0]. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <termios.h>

#include "sys_test.h"

enum pair_kind { OF_PIPE, OF_STREAM, OF_DATAGRAMS, OF_EVENT, OF_TERMINAL, PAIR_KINDS };

/* What is written and read; an eventfd knows no other size. */
enum { PORTION = 8 };

/* The first has the terminal's end that programs see. */
static inline bool open_terminal(int ret[2])
{
    struct termios raw;
    char name[64];
    ret[1] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ret[1] < 0)
        return false;
    assert_int_equal(grantpt(ret[1]) | unlockpt(ret[1]), 0);
    assert_int_equal(ptsname_r(ret[1], name, sizeof name), 0);
    ret[0] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(ret[0] >= 0);
    assert_int_equal(tcgetattr(ret[0], &raw), 0);
    cfmakeraw(&raw);
    assert_int_equal(tcsetattr(ret[0], TCSANOW, &raw), 0);
    return true;
}

static inline bool open_event(int ret[2])
{
    ret[0] = eventfd(0, EFD_CLOEXEC);
    ret[1] = dup(ret[0]);
    return ret[0] >= 0 && ret[1] >= 0;
}

static inline void set_flag(int fd, int flag, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    assert_true(flags >= 0);
    assert_int_equal(fcntl(fd, F_SETFL, on ? flags | flag : flags & ~flag), 0);
}

/* False where the system lets us have none: no terminals. */
static inline bool open_pair(enum pair_kind kind, bool blocks, int ret[2])
{
    bool is_open = kind == OF_PIPE        ? pipe2(ret, O_CLOEXEC) == 0
                   : kind == OF_STREAM    ? socketpair(AF_UNIX, SOCK_STREAM, 0, ret) == 0
                   : kind == OF_DATAGRAMS ? socketpair(AF_UNIX, SOCK_DGRAM, 0, ret) == 0
                   : kind == OF_EVENT     ? open_event(ret)
                                          : open_terminal(ret);
    assert_true(is_open || kind == OF_TERMINAL);
    for (int i = 0; is_open && i < 2; i++)
        set_flag(ret[i], O_NONBLOCK, !blocks);
    return is_open;
}

static inline void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* A terminal's comes a little later. */
static inline void send_portion(const int fds[2])
{
    struct pollfd readable = {.fd = fds[0], .events = POLLIN};
    const uint64_t one = 1;
    assert_int_equal(write(fds[1], &one, sizeof one), PORTION);
    assert_int_equal(poll(&readable, 1, -1), 1);
}

/* Until there is no room for a portion. Not of a terminal, which makes room by itself. */
static inline void fill_up(enum pair_kind kind, int fd)
{
    const uint64_t most = UINT64_MAX - 1, one = 1;
    bool blocks = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    set_flag(fd, O_NONBLOCK, true);
    if (kind == OF_EVENT)
        assert_int_equal(write(fd, &most, sizeof most), PORTION);
    while (write(fd, &one, sizeof one) > 0) {}
    assert_int_equal(errno, EAGAIN);
    set_flag(fd, O_NONBLOCK, !blocks);
}

/* All that there is: room for more than a portion. */
static inline void empty(int fd)
{
    char bytes[4096];
    bool blocks = !(fcntl(fd, F_GETFL) & O_NONBLOCK);
    set_flag(fd, O_NONBLOCK, true);
    while (read(fd, bytes, sizeof bytes) > 0) {}
    assert_int_equal(errno, EAGAIN);
    set_flag(fd, O_NONBLOCK, !blocks);
}
