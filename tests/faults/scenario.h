/* SPDX-License-Identifier: MIT */
/* scenario.h - programs that use everything once, and a look at what they leave behind.
 *
 * A scenario returns 0 when all went well, and otherwise the first -errno that came up; wherever it
 * is cut short, it waits for whatever it has started and frees whatever it has made. After each
 * play:
 *   - nothing is left: allocations, descriptors, threads, the fault handler, the signal stack;
 *   - nothing hangs: an alarm ends the program and says what had failed. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include <ravel.h>

#include "../support/crowd.h"
#include "../support/held.h"
#include "../support/under_tool.h"
#include "base/alloc.h"
#include "proc/proc.h"
#include "shm/arena.h"
#include "shm/object.h"
#include "shm/ring.h"
#include "shm/segment.h"
#include "sys/call.h"
#include "sys/fd.h"
#include "sys/living.h"
#include "sys/self.h"
#include "sys/stack.h"

enum { WORKERS = 2, MESSAGES = 50, CROWD = 90, JOBS = 12, DEEP_BYTES = 24 << 10 };

typedef int scenario(void);

/* Slow builds leave some failures out: one in five is tried at a scale of 20. */
static long next(long n)
{
    long percent = (long)scaled(100, 1);
    return n + 1 + (percent < 100 ? n % (200 / percent) : 0);
}

static int null_device = -1;

/* Root's children may be made somebody else, if root is one and not only called so. */
static bool may_change_identity(void)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    return geteuid() == 0 && count >= 0 && setgroups((size_t)count, groups) == 0;
}

/* ---- parts ---------------------------------------------------------------------------------- */

struct pipe_ends {
    rv_chan *ch;
    unsigned worker;
};

static int produce(void *arg)
{
    struct pipe_ends *p = arg;
    int r = rv_migrate(0);
    for (long i = 0; r == 0 && i < MESSAGES; i++)
        r = rv_chan_send(p->ch, &i, RV_NEVER);
    return r;
}

static int consume(void *arg)
{
    struct pipe_ends *p = arg;
    int r = rv_migrate(p->worker);
    for (long i = 0; r == 0 && i < MESSAGES; i++) {
        long message;
        r = rv_chan_recv(p->ch, &message, RV_NEVER);
        RV_CHECK(r < 0 || message == i);
    }
    return r;
}

/* Messages from worker to worker. */
static int talk(void)
{
    struct pipe_ends p = {.worker = WORKERS - 1};
    rv_scope *s;
    int r = rv_chan_new(&p.ch, sizeof(long), 4);
    if (r < 0)
        return r;
    r = rv_scope_open(&s, NULL);
    if (r == 0) {
        if ((r = rv_go(s, consume, &p)) < 0 || (r = rv_go(s, produce, &p)) < 0)
            rv_scope_cancel(s, r);
        int closed = rv_scope_close(s);
        r = r < 0 ? r : closed;
    }
    rv_chan_free(p.ch);
    return r;
}

static __attribute__((noinline)) int use_stack(int value)
{
    volatile char bytes[DEEP_BYTES];
    for (size_t i = 0; i < sizeof bytes; i += 512)
        bytes[i] = (char)value;
    return bytes[512] != (char)value;
}

static int sleep_deep(void *arg)
{
    int r = rv_sleep(100 * RV_MICROSECOND);
    return r < 0 ? r : use_stack((int)(uintptr_t)arg);
}

/* More tasks at a time than the first batches of stacks, and deep ones: what their workers do not
 * keep goes back to the kernel. */
static int crowd_sleeps(void)
{
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);
    if (r < 0)
        return r;
    for (uintptr_t i = 0; r == 0 && i < CROWD; i++)
        r = rv_go(s, sleep_deep, (void *)i);
    if (r < 0)
        rv_scope_cancel(s, r);
    int closed = rv_scope_close(s);
    return r < 0 ? r : closed;
}

static int mark_range(size_t begin, size_t end, void *arg)
{
    memset((char *)arg + begin, 1, end - begin);
    return 0;
}

/* A loop that is shared out: others take part of it, and its owner waits for them. */
static int loop(void)
{
    char marks[200] = {0};
    int r = rv_for(0, sizeof marks, 1, mark_range, marks);
    RV_CHECK(r < 0 || !memchr(marks, 0, sizeof marks));
    return r;
}

