/* SPDX-License-Identifier: MIT */
/* sched.c - who runs: points, blocking, the virtual clock.
 *
 *   S1  exactly one thread runs, ck_self; each other one stands in leave(), or has not begun
 *   S2  alive[] holds those that have not ended, by rising id
 *   S3  every decision belongs to the thread that makes it, and is its nth; only one other than the
 *       default is written down. The default needs no state but what a replay has as well
 *   S4  a thread with a deadline may always be chosen by its time-out. One that sleeps is a
 *       candidate like any other; one that waits for something is so rarely, as time-outs are in
 *       life
 *   S5  when all who may run spin, or repeat themselves for long, chance chooses: a strategy may
 *       have them step aside for each other for ever, which no fair scheduler does, and is no
 *       livelock
 *
 * The default is to go on; a thread that cannot, or spins, gives way to the next above it that
 * does neither, then to the earliest deadline, then to spinners, the longest-spinning first.
 *
 * Who waits for a descriptor is asked for every POLL_EVERY decisions, a number that a replay counts
 * as well (io.c).
 *
 * Rejected: a queue of the ready ones: strategies want them all, in an order that replays.
 * Checked by: tests/check/runtime.py */
#include "check/runtime/sched.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "check/runtime/access.h"
#include "check/runtime/alarm.h"
#include "check/runtime/arena.h"
#include "check/runtime/carrier.h"
#include "check/runtime/clocks.h"
#include "check/runtime/deadlock.h"
#include "check/runtime/fail.h"
#include "check/runtime/io.h"
#include "check/runtime/places.h"
#include "check/runtime/posix.h"
#include "check/runtime/signals.h"
#include "check/runtime/spin.h"
#include "check/runtime/trace.h"

enum {
    NS_A_POINT = 1000,
    POLL_EVERY = 16,
    FORCED_MOST = 8,
    RUT = 2000,
    ORDER_SLOTS = 1024,
};

struct ck_thread *ck_self;
struct ck_thread *ck_threads[CK_THREADS_MOST];
uint32_t ck_thread_count;

static struct ck_thread *alive[CK_THREADS_MOST];
static uint32_t alive_count;
static struct rvi_strategy strategy;
static struct rvi_strategy_slot strategy_slots[CK_THREADS_MOST];
static struct rvi_candidate candidates[CK_THREADS_MOST];
static struct ck_thread *candidate_threads[CK_THREADS_MOST];
static int64_t now;
static uint32_t decisions; /* everybody's */
static uint32_t io_waiters, timed_waiters;
static uint32_t forced;

/* --- the order of conflicting operations, as a hash: equal for equal schedules --- */

static struct {
    uint64_t last_write, reads;
} order[ORDER_SLOTS];

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 27;
}

/* The thread does now what it announced. */
static void note_order(struct ck_thread *thread)
{
    const struct rvi_candidate *c = &thread->candidate;
    uint64_t slot = mix(c->object * UINT64_C(0x9e3779b97f4a7c15)) % ORDER_SLOTS;

    thread->order = mix(thread->order ^ c->location * 3 ^ (uint64_t)thread->id << 52);
    if (c->object == 0)
        return;
    thread->order = mix(thread->order ^ order[slot].last_write);
    if (c->is_write) {
        thread->order = mix(thread->order ^ order[slot].reads);
        order[slot].last_write = thread->order;
        order[slot].reads = 0;
    } else {
        order[slot].reads += thread->order;
    }
}

/* --- the default --- */

static bool goes_on(const struct ck_thread *t)
{
    return t->state == CK_READY_TO_RUN && !ck_spin_since(t);
}

static struct ck_thread *next_above(const struct ck_thread *self)
{
    struct ck_thread *lowest = NULL;

    for (uint32_t i = 0; i < alive_count; i++) {
        if (!goes_on(alive[i]) || alive[i] == self)
            continue;
        if (alive[i]->id > self->id)
            return alive[i];
        lowest = lowest ? lowest : alive[i];
    }
    return lowest;
}

