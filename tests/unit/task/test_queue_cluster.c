/* SPDX-License-Identifier: MIT */
/* test_queue_cluster.c - queues that lie in a cluster's engine: two handles stand for two programs.
 * The engine is one in memory; at the end it is a real one, where that is installed. How that one
 * takes a crash is for tests/unit/engine/test_nats_queue.c. */
#include "task/queue_cluster.h"

#include "../../support/engine_queues.h"
#include "../../support/every_point.h"
#include "../../support/nats_server.h"
#include "queue_test.h"

static const char *address = "cluster:queues://memory/pool/items";

static rv_queue *open_one(size_t capacity)
{
    rv_queue *q = NULL;

    RV_CHECK(rv_queue_open(&q, address, sizeof(int), capacity, NULL) == 0);
    return q;
}

static rv_queue *open_fresh(size_t capacity)
{
    engine_queues_reset();
    return open_one(capacity);
}

/* --- opening --- */

static int open_error(const char *at, size_t item_bytes, size_t capacity)
{
    rv_queue *q = NULL;
    int r = rv_queue_open(&q, at, item_bytes, capacity, NULL);

    assert_true((r == 0) == (q != NULL));
    rv_queue_free(q);
    return r;
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "items",
        "cluster:",
        "cluster:items", /* there is no RAVEL_CLUSTER */
        "queues://memory/pool/items",
        "cluster:queues://memory/pool/",
        "cluster:queues://memory/pool/two words",
        "cluster:queues://memory/po.ol/items",
        "cluster:queues://me@memory/pool/items",
        "cluster:/items",
    };

    (void)state;
    engine_queues_reset();
    unsetenv("RAVEL_CLUSTER");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(open_error(wrong[i], sizeof(int), 1), -EINVAL);
    assert_int_equal(open_error("cluster:nobody://memory/pool/items", 4, 1), -EPROTONOSUPPORT);
    assert_int_equal(open_error(address, 0, 1), -EINVAL);
    assert_int_equal(open_error(address, 4, 0), -EINVAL);
    assert_int_equal(open_error(address, (512 << 10) + 1, 1), -EMSGSIZE);
    assert_int_equal(open_error(address, 512 << 10, 1), 0);
}

static void a_name_alone_is_one_in_the_pool_of_the_environment(void **state)
{
    (void)state;
    rv_queue *q = open_fresh(4), *named = NULL;
    put_int(q, 7);
    setenv("RAVEL_CLUSTER", "queues://memory/pool", 1);
    assert_int_equal(rv_queue_open(&named, "cluster:items", sizeof(int), 1, NULL), 0);
    unsetenv("RAVEL_CLUSTER");
    assert_int_equal(get_int(named), 7);
    rv_queue_free(named);
    rv_queue_free(q);
}

static void why_it_cannot_be_opened_is_said(void **state)
{
    struct queue_faults broken = {.open = -ECONNREFUSED};
    char words[128] = "";
    struct rv_cluster_opts opts = {
        .size = sizeof(opts), .words = words, .words_bytes = sizeof(words)};
    rv_queue *q = NULL;

    (void)state;
    engine_queues_reset();
    engine_queues_break(&broken);
    assert_int_equal(rv_queue_open(&q, address, 4, 1, &opts), -ECONNREFUSED);
    assert_string_equal(words, "nobody is there");
    broken = (struct queue_faults){.open_queue = -EOPNOTSUPP};
    engine_queues_break(&broken);
    assert_int_equal(rv_queue_open(&q, address, 4, 1, &opts), -EOPNOTSUPP);
    assert_true(words[0] != '\0');
    assert_int_equal(rv_queue_open(&q, "here", 4, 1, &opts), -EINVAL);
    assert_non_null(strstr(words, "cluster:nats://host:4222/pool/name"));
    assert_null(q);
}

/* --- between programs --- */

