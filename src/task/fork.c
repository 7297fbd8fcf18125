/* SPDX-License-Identifier: MIT */
/* fork.c - forks for the program: the function-pointer form, the slow paths of the typed one, and
 * the tasks that taken forks become.
 *
 * A fork that is taken becomes a task of the thief's worker: it has a stack of its own, is pinned
 * there, and may block like any other. It is a child of the scope in which it was forked, so that a
 * cancellation finds it by the scope's usual ways (task/scope.c); the joiner cannot leave that
 * scope before the join, which keeps it open. Its result goes into the slot, or the struct rv_fork.
 *
 * Between the thief and the joiner, in the slot's `taker`:
 *
 *     RUNNING --- joiner parks --> its waiter --- task ends --> ENDED or UNRUN, and a wake
 *        \------- task ends --------------------------------/
 *
 * The task's end is one exchange: after it the slot is the joiner's, who may use it for the next
 * fork, unless the exchange found a waiter, whose owner sleeps until it is woken. UNRUN says
 * that the thief had no memory for a stack or an account in the scope: the joiner runs the child.
 * The thief has left the scope before the exchange, as the joiner may close it then.
 *
 * A joiner that waits parks, and its worker looks for other work; most often it finds some in
 * the fork stack of the very thief (Wagner and Calder's leapfrogging, 1993, by other means: here
 * the joiner has its own stack, so it need not choose what cannot bury its join).
 *
 * Rejected: a task descriptor in the slot, ten times its size; results judged by the scope, as the
 * joiner gets them; -EPERM on plain threads, since code that computes should not have to know.
 *
 * Checked by: tests/unit/task/test_fork.c, tests/stress/stress_fork.c */
#include "task/fork.h"

#include <ravel/fork.h>

#include <errno.h>

#include <ravel/task.h>

#include "base/check.h"
#include "sched/forks.h"
#include "sched/sched.h"
#include "sched/spawn.h"
#include "sched/wait.h"
#include "sys/cpu.h"
#include "task/local.h"
#include "task/scope.h"

/* A slot's `taker`; any other value is the joiner's waiter. */
enum { RUNNING, ENDED, UNRUN };

enum {
    JOIN_PAUSES = 200, /* before the joiner parks: about what a park and a wake cost */
};

/* What rv_fork() leaves for a child, its signal handlers included. */
#define RESERVE_BYTES ((ptrdiff_t)8 << 10)

/* --- the end of a child that was taken --- */

static void end_of_child(struct rvi_fork_slot *slot, uintptr_t how)
{
    uintptr_t found = rvi_exchange_acq_rel(&slot->taker, how); /* pairs: fork-taker */

    if (found != RUNNING)
        rvi_wake((struct rvi_waiter *)found); /* NOLINT: an address */
}

static bool has_ended(const struct rvi_fork_slot *slot)
{
    return rvi_load_acquire(&slot->taker) != RUNNING; /* pairs: fork-taker */
}

/* Parking is two switches and a message: worth avoiding when nobody else is to run here. */
static bool ends_soon(const struct rvi_worker *w, const struct rvi_fork_slot *slot)
{
    bool is_alone = !w->next && rvi_fifo_is_empty(&w->ready);

    for (int i = 0; is_alone && w->sched->spins && i < JOIN_PAUSES; i++) {
        if (has_ended(slot))
            return true;
        rvi_cpu_relax();
    }
    return has_ended(slot);
}

static void wait_for_end(struct rvi_fork_slot *slot)
{
    struct rvi_waiter joiner;
    uintptr_t running = RUNNING;

    if (ends_soon(rvi_worker_self(), slot))
        return;
    rvi_waiter_init(&joiner);
    if (rvi_cas_acq_rel(&slot->taker, &running, (uintptr_t)&joiner)) /* pairs: fork-taker */
        rvi_wait_always(&joiner, RVI_WHY_FORK_JOIN);
}

int rv_fork_reclaim(struct rvi_fork_slot *slot)
{
    struct rvi_forks *forks = rvi_forks_of(slot);

    if (rvi_forks_reclaim(forks, slot))
        return 1;
    wait_for_end(slot);
    bool is_unrun = rvi_load_acquire(&slot->taker) == UNRUN; /* pairs: fork-taker */
    rvi_store_relaxed(&slot->taker, RUNNING);
    rvi_forks_settle(forks, slot);
    return is_unrun;
}

