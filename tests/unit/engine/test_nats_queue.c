/* SPDX-License-Identifier: MIT */
/* test_nats_queue.c - durable named queues on a real server. */
#include "engine/queue.h"
#include "engine_party.h"

enum { ITEMS = 64 };

static const int64_t ms = 1000000;

/* Somebody who uses a queue. */
struct user {
    struct party *party;
    struct rvi_engine_queue *q;
    int put, put_error, got, counted, lapsed;
    uint64_t waiting, leased;
    struct rvi_engine_item *item[ITEMS];
    uint64_t delivered[ITEMS];
    char text[ITEMS][16];
};

static void on_put(void *arg, void *token, int error)
{
    struct user *user = arg;

    (void)token;
    pthread_mutex_lock(&user->party->lock);
    user->put++;
    user->put_error = error ? error : user->put_error;
    pthread_cond_broadcast(&user->party->news);
    pthread_mutex_unlock(&user->party->lock);
}

static void on_got(void *arg, struct rvi_engine_item *item)
{
    struct user *user = arg;

    pthread_mutex_lock(&user->party->lock);
    RV_CHECK(user->got < ITEMS);
    snprintf(user->text[user->got], sizeof(user->text[0]), "%.*s", (int)item->count,
             (const char *)item->bytes);
    user->delivered[user->got] = item->delivered;
    user->item[user->got++] = item;
    pthread_cond_broadcast(&user->party->news);
    pthread_mutex_unlock(&user->party->lock);
}

static void on_counted(void *arg, void *token, int error, uint64_t waiting, uint64_t leased)
{
    struct user *user = arg;

    (void)token;
    pthread_mutex_lock(&user->party->lock);
    user->counted++;
    user->put_error = error;
    user->waiting = waiting;
    user->leased = leased;
    pthread_cond_broadcast(&user->party->news);
    pthread_mutex_unlock(&user->party->lock);
}

static void on_lapsed(void *arg, struct rvi_engine_item *item)
{
    struct user *user = arg;

    (void)item;
    pthread_mutex_lock(&user->party->lock);
    user->lapsed++;
    pthread_cond_broadcast(&user->party->news);
    pthread_mutex_unlock(&user->party->lock);
}

static const struct rvi_engine_queue_events queue_events = {
    .put = on_put,
    .got = on_got,
    .counted = on_counted,
    .lapsed = on_lapsed,
};

static void open_user(struct user *user, struct party *p, struct end *end, uint64_t capacity)
{
    *user = (struct user){.party = p};
    assert_int_equal(
        rvi_engine_queue_open(&user->q, end->e, "queue", capacity, &queue_events, user), 0);
}

static void await_number(struct user *user, const int *number, int least)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&user->party->lock);
    while (*number < least &&
           pthread_cond_timedwait(&user->party->news, &user->party->lock, &until) == 0) {}
    assert_true(*number >= least);
    pthread_mutex_unlock(&user->party->lock);
}

static int got_so_far(struct user *user)
{
    pthread_mutex_lock(&user->party->lock);
    int got = user->got;
    pthread_mutex_unlock(&user->party->lock);
    return got;
}

static void put(struct user *user, const char *text)
{
    assert_int_equal(rvi_engine_queue_put(user->q, text, strlen(text), NULL), 0);
}

/* As the server sees it. */
static uint64_t count_unfinished(struct user *user)
{
    int next = user->counted + 1;

    assert_int_equal(rvi_engine_queue_count(user->q, NULL), 0);
    await_number(user, &user->counted, next);
    return user->waiting + user->leased;
}

static void await_unfinished(struct user *user, uint64_t unfinished)
{
    const struct timespec moment = {0, 5 * ms};

    for (int i = 0; i < PATIENCE_S * 200 && count_unfinished(user) != unfinished; i++)
        nanosleep(&moment, NULL);
    assert_int_equal(user->waiting + user->leased, unfinished);
}

