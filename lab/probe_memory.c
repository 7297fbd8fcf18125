/* SPDX-License-Identifier: MIT */
/* probe_memory.c - what a process, a thread and a task occupy while they wait, and how many there
 * can be.
 *
 * A process is asked for what it alone has (Private_* of smaps_rollup) and its page tables.
 * Threads and tasks share theirs, so what their process has more after starting some is divided by
 * their number, several times over: the first ones, for which memory is got in large steps, are
 * not counted.
 *
 * For "fit" so many are really there at one time. No more than a bound is tried, as the last ones
 * that fit take the machine with them; what the limits allow beyond is worked out and said in the
 * note.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"
#include "lab/report.h"

enum { ROUNDS = 6, THREAD_STACK_BYTES = 64 << 10 };

/* --- who waits --- */

static int wait_to_be_killed(void *arg)
{
    (void)arg;
    while (pause() < 0) {}
    return 0;
}

/* As many of those asked for as can be had; *why says what stopped them, or is 0. */
static long start_processes(pid_t *pids, long count, int *why)
{
    long i;

    *why = 0;
    for (i = 0; i < count; i++) {
        int pid = lab_fork(wait_to_be_killed, NULL);
        if (pid < 0) {
            *why = pid;
            break;
        }
        pids[i] = pid;
    }
    return i;
}

static void end_processes(const pid_t *pids, long count)
{
    for (long i = 0; i < count; i++)
        kill(pids[i], SIGKILL);
    for (long i = 0; i < count; i++)
        waitpid(pids[i], NULL, 0);
}

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_open;
};

