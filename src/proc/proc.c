/* SPDX-License-Identifier: MIT */
/* proc.c - the parent's side of one worker: an ordinary child (io/child.c) that runs this very
 * executable, with three descriptors more than it sees.
 *
 *   - its end of the control socket, in which the first message lies before it is started: so
 *     nothing is left to fail once there is a process;
 *   - the reading end of a pipe that nobody writes to, by which it ends with us (sys/self.c);
 *   - its standard error.
 *
 * The first two get the lowest numbers that opts->fds leaves free; the environment names them.
 *
 *   R1  a rvi_proc that was started has a child until rvi_proc_fini(), which leaves no zombie
 *   R2  the child leads a group: its number is not given up before rvi_proc_fini(), so that what
 *       it has started can be killed after its end
 *
 * Checked by: tests/unit/proc/test_proc.c */
#include "proc/proc.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel/io.h>
#include <ravel/net.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "base/seam.h"
#include "io/child.h"
#include "proc/before_main.h"
#include "proc/inside.h"
#include "proc/words.h"
#include "sys/fd.h"
#include "sys/self.h"
#include "sys/sock.h"

enum { OURS, THEIRS, ENDS };
enum { FIRST_FREE = 3, OWN_FDS = 2 };

/* What a start makes; all is undone if it fails. */
struct start {
    struct rv_process_opts opts;
    int control[ENDS], life[ENDS]; /* -1: none */
    struct rv_child_fd *fds;       /* opts.fds, and our two */
    const char **changes;          /* opts.env_changes, and ours */
    char variable[64];
};

int rvi_proc_possible(const char **ret_why)
{
    const char *why = rvi_before_main_lacks();
    int r = why ? -EOPNOTSUPP : 0;

    if (rvi_seam) {
        r = -ENOTSUP;
        why = "a simulation has one process";
    } else if (r == 0 && rvi_before_main_depth() >= RVI_DEPTH_MOST) {
        r = -ELOOP;
        why = "this is one already, of one, of one: deeper they do not go";
    }
    if (r < 0 && ret_why)
        *ret_why = why;
    return r;
}

/* --- what a start wants, made ready --- */

static bool is_wanted(const struct rv_process_opts *opts, int number)
{
    for (size_t i = 0; i < opts->fd_count; i++) {
        if (opts->fds[i].child_fd == number)
            return true;
    }
    return false;
}

static int next_free(const struct rv_process_opts *opts, int number)
{
    while (is_wanted(opts, number))
        number++;
    return number;
}

static int make_fds(struct start *start)
{
    const struct rv_process_opts *opts = &start->opts;
    int control = next_free(opts, FIRST_FREE), life = next_free(opts, control + 1);

    start->fds = rvi_calloc(opts->fd_count + OWN_FDS, sizeof *start->fds);
    if (!start->fds)
        return -ENOMEM;
    for (size_t i = 0; i < opts->fd_count; i++)
        start->fds[i] = opts->fds[i];
    start->fds[opts->fd_count] = (struct rv_child_fd){start->control[THEIRS], control};
    start->fds[opts->fd_count + 1] = (struct rv_child_fd){start->life[THEIRS], life};
    snprintf(start->variable, sizeof start->variable, RVI_WORKER_VARIABLE "=%d,%d,%d", control,
             life, rvi_before_main_depth() + 1);
    return 0;
}

