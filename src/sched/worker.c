/* SPDX-License-Identifier: MIT */
/* worker.c - who runs next, on one worker. What it does when there is nobody: search.c.
 *
 * Queues of a worker, in the order of a pick:
 *   next    one task that a partner has just woken. At most NEXT_STREAK in a row, then the others.
 *   inbox   messages of other threads, most of them wake-ups; they end up in `ready`
 *   ready   tasks that have begun, first in first out; pinned to this worker
 *   fresh   tasks that have not: newest first, so that trees of tasks unfold depth first and few
 *           stacks are in use; every OLDEST_EVERY-th from the other end, so that none waits for
 *           ever. A fresh task has its turn after each round of the ready queue.
 *
 * There is no scheduler fiber in the middle: the fiber that parks picks the next task and switches
 * to it. A fiber whose task has ended takes the next fresh task without any switch. The thread's
 * own stack (`base`) runs only when there is nobody to run.
 *
 * Invariants
 *   W1  current is RUNNING; it is on no queue.
 *   W2  a task that has begun is READY on its home's queues, or PARKED and on none.
 *   W3  next, ready, timers, stacks and slab are touched by the worker's own thread alone; so the
 *       paths above need no atomic read-modify-write and no fence.
 *
 * What a yield costs. Floor: the registers that calls preserve, saved and restored (12), the switch
 * (13), its own queue link written and the next one read (8): some 33 instructions, and of the
 * other task one line of its descriptor and two of its stack. On top: tick and clock (5), inbox
 * (3), `next` and its streak (4), round (5), state, current and probes (8), thread-local and call
 * (9). No system call, no atomic read-modify-write, no fence. What is two tasks away is fetched
 * ahead, or a thousand of them would wait for the second cache at each turn.
 *
 * Rejected: a scheduler fiber (two switches instead of one); one global queue (a lock and a cache
 * miss a task). */
#include "sched/worker.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/usdt.h"
#include "sched/forks.h"
#include "sched/probe.h"
#include "sched/sched.h"
#include "sched/search.h"
#include "sys/clock.h"
#include "sys/fault.h"
#include "sys/fiber_hooks.h"
#include "sys/thread.h"

enum {
    CHORES_MOST = 64,   /* picks between two looks at the clock, at most */
    NEXT_STREAK = 16,   /* picks of `next` in a row */
    OLDEST_EVERY = 64,  /* fresh tasks taken between two from the old end */
    PREFETCH_AHEAD = 4, /* fresh tasks, counted from the one that is taken */
};

#define CHORES_NS (500 * RV_MICROSECOND) /* how long to be without a look at the clock */
#define TIMER_SLACK_NS 1000

/* Threads that work together yield after microseconds. A turn of this length was somebody's who
 * computes, and they come in slices of 3 to 4 ms; one more of them in CROWDED_NS is the price of
 * finding out that they have gone. */
#define LONG_TURN_NS RV_MILLISECOND
#define CROWDED_NS (100 * RV_MILLISECOND)

_Thread_local struct rvi_here rvi_here;

/* --- making ready --- */

/* A message may be the last thing that its scheduler waits for: a sender that is none of its
 * workers keeps it from being freed until it has let go. */
void rvi_worker_send(struct rvi_worker *w, struct rvi_msg *msg)
{
    struct rvi_worker *self = rvi_worker_self();
    struct rvi_sched *sched = w->sched;
    bool is_visitor = !self || self->sched != sched;

    if (is_visitor)
        rvi_fetch_add_relaxed(&sched->visitors, 1);
    rvi_point(RVI_POINT_SEND);
    rvi_inbox_push(&w->inbox, msg);
    rvi_sleeper_wake(&w->sleeper, RVI_SLEEPER_CALLED);
    if (is_visitor)
        rvi_fetch_sub_release(&sched->visitors, 1); /* pairs: sched-visitors */
}

static void read_inbox(struct rvi_worker *w)
{
    struct rvi_msg *msg = rvi_inbox_take_all(&w->inbox);

    while (msg) {
        struct rvi_msg *next = msg->next;
        msg->deliver(msg, w);
        msg = next;
    }
}

rv_time rvi_worker_next_deadline(const struct rvi_worker *w)
{
    rv_time timer = rvi_timers_next(&w->timers);
    rv_time alarm = rvi_alarms_next(&w->alarms);

    return timer < alarm ? timer : alarm;
}

