/* SPDX-License-Identifier: MIT */
/* child.c - children: what a start wants is made ready here, sys/spawn.c does it.
 *
 * A child is waited for by its pidfd, which is readable once it has ended. Taking how it ended is a
 * call of its own, made under the child's lock by whoever comes first; later ones find it there.
 *
 *   C1  has_ended: `status` (or `lost`) is how, for good
 *   C2  the leader of a group is left a zombie until rv_child_close(): as long as it lies there the
 *       group's number cannot become another's, so its group can be killed after its end
 *   C3  what has been started is in the list of no process any more when rv_child_close() returns
 *
 * C3 whatever is cancelled: the last wait is shielded, and where a shield does not do (it ends with
 * one further out, a timer finds no memory) a helper thread waits. After SIGKILL that is short.
 *
 * A task starts a child on a helper thread, as the kernel reads the program's file before the
 * starter goes on: half a millisecond, of which the way to the helper is a tenth; from a slow disk
 * or a network any time. A signal at the parent's death is bound to the thread that has cloned, and
 * helpers come and go, so then the worker does it itself.
 *
 * Rejected: a process that starts others on demand, which wants to be told the environment, folder
 * and descriptors each time; SIGCHLD, of which there is one for the whole program.
 *
 * Checked by: tests/unit/io/test_child.c, tests/stress/stress_child.c, tests/faults */
#include <ravel/child.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel/blocking.h>
#include <ravel/io.h>
#include <ravel/task.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "base/seam.h"
#include "io/call.h"
#include "io/child.h"
#include "loop/fds.h"
#include "sched/sched.h"
#include "sched/wait.h"
#include "sys/fd.h"
#include "sys/lock.h"
#include "sys/op.h"
#include "sys/spawn.h"
#include "task/runtime.h"

enum { STREAMS = 3 };

#define SHIELD_NS RV_MINUTE

struct rv_child {
    pid_t pid;
    int pidfd;
    int pipes[STREAMS]; /* our ends; -1: none */
    bool leads_group;
    rv_time grace;

    struct rvi_lock lock; /* guards the rest */
    bool has_ended;
    bool lost; /* somebody else has taken it */
    struct rv_child_status status;
};

/* --- what a start wants, made ready --- */

struct start {
    const char *const *argv;
    struct rv_child_opts opts;
    rv_child *child;
    const char *program;
    const char **env; /* NULL: ours */
    const char **paths;
    char *path_bytes; /* what paths point into */
    struct rvi_spawn_fd *fds;
    int theirs[STREAMS]; /* their ends of the pipes; -1: none */
    enum rv_child_step step;
};

