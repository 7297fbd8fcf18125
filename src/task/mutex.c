/* SPDX-License-Identifier: MIT */
/* mutex.c - mutual exclusion with an owner and a line.
 *
 * A mutex that one worker alone has used is guarded by its bias lock, and its tasks take turns: who
 * unlocks it makes the first in line the owner. The first other thread that comes makes it shared,
 * for ever: from then on it is a word, taken and given back by a compare-and-swap, and the lock
 * inside, which has lost its bias, guards the line alone.
 *
 * The word is who owns it (rvi_party_self() says how) or 0, and two flags:
 *
 *   M1  WAITED  <=>  somebody is in line
 *   M2  CALLED  <=>  `called` was taken out of the line and woken, and is on its way back to it
 *   M3  free and WAITED  =>  CALLED
 *   M4  the flags change under the lock only; who owns it, shared, by a compare-and-swap that
 *       leaves the flags as they are, or under the lock by its owner
 *
 * Barging. Had a shared mutex an heir from the moment of unlocking, nobody could have it until that
 * one runs: a wake-up on another worker is a hundred times as long as what most mutexes are held
 * for. So it is free at once, for whoever is there, and the first in line is called: it comes and
 * competes, and goes back to the front if it has lost. Only one is called at a time, and until it
 * has come nobody has to wake anybody. M3 is what loses nobody: whoever leaves it free has seen, in
 * the word that it swaps, that a called one will look at it later.
 *
 * Fairness. Who has waited for PATIENCE_NS is not overtaken any more: the next to unlock makes it
 * the owner, even if it was called before and has not come. `since` is when the one called, or else
 * the first in line, began to wait; 0, long ago, for those who were promised turns before the mutex
 * was shared.
 *
 * Spinning. Who finds it held by another thread, and has nothing else to run, looks at the word for
 * a while first: about twice as long as that has lately taken to help. `at` is where the owner was
 * as it took it: a worker does not wait for itself.
 *
 * The last touch. Who unlocks may find the memory gone as soon as it is another's: a count of users
 * may be what the mutex guards. So the compare-and-swap comes last, with the lock inside left by
 * then; and an heir that might see the word without that lock, because it was called before, comes
 * by the lock as well.
 *
 * Barging until fairness is at stake is WebKit's (Pizlo 2016, "Locking in WebKit") and Go's
 * (sync.Mutex, 2016), the length of a spin glibc's. Rejected: handing over each time, which took
 * thirteen times as long as a mutex of pthread. Barging between tasks of one worker, where who
 * unlocks would take it again each time before the woken ever ran. Counting how often one was
 * overtaken in the place of the clock: it bounds nothing where a mutex is held for long.
 * Checked by: tests/unit/task/test_mutex.c, test_every_point.c, tests/explore/explore_mutex.c,
 * explore_sync.c, tests/model/model_mutex.c, model_mutex_last.c, tests/stress/stress_sync.c */
#include "task/mutex.h"

#include <errno.h>
#include <string.h>

#include "sched/here.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "task/waitlist.h"

#define PATIENCE_NS RV_MILLISECOND

/* A party's lowest bit says what it is. */
enum { WAITED = 2, CALLED = 4, FLAGS = WAITED | CALLED };

enum {
    SPIN_TURNS_LEAST = 10,
    SPIN_TURNS_MOST = 100,
    SIMULATED_TURNS = 1, /* or nobody would ever stand in line */
};

struct contender {
    struct rvi_waiter waiter;
    const void *who;
    rv_time since;
    bool is_called; /* out of the line without being the owner; under the lock */
};

struct mutex {
    struct rvi_bias lock;
    struct rvi_waitlist line;
    _Atomic(uintptr_t) word;
    struct contender *called;
    _Atomic(rv_time) since;                /* a hint for those without the lock */
    _Atomic(const struct rvi_worker *) at; /* likewise; NULL: a plain thread */
    _Atomic(uint32_t) is_shared;
    _Atomic(uint32_t) spin_turns; /* that it takes */
};
RVI_ASSERT_FITS(struct mutex, struct rv_mutex);
_Static_assert(_Alignof(struct rvi_task) > FLAGS && _Alignof(struct rvi_here) > FLAGS,
               "a party's address leaves room for the flags");

