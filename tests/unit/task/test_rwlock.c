/* SPDX-License-Identifier: MIT */
/* test_rwlock.c - read-write locks, on every stage of stage.h. */
#include <ravel/rwlock.h>

#include <errno.h>

#include "stage.h"

enum { LINE = 5, ROUNDS = 100 };

/* How src/task/rwlock.c begins. */
struct lines {
    struct rvi_bias lock;
    struct rvi_waitlist readers, writers;
};

static void until_readers_wait(struct rv_rwlock *l, size_t count)
{
    struct lines *lines = (struct lines *)l;
    until_in_line(&lines->lock, &lines->readers, count);
}

static void until_writers_wait(struct rv_rwlock *l, size_t count)
{
    struct lines *lines = (struct lines *)l;
    until_in_line(&lines->lock, &lines->writers, count);
}

static void read_lock(struct rv_rwlock *l)
{
    RV_CHECK(rv_rwlock_read_lock(l, RV_NEVER) == 0);
}

static void write_lock(struct rv_rwlock *l)
{
    RV_CHECK(rv_rwlock_write_lock(l, RV_NEVER) == 0);
}

/* Parties that leave a trace while they are inside: readers and writers by their numbers. */
struct play_state {
    struct rv_rwlock l;
    _Atomic(int) taken; /* places of the trace */
    _Atomic(int) steps; /* places of the trace that are written */
    int trace[4 * LINE];
    struct rv_event leave; /* readers stay inside until then */
};

struct visit {
    struct play_state *at;
    int number;
};

static void leave_trace(struct visit *v)
{
    v->at->trace[rvi_fetch_add_relaxed(&v->at->taken, 1)] = v->number;
    rvi_fetch_add_release(&v->at->steps, 1); /* pairs: rwlock-steps */
}

static int write_once(void *arg)
{
    struct visit *v = arg;
    write_lock(&v->at->l);
    leave_trace(v);
    rv_rwlock_write_unlock(&v->at->l);
    return 0;
}

static int read_until_told(void *arg)
{
    struct visit *v = arg;
    read_lock(&v->at->l);
    leave_trace(v);
    RV_CHECK(rv_event_wait(&v->at->leave, RV_NEVER) == 0);
    rv_rwlock_read_unlock(&v->at->l);
    return 0;
}

static void until_steps(struct play_state *at, int steps)
{
    while (rvi_load_acquire(&at->steps) < steps) /* pairs: rwlock-steps */
        rv_yield();
}

static void init_and_zeroed_memory_are_the_same(void **state)
{
    static const struct rv_rwlock fresh = RV_RWLOCK_INIT;
    struct rv_rwlock l;
    (void)state;
    memset(&l, 0xff, sizeof(l));
    rv_rwlock_init(&l);
    assert_memory_equal(&l, &fresh, sizeof(l));
}

static void it_can_be_locked_again_once_unlocked(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    for (int i = 0; i < 3; i++) {
        RV_CHECK(rv_rwlock_read_lock(&l, 0) == 0); /* free: a passed deadline is no matter */
        rv_rwlock_read_unlock(&l);
        RV_CHECK(rv_rwlock_write_lock(&l, 0) == 0);
        rv_rwlock_write_unlock(&l);
        RV_CHECK(rv_rwlock_try_read_lock(&l) == 0);
        rv_rwlock_read_unlock(&l);
        RV_CHECK(rv_rwlock_try_write_lock(&l) == 0);
        rv_rwlock_write_unlock(&l);
    }
}

static void readers_are_inside_together(void)
{
    struct play_state at = {.l = RV_RWLOCK_INIT, .leave = RV_EVENT_INIT};
    struct visit visits[LINE];
    read_lock(&at.l);
    for (int i = 0; i < LINE; i++) {
        visits[i] = (struct visit){&at, i};
        start(read_until_told, &visits[i]);
    }
    until_steps(&at, LINE);
    rv_rwlock_read_unlock(&at.l);
    RV_CHECK(rv_rwlock_try_write_lock(&at.l) == -EAGAIN);
    rv_event_set(&at.leave);
    finish();
    RV_CHECK(rv_rwlock_try_write_lock(&at.l) == 0);
    rv_rwlock_write_unlock(&at.l);
}

