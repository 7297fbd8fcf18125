/* SPDX-License-Identifier: MIT */
/* future.c - the life of a future, and waiting for one, several, or the next of many.
 *
 * Every wait here is one mechanism. A party that waits owns a gather; each future that it waits for
 * gets a watch. The end of a job moves the future's watches to their gathers, under both locks:
 *
 *   F1  a watch is in its future's list while that is not DONE; then in its gather's, until it is
 *       taken
 *   F2  a gather's owner waits  =>  its list of told watches is empty
 *
 * By F1 whoever forgets a watch takes both locks and knows it untouched afterwards, so that watches
 * and gathers may live on their owner's stack. The owner is woken after the locks are free, by way
 * of its waiter, which by the waiter protocol stays until it has been woken.
 *
 * Waiting for all needs no watch a future: waiting for one after the other takes as long.
 *
 * Rejected: a callback as the way to hear of an end (whose thread, under which locks?); a lock in
 * each future (ending a job already holds its executor's, and futures of one job each are not
 * contended). */
#include "exec/future.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exec/executor.h"
#include "sys/clock.h"

/* --- life --- */

static size_t out_offset(const struct rv_job *job)
{
    return (job->in_bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

static bool measure(const struct rv_job *job, size_t *ret_bytes)
{
    return job->in_bytes <= SIZE_MAX / 2 &&
           !__builtin_add_overflow(sizeof(struct rv_future), out_offset(job), ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, job->out_bytes, ret_bytes);
}

struct rv_future *rvi_future_new(struct rv_executor *ex, const struct rv_job *job, const void *in)
{
    size_t bytes;
    struct rv_future *f = measure(job, &bytes) ? rvi_alloc(bytes) : NULL;

    if (!f)
        return NULL;
    memset(f, 0, sizeof(*f));
    rvi_executor_ref(ex);
    f->ex = ex;
    f->job = job;
    rvi_list_init(&f->watches);
    rvi_store_relaxed(&f->refs, 2);
    if (job->in_bytes > 0)
        memcpy(f->bytes, in, job->in_bytes);
    if (!ex->tier->dispatch) /* else the result comes whole, from where the job has run */
        memset(rvi_future_out(f), 0, job->out_bytes);
    return f;
}

void rvi_future_unref(struct rv_future *f)
{
    struct rv_executor *ex = f->ex;

    if (rvi_fetch_sub_release(&f->refs, 1) > 1) /* pairs: future-refs */
        return;
    (void)rvi_load_acquire(&f->refs); /* pairs: future-refs */
    RV_DCHECK(rvi_list_is_empty(&f->watches));
    if (f->alone.id)
        rv_shm_free(f->alone);
    rvi_free(f->words);
    rvi_free(f);
    rvi_executor_unref(ex);
}

const void *rvi_future_in(const struct rv_future *f)
{
    return f->bytes;
}

void *rvi_future_out(struct rv_future *f)
{
    return f->bytes + out_offset(f->job);
}

static bool is_done(const struct rv_future *f)
{
    return rvi_load_acquire(&f->state) == RVI_FUTURE_DONE; /* pairs: future-done */
}

void rvi_future_read(struct rv_future *f, void *ret_value, struct rv_outcome *ret_outcome)
{
    RV_DCHECK(is_done(f));
    if (ret_value && f->outcome.kind == RV_OUTCOME_VALUE && f->job->out_bytes > 0)
        memcpy(ret_value, rvi_future_out(f), f->job->out_bytes);
    *ret_outcome = f->outcome;
}

void rvi_future_begin(struct rv_future *f)
{
    rv_time now = rvi_clock_now();

    RV_DCHECK(rvi_load_relaxed(&f->state) == RVI_FUTURE_PENDING);
    rvi_store_relaxed(&f->state, RVI_FUTURE_RUNNING);
    f->outcome.queued_ns = now - f->since;
    f->since = now;
}

/* Who watches futures of several executors may sleep at any time, for all that they know; who
 * watches those of one tells it before he sleeps. */
static bool is_expected(const struct rvi_gather *g)
{
    return !g->ex;
}

static void tell(struct rvi_watch *watch, struct rvi_link **wakes)
{
    struct rvi_gather *g = watch->gather;

    rvi_lock_acquire(&g->lock);
    rvi_list_push_back(&g->told, &watch->link);
    if (g->waiter)
        rvi_wakes_add(wakes, g->waiter);
    g->waiter = NULL;
    rvi_lock_release(&g->lock);
}

void rvi_future_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
{
    struct rvi_link *link;

    RV_DCHECK(rvi_load_relaxed(&f->state) != RVI_FUTURE_DONE);
    RV_DCHECK((outcome->error < 0) == (outcome->kind == RV_OUTCOME_ERROR));
    f->outcome = *outcome;
    rvi_store_release(&f->state, RVI_FUTURE_DONE); /* pairs: future-done */
    while ((link = rvi_list_pop_front(&f->watches))) {
        struct rvi_watch *watch = rvi_container_of(link, struct rvi_watch, link);
        f->ex->expecting -= is_expected(watch->gather);
        tell(watch, wakes);
    }
}

/* --- gathering --- */

void rvi_gather_init(struct rvi_gather *g, struct rv_executor *ex)
{
    rvi_lock_init(&g->lock);
    rvi_list_init(&g->told);
    g->waiter = NULL;
    g->ex = ex;
}

void rvi_gather_watch(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&f->ex->lock);

    rvi_link_init(&watch->link);
    watch->gather = g;
    watch->future = f;
    RV_DCHECK(!g->ex || g->ex == f->ex);
    if (is_done(f))
        tell(watch, &wakes);
    else
        rvi_list_push_back(&f->watches, &watch->link);
    if (!is_done(f) && is_expected(g)) {
        f->ex->expecting++;
        rvi_executor_expect(f->ex);
    }
    rvi_bias_unlock(&f->ex->lock, biased);
    RV_DCHECK(!wakes); /* the owner is here and does not wait */
}

void rvi_watch_forget(struct rvi_watch *watch)
{
    if (!watch->future)
        return;
    struct rvi_bias *lock = &watch->future->ex->lock;
    bool biased = rvi_bias_lock(lock);

    watch->future->ex->expecting -= !is_done(watch->future) && is_expected(watch->gather);
    rvi_lock_acquire(&watch->gather->lock);
    rvi_link_remove(&watch->link);
    rvi_lock_release(&watch->gather->lock);
    rvi_bias_unlock(lock, biased);
}

/* With the gather's lock. */
static struct rvi_watch *take_told(struct rvi_gather *g)
{
    struct rvi_link *link = rvi_list_pop_front(&g->told);
    struct rvi_watch *watch = link ? rvi_container_of(link, struct rvi_watch, link) : NULL;

    if (watch)
        watch->future = NULL;
    return watch;
}

/* NULL: there is none, and `w` is the gather's waiter. */
static struct rvi_watch *take_or_enlist(struct rvi_gather *g, struct rvi_waiter *w)
{
    rvi_lock_acquire(&g->lock);
    struct rvi_watch *watch = take_told(g);
    if (!watch) {
        rvi_waiter_init(w);
        g->waiter = w;
    }
    rvi_lock_release(&g->lock);
    return watch;
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct rvi_gather *g = object;

    rvi_lock_acquire(&g->lock);
    bool waits = g->waiter == w;
    if (waits)
        g->waiter = NULL;
    rvi_lock_release(&g->lock);
    return waits;
}

static void fall_asleep(struct rvi_gather *g)
{
    if (!g->ex || !g->ex->tier->expect)
        return;
    bool biased = rvi_bias_lock(&g->ex->lock);
    g->ex->expecting++;
    g->ex->tier->expect(g->ex);
    rvi_bias_unlock(&g->ex->lock, biased);
}

static void wake_up(struct rvi_gather *g)
{
    if (!g->ex || !g->ex->tier->expect)
        return;
    bool biased = rvi_bias_lock(&g->ex->lock);
    g->ex->expecting--;
    rvi_bias_unlock(&g->ex->lock, biased);
}

static bool has_told(const void *arg)
{
    struct rvi_gather *g = (struct rvi_gather *)(uintptr_t)arg;

    rvi_lock_acquire(&g->lock);
    bool has = !rvi_list_is_empty(&g->told);
    rvi_lock_release(&g->lock);
    return has;
}

static int sleep_for_told(struct rvi_gather *g, struct rvi_watch **ret, rv_time deadline)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    while (r == 0 && !(*ret = take_or_enlist(g, &w))) {
        fall_asleep(g);
        r = rvi_wait(&w, deadline, RVI_WHY_FUTURE, withdraw, g);
        wake_up(g);
    }
    return r;
}