static void a_handle_finds_what_others_have_put(void **state)
{
    (void)state;
    rv_queue *mine = open_fresh(4), *theirs = open_one(1);
    put_int(mine, 1);
    put_int(theirs, 2);
    assert_int_equal(get_int(theirs), 1);
    assert_int_equal(get_int(mine), 2);
    assert_true(stats_are(mine, 0, 2));
    assert_int_equal(rv_queue_done(theirs), 0);
    assert_int_equal(rv_queue_done(theirs), -EINVAL);
    assert_true(stats_are(theirs, 0, 1));
    assert_int_equal(rv_queue_done(mine), 0);
    assert_int_equal(rv_queue_join(mine, RV_NEVER), 0);
    rv_queue_free(mine);
    rv_queue_free(theirs);
}

static void it_outlives_its_programs(void **state)
{
    (void)state;
    rv_queue *q = open_fresh(4);
    put_int(q, 1);
    put_int(q, 2);
    assert_int_equal(get_int(q), 1);
    rv_queue_free(q); /* what it had got goes back */
    q = open_one(4);
    assert_true(stats_are(q, 2, 2));
    assert_int_equal(get_int(q), 1);
    assert_int_equal(get_int(q), 2);
    rv_queue_free(q);
}

static void removed_it_is_gone_for_all(void **state)
{
    (void)state;
    rv_queue *q = open_fresh(4), *local;
    put_int(q, 1);
    assert_int_equal(get_int(q), 1);
    put_int(q, 2);
    assert_int_equal(rv_queue_drop(q, RV_NEVER), 0);
    assert_int_equal(rv_queue_done(q), 0); /* of what nobody knows any more */
    rv_queue_free(q);
    q = open_one(4);
    assert_true(stats_are(q, 0, 0));
    rv_queue_free(q);
    assert_int_equal(rv_queue_new(&local, 4, 4), 0);
    assert_int_equal(rv_queue_drop(local, RV_NEVER), -EINVAL);
    rv_queue_free(local);
}

static void what_lapses_is_got_again(void **state)
{
    (void)state;
    rv_queue *q = open_fresh(4), *other = open_one(4);
    put_int(q, 5);
    assert_int_equal(get_int(q), 5);
    engine_queues_lapse();
    assert_int_equal(get_int(other), 5);
    assert_int_equal(rv_queue_done(q), 0); /* too late, and no harm */
    assert_true(stats_are(q, 0, 1));
    assert_int_equal(rv_queue_done(other), 0);
    assert_true(stats_are(q, 0, 0));
    rv_queue_free(q);
    rv_queue_free(other);
}

static void an_item_of_another_size_is_taken_out(void **state)
{
    int item = 3;

    (void)state;
    rv_queue *q = open_fresh(4);
    engine_queues_put("items", "abc", 3);
    put_int(q, 4);
    assert_int_equal(rv_queue_get(q, &item, RV_NEVER), -EBADMSG);
    assert_int_equal(item, 3);
    assert_int_equal(get_int(q), 4);
    assert_true(stats_are(q, 0, 1));
    rv_queue_free(q);
}

