/* SPDX-License-Identifier: MIT */
/* poller.h - epoll(7), with deadlines of the monotonic clock. */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>

/** Errors: -EMFILE, -ENFILE, -ENOMEM. */
int rvi_poller_open(void) __attribute__((warn_unused_result));

/** EPOLL_CTL_ADD, _MOD or _DEL. Errors: -EPERM its file is always ready, or never; -EEXIST, -ENOENT
 * it is there already, is not; -EBADF; -ENOMEM; -ENOSPC too many watches. */
int rvi_poller_control(int poller, int what, int fd, uint32_t events, uint64_t data)
    __attribute__((warn_unused_result));

/** Wait for events until a deadline, which may be past; RV_NEVER is none. Returns how many there
 * are: 0 at the deadline, or some time before it, and when a signal came. */
int rvi_poller_wait(int poller, struct epoll_event *events, int most, int64_t deadline_ns);
