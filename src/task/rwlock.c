/* SPDX-License-Identifier: MIT */
/* rwlock.c - many readers or one writer, phase-fair.
 *
 *   R1  a writer holds it      =>  no reader holds it
 *   R2  readers wait           =>  a writer holds it or waits
 *   R3  writers wait           =>  somebody holds it
 *   R4  reader_sum is the sum of rvi_party_self() over those who hold it for reading
 *
 * Phases. A reader that arrives joins the readers inside unless a writer holds the lock or waits.
 * The last reader to leave hands it to the first writer; a writer that leaves hands it to all the
 * readers that wait by then, and to the next writer only when there are none. So between two
 * writers each waiting reader gets in, and between two phases of readers the first waiting writer:
 * a reader waits for the phase of readers that it found and one writer, the k-th writer in line for
 * k - 1 writers and k phases of readers. That is the rule of Brandenburg and Anderson's phase-fair
 * locks (2010). Handing over happens under the lock and before the wake, as in mutex.c.
 *
 * Giving up. Readers may be in line only because a writer is (R2): when the last writer in line
 * withdraws from a lock that readers hold, it lets the waiting readers in.
 *
 * Misuse. A reader cannot be found by name, there may be any number of them; but their sum (R4) has
 * to be nothing when the last has left, and names the only one. So a foreign unlock is noticed at
 * the latest by the last unlock of its phase, at the price of an addition.
 *
 * Rejected: strict first come, first served, which is fair as well, but lets a reader wait for all
 * the writers before it, and cuts readers into as many phases as writers came between them.
 * Preferring either kind starves the other. A list of who reads needs memory, and so could fail.
 * Checked by: tests/unit/task/test_rwlock.c, test_every_point.c, tests/stress/stress_rwlock.c */
#include <ravel/rwlock.h>

#include <errno.h>
#include <string.h>

#include "sched/here.h"
#include "task/waitlist.h"

struct rwlock {
    struct rvi_bias lock;
    struct rvi_waitlist readers_line;
    struct rvi_waitlist writers_line;
    const void *writer; /* NULL: none */
    uint64_t readers;
    uintptr_t reader_sum;
};
RVI_ASSERT_FITS(struct rwlock, struct rv_rwlock);

struct contender {
    struct rvi_waiter waiter;
    const void *who;
};

static struct rwlock *inside(struct rv_rwlock *l)
{
    return (struct rwlock *)l->opaque;
}

static const void *who_waits(struct rvi_link *link)
{
    return rvi_container_of(rvi_waiter_of(link), struct contender, waiter)->who;
}

/* --- all of these with the lock held --- */

static bool is_valid(const struct rwlock *rw)
{
    bool readers_wait = !rvi_waitlist_is_empty(&rw->readers_line);
    bool writers_wait = !rvi_waitlist_is_empty(&rw->writers_line);
    bool is_held = rw->writer != NULL || rw->readers > 0;

    return (rw->writer == NULL || rw->readers == 0) &&
           (!readers_wait || rw->writer != NULL || writers_wait) && (!writers_wait || is_held);
}

static void enter_as_reader(struct rwlock *rw, const void *who)
{
    rw->readers++;
    rw->reader_sum += (uintptr_t)who;
}

static bool is_the_only_reader(const struct rwlock *rw, const void *who)
{
    return rw->readers == 1 && rw->reader_sum == (uintptr_t)who;
}

static void check_not_inside(const struct rwlock *rw, const void *who, const char *caller)
{
    if (rvi_unlikely(rw->writer == who))
        rvi_panic("%s: the caller holds this lock for writing already, and it is not recursive; "
                  "unlock it first",
                  caller);
    if (rvi_unlikely(is_the_only_reader(rw, who)))
        rvi_panic("%s: the caller holds this lock for reading already, and it is neither "
                  "recursive nor to be upgraded; unlock it first",
                  caller);
}

static bool take_for_reading(struct rwlock *rw, const void *who)
{
    check_not_inside(rw, who, "rv_rwlock_read_lock");
    if (rw->writer != NULL || !rvi_waitlist_is_empty(&rw->writers_line))
        return false;
    enter_as_reader(rw, who);
    return true;
}

static bool take_for_writing(struct rwlock *rw, const void *who)
{
    check_not_inside(rw, who, "rv_rwlock_write_lock");
    if (rw->writer != NULL || rw->readers > 0)
        return false;
    rw->writer = who;
    return true;
}

/* A phase of readers begins, or the present one takes on all who wait. Whom to wake. */
static struct rvi_link *admit_readers(struct rwlock *rw)
{
    struct rvi_link *chain = rvi_waitlist_take_all(&rw->readers_line);

    for (struct rvi_link *link = chain; link != NULL; link = link->next)
        enter_as_reader(rw, who_waits(link));
    return chain;
}

