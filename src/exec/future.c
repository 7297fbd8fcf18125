/* SPDX-License-Identifier: MIT */
/* future.c - the life of a future, and waiting for one, several, or the next of many.
 *
 * Parting. The submitter parts by rv_future_free, the executor when the job has ended, each by an
 * exchange unless it sees that it is the last: of two that part at once one sees the other, and
 * has it to destroy. That the executor has parted is also how everybody else sees that a future has
 * ended: all of it was written before.
 *
 * Every wait here is one mechanism. A party that waits owns a gather; each future that it waits for
 * gets a watch. The end of a job moves the future's watches to their gathers, under both locks:
 *
 *   F1  a watch is in its future's list while that has not ended; then in its gather's `told`,
 *       then, until it is taken, in `fetched`, which is its owner's alone
 *   F2  a gather's owner waits  =>  its list of told watches is empty
 *   F3  ex->expecting = gathers of ex alone whose owners wait, and watches on futures of ex by
 *       gathers of several executors
 *
 * By F1 whoever forgets a watch takes both locks and knows it untouched afterwards, so that watches
 * and gathers may live on their owner's stack. The owner is woken after the locks are free, by way
 * of its waiter, which by the waiter protocol stays until it has been woken. A gather of one
 * executor has no lock of its own: that executor's is held by all who touch it.
 *
 * Waiting for all needs no watch a future: waiting for one after the other takes as long.
 *
 * The last future that was freed is kept by its executor for the next one, with its hold on the
 * executor: that saves who goes job by job malloc() and two locked operations. Maps keep more.
 *
 * Rejected: a callback as the way to hear of an end (whose thread, under which locks?); a lock in
 * each future (ending a job already holds its executor's, and futures of one job each are not
 * contended); a count of references in place of two parties (two more locked operations a job). */
#include "exec/future.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "exec/executor.h"
#include "sys/clock.h"

enum { SPARE_BYTES_MOST = 65536 }; /* of input and result; a larger future is not kept */

/* --- life --- */

