/* SPDX-License-Identifier: MIT */
/* scope_cancel.c - how a cancellation spreads through scopes and tasks, and what a shield keeps
 * from it. The invariants S1 to S4 are scope.c's.
 *
 *   S5  a task's open shields lie between its scopes: task.shields of them were begun inside the
 *       innermost scope, and scope.outer_shields before that scope and inside the next one out. All
 *       of one level end together as far as time goes, when the first of them does; and by
 *       rv_shield_begin() none ends later than those of the levels outside.
 *
 * Spreading a cancellation. On the home worker: the owner and its next scope in, which spreads in
 * turn, then the children. A shield between a scope and the next one in (S5) holds it up, with a
 * timer for the shield's end; so what is inside is not cancelled, and the owner, whose blocking
 * calls look at the innermost scope, sees nothing either. A child that runs here has its outermost
 * scope cancelled (a work list instead of recursion: trees of scopes are deep, stacks are not) and
 * is nudged out of its wait. A child that was stolen is poked: a message to its home worker, which
 * does the same there. A shard elsewhere gets a message and does it for its own children. A child
 * that has not begun will see the reason before its first wait; a scope opened later is born
 * cancelled, because it looks at its outer token after it is on the owner's stack, and messages are
 * handled between tasks, or when one asks rv_cancelled(), never inside another call.
 *
 * Checked by: tests/unit/task/test_cancel.c, test_task.c, test_every_point.c,
 * tests/stress/stress_cancel.c, tests/explore/explore_scope.c */
#include "task/scope_inside.h"

#include <errno.h>

#include <ravel/task.h>

#include "base/check.h"
#include "base/usdt.h"
#include "sched/probe.h"
#include "sched/sched.h"
#include "sys/clock.h"
#include "task/runtime.h"

enum { MOST_SHIELDS = UINT8_MAX }; /* of one task */

static bool is_home(const struct rv_scope *scope)
{
    return scope->home == rvi_worker_self();
}

/* --- cancellation --- */

static void spread_all(struct rvi_fifo *todo);

/* Cancel one scope, spread later. */
static void cancel_here(struct rv_scope *scope, int why, struct rvi_fifo *todo)
{
    if (rvi_cancel_set(&scope->cancel, why))
        rvi_fifo_push(todo, &scope->todo);
}

void rvi_scope_time_out(struct rvi_timer *timer)
{
    struct rv_scope *scope = rvi_container_of(timer, struct rv_scope, timer);
    struct rvi_fifo todo;

    rvi_fifo_init(&todo);
    cancel_here(scope, rvi_clock_now() >= scope->deadline ? -ETIME : -ECANCELED, &todo);
    spread_all(&todo);
}

/* The next scope out was cancelled; a shield between the two delays it, and so for all that is
 * inside. Without memory for the timer it is not delayed. */
static void cancel_from_outside(struct rv_scope *scope, struct rvi_fifo *todo)
{
    if (scope->outer_shields && scope->outer_shield_until > rvi_clock_now()) {
        if (scope->deadline <= scope->outer_shield_until)
            return; /* its own timer comes first */
        rvi_timers_disarm(&scope->home->timers, &scope->timer);
        if (rvi_timers_arm(&scope->home->timers, &scope->timer, scope->outer_shield_until) == 0)
            return;
    }
    cancel_here(scope, -ECANCELED, todo);
}

/* What an owner's scope, or what the owner was started in (NULL), being cancelled means for the
 * owner: its next scope in is, and whoever is inside that in turn; then itself. */
static void cancel_inside(struct rvi_task *owner, const struct rv_scope *outer,
                          struct rvi_fifo *todo)
{
    struct rv_scope *inner = owner->scopes;

    while (inner != outer && inner->outer != outer)
        inner = inner->outer;
    if (inner != outer)
        cancel_from_outside(inner, todo);
    rvi_worker_nudge(rvi_worker_self(), owner);
}

void rvi_task_cancel_here(struct rvi_task *task)
{
    struct rvi_fifo todo;

    rvi_fifo_init(&todo);
    cancel_inside(task, NULL, &todo);
    spread_all(&todo);
}

static void deliver_poke(struct rvi_msg *msg, void *receiver)
{
    struct rvi_task *task = rvi_container_of(msg, struct rvi_task, poke_msg);
    struct rvi_fifo todo;

    (void)receiver;
    if (!rvi_task_poke_is_here(task))
        return;
    rvi_fifo_init(&todo);
    cancel_inside(task, NULL, &todo);
    rvi_task_poke_done(task);
    spread_all(&todo);
}

/* Not in the list of todo: for the task that has no scope around it. */
void rvi_task_cancel(struct rvi_task *task)
{
    struct rvi_worker *home = rvi_task_home(task);

    if (home == rvi_worker_self()) {
        rvi_task_cancel_here(task);
    } else if (home) {
        task->poke_msg.deliver = deliver_poke;
        rvi_task_poke(task);
    }
}

static void spread_to_children(struct rvi_shard *shard, struct rvi_fifo *todo)
{
    RVI_LIST_FOREACH(link, &shard->children) {
        struct rvi_task *task = rvi_container_of(link, struct rvi_task, sibling);
        struct rvi_worker *home = rvi_task_home(task);
        if (home == shard->worker) {
            cancel_inside(task, NULL, todo);
        } else if (home) {
            task->poke_msg.deliver = deliver_poke;
            rvi_task_poke(task);
        }
    }
}

