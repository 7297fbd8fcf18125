/* SPDX-License-Identifier: MIT */
/* progress.c - what a job says while it runs, and who listens.
 *
 * A note is a few bytes; the newest counts. It stands in its future, in memory that is there from
 * the first note or the first listener on, so what says nothing pays for a pointer that is NULL.
 * Which job a task runs stands in its stack's pocket, of a plain thread in rvi_here: run_job() in
 * backlog.c puts it there and takes it away.
 *
 * In this process a note is written under the executor's lock. From a worker process it comes by
 * memory that both see (shm/note.h): it is taken in when somebody asks, when somebody waits and the
 * worker has called, and when its job ends. From a cluster it comes as an event.
 *
 *   G1  somebody waits for a future's notes  =>  there is none that was not read, and it is not
 *       DONE
 *   G2  ex->listening = those who wait for notes; they are counted in ex->expecting too, as the end
 *       of the job is awaited with it
 *
 * Rejected: a queue of notes. Who shows how far a job is wants to know where it is now, and who is
 * slow to look must not slow the job, nor fill memory.
 *
 * Checked by: tests/unit/exec/test_progress.c */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exec/executor.h"

struct rvi_progress {
    struct rvi_waitlist waiters;
    bool is_news; /* `bytes` were not read yet */
    size_t count;
    unsigned char bytes[RV_PROGRESS_MOST];
};

/* --- with the lock --- */

static int have_progress(struct rv_future *f)
{
    if (!f->progress)
        f->progress = rvi_calloc(1, sizeof(*f->progress));
    return f->progress ? 0 : -ENOMEM;
}

void rvi_progress_wake(struct rv_future *f, struct rvi_link **wakes)
{
    struct rvi_waiter *w;

    while ((w = rvi_waitlist_pop(&f->progress->waiters))) {
        f->ex->listening--;
        f->ex->expecting--;
        rvi_wakes_add(wakes, w);
    }
}

int rvi_future_note(struct rv_future *f, const void *bytes, size_t count, struct rvi_link **wakes)
{
    RV_DCHECK(f->state != RVI_FUTURE_DONE && count <= RV_PROGRESS_MOST);
    int r = have_progress(f);
    if (r < 0)
        return r;
    if (count > 0)
        memcpy(f->progress->bytes, bytes, count);
    f->progress->count = count;
    f->progress->is_news = true;
    rvi_progress_wake(f, wakes);
    return 0;
}

bool rvi_future_is_listened_to(const struct rv_future *f)
{
    return f->progress && !rvi_waitlist_is_empty(&f->progress->waiters);
}

/* --- in the job --- */

static int (*tell_parent)(const void *bytes, size_t count);

void rvi_progress_lead_to(int (*tell)(const void *bytes, size_t count))
{
    tell_parent = tell;
}

static int tell(struct rv_future *f, const void *bytes, size_t count)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&f->ex->lock);
    int r = rvi_future_note(f, bytes, count, &wakes);

    rvi_bias_unlock(&f->ex->lock, biased);
    rvi_chain_wake(wakes);
    return r;
}

int rv_job_progress(const void *bytes, size_t count)
{
    struct rv_future *f = *rvi_job_here();

    if (!f && !tell_parent)
        return -EPERM;
    if (count > RV_PROGRESS_MOST)
        return -EMSGSIZE;
    return f ? tell(f, bytes, count) : tell_parent(bytes, count);
}

/* --- who listens --- */

/* With the lock. Errors: -EAGAIN there is none, and there may be one; -EPIPE. */
static long take_news(struct rv_future *f, void *ret_note, size_t most)
{
    struct rvi_progress *progress = f->progress;

    if (!progress || !progress->is_news)
        return rvi_future_is_done(f) ? -EPIPE : -EAGAIN;
    size_t count = progress->count < most ? progress->count : most;
    if (count > 0)
        memcpy(ret_note, progress->bytes, count);
    progress->is_news = false;
    return (long)progress->count;
}

/* With the lock. Errors: as take_news(). */
static long look(struct rv_future *f, void *ret_note, size_t most, struct rvi_link **wakes)
{
    if (f->state == RVI_FUTURE_RUNNING && f->ex->tier->listen)
        f->ex->tier->listen(f, wakes);
    return take_news(f, ret_note, most);
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct rv_future *f = object;
    bool biased = rvi_bias_lock(&f->ex->lock);
    bool waited = rvi_waitlist_leave(&f->progress->waiters, w);

    f->ex->listening -= waited;
    f->ex->expecting -= waited;
    rvi_bias_unlock(&f->ex->lock, biased);
    return waited;
}

/* With the lock, and left without it. */
static int wait_for_news(struct rv_future *f, bool biased, rv_time deadline)
{
    struct rvi_waiter w;
    int r = have_progress(f);

    if (r == 0) {
        rvi_waiter_init(&w);
        rvi_waitlist_push(&f->progress->waiters, &w);
        f->ex->listening++;
        f->ex->expecting++;
        rvi_executor_expect(f->ex);
    }
    rvi_bias_unlock(&f->ex->lock, biased);
    rvi_wait_tells_name(f->job->name, RVI_WHY_FUTURE);
    return r < 0 ? r : rvi_wait(&w, deadline, RVI_WHY_FUTURE, withdraw, f);
}

long rv_future_progress(rv_future *f, void *ret_note, size_t most, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r == 0)
        (void)rv_future_is_done(f); /* which takes in what has ended elsewhere */
    while (r == 0) {
        struct rvi_link *wakes = NULL; /* others, if there is a note */
        bool biased = rvi_bias_lock(&f->ex->lock);
        long n = look(f, ret_note, most, &wakes);
        if (n == -EAGAIN) {
            r = wait_for_news(f, biased, deadline);
            continue;
        }
        rvi_bias_unlock(&f->ex->lock, biased);
        rvi_chain_wake(wakes);
        return n;
    }
    return r;
}