static struct mutex *inside(struct rv_mutex *m)
{
    return (struct mutex *)m->opaque;
}

static const void *owner_in(uintptr_t word)
{
    return (const void *)(word & ~(uintptr_t)FLAGS); // NOLINT(performance-no-int-to-ptr)
}

static void check_not_owner(uintptr_t word, const void *who)
{
    if (rvi_unlikely(owner_in(word) == who))
        rvi_panic("rv_mutex_lock: the caller holds this mutex already, and it is not recursive; "
                  "unlock it first");
}

static void check_owner(uintptr_t word, const void *who, const char *caller)
{
    if (rvi_unlikely(owner_in(word) != who))
        rvi_panic("%s: the caller does not hold this mutex; only the task or thread that locked it "
                  "may unlock it",
                  caller);
}

static bool enter_slow(struct mutex *mu)
{
    if (rvi_bias_lock(&mu->lock))
        return true;
    rvi_store_release(&mu->is_shared, 1); /* pairs: mutex-shared */
    rvi_bias_unlock(&mu->lock, false);
    return false;
}

/* Whether the caller is the only thread that uses it: then the lock is held, by the bias. Otherwise
 * it is shared, and the lock not held. */
static inline bool enter_alone(struct mutex *mu)
{
    if (rvi_likely(rvi_bias_try_lock(&mu->lock)))
        return true;
    rvi_point(RVI_POINT_LOCK);
    if (rvi_likely(rvi_load_acquire(&mu->is_shared))) /* pairs: mutex-shared */
        return false;
    return enter_slow(mu);
}

/* --- with the lock held --- */

static bool is_valid(const struct mutex *mu)
{
    uintptr_t word = rvi_load_relaxed(&mu->word);

    return !(word & WAITED) == rvi_waitlist_is_empty(&mu->line) && !(word & CALLED) == !mu->called;
}

static struct contender *contender_of(struct rvi_link *link)
{
    return rvi_container_of(rvi_waiter_of(link), struct contender, waiter);
}

static uintptr_t flags_now(const struct mutex *mu)
{
    return (mu->called ? CALLED : 0U) | (rvi_waitlist_is_empty(&mu->line) ? 0U : WAITED);
}

static void note_since(struct mutex *mu)
{
    const struct contender *first = mu->called;

    if (!first && !rvi_waitlist_is_empty(&mu->line))
        first = contender_of(mu->line.first);
    if (first)
        rvi_store_relaxed(&mu->since, first->since);
}

/* Somebody has left the line. */
static void note_line(struct mutex *mu)
{
    uintptr_t word = rvi_load_relaxed(&mu->word), flags = flags_now(mu);

    while (!rvi_cas_relaxed(&mu->word, &word, (word & ~(uintptr_t)FLAGS) | flags))
        continue;
    note_since(mu);
    RV_DCHECK(is_valid(mu));
}

static struct contender *first_out(struct mutex *mu)
{
    struct rvi_waiter *first = rvi_waitlist_pop(&mu->line);

    return first ? contender_of(&first->link) : NULL;
}

static const struct rvi_worker *worker_of(const struct contender *party)
{
    const struct rvi_task *task = party->waiter.task;

    return task ? rvi_load_relaxed(&task->home) : NULL;
}

/* From the caller to the first, or to nobody. Whom to wake: who was called before is awake. */
static struct contender *hand_over(struct mutex *mu)
{
    struct contender *called = mu->called, *heir = called ? called : first_out(mu);

    mu->called = NULL;
    if (heir)
        rvi_store_relaxed(&mu->at, worker_of(heir));
    rvi_store_release(&mu->word, /* pairs: mutex-word */
                      (heir ? (uintptr_t)heir->who : 0) | flags_now(mu));
    note_since(mu);
    RV_DCHECK(is_valid(mu));
    return called ? NULL : heir;
}

