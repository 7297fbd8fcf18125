/* SPDX-License-Identifier: MIT */
/* toy.c - the runtime of toy programs. */
#include "toy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "check/runtime/op.h"

enum { THREADS = 128, VARS = 64, REGS = 4, LOCKS_AT = 1000, CONDS_AT = 2000, BODY = 1000 };

enum state { READY, ON_MUTEX, ON_COND, ON_JOIN, ENDED };

struct thread {
    const struct toy_op *body;
    int at, regs[REGS];
    int waits_for;
    int retake; /* the mutex of a wait that is over; -1: none */
    enum state state;
    uint32_t decisions;
    uint32_t number_of_body;
};

struct machine {
    const struct toy *toy;
    struct ck_shared *sh;
    struct thread threads[THREADS];
    uint32_t count;
    int vars[VARS];
    int owner[VARS];                 /* of mutexes: 0 free, otherwise a thread + 1 */
    uint64_t touched[VARS];          /* by which threads, a bit each */
    uint64_t order[CONDS_AT + VARS]; /* hash of the conflicting operations on it so far */
    struct rvi_strategy strategy;
    struct rvi_strategy_slot slots[THREADS];
    uint32_t followed;
};

struct ck_shared *toy_shared_new(void)
{
    void *got = mmap(NULL, sizeof(struct ck_shared), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    assert_true(got != MAP_FAILED);
    return got;
}

void toy_shared_free(struct ck_shared *shared)
{
    munmap(shared, sizeof *shared);
}

static const struct toy_op *next_op(const struct thread *t)
{
    return &t->body[t->at];
}

static struct ck_place place_of(const struct thread *t)
{
    return (struct ck_place){1, t->number_of_body * BODY + (uint32_t)t->at + 1};
}

static bool is_memory(enum toy_kind kind)
{
    return kind == T_READ || kind == T_WRITE || kind == T_STORE || kind == T_CAS || kind == T_NOISE;
}

static uint64_t object_of(const struct thread *t)
{
    const struct toy_op *op = next_op(t);

    if (t->retake >= 0)
        return (uint64_t)(LOCKS_AT + t->retake);
    if (is_memory(op->kind))
        return (uint64_t)op->b + 1;
    if (op->kind == T_LOCK || op->kind == T_UNLOCK)
        return (uint64_t)(LOCKS_AT + op->b);
    if (op->kind == T_WAIT || op->kind == T_SIGNAL)
        return (uint64_t)(CONDS_AT + op->b);
    return 0;
}

static enum ck_op_kind wire_kind(enum toy_kind kind)
{
    static const enum ck_op_kind kinds[] = {
        [T_END] = CK_OP_END,       [T_READ] = CK_OP_READ,      [T_WRITE] = CK_OP_WRITE,
        [T_STORE] = CK_OP_WRITE,   [T_CAS] = CK_OP_ATOMIC_RMW, [T_LOCK] = CK_OP_LOCK,
        [T_UNLOCK] = CK_OP_UNLOCK, [T_WAIT] = CK_OP_WAIT,      [T_SIGNAL] = CK_OP_SIGNAL,
        [T_CREATE] = CK_OP_CREATE, [T_JOIN] = CK_OP_JOIN,      [T_NOISE] = CK_OP_READ};

    return kinds[kind];
}

static _Bool is_write(const struct thread *t)
{
    enum toy_kind kind = next_op(t)->kind;

    return kind != T_READ && kind != T_NOISE;
}

static void report(struct machine *m, enum ck_kind kind, uint32_t thread)
{
    struct ck_report *failure = &m->sh->result.failure;

    failure->kind = kind;
    failure->party_count = 1;
    failure->parties[0].thread = thread;
    failure->parties[0].frame_count = 1;
    failure->parties[0].frames[0] = place_of(&m->threads[thread]);
}

static bool is_point(struct machine *m, const struct thread *t)
{
    const struct ck_plan *plan = &m->sh->plan;
    struct ck_place place = place_of(t);

    if (!is_memory(next_op(t)->kind) || t->retake >= 0 || plan->granularity == CK_ALL)
        return true;
    if (plan->granularity == CK_SYNC)
        return false;
    for (uint32_t i = 0; i < plan->location_count; i++) {
        if (m->sh->locations[i].offset == place.offset)
            return true;
    }
    return false;
}

static void wake(struct machine *m, enum state state, int what, bool is_all)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct thread *t = &m->threads[i];
        if (t->state != state || t->waits_for != what)
            continue;
        t->state = READY;
        if (!is_all)
            return;
    }
}