static void expire_by(struct rvi_worker *w, rv_time now)
{
    rvi_timers_expire(&w->timers, now);
    rvi_alarms_expire(&w->alarms, w, now);
}

static void expire_timers(struct rvi_worker *w)
{
    if (rvi_worker_next_deadline(w) != RV_NEVER)
        expire_by(w, rvi_clock_now());
}

void rvi_worker_catch_up(struct rvi_worker *w)
{
    if (!rvi_inbox_looks_empty(&w->inbox))
        read_inbox(w);
    expire_timers(w);
}

rv_time rvi_worker_look_at_clock(struct rvi_worker *w)
{
    rv_time now = rvi_clock_now();

    rvi_store_relaxed(&w->now_ms, (uint32_t)(now / RV_MILLISECOND));
    return now;
}

/* Every so many picks. Long tasks make looks at the clock more frequent, short ones rarer. */
static __attribute__((noinline)) void do_chores(struct rvi_worker *w)
{
    rv_time now = rvi_worker_look_at_clock(w);

    expire_by(w, now);
    if (rvi_loop_is_busy(w->loop))
        rvi_loop_reap(w->loop);
    if (now - w->chores_time > CHORES_NS)
        w->chores_every = w->chores_every > 1 ? w->chores_every / 2 : 1;
    else if (w->chores_every < CHORES_MOST)
        w->chores_every *= 2;
    w->chores_time = now;
    w->chores_tick = rvi_load_relaxed(&w->tick) + w->chores_every;
    if (rvi_unlikely(w->probing.recording || rvi_probe_is_called(&w->probing)))
        rvi_probe_follow(w);
}

/* --- picking --- */

static __attribute__((noinline)) struct rvi_task *take_fresh_otherwise(struct rvi_worker *w)
{
    struct rvi_task *task = rvi_unlikely(w->fresh_taken % OLDEST_EVERY == 0)
                                ? rvi_deque_pop_oldest(&w->fresh)
                                : rvi_deque_pop(&w->fresh);
    if (rvi_load_relaxed(&w->sched->attention) && !rvi_deque_looks_empty(&w->fresh))
        rvi_sched_wake_one(w->sched);
    return task;
}

/* Without a frame when it is the newest that is taken, and nobody sleeps. */
static __attribute__((noinline)) struct rvi_task *take_fresh_slow(struct rvi_worker *w)
{
    rvi_task_prefetch(rvi_deque_ahead(&w->fresh, PREFETCH_AHEAD + 1));
    if (rvi_unlikely(++w->fresh_taken % OLDEST_EVERY == 0 ||
                     rvi_load_relaxed(&w->sched->attention)))
        return take_fresh_otherwise(w);
    return rvi_deque_pop(&w->fresh);
}

static inline struct rvi_task *take_fresh(struct rvi_worker *w)
{
    return rvi_deque_looks_empty(&w->fresh) ? NULL : take_fresh_slow(w);
}

/* NULL when the slot is empty, or its tasks have had it for long enough: then it joins the
 * queue. */
RVI_INLINE struct rvi_task *take_next(struct rvi_worker *w)
{
    struct rvi_task *task = w->next;

    if (rvi_likely(!task)) {
        w->next_left = NEXT_STREAK;
        return NULL;
    }
    w->next = NULL;
    if (rvi_likely(--w->next_left > 0))
        return task;
    w->next_left = NEXT_STREAK;
    rvi_fifo_push(&w->ready, &task->run);
    return NULL;
}

/* Who has the next turn is on its way into the cache while this one has its own: the stack, as the
 * descriptor was fetched a turn before, and the descriptor of the one behind. */
static inline void prefetch_ready(struct rvi_qlink *link)
{
    const void *ctx = rvi_container_of(link, struct rvi_task, run)->ctx;

    rvi_prefetch(ctx, 0);
    rvi_prefetch(ctx, RVI_CACHE_LINE);
    rvi_prefetch(link->next, 0);
}

/* From the ready queue, or a fresh one when it has its turn or nobody is ready. */
RVI_INLINE struct rvi_task *take_ready(struct rvi_worker *w)
{
    struct rvi_task *task;

    if (rvi_unlikely(!w->round_end)) {
        w->round_end = w->ready.last;
        if ((task = take_fresh(w)))
            return task;
    }
    struct rvi_qlink *link = rvi_fifo_pop(&w->ready);
    if (rvi_unlikely(!link))
        return NULL; /* then the round had ended */
    if (link == w->round_end)
        w->round_end = NULL;
    if (w->ready.first)
        prefetch_ready(w->ready.first);
    return rvi_container_of(link, struct rvi_task, run);
}

