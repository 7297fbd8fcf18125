/* SPDX-License-Identifier: MIT */
/* resident.c - /proc/PID/statm, proc_pid_statm(5): its second number is the pages that are
 * resident, its third those among them of files and of shared memory.
 *
 * Rejected: smaps_rollup, which says more exactly whose pages they are, and walks all of them for
 * that, with the process's map locked.
 *
 * Checked by: tests/unit/sys/test_resident.c */
#include "sys/resident.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys/fd.h"
#include "sys/thread.h"

int rvi_resident_own(pid_t pid, uint64_t *ret_bytes)
{
    unsigned long long resident, shared;
    char text[128];

    snprintf(text, sizeof text, "/proc/%d/statm", (int)pid);
    int fd = RVI_CALL(OPEN_PROCESS_STAT, open(text, O_RDONLY | O_CLOEXEC));
    if (fd < 0)
        return -errno;
    ssize_t n = RVI_CALL(READ_PROCESS_STAT, read(fd, text, sizeof text - 1));
    int error = n < 0 ? errno : ESRCH;
    rvi_fd_close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, "%*u %llu %llu", &resident, &shared) != 2 || resident == 0)
        return -error;
    *ret_bytes = (resident > shared ? resident - shared : 0) * rvi_page_bytes();
    return 0;
}