/* The caller has it still. Whom to wake. */
static struct contender *call_first(struct mutex *mu)
{
    if (mu->called || rvi_waitlist_is_empty(&mu->line))
        return NULL;
    mu->called = first_out(mu);
    mu->called->is_called = true;
    note_line(mu);
    return mu->called;
}

/* Take it, or stand in line: in front, if called out of it before. False: in line. */
static bool take_or_stand(struct mutex *mu, struct contender *self)
{
    bool was_called = mu->called == self;
    uintptr_t word = rvi_load_relaxed(&mu->word), next;
    bool is_mine;

    do {
        is_mine = !owner_in(word) || owner_in(word) == self->who;
        next = was_called ? word & ~(uintptr_t)CALLED : word;
        next |= is_mine ? (uintptr_t)self->who : WAITED;
    } while (!rvi_cas_acquire(&mu->word, &word, next)); /* pairs: mutex-word */
    if (was_called)
        mu->called = NULL;
    if (is_mine) {
        rvi_store_relaxed(&mu->at, rvi_worker_self());
    } else {
        self->is_called = false;
        rvi_waiter_init(&self->waiter);
        (was_called ? rvi_waitlist_push_front : rvi_waitlist_push)(&mu->line, &self->waiter);
    }
    note_since(mu);
    RV_DCHECK(is_valid(mu));
    return is_mine;
}

/* --- locking --- */

static bool take_alone(struct mutex *mu, const void *who)
{
    uintptr_t word = rvi_load_relaxed(&mu->word);

    if (rvi_likely(word == 0)) {
        rvi_store_relaxed(&mu->word, (uintptr_t)who);
        return true;
    }
    check_not_owner(word, who);
    return false;
}

/* Shared, and free: take it, whoever waits. `word` is what the word is likely to be. */
static inline bool take_free(struct mutex *mu, const void *who, uintptr_t word)
{
    do {
        if (rvi_cas_acquire(&mu->word, &word, (uintptr_t)who | word)) { /* pairs: mutex-word */
            rvi_store_relaxed(&mu->at, rvi_worker_self());
            return true;
        }
    } while (!owner_in(word));
    check_not_owner(word, who);
    return false;
}

static bool take_if_free(struct mutex *mu, const void *who)
{
    if (!enter_alone(mu))
        return take_free(mu, who, 0);
    bool taken = take_alone(mu, who);
    rvi_bias_unlock(&mu->lock, true);
    return taken;
}

static bool may_spin(const struct mutex *mu, rv_time deadline)
{
    const struct rvi_worker *self = rvi_worker_self();

    return rvi_load_relaxed(&mu->is_shared) &&
           (!self || (rvi_load_relaxed(&mu->at) != self && rvi_worker_may_spin(self, deadline)));
}

/* The usual length is kept in eighths of a turn, and follows the last one by an eighth of the
 * difference; a spin in vain counts as none. */
static bool spin(struct mutex *mu, const void *who)
{
    uint32_t usual = rvi_load_relaxed(&mu->spin_turns), turns = 0;
    uint32_t most = rvi_seam ? SIMULATED_TURNS : usual / 4 + SPIN_TURNS_LEAST;
    bool taken = false;

    for (; turns < most && turns < SPIN_TURNS_MOST && !taken; turns++) {
        rvi_cpu_relax();
        uintptr_t word = rvi_load_relaxed(&mu->word);
        taken = !owner_in(word) && take_free(mu, who, word);
    }
    rvi_store_relaxed(&mu->spin_turns, usual - usual / 8 + (taken ? turns : 0));
    return taken;
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct mutex *mu = object;
    bool biased = rvi_bias_lock(&mu->lock);
    bool waited = rvi_waitlist_leave(&mu->line, w);

    if (waited)
        note_line(mu);
    rvi_bias_unlock(&mu->lock, biased);
    return waited;
}

/* Take it, or stand in line and tell whoever records it. Who owns it may be named while he cannot
 * leave: the lock that he would need to call somebody is held. */