static struct ck_thread *earliest(void)
{
    struct ck_thread *found = NULL;

    for (uint32_t i = 0; timed_waiters > 0 && i < alive_count; i++) {
        struct ck_thread *t = alive[i];
        if (t->state == CK_BLOCKED && t->wait.deadline != CK_NEVER &&
            (!found || t->wait.deadline < found->wait.deadline))
            found = t;
    }
    return found;
}

static struct ck_thread *oldest_spinner(void)
{
    struct ck_thread *found = NULL;

    for (uint32_t i = 0; i < alive_count; i++) {
        struct ck_thread *t = alive[i];
        if (t->state == CK_READY_TO_RUN && (!found || ck_spin_since(t) < ck_spin_since(found)))
            found = t;
    }
    return found;
}

static struct ck_thread *usual(struct ck_thread *self)
{
    if (goes_on(self))
        return self;
    struct ck_thread *thread = next_above(self);
    if (!thread)
        thread = earliest();
    return thread ? thread : oldest_spinner();
}

/* --- choosing --- */

static bool may_time_out(const struct ck_thread *t)
{
    return t->state == CK_BLOCKED && t->wait.deadline != CK_NEVER;
}

static bool may_run(const struct ck_thread *t)
{
    return t->state == CK_READY_TO_RUN || may_time_out(t);
}

static size_t gather(void)
{
    size_t count = 0;

    for (uint32_t i = 0; i < alive_count; i++) {
        struct ck_thread *t = alive[i];
        if (!may_run(t))
            continue;
        candidates[count] = t->candidate;
        candidates[count].spun = ck_spin_since(t);
        candidates[count].is_late = may_time_out(t) && t->wait.kind != CK_OP_SLEEP;
        candidate_threads[count++] = t;
    }
    return count;
}

static bool all_spin(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!candidates[i].spun)
            return false;
    }
    return true;
}

/* S4 */
static struct ck_thread *explore(void)
{
    size_t count = gather();

    if (all_spin(count) || ck_spin_rut() > RUT) /* S5 */
        return candidate_threads[ck_trace_random() % count];
    return candidate_threads[rvi_strategy_choose(&strategy, candidates, count)];
}

static struct ck_thread *follow(struct ck_thread *self, uint32_t nth, struct ck_thread *otherwise)
{
    uint32_t who;

    if (!ck_trace_find(self->id, nth, &who))
        return otherwise;
    if (who < ck_thread_count && may_run(ck_threads[who]))
        return ck_threads[who];
    if (ck_shared->plan.flags & CK_MUST_FOLLOW)
        ck_report_fail(ck_report_begin(CK_DIVERGED, "thread %u cannot run here", who));
    return otherwise;
}

/* Everybody repeats himself, and nobody's time-out has helped. */
static void judge_quiet(void)
{
    if (ck_spin_quiet() <= ck_shared->plan.quiet_limit || ck_shared->plan.quiet_limit == 0)
        return;
    ck_spin_reset();
    if (timed_waiters + io_waiters > 0 && ++forced <= FORCED_MOST)
        return;
    struct ck_report *report = ck_report_begin(CK_LIVELOCK, "nobody gets any further");
    for (uint32_t i = 0; i < alive_count; i++)
        ck_report_party(report, alive[i]->id, alive[i]->next.object);
    ck_report_fail(report);
}

static uint64_t bit_of(uint32_t number)
{
    if (number < 64)
        return UINT64_C(1) << number;
    ck_trace_is_partial();
    return 0;
}

/* Time-outs and spinners are left out: what they would do is told as not known. */
static void log_decision(const struct ck_thread *self, uint32_t nth, const struct ck_thread *chosen)
{
    struct ck_decision decision = {
        .thread = self->id, .nth = nth, .chosen = chosen->id, .is_preemption = goes_on(self)};

    for (uint32_t i = 0; i < alive_count; i++) {
        if (goes_on(alive[i]))
            decision.able |= bit_of(alive[i]->id);
        else if (may_time_out(alive[i]))
            ck_trace_is_partial();
    }
    ck_trace_decision(&decision);
}