int rvi_gather_next(struct rvi_gather *g, struct rvi_watch **ret, rv_time deadline)
{
    if (g->ex && rvi_wait_allowed() == 0)
        rvi_executor_help(g->ex, has_told, g, deadline);
    return sleep_for_told(g, ret, deadline);
}

struct rvi_watch *rvi_gather_next_always(struct rvi_gather *g)
{
    struct rvi_waiter w;
    struct rvi_watch *watch;

    while (!(watch = take_or_enlist(g, &w))) {
        fall_asleep(g);
        rvi_wait_always(&w, RVI_WHY_FUTURE);
        wake_up(g);
    }
    return watch;
}

/* --- one future --- */

static bool has_ended(const void *f)
{
    return is_done(f);
}

int rv_future_wait(rv_future *f, rv_time deadline)
{
    struct rvi_gather g;
    struct rvi_watch watch, *told;
    int r = rvi_wait_allowed();

    if (r < 0 || is_done(f))
        return r;
    rvi_executor_help(f->ex, has_ended, f, deadline);
    if (is_done(f))
        return 0;
    rvi_gather_init(&g, f->ex);
    rvi_gather_watch(&g, &watch, f);
    r = sleep_for_told(&g, &told, deadline);
    rvi_watch_forget(&watch);
    return r;
}

int rv_future_get(rv_future *f, void *ret_value, struct rv_outcome *ret_outcome, rv_time deadline)
{
    int r = rv_future_wait(f, deadline);

    if (r == 0)
        rvi_future_read(f, ret_value, ret_outcome);
    return r;
}

