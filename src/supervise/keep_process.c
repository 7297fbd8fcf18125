/* SPDX-License-Identifier: MIT */
/* keep_process.c - a keeper whose service is a worker process (proc/proc.h): starts it, hears what
 * it says, asks it to stop, kills it when it does not, and tells how it has ended.
 *
 * The keeper waits in one place, for three descriptors at a time (an epoll of its own, of edges):
 * the control socket, the pipe with the process's words, and its pidfd. All else happens behind a
 * shield, so that what has come is taken whole whatever is cancelled; `await` takes it down.
 *
 *     LIVING --cancelled, ask--> ASKED --stop_time, SIGTERM--> TERMINATED --term_grace, SIGKILL-->
 *     KILLED
 *
 *   P1  when the keeper leaves, there is no process, no zombie and no descriptor
 *   P2  what the process says is looked at once: READY changes nothing for one that has ended, a
 *       result is a number, and the kernel's word, that a signal has killed it, counts more
 *   P3  a process whose keeper cannot wait for it, or hear it, is killed: nobody would look after
 *       it
 *
 * Checked by: tests/unit/supervise/test_process.c, tests/stress/stress_services.c, tests/faults */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <ravel/io.h>
#include <ravel/net.h>
#include <ravel/task.h>

#include "base/alloc.h"
#include "base/check.h"
#include "proc/proc.h"
#include "supervise/inside.h"
#include "sys/op.h"
#include "sys/poller.h"
#include "sys/resident.h"

/* How long to wait for a standard error that is full. */
#define WORDS_PAUSE (10 * RV_MILLISECOND)

/* Between two looks at its memory, and how much of that may be had in a millisecond. */
#define LEAST_PAUSE (10 * RV_MILLISECOND)
#define MOST_PAUSE (100 * RV_MILLISECOND)
#define GROWTH_BYTES ((uint64_t)8 << 20)

enum phase { LIVING, ASKED, TERMINATED, KILLED };

struct life {
    struct rvi_kept *kept;
    struct rvi_proc proc;
    int poller;
    enum phase phase;
    rv_time due;          /* of the next phase */
    rv_time weigh_due;    /* when to look at its memory; RV_NEVER: it has no limit */
    bool is_fat;          /* it was killed for that */
    bool words_are_stuck; /* in our own standard error */
    bool is_reset;        /* its control socket has said so */
    bool is_mute;         /* and has ended */
    int refused;          /* 0, -errno */
    int lost;             /* why it could not be heard or waited for: 0, -errno */
    bool has_returned;
    int result;
};

/* --- starting --- */

int rvi_service_say(int control, uint32_t word, int result)
{
    struct rvi_service_message message = {.word = word, .result = result};
    struct rvi_op op = rvi_op_send(control, &message, sizeof message, 0);

    op.is_nonblocking = true;
    int64_t n;
    do
        n = rvi_op_try(&op);
    while (n == -EINTR);
    return n < 0 ? (int)n : 0;
}

static int start_process(struct life *life, struct rv_child_failure *failure)
{
    const struct rvi_kept *kept = life->kept;
    size_t bytes = sizeof(struct rvi_service_hello) + kept->what.arg_bytes;
    unsigned char *hello = rvi_calloc(1, bytes);
    struct rvi_proc_start what = {
        .role = "service", .hello = hello, .hello_bytes = bytes, .opts = &kept->opts};

    if (!hello)
        return -ENOMEM;
    snprintf((char *)hello, RVI_SERVICE_NAME_BYTES, "%s", kept->what.process->name);
    if (kept->arg)
        memcpy(hello + sizeof(struct rvi_service_hello), kept->arg, kept->what.arg_bytes);
    int r = rvi_proc_start(&life->proc, &what, failure);
    rvi_free(hello);
    return r;
}

static int watch(struct life *life)
{
    const int fds[] = {life->proc.control, life->proc.words.fd, life->proc.pidfd};
    int r = 0;

    for (size_t i = 0; i < sizeof fds / sizeof *fds && r == 0; i++)
        r = rvi_poller_control(life->poller, EPOLL_CTL_ADD, fds[i], EPOLLIN | EPOLLET, i);
    return r;
}

