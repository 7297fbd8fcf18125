/* SPDX-License-Identifier: MIT */
/* process.c - fork and wait, and process ids.
 *
 *   S1  a forked child has the forking thread alone, and leaves control: its calls are libc's own.
 *       Locks go on there as they were (locks.h)
 *   S2  who waits for a child blocks its thread alone; but first all wait a moment, so that it does
 *       not depend on chance whether the child was quick enough
 *   S3  getpid() and gettid() say the same in every execution. What takes a process id is told the
 *       real one, also in children, who may have been told the other
 *
 * vfork is fork: a child that shares the memory would take the parent out of control. exec, spawn
 * and system are libc's own; what they start is not checked.
 *
 * Checked by: tests/check */
#include "check/runtime/process.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/runtime/io.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"

static pid_t real_id; /* of the process that forked first */
static uint32_t children;

pid_t ck_process_id(void)
{
    return ck_self || !real_id ? CK_NEXT(getpid)() : real_id;
}

bool ck_process_has_children(void)
{
    return children > 0;
}

static bool is_free(const struct ck_wait *wait)
{
    const pthread_mutex_t *m = wait->object;

    switch (wait->kind) {
    case CK_OP_SEM_WAIT:
        return ck_sem_is_free(wait->object);
    case CK_OP_LOCK:
    case CK_OP_WOKEN:
        return m->__data.__lock == 0;
    default:
        return false;
    }
}

bool ck_process_look(void)
{
    bool any = false;

    for (uint32_t i = 0; children > 0 && i < ck_thread_count; i++) {
        struct ck_thread *thread = ck_threads[i];

        if (thread->state != CK_BLOCKED || !is_free(&thread->wait))
            continue;
        ck_wake(thread);
        any = true;
    }
    return any;
}

bool ck_process_has_forked(void)
{
    return real_id != 0;
}

static pid_t fork_it(void)
{
    real_id = CK_NEXT(getpid)();
    pid_t child = CK_NEXT(fork)();
    if (child > 0)
        children++;
    if (child == 0)
        ck_self = NULL;
    return child;
}

static pid_t fork_at(uintptr_t pc)
{
    ck_point(&(struct ck_op){CK_OP_IO, true, 0, 0, pc});
    pid_t child = fork_it();
    if (child != 0)
        ck_leave();
    return child;
}

CK_EXPORT pid_t fork(void)
{
    return ck_enter() ? fork_at(CK_CALLER) : CK_NEXT(fork)();
}

CK_EXPORT pid_t vfork(void)
{
    return ck_enter() ? fork_at(CK_CALLER) : CK_NEXT(fork)();
}

CK_EXPORT pid_t getpid(void)
{
    return ck_self && !ck_self->inside ? CK_PID : CK_NEXT(getpid)();
}

CK_EXPORT pid_t gettid(void)
{
    return ck_self && !ck_self->inside ? (pid_t)(CK_PID + ck_self->id) : CK_NEXT(gettid)();
}

/* ---- waiting --------------------------------------------------------------------------------- */

struct waiting {
    pid_t pid;
    int options;
    int status;
    struct rusage usage;
    pid_t result; /* 0: not yet */
    int error;
};

static bool is_over(void *arg)
{
    struct waiting *w = arg;

    if (w->result != 0)
        return true;
    w->result = CK_NEXT(wait4)(w->pid, &w->status, w->options | WNOHANG, &w->usage);
    w->error = errno;
    return w->result != 0;
}

static pid_t await(struct waiting *w, uintptr_t pc)
{
    const struct ck_op op = {CK_OP_IO, true, 0, 0, pc};

    ck_point(&op);
    if (!(w->options & WNOHANG))
        ck_io_linger(is_over, w);
    int r = is_over(w) || (w->options & WNOHANG)
                ? 0
                : ck_io_wait_restarting(&op, -1, 0, false, is_over, w);
    if (r == -ECANCELED)
        ck_cancel_now();
    if (r != 0) {
        errno = -r;
        return -1;
    }
    if (w->result > 0 && children > 0)
        children--;
    if (w->result < 0)
        errno = w->error;
    return w->result;
}

CK_EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    struct waiting w = {.pid = pid, .options = options};

    if (!ck_enter())
        return CK_NEXT(wait4)(pid, status, options, usage);
    pid_t r = await(&w, CK_CALLER);
    ck_leave();
    if (r > 0 && status)
        *status = w.status;
    if (r > 0 && usage)
        *usage = w.usage;
    return r;
}

CK_EXPORT pid_t waitpid(pid_t pid, int *status, int options)
{
    return wait4(pid, status, options, NULL);
}

CK_EXPORT pid_t wait(int *status)
{
    return wait4(-1, status, 0, NULL);
}

CK_EXPORT pid_t wait3(int *status, int options, struct rusage *usage)
{
    return wait4(-1, status, options, usage);
}
