/* SPDX-License-Identifier: MIT */
/* probe_print.c - what a printed line costs, and how many switches it makes.
 *
 * A line written at once wakes whoever reads the pipe; lines that are collected first wake it once
 * for many. So the switches of both sides are counted (getrusage(2), voluntary and forced) and
 * divided by the lines. Tasks that print also go from one to another; that the kernel does not see,
 * and the runtime tells.
 *
 * A terminal is one half of a pseudo-terminal, raw, so that it adds nothing to the lines; its other
 * half is read as a pipe is, as a terminal's window does.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"

#define LINE "a line of forty characters, as it is used\n"

enum { TASKS = 4, MOST_SAMPLES = 21 };

struct printing {
    int (*print)(long lines);
    long lines;
    bool is_terminal; /* or a pipe */
    int ends[2];
    int begin[2]; /* go on when nobody has its other end any more */
};

/* --- ways to print --- */

static int by_write(long lines)
{
    for (; lines > 0; lines--) {
        if (write(STDOUT_FILENO, LINE, sizeof LINE - 1) != sizeof LINE - 1)
            return -EIO;
    }
    return 0;
}

static int by_printf(long lines, int mode)
{
    static char buffer[64 << 10];

    setvbuf(stdout, buffer, mode, sizeof buffer);
    while (lines-- > 0)
        printf("%s", LINE);
    return fflush(stdout) == 0 ? 0 : -EIO;
}

static int by_printf_lines(long lines)
{
    return by_printf(lines, _IOLBF);
}

static int by_printf_blocks(long lines)
{
    return by_printf(lines, _IOFBF);
}

static void *print_share(void *arg)
{
    for (long left = *(long *)arg; left > 0; left--)
        printf("%s", LINE);
    return NULL;
}

static int by_threads(long lines)
{
    pthread_t threads[TASKS];
    long share = lines / TASKS;

    setvbuf(stdout, NULL, _IOLBF, 4096);
    for (int i = 0; i < TASKS; i++) {
        if (pthread_create(&threads[i], NULL, print_share, &share) != 0)
            return -EAGAIN;
    }
    for (int i = 0; i < TASKS; i++)
        pthread_join(threads[i], NULL);
    return fflush(stdout) == 0 ? 0 : -EIO;
}

static int print_as_task(void *arg)
{
    int r = 0;

    for (long left = *(long *)arg; left > 0 && r >= 0; left--)
        r = rv_print("%s", LINE);
    return r < 0 ? r : 0;
}

static double *task_switches; /* of the last that printed by tasks; shared with us */

static int print_by_tasks(void *arg)
{
    struct rv_run_stats stats = {.size = sizeof stats};
    long share = *(long *)arg / TASKS;
    int err;

    RV_SCOPE(s, err) {
        for (int i = 0; i < TASKS; i++) {
            int r = rv_go(s, print_as_task, &share);
            if (r < 0)
                return r;
        }
    }
    err = err < 0 ? err : rv_print_flush(RV_NEVER);
    err = err < 0 ? err : rv_run_stats_read(&stats);
    *task_switches = (double)stats.switches;
    return err;
}

static int by_tasks(long lines)
{
    return rv_run(print_by_tasks, &lines, NULL);
}

/* --- one run --- */

static int read_all(void *arg)
{
    struct printing *p = arg;
    char block[16384];
    ssize_t n;
    long bytes = 0;

    close(p->ends[1]);
    close(p->begin[1]);
    while ((n = read(p->ends[0], block, sizeof block)) > 0)
        bytes += n;
    if (p->is_terminal && n < 0 && errno == EIO) /* nobody writes any more */
        n = 0;
    return n < 0 || bytes != p->lines * (long)(sizeof LINE - 1) ? -EIO : 0;
}

static int print_all(void *arg)
{
    struct printing *p = arg;
    char none;

    close(p->begin[1]);
    if (dup2(p->ends[1], STDOUT_FILENO) < 0 || read(p->begin[0], &none, 1) != 0)
        return -EIO;
    close(p->ends[1]);
    return p->print(p->lines);
}