/* NULL-terminated. */
static size_t count_of(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

/* A name's length in "NAME=value" or "NAME". */
static size_t name_bytes(const char *text)
{
    return strcspn(text, "=");
}

static bool has_name_of(const char *text, const char *change)
{
    size_t bytes = name_bytes(change);

    return strncmp(text, change, bytes) == 0 && (text[bytes] == '=' || text[bytes] == '\0');
}

static bool is_changed(const char *text, const char *const *changes)
{
    for (; *changes; changes++) {
        if (has_name_of(text, *changes))
            return true;
    }
    return false;
}

static bool are_changes(const char *const *changes)
{
    for (; *changes; changes++) {
        if (name_bytes(*changes) == 0)
            return false;
    }
    return true;
}

static const char *const *env_of(const struct start *start)
{
    if (start->env || start->opts.env)
        return start->env ? start->env : start->opts.env;
    return (const char *const *)environ;
}

/* The last of several changes of one name counts. */
static int make_env(struct start *start)
{
    const char *const *changes = start->opts.env_changes;
    const char *const *base = env_of(start);
    size_t count = 0;

    if (!changes)
        return 0;
    if (!are_changes(changes))
        return -EINVAL;
    start->env = rvi_calloc(count_of(base) + count_of(changes) + 1, sizeof *start->env);
    if (!start->env)
        return -ENOMEM;
    for (; *base; base++) {
        if (!is_changed(*base, changes))
            start->env[count++] = *base;
    }
    for (; *changes; changes++) {
        if (strchr(*changes, '=') && !is_changed(*changes, changes + 1))
            start->env[count++] = *changes;
    }
    return 0;
}

static const char *search_path_of(const struct start *start)
{
    for (const char *const *one = env_of(start); one && *one; one++) {
        if (strncmp(*one, "PATH=", 5) == 0)
            return *one + 5;
    }
    return "/bin:/usr/bin";
}

/* Each folder of a search path with the name behind it; an empty one is where the child is. */
static void join_paths(struct start *start, const char *search)
{
    char *at = start->path_bytes;

    for (size_t i = 0;; i++) {
        size_t bytes = strcspn(search, ":");
        start->paths[i] = at;
        at = mempcpy(at, search, bytes);
        if (bytes > 0)
            *at++ = '/';
        at = stpcpy(at, start->program) + 1;
        if (search[bytes] == '\0')
            return;
        search += bytes + 1;
    }
}

static int make_paths(struct start *start)
{
    bool is_path = strchr(start->program, '/') != NULL;
    const char *search = is_path ? "" : search_path_of(start);
    size_t folders = 1, room = strlen(search) + 2;

    for (const char *at = search; (at = strchr(at, ':')); at++)
        folders++;
    start->paths = rvi_calloc(folders + 1, sizeof *start->paths);
    start->path_bytes = rvi_alloc(room + folders * (strlen(start->program) + 2));
    if (!start->paths || !start->path_bytes)
        return -ENOMEM;
    join_paths(start, search);
    return 0;
}

static struct rv_child_stream *stream_of(struct rv_child_opts *opts, int which)
{
    return which == 0 ? &opts->in : which == 1 ? &opts->out : &opts->err;
}

/* The child reads from its input and writes the others. The ends of a pipe are two descriptions:
 * what is set on ours does not show at its. */
static int make_pipe(struct start *start, int which)
{
    int ends[2], ours = which == 0;
    int r = rvi_fd_pipe(ends, 0);

    if (r < 0)
        return r;
    start->child->pipes[which] = ends[ours];
    start->theirs[which] = ends[!ours];
    rvi_fds_made(ends[ours], true);
    return rvi_fd_unblock(ends[ours]);
}

/* Where a standard descriptor comes from. A descriptor that we have opened meanwhile, in a place
 * that was free, is not taken for an inherited one: it closes at execve. */
static int find_source(struct start *start, int which)
{
    const struct rv_child_stream *stream = stream_of(&start->opts, which);
    int *source = &start->fds[which].source;
    int r = 0;

    switch (stream->kind) {
    case RV_CHILD_DEFAULT:
    case RV_CHILD_INHERIT:
        *source = RVI_SPAWN_AS_IS;
        return 0;
    case RV_CHILD_NULL:
        *source = RVI_SPAWN_NULL;
        return 0;
    case RV_CHILD_PIPE:
        r = make_pipe(start, which);
        *source = start->theirs[which];
        return r;
    case RV_CHILD_FD:
        *source = stream->fd;
        return stream->fd >= 0 ? 0 : -EINVAL;
    case RV_CHILD_OUTPUT:
        *source = start->fds[1].source == RVI_SPAWN_AS_IS ? 1 : start->fds[1].source;
        return which == 2 ? 0 : -EINVAL;
    }
    return -EINVAL;
}

static bool is_taken(const struct start *start, int target, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (start->fds[i].target == target)
            return true;
    }
    return false;
}

static int make_fds(struct start *start)
{
    const struct rv_child_opts *opts = &start->opts;

    start->fds = rvi_calloc(STREAMS + opts->fd_count, sizeof *start->fds);
    if (!start->fds)
        return -ENOMEM;
    for (int i = 0; i < STREAMS; i++) {
        start->fds[i].target = i;
        int r = find_source(start, i);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < opts->fd_count; i++) {
        const struct rv_child_fd *one = &opts->fds[i];
        if (one->fd < 0 || one->child_fd < STREAMS || is_taken(start, one->child_fd, STREAMS + i))
            return -EINVAL;
        start->fds[STREAMS + i] = (struct rvi_spawn_fd){one->fd, one->child_fd};
    }
    return 0;
}

static int prepare(struct start *start)
{
    int r;

    start->child = rvi_calloc(1, sizeof *start->child);
    if (!start->child)
        return -ENOMEM;
    start->child->leads_group = start->opts.group != RV_CHILD_GROUP_OURS;
    start->child->grace = start->opts.grace;
    memset(start->child->pipes, -1, sizeof start->child->pipes);
    if ((r = make_env(start)) < 0 || (r = make_paths(start)) < 0)
        return r;
    return make_fds(start);
}

