/* SPDX-License-Identifier: MIT */
/* sim.c - the runtime's threads, one at a time, in an order that a strategy chooses.
 *
 * The runtime runs as it is: its workers, its monitor, helpers and the threads of executors are
 * started, wait and are joined through src/sys, and land here. Each simulated thread has a stack;
 * at a point (base/seam.h) the strategy says who goes on, and a switch of stacks does it, from
 * wherever the thread happens to be, its own stack or a fiber's. That is what preemption by the
 * kernel looks like to it, so nothing that is seen here is impossible there.
 *
 *   S1  one thread runs: `current`; the others are at a point, or have not begun
 *   S2  `busy` is set from a point until whoever was chosen is running: the simulation's own
 *       accesses, and those of the functions it calls, are no points
 *   S3  who waits for a word is woken in the order of coming; nobody is woken for nothing
 *   S4  nothing depends on an address, on real time or on chance but the seed's
 *
 * Time goes on by a little at each step and jumps to the nearest deadline when nobody can run.
 * A priority belongs to the task that a thread runs, or else to the thread. ThreadSanitizer sees
 * one thread's work here, in which nothing races.
 *
 * Rejected: real threads that take turns, 2.5 to 60 us a switch for 0.05; a scheduler of its own
 * that only pretends to be the runtime's, which would test itself.
 * Checked by: tests/unit/sched/test_sim.c, tests/unit/task/test_sim.c, tests/explore */
#include "sched/sim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/list.h"
#include "sched/here.h"
#include "sched/task.h"
#include "sys/fault.h"
#include "sys/fiber_hooks.h"
#include "sys/stack.h"

enum {
    NAME_BYTES = 16,
    MOST_THREADS = 1024,
    MOST_PATIENCE = 16, /* steps that others have before a spinner looks again */
    MOST_COURTESY = 96, /* steps that others have to come for what was spawned */
};

#define STACK_BYTES ((size_t)1 << 20)
#define START_OF_TIME RV_SECOND /* not 0, which programs take for "never set" */

enum thread_state {
    ABLE,    /* runs, or could */
    WAITING, /* for a word or a deadline */
    JOINING,
    ENDED,
};

struct thread {
    struct rvi_link link; /* until it has ended */
    struct rvi_sim *sim;
    enum thread_state state;
    unsigned index;
    char name[NAME_BYTES];
    void *(*fn)(void *);
    void *arg;

    /* WAITING */
    const void *word;
    rv_time deadline;
    uint64_t since; /* the step at which it began to wait */
    int wait_result;

    struct thread *joins; /* JOINING */
    uint64_t spun;        /* the step at which it said so */
    uint64_t spins_until; /* others go first up to this step */

    /* While another one runs. */
    struct rvi_stack context;
    struct rvi_here here;
    int saved_errno;

    struct rvi_stack *stack;
};

struct rvi_sim {
    struct rvi_seam seam;
    struct rvi_sim_opts opts;
    struct rvi_strategy strategy;
    struct rvi_rng rng; /* of time */
    rv_time now;
    uint64_t steps, limit;
    uint64_t digest;
    bool busy;
    bool was_stuck;

    struct rvi_list threads; /* in the order of their start */
    unsigned started, alive;
    struct thread *current;
    struct rvi_stack host;  /* the context of the caller */
    struct rvi_stack *left; /* the stack of a thread that has ended just now */
    struct rvi_stack_pool *pool;
    struct rvi_stack_cache stacks;
    struct rvi_fault_thread fault;

    size_t count; /* of those that can run at this step */
    struct rvi_candidate candidates[MOST_THREADS];
    struct thread *able[MOST_THREADS];
};

static struct rvi_sim *sim_of(struct rvi_seam *seam)
{
    return rvi_container_of(seam, struct rvi_sim, seam);
}

static struct thread *thread_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct thread, link);
}

const char *rvi_point_word(enum rvi_point what)
{
    static const char *const words[] = {
        [RVI_POINT_ATOMIC] = "atomic", [RVI_POINT_FENCE] = "fence", [RVI_POINT_LOCK] = "lock",
        [RVI_POINT_SEND] = "send",     [RVI_POINT_SPAWN] = "spawn", [RVI_POINT_LOOK] = "look",
        [RVI_POINT_CLOCK] = "clock",   [RVI_POINT_WAIT] = "wait",   [RVI_POINT_WAKE] = "wake",
        [RVI_POINT_START] = "start",   [RVI_POINT_SPIN] = "spin",   [RVI_POINT_END] = "end",
    };
    return words[what];
}

/* --- one step --- */

