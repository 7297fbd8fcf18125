/* SPDX-License-Identifier: MIT */
/* scope.c - scopes own tasks, without a lock.
 *
 * A scope lives at home: on the worker of the task that opened it, which is pinned there. Its
 * children may be started on any worker, and run on any other. So the set of children is cut
 * into shards, one a worker that has started some, each touched by that worker's thread alone;
 * the home worker's shard is part of the scope, which makes the ordinary case (start here, end
 * here) a matter of plain loads and stores. A child that was stolen comes back to the worker
 * that started it when it ends (sched/task.h), and that one does the accounts.
 *
 *   S1  here.started - here.ended are the home shard's children; the other shards' are seen through
 *       `away`.
 *   S2  `away` counts what else may still touch the scope: shards elsewhere that have children, and
 *       messages on their way. Anybody who holds the scope open may raise it; the home worker alone
 *       lowers it, when a message arrives. So when home reads 0, nobody is left but home itself,
 *       which may raise it once more by spreading a cancellation to shards that are empty.
 *   S3  cancel.reason is set once, by compare-and-swap; whoever sets it sees to it that it spreads.
 *   S4  a task's open scopes form a stack, innermost first, all at home on the task's own worker.
 * S5, of shields, and how a cancellation spreads: scope_cancel.c.
 *
 * What a scope with one empty task costs, from rv_scope_open() to the return of rv_scope_close(),
 * on one worker: some 465 instructions. Open 42, start 79, close 61; the owner parks, picks the
 * task and switches 121; the task is run to its end and its fiber picks the owner 107, of its scope
 * it is struck off and the owner made ready 54. Each of the five steps here looks first whether
 * anything is out of the ordinary (options, forks, shields, a trace, another worker, no memory at
 * hand, a failure), and leaves that to a function of its own as its last act; so the ordinary way
 * calls nothing, and needs no registers saved. What a scope or a descriptor holds is cleared as far
 * as somebody reads it before it is set.
 *
 * Rejected: one list under a lock (a read-modify-write for each task, and a line that bounces);
 * a global registry of tasks; counting with one atomic (every end of a task would touch it).
 *
 * Checked by: tests/unit/task/test_scope.c, test_every_point.c, tests/stress/stress_scope.c,
 * tests/explore/explore_scope.c */
#include "task/scope_inside.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "base/usdt.h"
#include "sched/sched.h"
#include "sched/spawn.h"
#include "sched/wait.h"
#include "task/local.h"

/* --- references from elsewhere --- */

/* At home. */
static bool is_empty(const struct rv_scope *scope)
{
    return !rvi_shard_has_children(&scope->here) &&
           rvi_load_acquire(&scope->away) == 0; /* pairs: scope-away */
}

RVI_INLINE void wake_closer_if_empty(struct rv_scope *scope)
{
    if (scope->is_closing && is_empty(scope))
        rvi_worker_nudge(scope->home, scope->owner);
}

void rvi_scope_release(struct rv_scope *scope, uint32_t count)
{
    rvi_fetch_sub_release(&scope->away, count); /* pairs: scope-away */
    wake_closer_if_empty(scope);
}

static void deliver_quit(struct rvi_msg *msg, void *receiver)
{
    struct rvi_shard *shard = rvi_container_of(msg, struct rvi_shard, quit);

    (void)receiver;
    rvi_scope_release(shard->scope, rvi_exchange_acq_rel(&shard->owed, 0)); /* pairs: shard-owed */
}

/* On the shard's worker: one reference goes back. The shard may be gone afterwards. Who finds
 * nothing owed may use the message again: home has let go of it. */
void rvi_shard_give_back(struct rvi_shard *shard)
{
    if (rvi_fetch_add_acq_rel(&shard->owed, 1) == 0) /* pairs: shard-owed */
        rvi_worker_send(shard->scope->home, &shard->quit);
}

