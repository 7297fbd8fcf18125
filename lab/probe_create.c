/* SPDX-License-Identifier: MIT */
/* probe_create.c - starting and ending processes, threads and tasks.
 *
 * fork(2) copies page tables, so what it takes grows with the memory that the parent has touched;
 * hence the second half, after a large block has been. Its pages are written one by one: it may be
 * made of huge pages or small ones, as the machine is set up.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"

extern char **environ;

struct nothing {
    int none;
};

static int lab_do_nothing(const struct nothing *in, struct nothing *out)
{
    *out = *in;
    return 0;
}
RV_JOB(lab_do_nothing, struct nothing, struct nothing);

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int fork_some(void *arg, long ops)
{
    int r = 0;

    for (; ops > 0 && r == 0; ops--) {
        int pid = lab_fork(end_at_once, arg);
        r = pid < 0 ? pid : lab_reap(pid);
    }
    return r;
}

static int spawn_some(void *arg, long ops)
{
    char program[] = "/bin/true", *argv[] = {program, NULL};
    int r = 0;

    (void)arg;
    for (; ops > 0 && r == 0; ops--) {
        pid_t pid;
        r = -posix_spawn(&pid, program, NULL, NULL, argv, environ);
        r = r < 0 ? r : lab_reap(pid);
    }
    return r;
}

/* Opened, one job done, closed. */
static int use_worker_process(void *arg, long ops)
{
    struct nothing in = {0}, out;
    rv_executor *ex;
    int r = 0;

    (void)arg;
    for (; ops > 0 && r == 0; ops--) {
        r = rv_executor_open(&ex, "processes:1", NULL);
        if (r < 0)
            return r;
        r = rv_map(ex, lab_do_nothing, &in, 1, &out, NULL, rv_after(RV_MINUTE));
        int closed = rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(RV_MINUTE));
        r = r < 0 ? r : closed;
    }
    return r;
}

static void *return_at_once(void *arg)
{
    return arg;
}

static int start_threads(void *arg, long ops)
{
    int r = 0;

    for (; ops > 0 && r == 0; ops--) {
        pthread_t thread;
        r = -pthread_create(&thread, NULL, return_at_once, arg);
        r = r < 0 ? r : -pthread_join(thread, NULL);
    }
    return r;
}

static int start_tasks(void *arg, long ops)
{
    int r = 0;

    for (; ops > 0 && r == 0; ops--) {
        rv_scope *s;
        r = rv_scope_open(&s, NULL);
        if (r < 0)
            return r;
        r = rv_go(s, end_at_once, arg);
        int closed = rv_scope_close(s);
        r = r < 0 ? r : closed;
    }
    return r;
}

/* --- with a parent of some size --- */

struct parent {
    struct lab_bench *b;
    char words[48];
};

static int time_one(struct parent *p, const char *what, lab_fn *fn)
{
    char name[80];

    snprintf(name, sizeof name, "%s%s", what, p->words);
    return lab_time(p->b, name, LAB_NOWHERE, fn, NULL, 1);
}

static int time_tasks(void *arg)
{
    return time_one(arg, "task", start_tasks);
}

static int time_all(struct parent *p)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    char name[80];
    int r = time_one(p, "process, by fork", fork_some);

    if (r == 0 && access("/bin/true", X_OK) == 0)
        r = time_one(p, "program, by posix_spawn", spawn_some);
    snprintf(name, sizeof name, "worker process%s", p->words);
    if (r == 0)
        r = lab_time_once(p->b, name, LAB_NOWHERE, use_worker_process, NULL, lab_pick(p->b, 3, 15));
    if (r == 0)
        r = time_one(p, "thread", start_threads);
    return r < 0 ? r : rv_run(time_tasks, p, &opts);
}

int lab_create(struct lab_bench *b)
{
    struct parent p = {.b = b};
    size_t mib = (size_t)lab_pick(b, 64, 1024);
    int r = time_all(&p);

    if (r < 0)
        return r;
    if (lab_proc_bytes("/proc/meminfo", "MemAvailable") < (double)(mib << 20) * 2)
        return lab_missing(b, "there is too little memory for a large parent");
    char *block = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return -errno;
    memset(block, 1, mib << 20);
    snprintf(p.words, sizeof p.words, ", parent of %zu %s", mib >= 1024 ? mib >> 10 : mib,
             mib >= 1024 ? "GiB" : "MiB");
    r = time_all(&p);
    munmap(block, mib << 20);
    return r;
}
