/* SPDX-License-Identifier: MIT */
/* self.c - the worker's side: the first message, the role, and the thread that hears the parent.
 *
 * The end of the parent. The kernel kills the worker's group when the parent's end of the pipe is
 * closed (sys/self.c), which the parent's death does, unless somebody else holds it too: a child
 * that it has forked. So the control thread, which sleeps in poll, looks at two more things: the
 * end of file of the control socket, by which the parent can let it go as well, and at a pidfd of
 * the parent, which nobody can hold open. Any of the three is the end, of all that the worker has
 * started too.
 *
 * A worker that refuses says why in its answer, and ends with status 1: it has begun nothing.
 *
 * Checked by: tests/unit/proc/test_proc.c */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <ravel/net.h>

#include "base/alloc.h"
#include "proc/inside.h"
#include "sys/confine.h"
#include "sys/crash.h"
#include "sys/fd.h"
#include "sys/poller.h"
#include "sys/self.h"
#include "sys/stack.h"
#include "sys/thread.h"

/* --- the first message --- */

/* A message may lie there only, as the parent has sent it before. */
static const char *take_first(int control, struct rvi_first *ret, struct rvi_proc_self *self)
{
    static int fds[RVI_HELLO_FDS];
    static _Alignas(max_align_t) char bytes[sizeof *ret + RVI_HELLO_BYTES];
    ssize_t n =
        rv_recv_fds(control, bytes, sizeof bytes, fds, RVI_HELLO_FDS, &self->fd_count, rv_now());

    if (n < (ssize_t)sizeof *ret)
        return "it was told nothing";
    memcpy(ret, bytes, sizeof *ret);
    if (ret->magic != RVI_FIRST_MAGIC)
        return "it was started by something that is not this library";
    self->control = control;
    self->hello = memmove(bytes, bytes + sizeof *ret, (size_t)n - sizeof *ret);
    self->hello_bytes = (size_t)n - sizeof *ret;
    self->fds = fds;
    return NULL;
}

static const char *find_fault(const struct rvi_first *first, const struct rvi_role **ret_role,
                              int *ret_error)
{
    struct rvi_identity own;

    rvi_identity_own(&own);
    *ret_error = -ESTALE;
    if (memcmp(own.program, first->identity.program, sizeof own.program) != 0)
        return "its executable is of another build than the program's: it has been replaced";
    if (!rvi_identity_is_same(&own, &first->identity))
        return "its libravel is of another build than the program's: it has been replaced";
    *ret_error = -EINVAL;
    *ret_role = rvi_role_find(first->role);
    return *ret_role ? NULL : "it knows no such role";
}

/* --- the thread that hears the parent --- */

enum { CONTROL, PARENT, CRASH };

static struct {
    int control;
    int poller; /* of the control socket and of the parent's end */
    size_t most;
    char *bytes;
    rvi_proc_heard *heard;
    void *arg;
} ear = {.control = -1, .poller = -1};

/* The socket's end of file, or an error, which comes of a job that has closed what is not its own:
 * in either case nobody can reach us any more. That there are too many descriptors is no such
 * error: a message is lost with those that it brought. */
static void hear_one(void)
{
    int fds[RVI_HELLO_FDS];
    size_t fd_count;
    ssize_t n = rv_recv_fds(ear.control, ear.bytes, ear.most, fds, RVI_HELLO_FDS, &fd_count, 0);

    if (n > 0)
        ear.heard(ear.arg, ear.bytes, (size_t)n, fds, fd_count);
    else if (n == -EMFILE)
        ear.heard(ear.arg, NULL, 0, NULL, 0);
    else if (n != -ETIME && n != -ENOMEM)
        rvi_self_kill_group();
}

static void *hear(void *unused)
{
    struct epoll_event event;

    for (;;) {
        int n = rvi_poller_wait(ear.poller, &event, 1, RV_NEVER);
        if (n < 0 || (n > 0 && event.data.u64 == PARENT))
            rvi_self_kill_group();
        if (n > 0 && event.data.u64 == CRASH)
            rvi_crash_tell();
        else if (n > 0)
            hear_one();
    }
    return unused;
}

/* Before the worker is confined. A kernel without pidfds leaves the other two ways. */
static int prepare_to_hear(int control, pid_t parent)
{
    int poller = rvi_poller_open(), fd = rvi_self_watch_parent(parent), crash = rvi_crash_watch();

    if (fd == -ESRCH)
        rvi_self_kill_group();
    if (poller < 0 || crash < 0)
        return poller < 0 ? poller : crash;
    int r = rvi_poller_control(poller, EPOLL_CTL_ADD, control, EPOLLIN, CONTROL);
    if (r == 0)
        r = rvi_poller_control(poller, EPOLL_CTL_ADD, crash, EPOLLIN, CRASH);
    if (r == 0 && fd >= 0)
        r = rvi_poller_control(poller, EPOLL_CTL_ADD, fd, EPOLLIN, PARENT);
    ear.control = control;
    ear.poller = poller;
    return r;
}

int rvi_proc_listen(const struct rvi_proc_self *self, size_t most, rvi_proc_heard *heard, void *arg)
{
    pthread_t thread;

    (void)self;
    ear.most = most;
    ear.heard = heard;
    ear.arg = arg;
    ear.bytes = rvi_alloc(most);
    int r = ear.bytes ? rvi_thread_start(&thread, "control", hear, NULL) : -ENOMEM;
    if (r == 0)
        rvi_crash_has_teller();
    return r;
}

void rvi_proc_set_job(const char *name)
{
    rvi_crash_set_job(name);
}

/* --- being a worker --- */

static int confine(uint32_t confinement, const char **ret_why)
{
    switch (confinement) {
    case RV_CONFINE_NONE:
        return 0;
    case RV_CONFINE_READING:
        *ret_why =
            "it cannot be confined to reading: this kernel has no Landlock, or a constructor "
            "has started threads";
        return rvi_confine_to_reading();
    case RV_CONFINE_COMPUTE:
        *ret_why = "it cannot be confined to computing: this kernel has no seccomp filters";
        return rvi_confine_to_computing();
    }
    *ret_why = "it knows no such confinement";
    return -EINVAL;
}

static void answer(int control, int error, const char *text)
{
    struct rvi_answer answer = {.magic = RVI_ANSWER_MAGIC, .error = error};

    snprintf(answer.text, sizeof answer.text, "%s", text);
    ssize_t n = rv_send_fds(control, &answer, sizeof answer, NULL, 0, RV_NEVER);
    (void)n; /* a parent that has gone is noticed by the control thread */
}

static int refuse(int control, int error, const char *why)
{
    answer(control, error, why);
    return EXIT_FAILURE;
}

int rvi_proc_be(int control, int life)
{
    static struct rvi_proc_self self;
    struct rvi_first first;
    const struct rvi_role *role;
    int error = -EPROTO;

    rvi_fd_close_on_exec(control);
    rvi_fd_close_on_exec(life);
    rvi_self_set_name(program_invocation_short_name);
    const char *fault = take_first(control, &first, &self);
    if (!fault)
        fault = find_fault(&first, &role, &error);
    if (fault)
        return refuse(control, error, fault);
    error = prepare_to_hear(control, first.parent);
    if (error < 0)
        return refuse(control, error, "it cannot watch its parent, or for crashes");
    rvi_stack_note_thread();
    error = confine(first.confinement, &fault);
    if (error < 0)
        return refuse(control, error, fault);
    self.role = role->name;
    self.confinement = first.confinement;
    answer(control, 0, "");
    int status = role->run(&self);
    rvi_proc_set_job(NULL);
    return status;
}