static void digest(struct rvi_sim *sim, uint64_t value)
{
    sim->digest = (sim->digest ^ value) * UINT64_C(0x100000001b3); /* FNV-1a's prime */
}

/* Whose the next step is. */
static uint64_t who(const struct thread *thread)
{
    return thread->here.task ? 2 * thread->here.task->id : 2 * (uint64_t)thread->index + 1;
}

static void get_unstuck(struct rvi_sim *sim, int why)
{
    if (sim->was_stuck)
        rvi_panic("the simulated program was %s, was cancelled, and is so again: somebody waits "
                  "for what cancellation does not end (a plain thread's wait, a shield, a mutex "
                  "taken back after a condition)",
                  why == -EDEADLK ? "deadlocked" : "still running after all its steps");
    sim->was_stuck = true;
    sim->limit = sim->steps + sim->opts.steps;
    sim->opts.stuck(sim->opts.arg, why);
}

/* The current thread has come to a point. */
static void record(struct rvi_sim *sim, enum rvi_point what)
{
    struct thread *self = sim->current;
    struct rvi_sim_event event = {
        .step = ++sim->steps,
        .now = sim->now,
        .thread = self->index,
        .thread_name = self->name,
        .task = self->here.task,
        .what = what,
    };

    digest(sim, (uint64_t)event.now);
    digest(sim, (uint64_t)what << 56 ^ (uint64_t)self->index << 40 ^ who(self));
    if (sim->opts.event)
        sim->opts.event(sim->opts.arg, &event);
    sim->now += 1 + (rv_time)rvi_rng_below(&sim->rng, 2 * (uint64_t)sim->opts.step_ns);
    if (sim->steps == sim->limit)
        get_unstuck(sim, -ELOOP);
}

/* The candidates. Returns the nearest deadline of the others. */
static rv_time gather(struct rvi_sim *sim)
{
    rv_time nearest = RV_NEVER;

    sim->count = 0;
    RVI_LIST_FOREACH(link, &sim->threads) {
        struct thread *thread = thread_of(link);
        bool is_due = thread->state == WAITING && thread->deadline <= sim->now;
        if (thread->state == ABLE || is_due) {
            bool spins = thread->spins_until > sim->steps;
            sim->candidates[sim->count].who = who(thread);
            sim->candidates[sim->count].spun = spins ? thread->spun : 0;
            sim->able[sim->count++] = thread;
        } else if (thread->state == WAITING && thread->deadline < nearest) {
            nearest = thread->deadline;
        }
    }
    return nearest;
}

/* Who goes on. */
static struct thread *choose(struct rvi_sim *sim)
{
    rv_time nearest;

    while (nearest = gather(sim), sim->count == 0) {
        if (nearest != RV_NEVER)
            sim->now = nearest;
        else
            get_unstuck(sim, -EDEADLK);
    }
    return sim->able[rvi_strategy_choose(&sim->strategy, sim->candidates, sim->count)];
}

/* --- changing between threads --- */

/* The calling thread goes on. */
static void arrive(struct rvi_sim *sim)
{
    struct thread *self = sim->current;

    if (sim->left)
        rvi_stack_cache_push(&sim->stacks, sim->left);
    sim->left = NULL;
    if (self->state == WAITING) {
        self->state = ABLE;
        self->wait_result = -ETIME;
    }
    self->spins_until = 0;
    rvi_here = self->here;
    errno = self->saved_errno;
    sim->busy = false;
}

static void step(struct rvi_sim *sim, enum rvi_point what)
{
    struct thread *self = sim->current;

    sim->busy = true;
    self->here = rvi_here;
    self->saved_errno = errno;
    record(sim, what);
    sim->current = choose(sim);
    if (sim->current != self)
        rvi_context_switch(&self->context, &sim->current->context);
    arrive(sim);
}

static void end_of_thread(struct thread *self)
{
    struct rvi_sim *sim = self->sim;

    sim->busy = true;
    self->here = rvi_here;
    record(sim, RVI_POINT_END);
    self->state = ENDED;
    rvi_link_remove(&self->link);
    sim->alive--;
    RVI_LIST_FOREACH(link, &sim->threads) {
        if (thread_of(link)->joins == self)
            thread_of(link)->state = ABLE;
    }
    sim->left = self->stack;
    sim->current = rvi_list_is_empty(&sim->threads) ? NULL : choose(sim);
    struct rvi_stack *to = sim->current ? &sim->current->context : &sim->host;
    rvi_stack_switch_final_ctx(to, to->ctx, &self->context);
}