static int find_it_written(void *arg)
{
    struct rv_rwlock *l = arg;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    RV_CHECK(rv_rwlock_try_read_lock(l) == -EAGAIN);
    RV_CHECK(rv_rwlock_try_write_lock(l) == -EAGAIN);
    RV_CHECK(rv_rwlock_read_lock(l, 0) == -ETIME);
    RV_CHECK(rv_rwlock_write_lock(l, 0) == -ETIME);
    RV_CHECK(rv_rwlock_read_lock(l, deadline) == -ETIME);
    RV_CHECK(rv_rwlock_write_lock(l, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    return 0;
}

static void a_writer_keeps_everybody_out(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    write_lock(&l);
    for (int i = 0; i < 2; i++)
        start(find_it_written, &l);
    finish();
    rv_rwlock_write_unlock(&l);
    write_lock(&l); /* nobody was left in line to have it */
    rv_rwlock_write_unlock(&l);
}

static int find_it_read(void *arg)
{
    struct rv_rwlock *l = arg;
    RV_CHECK(rv_rwlock_try_write_lock(l) == -EAGAIN);
    RV_CHECK(rv_rwlock_write_lock(l, rv_after(RV_MILLISECOND)) == -ETIME);
    read_lock(l); /* no writer is left in line to keep us out */
    rv_rwlock_read_unlock(l);
    return 0;
}

static void readers_keep_writers_out(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    start(find_it_read, &l);
    finish();
    rv_rwlock_read_unlock(&l);
}

static int find_a_writer_in_line(void *arg)
{
    struct visit *v = arg;
    RV_CHECK(rv_rwlock_try_read_lock(&v->at->l) == -EAGAIN);
    RV_CHECK(rv_rwlock_read_lock(&v->at->l, 0) == -ETIME);
    leave_trace(v);
    return 0;
}

static void a_writer_in_line_keeps_new_readers_out(void)
{
    struct play_state at = {.l = RV_RWLOCK_INIT};
    struct visit writer = {&at, 1}, reader = {&at, 100};
    read_lock(&at.l);
    start(write_once, &writer);
    until_writers_wait(&at.l, 1);
    start(find_a_writer_in_line, &reader);
    start_thread(find_a_writer_in_line, &reader);
    until_steps(&at, 2);
    RV_CHECK(at.trace[0] == 100 && at.trace[1] == 100);
    rv_rwlock_read_unlock(&at.l);
    finish();
    RV_CHECK(at.trace[2] == 1);
}

/* Three writers came first, then readers: after the first writer all the readers are let in, at one
 * time, and only then the second writer. */
static void phases_of_readers_and_single_writers_take_turns(void)
{
    struct play_state at = {.l = RV_RWLOCK_INIT, .leave = RV_EVENT_INIT};
    struct visit writers[3], readers[LINE];
    write_lock(&at.l);
    for (int i = 0; i < 3; i++) {
        writers[i] = (struct visit){&at, i};
        start(write_once, &writers[i]);
        until_writers_wait(&at.l, (size_t)i + 1);
    }
    for (int i = 0; i < LINE; i++) {
        readers[i] = (struct visit){&at, 100};
        start(read_until_told, &readers[i]);
        until_readers_wait(&at.l, (size_t)i + 1);
    }
    rv_rwlock_write_unlock(&at.l);
    until_steps(&at, LINE);
    until_writers_wait(&at.l, 3);
    rv_event_set(&at.leave);
    finish();
    for (int i = 0; i < LINE; i++)
        RV_CHECK(at.trace[i] == 100);
    for (int i = 0; i < 3; i++)
        RV_CHECK(at.trace[LINE + i] == i);
}

static int give_up_writing(void *arg)
{
    struct visit *v = arg;
    RV_CHECK(rv_rwlock_write_lock(&v->at->l, rv_after(5 * RV_MILLISECOND)) == -ETIME);
    leave_trace(v);
    return 0;
}

/* The lock is read throughout: had the writer not opened the way, they would wait for ever. */
static void the_last_writer_that_gives_up_lets_the_readers_in(void)
{
    struct play_state at = {.l = RV_RWLOCK_INIT, .leave = RV_EVENT_INIT};
    struct lines *lines = (struct lines *)&at.l;
    struct visit writer = {&at, 1}, readers[LINE];
    rv_event_set(&at.leave);
    read_lock(&at.l);
    start(give_up_writing, &writer);
    while (count_line(&lines->lock, &lines->writers) == 0 && rvi_load_relaxed(&at.steps) == 0)
        rv_yield();
    for (int i = 0; i < LINE; i++) {
        readers[i] = (struct visit){&at, 100};
        start(read_until_told, &readers[i]);
    }
    until_steps(&at, LINE + 1);
    rv_rwlock_read_unlock(&at.l);
    finish();
}

struct ledger {
    struct rv_rwlock l;
    long left, right; /* equal whenever nobody writes */
};

static int keep_books(void *arg)
{
    struct ledger *ledger = arg;
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 3 == 0) {
            write_lock(&ledger->l);
            ledger->left++;
            if (i % 2 == 0)
                rv_yield();
            ledger->right++;
            rv_rwlock_write_unlock(&ledger->l);
        } else {
            read_lock(&ledger->l);
            long left = ledger->left;
            if (i % 2 == 0)
                rv_yield();
            RV_CHECK(left == ledger->right);
            rv_rwlock_read_unlock(&ledger->l);
        }
    }
    return 0;
}