static bool at_once(const void *f)
{
    (void)f;
    return true;
}

int rv_future_is_done(rv_future *f)
{
    if (!is_done(f))
        rvi_executor_help(f->ex, at_once, f, 0);
    return is_done(f);
}

void rv_future_cancel(rv_future *f)
{
    rvi_backlog_cancel(f);
}

size_t rv_future_last_words(rv_future *f, char *buf, size_t n)
{
    size_t length = is_done(f) && f->words ? strlen(f->words) : 0;

    if (n == 0)
        return length;
    size_t most = length < n ? length : n - 1;
    if (most > 0)
        memcpy(buf, f->words + (length - most), most);
    buf[most] = '\0';
    return length;
}

rv_future *rv_future_free(rv_future *f)
{
    if (f)
        rvi_future_unref(f);
    return NULL;
}

const char *rv_outcome_word(enum rv_outcome_kind kind)
{
    switch (kind) {
    case RV_OUTCOME_VALUE:
        return "value";
    case RV_OUTCOME_ERROR:
        return "error";
    case RV_OUTCOME_SIGNAL:
        return "signal";
    case RV_OUTCOME_LOST:
        return "lost";
    case RV_OUTCOME_CANCELLED:
        return "cancelled";
    case RV_OUTCOME_TIMEOUT:
        return "timeout";
    case RV_OUTCOME_MEMORY:
        return "memory";
    }
    return "unknown";
}

/* --- many futures --- */

struct rv_completions {
    struct rvi_gather gather;
    size_t count;
    size_t left; /* not yet given */
    struct rvi_watch watches[];
};

/* NULL: there is none. While one of several futures is left, so is their executor. */
static struct rv_executor *common_executor(rv_future *const *futures, size_t n)
{
    struct rv_executor *ex = n > 0 ? futures[0]->ex : NULL;

    for (size_t i = 1; ex && i < n; i++) {
        if (futures[i]->ex != ex)
            ex = NULL;
    }
    return ex;
}

int rv_as_completed(rv_completions **ret, rv_future *const *futures, size_t n)
{
    rv_completions *it;
    size_t bytes;

    if (__builtin_mul_overflow(n, sizeof(it->watches[0]), &bytes) ||
        __builtin_add_overflow(bytes, sizeof(*it), &bytes))
        return -ENOMEM;
    it = rvi_alloc(bytes);
    if (!it)
        return -ENOMEM;
    rvi_gather_init(&it->gather, common_executor(futures, n));
    it->count = n;
    it->left = n;
    for (size_t i = 0; i < n; i++)
        rvi_gather_watch(&it->gather, &it->watches[i], futures[i]);
    *ret = it;
    return 0;
}

int rv_completions_next(rv_completions *it, size_t *ret_index, rv_time deadline)
{
    struct rvi_watch *watch;

    if (it->left == 0)
        return -ENOENT;
    int r = rvi_gather_next(&it->gather, &watch, deadline);
    if (r < 0)
        return r;
    it->left--;
    *ret_index = (size_t)(watch - it->watches);
    return 0;
}

rv_completions *rv_completions_free(rv_completions *it)
{
    for (size_t i = 0; it && i < it->count; i++)
        rvi_watch_forget(&it->watches[i]);
    rvi_free(it);
    return NULL;
}

static int wait_all(rv_future *const *futures, size_t n, rv_time deadline)
{
    int r = rvi_wait_allowed();

    for (size_t i = 0; r == 0 && i < n; i++)
        r = rv_future_wait(futures[i], deadline);
    return r;
}

static bool has_failed(const rv_future *f)
{
    return is_done(f) && f->outcome.kind != RV_OUTCOME_VALUE;
}

static size_t find(rv_future *const *futures, size_t n, bool (*is_such)(const rv_future *f))
{
    size_t i = 0;

    while (i < n && !is_such(futures[i]))
        i++;
    return i;
}

/* Wait until a future is such or all have ended. */
static int wait_for(rv_future *const *futures, size_t n, bool (*is_such)(const rv_future *f),
                    rv_time deadline)
{
    rv_completions *it;
    size_t i;
    int r = rv_as_completed(&it, futures, n);

    if (r < 0)
        return r;
    do
        r = rv_completions_next(it, &i, deadline);
    while (r == 0 && !is_such(futures[i]));
    it = rv_completions_free(it);
    return r == -ENOENT ? 0 : r;
}

long rv_wait(rv_future *const *futures, size_t n, enum rv_wait_mode mode, rv_time deadline)
{
    bool (*is_such)(const rv_future *f) = mode == RV_ANY ? is_done : has_failed;
    int r;

    if ((unsigned)mode > RV_FIRST_ERROR || (mode == RV_ANY && n == 0))
        return -EINVAL;
    if (n > LONG_MAX)
        return -EOVERFLOW;
    r = mode == RV_ALL ? wait_all(futures, n, deadline) : wait_for(futures, n, is_such, deadline);
    if (r < 0)
        return r;
    return (long)(mode == RV_ALL ? n : find(futures, n, is_such));
}