static struct ck_thread *choose(struct ck_thread *self)
{
    uint32_t nth = self->decisions++;

    if (io_waiters > 0 && decisions++ % POLL_EVERY == 0)
        ck_io_done();
    struct ck_thread *otherwise = usual(self);
    if (!otherwise && ck_io_wait_any())
        otherwise = usual(self);
    if (!otherwise)
        ck_nobody_can_run();
    struct ck_thread *chosen =
        ck_shared->plan.mode == CK_FOLLOW ? follow(self, nth, otherwise) : explore();
    if (chosen != otherwise) {
        ck_trace_record(self->id, nth, chosen->id);
        self->is_put_off = otherwise == self;
    }
    if (ck_shared->plan.flags & CK_LOG_DECISIONS)
        log_decision(self, nth, chosen);
    return chosen;
}

static void stop_waiting(struct ck_thread *t)
{
    io_waiters -= t->wait.kind == CK_OP_IO;
    timed_waiters -= t->wait.deadline != CK_NEVER;
    t->state = CK_READY_TO_RUN;
}

static void run(struct ck_thread *self, struct ck_thread *to)
{
    if (to->state == CK_BLOCKED) {
        if (to->wait.deadline > now)
            now = to->wait.deadline;
        stop_waiting(to);
        ck_spin_time_passed();
    }
    note_order(to);
    if (to == self)
        return;
    ck_self = to;
    ck_carrier_switch(self->carrier, to->carrier);
}

static void announce(struct ck_thread *self, const struct ck_op *op)
{
    self->next = *op;
    self->candidate.location = ck_place_number(op->pc);
    self->candidate.object = op->object ? ck_place_of_data(op->object) : 0;
    self->candidate.is_write = op->is_write;
}

static void step(struct ck_thread *self)
{
    struct ck_result *result = &ck_shared->result;

    now += NS_A_POINT;
    self->points++;
    self->step = ++result->steps;
    result->progress++;
    if (result->steps > ck_shared->plan.step_limit)
        ck_report_fail(ck_report_begin(CK_STEPS, "%llu scheduling points",
                                       (unsigned long long)ck_shared->plan.step_limit));
    ck_spin_point(self);
    judge_quiet();
}

void ck_announce(const struct ck_op *op)
{
    announce(ck_self, op);
}

void ck_point(const struct ck_op *op)
{
    struct ck_thread *self = ck_self;

    announce(self, op);
    step(self);
    run(self, choose(self));
    if (rvi_unlikely(self->is_cancelled))
        ck_cancel_at_point();
    if (rvi_unlikely(now >= ck_alarm_at))
        ck_alarm_ring();
    if (rvi_unlikely(ck_signals_pending))
        ck_signals_deliver();
}

int ck_block(const struct ck_wait *wait, bool is_cancellable)
{
    struct ck_thread *self = ck_self;

    if (is_cancellable && self->is_cancelled)
        return -ECANCELED;
    self->wait = *wait;
    self->is_woken = false;
    self->state = CK_BLOCKED;
    io_waiters += wait->kind == CK_OP_IO;
    timed_waiters += wait->deadline != CK_NEVER;
    self->posix->in_cancellable_wait = is_cancellable;
    ck_shared->result.progress++;
    run(self, choose(self));
    self->posix->in_cancellable_wait = false;
    int result = self->is_woken ? 0 : -ETIMEDOUT;
    if (rvi_unlikely(ck_signals_pending))
        ck_signals_deliver();
    return is_cancellable && self->is_cancelled ? -ECANCELED : result;
}

void ck_wake(struct ck_thread *thread)
{
    if (thread->state != CK_BLOCKED)
        return;
    thread->is_woken = true;
    stop_waiting(thread);
}

void ck_wake_all(const void *object)
{
    for (uint32_t i = 0; i < alive_count; i++) {
        if (alive[i]->state == CK_BLOCKED && alive[i]->wait.object == object)
            ck_wake(alive[i]);
    }
}