static void writers_are_alone(void)
{
    struct ledger ledger = {RV_RWLOCK_INIT, 0, 0};
    for (int i = 0; i < LINE; i++)
        start(keep_books, &ledger);
    finish();
    RV_CHECK(ledger.left == LINE * ((ROUNDS + 2) / 3) && ledger.right == ledger.left);
}

/* --- lifetime --- */

static int write_and_fill(void *arg)
{
    struct rv_rwlock *l = arg;
    write_lock(l);
    memset(l, 0xff, sizeof(*l));
    return 0;
}

static void the_woken_party_may_free_it(void)
{
    struct rv_rwlock l, filled;
    memset(&filled, 0xff, sizeof(filled));
    for (int i = 0; i < 2 * LINE; i++) {
        rv_rwlock_init(&l);
        if (i % 2 == 0)
            read_lock(&l);
        else
            write_lock(&l);
        start(write_and_fill, &l);
        until_writers_wait(&l, 1);
        if (i % 2 == 0)
            rv_rwlock_read_unlock(&l);
        else
            rv_rwlock_write_unlock(&l);
        finish();
        RV_CHECK(memcmp(&l, &filled, sizeof(l)) == 0);
    }
}

/* --- cancellation --- */

static int write_cancelled(void *arg)
{
    struct rv_rwlock *l = arg;
    RV_CHECK(rv_rwlock_write_lock(l, RV_NEVER) == -ECANCELED);
    RV_CHECK(rv_rwlock_read_lock(l, RV_NEVER) == -ECANCELED); /* though it could have it */
    RV_CHECK(rv_rwlock_try_read_lock(l) == 0);
    rv_rwlock_read_unlock(l);
    return 0;
}

static int read_cancelled(void *arg)
{
    RV_CHECK(rv_rwlock_read_lock(arg, RV_NEVER) == -ECANCELED);
    return 0;
}