static void *wait_at_gate(void *arg)
{
    struct gate *gate = arg;

    pthread_mutex_lock(&gate->lock);
    while (!gate->is_open)
        pthread_cond_wait(&gate->opened, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return NULL;
}

static long start_threads(pthread_t *threads, long count, struct gate *gate, int *why)
{
    pthread_attr_t attr;
    long i;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    for (i = 0, *why = 0; i < count && *why == 0;) {
        *why = -pthread_create(&threads[i], &attr, wait_at_gate, gate);
        i += *why == 0;
    }
    pthread_attr_destroy(&attr);
    return i;
}

static void end_threads(const pthread_t *threads, long count, struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->is_open = true;
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
    for (long i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static struct rv_event task_gate = RV_EVENT_INIT;
static long tasks_waiting;

static int wait_as_task(void *arg)
{
    (void)arg;
    tasks_waiting++;
    return rv_event_wait(&task_gate, RV_NEVER);
}

/* @return 0, or why the next one could not be started */
static int start_tasks(rv_scope *scope, long count)
{
    int r = 0;

    for (long wanted = tasks_waiting + count; tasks_waiting < wanted && r == 0;) {
        for (long i = tasks_waiting; i < wanted && r == 0; i++)
            r = rv_go(scope, wait_as_task, NULL);
        for (long before = -1; before != tasks_waiting;) {
            before = tasks_waiting;
            rv_yield();
        }
    }
    return r;
}

/* --- memory --- */

/* Until it waits, its pages are not all there. */
static int processes_memory(struct lab_bench *b, const char *name)
{
    double samples[20];
    pid_t pids[20] = {0};
    int why;
    long count = start_processes(pids, lab_pick(b, 6, 20), &why);

    usleep(20000);
    for (long i = 0; i < count; i++)
        samples[i] = lab_memory_of(pids[i]);
    end_processes(pids, count);
    return why < 0 ? why : lab_tell(b, name, LAB_NOWHERE, "bytes", samples, (size_t)count);
}

struct who {
    int pid;
};

static int lab_who_are_you(const int *in, struct who *out)
{
    usleep((useconds_t)*in); /* so that another worker takes the next */
    out->pid = getpid();
    return 0;
}
RV_JOB(lab_who_are_you, int, struct who);

static int workers_memory(struct lab_bench *b)
{
    int in[4] = {20000, 20000, 20000, 20000};
    struct who out[4];
    double samples[4];
    rv_executor *ex;
    int r = rv_executor_open(&ex, "processes:4", NULL);

    if (r < 0)
        return r;
    r = rv_map(ex, lab_who_are_you, in, 4, out, NULL, rv_after(RV_MINUTE));
    for (int i = 0; i < 4 && r == 0; i++)
        samples[i] = lab_memory_of(out[i].pid);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(RV_MINUTE));
    r = r < 0 ? r : closed;
    return r < 0 ? r : lab_tell(b, "worker process", LAB_NOWHERE, "bytes", samples, 4);
}

static int threads_memory(struct lab_bench *b)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    long each = lab_pick(b, 50, 500), had = 0;
    pthread_t *threads = calloc((size_t)(each * ROUNDS), sizeof *threads);
    double samples[ROUNDS];
    int why = threads ? 0 : -ENOMEM;

    for (int i = 0; i < ROUNDS && why == 0; i++) {
        double before = lab_memory_of(getpid());
        had += start_threads(threads + had, each, &gate, &why);
        usleep(20000);
        samples[i] = (lab_memory_of(getpid()) - before) / (double)each;
    }
    end_threads(threads, had, &gate);
    free(threads);
    return why < 0 ? why : lab_tell(b, "thread", LAB_NOWHERE, "bytes", samples + 1, ROUNDS - 1);
}

static int tasks_memory(void *arg)
{
    struct lab_bench *b = arg;
    long each = lab_pick(b, 2000, 20000);
    double samples[ROUNDS];
    rv_scope *scope;
    int r = rv_scope_open(&scope, NULL);

    if (r < 0)
        return r;
    for (int i = 0; i < ROUNDS && r == 0; i++) {
        double before = lab_memory_of(getpid());
        r = start_tasks(scope, each);
        samples[i] = (lab_memory_of(getpid()) - before) / (double)each;
    }
    rv_event_set(&task_gate);
    int closed = rv_scope_close(scope);
    r = r < 0 ? r : closed;
    return r < 0 ? r : lab_tell(b, "task", LAB_NOWHERE, "bytes", samples + 1, ROUNDS - 1);
}

/* A child has the page tables of all that its parent has touched. */
static int large_parents_memory(struct lab_bench *b)
{
    size_t mib = (size_t)lab_pick(b, 64, 1024);
    char name[64];

    if (lab_proc_bytes("/proc/meminfo", "MemAvailable") < (double)(mib << 20) * 2)
        return lab_missing(b, "there is too little memory for a large parent");
    char *block = mmap(NULL, mib << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return -errno;
    memset(block, 1, mib << 20);
    snprintf(name, sizeof name, "process, by fork, parent of %zu %s", mib >= 1024 ? mib >> 10 : mib,
             mib >= 1024 ? "GiB" : "MiB");
    int r = processes_memory(b, name);
    munmap(block, mib << 20);
    return r;
}

int lab_memory(struct lab_bench *b)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    if (lab_memory_of(getpid()) < 0)
        return lab_missing(b, "smaps_rollup or status of /proc/self cannot be read");
    int r = processes_memory(b, "process, by fork");

    r = r < 0 ? r : large_parents_memory(b);
    r = r < 0 ? r : workers_memory(b);
    r = r < 0 ? r : threads_memory(b);
    return r < 0 ? r : rv_run(tasks_memory, b, &opts);
}

/* --- how many --- */

static double number_in(const char *path)
{
    double number = INFINITY; /* "max", or nobody says */
    FILE *in = fopen(path, "re");

    if (in && fscanf(in, "%lf", &number) != 1)
        number = INFINITY;
    if (in)
        fclose(in);
    return number;
}

struct limit {
    const char *name;
    double most;
};

static struct limit lower(struct limit a, const char *name, double most)
{
    return most < a.most ? (struct limit){name, most} : a;
}

/* Of processes and threads alike; root is not held to RLIMIT_NPROC. */
static struct limit kernel_limit(void)
{
    struct limit found = {"pid_max", number_in("/proc/sys/kernel/pid_max")};
    struct rlimit own;

    found = lower(found, "threads-max", number_in("/proc/sys/kernel/threads-max"));
    found = lower(found, "the cgroup's pids.max", number_in("/sys/fs/cgroup/pids.max"));
    if (getuid() != 0 && getrlimit(RLIMIT_NPROC, &own) == 0 && own.rlim_cur != RLIM_INFINITY)
        found = lower(found, "RLIMIT_NPROC", (double)own.rlim_cur);
    return found;
}

static int tell_fit(struct lab_bench *b, const char *name, long had, double each, int why,
                    struct limit limit)
{
    double count = (double)had;
    char most[48];

    limit = lower(limit, "memory", lab_proc_bytes("/proc/meminfo", "MemAvailable") / each);
    lab_put_value(most, sizeof most, limit.most, "");
    if (why < 0)
        lab_note(b, "then: %s", strerror(-why));
    else
        lab_note(b, "no more were tried; %s would allow %s", limit.name, most);
    return lab_tell(b, name, LAB_NOWHERE, "", &count, 1);
}

/* The kernel keeps a stack of its own for each, and a structure about as large. */
enum { KERNEL_BYTES = 32 << 10 };

/* What is tried: half of what there is room for at most, so that others go on meanwhile. */
static long to_try(long wanted, double each, double limit)
{
    double room = lab_proc_bytes("/proc/meminfo", "MemAvailable") / each;
    double most = fmin(room, limit) / 2;

    return most < (double)wanted ? (long)fmax(1, most) : wanted;
}

static int processes_fit(struct lab_bench *b)
{
    long count = to_try(lab_pick(b, 50, 10000), 256 << 10, kernel_limit().most);
    pid_t *pids = calloc((size_t)count, sizeof *pids);
    int why;

    if (!pids)
        return -ENOMEM;
    count = start_processes(pids, count, &why);
    double each = count > 0 ? lab_memory_of(pids[0]) + KERNEL_BYTES : 1;
    end_processes(pids, count);
    free(pids);
    return tell_fit(b, "processes", count, each, why, kernel_limit());
}

static int threads_fit(struct lab_bench *b)
{
    struct gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    long count = to_try(lab_pick(b, 500, 30000), 64 << 10, kernel_limit().most);
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    double before = lab_memory_of(getpid());
    int why;

    if (!threads)
        return -ENOMEM;
    count = start_threads(threads, count, &gate, &why);
    double each = (lab_memory_of(getpid()) - before) / fmax(1, (double)count) + KERNEL_BYTES;
    end_threads(threads, count, &gate);
    free(threads);
    struct limit limit =
        lower(kernel_limit(), "max_map_count", number_in("/proc/sys/vm/max_map_count") / 2);
    return tell_fit(b, "threads", count, each, why, limit);
}

static int tasks_fit(void *arg)
{
    struct lab_bench *b = arg;
    double before = lab_memory_of(getpid());
    rv_scope *scope;
    int r = rv_scope_open(&scope, NULL);

    if (r < 0)
        return r;
    int why = start_tasks(scope, to_try(lab_pick(b, 20000, 1000000), 8 << 10, INFINITY));
    long had = tasks_waiting;
    double each = (lab_memory_of(getpid()) - before) / fmax(1, (double)had);
    rv_event_set(&task_gate);
    r = rv_scope_close(scope);
    return r < 0 ? r : tell_fit(b, "tasks", had, each, why, (struct limit){"", INFINITY});
}

int lab_fit(struct lab_bench *b)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    int r = processes_fit(b);

    r = r < 0 ? r : threads_fit(b);
    return r < 0 ? r : rv_run(tasks_fit, b, &opts);
}
