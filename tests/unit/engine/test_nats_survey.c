/* SPDX-License-Identifier: MIT */
/* test_nats_survey.c - what an observer sees of a pool on a real server. */
#include "engine/queue.h"
#include "engine_party.h"

static rv_time soon(void)
{
    return rvi_clock_now() + INT64_C(5000000000);
}

static struct rvi_engine_survey survey(struct end *end)
{
    struct rvi_engine_survey survey;

    assert_int_equal(rvi_engine_survey(end->e, &survey, soon()), 0);
    return survey;
}

static void waiting_and_leased_tasks_are_counted_by_lane_and_build(void **state)
{
    struct rvi_engine_task high = {.job = "high", .lane = RVI_LANE_HIGH};
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER),
               *observer = open_end(p, RVI_ENGINE_OBSERVER);

    submit(client, "normal", "", NULL);
    submit(client, "normal", "", NULL);
    submit_as(client, NULL, &high, "", 0);
    await(client, STORED, 3);
    rvi_engine_want(worker->e, 1);
    struct told *leased = await(worker, LEASED, 1);
    struct rvi_engine_survey seen = survey(observer);
    assert_int_equal(seen.waiting[RVI_LANE_NORMAL], 2);
    assert_int_equal(seen.waiting[RVI_LANE_HIGH], 0);
    assert_int_equal(seen.leased[RVI_LANE_HIGH], 1);
    assert_int_equal(seen.build_count, 1);
    assert_string_equal(seen.builds[0].build, PARTY_BUILD);
    assert_int_equal(seen.builds[0].waiting, 2);
    assert_int_equal(seen.builds[0].leased, 1);
    assert_true(seen.bytes > 0);
    assert_true(seen.version[0] >= '2');
    rvi_engine_survey_drop(&seen);
    rvi_engine_want(worker->e, 0);
    settle(leased, "");
    await(client, ENDED, 1);
    seen = survey(observer);
    assert_int_equal(seen.results, 1);
    rvi_engine_survey_drop(&seen);
    finish(p);
}

static void workers_are_seen_until_they_leave(void **state)
{
    struct party *p = begin(state);
    struct end *observer, *worker = open_end(p, RVI_ENGINE_WORKER);
    struct rvi_engine_survey seen = {0};

    observer = open_end(p, RVI_ENGINE_OBSERVER);
    rvi_engine_announce(worker->e, 8, 3, false);
    while (seen.member_count == 0) {
        rvi_engine_survey_drop(&seen);
        seen = survey(observer);
    }
    assert_int_equal(seen.member_count, 1);
    assert_int_equal(seen.members[0].slots, 8);
    assert_int_equal(seen.members[0].busy, 3);
    assert_int_equal(seen.members[0].pid, getpid());
    assert_string_equal(seen.members[0].build, PARTY_BUILD);
    assert_non_null(strstr(seen.members[0].program, "nats_survey"));
    assert_true(seen.members[0].seen > 0);
    rvi_engine_announce(worker->e, 8, 0, true);
    while (seen.member_count > 0) {
        rvi_engine_survey_drop(&seen);
        seen = survey(observer);
    }
    rvi_engine_survey_drop(&seen);
    finish(p);
}

static void a_buried_task_is_a_letter_and_ends(void **state)
{
    struct rvi_engine_result killed = {
        .kind = RV_OUTCOME_SIGNAL, .signal = 11, .deaths = 2, .words = "it fell\nin two lines"};
    struct rvi_engine_letters letters;
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER),
               *observer = open_end(p, RVI_ENGINE_OBSERVER);
    char id[RVI_ENGINE_ID_BYTES];

    rvi_engine_want(worker->e, 1);
    submit(client, "deadly", "poison", id);
    rvi_engine_bury(await(worker, LEASED, 1)->lease, &killed);
    struct told *ended = await(client, ENDED, 1);
    assert_int_equal(ended->kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(ended->signal, 11);
    assert_int_equal(ended->deaths, 2);
    assert_string_equal(ended->words, "it fell\nin two lines");
    assert_int_equal(rvi_engine_letters(observer->e, 0, 10, &letters, soon()), 0);
    assert_int_equal(letters.count, 1);
    struct rvi_engine_letter letter = letters.list[0];
    rvi_engine_letters_drop(&letters);
    assert_string_equal(letter.id, id);
    assert_string_equal(letter.job, "deadly");
    assert_string_equal(letter.words, "it fell in two lines");
    assert_int_equal(letter.signal, 11);
    assert_int_equal(letter.attempts, 1);
    assert_int_equal(letter.in_bytes, 6);
    assert_int_equal(rvi_engine_exhume(observer->e, letter.number, true, soon()), 0);
    struct told *again = await(worker, LEASED, 2);
    assert_string_equal(again->job, "deadly");
    assert_string_equal(again->bytes, "poison");
    assert_string_not_equal(again->id, id);
    settle(again, "");
    assert_int_equal(rvi_engine_exhume(observer->e, letter.number, false, soon()), -ENOENT);
    assert_int_equal(rvi_engine_letters(observer->e, 0, 10, &letters, soon()), 0);
    assert_int_equal(letters.count, 0);
    rvi_engine_letters_drop(&letters);
    finish(p);
}