static int make_changes(struct start *start)
{
    const char *const *wanted = start->opts.env_changes;
    size_t count = 0;

    while (wanted && wanted[count])
        count++;
    start->changes = rvi_calloc(count + 2, sizeof *start->changes);
    if (!start->changes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        start->changes[i] = wanted[i];
    start->changes[count] = start->variable;
    return 0;
}

static int make_ends(struct start *start)
{
    int r = rvi_sock_pair(SOCK_SEQPACKET, start->control);
    int ends[2];

    if (r == 0 && (r = rvi_fd_pipe(ends, 0)) == 0) {
        start->life[THEIRS] = ends[0];
        start->life[OURS] = ends[1];
    }
    return r;
}

/* The socket is empty and has room for it. */
static int send_first(const struct start *start, const struct rvi_proc_start *what)
{
    struct rvi_first first = {.magic = RVI_FIRST_MAGIC, .parent = getpid()};
    size_t bytes = sizeof first + what->hello_bytes;
    char *message = rvi_alloc(bytes);

    if (!message)
        return -ENOMEM;
    rvi_identity_own(&first.identity);
    first.confinement = start->opts.confinement;
    snprintf(first.role, sizeof first.role, "%s", what->role);
    memcpy(message, &first, sizeof first);
    if (what->hello_bytes > 0)
        memcpy(message + sizeof first, what->hello, what->hello_bytes);
    ssize_t n = rv_send_fds(start->control[OURS], message, bytes, what->fds, what->fd_count, 0);
    rvi_free(message);
    return n < 0 ? (int)n : 0;
}

static int check(const struct rvi_proc_start *what, const struct rv_process_opts *opts)
{
    int r = rvi_proc_possible(NULL);

    if (r == 0 && !rvi_role_find(what->role))
        r = -EINVAL;
    if (r == 0 && (unsigned)opts->confinement > RV_CONFINE_COMPUTE)
        r = -EINVAL;
    if (r == 0 && (what->hello_bytes > RVI_HELLO_BYTES || what->fd_count > RVI_HELLO_FDS))
        r = -EMSGSIZE;
    return r;
}

static int prepare(struct start *start, const struct rvi_proc_start *what)
{
    int r = check(what, &start->opts);

    if (r < 0 || (r = make_ends(start)) < 0 || (r = make_fds(start)) < 0 ||
        (r = make_changes(start)) < 0)
        return r;
    return send_first(start, what);
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        (void)rv_close(*fd);
    *fd = -1;
}

static void tidy_up(struct start *start)
{
    close_end(&start->control[THEIRS]);
    close_end(&start->life[THEIRS]);
    rvi_free(start->fds);
    rvi_free(start->changes);
}

/* --- starting --- */

static int start_child(struct start *start, const char *role, struct rv_child_failure *failure,
                       rv_child **ret)
{
    const struct rv_process_opts *opts = &start->opts;
    const char *argv[] = {program_invocation_name, "(worker)", role, NULL};
    const struct rv_child_opts child_opts = {
        .size = sizeof child_opts,
        .in.kind = RV_CHILD_NULL,
        .err.kind = RV_CHILD_PIPE,
        .fds = start->fds,
        .fd_count = opts->fd_count + OWN_FDS,
        .program = rvi_self_executable(),
        .folder = opts->folder,
        .env = opts->env,
        .env_changes = start->changes,
        .limits = opts->limits,
        .limit_count = opts->limit_count,
        .group = RV_CHILD_GROUP_OWN,
        .nice = opts->nice,
        .cpus = opts->cpus,
        .cpu_count = opts->cpu_count,
        .reset_ignored = true,
        .ret_failure = failure,
    };
    return rv_child_start(ret, argv, &child_opts);
}

static void fill_in(struct rvi_proc *proc, const struct start *start, rv_child *child)
{
    *proc = (struct rvi_proc){
        .child = child,
        .pid = rv_child_pid(child),
        .pidfd = rvi_child_pidfd(child),
        .control = start->control[OURS],
        .life = start->life[OURS],
    };
    rvi_words_init(&proc->words, child);
}

static void describe(struct rv_child_failure *failure, int error)
{
    const char *why = strerrordesc_np(-error);

    (void)rvi_proc_possible(&why);
    *failure = (struct rv_child_failure){.step = RV_CHILD_STEP_PREPARE, .error = error};
    snprintf(failure->text, sizeof failure->text, "a worker process: %s", why);
}

int rvi_proc_start(struct rvi_proc *ret, const struct rvi_proc_start *what,
                   struct rv_child_failure *failure)
{
    struct start start = {.control = {-1, -1}, .life = {-1, -1}};
    const struct rv_process_opts *opts = what->opts;
    rv_child *child = NULL;
    int r = rvi_opts_copy(&start.opts, sizeof start.opts, opts, opts ? opts->size : 0);

    if (r == 0)
        r = prepare(&start, what);
    if (r < 0 && failure)
        describe(failure, r);
    else if (r == 0)
        r = start_child(&start, what->role, failure, &child);
    tidy_up(&start);
    if (r == 0) {
        fill_in(ret, &start, child);
        return 0;
    }
    close_end(&start.control[OURS]);
    close_end(&start.life[OURS]);
    return r;
}

/* --- its answer --- */

static int refuse(struct rvi_proc *proc, int error, const char *why)
{
    snprintf(proc->refusal, sizeof proc->refusal, "%.*s", (int)sizeof proc->refusal - 1, why);
    proc->has_answered = true;
    return error;
}

/* Bytes of another process: nothing in them is believed unseen. */
int rvi_proc_take_answer(struct rvi_proc *proc)
{
    struct rvi_answer answer;
    size_t fd_count;
    ssize_t n = rv_recv_fds(proc->control, &answer, sizeof answer, NULL, 0, &fd_count, 0);

    if (n == -ETIME)
        return -EAGAIN;
    if (n != sizeof answer || answer.magic != RVI_ANSWER_MAGIC || answer.error > 0)
        return refuse(proc, n <= 0 ? -EPIPE : -EPROTO, "it has ended before it answered");
    answer.text[sizeof answer.text - 1] = '\0';
    return refuse(proc, answer.error, answer.text);
}

/* --- its end --- */

int rvi_proc_kill(struct rvi_proc *proc, int signal)
{
    return rv_child_kill_group(proc->child, signal);
}

int rvi_proc_end(struct rvi_proc *proc, bool waits, struct rv_child_status *ret)
{
    int r = rv_child_wait(proc->child, ret, waits ? RV_NEVER : 0);

    if (r == 0)
        (void)rv_child_kill_group(proc->child, SIGKILL); /* there may be nobody */
    return r == -ETIME ? -EAGAIN : r;
}

/* Without its life a worker ends even where we may not send it a signal. */
void rvi_proc_fini(struct rvi_proc *proc)
{
    close_end(&proc->life);
    close_end(&proc->control);
    proc->child = rv_child_close(proc->child);
}
