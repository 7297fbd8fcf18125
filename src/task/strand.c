/* SPDX-License-Identifier: MIT */
/* strand.c - jobs that run one after another.
 *
 *   T1  at most one task, the runner, runs jobs; it is under way exactly while `busy`
 *   T2  a job waits        =>  busy
 *   T3  a poster waits     =>  no slot is unused, so posted jobs wait, so busy
 *   T4  a link of `queue` or `unused` is a job's; a caller's job is linked exactly while it has not
 *       begun and was not dropped
 *
 * Whoever puts a job into an idle strand makes it busy and sends its task into the scope, as an
 * errand (scope.h); an idle strand has no task. The runner takes jobs from the front until none is
 * left, lets the other tasks of its worker run between two, makes the strand idle under the lock
 * and touches it no more. What one job writes the next one sees, in whatever task: the lock lies
 * between them.
 *
 * A posted job has a slot of its own from the beginning, so posting allocates nothing; the job of a
 * caller that waits for its end lies in the caller's frame and needs none. A slot that becomes free
 * is filled at once by the first poster in line, as with channels, so posting is first come, first
 * served. A caller that gives up takes its job back, unless it has begun.
 *
 * Dropping. The runner drops all that waits when its scope is cancelled; when no task can be had,
 * whoever hears of that does (`lost`, or the one who tried to send). Dropping makes the strand idle
 * and tells everybody who waits why; posted jobs have nobody to be told, they are counted.
 *
 * A failed job is told to the scope at once, before the next one begins, so that none runs after a
 * failure in a scope that fails fast. The last job's result is the runner's too; that the scope
 * hears it twice makes no difference.
 *
 * Rejected: a task that stays and waits for jobs: an idle strand would cost a stack, and there are
 * programs with a strand for each connection. Running the job of rv_strand_run in its caller when
 * the strand is idle: a caller that is cancelled would take the strand's next jobs with it, and a
 * plain thread cannot run them.
 * Checked by: tests/unit/task/test_strand.c, test_every_point.c, tests/stress/stress_strand.c */
#include <ravel/strand.h>

#include <errno.h>

#include <ravel/task.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "task/local.h"
#include "task/scope.h"
#include "task/waitlist.h"

enum { USUAL_CAPACITY = 128 };

struct caller;

struct job {
    struct rvi_link link;
    rv_fn *fn;
    void *arg;
    struct caller *caller; /* NULL: posted */
};

struct caller {
    struct job job;
    struct rvi_waiter waiter;
    int dropped; /* why, or 0 */
    int result;
};

struct poster {
    struct rvi_waiter waiter;
    rv_fn *fn;
    void *arg;
    int dropped;
};

struct rv_strand {
    struct rvi_bias lock; /* guards all below */
    struct rvi_waitlist posters;
    struct rvi_list queue;
    struct rvi_list unused;
    struct rvi_errand errand;
    rv_scope *scope;
    const struct rvi_task *runner; /* NULL before its first job */
    struct rvi_waiter *closer;
    uint64_t begun;
    uint64_t dropped;
    size_t waiting;
    int why_dropped;
    bool busy;
    bool closing;
    struct job slots[];
};

static struct job *job_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct job, link);
}

/* --- with the lock held --- */

static bool is_own_job(const struct rv_strand *s)
{
    return s->runner != NULL && s->runner == rvi_task_self();
}

/* Whether the caller has to send the strand's task. */
static bool append(struct rv_strand *s, struct job *job)
{
    bool was_busy = s->busy;

    rvi_list_push_back(&s->queue, &job->link);
    s->waiting++;
    s->busy = true;
    return !was_busy;
}

/* A job leaves the queue. */
static void take_out(struct rv_strand *s, struct job *job)
{
    rvi_link_remove(&job->link);
    s->waiting--;
    if (job->caller == NULL)
        rvi_list_push_front(&s->unused, &job->link);
}

/* The job in a slot of its own; NULL: there is no room. */
static struct job *fill_slot(struct rv_strand *s, rv_fn *fn, void *arg)
{
    struct rvi_link *link = rvi_list_pop_front(&s->unused);

    if (link == NULL)
        return NULL;
    struct job *job = job_of(link);
    job->fn = fn;
    job->arg = arg;
    return job;
}

/* Where there is room now. Whom to wake. */
static struct rvi_waiter *admit_poster(struct rv_strand *s)
{
    if (rvi_list_is_empty(&s->unused))
        return NULL;
    struct rvi_waiter *w = rvi_waitlist_pop(&s->posters);
    if (w != NULL) {
        const struct poster *poster = rvi_container_of(w, struct poster, waiter);
        append(s, fill_slot(s, poster->fn, poster->arg));
    }
    return w;
}

/* No task is under way any more. Whom to wake: it may free the strand. */
static struct rvi_waiter *become_idle(struct rv_strand *s)
{
    struct rvi_waiter *closer = s->closer;

    s->busy = false;
    s->runner = NULL;
    s->closer = NULL;
    return closer;
}