static void log_choice(const struct ck_thread *self, uint32_t nth, uint32_t value, uint32_t n)
{
    struct ck_decision decision = {.thread = self->id, .nth = nth, .chosen = value};

    for (uint32_t i = 0; i < n && i <= 64; i++)
        decision.able |= bit_of(i);
    ck_trace_decision(&decision);
}

uint32_t ck_choose(uint32_t n)
{
    struct ck_thread *self = ck_self;
    uint32_t nth = self->decisions++, value = 0;

    if (n < 2)
        return 0;
    if (ck_shared->plan.mode == CK_FOLLOW) {
        if (!ck_trace_find(self->id, nth, &value) || value >= n)
            value = 0;
    } else {
        value = (uint32_t)(ck_trace_random() % n);
    }
    if (value != 0)
        ck_trace_record(self->id, nth, value);
    if (ck_shared->plan.flags & CK_LOG_DECISIONS)
        log_choice(self, nth, value, n);
    return value;
}

void ck_yield(uintptr_t pc)
{
    ck_spin_yield(ck_self);
    ck_point(&(struct ck_op){CK_OP_YIELD, false, 0, 0, pc});
}

int64_t ck_now(void)
{
    return now;
}

void ck_pass(int64_t ns)
{
    now += ns;
}

/* --- beginnings and ends --- */

static void become_candidate(struct ck_thread *t)
{
    t->candidate.who = t->id + 1;
    t->next.kind = CK_OP_START;
    alive[alive_count++] = t;
    struct ck_result *result = &ck_shared->result;
    result->thread_count = ck_thread_count;
    result->most_alive = alive_count > result->most_alive ? alive_count : result->most_alive;
}

struct ck_thread *ck_thread_new(struct ck_carrier *carrier, struct ck_posix *posix)
{
    struct ck_thread *t = ck_alloc(sizeof *t);

    t->id = ck_thread_count;
    t->carrier = carrier;
    t->posix = posix;
    ck_carrier_stack(carrier, &t->stack_low, &t->stack_high);
    ck_threads[ck_thread_count++] = t;
    become_candidate(t);
    return t;
}

void ck_thread_end(void)
{
    struct ck_thread *self = ck_self;
    uint32_t i = 0;

    while (alive[i] != self)
        i++;
    memmove(&alive[i], &alive[i + 1], (--alive_count - i) * sizeof *alive);
    self->state = CK_ENDED;
    ck_wake_all((void *)ck_thread_object(self));
    ck_made_progress();
    run(self, choose(self));
    __builtin_unreachable();
}

uint32_t ck_alive_count(void)
{
    return alive_count;
}

void ck_sched_begin(struct ck_carrier *main, struct ck_posix *posix)
{
    rvi_strategy_init(&strategy, &ck_shared->plan.strategy);
    rvi_strategy_give(&strategy, strategy_slots, CK_THREADS_MOST, ck_shared->counts,
                      CK_THREADS_MOST);
    ck_trace_begin();
    ck_self = ck_thread_new(main, posix);
    ck_hb_begin(ck_self, NULL);
    ck_access_begin();
}

void ck_sched_finish(void)
{
    struct ck_result *result = &ck_shared->result;

    ck_access_finish();
    result->hash = 0;
    for (uint32_t i = 0; i < ck_thread_count; i++) {
        result->counts[i] = ck_threads[i]->points;
        result->hash += mix(ck_threads[i]->order + i);
    }
}

void ck_event(const struct ck_op *op, uint64_t value, unsigned flags)
{
    struct ck_result *result = &ck_shared->result;

    if (!(ck_shared->plan.flags & CK_LOG_EVENTS) || result->event_count == CK_EVENTS_MOST)
        return;
    ck_shared->events[result->event_count++] = (struct ck_event){
        .step = result->steps,
        .object = op->object,
        .value = value,
        .thread = ck_self->id,
        .op = (uint16_t)op->kind,
        .flags = (uint16_t)(flags | (ck_self->is_put_off ? CK_EVENT_SWITCHED : 0)),
        .place = ck_place_of(op->pc),
    };
    ck_self->is_put_off = false;
}