RVI_INLINE void shard_add(struct rv_scope *scope, struct rvi_shard *shard, struct rvi_task *task)
{
    rvi_list_push_back(&shard->children, &task->sibling);
    if (shard != &scope->here && !rvi_shard_has_children(shard))
        rvi_scope_hold(scope);
    rvi_count(&shard->started);
}

/* One child less: perhaps there is none any more. */
static void shard_look(struct rvi_shard *shard)
{
    if (rvi_shard_has_children(shard))
        return;
    if (shard == &shard->scope->here)
        wake_closer_if_empty(shard->scope);
    else
        rvi_shard_give_back(shard);
}

static void shard_remove(struct rvi_shard *shard)
{
    rvi_count(&shard->ended);
    shard_look(shard);
}

/* --- starting a task --- */

static struct rvi_shard *shard_new(struct rv_scope *scope, struct rvi_worker *w)
{
    struct rvi_shard *shard = rvi_calloc(1, sizeof *shard);

    if (!shard)
        return NULL;
    shard->scope = scope;
    shard->worker = w;
    rvi_list_init(&shard->children);
    shard->quit.deliver = deliver_quit;
    shard->spread.deliver = rvi_shard_deliver_spread;
    return shard;
}

/* The table of shards elsewhere; made by whoever comes first. */
static _Atomic(struct rvi_shard *) *shards_of(struct rv_scope *scope)
{
    _Atomic(struct rvi_shard *) *shards =
        rvi_load_acquire(&scope->elsewhere); /* pairs: scope-elsewhere */

    if (shards)
        return shards;
    _Atomic(struct rvi_shard *) *mine = rvi_calloc(scope->home->sched->worker_count, sizeof *mine);
    if (mine && !rvi_cas_acq_rel(&scope->elsewhere, &shards, mine)) { /* pairs: scope-elsewhere */
        rvi_free(mine);
        return shards;
    }
    return mine;
}

/* The calling worker's shard; NULL: no memory. */
static struct rvi_shard *shard_of(struct rv_scope *scope, struct rvi_worker *w)
{
    if (rvi_likely(scope->home == w))
        return &scope->here;
    _Atomic(struct rvi_shard *) *shards = shards_of(scope);
    if (!shards)
        return NULL;
    struct rvi_shard *shard = rvi_load_relaxed(&shards[w->index]); /* this thread's own store */
    if (!shard && (shard = shard_new(scope, w))) {
        rvi_store_release(&shards[w->index], shard); /* pairs: scope-shard */
        rvi_fence_seq_cst(); /* before its first child looks at the reason; pairs: scope-spread */
    }
    return shard;
}

/* Before the scope's reference to the child goes: what its end means for the others. */
void rvi_scope_judge(struct rv_scope *scope, int result)
{
    int none = 0;

    if (result >= 0) {
        if (scope->policy == RV_FIRST_SUCCESS)
            rvi_scope_cancel(scope, RVI_REASON_SUCCESS);
        return;
    }
    rvi_cas_relaxed(&scope->first_failure, &none, result);
    if (scope->policy == RV_FAIL_FAST)
        rvi_scope_cancel(scope, result);
}

/* --- errands --- */

/* Off the descriptor from here on: an errand that is still on it when its task has ended was
 * lost. */
static int run_errand(void *arg)
{
    struct rvi_errand *errand = arg;

    rvi_task_self()->arg = NULL;
    return errand->run(errand);
}

static void lose_errand(rv_fn *fn, void *arg, int why)
{
    struct rvi_errand *errand = arg;

    if (fn == run_errand && errand)
        errand->lost(errand, why);
}

/* Any child. */
static __attribute__((noinline)) void settle(struct rvi_task *task)
{
    struct rvi_shard *shard = task->group;
    struct rv_scope *scope = shard->scope;
    int result = task->result;

    rvi_link_remove(&task->sibling);
    rvi_local_unref(task->locals);
    if (rvi_unlikely(result < 0)) {
        lose_errand(task->fn, task->arg, result);
        rvi_count(&shard->failed);
    }
    rvi_task_free(task);
    if (rvi_unlikely(result < 0 || scope->policy == RV_FIRST_SUCCESS))
        rvi_scope_judge(scope, result);
    if (scope->is_limited)
        rv_sem_post(&scope->room, 1);
    shard_remove(shard);
}