/* --- hearing --- */

/* P3 */
static void give_up(struct life *life, int why)
{
    life->lost = why;
    (void)rvi_proc_kill(&life->proc, SIGKILL); /* it may have ended just now */
}

static void hear_answer(struct life *life)
{
    int r = rvi_proc_take_answer(&life->proc);

    if (r == 0 && life->kept->what.start_time == 0)
        rvi_kept_is_ready(life->kept);
    if (r == 0 || r == -EAGAIN)
        return;
    life->refused = r;
    life->is_mute = true;
    (void)rvi_proc_kill(&life->proc, SIGKILL); /* it is on its way out anyway */
}

/* P2. A process that ends before it has read all leaves a reset, which is told once, and ahead of
 * what it had said; it is no trouble of ours. False: there is nothing more now. */
static bool hear_message(struct life *life)
{
    struct rvi_service_message message;
    size_t fd_count;
    ssize_t n = rv_recv_fds(life->proc.control, &message, sizeof message, NULL, 0, &fd_count, 0);

    if (n == -ETIME)
        return false;
    if (n == -ECONNRESET && !life->is_reset) {
        life->is_reset = true;
        (void)rvi_proc_kill(&life->proc, SIGKILL);
        return true;
    }
    life->is_mute = n <= 0;
    if (n < 0)
        give_up(life, (int)n);
    if (n != sizeof message)
        return n > 0;
    if (message.word == RVI_SERVICE_READY)
        rvi_kept_is_ready(life->kept);
    if (message.word == RVI_SERVICE_RETURNED) {
        life->has_returned = true;
        life->result = message.result;
    }
    return true;
}

static void hear(struct life *life)
{
    ssize_t n;

    if (!life->proc.has_answered)
        hear_answer(life);
    while (life->proc.has_answered && !life->is_mute && hear_message(life))
        ;
    do
        n = rvi_words_read(&life->proc.words);
    while (n > 0);
    life->words_are_stuck = n == -EBUSY;
}

/* --- its end --- */

static void go_on_to(struct life *life, enum phase phase, rv_time time)
{
    life->phase = phase;
    life->due = rv_after(time);
}

/* It is time for the next phase. */
static void press(struct life *life)
{
    int r;

    switch (life->phase) {
    case LIVING: /* one that hears nothing any more gets its signals */
        r = rvi_service_say(life->proc.control, RVI_SERVICE_STOP, 0);
        go_on_to(life, ASKED, r < 0 ? 0 : life->kept->what.stop_time);
        break;
    case ASKED:
        (void)rvi_proc_kill(&life->proc, SIGTERM); /* it may have ended just now */
        go_on_to(life, TERMINATED, life->kept->opts.term_grace);
        break;
    case TERMINATED:
    case KILLED:
        (void)rvi_proc_kill(&life->proc, SIGKILL);
        go_on_to(life, KILLED, RV_NEVER);
        break;
    }
}

/* The kernel has no limit for what a process has resident. The more it may still have, the later it
 * is looked at again; it can be over its limit by what it gets within a pause. */
static void weigh(struct life *life)
{
    uint64_t most = life->kept->opts.memory_bytes, bytes = 0;
    int r = rvi_resident_own(life->proc.pid, &bytes);

    if (bytes > most) {
        life->is_fat = true;
        (void)rvi_proc_kill(&life->proc, SIGKILL); /* it may have ended just now */
    }
    uint64_t pause_ms = r < 0 || bytes > most ? 0 : (most - bytes) / GROWTH_BYTES;
    rv_time pause =
        pause_ms > MOST_PAUSE / RV_MILLISECOND ? MOST_PAUSE : (rv_time)pause_ms * RV_MILLISECOND;
    life->weigh_due = rv_after(pause > LEAST_PAUSE ? pause : LEAST_PAUSE);
}