static size_t out_offset(const struct rv_job *job)
{
    return (job->in_bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
}

bool rvi_future_measure(const struct rv_job *job, size_t *ret_bytes)
{
    return job->in_bytes <= SIZE_MAX / 2 &&
           !__builtin_add_overflow(sizeof(struct rv_future), out_offset(job), ret_bytes) &&
           !__builtin_add_overflow(*ret_bytes, job->out_bytes, ret_bytes);
}

struct rv_future *rvi_future_init_in_place(void *block, struct rv_executor *ex,
                                           const struct rv_job *job, const void *in, void *out)
{
    struct rv_future *f = block;

    memset(f, 0, sizeof(*f));
    f->ex = ex;
    f->job = job;
    f->in = in;
    f->out = out;
    rvi_list_init(&f->watches);
    return f;
}

/* Most inputs and results are a word: that needs no call. */
static inline void copy(void *to, const void *from, size_t bytes)
{
    if (bytes == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else if (bytes > 0)
        memcpy(to, from, bytes);
}

static inline void clear(void *to, size_t bytes)
{
    if (bytes == sizeof(uint64_t))
        memset(to, 0, sizeof(uint64_t));
    else
        memset(to, 0, bytes);
}

struct rv_future *rvi_future_init(void *block, struct rv_executor *ex, const struct rv_job *job,
                                  const void *in)
{
    unsigned char *bytes = ((struct rv_future *)block)->bytes;
    struct rv_future *f = rvi_future_init_in_place(block, ex, job, bytes, bytes + out_offset(job));

    copy(bytes, in, job->in_bytes);
    if (!ex->tier->dispatch) /* else the result comes whole, from where the job has run */
        clear(f->out, job->out_bytes);
    return f;
}

void rvi_future_fini(struct rv_future *f)
{
    RV_DCHECK(rvi_list_is_empty(&f->watches));
    if (f->alone.id)
        rv_shm_free(f->alone);
    rvi_free(f->words);
    rvi_free(f->progress);
}

/* The last one that was freed, if it can be used for this job, with its hold on the executor; else
 * NULL. */
static struct rv_future *take_spare(struct rv_executor *ex, const struct rv_job *job)
{
    struct rv_future *f = rvi_load_relaxed(&ex->spare);

    if (!f || f == RVI_SPARE_NO_MORE || rvi_alloc_fail_pending())
        return NULL;
    if (!rvi_cas_acquire(&ex->spare, &f, NULL)) /* pairs: future-spare */
        return NULL;
    if (f->job->in_bytes == job->in_bytes && f->job->out_bytes == job->out_bytes)
        return f;
    rvi_free(f);
    rvi_executor_unref(ex);
    return NULL;
}

static bool keep_spare(struct rv_future *f)
{
    struct rv_future *none = NULL;

    return RVI_SPARES_MOST > 0 && f->job->in_bytes + f->job->out_bytes <= SPARE_BYTES_MOST &&
           !rvi_load_relaxed(&f->ex->spare) &&
           rvi_cas_release(&f->ex->spare, &none, f); /* pairs: future-spare */
}

void rvi_futures_spare_no_more(struct rv_executor *ex)
{
    struct rv_future *f =
        rvi_exchange_acquire(&ex->spare, RVI_SPARE_NO_MORE); /* pairs: future-spare */

    if (!f)
        return;
    rvi_free(f);
    rvi_executor_unref(ex);
}

struct rv_future *rvi_future_new(struct rv_executor *ex, const struct rv_job *job, const void *in)
{
    struct rv_future *f = take_spare(ex, job);
    size_t bytes;

    if (f)
        return rvi_future_init(f, ex, job, in);
    f = rvi_future_measure(job, &bytes) ? rvi_alloc(bytes) : NULL;
    if (!f)
        return NULL;
    rvi_executor_ref(ex);
    return rvi_future_init(f, ex, job, in);
}

void rvi_future_destroy(struct rv_future *f)
{
    struct rv_executor *ex = f->ex;

    rvi_future_fini(f);
    if (keep_spare(f))
        return;
    rvi_free(f);
    rvi_executor_unref(ex);
}

/* Returns whether the other party had parted before. */
static bool part(struct rv_future *f, enum rvi_future_parted who)
{
    return rvi_exchange_acq_rel(&f->parted, who) != RVI_PARTED_NOBODY; /* pairs: future-parted */
}

void rvi_future_read(struct rv_future *f, void *ret_value, struct rv_outcome *ret_outcome)
{
    RV_DCHECK(rvi_future_is_done(f));
    if (ret_value && f->outcome.kind == RV_OUTCOME_VALUE)
        copy(ret_value, f->out, f->job->out_bytes);
    *ret_outcome = f->outcome;
}

void rvi_future_begin(struct rv_future *f, rv_time now)
{
    RV_DCHECK(f->state == RVI_FUTURE_PENDING);
    f->state = RVI_FUTURE_RUNNING;
    f->outcome.queued_ns = now - f->since;
    f->since = now;
}

/* Who watches futures of several executors may sleep at any time, for all that they know. */
static bool is_expected(const struct rvi_gather *g)
{
    return !g->ex;
}

/* A gather's lock, of which its executor's is held, should it have but one. */
static void lock_own(struct rvi_gather *g)
{
    if (!g->ex)
        rvi_lock_acquire(&g->lock);
}

static void unlock_own(struct rvi_gather *g)
{
    if (!g->ex)
        rvi_lock_release(&g->lock);
}

/* Its owner waits no more. */
static struct rvi_waiter *detach_waiter(struct rvi_gather *g)
{
    struct rvi_waiter *w = g->waiter;

    if (w && g->ex)
        g->ex->expecting--;
    g->waiter = NULL;
    return w;
}

static void tell(struct rvi_watch *watch, struct rvi_link **wakes)
{
    struct rvi_gather *g = watch->gather;

    lock_own(g);
    rvi_list_push_back(&g->told, &watch->link);
    struct rvi_waiter *w = detach_waiter(g);
    if (w)
        rvi_wakes_add(wakes, w);
    unlock_own(g);
}

/* A watch's owner may be through with the future as soon as it has been told. */
bool rvi_future_end(struct rv_future *f, const struct rv_outcome *outcome, struct rvi_link **wakes)
{
    struct rv_executor *ex = f->ex;
    struct rvi_list watches;
    struct rvi_link *link;

    RV_DCHECK(f->state != RVI_FUTURE_DONE);
    RV_DCHECK((outcome->error < 0) == (outcome->kind == RV_OUTCOME_ERROR));
    f->outcome = *outcome;
    f->state = RVI_FUTURE_DONE;
    rvi_list_init(&watches);
    rvi_list_concat(&watches, &f->watches);
    if (rvi_unlikely(f->progress))
        rvi_progress_wake(f, wakes);
    bool is_last = part(f, RVI_PARTED_EXECUTOR);
    while ((link = rvi_list_pop_front(&watches))) {
        struct rvi_watch *watch = rvi_container_of(link, struct rvi_watch, link);
        ex->expecting -= is_expected(watch->gather);
        tell(watch, wakes);
    }
    return is_last;
}

/* --- gathering --- */

void rvi_gather_init(struct rvi_gather *g, struct rv_executor *ex)
{
    g->ex = ex;
    rvi_lock_init(&g->lock);
    rvi_list_init(&g->told);
    rvi_list_init(&g->fetched);
    g->waiter = NULL;
}

static void set_watch(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f)
{
    RV_DCHECK(!g->ex || g->ex == f->ex);
    rvi_link_init(&watch->link);
    watch->gather = g;
    watch->future = f;
}

void rvi_gather_watch(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f)
{
    struct rvi_link *wakes = NULL;
    bool biased = rvi_bias_lock(&f->ex->lock);
    bool is_over = rvi_future_is_done(f);

    set_watch(g, watch, f);
    if (is_over)
        tell(watch, &wakes);
    else
        rvi_list_push_back(&f->watches, &watch->link);
    if (!is_over && is_expected(g)) {
        f->ex->expecting++;
        rvi_executor_expect(f->ex);
    }
    rvi_bias_unlock(&f->ex->lock, biased);
    RV_DCHECK(!wakes); /* the owner is here and does not wait */
}

void rvi_gather_watch_first(struct rvi_gather *g, struct rvi_watch *watch, struct rv_future *f)
{
    RV_DCHECK(!is_expected(g));
    set_watch(g, watch, f);
    rvi_list_push_back(&f->watches, &watch->link);
}

void rvi_watch_forget(struct rvi_watch *watch)
{
    if (!watch->future)
        return;
    struct rvi_bias *lock = &watch->future->ex->lock;
    bool biased = rvi_bias_lock(lock);

    watch->future->ex->expecting -=
        !rvi_future_is_done(watch->future) && is_expected(watch->gather);
    lock_own(watch->gather);
    rvi_link_remove(&watch->link);
    unlock_own(watch->gather);
    rvi_bias_unlock(lock, biased);
}

struct rvi_watch *rvi_gather_more(struct rvi_gather *g)
{
    struct rvi_link *link = rvi_list_pop_front(&g->fetched);
    struct rvi_watch *watch = link ? rvi_container_of(link, struct rvi_watch, link) : NULL;

    if (watch)
        watch->future = NULL;
    return watch;
}

/* Under the lock that guards it. */
static bool lock_gather(struct rvi_gather *g)
{
    if (g->ex)
        return rvi_bias_lock(&g->ex->lock);
    rvi_lock_acquire(&g->lock);
    return false;
}

static void unlock_gather(struct rvi_gather *g, bool biased)
{
    if (g->ex)
        rvi_bias_unlock(&g->ex->lock, biased);
    else
        rvi_lock_release(&g->lock);
}

/* NULL: there is none, and `w` is the gather's waiter. */
static struct rvi_watch *take_or_enlist(struct rvi_gather *g, struct rvi_waiter *w)
{
    struct rvi_watch *watch = rvi_gather_more(g);

    if (watch)
        return watch;
    bool biased = lock_gather(g);
    rvi_list_concat(&g->fetched, &g->told);
    if (rvi_list_is_empty(&g->fetched)) {
        rvi_waiter_init(w);
        g->waiter = w;
        if (g->ex) {
            g->ex->expecting++;
            rvi_executor_expect(g->ex);
        }
    }
    unlock_gather(g, biased);
    return rvi_gather_more(g);
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct rvi_gather *g = object;
    bool biased = lock_gather(g);
    bool waits = g->waiter == w;

    if (waits)
        (void)detach_waiter(g);
    unlock_gather(g, biased);
    return waits;
}

static bool has_told(const void *arg)
{
    const struct rvi_gather *g = arg;

    return !rvi_list_is_empty(&g->told);
}

static int lead(struct rvi_gather *g, rv_time deadline)
{
    if (!g->ex || !g->ex->tier->lead || !rvi_list_is_empty(&g->fetched))
        return 0;
    return g->ex->tier->lead(g->ex, has_told, g, deadline);
}

/* `job`: what it waits for, NULL: for several. */
static int sleep_for_told(struct rvi_gather *g, const char *job, struct rvi_watch **ret,
                          rv_time deadline)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    rvi_wait_tells_name(job, RVI_WHY_FUTURE);
    if (r == 0)
        r = lead(g, deadline);

    while (r == 0 && !(*ret = take_or_enlist(g, &w)))
        r = rvi_wait(&w, deadline, RVI_WHY_FUTURE, withdraw, g);
    return r;
}

int rvi_gather_next(struct rvi_gather *g, struct rvi_watch **ret, rv_time deadline)
{
    if (rvi_list_is_empty(&g->fetched) && g->ex && rvi_wait_allowed() == 0)
        rvi_executor_help(g->ex, has_told, g, deadline);
    return sleep_for_told(g, NULL, ret, deadline);
}

struct rvi_watch *rvi_gather_next_always(struct rvi_gather *g)
{
    struct rvi_waiter w;
    struct rvi_watch *watch;

    rvi_wait_tells_name(NULL, RVI_WHY_FUTURE);
    while (!(watch = take_or_enlist(g, &w)))
        rvi_wait_always(&w, RVI_WHY_FUTURE);
    return watch;
}

/* --- one future --- */

static bool has_ended(const void *f)
{
    return rvi_future_is_done(f);
}

int rv_future_wait(rv_future *f, rv_time deadline)
{
    struct rvi_gather g;
    struct rvi_watch watch, *told;
    int r = rvi_wait_allowed();

    if (r < 0 || rvi_future_is_done(f))
        return r;
    rvi_executor_help(f->ex, has_ended, f, deadline);
    if (rvi_future_is_done(f))
        return 0;
    rvi_gather_init(&g, f->ex);
    rvi_gather_watch(&g, &watch, f);
    r = sleep_for_told(&g, f->job->name, &told, deadline);
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
    if (!rvi_future_is_done(f))
        rvi_executor_help(f->ex, at_once, f, 0);
    return rvi_future_is_done(f);
}

void rv_future_cancel(rv_future *f)
{
    rvi_backlog_cancel(f);
}

size_t rv_future_last_words(rv_future *f, char *buf, size_t n)
{
    size_t length = rvi_future_is_done(f) && f->words ? strlen(f->words) : 0;

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
    if (f && (rvi_future_is_done(f) || part(f, RVI_PARTED_SUBMITTER)))
        rvi_future_destroy(f);
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
    return rvi_future_is_done(f) && f->outcome.kind != RV_OUTCOME_VALUE;
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
    bool (*is_such)(const rv_future *f) = mode == RV_ANY ? rvi_future_is_done : has_failed;
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