/* The task to run now; NULL when there is none. */
RVI_INLINE struct rvi_task *pick(struct rvi_worker *w)
{
    uint64_t tick = rvi_load_relaxed(&w->tick) + 1;
    struct rvi_task *task;

    rvi_store_relaxed(&w->tick, tick);
    if (rvi_unlikely(tick == w->chores_tick))
        do_chores(w);
    if (rvi_unlikely(!rvi_inbox_looks_empty(&w->inbox)))
        read_inbox(w);
    task = take_next(w);
    return rvi_unlikely(task != NULL) ? task : take_ready(w);
}

struct rvi_task *rvi_worker_find_own(struct rvi_worker *w)
{
    expire_timers(w);
    if (rvi_loop_is_busy(w->loop))
        rvi_loop_reap(w->loop);
    return pick(w);
}

/* --- switching --- */

static void fiber_main(void *pass);

RVI_INLINE void settle_on(struct rvi_task *task, struct rvi_stack *stack)
{
    task->stack = stack;
    stack->user = task;
    rvi_alarm_init(stack);
}

/* A fresh task gets this stack and this worker for good. */
RVI_INLINE void begin_at_home(struct rvi_worker *w, struct rvi_task *task, struct rvi_stack *stack)
{
    settle_on(task, stack);
    rvi_store_relaxed(&task->home, w);
}

static void begin(struct rvi_worker *w, struct rvi_task *task, struct rvi_stack *stack)
{
    if (task->birth == w) {
        begin_at_home(w, task, stack);
        return;
    }
    settle_on(task, stack);
    rvi_count(&w->stolen);
    rvi_store_seq_cst(&task->home, w); /* pairs: task-home */
    rvi_fence_seq_cst();               /* before its first look at its token; pairs: task-home */
}

/* The task is over; its descriptor goes home. On the birth worker's thread nobody else sends
 * pokes. */
RVI_INLINE void finish(struct rvi_worker *w, struct rvi_task *task)
{
    task->state = RVI_TASK_DONE;
    task->stack = NULL;
    rvi_count(&w->finished);
    if (rvi_likely(task->birth == w && rvi_load_relaxed(&task->poke) == RVI_POKE_NONE))
        task->ended(task);
    else
        rvi_task_retire(task);
}

/* Without a stack the task ends here, unrun, and its scope hears of it. */
static void give_up(struct rvi_worker *w, struct rvi_task *task, int why)
{
    rvi_store_relaxed(&task->home, w);
    task->result = why;
    rvi_count(&w->unswitched);
    finish(w, task);
    w->probing.finished++; /* it is not the one that a probe has seen running */
}

/* A stack for a fresh task, and the context to switch to; NULL when there is none. */
static __attribute__((noinline)) void *begin_on_new_stack(struct rvi_worker *w,
                                                          struct rvi_task *task)
{
    struct rvi_stack *stack;
    int r = rvi_stack_cache_take(&w->stacks, &stack);

    if (rvi_unlikely(r < 0)) {
        give_up(w, task, r);
        return NULL;
    }
    if (!stack->ctx)
        rvi_stack_prepare(stack, fiber_main);
    begin(w, task, stack);
    return stack->ctx;
}

/* What to switch to for `task` if that takes no call; otherwise NULL. Mostly a fresh task was born
 * here, and there is a stack that has served before. */
RVI_INLINE void *ctx_at_hand(struct rvi_worker *w, struct rvi_task *task)
{
    struct rvi_stack *stack;

    if (rvi_likely(task->ctx != NULL))
        return task->ctx;
    if (rvi_unlikely(task->birth != w || !(stack = rvi_stack_cache_pop_ready(&w->stacks))))
        return NULL;
    begin_at_home(w, task, stack);
    return stack->ctx;
}

/* What to switch to for `task`: NULL when it could not begin; the worker's own stack for no
 * task. */
static void *ctx_of(struct rvi_worker *w, struct rvi_task *task)
{
    if (!task)
        return w->base.ctx;
    return task->ctx ? task->ctx : begin_on_new_stack(w, task);
}