static void close_pipes(int pipes[STREAMS])
{
    for (int i = 0; i < STREAMS; i++) {
        if (pipes[i] >= 0)
            rv_close(pipes[i]);
        pipes[i] = -1;
    }
}

/* Their ends are the child's now, or nobody's. */
static void tidy_up(struct start *start)
{
    close_pipes(start->theirs);
    rvi_free(start->fds);
    rvi_free(start->paths);
    rvi_free(start->path_bytes);
    rvi_free(start->env);
}

/* --- starting --- */

static int spawn(void *arg)
{
    struct start *start = arg;
    const struct rvi_spawn what = {
        .argv = start->argv,
        .paths = start->paths,
        .env = env_of(start),
        .fds = start->fds,
        .fd_count = STREAMS + start->opts.fd_count,
        .opts = &start->opts,
    };
    return rvi_spawn(&what, &start->child->pid, &start->child->pidfd, &start->step);
}

static int start_prepared(struct start *start)
{
    struct rvi_sched *sched = rvi_sched_self();

    if (!sched || start->opts.death_signal)
        return spawn(start);
    return rv_blocking(spawn, start, rvi_runtime_of(sched)->starting);
}

static int start_child(struct start *start)
{
    int r = prepare(start);

    if (r == 0)
        r = start_prepared(start);
    tidy_up(start);
    if (r < 0 && start->child) {
        close_pipes(start->child->pipes);
        rvi_free(start->child);
    }
    return r;
}

static const char *word_of(enum rv_child_step step)
{
    static const char *const words[] = {
        [RV_CHILD_STEP_NONE] = "start it",
        [RV_CHILD_STEP_PREPARE] = "prepare it",
        [RV_CHILD_STEP_PROCESS] = "make a process for it",
        [RV_CHILD_STEP_GROUP] = "give it a group",
        [RV_CHILD_STEP_DESCRIPTORS] = "give it its descriptors",
        [RV_CHILD_STEP_LIMITS] = "give it its limits",
        [RV_CHILD_STEP_NICE] = "give it its priority",
        [RV_CHILD_STEP_CPUS] = "give it its CPUs",
        [RV_CHILD_STEP_IDENTITY] = "give it its user and groups",
        [RV_CHILD_STEP_PARENT] = "tell it of our death",
        [RV_CHILD_STEP_FOLDER] = "enter its folder",
        [RV_CHILD_STEP_SIGNALS] = "reset its signals",
        [RV_CHILD_STEP_PROGRAM] = "run it",
    };
    return words[step];
}

static void describe_failure(const struct start *start, int r, struct rv_child_failure *ret)
{
    const char *what = start->program ? start->program : "(none)";
    const char *why = strerrordesc_np(-r);

    *ret = (struct rv_child_failure){.step = r < 0 ? start->step : RV_CHILD_STEP_NONE, .error = r};
    if (r == 0)
        return;
    if (start->step == RV_CHILD_STEP_FOLDER)
        snprintf(ret->text, sizeof ret->text, "%s: cannot enter the folder '%s': %s", what,
                 start->opts.folder, why);
    else
        snprintf(ret->text, sizeof ret->text, "%s: cannot %s: %s", what, word_of(start->step), why);
}

static int check(const struct start *start)
{
    if (!start->argv || !start->argv[0] || !start->program[0] || start->opts.grace < 0)
        return -EINVAL;
    return rvi_seam ? -ENOTSUP : rvi_wait_allowed();
}

