/* SPDX-License-Identifier: MIT */
/* living.c - a process is its number and when it began.
 *
 * Its pidfd can be read once the last of its threads has ended, whether or not somebody has reaped
 * it; that is the answer as long as the number is its own. Whether it is, /proc/PID/stat says:
 * field 22, proc_pid_stat(5). The pidfd comes first: if the number changes hands between the two
 * looks, the process asked about has ended all the same. Where there is no pidfd, nobody has the
 * number (kill(2) says so), or it is a zombie's that has no threads left (fields 3 and 20).
 *
 * Rejected: kill(pid, 0) alone, which succeeds on a process that has ended and is not reaped yet.
 * The state in /proc/PID/stat alone, which is that of the first thread: it may have ended while
 * others run. Record locks on the shared memory, which the kernel lets go when their process ends,
 * whatever its number: a process loses all of its locks on a file when it closes any descriptor of
 * that file, wherever in the program that happens.
 *
 * Checked by: tests/unit/sys/test_living.c */
#include "sys/living.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/call.h"
#include "sys/fd.h"

enum { STAT_BYTES = 512 }; /* more than enough for what comes before field 23 */

/* What /proc says of whoever has a number now. */
struct facts {
    char state;
    long threads;
    uint32_t start; /* 0: nothing is known */
};

/* The field that comes so many after the name, which may contain anything itself; as a number. */
static long long field_after_name(const char *stat, int number)
{
    const char *at = strrchr(stat, ')');

    for (int i = 0; at != NULL && i < number; i++)
        at = strchr(at + 1, ' ');
    return at == NULL ? 0 : strtoll(at, NULL, 10);
}

static struct facts facts_in(const char *stat)
{
    const char *name_end = strrchr(stat, ')');

    return (struct facts){
        .state = name_end != NULL && name_end[1] == ' ' ? name_end[2] : 0,
        .threads = (long)field_after_name(stat, 18),
        .start = (uint32_t)field_after_name(stat, 20),
    };
}

static struct facts facts_of(uint32_t pid)
{
    char text[STAT_BYTES];

    snprintf(text, sizeof text, "/proc/%u/stat", pid);
    int fd = RVI_CALL(OPEN_PROCESS_STAT, open(text, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return (struct facts){0};
    ssize_t n = RVI_CALL(READ_PROCESS_STAT, read(fd, text, sizeof text - 1));
    rvi_fd_close(fd);
    text[n > 0 ? n : 0] = '\0';
    return facts_in(text);
}

struct rvi_living rvi_living_self(void)
{
    static _Atomic(uint64_t) known; /* pid and start, of the process that asked last */
    uint32_t pid = (uint32_t)getpid();
    uint64_t self = rvi_load_relaxed(&known);

    if (self >> 32 != pid) {
        self = (uint64_t)pid << 32 | facts_of(pid).start;
        rvi_store_relaxed(&known, self);
    }
    return (struct rvi_living){.pid = pid, .start = (uint32_t)self};
}

/* Whoever has the number now. -errno: not known. */
static int number_has_ended(uint32_t pid)
{
    int fd = (int)RVI_CALL(OPEN_PROCESS, syscall(SYS_pidfd_open, pid, 0));

    if (fd < 0) /* EINVAL, ENOENT: a thread of another process has it */
        return errno == ESRCH || errno == EINVAL || errno == ENOENT ? 1 : -errno;
    struct pollfd look = {.fd = fd, .events = POLLIN};
    int n = RVI_CALL(ASK_PROCESS, poll(&look, 1, 0));
    int result = n < 0 ? -errno : (look.revents & POLLIN) != 0;
    rvi_fd_close(fd);
    return result;
}

static bool nobody_has(uint32_t pid)
{
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

bool rvi_living_has_ended(struct rvi_living process)
{
    int ended = number_has_ended(process.pid);

    if (ended > 0 || (ended < 0 && nobody_has(process.pid)))
        return true;
    struct facts facts = facts_of(process.pid);
    if (facts.start == 0)
        return false;
    bool is_zombie = (facts.state == 'Z' || facts.state == 'X') && facts.threads <= 1;
    return is_zombie || (process.start != 0 && facts.start != process.start);
}