/* Without the shield while it lives: to be cancelled is what it waits for. */
static int await(struct life *life)
{
    struct epoll_event events[4];
    rv_time deadline = life->due < life->weigh_due ? life->due : life->weigh_due;
    int r;

    if (life->words_are_stuck && rv_after(WORDS_PAUSE) < deadline)
        deadline = rv_after(WORDS_PAUSE);
    if (life->phase == LIVING)
        rv_shield_end();
    r = rv_poll(life->poller, POLLIN, deadline);
    if (life->phase == LIVING) {
        int shielded = rv_shield_begin(RV_NEVER - 1);
        RV_CHECK(shielded == 0); /* it was before */
    }
    if (r >= 0)
        (void)rvi_poller_wait(life->poller, events, 4, 0);
    return r;
}

/* One turn. */
static void attend(struct life *life)
{
    int r = await(life);

    if (r == -ECANCELED && life->phase == LIVING)
        press(life);
    else if (r < 0 && r != -ETIME)
        give_up(life, r);
    else if (rv_now() >= life->due)
        press(life);
    if (rv_now() >= life->weigh_due)
        weigh(life);
    hear(life);
}

/* Errors: it is lost. */
static int await_end(struct life *life, struct rv_child_status *status)
{
    int r;

    while ((r = rvi_proc_end(&life->proc, false, status)) == -EAGAIN)
        attend(life);
    hear(life);
    rvi_words_finish(&life->proc.words);
    return r;
}

static void describe(const struct life *life, const struct rv_child_status *status,
                     struct rv_service_end *end)
{
    if (life->is_fat && status->signal == SIGKILL) {
        end->error = -ENOMEM;
        end->signal = SIGKILL;
        snprintf(end->text, sizeof end->text, "was killed: it had more memory than it may have");
    } else if (life->refused < 0) {
        end->error = life->refused;
        snprintf(end->text, sizeof end->text, "could not be started: %.96s", life->proc.refusal);
    } else if (life->lost < 0 && (status->signal == SIGKILL || !life->has_returned)) {
        rvi_end_error(end, life->lost, "could not be looked after");
    } else if (status->kind == RV_CHILD_KILLED) {
        end->error = -ECHILD;
        end->signal = status->signal;
        const char *name = sigabbrev_np(status->signal);
        snprintf(end->text, sizeof end->text,
                 name ? "was killed by SIG%s" : "was killed by a signal", name);
    } else if (life->has_returned) {
        rvi_end_returned(end, life->result);
    } else {
        end->error = status->code == 0 ? 0 : -ECHILD;
        snprintf(end->text, sizeof end->text, "exited with status %d", status->code);
    }
}

/* --- the whole of it --- */

static void look_after(struct life *life, struct rv_service_end *end)
{
    struct rv_child_status status;
    int r = watch(life);

    rvi_kept_has_process(life->kept, life->proc.pid);
    if (r == 0)
        r = await_end(life, &status);
    if (r < 0)
        rvi_end_error(end, r, "could not be looked after");
    else
        describe(life, &status, end);
    rvi_kept_has_process(life->kept, 0);
    rvi_proc_fini(&life->proc);
}

static int keep(struct life *life, struct rv_service_end *end)
{
    struct rv_child_failure failure = {0};
    int r = life->poller = rvi_poller_open();

    if (r < 0)
        return r;
    r = start_process(life, &failure);
    if (r == 0) {
        look_after(life, end);
    } else if (failure.text[0]) {
        end->error = r;
        snprintf(end->text, sizeof end->text, "could not be started: %.96s", failure.text);
        r = 0;
    }
    (void)rv_close(life->poller);
    return r;
}

void rvi_keep_process(struct rvi_kept *kept, struct rv_service_end *end)
{
    struct life *life = rvi_calloc(1, sizeof *life);
    int r = life ? rv_shield_begin(RV_NEVER - 1) : -ENOMEM;

    if (r == 0) {
        life->kept = kept;
        life->due = RV_NEVER;
        life->weigh_due = kept->opts.memory_bytes > 0 ? rv_now() : RV_NEVER;
        r = keep(life, end);
        rv_shield_end();
    }
    if (r < 0)
        rvi_end_error(end, r, "could not be started");
    rvi_free(life);
}
