/* SPDX-License-Identifier: MIT */
/* runner.c - each probe in a child of its own, that reports through a pipe.
 *
 *   R1  this process has no thread but its first, and no runtime: whatever a probe does to its
 *       address space, its descriptors or its priority ends with it
 *   R2  a child leads a process group; when it has ended, or takes too long, or the user has had
 *       enough, the whole group is killed, so nothing that a probe has started outlives it
 *   R3  a child dies with its parent
 *
 * Checked by: tests/unit/lab/test_runner.c, tests/cli/test_lab.py */
#include "lab/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/wire.h"

/* LIMIT times its usual length, and some seconds more on a loaded machine. */
enum { LIMIT = 5, LIMIT_MORE_SECONDS = 60, LOOK_MS = 100 };

/* Roughly, by how much; for the bar alone. */
enum { QUICKER = 30 };

struct running {
    const struct lab_probe *probe;
    struct lab_result *result;
    pid_t pid;
    int fd;
    int64_t began;
};

bool lab_probe_exists(const char *name, size_t bytes)
{
    for (const struct lab_probe *p = lab_probes; p->name; p++) {
        if (strlen(p->name) == bytes && strncmp(p->name, name, bytes) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct lab_probe *probe, const char *only)
{
    while (only && *only) {
        size_t bytes = strcspn(only, ",");
        if (strlen(probe->name) == bytes && strncmp(only, probe->name, bytes) == 0)
            return true;
        only += bytes + (only[bytes] == ',');
    }
    return !only;
}

/* --- in the child --- */

__attribute__((noreturn)) static void play(const struct lab_probe *probe, int fd, bool is_quick)
{
    struct lab_bench bench;

    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    lab_bench_init(&bench, fd, is_quick);
    int r = probe->run(&bench);
    if (r < 0)
        (void)lab_fail(&bench, strerror(-r));
    _exit(0);
}

/* --- in the parent --- */

static int start(struct running *run, bool is_quick)
{
    int ends[2];
    pid_t us = getpid();

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    run->pid = fork();
    if (run->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != us)
            _exit(1);
        close(ends[0]);
        play(run->probe, ends[1], is_quick);
    }
    int err = run->pid < 0 ? -errno : 0;
    close(ends[1]);
    run->fd = ends[0];
    run->began = lab_now();
    if (err < 0)
        close(ends[0]);
    else
        setpgid(run->pid, run->pid); /* whoever is first */
    return err;
}

/* 1: one was read; 0: none is there; -errno. */
static int take_record(struct running *run)
{
    struct lab_record record;
    ssize_t count = read(run->fd, &record, sizeof record);

    if (count != (ssize_t)sizeof record)
        return count < 0 && errno != EINTR ? -errno : 0;
    if (record.kind == LAB_FIGURE) {
        int err = lab_result_add(run->result, &record.figure);
        return err < 0 ? err : 1;
    }
    memcpy(run->result->why_not, record.why_not, sizeof record.why_not);
    run->result->has_failed = record.kind == LAB_FAILED;
    return 1;
}

static int take_all(struct running *run, int wait_ms)
{
    struct pollfd ready = {.fd = run->fd, .events = POLLIN};
    int r = 1;

    while (r > 0 && poll(&ready, 1, wait_ms) == 1 && ready.revents & POLLIN) {
        r = take_record(run);
        wait_ms = 0;
    }
    return r < 0 ? r : 0;
}

__attribute__((format(printf, 2, 3))) static void fail(struct running *run, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(run->result->why_not, sizeof run->result->why_not, format, args);
    va_end(args);
    run->result->has_failed = true;
}

static void judge_end(struct running *run, int status)
{
    if (WIFSIGNALED(status))
        fail(run, "it was killed by signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        fail(run, "it ended with status %d", WEXITSTATUS(status));
}

static int stop(struct running *run, bool has_ended)
{
    int status;

    kill(-run->pid, SIGKILL);
    while (!has_ended && waitpid(run->pid, &status, 0) < 0 && errno == EINTR) {}
    close(run->fd);
    run->result->seconds = (double)(lab_now() - run->began) / 1e9;
    return 0;
}

static bool is_late(struct running *run)
{
    double limit = (double)(LIMIT * run->probe->seconds + LIMIT_MORE_SECONDS);

    if ((double)(lab_now() - run->began) / 1e9 < limit)
        return false;
    fail(run, "it took longer than %.0f s", limit);
    return true;
}

static void show(const struct lab_run *how, const struct running *run, double before, double all)
{
    const struct lab_result *r = run->result;
    double passed = (double)(lab_now() - run->began) / 1e9, usual = (double)run->probe->seconds;
    double expected = how->is_quick ? usual / QUICKER : usual;

    if (how->progress)
        how->progress((before + usual * passed / (passed + expected)) / all, run->probe->name,
                      r->count ? r->figures[r->count - 1].name : "", how->progress_arg);
}

static int interrupted(struct running *run)
{
    fail(run, "it was interrupted");
    return -EINTR;
}

/* Until it has ended, by itself or by us. */
static int watch(struct running *run, const struct lab_run *how, double before, double all)
{
    int status, err = 0;

    for (;;) {
        bool has_ended = waitpid(run->pid, &status, WNOHANG) == run->pid;
        int taken = take_all(run, has_ended ? 0 : LOOK_MS);
        show(how, run, before, all);
        if (taken < 0)
            err = taken;
        else if (how->interrupted && *how->interrupted)
            err = interrupted(run);
        if (has_ended)
            judge_end(run, status);
        if (has_ended || err < 0 || is_late(run)) {
            stop(run, has_ended);
            return err;
        }
    }
}

static int run_one(struct lab_report *report, const struct lab_probe *probe,
                   const struct lab_run *how, double before, double all)
{
    struct running run = {.probe = probe};
    int err = lab_report_add(report, probe->name, probe->title, probe->method, probe->axis);

    if (err < 0)
        return err;
    run.result = &report->results[report->count - 1];
    err = start(&run, how->is_quick);
    return err < 0 ? err : watch(&run, how, before, all);
}

int lab_run(struct lab_report *report, const struct lab_run *how)
{
    int64_t began = lab_now();
    double all = 0, before = 0;
    int err = 0;

    for (const struct lab_probe *p = lab_probes; p->name; p++)
        all += is_wanted(p, how->only) ? (double)p->seconds : 0;
    for (const struct lab_probe *p = lab_probes; p->name && err == 0; p++) {
        if (!is_wanted(p, how->only))
            continue;
        err = run_one(report, p, how, before, all);
        before += (double)p->seconds;
    }
    report->seconds = (double)(lab_now() - began) / 1e9;
    return err;
}