/* The ordinary one has been started at home, holds nothing, has succeeded and is one less: that
 * needs no frame. */
static void child_ended(struct rvi_task *task)
{
    struct rvi_shard *shard = task->group;
    struct rv_scope *scope = shard->scope;

    if (rvi_unlikely(shard != &scope->here || scope->is_special || task->result < 0 ||
                     task->locals || task->own_name)) {
        settle(task);
        return;
    }
    rvi_link_remove(&task->sibling);
    rvi_task_free_plain(task);
    rvi_count(&scope->here.ended);
    wake_closer_if_empty(scope);
}

RVI_INLINE void init_child(struct rvi_task *task, struct rv_scope *scope, struct rvi_shard *shard,
                           rv_fn *fn, void *arg, const struct rv_site *site)
{
    task->fn = fn;
    task->arg = arg;
    task->site = site;
    task->cancel = &scope->cancel;
    task->ended = child_ended;
    task->group = shard;
    shard_add(scope, shard, task);
}

void rvi_scope_disown(struct rvi_task *task)
{
    struct rvi_shard *shard = task->group;

    rvi_link_remove(&task->sibling);
    rvi_store_relaxed(&shard->started, rvi_load_relaxed(&shard->started) - 1); /* as if never */
    shard_look(shard);
}

/* It cannot end before this returns: its end comes back to this thread. */
static __attribute__((noinline)) int spawn(struct rvi_worker *w, struct rvi_task *task)
{
    int r = rvi_task_spawn(w, task);

    if (rvi_unlikely(r < 0)) {
        rvi_scope_disown(task);
        rvi_local_unref(task->locals);
        rvi_task_free(task);
    }
    return r;
}

/* On a worker, with room in the scope. */
static int start(struct rv_scope *scope, struct rvi_worker *w, rv_fn *fn, void *arg,
                 const struct rv_site *site, struct rvi_local *locals)
{
    struct rvi_shard *shard = shard_of(scope, w);
    struct rvi_task *task = shard ? rvi_task_new(w) : NULL;

    if (rvi_unlikely(!task))
        return -ENOMEM;
    task->locals = rvi_local_ref(locals);
    init_child(task, scope, shard, fn, arg, site);
    return spawn(w, task);
}

/* --- forks that another worker has taken --- */

struct rv_scope *rvi_scope_of_fork(const struct rvi_task *owner, struct rvi_fork_slot *slot)
{
    const struct rvi_shard *shard = owner->group;

    for (struct rv_scope *scope = owner->scopes; scope; scope = scope->outer) {
        if (rvi_scope_has_fork(scope, slot))
            return scope;
    }
    return shard ? shard->scope : NULL;
}

int rvi_scope_adopt(struct rv_scope *scope, struct rvi_task *task)
{
    struct rvi_shard *shard = shard_of(scope, task->birth);

    if (!shard)
        return -ENOMEM;
    task->cancel = &scope->cancel;
    task->group = shard;
    shard_add(scope, shard, task);
    return 0;
}

/* --- starting a task from a plain thread, or a worker of another runtime --- */

static bool is_outsider(const struct rv_scope *scope, const struct rvi_worker *w)
{
    return !w || (w != scope->home && w->sched != scope->home->sched);
}

struct posted {
    struct rvi_msg msg;
    struct rv_scope *scope;
    rv_fn *fn;
    void *arg;
    const struct rv_site *site;
};

static void deliver_post(struct rvi_msg *msg, void *receiver)
{
    struct posted *posted = rvi_container_of(msg, struct posted, msg);
    struct rv_scope *scope = posted->scope;
    int r = start(scope, receiver, posted->fn, posted->arg, posted->site, NULL);

    if (r < 0) {
        lose_errand(posted->fn, posted->arg, r);
        rvi_scope_judge(scope, r);
    }
    rvi_free(posted);
    rvi_scope_release(scope, 1);
}