static bool take_or_join(struct mutex *mu, struct contender *self)
{
    bool biased = rvi_bias_lock(&mu->lock);
    bool taken = take_or_stand(mu, self);

    if (!taken) {
        uintptr_t word = rvi_load_relaxed(&mu->word);
        if (!(word & CALLED))
            rvi_wait_tells_holder(owner_in(word));
        rvi_wait_tells(mu, RVI_WHY_MUTEX);
    }
    rvi_bias_unlock(&mu->lock, biased);
    return taken;
}

/* `always`: whatever is cancelled, and without a deadline. */
static int contend(struct mutex *mu, const void *who, bool always, rv_time deadline)
{
    struct contender self = {.who = who};
    int err = 0;

    if (may_spin(mu, deadline) && spin(mu, who))
        return 0;
    if (rvi_load_relaxed(&mu->is_shared))
        self.since = rvi_clock_now();
    while (!take_or_join(mu, &self)) {
        if (always)
            rvi_wait_always(&self.waiter, RVI_WHY_MUTEX);
        else
            err = rvi_wait(&self.waiter, deadline, RVI_WHY_MUTEX, withdraw, mu);
        if (err < 0 || !self.is_called)
            break;
    }
    return err;
}

void rv_mutex_init(struct rv_mutex *m)
{
    memset(m, 0, sizeof(*m));
}

int rv_mutex_lock(struct rv_mutex *m, rv_time deadline)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    return take_if_free(mu, who) ? 0 : contend(mu, who, false, deadline);
}

int rv_mutex_try_lock(struct rv_mutex *m)
{
    return take_if_free(inside(m), rvi_party_self()) ? 0 : -EAGAIN;
}

void rvi_mutex_lock_always(struct rv_mutex *m)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();

    if (!take_if_free(mu, who))
        (void)contend(mu, who, true, RV_NEVER);
}

/* --- unlocking --- */

static void unlock_alone(struct mutex *mu, const void *who, const char *caller)
{
    uintptr_t word = rvi_load_relaxed(&mu->word);
    struct contender *heir = NULL;

    check_owner(word, who, caller);
    if (rvi_likely(word == (uintptr_t)who))
        rvi_store_relaxed(&mu->word, 0);
    else
        heir = hand_over(mu);
    rvi_bias_unlock(&mu->lock, true);
    if (heir)
        rvi_wake(&heir->waiter);
}

static bool is_overdue(struct mutex *mu)
{
    return rvi_clock_now() - rvi_load_relaxed(&mu->since) >= PATIENCE_NS;
}

/* Leave it free, which touches it for the last time, unless somebody has to be called or to be
 * given it: false then. */
static inline bool leave_free(struct mutex *mu, const void *who, const char *caller)
{
    uintptr_t word = (uintptr_t)who;

    while (!rvi_cas_release(&mu->word, &word, word & FLAGS)) { /* pairs: mutex-word */
        check_owner(word, who, caller);
        if ((word & FLAGS) && (!(word & CALLED) || is_overdue(mu)))
            return false;
    }
    return true;
}

static void unlock_contended(struct mutex *mu, const void *who, const char *caller)
{
    struct contender *called = NULL, *heir = NULL;
    bool is_given = false;

    do {
        (void)rvi_bias_lock(&mu->lock);
        if (flags_now(mu) && is_overdue(mu)) {
            heir = hand_over(mu);
            is_given = true;
        } else if (!called) {
            called = call_first(mu);
        }
        rvi_bias_unlock(&mu->lock, false);
    } while (!is_given && !leave_free(mu, who, caller));
    if (called)
        rvi_wake(&called->waiter);
    if (heir)
        rvi_wake(&heir->waiter);
}

void rvi_mutex_unlock_for(struct rv_mutex *m, const char *caller)
{
    struct mutex *mu = inside(m);
    const void *who = rvi_party_self();

    if (enter_alone(mu))
        unlock_alone(mu, who, caller);
    else if (!leave_free(mu, who, caller))
        unlock_contended(mu, who, caller);
}

void rv_mutex_unlock(struct rv_mutex *m)
{
    rvi_mutex_unlock_for(m, "rv_mutex_unlock");
}