/* Of one that has to end well. */
static double switches_of(pid_t pid)
{
    struct rusage used;
    int status;

    if (wait4(pid, &status, 0, &used) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return -EIO;
    return (double)(used.ru_nvcsw + used.ru_nivcsw);
}

static int open_terminal(int ends[2])
{
    struct termios how;
    char name[64];

    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[0] < 0 || grantpt(ends[0]) < 0 || unlockpt(ends[0]) < 0 ||
        ptsname_r(ends[0], name, sizeof name) != 0)
        return -errno;
    ends[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (ends[1] < 0 || tcgetattr(ends[1], &how) < 0)
        return -errno;
    cfmakeraw(&how);
    return tcsetattr(ends[1], TCSANOW, &how) < 0 ? -errno : 0;
}

static int open_ends(struct printing *p)
{
    int r = p->is_terminal ? open_terminal(p->ends) : 0;

    if (r < 0)
        return r;
    if (!p->is_terminal && pipe2(p->ends, O_CLOEXEC) < 0)
        return -errno;
    return pipe2(p->begin, O_CLOEXEC) < 0 ? -errno : 0;
}

static int print_once(struct printing *p, double *ret_ns, double *ret_switches)
{
    int r = open_ends(p);

    if (r < 0)
        return r;
    int writer = lab_fork(print_all, p);
    int reader = writer < 0 ? writer : lab_fork(read_all, p);
    close(p->begin[0]);
    close(p->ends[1]);
    int64_t begin = lab_now();
    close(p->begin[1]);
    double wrote = writer < 0 ? writer : switches_of(writer);
    *ret_ns = (double)(lab_now() - begin) / (double)p->lines;
    double took = reader < 0 ? reader : switches_of(reader);
    close(p->ends[0]);
    *ret_switches = (wrote + took) / (double)p->lines;
    return wrote < 0 || took < 0 ? -EIO : 0;
}

/* Also how often tasks took turns, where tasks print. */
static int tell_way(struct lab_bench *b, const char *name, int (*print)(long lines),
                    bool is_terminal)
{
    double ns[MOST_SAMPLES], switches[MOST_SAMPLES], turns[MOST_SAMPLES];
    long count = lab_pick(b, 3, MOST_SAMPLES);
    struct printing p = {
        .print = print, .lines = lab_pick(b, 1000, 20000), .is_terminal = is_terminal};
    char of_tasks[80];
    int r = 0;

    for (long i = 0; i < count && r == 0; i++) {
        r = print_once(&p, &ns[i], &switches[i]);
        turns[i] = *task_switches / (double)p.lines;
    }
    if (r < 0)
        return is_terminal ? lab_missing(b, "%s: %s", name, strerror(-r)) : r;
    r = lab_tell(b, name, LAB_NOWHERE, "ns", ns, (size_t)count);
    r = r < 0 ? r : lab_tell(b, name, LAB_NOWHERE, "switches", switches, (size_t)count);
    if (r < 0 || print != by_tasks)
        return r;
    snprintf(of_tasks, sizeof of_tasks, "%s, from one to another", name);
    lab_note(b, "of tasks; the kernel sees none of these");
    return lab_tell(b, of_tasks, LAB_NOWHERE, "switches", turns, (size_t)count);
}

int lab_print(struct lab_bench *b)
{
    static const struct {
        const char *name;
        int (*print)(long lines);
        bool is_terminal;
    } ways[] = {{"write(2), a call a line", by_write, false},
                {"printf, written line by line", by_printf_lines, false},
                {"printf, written in blocks", by_printf_blocks, false},
                {"printf to a terminal", by_printf_lines, true},
                {"printf by 4 threads, line by line", by_threads, false},
                {"rv_print by 4 tasks", by_tasks, false}};
    int r = 0;

    task_switches = mmap(NULL, sizeof *task_switches, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (task_switches == MAP_FAILED)
        return -errno;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0] && r == 0; i++)
        r = tell_way(b, ways[i].name, ways[i].print, ways[i].is_terminal);
    return r;
}