static int post(struct rv_scope *scope, rv_fn *fn, void *arg, const struct rv_site *site)
{
    if (scope->is_limited)
        return -EPERM;
    struct posted *posted = rvi_alloc(sizeof *posted);
    if (!posted)
        return -ENOMEM;
    *posted = (struct posted){{.deliver = deliver_post}, scope, fn, arg, site};
    rvi_scope_hold(scope);
    rvi_worker_send(scope->home, &posted->msg);
    return 0;
}

/* Once there is room for it. */
static int start_limited(struct rv_scope *scope, rv_fn *fn, void *arg, const struct rv_site *site)
{
    int r = rv_sem_wait(&scope->room, RV_NEVER);

    if (r < 0)
        return r;
    r = rvi_cancel_reason(&scope->cancel)
            ? -ECANCELED
            : start(scope, rvi_worker_self(), fn, arg, site, rvi_task_self()->locals);
    if (r < 0)
        rv_sem_post(&scope->room, 1);
    return r;
}

static __attribute__((noinline)) int go_otherwise(struct rv_scope *scope, rv_fn *fn, void *arg,
                                                  const struct rv_site *site)
{
    struct rvi_worker *w = rvi_worker_self();

    if (rvi_cancel_reason(&scope->cancel) != 0)
        return -ECANCELED;
    if (is_outsider(scope, w))
        return post(scope, fn, arg, site);
    if (scope->is_limited)
        return start_limited(scope, fn, arg, site);
    return start(scope, w, fn, arg, site, rvi_task_self()->locals);
}

/* As start(), when nothing stands in the way: without a frame. */
int rv_go_at(rv_scope *scope, rv_fn *fn, void *arg, const struct rv_site *site)
{
    struct rvi_worker *w = rvi_worker_self();
    struct rvi_task *task;

    if (rvi_unlikely(scope->home != w || scope->is_special ||
                     rvi_cancel_reason(&scope->cancel) != 0 || rvi_task_self()->locals ||
                     !(task = rvi_task_new_at_hand(w))))
        return go_otherwise(scope, fn, arg, site);
    init_child(task, scope, &scope->here, fn, arg, site);
    if (rvi_unlikely(!rvi_deque_try_push(&w->fresh, task)))
        return spawn(w, task);
    rvi_task_announce(w, task);
    return 0;
}

int rvi_scope_takes_errands(const rv_scope *scope)
{
    return scope->is_limited || scope->policy == RV_FIRST_SUCCESS ? -EINVAL : 0;
}

int rvi_scope_send(rv_scope *scope, struct rvi_errand *errand, const struct rv_site *site)
{
    struct rvi_worker *w = rvi_worker_self();

    if (rvi_cancel_reason(&scope->cancel) != 0)
        return -ECANCELED;
    if (is_outsider(scope, w))
        return post(scope, run_errand, errand, site);
    return start(scope, w, run_errand, errand, site, NULL);
}

/* --- opening and closing --- */

static int read_opts(struct rv_scope_opts *ret, const struct rv_scope_opts *opts)
{
    int r = rvi_opts_copy(ret, sizeof *ret, opts, opts->size);

    if (r < 0)
        return r;
    if (ret->limit > PTRDIFF_MAX)
        ret->limit = 0; /* more than memory has room for */
    return (unsigned)ret->policy <= RV_FIRST_SUCCESS ? 0 : -EINVAL;
}

static struct rv_scope *scope_alloc(struct rvi_worker *home)
{
    struct rv_scope *scope = rvi_calloc(1, sizeof *scope);

    if (!scope)
        return NULL;
    scope->home = home;
    scope->here.scope = scope;
    scope->here.worker = home;
    rvi_timer_init(&scope->timer, rvi_scope_time_out);
    rvi_list_init(&scope->here.children);
    return scope;
}