static inline struct rvi_stack *stack_of(struct rvi_worker *w, const struct rvi_task *task)
{
    return task ? task->stack : &w->base;
}

static void set_current(struct rvi_worker *w, struct rvi_task *task)
{
    rvi_here.task = task;
    if (rvi_unlikely(w->probes))
        rvi_probe_switch(w, task);
    if (task)
        task->state = RVI_TASK_RUNNING;
}

/* The same for some task, when there is no probe. */
RVI_INLINE void set_current_unseen(struct rvi_task *task)
{
    rvi_here.task = task;
    task->state = RVI_TASK_RUNNING;
}

/* What one side of a switch passes to the other, if anything. */
struct departure {
    struct rvi_task *task;
    struct rvi_worker *target;
};

static void deliver_arrival(struct rvi_msg *msg, void *receiver)
{
    rvi_worker_ready(receiver, rvi_container_of(msg, struct rvi_task, msg));
}

/* The departing task's stack is no longer in use: its target may have it. */
static __attribute__((noinline)) void see_off(const struct departure *departure)
{
    struct departure gone = *departure; /* it lies on the stack that leaves */

    gone.task->msg.deliver = deliver_arrival;
    rvi_store_seq_cst(&gone.task->home, gone.target); /* pairs: task-home */
    rvi_worker_send(gone.target, &gone.task->msg);
}

/* First thing on the side that was switched to. */
static inline void arrive(const void *passed)
{
    if (rvi_unlikely(passed != NULL))
        see_off(passed);
}

/* Where to switch to. */
struct successor {
    void *ctx;
    struct rvi_stack *stack;
};

/* To `next`, which was picked (NULL: nobody), or to who comes after it when it cannot begin. No
 * ctx: the turn is the task's own again. */
static __attribute__((noinline)) struct successor leave_for(struct rvi_worker *w,
                                                            struct rvi_task *task,
                                                            struct rvi_task *next)
{
    void *to;

    while (next != task) {
        if ((to = ctx_of(w, next))) {
            set_current(w, next);
            return (struct successor){to, stack_of(w, next)};
        }
        next = pick(w);
    }
    if (rvi_unlikely(w->probes))
        rvi_probe_stay(w, task);
    task->state = RVI_TASK_RUNNING;
    rvi_count(&w->unswitched);
    return (struct successor){NULL, NULL};
}

/* Run somebody else; return when the task that called this is picked again. */
RVI_INLINE void leave(struct rvi_worker *w, struct rvi_task *task, void *pass)
{
    struct rvi_task *next = pick(w);
    struct successor to = {NULL, NULL};

    if (rvi_likely(next && next != task && !w->probes) && (to.ctx = ctx_at_hand(w, next))) {
        set_current_unseen(next);
        to.stack = next->stack;
    } else {
        to = leave_for(w, task, next);
        if (!to.ctx)
            return;
    }
    arrive(rvi_stack_switch_ctx(task->stack, &task->ctx, to.stack, to.ctx, pass));
    RVI_USDT(task_resume, task->id);
}

void rvi_worker_park(struct rvi_worker *w, enum rvi_why why)
{
    struct rvi_task *task = rvi_here.task;

    RVI_USDT(task_park, task->id, why);
    task->state = RVI_TASK_PARKED;
    task->why = (uint8_t)why;
    task->parked_ms = rvi_load_relaxed(&w->now_ms);
    leave(w, task, NULL);
}

void rvi_worker_migrate(struct rvi_worker *w, struct rvi_worker *target)
{
    struct departure departure = {rvi_here.task, target};

    if (target == w)
        return;
    RVI_USDT(task_migrate, departure.task->id, w->index, target->index);
    rvi_alarm_drop(&w->alarms, rvi_here.task->stack);
    rvi_here.task->state = RVI_TASK_MOVING;
    rvi_here.task->why = RVI_WHY_MIGRATE;
    leave(w, departure.task, &departure);
}

bool rvi_worker_may_spin(const struct rvi_worker *w, rv_time deadline)
{
    rv_time next = rvi_worker_next_deadline(w);
    rv_time limit = next < deadline ? next : deadline;

    return w->sched->spins && !w->next && rvi_fifo_is_empty(&w->ready) &&
           rvi_deque_looks_empty(&w->fresh) && rvi_inbox_looks_empty(&w->inbox) &&
           !rvi_worker_is_crowded(w) && (limit == RV_NEVER || rvi_clock_now() < limit);
}