void rvi_shard_deliver_spread(struct rvi_msg *msg, void *receiver)
{
    struct rvi_shard *shard = rvi_container_of(msg, struct rvi_shard, spread);
    struct rvi_fifo todo;

    (void)receiver;
    rvi_fifo_init(&todo);
    spread_to_children(shard, &todo);
    rvi_shard_give_back(shard);
    spread_all(&todo);
}

static void spread_elsewhere(struct rv_scope *scope)
{
    rvi_fence_seq_cst(); /* after the reason was set; pairs: scope-spread */
    _Atomic(struct rvi_shard *) *shards =
        rvi_load_acquire(&scope->elsewhere); /* pairs: scope-elsewhere */

    for (unsigned i = 0; shards && i < scope->home->sched->worker_count; i++) {
        struct rvi_shard *shard = rvi_load_acquire(&shards[i]); /* pairs: scope-shard */
        if (!shard)
            continue;
        rvi_scope_hold(scope);
        rvi_worker_send(shard->worker, &shard->spread);
    }
}

/* Spread every scope of the list, and those that this cancels in turn. All are at home here. */
static void spread_all(struct rvi_fifo *todo)
{
    struct rvi_qlink *link;

    while ((link = rvi_fifo_pop(todo))) {
        struct rv_scope *scope = rvi_container_of(link, struct rv_scope, todo);
        int why = rvi_cancel_reason(&scope->cancel);
        RVI_USDT(scope_cancel, scope, scope->owner->id, why);
        rvi_probe_note(scope->home, scope->owner->id, RVI_TRACE_SCOPE_CANCEL,
                       why < 0 ? (uint64_t) - (int64_t)why : 0);
        cancel_inside(scope->owner, scope, todo);
        spread_to_children(&scope->here, todo);
        spread_elsewhere(scope);
    }
}

static void spread(struct rv_scope *scope)
{
    struct rvi_fifo todo;

    rvi_fifo_init(&todo);
    rvi_fifo_push(&todo, &scope->todo);
    spread_all(&todo);
}

static void deliver_cancel(struct rvi_msg *msg, void *receiver)
{
    struct rv_scope *scope = rvi_container_of(msg, struct rv_scope, cancel_msg);

    (void)receiver;
    spread(scope);
    rvi_scope_release(scope, 1);
}

void rvi_scope_cancel_from_outside(struct rv_scope *scope)
{
    struct rvi_fifo todo;

    rvi_fifo_init(&todo);
    cancel_from_outside(scope, &todo);
    spread_all(&todo);
}

void rvi_scope_cancel(struct rv_scope *scope, int why)
{
    if (!rvi_cancel_set(&scope->cancel, why))
        return;
    if (is_home(scope)) {
        spread(scope);
        return;
    }
    rvi_scope_hold(scope);
    scope->cancel_msg.deliver = deliver_cancel;
    rvi_worker_send(scope->home, &scope->cancel_msg);
}

void rv_scope_cancel(rv_scope *scope, int why)
{
    rvi_scope_cancel(scope, why < 0 ? why : why > 0 ? -why : -ECANCELED);
}

int rv_scope_reason(const rv_scope *scope)
{
    int reason = rvi_cancel_reason(&scope->cancel);

    return reason == RVI_REASON_SUCCESS ? 0 : reason;
}

/* --- shields --- */

static unsigned count_shields(const struct rvi_task *self)
{
    unsigned count = self->shields;

    for (const struct rv_scope *scope = self->scopes; scope; scope = scope->outer)
        count += scope->outer_shields;
    return count;
}

/* When the shields of the levels outside the innermost scope end. */
static rv_time outer_limit(const struct rvi_task *self)
{
    const struct rv_scope *scope = self->scopes;

    while (scope && !scope->outer_shields)
        scope = scope->outer;
    return scope ? scope->outer_shield_until : RV_NEVER;
}

/* A further one of a level cannot make it end earlier, because what it hides the first one hides as
 * well; nor later: an inner shield cannot outlast the outer. */
int rv_shield_begin(rv_time until)
{
    struct rvi_task *self = rvi_task_self();

    if (!self)
        return -EPERM;
    if (until == RV_NEVER)
        return -EINVAL;
    if (count_shields(self) >= MOST_SHIELDS)
        return -EOVERFLOW;
    rv_time limit = outer_limit(self);
    rvi_forks_lock(self);
    if (self->shields++ == 0)
        self->shield_until = until < limit ? until : limit;
    rvi_forks_unlock(self);
    return 0;
}

/* The innermost shield, which a scope inside it may have outlived: that scope learns what has been
 * kept from it. */
void rv_shield_end(void)
{
    struct rvi_task *self = rvi_task_self();
    struct rv_scope *kept = NULL;

    if (!self || count_shields(self) == 0)
        rvi_panic("rv_shield_end() without rv_shield_begin() in this task");
    rvi_forks_lock(self);
    if (self->shields > 0) {
        self->shields--;
    } else {
        for (kept = self->scopes; !kept->outer_shields;)
            kept = kept->outer;
        kept->outer_shields--;
    }
    rvi_forks_unlock(self);
    if (kept && rvi_cancel_reason(kept->outer_cancel))
        rvi_scope_cancel_from_outside(kept);
}

bool rvi_scope_shield_of_fork(const struct rvi_task *owner, struct rvi_fork_slot *slot,
                              rv_time *ret_until)
{
    const struct rv_scope *inner = NULL;

    for (const struct rv_scope *scope = owner->scopes; scope && !rvi_scope_has_fork(scope, slot);
         scope = scope->outer)
        inner = scope;
    *ret_until = inner ? inner->outer_shield_until : owner->shield_until;
    return (inner ? inner->outer_shields : owner->shields) > 0;
}
