/* SPDX-License-Identifier: MIT */
/* select.c - wait for the first of several things.
 *
 *   S1  of a call's cases at most one happens, and if the call returns an error none
 *   S2  a call sleeps only if there was a moment at which none of its cases could happen and all
 *       of them stood in line
 *   S3  nothing touches a call's frame after it has returned
 *
 * First each case is attempted by itself, from a random one on. That takes one lock at a time, or
 * none, and mostly it is all.
 *
 * If none can happen, the locks of all objects are taken, each once, in the order of addresses. Now
 * nobody can change any of them, so the cases are looked at once more, and if still none can happen
 * an entry joins each line. That is the moment of S2. Whoever makes one of the cases possible
 * comes after it and finds the entry.
 *
 * Why all at once. A call that joins one line after the other can be served through the first
 * while it looks at the second, and to take a peer there it would have to claim itself and a peer,
 * who may be another such call that is about to claim this one: two claims that have to succeed
 * together. With all locks held a call that looks is in no line, nobody can claim it, and it claims
 * at most one peer, by one compare-and-swap. For the same reason it cannot meet itself: it joins
 * after it has looked.
 *
 * Why that cannot lock up. Only this file holds more than one bias lock at a time, and takes them
 * by ascending address: of those who wait for a lock in a circle, the one who waits for the lowest
 * would hold a higher one. Revoking a bias inside waits for an owner who is inside that one lock,
 * which is the same wait. Nothing is woken, copied or switched before all are free (begin and
 * finish are two steps for that reason).
 *
 * Then it sleeps. All entries belong to one choice, which is claimed by one compare-and-swap
 * (entry.h, E1): by the peer that takes an entry out, under that object's lock, and then serves and
 * wakes it; or by the call itself when it is cancelled or late. If the peer was first, giving up
 * fails, the call waits for the wake and returns the case: a grant is never lost (S1). Afterwards
 * every other line is left under its lock, so whoever has taken an entry out in vain is done with
 * it (S3).
 *
 * The cost with n cases is n locks twice and a sort when the call has to wait. Go's selectgo does
 * the same (Go's runtime, select.go), but locks all also when a case can happen at once.
 *
 * Rejected: a claim of two steps (tentative, then final) as Reppy's Parallel CML has, with one lock
 * at a time. It is lock-free in spirit, but peers spin on a tentative claim, and two that are
 * tentative about each other need a tie-break; the sort is cheaper to believe. A random permutation
 * of the cases, as in Go: the chance of 1 in n that a random start gives is what matters against
 * starvation, and it needs no memory for the order.
 * Checked by: tests/unit/task/test_select.c, test_every_point.c, tests/stress/stress_select.c,
 * tests/explore/explore_select.c */
#include "task/select.h"

#include <errno.h>
#include <limits.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "sched/worker.h"
#include "task/chan.h"

enum { IN_FRAME = 16 }; /* cases that need no memory */

/* One case, while its call waits. */
struct seat {
    struct rvi_entry entry;
    const struct rvi_case_kind *kind;
    struct rv_case *c;
    struct seat *in_order; /* of the i-th seat: the one whose object has the i-th lowest address */
    bool biased;           /* how the lock was taken, if this is the seat that took it */
};

struct call {
    struct rvi_choice choice;
    struct seat *seats; /* of cases that can ever happen */
    size_t count;
};

static const struct rvi_case_kind *kind_of(const struct rv_case *c)
{
    switch (c->op) {
    case RV_CASE_SEND:
    case RV_CASE_PUT:
        return &rvi_case_send;
    case RV_CASE_RECV:
    case RV_CASE_GET:
        return &rvi_case_recv;
    case RV_CASE_EVENT:
        return &rvi_case_event;
    }
    return NULL;
}

static bool is_elsewhere(const struct rv_case *c)
{
    const struct rv_chan *ch = c->object;

    return (c->op == RV_CASE_PUT || c->op == RV_CASE_GET) && ch != NULL && ch->is_elsewhere;
}

/* How many can ever happen; or -EINVAL, -EOPNOTSUPP. */
static int count_possible(const struct rv_case *cases, size_t n)
{
    int possible = 0;

    if (n > INT_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (kind_of(&cases[i]) == NULL)
            return -EINVAL;
        if (is_elsewhere(&cases[i]))
            return -EOPNOTSUPP;
        possible += cases[i].object != NULL;
    }
    return possible;
}

static size_t random_below(size_t n)
{
    struct rvi_worker *w = rvi_worker_self();
    struct rvi_rng *rng = w != NULL ? &w->rng : &rvi_here.rng;

    if (w == NULL && rng->state[0] == 0)
        rvi_rng_seed(rng, (uint64_t)(uintptr_t)rng);
    return n > 1 ? (size_t)rvi_rng_below(rng, n) : 0;
}

/* --- without waiting --- */

static int attempt_all(struct rv_case *cases, size_t n)
{
    size_t i = random_below(n);

    for (size_t left = n; left > 0; left--, i = i + 1 == n ? 0 : i + 1) {
        if (cases[i].object == NULL)
            continue;
        int result = kind_of(&cases[i])->attempt(&cases[i]);
        if (result != -EAGAIN) {
            cases[i].result = result;
            return (int)i;
        }
    }
    return -EAGAIN;
}

/* --- all locks --- */

static uintptr_t address_of(const struct seat *seat)
{
    return (uintptr_t)seat->c->object;
}