/* The phase of the first writer in line, if there is one, begins. Whom to wake. */
static struct rvi_waiter *admit_writer(struct rwlock *rw)
{
    struct rvi_waiter *next = rvi_waitlist_pop(&rw->writers_line);

    rw->writer = next != NULL ? who_waits(&next->link) : NULL;
    return next;
}

/* --- reading --- */

void rv_rwlock_init(struct rv_rwlock *l)
{
    memset(l, 0, sizeof(*l));
}

int rv_rwlock_read_lock(struct rv_rwlock *l, rv_time deadline)
{
    struct rwlock *rw = inside(l);
    struct contender self;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    self.who = rvi_party_self();
    bool biased = rvi_bias_lock(&rw->lock);
    if (!take_for_reading(rw, self.who)) {
        rvi_wait_tells_holder(rw->writer);
        return rvi_waitlist_wait(&rw->readers_line, &rw->lock, biased, &self.waiter, deadline,
                                 RVI_WHY_READ_LOCK);
    }
    rvi_bias_unlock(&rw->lock, biased);
    return 0;
}

int rv_rwlock_try_read_lock(struct rv_rwlock *l)
{
    struct rwlock *rw = inside(l);
    bool biased = rvi_bias_lock(&rw->lock);
    bool taken = take_for_reading(rw, rvi_party_self());

    rvi_bias_unlock(&rw->lock, biased);
    return taken ? 0 : -EAGAIN;
}

void rv_rwlock_read_unlock(struct rv_rwlock *l)
{
    struct rwlock *rw = inside(l);
    struct rvi_waiter *next = NULL;
    const void *who = rvi_party_self();
    bool biased = rvi_bias_lock(&rw->lock);

    if (rvi_unlikely(rw->readers == 0 || (rw->readers == 1 && !is_the_only_reader(rw, who))))
        rvi_panic("rv_rwlock_read_unlock: the caller, or somebody who unlocked before it, does not "
                  "hold this lock for reading; only the task or thread that locked it may unlock "
                  "it");
    rw->reader_sum -= (uintptr_t)who;
    if (--rw->readers == 0)
        next = admit_writer(rw);
    RV_DCHECK(is_valid(rw));
    rvi_bias_unlock(&rw->lock, biased);
    if (next != NULL)
        rvi_wake(next);
}

/* --- writing --- */

static bool withdraw_writer(struct rvi_waiter *w, void *object)
{
    struct rwlock *rw = object;
    struct rvi_link *admitted = NULL;
    bool biased = rvi_bias_lock(&rw->lock);
    bool waited = rvi_waitlist_leave(&rw->writers_line, w);

    if (waited && rw->writer == NULL && rvi_waitlist_is_empty(&rw->writers_line))
        admitted = admit_readers(rw);
    RV_DCHECK(is_valid(rw));
    rvi_bias_unlock(&rw->lock, biased);
    rvi_chain_wake(admitted);
    return waited;
}

int rv_rwlock_write_lock(struct rv_rwlock *l, rv_time deadline)
{
    struct rwlock *rw = inside(l);
    struct contender self;
    int err = rvi_wait_allowed();

    if (err < 0)
        return err;
    self.who = rvi_party_self();
    bool biased = rvi_bias_lock(&rw->lock);
    bool taken = take_for_writing(rw, self.who);
    if (!taken) {
        rvi_wait_tells_holder(rw->writer);
        rvi_wait_tells(rw, RVI_WHY_WRITE_LOCK);
        rvi_waiter_init(&self.waiter);
        rvi_waitlist_push(&rw->writers_line, &self.waiter);
    }
    rvi_bias_unlock(&rw->lock, biased);
    return taken ? 0 : rvi_wait(&self.waiter, deadline, RVI_WHY_WRITE_LOCK, withdraw_writer, rw);
}

int rv_rwlock_try_write_lock(struct rv_rwlock *l)
{
    struct rwlock *rw = inside(l);
    bool biased = rvi_bias_lock(&rw->lock);
    bool taken = take_for_writing(rw, rvi_party_self());

    rvi_bias_unlock(&rw->lock, biased);
    return taken ? 0 : -EAGAIN;
}

void rv_rwlock_write_unlock(struct rv_rwlock *l)
{
    struct rwlock *rw = inside(l);
    struct rvi_waiter *next = NULL;
    bool biased = rvi_bias_lock(&rw->lock);

    if (rvi_unlikely(rw->writer != rvi_party_self()))
        rvi_panic("rv_rwlock_write_unlock: the caller does not hold this lock for writing; only "
                  "the task or thread that locked it may unlock it");
    rw->writer = NULL;
    struct rvi_link *admitted = admit_readers(rw);
    if (admitted == NULL)
        next = admit_writer(rw);
    RV_DCHECK(is_valid(rw));
    rvi_bias_unlock(&rw->lock, biased);
    rvi_chain_wake(admitted);
    if (next != NULL)
        rvi_wake(next);
}
