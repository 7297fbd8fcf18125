/* SPDX-License-Identifier: MIT */
/* test_cond.c - conditions, on every stage of stage.h. */
#include <ravel/sync.h>

#include <errno.h>

#include "stage.h"

#include "base/alloc.h"

enum { LINE = 5, ITEMS = 500, ROOM = 3 };

/* A mutex, a condition, and what the parties tell each other; all under the mutex. */
struct room {
    struct rv_mutex m;
    struct rv_cond c;
    int tickets;
    int trace[LINE + 1]; /* [0] counts */
};

#define ROOM_INIT                                                                                  \
    {                                                                                              \
        RV_MUTEX_INIT, RV_COND_INIT, 0,                                                            \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

struct guest {
    struct room *room;
    int number;
    int result;
};

static void lock(struct rv_mutex *m)
{
    RV_CHECK(rv_mutex_lock(m, RV_NEVER) == 0);
}

/* Waits once and notes when it came back. */
static int wait_once(void *arg)
{
    struct guest *guest = arg;
    struct room *room = guest->room;
    lock(&room->m);
    guest->result = rv_cond_wait(&room->c, &room->m, RV_NEVER);
    room->trace[++room->trace[0]] = guest->number;
    rv_mutex_unlock(&room->m);
    return 0;
}

static void line_up(struct room *room, struct guest *guests)
{
    for (int i = 0; i < LINE; i++) {
        guests[i] = (struct guest){room, i, 1};
        start(wait_once, &guests[i]);
        until_waiting(&room->c, (size_t)i + 1);
    }
}

static void check_trace(const struct room *room, const struct guest *guests)
{
    RV_CHECK(room->trace[0] == LINE);
    for (int i = 0; i < LINE; i++)
        RV_CHECK(room->trace[i + 1] == i && guests[i].result == 0);
}

static void init_and_zeroed_memory_are_the_same(void **state)
{
    static const struct rv_cond fresh = RV_COND_INIT;
    struct rv_cond c;
    (void)state;
    memset(&c, 0xff, sizeof(c));
    rv_cond_init(&c);
    assert_memory_equal(&c, &fresh, sizeof(c));
}

static void a_signal_without_waiters_is_gone(void)
{
    struct room room = ROOM_INIT;
    rv_cond_signal(&room.c);
    rv_cond_broadcast(&room.c);
    lock(&room.m);
    RV_CHECK(rv_cond_wait(&room.c, &room.m, rv_after(RV_MILLISECOND)) == -ETIME);
    rv_mutex_unlock(&room.m);
}

static void until_back(struct room *room, int count)
{
    int back;
    do {
        rv_yield();
        lock(&room->m);
        back = room->trace[0];
        rv_mutex_unlock(&room->m);
    } while (back != count);
}

static void each_signal_wakes_the_first_in_line(void)
{
    struct room room = ROOM_INIT;
    struct guest guests[LINE];
    line_up(&room, guests);
    for (int i = 0; i < LINE; i++) {
        lock(&room.m);
        rv_cond_signal(&room.c);
        until_waiting(&room.c, (size_t)(LINE - 1 - i));
        rv_mutex_unlock(&room.m);
        until_back(&room, i + 1);
    }
    finish();
    check_trace(&room, guests);
}

static void a_broadcast_wakes_everybody(void)
{
    struct room room = ROOM_INIT;
    struct guest guests[LINE];
    line_up(&room, guests);
    rv_cond_broadcast(&room.c);
    finish();
    RV_CHECK(room.trace[0] == LINE);
    for (int i = 0; i < LINE; i++)
        RV_CHECK(guests[i].result == 0);
}

static int hold_it_a_while(void *arg)
{
    struct room *room = arg;
    lock(&room->m);
    room->tickets = 1;
    rv_cond_signal(&room->c);
    for (int i = 0; i < 100; i++)
        rv_yield();
    room->tickets = 2;
    rv_mutex_unlock(&room->m);
    return 0;
}

static void the_waiter_returns_with_the_mutex(void)
{
    struct room room = ROOM_INIT;
    lock(&room.m);
    start(hold_it_a_while, &room);
    RV_CHECK(rv_cond_wait(&room.c, &room.m, RV_NEVER) == 0);
    RV_CHECK(room.tickets == 2);
    rv_mutex_unlock(&room.m); /* panics unless held */
    finish();
}

static void a_timed_wait_ends_with_the_mutex_too(void)
{
    struct room room = ROOM_INIT;
    rv_time deadline = rv_after(2 * RV_MILLISECOND);
    lock(&room.m);
    RV_CHECK(rv_cond_wait(&room.c, &room.m, 0) == -ETIME);
    RV_CHECK(rv_cond_wait(&room.c, &room.m, deadline) == -ETIME);
    RV_CHECK(rv_now() >= deadline);
    rv_mutex_unlock(&room.m);
    until_waiting(&room.c, 0);
}

static void a_wait_without_memory_for_its_timer_ends_with_the_mutex_too(void)
{
    struct room room = ROOM_INIT;
    lock(&room.m);
    rvi_alloc_fail_after(1);
    int err = rv_cond_wait(&room.c, &room.m, rv_after(RV_MILLISECOND));
    RV_CHECK(err == (rvi_alloc_fail_pending() ? -ETIME : -ENOMEM));
    rvi_alloc_fail_after(-1);
    rv_mutex_unlock(&room.m);
    until_waiting(&room.c, 0);
}

/* A bounded buffer, as in every textbook: of all signals not one may be lost. */
struct buffer {
    struct rv_mutex m;
    struct rv_cond changed;
    int filled;
    long in;
    long out;
};

static void wait_until(struct buffer *b, int *what, int least, int most)
{
    while (*what < least || *what > most) {
        int err = rv_cond_wait(&b->changed, &b->m, rv_after(100 * RV_MICROSECOND));
        RV_CHECK(err == 0 || err == -ETIME);
    }
}

static int produce(void *arg)
{
    struct buffer *b = arg;
    for (int i = 0; i < ITEMS; i++) {
        lock(&b->m);
        wait_until(b, &b->filled, 0, ROOM - 1);
        b->filled++;
        b->in++;
        rv_mutex_unlock(&b->m);
        rv_cond_broadcast(&b->changed);
    }
    return 0;
}

static int consume(void *arg)
{
    struct buffer *b = arg;
    for (int i = 0; i < ITEMS; i++) {
        lock(&b->m);
        wait_until(b, &b->filled, 1, ROOM);
        b->filled--;
        b->out++;
        rv_cond_broadcast(&b->changed);
        rv_mutex_unlock(&b->m);
    }
    return 0;
}

static void producers_and_consumers_meet(void)
{
    struct buffer b = {RV_MUTEX_INIT, RV_COND_INIT, 0, 0, 0};
    for (int i = 0; i < 2; i++) {
        start(produce, &b);
        start(consume, &b);
    }
    finish();
    RV_CHECK(b.filled == 0 && b.in == 2 * ITEMS && b.out == 2 * ITEMS);
}

/* --- cancellation --- */

static int wait_cancelled(void *arg)
{
    struct room *room = arg;
    lock(&room->m);
    RV_CHECK(rv_cond_wait(&room->c, &room->m, RV_NEVER) == -ECANCELED);
    room->tickets++;
    RV_CHECK(rv_cond_wait(&room->c, &room->m, RV_NEVER) == -ECANCELED);
    room->tickets++;
    rv_cond_signal(&room->c);
    rv_mutex_unlock(&room->m);
    return 0;
}

static void a_cancelled_waiter_returns_with_the_mutex(void)
{
    struct room room = ROOM_INIT;
    RV_CHECK(rv_go(now_on.scope, wait_cancelled, &room) == 0);
    until_waiting(&room.c, 1);
    lock(&room.m);
    rv_scope_cancel(now_on.scope, -EIO);
    until_waiting(&room.c, 0);
    until_waiting(&room.m, 1); /* it needs the mutex, cancelled or not */
    RV_CHECK(room.tickets == 0);
    rv_mutex_unlock(&room.m);
    RV_CHECK(rv_scope_close(now_on.scope) == -EIO);
    open_stage();
    RV_CHECK(room.tickets == 2);
}

/* --- misuse --- */

static void wait_without_the_mutex(void)
{
    struct room room = ROOM_INIT;
    (void)!rv_cond_wait(&room.c, &room.m, RV_NEVER);
}

static void waiting_without_the_mutex_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, wait_without_the_mutex, "rv_cond_wait: the caller does not hold");
    assert_panics(ONE_WORKER, wait_without_the_mutex, "rv_cond_wait: the caller does not hold");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(init_and_zeroed_memory_are_the_same),
        ON_EVERY_STAGE(a_signal_without_waiters_is_gone),
        ON_EVERY_STAGE(each_signal_wakes_the_first_in_line),
        ON_EVERY_STAGE(a_broadcast_wakes_everybody),
        ON_EVERY_STAGE(the_waiter_returns_with_the_mutex),
        ON_EVERY_STAGE(a_timed_wait_ends_with_the_mutex_too),
        performance("a_wait_without_memory_for_its_timer_ends_with_the_mutex_too", on_one_worker,
                    a_wait_without_memory_for_its_timer_ends_with_the_mutex_too),
        ON_EVERY_STAGE(producers_and_consumers_meet),
        ON_TASKS(a_cancelled_waiter_returns_with_the_mutex),
        cmocka_unit_test(waiting_without_the_mutex_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