static void items_are_got_in_their_order_and_done(void **state)
{
    struct party *p = begin(state);
    struct end *end = open_end(p, RVI_ENGINE_CLIENT);
    struct user user;

    open_user(&user, p, end, 100);
    put(&user, "one");
    await_number(&user, &user.put, 1);
    put(&user, "two");
    await_number(&user, &user.put, 2);
    await_unfinished(&user, 2);
    rvi_engine_queue_want(user.q, 2);
    await_number(&user, &user.got, 2);
    assert_string_equal(user.text[0], "one");
    assert_string_equal(user.text[1], "two");
    await_unfinished(&user, 2);
    assert_int_equal(user.leased, 2);
    rvi_engine_item_done(user.item[0]);
    await_unfinished(&user, 1);
    rvi_engine_item_done(user.item[1]);
    await_unfinished(&user, 0);
    assert_int_equal(user.put_error, 0);
    rvi_engine_queue_close(user.q);
    finish(p);
}

static void an_observer_sees_queues_with_what_waits_and_what_is_leased(void **state)
{
    struct party *p = begin(state);
    struct end *end = open_end(p, RVI_ENGINE_CLIENT), *observer = open_end(p, RVI_ENGINE_OBSERVER);
    struct rvi_engine_survey seen;
    struct user user;

    assert_int_equal(rvi_engine_survey(observer->e, &seen, rvi_clock_now() + 5000 * ms), 0);
    assert_int_equal(seen.queue_count, 0);
    rvi_engine_survey_drop(&seen);
    open_user(&user, p, end, 100);
    for (int i = 1; i <= 3; i++)
        put(&user, "x");
    await_unfinished(&user, 3);
    rvi_engine_queue_want(user.q, 1);
    await_number(&user, &user.got, 1);
    assert_int_equal(rvi_engine_survey(observer->e, &seen, rvi_clock_now() + 5000 * ms), 0);
    assert_int_equal(seen.queue_count, 1);
    assert_string_equal(seen.queues[0].name, "queue");
    assert_int_equal(seen.queues[0].waiting, 2);
    assert_int_equal(seen.queues[0].leased, 1);
    rvi_engine_survey_drop(&seen);
    rvi_engine_queue_close(user.q);
    finish(p);
}

static void an_item_that_goes_back_is_got_again(void **state)
{
    struct party *p = begin(state);
    struct end *one = open_end(p, RVI_ENGINE_CLIENT), *other = open_end(p, RVI_ENGINE_WORKER);
    struct user a, b;

    open_user(&a, p, one, 100);
    open_user(&b, p, other, 100);
    put(&a, "x");
    rvi_engine_queue_want(a.q, 1);
    await_number(&a, &a.got, 1);
    rvi_engine_queue_want(a.q, 0);
    rvi_engine_queue_want(b.q, 1);
    rvi_engine_item_back(a.item[0]);
    await_number(&b, &b.got, 1);
    assert_string_equal(b.text[0], "x");
    assert_int_equal(b.delivered[0], 2);
    rvi_engine_queue_close(b.q); /* gives it back */
    rvi_engine_queue_want(a.q, 1);
    await_number(&a, &a.got, 2);
    rvi_engine_item_done(a.item[1]);
    await_unfinished(&a, 0);
    rvi_engine_queue_close(a.q);
    finish(p);
}

/* Who opens it has what is done removed, and nothing else. */
static void what_others_hold_outlives_an_opening(void **state)
{
    enum { DONE = 4, HELD = 4 };
    struct party *p = begin(state);
    struct end *one = open_end(p, RVI_ENGINE_CLIENT), *other = open_end(p, RVI_ENGINE_WORKER);
    struct user a, b;

    open_user(&a, p, one, 100);
    rvi_engine_queue_want(a.q, DONE + HELD);
    for (int i = 0; i < DONE + HELD; i++)
        put(&a, "x");
    await_number(&a, &a.got, DONE + HELD);
    for (int i = 0; i < DONE; i++)
        rvi_engine_item_done(a.item[i]);
    await_unfinished(&a, HELD);
    open_user(&b, p, other, 100);
    assert_int_equal(count_unfinished(&b), HELD);
    rvi_engine_queue_want(a.q, 0);
    rvi_engine_queue_want(b.q, HELD);
    for (int i = DONE; i < DONE + HELD; i++)
        rvi_engine_item_back(a.item[i]);
    await_number(&b, &b.got, HELD);
    rvi_engine_queue_close(b.q);
    rvi_engine_queue_close(a.q);
    finish(p);
}

