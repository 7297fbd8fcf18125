/* SPDX-License-Identifier: MIT */
/* serve_jobs.c - a worker process of an executor: takes jobs from its ring and runs them, one after
 * the other, on its first thread, as on any plain thread.
 *
 * Stopping. The control thread hears that job i is to stop; by then another may run. So that no
 * token is set for the wrong job, and the way of a job costs no locked instruction, the rare side
 * pays (sys/fence.h):
 *
 *     this thread, before a job            control thread
 *     current = i                          wanted = i, is_busy
 *     light fence                          heavy fence
 *     wanted == i? set the token           current == i? set the token
 *     ... runs it ...                      not is_busy
 *     current = none
 *     light fence
 *     wait while is_busy; clear the token
 *
 *   S1  of the two sides one sees the other's word, so a stop is not missed by the job it is for
 *   S2  a token is set by the control thread only while is_busy, hence while its job is current or
 *       the next has not begun: when a job begins, the token is clear
 *
 * Checked by: tests/unit/exec/test_tier_processes.c */
#include <errno.h>
#include <string.h>

#include "exec/future.h"
#include "exec/jobs_wire.h"
#include "proc/proc.h"
#include "sched/cancel.h"
#include "sched/here.h"
#include "shm/bell.h"
#include "shm/note.h"
#include "shm/segment.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/fd.h"
#include "sys/fence.h"
#include "sys/lock.h"
#include "sys/op.h"

enum { KNOWN = 64 }; /* jobs whose keys are looked up at once; a power of two */

#define NO_JOB UINT64_MAX

struct server {
    struct rvi_segment segment, bell_page;
    struct rvi_bell bell;
    struct rvi_taker taker;
    struct rvi_cancel token;   /* of this thread, clear between jobs */
    _Atomic(uint64_t) current; /* the index of the job that runs, or NO_JOB */
    _Atomic(uint64_t) wanted;  /* the index of the last that was to stop */
    _Atomic(int) why;          /* it was */
    _Atomic(uint32_t) is_busy; /* the control thread may be setting the token */
    const struct rv_job *known[KNOWN];
    rv_time ended; /* when the last job did */
    int control;
    _Atomic(bool) has_asked; /* for shared memory, once */
    struct rvi_note *notes;  /* by slot */
    struct rvi_lock telling;
};

static struct server the_server; /* the control thread's until the process ends */

/* --- the control thread --- */

static void stop(struct server *server, const struct rvi_jobs_message *message)
{
    rvi_store_relaxed(&server->is_busy, 1);
    rvi_store_relaxed(&server->why, message->why);
    rvi_store_release(&server->wanted, message->index); /* pairs: job-wanted */
    rvi_fence_heavy();                                  /* pairs: job-stop */
    if (rvi_load_relaxed(&server->current) == message->index)
        (void)rvi_cancel_set(&server->token, message->why);
    rvi_store_release(&server->is_busy, 0); /* pairs: job-stopped */
}

static void hear(void *arg, const void *bytes, size_t count, const int *fds, size_t fd_count)
{
    struct server *server = arg;
    struct rvi_jobs_message message;

    if (count == 0)
        rvi_loans_lost(-EMFILE); /* nothing else comes with a descriptor */
    if (count != sizeof(message))
        return;
    memcpy(&message, bytes, sizeof(message));
    switch (message.order) {
    case RVI_JOBS_STOP:
        stop(server, &message);
        break;
    case RVI_JOBS_LEAVE:
        rvi_ring_quit(&server->taker);
        break;
    case RVI_JOBS_LEND:
        rvi_loans_told(message.answer, fd_count > 0 ? fds[0] : -1);
        break;
    }
}

/* It is the thread that waits: were it a task, which gives others their turn, these would wait for
 * it with their thread (loan.c). */
static int ask(void *arg, struct rvi_shm_ask question)
{
    struct server *server = arg;
    struct rvi_op op = rvi_op_send(server->control, &question, sizeof(question), 0);
    int64_t n;

    rvi_store_relaxed(&server->has_asked, true);
    op.is_nonblocking = true;
    while ((n = rvi_op_try(&op)) == -EAGAIN || n == -EINTR)
        (void)!rvi_op_await(&op, RV_NEVER); /* if it cannot wait, it looks again */
    return n < 0 ? (int)n : 0;
}

/* --- what a job says --- */

static int say(struct server *server, uint64_t index, const void *bytes, size_t count)
{
    uint64_t at = index & server->taker.mask;

    if (index == NO_JOB)
        return -EPERM;
    rvi_note_write(&server->notes[at], bytes, count);
    rvi_store_release(&server->taker.slots[at].has_note, 1); /* pairs: slot-note */
    if (rvi_note_calls(&server->notes[at]))
        rvi_fd_event_signal(server->bell.fds[RVI_BELL_SERVICE]);
    return 0;
}

/* Threads of one job may say something at the same time. */
static int tell(const void *bytes, size_t count)
{
    struct server *server = &the_server;

    rvi_lock_acquire(&server->telling);
    int r = say(server, rvi_load_relaxed(&server->current), bytes, count);
    rvi_lock_release(&server->telling);
    return r;
}