void rvi_worker_offer_core(struct rvi_worker *w)
{
    rv_time before = rvi_clock_now();

    rvi_thread_yield();
    rv_time after = rvi_clock_now();
    if (after - before > LONG_TURN_NS)
        w->crowded_until = after + CROWDED_NS;
}

bool rvi_worker_is_crowded(const struct rvi_worker *w)
{
    return rvi_unlikely(w->crowded_until != 0) && rvi_clock_now() < w->crowded_until;
}

void rvi_worker_yield(struct rvi_worker *w)
{
    struct rvi_task *task = rvi_here.task;

    RVI_USDT(task_yield, task->id);
    task->state = RVI_TASK_READY;
    rvi_fifo_push(&w->ready, &task->run);
    leave(w, task, NULL);
}

static void run_to_end(struct rvi_task *task)
{
    RVI_USDT(task_begin, task->id, task->site->name, task->site->file, task->site->line);
    int result = task->fn(task->arg);

    RVI_USDT(task_end, task->id, result);
    task->result = result;
    if (rvi_likely(!task->scopes && !task->shields && !task->forks))
        return;
    if (task->scopes)
        rvi_panic(
            "task '%s' (%s:%u) returned with a scope open: close every scope that a task opens "
            "with rv_scope_close(), or use RV_SCOPE()",
            rvi_task_name(task), task->site->file, task->site->line);
    if (task->forks)
        rvi_panic("task '%s' (%s:%u) returned with a fork open: join every fork in the function "
                  "that made it",
                  rvi_task_name(task), task->site->file, task->site->line);
    rvi_panic("task '%s' (%s:%u) returned inside a shield: end it with rv_shield_end()",
              rvi_task_name(task), task->site->file, task->site->line);
}

/* `task`, or nobody, was picked. */
static __attribute__((noinline)) struct successor succeed_by(struct rvi_worker *w,
                                                             struct rvi_stack *self,
                                                             struct rvi_task *task)
{
    struct successor to = {NULL, NULL};

    while (!(task && !task->ctx && w->reuses_stacks) && !(to.ctx = ctx_of(w, task)))
        task = pick(w);
    if (to.ctx) {
        to.stack = stack_of(w, task);
        rvi_stack_cache_push(&w->stacks, self);
    } else {
        rvi_count(&w->unswitched);
        begin(w, task, self);
    }
    set_current(w, task);
    return to;
}

/* A task is over: what to switch to for good; no ctx: nowhere, a fresh task now has its stack. The
 * cache may have the stack while this still runs on it: nobody else takes from it, and it gives up
 * those put in longest ago only. Never inlined: the task may have migrated, and the address of a
 * thread-local that was computed before it ran is then the old thread's (on aarch64 compilers keep
 * it in a register). */
static __attribute__((noinline)) struct successor succeed(struct rvi_task *task,
                                                          struct rvi_stack *self)
{
    struct rvi_worker *w = rvi_load_relaxed(&task->home);

    rvi_here.task = NULL;
    rvi_alarm_drop(&w->alarms, self);
    finish(w, task);
    task = pick(w);
    if (rvi_unlikely(!task || w->probes))
        return succeed_by(w, self, task);
    if (task->ctx && rvi_likely(rvi_stack_cache_has_room(&w->stacks))) {
        set_current_unseen(task);
        rvi_stack_cache_push(&w->stacks, self);
        return (struct successor){task->ctx, task->stack};
    }
    if (!task->ctx && task->birth == w && rvi_likely(w->reuses_stacks)) {
        rvi_count(&w->unswitched);
        begin_at_home(w, task, self);
        set_current_unseen(task);
        return (struct successor){NULL, NULL};
    }
    return succeed_by(w, self, task);
}

/* A fiber: one fresh task after the other, until somebody who has begun is next. */
static void fiber_main(void *passed)
{
    struct rvi_stack *self = rvi_here.task->stack;
    struct successor to;

    rvi_stack_entered(self);
    arrive(passed);
    do {
        struct rvi_task *task = self->user;
        run_to_end(task);
        to = succeed(task, self);
    } while (!to.ctx);
    rvi_stack_switch_final_ctx(to.stack, to.ctx, NULL);
}