static void thread_main(void *left)
{
    struct rvi_seam *seam = rvi_seam;
    struct thread *self = sim_of(seam)->current;

    rvi_context_entered(&self->context, left);
    arrive(self->sim);
    self->fn(self->arg);
    end_of_thread(self);
}

/* --- what the seam asks for --- */

/* The current thread: others go first, for up to so many steps, as long as any can. */
static void hold_back(struct rvi_sim *sim, unsigned most)
{
    sim->current->spun = sim->steps + 1;
    sim->current->spins_until = sim->steps + 2 + rvi_rng_below(&sim->rng, most);
}

static void on_point(struct rvi_seam *seam, enum rvi_point what)
{
    struct rvi_sim *sim = sim_of(seam);

    if (sim->busy)
        return;
    if (what == RVI_POINT_SPIN)
        hold_back(sim, MOST_PATIENCE);
    else if (what == RVI_POINT_SPAWN && rvi_rng_below(&sim->rng, 2) == 0)
        hold_back(sim, MOST_COURTESY);
    step(sim, what);
}

static int64_t on_clock_now(struct rvi_seam *seam)
{
    on_point(seam, RVI_POINT_CLOCK);
    return sim_of(seam)->now;
}

/* Another thread runs between the point and the look at the word, if anywhere: none between the
 * look and the wait. */
static int on_futex_wait(struct rvi_seam *seam, _Atomic(uint32_t) *word, uint32_t expected,
                         int64_t deadline_ns)
{
    struct rvi_sim *sim = sim_of(seam);
    struct thread *self = sim->current;

    RV_CHECK(!sim->busy);
    on_point(seam, RVI_POINT_WAIT);
    if (rvi_load_relaxed(word) != expected)
        return -EAGAIN;
    self->state = WAITING;
    self->word = word;
    self->deadline = deadline_ns;
    self->since = sim->steps;
    self->wait_result = 0;
    step(sim, RVI_POINT_WAIT);
    return self->wait_result;
}

/* Who has waited for the word for longest. */
static struct thread *first_waiting(struct rvi_sim *sim, const void *word)
{
    struct thread *first = NULL;

    RVI_LIST_FOREACH(link, &sim->threads) {
        struct thread *thread = thread_of(link);
        if (thread->state == WAITING && thread->word == word &&
            (!first || thread->since < first->since))
            first = thread;
    }
    return first;
}

static void on_futex_wake(struct rvi_seam *seam, _Atomic(uint32_t) *word, int count)
{
    struct rvi_sim *sim = sim_of(seam);
    struct thread *thread;

    while (count-- > 0 && (thread = first_waiting(sim, word)))
        thread->state = ABLE;
    on_point(seam, RVI_POINT_WAKE);
}

/* The new thread is in the list, and waits for its first turn. */
static int add_thread(struct rvi_sim *sim, const char *name, void *(*fn)(void *), void *arg,
                      struct thread **ret)
{
    struct thread *thread = sim->alive < MOST_THREADS ? rvi_calloc(1, sizeof *thread) : NULL;

    if (!thread)
        return -ENOMEM;
    int r = rvi_stack_cache_take(&sim->stacks, &thread->stack);
    if (r < 0) {
        rvi_free(thread);
        return r;
    }
    rvi_stack_prepare(thread->stack, thread_main);
    thread->stack->user = thread;
    thread->context = *thread->stack;
    thread->sim = sim;
    thread->index = sim->started++;
    thread->fn = fn;
    thread->arg = arg;
    thread->here.simulated = thread;
    rvi_rng_seed(&thread->here.rng, sim->opts.strategy.seed + ((uint64_t)thread->index << 32));
    snprintf(thread->name, sizeof thread->name, "%s", name ? name : "thread");
    rvi_list_push_back(&sim->threads, &thread->link);
    sim->alive++;
    *ret = thread;
    return 0;
}

static int on_thread_start(struct rvi_seam *seam, uintptr_t *ret, const char *name,
                           void *(*fn)(void *), void *arg)
{
    struct rvi_sim *sim = sim_of(seam);
    struct thread *thread;
    bool was_busy = sim->busy;

    sim->busy = true; /* memory is the simulation's own affair */
    int r = add_thread(sim, name, fn, arg, &thread);
    sim->busy = was_busy;
    if (r < 0)
        return r == -ENOMEM ? -EAGAIN : r;
    *ret = (uintptr_t)thread;
    on_point(seam, RVI_POINT_START);
    return 0;
}

static void on_thread_join(struct rvi_seam *seam, uintptr_t handle)
{
    struct rvi_sim *sim = sim_of(seam);
    struct thread *self = sim->current, *thread = (struct thread *)handle;

    if (thread->state != ENDED) {
        self->joins = thread;
        self->state = JOINING;
        step(sim, RVI_POINT_WAIT);
        self->joins = NULL;
    }
    rvi_free(thread);
}