static int block(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

static int call_helpers(void)
{
    int calls = 0, r = 0;
    for (int i = 0; r == 0 && i < 3; i++)
        r = rv_blocking(block, &calls, NULL);
    RV_CHECK(r < 0 || calls == 3);
    return r;
}

static int twice(const long *job_in, long *job_out)
{
    *job_out = 2 * *job_in;
    return 0;
}
RV_JOB(twice, long, long);

static int submit_one(rv_executor *ex)
{
    rv_future *f;
    struct rv_outcome outcome;
    long in = 21, out = 0;
    int r = rv_submit(ex, &f, twice, &in, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_future_get(f, &out, &outcome, RV_NEVER);
    if (r == 0 && outcome.kind == RV_OUTCOME_VALUE)
        RV_CHECK(out == 42);
    else if (r == 0)
        r = outcome.error;
    rv_future_free(f);
    return r;
}

static int use_executor(const char *spec)
{
    long in[JOBS], out[JOBS];
    rv_executor *ex;
    struct rv_executor_opts opts = {.size = sizeof opts, .job_timeout = RV_SECOND * 60};
    int r = rv_executor_open(&ex, spec, &opts);
    if (r < 0)
        return r;
    for (long i = 0; i < JOBS; i++)
        in[i] = i;
    r = submit_one(ex);
    if (r == 0)
        r = rv_map(ex, twice, in, JOBS, out, NULL, RV_NEVER);
    RV_CHECK(r < 0 || out[JOBS - 1] == 2 * (JOBS - 1));
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

static int use_executors(void *arg)
{
    (void)arg;
    static const char *const specs[] = {"inline", "tasks:2", "threads:2", "auto"};
    int r = 0;
    for (size_t i = 0; r == 0 && i < sizeof specs / sizeof specs[0]; i++)
        r = use_executor(specs[i]);
    return r;
}

/* Reads the program's debug information each time, so it has a scenario of its own. */
static int look_inside(void *arg)
{
    struct rv_run_stats stats = {.size = sizeof stats};
    (void)arg;
    int r = rv_run_stats_read(&stats);
    return r < 0 ? r : rv_dump(null_device);
}

static int print_lines(void *arg)
{
    int r = 0;
    for (int i = 0; r == 0 && i < MESSAGES; i++)
        r = rv_print("%s %0*d\n", (const char *)arg, 10 * i, i);
    return r;
}

/* What was lost is told by the next call that prints or flushes: by this one at the latest. */
static int print_from_tasks(void *arg)
{
    int r;
    (void)arg;
    RV_SCOPE(s, r) {
        int started = rv_go(s, print_lines, (void *)(uintptr_t) "one");
        if (started < 0 || (started = rv_go(s, print_lines, (void *)(uintptr_t) "two")) < 0)
            rv_scope_cancel(s, started);
    }
    int flushed = rv_print_flush(RV_NEVER);
    return r < 0 ? r : flushed;
}

static int everything(void *arg)
{
    int r;
    (void)arg;
    if ((r = talk()) < 0 || (r = crowd_sleeps()) < 0 || (r = loop()) < 0 ||
        (r = call_helpers()) < 0)
        return r;
    return use_executors(NULL);
}

/* Everything that can be asked of a start, and the whole of a child's life. */
static int run_children(void *arg)
{
    static const struct rv_child_limit limit = {RLIMIT_CORE, {0, 0}};
    const struct rv_child_fd fd = {null_device, 7};
    const int cpu = sched_getcpu();
    const char *const argv[] = {"cat", NULL}, *const changes[] = {"X=y", NULL};
    struct rv_child_opts opts = {
        .size = sizeof opts,
        .fds = &fd,
        .fd_count = 1,
        .folder = "/",
        .env_changes = changes,
        .limits = &limit,
        .limit_count = 1,
        .group = RV_CHILD_GROUP_OWN,
        .nice = 1,
        .as_user = may_change_identity(),
        .death_signal = arg ? SIGKILL : 0,
        .grace = 1,
        .cpus = &cpu,
        .cpu_count = 1,
    };
    struct rv_child_io io = {.in = "hello", .in_bytes = 5};
    struct rv_child_status status;
    int r = rv_child_run(argv, &opts, &io, &status, RV_NEVER);
    /* A write that fails with EPIPE says that the child does not want it. */
    RV_CHECK(r < 0 || ((io.out_bytes == 5 || io.out_bytes == 0) && status.code == 0));
    rv_child_io_fini(&io);
    return r;
}

/* One that could not be told is no failure: it is counted. */
static int hear_signals(void *arg)
{
    struct rv_signal_info info;
    rv_signals *signals;
    sigset_t set;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    int r = rv_signals_open(&signals, &set);
    if (r < 0)
        return r;
    RV_CHECK(raise(SIGRTMIN) == 0);
    r = rv_signal_wait(signals, &info, rv_after(10 * RV_MILLISECOND));
    rv_signals_close(signals);
    return r == -ETIME ? 0 : r;
}

static int children_and_signals(void *arg)
{
    int r = hear_signals(arg);
    return r < 0 ? r : run_children(arg);
}

/* ---- worker processes ------------------------------------------------------------------------ */

/* The worker's own calls are made in its own process: here those that do no harm in this one. */
static int share_a_life(void)
{
    int ends[2];
    int r = rvi_fd_pipe(ends, 0);
    if (r < 0)
        return r;
    r = rvi_self_share_life(ends[0]);
    close(ends[0]); /* first: it is the other one's end that kills */
    close(ends[1]);
    return r == -EPIPE ? r : 0; /* a worker goes on without it: it has two more ways to know */
}

static int pause_as_worker(const struct rvi_proc_self *self)
{
    (void)self;
    return pause();
}

static struct rvi_role pausing = {.name = "pause", .run = pause_as_worker};

__attribute__((constructor)) static void register_pausing(void)
{
    rvi_role_register(&pausing);
}

static int be_answered(struct rvi_proc *proc)
{
    int r = rv_poll(proc->control, POLLIN, RV_NEVER);
    return r < 0 ? r : rvi_proc_take_answer(proc);
}

static int run_a_worker(void)
{
    const char *const changes[] = {"X=y", NULL};
    const struct rv_child_fd fd = {null_device, 3};
    struct rv_process_opts opts = {
        .size = sizeof opts, .fds = &fd, .fd_count = 1, .env_changes = changes, .nice = 1};
    struct rvi_proc_start what = {.role = "pause",
                                  .hello = "x",
                                  .hello_bytes = 1,
                                  .fds = &null_device,
                                  .fd_count = 1,
                                  .opts = &opts};
    struct rv_child_failure failure;
    struct rv_child_status status;
    struct rvi_proc proc;
    int r = rvi_proc_start(&proc, &what, &failure);
    if (r < 0) {
        RV_CHECK(failure.error == r && failure.text[0]);
        return r;
    }
    r = be_answered(&proc);
    if (r == 0)
        r = rvi_proc_kill(&proc, SIGTERM);
    if (r == 0)
        r = rvi_proc_end(&proc, true, &status);
    RV_CHECK(r < 0 || status.signal == SIGTERM);
    rvi_words_finish(&proc.words);
    rvi_proc_fini(&proc);
    return r < 0 ? r : share_a_life();
}

/* ---- an executor of worker processes --------------------------------------------------------- */

static int die(const long *in, long *out)
{
    *out = *in;
    return kill(getpid(), SIGKILL);
}
RV_JOB(die, long, long);

/* The next job needs another process. */
static int kill_one(rv_executor *ex)
{
    long in = 0;
    struct rv_outcome outcome;
    rv_future *f;
    int r = rv_submit(ex, &f, die, &in, RV_NEVER);
    if (r < 0)
        return r;
    r = rv_future_get(f, NULL, &outcome, RV_NEVER);
    rv_future_free(f);
    if (r == 0 && outcome.kind == RV_OUTCOME_ERROR)
        r = outcome.error;
    RV_CHECK(r < 0 || outcome.kind == RV_OUTCOME_SIGNAL);
    return r;
}

static int run_processes(void)
{
    const struct rv_process_opts process = {.size = sizeof process,
                                            .term_grace = 10 * RV_MILLISECOND,
                                            .memory_bytes = (uint64_t)1 << 40};
    const struct rv_executor_opts opts = {.size = sizeof opts, .process = &process};
    rv_executor *ex;
    int r = rv_executor_open(&ex, "processes:1", &opts);
    if (r < 0)
        return r;
    r = submit_one(ex);
    if (r == 0)
        r = kill_one(ex);
    if (r == 0)
        r = submit_one(ex);
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

/* ---- services that are looked after ---------------------------------------------------------- */

static int serve_until_told(const int *arg)
{
    int r = rv_service_ready();
    (void)arg;
    return r < 0 ? r : rv_sleep_until(RV_NEVER);
}
RV_SERVICE(serve_until_told, int);

static int stay_until_told(void *arg)
{
    (void)arg;
    return rv_sleep_until(RV_NEVER);
}

/* How a service has ended, if not as it was told to: with SIGTERM where that could not be said. */
static int end_of(rv_supervisor *sup, const char *name)
{
    struct rv_service_stats stats = {.size = sizeof stats};
    RV_CHECK(rv_service_stats_read(sup, name, &stats) == 0);
    return stats.end.error == -ECANCELED || stats.end.signal == SIGTERM ? 0 : stats.end.error;
}

static int look_after_services(void *arg)
{
    static int nothing;
    const struct rv_service services[] = {
        {.size = sizeof *services,
         .name = "process",
         .process = RV_PROCESS(serve_until_told),
         .arg = &nothing,
         .arg_bytes = sizeof nothing,
         .restart = RV_RESTART_TEMPORARY,
         .start_time = 60 * RV_SECOND,
         .stop_time = 60 * RV_SECOND},
        {.size = sizeof *services,
         .name = "task",
         .run = stay_until_told,
         .restart = RV_RESTART_TEMPORARY},
    };
    struct rv_supervisor_opts opts = {.size = sizeof opts, .services = services, .count = 2};
    int err, r = 0;
    (void)arg;
    RV_SCOPE(scope, err) {
        rv_supervisor *sup;
        r = rv_supervisor_start(&sup, scope, &opts, RV_NEVER);
        if (r == 0) {
            r = rv_supervisor_stop(sup, RV_NEVER);
            int process = end_of(sup, "process"), task = end_of(sup, "task");
            int closed = rv_supervisor_close(sup);
            r = r < 0 ? r : process < 0 ? process : task < 0 ? task : closed;
        }
    }
    return r < 0 ? r : err;
}

static int run_services(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    return rv_run(look_after_services, NULL, &opts);
}

/* ---- a queue between processes --------------------------------------------------------------- */

static int put_some(void *arg)
{
    int r = 0;
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_queue_put(arg, &i, RV_NEVER);
    return r;
}

static int get_some(void *arg)
{
    int item, r = 0;
    for (int i = 0; i < 3 && r == 0; i++) {
        r = rv_queue_get(arg, &item, RV_NEVER);
        if (r == 0)
            r = rv_queue_done(arg);
    }
    return r;
}

/* Of room for one: each waits for the other. */
static int pass_through(rv_queue *q, rv_queue *other)
{
    int err, r = 0;
    RV_SCOPE(scope, err) {
        r = rv_go(scope, get_some, other);
        if (r == 0)
            r = rv_go(scope, put_some, q);
        if (r == 0)
            r = rv_queue_join(q, RV_NEVER);
        if (r < 0)
            rv_scope_cancel(scope, r);
    }
    return err < 0 ? err : r; /* a child that failed has cancelled the join */
}

/* An answer that cannot be had is that it lives, and nothing comes of it. */
static void look_for_the_dead(void)
{
    struct rvi_living earlier = rvi_living_self();
    earlier.start = 1;
    (void)rvi_living_has_ended(earlier);
}

static int share_a_queue(void *arg)
{
    (void)arg;
    struct rv_queue_ref ref;
    rv_queue *q, *other;
    int r = rv_queue_new_shared(&q, sizeof(int), 1);
    if (r < 0)
        return r;
    RV_CHECK(rv_queue_ref_of(q, &ref) == 0);
    r = rv_queue_attach(&other, ref);
    if (r == 0) {
        r = pass_through(q, other);
        rv_queue_free(other);
    }
    rv_queue_free(q);
    look_for_the_dead();
    return r;
}

static int run_a_shared_queue(void)
{
    struct rv_run_opts opts = {.size = sizeof(opts), .workers = WORKERS};
    return rv_run(share_a_queue, NULL, &opts);
}

/* ---- memory that a worker process sees ------------------------------------------------------- */

static int lend(struct rv_shm shm)
{
    int fd;
    struct rvi_shm_answer answer = rvi_shm_lend((struct rvi_shm_ask){shm.id}, &fd);
    if (fd >= 0)
        rvi_fd_close(fd);
    return (int)answer.error;
}

static int share_an_object(void)
{
    struct rv_shm shm;
    void *memory;
    int r = rv_shm_alloc(&shm, 100);
    if (r < 0)
        return r;
    r = rv_shm_map(shm, &memory);
    if (r == 0)
        r = lend(shm);
    rv_shm_free(shm);
    return r;
}

/* An executor's memory for a worker: a ring, and an arena behind it. */
static int share_a_ring(void)
{
    const size_t bytes = rvi_ring_bytes(4);
    struct rvi_segment segment;
    struct rvi_piece *piece;
    struct rvi_arena arena;
    struct rvi_ring ring;
    int r = rvi_segment_make(&segment, "faults", 2 * bytes, bytes);
    if (r < 0)
        return r;
    r = rvi_ring_init(&ring, segment.base, 4, 1);
    if (r == 0) {
        r = rvi_arena_init(&arena, bytes);
        if (r == 0)
            r = rvi_arena_take(&arena, 100, &piece);
        rvi_arena_fini(&arena);
        rvi_ring_fini(&ring);
    }
    rvi_segment_fini(&segment);
    return r;
}

static int share_memory(void)
{
    int r = share_an_object();
    return r < 0 ? r : share_a_ring();
}

/* ---- files ---------------------------------------------------------------------------------- */

/* In memory where that can be had: each play syncs. Removed when all is done, whatever a play could
 * not remove. */
static char files_path[] = "/dev/shm/ravel-faults-XXXXXX";
static int files = -1;

static int make_files_folder(void)
{
    if (!mkdtemp(files_path)) {
        strcpy(files_path, "/tmp/ravel-faults-XXXXXX");
        RV_CHECK(mkdtemp(files_path));
    }
    files = open(files_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return files < 0 ? -errno : 0;
}

static int remove_files_folder(void)
{
    close(files);
    return rv_remove_all(AT_FDCWD, files_path, RV_NEVER);
}

static int change_a_file(void)
{
    char got[8];
    size_t done;
    struct stat status;
    int fd = rv_openat(files, "a/b/f", O_RDWR, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    int r = rv_pwrite_all(fd, "xy", 2, 1, NULL, RV_NEVER);
    if (r == 0)
        r = rv_ftruncate(fd, 4, RV_NEVER);
    if (r == 0)
        r = rv_fdatasync(fd, RV_NEVER);
    if (r == 0)
        r = rv_fstat(fd, &status, RV_NEVER);
    if (r == 0)
        r = rv_pread_full(fd, got, 4, 0, &done, RV_NEVER);
    RV_CHECK(r < 0 || (status.st_size == 4 && memcmp(got, "oxy\n", 4) == 0));
    int closed = rv_close(fd);
    return r < 0 ? r : closed;
}

static int read_lines(void)
{
    struct rv_line line;
    rv_lines *lines;
    int count = 0, r = rv_lines_open(&lines, files, "a/c", 0, RV_NEVER);
    if (r < 0)
        return r;
    while ((r = rv_lines_next(lines, &line, RV_NEVER)) > 0)
        count++;
    rv_lines_close(lines);
    RV_CHECK(r < 0 || count == 2);
    return r;
}

/* Nobody comes. */
static int open_fifo(void)
{
    RV_CHECK(mkfifoat(files, "fifo", 0600) == 0 || errno == EEXIST);
    int r = rv_openat(files, "fifo", O_RDONLY, 0, rv_after(200 * RV_MICROSECOND));
    RV_CHECK(r < 0);
    return r == -ETIME ? 0 : r;
}

static int list_folder(void)
{
    struct rv_dir_entry entry;
    rv_dir *list;
    int count = 0, r = rv_dir_open(&list, files, "a", 0, RV_NEVER);
    if (r < 0)
        return r;
    while ((r = rv_dir_next(list, &entry, RV_NEVER)) > 0)
        count++;
    rv_dir_close(list);
    RV_CHECK(r < 0 || count >= 2);
    return r;
}

/* What an earlier play could not remove may be there. */
static int use_files(void *arg)
{
    char *text;
    size_t bytes;
    int r;
    (void)arg;
    if ((r = rv_remove_all(files, "a", RV_NEVER)) < 0 ||
        (r = rv_mkdir_all(files, "a/b", 0700, RV_NEVER)) < 0 ||
        (r = rv_file_write(files, "a/b/f", "one\ntwo\n", 8, 0600, RV_NEVER)) < 0 ||
        (r = rv_file_copy(files, "a/b/f", files, "a/copy", RV_NEVER)) < 0 ||
        (r = rv_renameat(files, "a/copy", files, "a/c", 0, RV_NEVER)) < 0 ||
        (r = read_lines()) < 0 || (r = change_a_file()) < 0 || (r = open_fifo()) < 0 ||
        (r = list_folder()) < 0 ||
        (r = rv_file_load(&text, &bytes, files, "a/b/f", 100, RV_NEVER)) < 0)
        return r;
    RV_CHECK(bytes == 4);
    rv_file_free(text);
    return rv_remove_all(files, "a", RV_NEVER);
}

/* ---- scenarios ------------------------------------------------------------------------------ */

static int run_files(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    return rv_run(use_files, NULL, &opts);
}

/* The stall watch is on, so that the monitor does more than sleep. */
static int run_tasks(void)
{
    struct rv_run_opts opts = {
        .size = sizeof opts, .workers = WORKERS, .stall_ns = 60 * RV_SECOND, .max_tasks = 1000};
    return rv_run(everything, NULL, &opts);
}

/* Standard output has the tests' results, otherwise. */
static int run_and_print(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    int results = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    RV_CHECK(results >= 0 && dup2(null_device, STDOUT_FILENO) >= 0);
    int r = rv_run(print_from_tasks, NULL, &opts);
    RV_CHECK(dup2(results, STDOUT_FILENO) >= 0);
    close(results);
    return r;
}

static void count_post(void *arg)
{
    ++*(int *)arg;
}

struct foreground {
    rv_fg *fg;
    int posts, ended;
};

static int post_from_behind(void *arg)
{
    struct foreground *f = arg;
    int r = rv_fg_post(f->fg, count_post, &f->posts, RV_NEVER);
    int ended = rv_fg_post(f->fg, count_post, &f->ended, RV_NEVER);
    return r < 0 ? r : ended;
}

/* The watch looks, and finds nothing to report, however busy the machine is. */
static int run_behind_a_foreground(void)
{
    struct rv_run_opts run = {.size = sizeof run, .workers = 1};
    struct rv_fg_opts opts = {.size = sizeof opts, .run = &run, .budget_ns = RV_MINUTE};
    struct foreground f = {0};
    int r = rv_fg_open(&f.fg, &opts);
    if (r < 0)
        return r;
    int64_t number = rv_fg_go(f.fg, post_from_behind, &f);
    struct rv_fg_stats stats = {.size = sizeof stats, .tasks = 1};
    while (number > 0 && f.ended == 0 && rv_fg_stats_read(f.fg, &stats) == 0 && stats.tasks > 0)
        RV_CHECK(rv_fg_dispatch(f.fg, 0) >= 0);
    r = rv_fg_close(f.fg);
    RV_CHECK(r < 0 || number < 0 || f.posts == 1);
    return number < 0 ? (int)number : r;
}

static int run_and_dump(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    return rv_run(look_inside, NULL, &opts);
}

static int run_with_default_workers(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .measure_stacks = 1};
    return rv_run(use_executors, NULL, &opts);
}

static int run_and_start_children(void)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = WORKERS};
    int r = rv_run(children_and_signals, NULL, &opts);
    return r < 0 ? r : children_and_signals(&opts);
}

/* Its resident memory is what only tools ask for. */
static int a_pool_alone(void)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_stats stats;
    struct rvi_stack_cache cache;
    struct rvi_stack *stack;
    int r = rvi_stack_pool_open(&pool, NULL);
    if (r < 0)
        return r;
    rvi_stack_cache_init(&cache, pool);
    r = rvi_stack_cache_take(&cache, &stack);
    if (r == 0)
        rvi_stack_cache_push(&cache, stack);
    rvi_stack_pool_stats(pool, &stats);
    rvi_stack_cache_fini(&cache);
    rvi_stack_pool_close(pool);
    return r;
}

/* A simulation has no other threads than its workers, and takes its time. */
static int talk_and_loop(void *arg)
{
    int r = talk();
    (void)arg;
    return r < 0 ? r : loop();
}

static int simulated(void)
{
    struct rv_sim_opts opts = {.size = sizeof opts, .seed = 7, .workers = WORKERS, .quiet = 1};
    return rv_sim_run(talk_and_loop, NULL, &opts);
}

static int open_places(void **state)
{
    (void)state;
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return null_device < 0 ? -1 : make_files_folder();
}

static int close_places(void **state)
{
    (void)state;
    close(null_device);
    return remove_files_folder();
}

static int without_a_runtime(void)
{
    int r = use_executor("inline");
    return r < 0 ? r : use_executor("threads:2");
}

/* ---- the alarm ------------------------------------------------------------------------------ */

static char playing[128]; /* what is being played, for whoever hears the alarm */

static void on_alarm(int number)
{
    ssize_t written = write(STDERR_FILENO, playing, strlen(playing));
    (void)written;
    (void)number;
    abort();
}

static void watch_for_a_hang(void)
{
    signal(SIGALRM, on_alarm);
    alarm(100);
}

/* ---- what is left --------------------------------------------------------------------------- */

struct left {
    long allocations;
    size_t descriptors, threads;
    struct sigaction on_segv, on_bus, on_quit, on_int, on_abort;
    stack_t signal_stack;
};

static struct left look_at_what_is_left(void)
{
    struct left now = {.allocations = rvi_alloc_live(),
                       .descriptors = open_descriptors(),
                       .threads = count_entries("/proc/self/task")};
    RV_CHECK(sigaction(SIGSEGV, NULL, &now.on_segv) == 0);
    RV_CHECK(sigaction(SIGBUS, NULL, &now.on_bus) == 0);
    RV_CHECK(sigaction(SIGQUIT, NULL, &now.on_quit) == 0);
    RV_CHECK(sigaction(SIGINT, NULL, &now.on_int) == 0);
    RV_CHECK(sigaction(SIGABRT, NULL, &now.on_abort) == 0);
    RV_CHECK(sigaltstack(NULL, &now.signal_stack) == 0);
    return now;
}

/* A thread that was joined is on its way out, and still listed for a moment; so are a ring's, after
 * it is closed: there may have been more before. */
static void wait_for_threads(size_t threads)
{
    watch_for_a_hang();
    while (count_entries("/proc/self/task") > threads)
        rvi_thread_yield();
    alarm(0);
}

static void check_nothing_is_left(const struct left *before)
{
    wait_for_threads(before->threads);
    struct left now = look_at_what_is_left();
    assert_int_equal(now.allocations, before->allocations);
    assert_int_equal(now.descriptors, before->descriptors);
    assert_true(now.threads <= before->threads);
    assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
}

static void check_handlers_are_as_before(const struct left *before)
{
    struct left now = look_at_what_is_left();
    assert_true(now.on_segv.sa_sigaction == before->on_segv.sa_sigaction);
    assert_true(now.on_bus.sa_sigaction == before->on_bus.sa_sigaction);
    assert_true(now.on_quit.sa_sigaction == before->on_quit.sa_sigaction);
    assert_true(now.on_int.sa_sigaction == before->on_int.sa_sigaction);
    assert_true(now.on_abort.sa_sigaction == before->on_abort.sa_sigaction);
}

/* One that could not be withdrawn stays usable, until it is withdrawn here. */
static void check_signal_stack_is_as_before(const struct left *before, const char *failed)
{
    struct left now = look_at_what_is_left();
    unsigned char present;
    if (now.signal_stack.ss_flags == before->signal_stack.ss_flags)
        return;
    assert_string_equal(failed, "RESTORE_SIGNAL_STACK");
    assert_int_equal(mincore(now.signal_stack.ss_sp, 1, &present), 0);
    assert_int_equal(sigaltstack(&before->signal_stack, NULL), 0);
}