static void start(struct machine *m, int body)
{
    assert_true(m->count < THREADS);
    m->threads[m->count++] = (struct thread){
        .body = m->toy->bodies[body], .number_of_body = (uint32_t)body, .retake = -1};
}

static void remember(struct machine *m, uint32_t who)
{
    struct ck_result *r = &m->sh->result;
    struct thread *t = &m->threads[who];
    uint64_t object = object_of(t), *order = &m->order[object];

    if (object != 0)
        *order =
            (*order ^ (who + 1) ^ (uint64_t)place_of(t).offset << 20) * UINT64_C(0x100000001b3);
    if (m->sh->plan.flags & CK_LOG_EVENTS && r->event_count < CK_EVENTS_MOST)
        m->sh->events[r->event_count++] = (struct ck_event){
            r->steps, object, 0, who, (uint16_t)wire_kind(next_op(t)->kind), 0, place_of(t)};
    if (is_memory(next_op(t)->kind)) {
        m->touched[next_op(t)->b] |= UINT64_C(1) << who % 64;
        r->accesses++;
    }
}

static bool wait_for(struct thread *t, enum state state, int what)
{
    t->state = state;
    t->waits_for = what;
    return false;
}

static bool lock(struct machine *m, uint32_t who, int mutex)
{
    if (m->owner[mutex] != 0)
        return wait_for(&m->threads[who], ON_MUTEX, mutex);
    m->owner[mutex] = (int)who + 1;
    return true;
}

static void unlock(struct machine *m, int mutex)
{
    m->owner[mutex] = 0;
    wake(m, ON_MUTEX, mutex, true);
}

/* False: it is blocked, and comes here again. */
static bool perform_point(struct machine *m, uint32_t who)
{
    struct thread *t = &m->threads[who];
    const struct toy_op *op = next_op(t);
    int *var = &m->vars[op->b];

    if (t->retake >= 0) {
        if (!lock(m, who, t->retake))
            return false;
        t->retake = -1;
        return true;
    }
    switch (op->kind) {
    case T_READ:
        t->regs[op->a] = *var;
        return true;
    case T_WRITE:
        *var = t->regs[op->a];
        return true;
    case T_STORE:
        *var = op->a;
        return true;
    case T_CAS: {
        bool is_same = *var == t->regs[op->a];
        *var = is_same ? t->regs[op->c] : *var;
        t->regs[op->a] = is_same;
        return true;
    }
    case T_LOCK:
        return lock(m, who, op->b);
    case T_UNLOCK:
        unlock(m, op->b);
        return true;
    case T_WAIT:
        unlock(m, op->a);
        t->retake = op->a;
        return wait_for(t, ON_COND, op->b);
    case T_SIGNAL:
        wake(m, ON_COND, op->b, false);
        return true;
    case T_CREATE:
        start(m, op->b);
        return true;
    case T_JOIN:
        if (m->threads[op->b].state != ENDED)
            return wait_for(t, ON_JOIN, op->b);
        return true;
    default:
        return true;
    }
}

/* Ops without points, up to the next with one. False: a failure. */
static bool perform_rest(struct machine *m, uint32_t who)
{
    struct thread *t = &m->threads[who];

    for (;; t->at++) {
        const struct toy_op *op = next_op(t);
        switch (op->kind) {
        case T_SET:
            t->regs[op->a] = op->b;
            break;
        case T_ADD:
            t->regs[op->a] += op->b;
            break;
        case T_PLUS:
            t->regs[op->a] += t->regs[op->b];
            break;
        case T_IF:
            t->at += t->regs[op->a] != op->b ? op->c : 0;
            break;
        case T_LESS:
            t->at += t->regs[op->a] >= op->b ? op->c : 0;
            break;
        case T_GO:
            t->at += op->c;
            break;
        case T_ASSERT:
        case T_SAME:
            if (t->regs[op->a] != (op->kind == T_SAME ? t->regs[op->b] : op->b)) {
                report(m, CK_ASSERT, who);
                return false;
            }
            break;
        case T_END:
            t->state = ENDED;
            wake(m, ON_JOIN, (int)who, true);
            return true;
        default:
            return true;
        }
    }
}

/* The default of wire.h. */
static uint32_t usual(struct machine *m, uint32_t who)
{
    for (uint32_t i = 0; i < m->count; i++) {
        uint32_t at = (who + i) % m->count;
        if (m->threads[at].state == READY)
            return at;
    }
    return UINT32_MAX;
}