/* Shell's sort: short, in place, and no worse than n^1.5 for the numbers met here. */
static void put_in_order(struct seat *seats, size_t count)
{
    for (size_t i = 0; i < count; i++)
        seats[i].in_order = &seats[i];
    for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (size_t i = gap; i < count; i++) {
            struct seat *moved = seats[i].in_order;
            size_t at = i;
            for (; at >= gap && address_of(seats[at - gap].in_order) > address_of(moved); at -= gap)
                seats[at].in_order = seats[at - gap].in_order;
            seats[at].in_order = moved;
        }
    }
}

/* Of the seats of one object the first takes the lock. */
static bool takes_lock(const struct call *call, size_t i)
{
    const struct seat *seats = call->seats;

    return i == 0 || address_of(seats[i - 1].in_order) != address_of(seats[i].in_order);
}

static void lock_all(struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        struct seat *seat = call->seats[i].in_order;
        if (takes_lock(call, i))
            seat->biased = seat->kind->lock(seat->c->object);
    }
}

static void unlock_all(struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        struct seat *seat = call->seats[i].in_order;
        if (takes_lock(call, i))
            seat->kind->unlock(seat->c->object, seat->biased);
    }
}

/* The seat whose case can happen now; NULL if none can. */
static struct seat *begin_any(struct call *call, struct rvi_deal *deal)
{
    size_t i = random_below(call->count);

    for (size_t left = call->count; left > 0; left--, i = i + 1 == call->count ? 0 : i + 1) {
        struct seat *seat = &call->seats[i];
        if (seat->kind->begin(seat->c, deal))
            return seat;
    }
    return NULL;
}

static void enlist_all(struct call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        struct seat *seat = &call->seats[i];
        struct rvi_waitlist *line = seat->kind->enlist(seat->c, &seat->entry);
        seat->entry.choice = &call->choice;
        seat->entry.line = line;
        rvi_link_init(&seat->entry.waiter.link);
        rvi_waitlist_push(line, &seat->entry.waiter);
    }
}

/* --- waiting --- */

/* The choice is claimed. Not under the claimed case's lock: that entry has been taken out. */
static void leave_all(struct call *call, const struct rvi_entry *claimed)
{
    for (size_t i = 0; i < call->count; i++) {
        struct seat *seat = &call->seats[i];
        if (&seat->entry == claimed)
            continue;
        bool biased = seat->kind->lock(seat->c->object);
        (void)rvi_waitlist_leave(seat->entry.line, &seat->entry.waiter); /* or in vain taken out */
        seat->kind->unlock(seat->c->object, biased);
    }
}

static bool give_up(struct rvi_waiter *w, void *arg)
{
    struct call *call = arg;

    (void)w;
    if (!rvi_choice_claim(&call->choice, RVI_GIVEN_UP))
        return false;
    leave_all(call, NULL);
    return true;
}

/* In every line. The seat that was served; or NULL and why not. */
static struct seat *sleep_in_line(struct call *call, rv_time deadline, int *ret_err)
{
    *ret_err = rvi_wait(&call->choice.waiter, deadline, RVI_WHY_SELECT, give_up, call);
    if (*ret_err < 0)
        return NULL;
    struct rvi_entry *claimed = rvi_load_relaxed(&call->choice.claimed);
    leave_all(call, claimed);
    struct seat *seat = rvi_container_of(claimed, struct seat, entry);
    seat->c->result = claimed->result;
    return seat;
}

/* The case that has happened; or NULL and why none has. */
static struct rv_case *wait_for_one(struct call *call, rv_time deadline, int *ret_err)
{
    struct rvi_deal deal;

    put_in_order(call->seats, call->count);
    lock_all(call);
    struct seat *seat = begin_any(call, &deal);
    if (seat != NULL) {
        unlock_all(call);
        seat->c->result = seat->kind->finish(seat->c, &deal);
        return seat->c;
    }
    rvi_waiter_init(&call->choice.waiter);
    rvi_store_relaxed(&call->choice.claimed, NULL);
    enlist_all(call);
    unlock_all(call);
    seat = sleep_in_line(call, deadline, ret_err);
    return seat != NULL ? seat->c : NULL;
}

static void take_seats(struct call *call, struct rv_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cases[i].object == NULL)
            continue;
        struct seat *seat = &call->seats[call->count++];
        seat->c = &cases[i];
        seat->kind = kind_of(&cases[i]);
    }
}

static __attribute__((noinline)) int select_among(struct rv_case *cases, size_t n, size_t possible,
                                                  rv_time deadline)
{
    struct seat in_frame[IN_FRAME];
    struct call call = {.seats = in_frame};
    int err = 0;

    if (possible > IN_FRAME)
        call.seats = rvi_calloc(possible, sizeof(*call.seats));
    if (call.seats == NULL)
        return -ENOMEM;
    take_seats(&call, cases, n);
    const struct rv_case *happened = wait_for_one(&call, deadline, &err);
    if (call.seats != in_frame)
        rvi_free(call.seats);
    return happened != NULL ? (int)(happened - cases) : err;
}

int rv_select(struct rv_case *cases, size_t n, rv_time deadline)
{
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    int possible = count_possible(cases, n);
    if (possible < 0)
        return possible;
    int which = attempt_all(cases, n);
    return which != -EAGAIN ? which : select_among(cases, n, (size_t)possible, deadline);
}

int rv_try_select(struct rv_case *cases, size_t n)
{
    int possible = count_possible(cases, n);

    return possible < 0 ? possible : attempt_all(cases, n);
}