/* All posters in line, told why. */
static struct rvi_link *drop_posters(struct rv_strand *s, int why)
{
    struct rvi_link *chain = rvi_waitlist_take_all(&s->posters);

    for (struct rvi_link *link = chain; link != NULL; link = link->next)
        rvi_container_of(rvi_waiter_of(link), struct poster, waiter)->dropped = why;
    return chain;
}

static void count_dropped(struct rv_strand *s, int why)
{
    s->dropped++;
    if (s->why_dropped == 0)
        s->why_dropped = why;
}

/* All jobs that wait; their callers, told why, are put before the chain. */
static struct rvi_link *drop_jobs(struct rv_strand *s, int why, struct rvi_link *chain)
{
    while (!rvi_list_is_empty(&s->queue)) {
        struct job *job = job_of(rvi_list_first(&s->queue));
        take_out(s, job);
        if (job->caller == NULL) {
            count_dropped(s, why);
            continue;
        }
        job->caller->dropped = why;
        job->caller->waiter.link.next = chain;
        chain = &job->caller->waiter.link;
    }
    return chain;
}

/* --- the strand's task --- */

/* Nothing that waits will be run. Returns whether posted jobs were among it. */
static bool drop_all(struct rv_strand *s, int why)
{
    bool biased = rvi_bias_lock(&s->lock);
    uint64_t before = s->dropped;
    struct rvi_link *chain = drop_jobs(s, why, drop_posters(s, why));
    bool dropped_posted = s->dropped > before;
    struct rvi_waiter *closer = become_idle(s);

    rvi_bias_unlock(&s->lock, biased);
    rvi_chain_wake(chain);
    if (closer != NULL)
        rvi_wake(closer);
    return dropped_posted;
}

/* False: none is left, and the strand may be gone. */
static bool take_next(struct rv_strand *s, struct job *ret)
{
    struct rvi_waiter *wake;
    bool biased = rvi_bias_lock(&s->lock);
    struct rvi_link *link = rvi_list_first(&s->queue);

    if (link != NULL) {
        *ret = *job_of(link);
        take_out(s, job_of(link));
        s->begun++;
        s->runner = rvi_task_self();
        wake = admit_poster(s);
    } else {
        wake = become_idle(s);
    }
    rvi_bias_unlock(&s->lock, biased);
    if (wake != NULL)
        rvi_wake(wake);
    return link != NULL;
}

/* The next job finds a task like a new one. */
static void clean_up_after_job(void)
{
    struct rvi_task *self = rvi_task_self();

    if (rvi_unlikely(self->scopes != NULL || self->shields != 0))
        rvi_panic("a strand's job returned with a scope or a shield open: close every scope and "
                  "end every shield that a job begins");
    rvi_local_unref(self->locals);
    self->locals = NULL;
}

/* What the scope is to hear of it at the end of the task. */
static int perform(const struct job *job, rv_scope *scope)
{
    int result = job->fn(job->arg);

    clean_up_after_job();
    if (job->caller != NULL) {
        job->caller->result = result;
        rvi_wake(&job->caller->waiter);
        return 0;
    }
    rvi_scope_judge(scope, result);
    return result;
}

static int run_jobs(struct rvi_errand *errand)
{
    struct rv_strand *s = rvi_container_of(errand, struct rv_strand, errand);
    struct job job = {.caller = NULL};
    int result = 0;

    while (rvi_cancel_of_caller() == 0) {
        if (!take_next(s, &job))
            return result;
        result = perform(&job, s->scope);
        rv_yield();
    }
    drop_all(s, -ECANCELED);
    return result;
}

static void lose_task(struct rvi_errand *errand, int why)
{
    drop_all(rvi_container_of(errand, struct rv_strand, errand), why);
}

/* The caller's job has made the strand busy. On error the job is the caller's again. */
static int send_task(struct rv_strand *s, struct job *mine)
{
    static const struct rv_site site = {"(strand)", "rv_strand_post", "strand", 0};
    int r = rvi_scope_send(s->scope, &s->errand, &site);

    if (rvi_likely(r == 0))
        return 0;
    bool biased = rvi_bias_lock(&s->lock);
    take_out(s, mine);
    rvi_bias_unlock(&s->lock, biased);
    if (drop_all(s, r))
        rvi_scope_judge(s->scope, r);
    return r;
}

/* --- life --- */

static int read_opts(struct rv_strand_opts *ret, const struct rv_strand_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    if (ret->capacity == 0)
        ret->capacity = USUAL_CAPACITY;
    if (ret->capacity > (PTRDIFF_MAX - sizeof(struct rv_strand)) / sizeof(struct job))
        return -EOVERFLOW;
    return 0;
}