static uint32_t by_strategy(struct machine *m)
{
    struct rvi_candidate able[THREADS];
    size_t n = 0;

    for (uint32_t i = 0; i < m->count; i++) {
        struct thread *t = &m->threads[i];
        struct ck_place place = place_of(t);
        if (t->state == READY)
            able[n++] = (struct rvi_candidate){.who = i + 1,
                                               .location = (uint64_t)(place.module + 1) << 32 |
                                                           place.offset,
                                               .object = object_of(t),
                                               .is_write = is_write(t)};
    }
    return (uint32_t)able[rvi_strategy_choose(&m->strategy, able, n)].who - 1;
}

static uint32_t by_plan(struct machine *m, uint32_t who, uint32_t nth, uint32_t otherwise)
{
    for (uint32_t i = 0; i < m->sh->plan.switch_count; i++) {
        const struct ck_switch *s = &m->sh->switches[i];
        if (s->thread == who && s->nth == nth && s->value < m->count &&
            m->threads[s->value].state == READY)
            return s->value;
    }
    return otherwise;
}

static void log_decision(struct machine *m, uint32_t who, uint32_t nth, uint32_t chosen)
{
    struct ck_decision *d = &m->sh->decisions[m->sh->result.decision_count++];

    *d = (struct ck_decision){who, nth, chosen, m->threads[who].state == READY, 0};
    for (uint32_t i = 0; i < m->count && i < 64; i++)
        d->able |= (uint64_t)(m->threads[i].state == READY) << i;
}

/* The thread has come to a point, is blocked or has ended: who goes on? UINT32_MAX: nobody can. */
static uint32_t decide(struct machine *m, uint32_t who)
{
    struct ck_result *r = &m->sh->result;
    uint32_t nth = m->threads[who].decisions++, by_default = usual(m, who), chosen;

    if (by_default == UINT32_MAX)
        return by_default;
    chosen = m->sh->plan.mode == CK_EXPLORE ? by_strategy(m) : by_plan(m, who, nth, by_default);
    r->steps++;
    if (m->sh->plan.flags & CK_LOG_DECISIONS)
        log_decision(m, who, nth, chosen);
    if (chosen != by_default)
        m->sh->trace[r->switch_count++] = (struct ck_switch){who, nth, chosen};
    return chosen;
}

/* One op of a thread, and those after it up to its next point. False: the run is over. */
static bool advance(struct machine *m, uint32_t who)
{
    struct thread *t = &m->threads[who];

    do {
        if (next_op(t)->kind < T_SET && next_op(t)->kind != T_END) {
            remember(m, who);
            if (!perform_point(m, who))
                return true;
            t->at++;
        }
        if (!perform_rest(m, who))
            return false;
    } while (t->state == READY && !is_point(m, t));
    return true;
}

static void finish(struct machine *m)
{
    struct ck_result *r = &m->sh->result;

    r->thread_count = r->most_alive = m->count;
    for (uint32_t i = 0; i < m->count; i++)
        r->counts[i] = m->threads[i].decisions;
    r->hash = r->failure.kind + 1;
    for (size_t i = 0; i < sizeof m->order / sizeof m->order[0]; i++)
        r->hash = (r->hash ^ m->order[i]) * UINT64_C(0x9e3779b97f4a7c15);
    if (!(m->sh->plan.flags & CK_LEARN))
        return;
    for (uint32_t body = 0; body < 8 && m->toy->bodies[body]; body++) {
        const struct toy_op *ops = m->toy->bodies[body];
        for (uint32_t at = 0; ops[at].kind != T_END; at++) {
            if (is_memory(ops[at].kind) && __builtin_popcountll(m->touched[ops[at].b]) > 1)
                m->sh->seen[r->seen_count++] = (struct ck_place){1, body * BODY + at + 1};
        }
    }
}

static void play(struct machine *m)
{
    uint32_t who = 0;

    if (!perform_rest(m, 0))
        return;
    for (;;) {
        uint32_t last = who;
        who = decide(m, who);
        if (who == UINT32_MAX) {
            if (m->threads[0].state != ENDED)
                report(m, CK_DEADLOCK, last);
            return;
        }
        if (m->sh->result.steps > m->sh->plan.step_limit) {
            m->sh->result.failure.kind = CK_STEPS;
            return;
        }
        if (!advance(m, who))
            return;
    }
}

void toy_run(const struct toy *toy, struct ck_shared *shared)
{
    static struct machine m;

    m = (struct machine){.toy = toy, .sh = shared};
    memset(&shared->result, 0, sizeof shared->result);
    rvi_strategy_init(&m.strategy, &shared->plan.strategy);
    rvi_strategy_give(&m.strategy, m.slots, THREADS, shared->counts, THREADS);
    start(&m, 0);
    play(&m);
    finish(&m);
}