int rv_child_start(rv_child **ret, const char *const *argv, const struct rv_child_opts *opts)
{
    struct start start = {.argv = argv, .theirs = {-1, -1, -1}, .step = RV_CHILD_STEP_PREPARE};
    int r = rvi_opts_copy(&start.opts, sizeof start.opts, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    start.program = start.opts.program ? start.opts.program : argv ? argv[0] : NULL;
    r = check(&start);
    if (r == 0)
        r = start_child(&start);
    if (start.opts.ret_failure)
        describe_failure(&start, r, start.opts.ret_failure);
    if (r == 0)
        *ret = start.child;
    return r;
}

/* --- what a child has --- */

pid_t rv_child_pid(const rv_child *child)
{
    return child->pid;
}

int rvi_child_pidfd(const rv_child *child)
{
    return child->pidfd;
}

int rv_child_pipe(const rv_child *child, int which)
{
    if (which < 0 || which >= STREAMS)
        return -EINVAL;
    return child->pipes[which] >= 0 ? child->pipes[which] : -EBADF;
}

int rv_child_pipe_close(rv_child *child, int which)
{
    if (which < 0 || which >= STREAMS)
        return -EINVAL;
    rv_close(child->pipes[which]); /* a pipe has nothing to report */
    child->pipes[which] = -1;
    return 0;
}

/* --- its end --- */

/* Take how it ended, if it has and nobody has taken it: 0, -EAGAIN, -ECHILD. */
static int take_end(rv_child *child)
{
    struct rv_child_status status;
    int r = 0;

    rvi_lock_acquire(&child->lock);
    if (!child->has_ended) {
        r = rvi_spawn_end(child->pidfd, child->leads_group, false, &status);
        child->has_ended = r != -EAGAIN;
        child->lost = r == -ECHILD;
        if (r == 0)
            child->status = status;
    }
    r = !child->has_ended ? -EAGAIN : child->lost ? -ECHILD : 0;
    rvi_lock_release(&child->lock);
    return r;
}

int rv_child_wait(rv_child *child, struct rv_child_status *ret_status, rv_time deadline)
{
    int r = rvi_wait_allowed();

    while (r >= 0 && (r = take_end(child)) == -EAGAIN)
        r = rvi_io_poll(child->pidfd, POLLIN, RVI_WHY_CHILD, deadline);
    if (r == 0 && ret_status)
        *ret_status = child->status;
    return r;
}

/* Whatever is cancelled. -ETIME, or why a shield did not do. */
static int poll_shielded(const rv_child *child, rv_time deadline)
{
    bool is_shielded = rv_shield_begin(deadline) == 0;
    int r = rvi_io_poll(child->pidfd, POLLIN, RVI_WHY_CHILD, deadline);

    if (is_shielded)
        rv_shield_end();
    return r;
}

static int poll_in_thread(void *arg)
{
    const rv_child *child = arg;
    struct rvi_op op = rvi_op_poll(child->pidfd, POLLIN);

    return (int)rvi_op_perform(&op);
}

static int await_end(rv_child *child)
{
    struct rvi_sched *sched = rvi_sched_self();
    int r;

    while ((r = take_end(child)) == -EAGAIN) {
        r = poll_shielded(child, rv_after(SHIELD_NS));
        if (r >= 0 || r == -ETIME)
            continue;
        if (!sched || rvi_helpers_call(&sched->helpers, poll_in_thread, child) < 0)
            poll_in_thread(child);
    }
    return r;
}

/* --- ending it --- */

int rv_child_kill(rv_child *child, int signal)
{
    return rvi_spawn_kill(child->pidfd, signal);
}

int rv_child_kill_group(rv_child *child, int signal)
{
    return child->leads_group ? rvi_spawn_kill_group(child->pid, signal) : -EINVAL;
}

/* A leader that has left its own group is killed all the same. */
static int kill_all(rv_child *child, int signal)
{
    int r = child->leads_group ? rvi_spawn_kill_group(child->pid, signal) : -ESRCH;

    return r == -ESRCH ? rvi_spawn_kill(child->pidfd, signal) : r;
}

static void ask_to_end(rv_child *child, rv_time grace)
{
    if (take_end(child) == -EAGAIN && kill_all(child, SIGTERM) == 0)
        (void)poll_shielded(child, rv_after(grace)); /* whatever it says, SIGKILL comes next */
}

/* Nothing is left to kill of one that has ended and leads nobody. */
static int kill_it(rv_child *child, rv_time grace)
{
    if (grace > 0)
        ask_to_end(child, grace);
    int r = kill_all(child, SIGKILL);

    return r == -ESRCH ? 0 : r;
}

int rv_child_stop(rv_child *child, rv_time grace, struct rv_child_status *ret_status)
{
    int r = kill_it(child, grace);

    if (r == 0)
        r = await_end(child);
    if (r == 0 && ret_status)
        *ret_status = child->status;
    return r;
}

rv_child *rv_child_close(rv_child *child)
{
    struct rv_child_status status;

    if (!child)
        return NULL;
    (void)kill_it(child, child->grace); /* who may not be killed is waited for */
    (void)await_end(child);
    if (child->leads_group && !child->lost)
        rvi_spawn_end(child->pidfd, false, true, &status); /* C2 is over */
    close_pipes(child->pipes);
    rv_close(child->pidfd);
    rvi_free(child);
    return NULL;
}