int rv_strand_open(rv_strand **ret, rv_scope *scope, const struct rv_strand_opts *opts)
{
    struct rv_strand_opts known;
    int r = read_opts(&known, opts);

    if (r == 0)
        r = rvi_scope_takes_errands(scope);
    if (r < 0)
        return r;
    rv_strand *s = rvi_calloc(1, sizeof(*s) + known.capacity * sizeof(struct job));
    if (s == NULL)
        return -ENOMEM;
    rvi_list_init(&s->queue);
    rvi_list_init(&s->unused);
    s->errand = (struct rvi_errand){run_jobs, lose_task};
    s->scope = scope;
    for (size_t i = 0; i < known.capacity; i++)
        rvi_list_push_back(&s->unused, &s->slots[i].link);
    *ret = s;
    return 0;
}

/* It is closing: nobody makes it busy again. */
static void wait_until_idle(struct rv_strand *s)
{
    struct rvi_waiter w;
    bool biased = rvi_bias_lock(&s->lock);
    bool busy = s->busy;

    if (is_own_job(s))
        rvi_panic("rv_strand_close: called by one of the strand's own jobs, which would wait for "
                  "itself");
    s->closing = true;
    if (busy) {
        rvi_waiter_init(&w);
        s->closer = &w;
    }
    rvi_bias_unlock(&s->lock, biased);
    if (busy)
        rvi_wait_always(&w, RVI_WHY_STRAND_CLOSE);
}

int rv_strand_close(rv_strand *s)
{
    if (s == NULL)
        return 0;
    wait_until_idle(s);
    int why = s->why_dropped;
    rvi_free(s);
    return why;
}

int rv_strand_stats_read(rv_strand *s, struct rv_strand_stats *stats)
{
    bool biased = rvi_bias_lock(&s->lock);
    struct rv_strand_stats known = {
        .run = s->begun,
        .dropped = s->dropped,
        .waiting = s->waiting,
    };

    rvi_bias_unlock(&s->lock, biased);
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}

/* --- posting --- */

/* The lock is held, and given up. -EAGAIN: there is no room. */
static int post(struct rv_strand *s, bool biased, rv_fn *fn, void *arg)
{
    struct job *job = s->closing ? NULL : fill_slot(s, fn, arg);
    int r = s->closing ? -EPIPE : job == NULL ? -EAGAIN : 0;
    bool must_send = job != NULL && append(s, job);

    rvi_bias_unlock(&s->lock, biased);
    return must_send ? send_task(s, job) : r;
}

/* Likewise. */
static int wait_for_room(struct rv_strand *s, bool biased, rv_fn *fn, void *arg, rv_time deadline)
{
    struct poster self = {.fn = fn, .arg = arg};

    if (is_own_job(s)) {
        rvi_bias_unlock(&s->lock, biased);
        return -EDEADLK;
    }
    int r = rvi_waitlist_wait(&s->posters, &s->lock, biased, &self.waiter, deadline,
                              RVI_WHY_STRAND_POST);
    return r < 0 ? r : self.dropped;
}

int rv_strand_post(rv_strand *s, rv_fn *fn, void *arg, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    bool biased = rvi_bias_lock(&s->lock);
    if (!s->closing && rvi_list_is_empty(&s->unused))
        return wait_for_room(s, biased, fn, arg, deadline);
    return post(s, biased, fn, arg);
}

int rv_strand_try_post(rv_strand *s, rv_fn *fn, void *arg)
{
    return post(s, rvi_bias_lock(&s->lock), fn, arg);
}

/* --- running and waiting for the end --- */

static bool withdraw_caller(struct rvi_waiter *w, void *object)
{
    struct rv_strand *s = object;
    struct job *job = &rvi_container_of(w, struct caller, waiter)->job;
    bool biased = rvi_bias_lock(&s->lock);
    bool waited = rvi_link_is_linked(&job->link);

    if (waited)
        take_out(s, job);
    rvi_bias_unlock(&s->lock, biased);
    return waited;
}

/* 0: the job waits, or has even run. */
static int put_in_line(struct rv_strand *s, struct caller *self)
{
    bool must_send = false;
    bool biased = rvi_bias_lock(&s->lock);
    int r = s->closing ? -EPIPE : 0;

    if (is_own_job(s))
        rvi_panic("rv_strand_run: called by one of the strand's own jobs, which would wait for "
                  "itself; post the job, or call the function");
    if (r == 0)
        must_send = append(s, &self->job);
    rvi_bias_unlock(&s->lock, biased);
    return must_send ? send_task(s, &self->job) : r;
}

int rv_strand_run(rv_strand *s, rv_fn *fn, void *arg, int *ret_result, rv_time deadline)
{
    struct caller self = {.job = {.fn = fn, .arg = arg, .caller = &self}};
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_waiter_init(&self.waiter);
    r = put_in_line(s, &self);
    if (r == 0)
        r = rvi_wait(&self.waiter, deadline, RVI_WHY_STRAND_JOB, withdraw_caller, s);
    if (r < 0 || self.dropped < 0)
        return r < 0 ? r : self.dropped;
    if (ret_result != NULL)
        *ret_result = self.result;
    return 0;
}