static void only_what_is_asked_for_is_leased(void **state)
{
    int item;

    (void)state;
    rv_queue *q = open_fresh(4), *other = open_one(4);
    assert_int_equal(rv_queue_get(q, &item, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(engine_queues_wanted(), 0);
    put_int(q, 1);
    put_int(q, 2);
    assert_int_equal(get_int(q), 1);
    assert_int_equal(get_int(other), 2);
    assert_int_equal(engine_queues_wanted(), 0);
    rv_queue_free(q);
    rv_queue_free(other);
}

/* --- one after the other --- */

static void full_empty_and_closed_queues_say_so(void **state)
{
    const int item = 9;
    int got;

    (void)state;
    rv_queue *q = open_fresh(2), *other = open_one(2);
    assert_int_equal(rv_queue_try_get(q, &got), -EAGAIN);
    put_int(q, 1);
    put_int(q, 2);
    assert_int_equal(rv_queue_try_put(q, &item), -EAGAIN);
    assert_int_equal(rv_queue_put(q, &item, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(rv_queue_try_get(q, &got), 0);
    assert_int_equal(got, 1);
    assert_int_equal(rv_queue_try_put(q, &item), -EAGAIN); /* it may have to go back */
    assert_int_equal(rv_queue_done(q), 0);
    assert_int_equal(rv_queue_try_put(q, &item), 0);
    rv_queue_close(q);
    rv_queue_close(q);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_try_put(q, &item), -EPIPE);
    assert_int_equal(get_int(q), 2);
    assert_int_equal(rv_queue_try_get(q, &got), 0);
    assert_int_equal(rv_queue_try_get(q, &got), -EPIPE);
    assert_int_equal(rv_queue_get(q, &got, RV_NEVER), -EPIPE);
    assert_int_equal(rv_queue_done(q) + rv_queue_done(q), 0);
    put_int(other, 4); /* for others it is open */
    assert_int_equal(get_int(other), 4);
    rv_queue_free(q);
    rv_queue_free(other);
}

static void what_the_engine_refuses_is_said(void **state)
{
    struct queue_faults broken = {.put = -ENOSPC, .puts = 1};
    const int item = 1;

    (void)state;
    rv_queue *q = open_fresh(2);
    engine_queues_break(&broken);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER), -ENOSPC);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER), 0);
    broken = (struct queue_faults){.put = -EAGAIN, .puts = 3};
    engine_queues_break(&broken);
    assert_int_equal(rv_queue_put(q, &item, RV_NEVER),
                     0); /* there was no room, and then there was */
    broken = (struct queue_faults){.count = -EACCES};
    engine_queues_break(&broken);
    assert_int_equal(rv_queue_join(q, RV_NEVER), -EACCES);
    rv_queue_free(q);
}