/* --- entering, leaving --- */

/* Nothing of it is open any more: the task can do without. */
static void give_if_idle(struct rvi_forks *forks, const struct rvi_fork_slot *head)
{
    if (head == forks->slots && forks->entries == 0)
        rvi_forks_give(rvi_worker_self(), forks);
}

static struct rvi_forks *forks_of_caller(void)
{
    struct rvi_task *self = rvi_task_self();

    if (!self || rvi_likely(self->forks != NULL))
        return self ? self->forks : NULL;
    return rvi_forks_take(rvi_worker_self(), self);
}

struct rvi_fork_slot *rv_fork_enter(void)
{
    struct rvi_forks *forks = forks_of_caller();

    if (!forks)
        return RVI_FORK_SERIAL;
    forks->entries++;
    return rvi_forks_head(forks);
}

void rv_fork_leave(struct rvi_fork_slot *head)
{
    if (head == RVI_FORK_SERIAL)
        return;
    struct rvi_forks *forks = rvi_forks_of(head);
    if (rvi_forks_head(forks) != head)
        rvi_panic("a forkable function returned with a fork open: join every fork in the function "
                  "that made it, with RV_JOIN()");
    forks->entries--;
    forks->hint = head;
    give_if_idle(forks, head);
}

struct rvi_fork_slot *rv_fork_move(struct rvi_fork_slot *head)
{
    if (head != RVI_FORK_SERIAL)
        head = rvi_forks_head(rvi_forks_of(head));
    return (uintptr_t)head & RVI_FORK_STACK_BYTES ? RVI_FORK_SERIAL : head;
}

void rv_fork_trapped(struct rvi_fork_slot *slot)
{
    rvi_forks_call(rvi_forks_of(slot));
}

void rv_fork_misused(const struct rvi_fork_kind *kind)
{
    rvi_panic("RV_JOIN() of '%s', forkable at %s:%u, is not for the last fork that is open: join "
              "forks once, in the reverse order, in the function that made them",
              kind->site.name, kind->site.file, kind->site.line);
}

/* --- the function-pointer form --- */

static void run_plain(struct rvi_fork_slot *slot, struct rvi_fork_slot *head);

static const struct rvi_fork_kind plain_kind = {run_plain, {__FILE__, "", "rv_fork", __LINE__}};

static struct rv_fork *plain_of(struct rvi_fork_slot *slot)
{
    return *(struct rv_fork **)(void *)slot->room;
}

static void run_plain(struct rvi_fork_slot *slot, struct rvi_fork_slot *head)
{
    struct rv_fork *f = plain_of(slot);

    (void)head;
    f->result = f->fn(f->arg);
}

static bool is_stack_short(void)
{
    const struct rvi_task *self = rvi_task_self();

    return self && (char *)__builtin_frame_address(0) - self->stack->low < RESERVE_BYTES;
}

int rv_fork_at(struct rv_fork *f, rv_fn *fn, void *arg, const struct rv_site *site)
{
    if (rvi_unlikely(is_stack_short()))
        return -EOVERFLOW;
    struct rvi_forks *forks = forks_of_caller();
    struct rvi_fork_slot *slot = forks ? rvi_forks_head(forks) : RVI_FORK_SERIAL;

    *f = (struct rv_fork){.slot = slot, .fn = fn, .arg = arg, .site = site};
    if (rvi_unlikely((uintptr_t)slot & RVI_FORK_STACK_BYTES)) {
        f->slot = RVI_FORK_SERIAL;
        f->result = fn(arg);
        return 0;
    }
    *(struct rv_fork **)(void *)slot->room = f;
    forks->hint = slot + 1;
    rvi_fork_publish(slot, &plain_kind);
    return 0;
}

static bool is_last(const struct rv_fork *f)
{
    const struct rvi_task *self = rvi_task_self();

    return f->slot && self && self->forks == rvi_forks_of(f->slot) &&
           rvi_forks_head(self->forks) == f->slot + 1 && plain_of(f->slot) == f;
}