static void letters_are_read_in_pages(void **state)
{
    enum { LETTERS = 5 };
    struct rvi_engine_result lost = {.kind = RV_OUTCOME_LOST};
    struct rvi_engine_letters letters;
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER),
               *observer = open_end(p, RVI_ENGINE_OBSERVER);

    rvi_engine_want(worker->e, 1);
    for (int i = 1; i <= LETTERS; i++) {
        submit(client, "bad", "", NULL);
        rvi_engine_bury(await(worker, LEASED, i)->lease, &lost);
    }
    await(client, ENDED, LETTERS);
    assert_int_equal(rvi_engine_letters(observer->e, 0, 3, &letters, soon()), 0);
    assert_int_equal(letters.count, 3);
    uint64_t last = letters.list[2].number;
    rvi_engine_letters_drop(&letters);
    assert_int_equal(rvi_engine_letters(observer->e, last, 3, &letters, soon()), 0);
    assert_int_equal(letters.count, 2);
    rvi_engine_letters_drop(&letters);
    finish(p);
}

static void an_observer_hears_which_pools_there_are(void **state)
{
    struct rvi_engine_pools pools;
    struct party *p = begin(state);
    struct rvi_engine_opts opts = {.role = RVI_ENGINE_OBSERVER, .url = p->server->url};
    struct rvi_engine *e;
    char words[RVI_ENGINE_WORDS];
    bool is_found = false;

    open_end(p, RVI_ENGINE_CLIENT);
    assert_int_equal(rvi_engine_open(&e, &opts, &(struct rvi_engine_events){0}, NULL, words), 0);
    assert_int_equal(rvi_engine_pools(e, &pools, soon()), 0);
    for (size_t i = 0; i < pools.count; i++)
        is_found |= strcmp(pools.names[i], p->pool) == 0;
    assert_true(is_found);
    rvi_engine_pools_drop(&pools);
    rvi_engine_close(e, soon());
    finish(p);
}

static int pools_of_that_name(struct end *end, const char *name)
{
    struct rvi_engine_pools pools;
    int count = 0;

    assert_int_equal(rvi_engine_pools(end->e, &pools, soon()), 0);
    for (size_t i = 0; i < pools.count; i++)
        count += strcmp(pools.names[i], name) == 0;
    rvi_engine_pools_drop(&pools);
    return count;
}

static void hear_put(void *arg, void *token, int error)
{
    struct told *told = new_told(STORED, token);

    told->error = error;
    add_told(arg, told);
}

static void regress_a_pool_that_has_queues_only_is_seen(void **state)
{
    const struct rvi_engine_queue_events events = {.put = hear_put};
    static const char *const names[] = {"one", "two"};
    struct party *p = begin(state);
    struct end *queuer = open_end(p, RVI_ENGINE_QUEUER);
    struct rvi_engine_queue *q[2];
    struct rvi_engine_letters letters;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(rvi_engine_queue_open(&q[i], queuer->e, names[i], 10, &events, queuer), 0);
        assert_int_equal(rvi_engine_queue_put(q[i], "item", 4, NULL), 0);
        assert_int_equal(await(queuer, STORED, i + 1)->error, 0);
    }
    struct end *observer = open_end(p, RVI_ENGINE_OBSERVER);
    assert_int_equal(pools_of_that_name(observer, p->pool), 1);
    struct rvi_engine_survey seen = survey(observer);
    assert_int_equal(seen.queue_count, 2);
    assert_int_equal(seen.queues[0].waiting + seen.queues[1].waiting, 2);
    assert_int_equal(seen.build_count + seen.member_count, 0);
    assert_true(seen.version[0] >= '2');
    rvi_engine_survey_drop(&seen);
    assert_int_equal(rvi_engine_letters(observer->e, 0, 10, &letters, soon()), 0);
    assert_int_equal(letters.count, 0);
    assert_int_equal(rvi_engine_exhume(observer->e, 1, true, soon()), -ENOENT);
    open_end(p, RVI_ENGINE_CLIENT);
    assert_int_equal(pools_of_that_name(observer, p->pool), 1);
    for (int i = 0; i < 2; i++)
        rvi_engine_queue_close(q[i]);
    finish(p);
}

static void an_observer_of_no_pool_is_told_so(void **state)
{
    struct party *p = begin(state);
    struct rvi_engine_opts opts = end_opts(p, RVI_ENGINE_OBSERVER);
    struct rvi_engine *e;
    char words[RVI_ENGINE_WORDS];

    assert_int_equal(rvi_engine_open(&e, &opts, &(struct rvi_engine_events){0}, NULL, words),
                     -ENOENT);
    assert_non_null(strstr(words, p->pool));
    finish(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_and_leased_tasks_are_counted_by_lane_and_build),
        cmocka_unit_test(workers_are_seen_until_they_leave),
        cmocka_unit_test(a_buried_task_is_a_letter_and_ends),
        cmocka_unit_test(letters_are_read_in_pages),
        cmocka_unit_test(an_observer_hears_which_pools_there_are),
        cmocka_unit_test(regress_a_pool_that_has_queues_only_is_seen),
        cmocka_unit_test(an_observer_of_no_pool_is_told_so),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