/* --- one job --- */

static const struct rv_job *find(struct server *server, uint64_t key)
{
    const struct rv_job **known = &server->known[key % KNOWN];

    if (!*known || (*known)->key != key)
        *known = rvi_job_find_key(key);
    return *known;
}

static void enter_job(struct server *server, uint64_t index)
{
    rvi_store_relaxed(&server->current, index);
    rvi_fence_light();                                            /* pairs: job-stop */
    if (rvi_unlikely(rvi_load_acquire(&server->wanted) == index)) /* pairs: job-wanted */
        (void)rvi_cancel_set(&server->token, rvi_load_relaxed(&server->why));
}

static void leave_job(struct server *server)
{
    rvi_store_relaxed(&server->current, NO_JOB);
    rvi_fence_light();                                       /* pairs: job-stop */
    while (rvi_unlikely(rvi_load_acquire(&server->is_busy))) /* pairs: job-stopped */
        rvi_cpu_relax();
    rvi_store_relaxed(&server->token.reason, 0);
}

static unsigned char *place(struct server *server, uint32_t at)
{
    return server->segment.base + (size_t)at * RVI_SLOT_UNIT;
}

/* Where its input lies, and behind it the room for its result. */
static int find_bytes(struct server *server, struct rvi_slot *slot, const struct rv_job *job,
                      unsigned char **ret)
{
    const struct rv_shm alone = {slot->object, rvi_job_out_at(job) + job->out_bytes};
    void *memory;

    if (slot->object != 0) {
        int r = rv_shm_map(alone, &memory);
        *ret = r == 0 ? memory : NULL;
        return r;
    }
    *ret = rvi_job_is_small(job) ? rvi_letter_of(slot)->small : place(server, slot->in_at);
    return 0;
}

static int run(struct server *server, struct rvi_slot *slot)
{
    const struct rv_job *job = find(server, rvi_slot_key(slot));
    unsigned char *in;
    int status = job ? find_bytes(server, slot, job, &in) : -ENOSYS;

    if (status < 0)
        return status;
    unsigned char *out = in + rvi_job_out_at(job);
    memset(out, 0, job->out_bytes);
    rvi_proc_set_job(job->name);
    status = job->run(in, out);
    rvi_proc_set_job(NULL);
    return status;
}

/* One that was there already begins when the one before it ends: half as many looks at the
 * clock. */
static rv_time begin_of(const struct server *server)
{
    return server->taker.has_waited ? rvi_clock_now() : server->ended;
}

static void serve(struct server *server, struct rvi_slot *slot)
{
    struct rvi_letter *letter = rvi_letter_of(slot);

    rvi_store_relaxed(&letter->begun, begin_of(server));
    enter_job(server, server->taker.next - 1);
    int status = run(server, slot);
    leave_job(server);
    server->ended = rvi_clock_now();
    rvi_store_relaxed(&letter->ended, server->ended);
    rvi_ring_done(&server->taker, slot, status);
    if (rvi_load_relaxed(&server->has_asked))
        rvi_loans_trim();
}

/* --- life --- */

static int set_up(struct server *server, const struct rvi_proc_self *self)
{
    const int *fds = self->fds;
    int r;

    if (self->fd_count < RVI_JOBS_FDS)
        return -EPROTO;
    r = rvi_segment_map(&server->segment, fds[RVI_JOBS_FD_SEGMENT]);
    if (r == 0)
        r = rvi_segment_map(&server->bell_page, fds[RVI_JOBS_FD_BELL]);
    if (r < 0)
        return r;
    server->bell = (struct rvi_bell){
        .shared = (struct rvi_bell_shared *)server->bell_page.base,
        .fds = {-1, fds[RVI_JOBS_FD_SERVICE], fds[RVI_JOBS_FD_LEADER]},
    };
    rvi_taker_init(&server->taker, (struct rvi_ring_shared *)server->segment.base, &server->bell);
    rvi_store_relaxed(&server->current, NO_JOB);
    rvi_store_relaxed(&server->wanted, NO_JOB);
    rvi_cancel_of_thread_set(&server->token);
    rvi_fence_asym_init();
    server->notes =
        (struct rvi_note *)(server->segment.base + rvi_jobs_notes_at(server->taker.mask + 1));
    rvi_progress_lead_to(tell);
    server->control = self->control;
    server->ended = rvi_clock_now();
    rvi_loans_begin(ask, server);
    return rvi_proc_listen(self, sizeof(struct rvi_jobs_message), hear, server);
}

static int serve_jobs(const struct rvi_proc_self *self)
{
    struct rvi_slot *slot;
    int r = set_up(&the_server, self);

    while (r == 0) {
        r = rvi_ring_take(&the_server.taker, &slot, INT64_MAX);
        if (r == 0)
            serve(&the_server, slot);
    }
    return r == -ECANCELED ? 0 : 1;
}

struct rvi_role rvi_jobs_role = {.name = "jobs", .run = serve_jobs};

__attribute__((constructor)) static void register_role(void)
{
    rvi_role_register(&rvi_jobs_role);
}