static void while_the_engine_is_away_all_wait(void **state)
{
    const struct queue_faults away = {.is_away = true}, none = {0};
    const int item = 1;
    int got;

    (void)state;
    rv_queue *q = open_fresh(4);
    engine_queues_break(&away);
    assert_int_equal(rv_queue_put(q, &item, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(rv_queue_get(q, &got, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(rv_queue_join(q, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(rv_queue_drop(q, rv_after(RV_MILLISECOND)), -ETIME);
    assert_int_equal(engine_queues_unanswered(), 3);
    engine_queues_break(&none);
    while (engine_queues_unanswered() > 0)
        rv_yield();
    rv_queue_free(q);
    q = open_fresh(4);
    engine_queues_break(&away);
    assert_int_equal(rv_queue_put(q, &item, rv_after(RV_MILLISECOND)), -ETIME);
    rv_queue_free(q); /* and nobody is told any more */
}

static void done_is_about_the_callers_oldest(void **state)
{
    (void)state;
    rv_queue *q = open_fresh(4);
    put_int(q, 1);
    put_int(q, 2);
    assert_int_equal(get_int(q), 1);
    assert_int_equal(get_int(q), 2);
    assert_int_equal(rv_queue_done(q), 0);
    rv_queue_free(q);
    q = open_one(4);
    assert_int_equal(get_int(q), 2);
    rv_queue_free(q);
}

static void it_is_no_case_and_no_reference(void **state)
{
    struct rv_queue_ref ref;
    int item = 0;

    (void)state;
    rv_queue *q = open_fresh(1);
    struct rv_case cases[] = {RV_GET(q, &item)};
    assert_int_equal(rv_queue_ref_of(q, &ref), -EINVAL);
    assert_int_equal(rv_select(cases, 1, RV_NEVER), -EOPNOTSUPP);
    rv_queue_free(q);
}

/* --- waiting --- */

static void the_last_done_ends_all_joins(void)
{
    rv_queue *q = open_fresh(8);

    put_int(q, 1);
    for (int i = 0; i < 3; i++)
        start(join, q);
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(rv_queue_done(q) == 0);
    finish();
    rv_queue_free(q);
}

static void a_put_waits_until_something_is_done(void)
{
    rv_queue *q = open_fresh(1);

    put_int(q, 1);
    start(put_two, q);
    RV_CHECK(get_int(q) == 1);
    RV_CHECK(rv_queue_done(q) == 0);
    RV_CHECK(get_int(q) == 2);
    finish();
    rv_queue_free(q);
}

static void all_that_is_put_is_done(void)
{
    rv_queue *q = open_fresh(16), *other = open_one(16);

    for (int i = 0; i < LINE; i++)
        start(serve_until_closed, i % 2 ? q : other);
    for (int i = 0; i < ITEMS; i++)
        put_int(i % 2 ? other : q, i);
    RV_CHECK(rv_queue_join(q, RV_NEVER) == 0);
    rv_queue_close(q);
    rv_queue_close(other);
    finish();
    RV_CHECK(stats_are(q, 0, 0));
    rv_queue_free(q);
    rv_queue_free(other);
}

static void closing_wakes_who_gets(void)
{
    rv_queue *q = open_fresh(4);

    for (int i = 0; i < 3; i++)
        start(serve_until_closed, q);
    while (engine_queues_wanted() < 3)
        rv_yield();
    rv_queue_close(q);
    finish();
    rv_queue_free(q);
}

static void joining_gives_up_at_its_deadline(void)
{
    check_joining_gives_up_at_its_deadline(open_fresh(4));
}

static void daemons_are_cancelled_once_joined(void)
{
    check_daemons_are_cancelled_once_joined(open_fresh(16));
}

/* --- cut short --- */

static int get_and_done(void *q)
{
    int item, r = rv_queue_get(q, &item, RV_NEVER);

    return r < 0 ? r : rv_queue_done(q);
}

static int scene_of_a_queue(void *arg)
{
    struct rv_queue_stats stats = {.size = sizeof(stats)};
    rv_queue *q = NULL;
    int err = 0, r, item = 1;

    (void)arg;
    engine_queues_reset();
    r = rv_queue_open(&q, address, sizeof(int), 1, NULL);
    if (r < 0)
        return r;
    RV_SCOPE(getters, err) {
        r = rv_go(getters, get_and_done, q);
        if (r == 0)
            r = rv_queue_put(q, &item, RV_NEVER);
        if (r == 0)
            r = rv_queue_join(q, RV_NEVER);
        if (r < 0)
            rv_scope_cancel(getters, -ECANCELED);
    }
    if (r == 0 || r == -ECANCELED)
        r = err; /* the getter's, which has cancelled the rest */
    if (r == 0)
        r = rv_queue_stats_read(q, &stats);
    if (r == 0)
        r = rv_queue_drop(q, RV_NEVER);
    rv_queue_free(q);
    return r;
}

static void cancelling_at_every_point_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned workers = 1; workers <= 2; workers++)
        cancel_at_every_point(scene_of_a_queue, workers);
}

static void failing_every_allocation_leaves_nothing_behind(void **state)
{
    (void)state;
    fail_every_allocation(scene_of_a_queue, 1);
}

static void free_with_a_getter(void)
{
    rv_queue *q = open_fresh(1);

    start(serve_until_closed, q);
    while (engine_queues_wanted() < 1)
        rv_yield();
    rv_queue_free(q);
}

static void free_while_somebody_waits_stops_the_program(void **state)
{
    (void)state;
    assert_panics(THREADS, free_with_a_getter, "rv_queue_free: somebody still waits");
    assert_panics(ONE_WORKER, free_with_a_getter, "rv_queue_free: somebody still waits");
}

/* --- a real engine --- */

static struct nats_server server;
static char real_address[128];

static rv_queue *open_real(size_t capacity)
{
    rv_queue *q = NULL;
    char words[256] = "";
    struct rv_cluster_opts opts = {
        .size = sizeof(opts), .words = words, .words_bytes = sizeof(words)};
    int r = rv_queue_open(&q, real_address, sizeof(int), capacity, &opts);

    if (r == -EOPNOTSUPP || r == -EPROTONOSUPPORT || r == -ENOSYS)
        return NULL;
    if (r < 0)
        fprintf(stderr, "%s: %s\n", real_address, words);
    RV_CHECK(r == 0);
    return q;
}

/* NULL: this build or this machine has none. */
static rv_queue *begin_real(size_t capacity)
{
    if (!nats_server_start(&server, NULL))
        return NULL;
    snprintf(real_address, sizeof(real_address), "cluster:%s/pool/items", server.url);
    rv_queue *q = open_real(capacity);
    if (!q)
        nats_server_stop(&server);
    return q;
}

static void serve_really(rv_queue *q, rv_queue *other)
{
    for (int i = 0; i < 100; i++)
        put_int(q, i);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(get_int(i % 2 ? q : other), i);
        assert_int_equal(rv_queue_done(i % 2 ? q : other), 0);
    }
    assert_int_equal(rv_queue_join(q, rv_after(30 * RV_SECOND)), 0);
    assert_true(stats_are(other, 0, 0));
}

static void a_real_engine_keeps_a_queue(void **state)
{
    const int item = 3;

    (void)state;
    rv_queue *q = begin_real(100);
    if (!q)
        skip();
    rv_queue *other = open_real(1);
    serve_really(q, other);
    rv_queue_free(other);
    for (int i = 0; i < 100; i++)
        put_int(q, i);
    assert_int_equal(rv_queue_try_put(q, &item), -EAGAIN);
    assert_int_equal(get_int(q), 0);
    rv_queue_free(q);
    q = open_real(100); /* what the other had goes back, as it was let go of */
    int got = get_int(q);
    assert_true(got == 0 || got == 1);
    assert_int_equal(rv_queue_drop(q, rv_after(30 * RV_SECOND)), 0);
    rv_queue_free(q);
    q = open_real(100);
    assert_true(stats_are(q, 0, 0));
    rv_queue_free(q);
    nats_server_stop(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_name_alone_is_one_in_the_pool_of_the_environment),
        cmocka_unit_test(why_it_cannot_be_opened_is_said),
        cmocka_unit_test(a_handle_finds_what_others_have_put),
        cmocka_unit_test(it_outlives_its_programs),
        cmocka_unit_test(removed_it_is_gone_for_all),
        cmocka_unit_test(what_lapses_is_got_again),
        cmocka_unit_test(an_item_of_another_size_is_taken_out),
        cmocka_unit_test(only_what_is_asked_for_is_leased),
        cmocka_unit_test(full_empty_and_closed_queues_say_so),
        cmocka_unit_test(what_the_engine_refuses_is_said),
        cmocka_unit_test(while_the_engine_is_away_all_wait),
        cmocka_unit_test(done_is_about_the_callers_oldest),
        cmocka_unit_test(it_is_no_case_and_no_reference),
        ON_EVERY_STAGE(the_last_done_ends_all_joins),
        ON_EVERY_STAGE(a_put_waits_until_something_is_done),
        ON_EVERY_STAGE(all_that_is_put_is_done),
        ON_EVERY_STAGE(closing_wakes_who_gets),
        ON_EVERY_STAGE(joining_gives_up_at_its_deadline),
        ON_TASKS(daemons_are_cancelled_once_joined),
        cmocka_unit_test(cancelling_at_every_point_leaves_nothing_behind),
        cmocka_unit_test(failing_every_allocation_leaves_nothing_behind),
        cmocka_unit_test(free_while_somebody_waits_stops_the_program),
        cmocka_unit_test(a_real_engine_keeps_a_queue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