static void cancelled_tasks_leave_the_line(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    RV_CHECK(rv_go(now_on.scope, write_cancelled, &l) == 0);
    until_writers_wait(&l, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    rv_rwlock_read_unlock(&l);
    open_stage();
    write_lock(&l);
    RV_CHECK(rv_go(now_on.scope, read_cancelled, &l) == 0);
    until_readers_wait(&l, 1);
    rv_scope_cancel(now_on.scope, -EIO);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    rv_rwlock_write_unlock(&l);
    open_stage();
}

/* --- misuse --- */

static void write_twice(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    write_lock(&l);
    (void)!rv_rwlock_write_lock(&l, RV_NEVER);
}

static void read_while_writing(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    write_lock(&l);
    (void)!rv_rwlock_try_read_lock(&l);
}

static void write_while_reading(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    (void)!rv_rwlock_write_lock(&l, RV_NEVER);
}

static void read_twice(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    (void)!rv_rwlock_read_lock(&l, RV_NEVER);
}

static void read_unlock_unlocked(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    rv_rwlock_read_unlock(&l);
}

static void write_unlock_unlocked(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    rv_rwlock_write_unlock(&l);
}

static void write_unlock_what_is_read(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    rv_rwlock_write_unlock(&l);
}

static int read_unlock(void *arg)
{
    rv_rwlock_read_unlock(arg);
    return 0;
}

static void read_unlock_for_another(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    read_lock(&l);
    start(read_unlock, &l);
    finish();
}

static int read_for_good(void *arg)
{
    read_lock(arg);
    return 0;
}

static void read_unlock_twice_for_two(void)
{
    struct rv_rwlock l = RV_RWLOCK_INIT;
    start(read_for_good, &l);
    finish();
    read_lock(&l);
    rv_rwlock_read_unlock(&l);
    rv_rwlock_read_unlock(&l);
}

static void misuse_stops_the_program(void **state)
{
    static const enum stage stages[] = {THREADS, ONE_WORKER};
    static const struct {
        play *fn;
        const char *message;
    } misuses[] = {
        {write_twice, "rv_rwlock_write_lock: the caller holds this lock for writing already"},
        {read_while_writing, "rv_rwlock_read_lock: the caller holds this lock for writing already"},
        {write_while_reading,
         "rv_rwlock_write_lock: the caller holds this lock for reading already"},
        {read_twice, "rv_rwlock_read_lock: the caller holds this lock for reading already"},
        {read_unlock_unlocked, "rv_rwlock_read_unlock: the caller, or somebody"},
        {read_unlock_for_another, "rv_rwlock_read_unlock: the caller, or somebody"},
        {read_unlock_twice_for_two, "rv_rwlock_read_unlock: the caller, or somebody"},
        {write_unlock_unlocked, "rv_rwlock_write_unlock: the caller does not hold this lock"},
        {write_unlock_what_is_read, "rv_rwlock_write_unlock: the caller does not hold this lock"},
    };
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(misuses) / sizeof(misuses[0]); i++)
        assert_panics(stages[i % 2], misuses[i / 2].fn, misuses[i / 2].message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_and_zeroed_memory_are_the_same),
        ON_EVERY_STAGE(it_can_be_locked_again_once_unlocked),
        ON_EVERY_STAGE(readers_are_inside_together),
        ON_EVERY_STAGE(a_writer_keeps_everybody_out),
        ON_EVERY_STAGE(readers_keep_writers_out),
        ON_EVERY_STAGE(a_writer_in_line_keeps_new_readers_out),
        ON_EVERY_STAGE(phases_of_readers_and_single_writers_take_turns),
        ON_EVERY_STAGE(the_last_writer_that_gives_up_lets_the_readers_in),
        ON_EVERY_STAGE(writers_are_alone),
        ON_EVERY_STAGE(the_woken_party_may_free_it),
        ON_TASKS(cancelled_tasks_leave_the_line),
        cmocka_unit_test(misuse_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