/* From the worker's own stack: run a task, and whoever comes after it, until nobody is left. */
static void run(struct rvi_worker *w, struct rvi_task *task)
{
    void *to = ctx_of(w, task);

    if (!to)
        return;
    set_current(w, task);
    arrive(rvi_stack_switch_ctx(&w->base, &w->base.ctx, task->stack, to, NULL));
}

/* --- counters --- */

uint64_t rvi_worker_switches(const struct rvi_worker *w)
{
    uint64_t unswitched = rvi_load_relaxed(&w->unswitched);
    uint64_t picks = rvi_load_relaxed(&w->tick);

    return picks > unswitched ? picks - unswitched : 0; /* it counts on meanwhile */
}

static uint64_t first_id(const struct rvi_worker *w)
{
    return w->sched->worker_count - w->index;
}

uint64_t rvi_worker_spawned(const struct rvi_worker *w)
{
    return (rvi_load_relaxed(&w->next_id) - first_id(w)) / w->sched->worker_count;
}

/* --- life --- */

int rvi_worker_enter(struct rvi_worker *w)
{
    int r = rvi_fault_thread_enter(&w->fault);

    if (r < 0)
        return r;
    r = rvi_stack_adopt_thread(&w->base);
    if (r < 0) {
        rvi_fault_thread_leave(&w->fault);
        return r;
    }
    w->old_slack = rvi_timer_slack_set(TIMER_SLACK_NS);
    w->here = &rvi_here;
    w->thread_id = rvi_thread_id();
    rvi_worker_look_at_clock(w);
    rvi_here.worker = w;
    return 0;
}

void rvi_worker_loop(struct rvi_worker *w)
{
    struct rvi_task *task;

    while ((task = pick(w)) || (rvi_count(&w->unswitched), task = rvi_worker_wait_for_work(w)))
        run(w, task);
}

/* Simulated threads have none: they are all on one, and its kernel is real. */
int rvi_worker_open_loop(struct rvi_worker *w)
{
    int r = 0;

    if (w->loop)
        return 0;
    if (w->sleeper.call < 0)
        r = rvi_sleeper_open_call(&w->sleeper);
    return r < 0 ? r : rvi_loop_open(&w->loop, w->sched->backend, w->sleeper.call);
}

void rvi_worker_leave(struct rvi_worker *w)
{
    w->loop = rvi_loop_close(w->loop);
    rvi_here.worker = NULL;
    rvi_here.task = NULL;
    if (w->old_slack >= 0)
        rvi_timer_slack_set((unsigned long)w->old_slack);
    rvi_fault_thread_leave(&w->fault);
}

int rvi_worker_init(struct rvi_worker *w, struct rvi_sched *sched, unsigned index)
{
    w->sched = sched;
    w->index = index;
    w->next_left = NEXT_STREAK;
    w->chores_every = 1;
    w->chores_tick = 1;
    rvi_store_relaxed(&w->next_id, first_id(w));
    rvi_fifo_init(&w->ready);
    rvi_timers_init(&w->timers);
    rvi_inbox_init(&w->inbox);
    rvi_sleeper_init(&w->sleeper);
    rvi_rng_seed(&w->rng, rvi_seam ? rvi_rng_next(&rvi_here.rng) : index + 1);
    rvi_stack_cache_init(&w->stacks, sched->pool);
    w->seen = rvi_calloc(sched->worker_count, sizeof *w->seen);
    if (!w->seen)
        return -ENOMEM;
    int r = rvi_deque_init(&w->fresh);
    if (r < 0) {
        rvi_free(w->seen);
        w->seen = NULL;
    }
    return r;
}

/* A pause that was asked for in vain may have left its message behind. */
static void drop_pause(struct rvi_worker *w)
{
    struct rvi_msg *msg = rvi_inbox_take_all(&w->inbox);

    RV_CHECK(!msg || (msg == &w->pause.msg && !msg->next));
}

void rvi_worker_fini(struct rvi_worker *w)
{
    drop_pause(w);
    rvi_probe_fini(w);
    RV_CHECK(rvi_fifo_is_empty(&w->ready) && !w->next && rvi_inbox_looks_empty(&w->inbox));
    rvi_stack_cache_fini(&w->stacks);
    rvi_timers_fini(&w->timers);
    rvi_alarms_fini(&w->alarms);
    rvi_sleeper_fini(&w->sleeper);
    rvi_deque_fini(&w->fresh);
    rvi_slab_fini(&w->slab);
    rvi_spares_fini(&w->scopes);
    rvi_free(w->seen);
}