/* The stack goes back before the child runs here: the child may take and return it as well. */
int rv_join(struct rv_fork *f)
{
    struct rvi_fork_slot *slot = f->slot;

    if (rvi_unlikely(slot == RVI_FORK_SERIAL)) {
        f->slot = NULL;
        return f->result;
    }
    if (rvi_unlikely(!is_last(f)))
        rvi_panic("rv_join() of '%s' (%s:%u) is not for the last fork that is open: join forks "
                  "once, in the reverse order, in the task that made them",
                  f->site->name, f->site->file, f->site->line);
    struct rvi_forks *forks = rvi_forks_of(slot);
    f->slot = NULL;
    forks->hint = slot;
    int is_mine = rvi_fork_take_back(slot) || rv_fork_reclaim(slot);
    give_if_idle(forks, slot);
    return is_mine ? f->fn(f->arg) : f->result;
}

/* --- a taken fork as a task --- */

static const struct rvi_fork_kind *kind_of_site(const struct rv_site *site)
{
    return (const void *)((const char *)site - offsetof(struct rvi_fork_kind, site));
}

static void unshield(void)
{
    if (rvi_task_self()->shields)
        rv_shield_end();
}

static int child_run(void *arg)
{
    const struct rvi_fork_kind *kind = kind_of_site(rvi_task_self()->site);
    struct rvi_fork_slot *head = rv_fork_enter();

    kind->run(arg, head);
    rv_fork_leave(head);
    unshield();
    return 0;
}

static int plain_child_run(void *arg)
{
    run_plain(arg, NULL);
    unshield();
    return 0;
}

static void child_ended(struct rvi_task *task)
{
    struct rvi_fork_slot *slot = task->arg;
    uintptr_t how = task->result < 0 ? UNRUN : ENDED; /* child_run returns 0 */

    if (task->group)
        rvi_scope_disown(task);
    rvi_local_unref(task->locals);
    rvi_task_free(task);
    end_of_child(slot, how);
}

/* --- taking --- */

/* With the lock of the parent's forks held. */
static struct rv_scope *inherit(struct rvi_task *child, const struct rvi_task *parent)
{
    child->locals = rvi_local_ref(parent->locals);
    child->shields = rvi_scope_shield_of_fork(parent, child->arg, &child->shield_until) ? 1 : 0;
    return rvi_scope_of_fork(parent, child->arg);
}

static void set_work(struct rvi_task *child, struct rvi_fork_slot *slot,
                     const struct rvi_fork_kind *kind)
{
    bool is_plain = kind == &plain_kind;

    child->fn = is_plain ? plain_child_run : child_run;
    child->arg = slot;
    child->site = is_plain ? plain_of(slot)->site : &kind->site;
    child->ended = child_ended;
}

/* Whether the child has got a fork to run; its scope then. */
static bool claim(struct rvi_forks *forks, struct rvi_task *child, struct rv_scope **ret_scope)
{
    const struct rvi_fork_kind *kind;

    if (!rvi_lock_try_acquire(&forks->lock))
        return false;
    struct rvi_fork_slot *slot = rvi_forks_claim(forks, &kind);
    if (slot) {
        set_work(child, slot, kind);
        *ret_scope = inherit(child, forks->task);
    }
    rvi_lock_release(&forks->lock);
    return slot != NULL;
}

/* The child may begin, or else the fork has gone back unrun and the child is gone. */
static bool settle_in(struct rvi_worker *w, struct rvi_task *child, struct rv_scope *scope)
{
    child->cancel = &w->sched->cancel;
    if (scope && rvi_scope_adopt(scope, child) < 0) {
        child->result = -ENOMEM;
        child_ended(child);
        return false;
    }
    rvi_task_count_spawned(w, child);
    rvi_count(&w->stolen);
    return true;
}

static struct rvi_task *steal_from(struct rvi_worker *w, struct rvi_forks *forks)
{
    struct rvi_task *child = rvi_task_new(w);
    struct rv_scope *scope;

    if (!child)
        return NULL;
    if (!claim(forks, child, &scope)) {
        rvi_task_free(child);
        return NULL;
    }
    return settle_in(w, child, scope) ? child : NULL;
}

struct rvi_task *rvi_fork_steal(struct rvi_worker *w)
{
    struct rvi_task *child = NULL;

    for (struct rvi_forks *f = rvi_forks_first(w->sched); f && !child; f = f->next) {
        if (rvi_forks_tempts(f))
            child = steal_from(w, f);
    }
    return child;
}