/* With a trace the spares at hand are empty, so that all scopes come and go here. */
static __attribute__((noinline)) struct rv_scope *scope_take(const struct rvi_task *owner,
                                                             struct rvi_worker *home)
{
    struct rv_scope *scope = rvi_spares_take(&home->probing.scopes);

    if (!scope && !(scope = scope_alloc(home)))
        return NULL;
    rvi_probe_note(home, owner->id, RVI_TRACE_SCOPE_OPEN, 0);
    return scope;
}

/* One without options; not yet on its owner's stack. */
RVI_INLINE void begin(struct rv_scope *scope, struct rvi_task *owner)
{
    memset(scope, 0, offsetof(struct rv_scope, owner));
    scope->owner = owner;
    scope->outer = owner->scopes;
    scope->outer_cancel = owner->cancel;
    scope->mark = NULL;
    scope->deadline = RV_NEVER;
    memset(&scope->here.started, 0,
           offsetof(struct rvi_shard, owed) - offsetof(struct rvi_shard, started));
}

static int set_opts(struct rv_scope *scope, const struct rv_scope_opts *opts)
{
    scope->policy = opts->policy;
    scope->name = opts->name;
    scope->is_limited = opts->limit > 0;
    scope->is_special = scope->is_limited || opts->policy == RV_FIRST_SUCCESS;
    if (scope->is_limited)
        rv_sem_init(&scope->room, opts->limit);
    if (opts->deadline == 0 || opts->deadline == RV_NEVER)
        return 0;
    scope->deadline = opts->deadline;
    return rvi_timers_arm(&scope->home->timers, &scope->timer, scope->deadline);
}

static int scope_new(struct rv_scope **ret, struct rvi_task *owner,
                     const struct rv_scope_opts *opts)
{
    struct rvi_worker *home = rvi_worker_self();
    struct rv_scope *scope = rvi_spares_take(&home->scopes);

    if (!scope && !(scope = scope_take(owner, home)))
        return -ENOMEM;
    begin(scope, owner);
    int r = opts ? set_opts(scope, opts) : 0;
    if (r == 0) {
        *ret = scope;
        return 0;
    }
    rvi_probe_note(home, owner->id, RVI_TRACE_SCOPE_CLOSE, 0);
    rvi_free(scope);
    return r;
}

/* What its owner has open besides. */
static void mark_inside(struct rvi_task *self, struct rv_scope *scope)
{
    if (self->forks)
        scope->mark = rvi_forks_head(self->forks);
    rvi_forks_lock(self);
    if (self->shields) {
        scope->outer_shields = self->shields;
        scope->outer_shield_until = self->shield_until;
        self->shields = 0;
    }
    self->scopes = scope;
    rvi_forks_unlock(self);
}

/* Shields that were begun inside the scope and not ended join those outside. */
static void leave(struct rvi_task *self, struct rv_scope *scope)
{
    rvi_forks_lock(self);
    self->scopes = scope->outer;
    if (rvi_unlikely(scope->outer_shields)) {
        self->shields += scope->outer_shields;
        self->shield_until = scope->outer_shield_until;
    }
    rvi_forks_unlock(self);
}

static void check_forks_are_joined(const struct rvi_task *self, const struct rv_scope *scope)
{
    if (rvi_likely(self->forks == NULL))
        return;
    struct rvi_fork_slot *head = rvi_forks_head(self->forks);
    if (head > self->forks->slots && rvi_scope_has_fork(scope, head - 1))
        rvi_panic("a scope is closed while a fork made inside it is open: join every fork in the "
                  "scope in which it was made");
}

/* It is on its owner's stack. */
RVI_INLINE void enter(struct rvi_task *self, struct rv_scope *scope)
{
    RVI_USDT(scope_open, scope, self->id);
    self->cancel = &scope->cancel;
    if (rvi_unlikely(rvi_cancel_reason(scope->outer_cancel)))
        rvi_scope_cancel_from_outside(scope); /* born cancelled */
}