static void on_thread_stack(struct rvi_seam *seam, char **ret_low, char **ret_high)
{
    const struct rvi_stack *stack = sim_of(seam)->current->stack;

    *ret_low = stack->low;
    *ret_high = stack->high;
}

static const struct rvi_seam seam_functions = {
    .point = on_point,
    .clock_now = on_clock_now,
    .futex_wait = on_futex_wait,
    .futex_wake = on_futex_wake,
    .thread_start = on_thread_start,
    .thread_join = on_thread_join,
    .thread_stack = on_thread_stack,
};

/* --- life --- */

void rvi_sim_each_waiting(void (*each)(void *arg, const char *name, enum rvi_why why), void *arg)
{
    struct rvi_sim *sim = sim_of(rvi_seam);

    RVI_LIST_FOREACH(link, &sim->threads) {
        const struct thread *thread = thread_of(link);
        if (thread->here.why != RVI_WHY_NONE)
            each(arg, thread->name, (enum rvi_why)thread->here.why);
    }
}

/* In a signal handler. */
static int describe_thread(const struct rvi_stack *stack, char *buf, size_t n)
{
    const struct thread *thread = stack->user;
    int len = snprintf(buf, n, "the simulated thread '%s'", thread->name);

    return len < 0 ? 0 : len < (int)n ? len : (int)n - 1;
}

int rvi_sim_open(struct rvi_sim **ret)
{
    struct rvi_stack_pool_opts stacks = {.usable_bytes = STACK_BYTES, .max = MOST_THREADS};
    struct rvi_sim *sim = rvi_calloc(1, sizeof *sim);
    int r;

    if (!sim)
        return -ENOMEM;
    sim->seam = seam_functions;
    rvi_list_init(&sim->threads);
    if ((r = rvi_fault_thread_enter(&sim->fault)) < 0)
        goto free_sim;
    if ((r = rvi_stack_pool_open(&sim->pool, &stacks)) < 0)
        goto leave;
    if ((r = rvi_fault_install(sim->pool, describe_thread)) < 0)
        goto close_pool;
    rvi_stack_cache_init(&sim->stacks, sim->pool);
    *ret = sim;
    return 0;

close_pool:
    rvi_stack_pool_close(sim->pool);
leave:
    rvi_fault_thread_leave(&sim->fault);
free_sim:
    rvi_free(sim);
    return r;
}

void rvi_sim_close(struct rvi_sim *sim)
{
    rvi_stack_cache_fini(&sim->stacks);
    rvi_fault_uninstall(sim->pool);
    rvi_stack_pool_close(sim->pool);
    rvi_fault_thread_leave(&sim->fault);
    rvi_free(sim);
}

struct first {
    void (*fn)(void *);
    void *arg;
};

static void *run_first(void *arg)
{
    const struct first *first = arg;

    first->fn(first->arg);
    return NULL;
}

static void reset(struct rvi_sim *sim, const struct rvi_sim_opts *opts)
{
    sim->seam.cores = opts->cores;
    sim->seam.net = opts->net;
    sim->opts = *opts;
    sim->limit = opts->steps;
    sim->now = START_OF_TIME;
    sim->steps = 0;
    sim->digest = 0;
    sim->started = 0;
    sim->was_stuck = false;
    rvi_strategy_init(&sim->strategy, &opts->strategy);
    rvi_rng_seed(&sim->rng, ~opts->strategy.seed);
}

/* From the first thread's start to the last one's end. */
static void play(struct rvi_sim *sim, struct thread *first)
{
    struct rvi_here here = rvi_here;

    sim->current = first;
    sim->busy = true;
    rvi_seam = &sim->seam;
    rvi_context_switch(&sim->host, &first->context);
    rvi_seam = NULL;
    rvi_here = here;
    rvi_stack_cache_push(&sim->stacks, sim->left);
    sim->left = NULL;
}

int rvi_sim_run(struct rvi_sim *sim, const struct rvi_sim_opts *opts, void (*fn)(void *), void *arg,
                struct rvi_sim_totals *ret)
{
    struct first first = {fn, arg};
    struct thread *thread;

    reset(sim, opts);
    int r = add_thread(sim, "main", run_first, &first, &thread);
    if (r < 0)
        return r;
    play(sim, thread);
    rvi_free(thread);
    *ret = (struct rvi_sim_totals){sim->steps, sim->digest, sim->now - START_OF_TIME};
    return 0;
}
