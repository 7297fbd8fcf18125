/* SPDX-License-Identifier: MIT */
/* self.c - the executable is run again by its link in /proc, which leads to the file itself, not to
 * a name: the child of a vfork-like clone has our memory, so its own link leads to our executable.
 *
 * Under Valgrind that link leads to Valgrind. There a descriptor is opened before main, by the name
 * which Valgrind answers for the link, and the executable is run by that descriptor's link, named
 * by our process's number: a traced child is another program first, which has not inherited it.
 *
 * Sharing a life. The kernel sends SIGKILL as the signal of a descriptor that has become ready
 * (O_ASYNC, F_SETSIG), to the process group that is set as its owner: so it reaches a process that
 * is stopped, or whose threads all loop, and what it has started. The pipe is never written to: the
 * one thing that makes it ready is that its other end has been closed by all who had it.
 *
 * Rejected: PR_SET_PDEATHSIG, which is bound to the thread that has started the process rather than
 * to its process, and kills the child alone; a descriptor of the executable opened before main in
 * each program, which takes a low number that programs may count on; execve by the name, which is
 * another file once that was replaced.
 *
 * Checked by: tests/unit/proc/test_proc.c */
#include "sys/self.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/call.h"

#ifdef RVI_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

static char executable[48] = "/proc/self/exe";

#ifdef RVI_HAVE_VALGRIND
void rvi_self_note(void)
{
    char path[4096];
    ssize_t n = RUNNING_ON_VALGRIND ? readlink("/proc/self/exe", path, sizeof path - 1) : -1;

    if (n < 0)
        return;
    path[n] = '\0';
    int fd = RVI_CALL(OPEN, open(path, O_PATH | O_CLOEXEC));
    if (fd >= 0)
        snprintf(executable, sizeof executable, "/proc/%d/fd/%d", (int)getpid(), fd);
}
#else
void rvi_self_note(void)
{
}
#endif

const char *rvi_self_executable(void)
{
    return executable;
}

bool rvi_self_is_privileged(void)
{
    return getauxval(AT_SECURE) != 0;
}

static bool is_over(int fd)
{
    struct pollfd end = {.fd = fd, .events = POLLIN};

    return RVI_CALL(POLL, poll(&end, 1, 0)) > 0;
}

int rvi_self_share_life(int fd)
{
    if (RVI_CALL(SHARE_LIFE, fcntl(fd, F_SETOWN, -getpid())) < 0 ||
        RVI_CALL(SHARE_LIFE, fcntl(fd, F_SETSIG, SIGKILL)) < 0 ||
        RVI_CALL(SHARE_LIFE, fcntl(fd, F_SETFL, O_ASYNC)) < 0)
        return -errno;
    return is_over(fd) ? -EPIPE : 0;
}

/* Whose number is another's by now is not our parent any more. */
int rvi_self_watch_parent(pid_t parent)
{
    long fd = RVI_CALL(OPEN_PIDFD, syscall(SYS_pidfd_open, (long)parent, 0L));
    int error = errno;

    if (getppid() == parent)
        return fd < 0 ? -error : (int)fd;
    if (fd >= 0)
        (void)close((int)fd);
    return -ESRCH;
}

/* The group may be none of ours, if a job has left it. */
void rvi_self_kill_group(void)
{
    if (getpgrp() == getpid())
        (void)kill(0, SIGKILL);
    for (;;)
        (void)kill(getpid(), SIGKILL);
}

void rvi_self_set_name(const char *name)
{
    (void)RVI_CALL(NAME_THREAD, prctl(PR_SET_NAME, name, 0, 0, 0));
}

bool rvi_self_is_control(int fd)
{
    int domain = 0, type = 0;
    socklen_t bytes = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_SEQPACKET;
}