static __attribute__((noinline)) int open_otherwise(rv_scope **ret,
                                                    const struct rv_scope_opts *opts)
{
    struct rvi_task *self = rvi_task_self();
    struct rv_scope_opts known;
    int r = opts ? read_opts(&known, opts) : 0;

    if (r < 0)
        return r;
    if (!self)
        return -EPERM;
    r = scope_new(ret, self, opts ? &known : NULL);
    if (r < 0)
        return r;
    mark_inside(self, *ret);
    enter(self, *ret);
    return 0;
}

int rv_scope_open(rv_scope **ret, const struct rv_scope_opts *opts)
{
    struct rvi_task *self = rvi_task_self();
    struct rv_scope *scope;

    if (rvi_unlikely(opts || !self || self->forks || self->shields ||
                     !(scope = rvi_spares_take(&rvi_worker_self()->scopes))))
        return open_otherwise(ret, opts);
    begin(scope, self);
    self->scopes = scope;
    *ret = scope;
    enter(self, scope);
    return 0;
}

void rvi_scope_set_name(rv_scope *scope, const char *name)
{
    scope->name = name;
}

static int result_of(const struct rv_scope *scope)
{
    int reason = rvi_cancel_reason(&scope->cancel);

    if (reason == RVI_REASON_SUCCESS)
        return 0;
    return reason ? reason : rvi_load_relaxed(&scope->first_failure);
}

static void free_shards(struct rv_scope *scope)
{
    _Atomic(struct rvi_shard *) *shards =
        rvi_load_acquire(&scope->elsewhere); /* pairs: scope-elsewhere */

    for (unsigned i = 0; shards && i < scope->home->sched->worker_count; i++)
        rvi_free(rvi_load_acquire(&shards[i])); /* pairs: scope-shard */
    rvi_free(shards);
    rvi_store_relaxed(&scope->elsewhere, NULL); /* nobody else knows the scope any more */
}

static __attribute__((noinline)) int scope_dispose(struct rv_scope *scope, int result)
{
    rvi_probe_note(scope->home, scope->owner->id, RVI_TRACE_SCOPE_CLOSE,
                   rvi_probe_text(scope->home, scope->name));
    if (!rvi_spares_keep(&scope->home->probing.scopes, scope))
        rvi_free(scope);
    return result;
}

/* Returns the result: for a path without a frame. */
RVI_INLINE int scope_free(struct rv_scope *scope, int result)
{
    RV_DCHECK(is_empty(scope) && !rvi_list_first(&scope->here.children));
    RVI_USDT(scope_close, scope, scope->owner->id, scope->name, result);
    if (rvi_unlikely(!rvi_spares_keep(&scope->home->scopes, scope)))
        return scope_dispose(scope, result);
    return result;
}

static __attribute__((noinline)) int close_otherwise(struct rv_scope *scope)
{
    int result = result_of(scope);

    rvi_timers_disarm(&scope->home->timers, &scope->timer);
    leave(scope->owner, scope);
    scope->owner->cancel = scope->outer_cancel;
    free_shards(scope);
    return scope_free(scope, result);
}

/* An empty one. Most have begun without options and have not been cancelled, and nobody else has
 * started a task on them. */
RVI_INLINE int finish_close(struct rv_scope *scope)
{
    struct rvi_task *self = scope->owner;

    if (rvi_unlikely(rvi_cancel_reason(&scope->cancel) || rvi_timer_is_armed(&scope->timer) ||
                     scope->outer_shields || self->forks || rvi_load_relaxed(&scope->elsewhere)))
        return close_otherwise(scope);
    self->scopes = scope->outer;
    self->cancel = scope->outer_cancel;
    return scope_free(scope, rvi_load_relaxed(&scope->first_failure));
}

static __attribute__((noinline)) void wait_on(const struct rv_scope *scope)
{
    while (!is_empty(scope))
        rvi_park(RVI_WHY_SCOPE_CLOSE);
}

/* Perhaps again and again: between the nudge and its turn the scope may have been cancelled, and
 * messages that find nobody are on their way to the shards. No waiter: all that ends the wait
 * happens here, on the owner's worker. */