static void a_full_queue_refuses(void **state)
{
    struct party *p = begin(state);
    struct end *end = open_end(p, RVI_ENGINE_CLIENT);
    struct user user;

    open_user(&user, p, end, 2);
    for (int i = 0; i < 3; i++)
        put(&user, "x");
    await_number(&user, &user.put, 3);
    assert_int_equal(user.put_error, -EAGAIN);
    await_unfinished(&user, 2);
    rvi_engine_queue_close(user.q);
    finish(p);
}

/* Whether another one gets it meanwhile. */
static bool lapses_while_held(struct party *p, int64_t lease)
{
    const struct timespec twice = {2 * lease / (1000 * ms), 2 * lease % (1000 * ms)};
    p->opts.lease = lease;
    struct end *one = open_end(p, RVI_ENGINE_CLIENT), *other = open_end(p, RVI_ENGINE_CLIENT);
    struct user a, b;

    open_user(&a, p, one, 100);
    put(&a, "x");
    await_number(&a, &a.put, 1);
    rvi_engine_queue_close(a.q);
    open_user(&a, p, one, 100);
    open_user(&b, p, other, 100);
    rvi_engine_queue_want(a.q, 1);
    await_number(&a, &a.got, 1);
    rvi_engine_queue_want(b.q, 1);
    nanosleep(&twice, NULL);
    bool lapses = got_so_far(&b) > 0;
    rvi_engine_item_done(a.item[0]);
    if (lapses)
        rvi_engine_item_done(b.item[0]);
    await_unfinished(&a, 0);
    rvi_engine_queue_close(a.q);
    rvi_engine_queue_close(b.q);
    return lapses;
}

/* A machine that stands still for longer than a lease needs a longer one. */
static void a_held_item_is_extended_and_outlives_its_putter(void **state)
{
    bool lapses = true;

    for (int64_t lease = 300 * ms; lapses; lease *= 10) {
        assert_true(lease <= 30000 * ms);
        struct party *p = begin(state);
        lapses = lapses_while_held(p, lease);
        finish(p);
    }
}

/* What was done shortly before may come once more, and is done once more; what the server has again
 * behind that takes no room and is not counted. */
static void a_killed_server_loses_no_item_and_brings_none_back(void **state)
{
    enum { ROOM = 25 }; /* less than all that was ever put, more than what may come again */
    struct nats_server server;

    if (!nats_server_start(&server, NULL))
        skip();
    struct party *p = begin(state);
    p->server = &server;
    p->opts.lease = 300 * ms;
    struct end *end = open_end(p, RVI_ENGINE_CLIENT);
    struct user user;
    open_user(&user, p, end, ROOM);
    for (int i = 0; i < 20; i++)
        put(&user, "x");
    await_number(&user, &user.put, 20);
    rvi_engine_queue_want(user.q, 10);
    await_number(&user, &user.got, 10);
    rvi_engine_queue_want(user.q, 0);
    for (int i = 0; i < 8; i++)
        rvi_engine_item_done(user.item[i]);
    await_unfinished(&user, 12);
    nats_server_kill(&server);
    put(&user, "y");
    rvi_engine_item_done(user.item[8]);
    rvi_engine_item_done(user.item[9]);
    assert_true(nats_server_restart(&server));
    await_number(&user, &user.put, 21);
    assert_int_equal(user.put_error, 0);
    rvi_engine_queue_want(user.q, 20);
    const struct timespec moment = {0, 5 * ms};
    bool has_y = false;
    for (int done = 10; count_unfinished(&user) > 0; nanosleep(&moment, NULL)) {
        for (; done < got_so_far(&user); done++) {
            has_y |= strcmp(user.text[done], "y") == 0;
            rvi_engine_item_done(user.item[done]);
        }
    }
    assert_true(has_y);
    rvi_engine_queue_want(user.q, 0);
    for (int i = 0; i < ROOM; i++)
        put(&user, "z");
    await_number(&user, &user.put, 21 + ROOM);
    assert_int_equal(user.put_error, 0);
    rvi_engine_queue_close(user.q);
    finish(p);
    nats_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_got_in_their_order_and_done),
        cmocka_unit_test(an_observer_sees_queues_with_what_waits_and_what_is_leased),
        cmocka_unit_test(an_item_that_goes_back_is_got_again),
        cmocka_unit_test(what_others_hold_outlives_an_opening),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_held_item_is_extended_and_outlives_its_putter),
        cmocka_unit_test(a_killed_server_loses_no_item_and_brings_none_back),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