static __attribute__((noinline)) int wait_and_close(struct rv_scope *scope)
{
    scope->is_closing = true;
    rvi_park(RVI_WHY_SCOPE_CLOSE);
    if (rvi_unlikely(!is_empty(scope)))
        wait_on(scope);
    scope->is_closing = false;
    return finish_close(scope);
}

/* Misuse stops the program: as a result it could not be told from a task's. */
static __attribute__((noinline, cold)) void check_may_close(const struct rv_scope *scope,
                                                            const struct rvi_task *self)
{
    if (scope->owner != self)
        rvi_panic("rv_scope_close: the caller does not own this scope; only the task that opened "
                  "it may close it");
    if (self->scopes != scope)
        rvi_panic("rv_scope_close: a scope that was opened inside this one is still open; close "
                  "the inner scope first");
    check_forks_are_joined(self, scope);
}

int rv_scope_close(rv_scope *scope)
{
    const struct rvi_task *self = rvi_task_self();

    if (rvi_unlikely(scope->owner != self || self->scopes != scope || self->forks))
        check_may_close(scope, self);
    return is_empty(scope) ? finish_close(scope) : wait_and_close(scope);
}

/* Another worker counts on meanwhile: it must not look as if more tasks had ended than were
 * started. */
static void add_stats(struct rv_scope_stats *stats, const struct rvi_shard *shard)
{
    size_t failed = rvi_load_relaxed(&shard->failed);
    size_t ended = rvi_load_relaxed(&shard->ended);
    size_t started = rvi_load_relaxed(&shard->started);

    stats->started += started > ended ? started : ended;
    stats->succeeded += ended > failed ? ended - failed : 0;
    stats->failed += failed;
}

int rv_scope_stats_read(const rv_scope *scope, struct rv_scope_stats *stats)
{
    _Atomic(struct rvi_shard *) *shards =
        rvi_load_acquire(&scope->elsewhere); /* pairs: scope-elsewhere */

    if (scope->owner != rvi_task_self())
        return -EPERM;
    struct rv_scope_stats known = {0};
    add_stats(&known, &scope->here);
    for (unsigned i = 0; shards && i < scope->home->sched->worker_count; i++) {
        const struct rvi_shard *shard = rvi_load_acquire(&shards[i]); /* pairs: scope-shard */
        if (shard)
            add_stats(&known, shard);
    }
    known.alive = known.started - known.succeeded - known.failed;
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}

struct rv_scope_guard rv_scope_guard_open(int *err, const struct rv_scope_opts *opts)
{
    struct rv_scope_guard guard = {NULL, err};

    *err = rv_scope_open(&guard.scope, opts);
    return guard;
}

void rv_scope_guard_close(struct rv_scope_guard *guard)
{
    if (!guard->scope)
        return;
    *guard->err = rv_scope_close(guard->scope);
    guard->scope = NULL;
}

/* --- for dumps --- */

void rvi_scope_look(const rv_scope *scope, struct rvi_scope_view *ret)
{
    *ret = (struct rvi_scope_view){
        .name = scope->name,
        .policy = scope->policy,
        .deadline = scope->deadline,
        .reason = rvi_cancel_reason(&scope->cancel),
        .outer = scope->outer,
    };
}

const char *rvi_scope_name_of(const struct rvi_task *task)
{
    const struct rvi_shard *shard = task->group;

    for (const struct rv_scope *scope = task->scopes; scope; scope = scope->outer) {
        if (scope->name)
            return scope->name;
    }
    return shard ? shard->scope->name : NULL;
}

const struct rvi_list *rvi_scope_children(const rv_scope *scope, unsigned worker)
{
    if (scope->home->index == worker)
        return &scope->here.children;
    _Atomic(struct rvi_shard *) *shards =
        rvi_load_acquire(&scope->elsewhere); /* pairs: scope-elsewhere */
    const struct rvi_shard *shard =
        shards ? rvi_load_acquire(&shards[worker]) : NULL; /* pairs: scope-shard */
    return shard ? &shard->children : NULL;
}
