/* SPDX-License-Identifier: MIT */
/* test_by_nats.c - a client and workers on a real server: tasks from submission to their end. */
#include "engine_party.h"

static const int64_t ms = 1000000;

static void a_task_is_leased_settled_and_ends(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    submit(client, "add", "12", NULL);
    struct told *leased = await(worker, LEASED, 1);
    assert_string_equal(leased->job, "add");
    assert_int_equal(leased->bytes_count, 2);
    assert_memory_equal(leased->bytes, "12", 2);
    assert_int_equal(leased->attempt, 1);
    settle(leased, "3");
    struct told *ended = await(client, ENDED, 1);
    assert_string_equal(ended->id, leased->id);
    assert_int_equal(ended->kind, RV_OUTCOME_VALUE);
    assert_memory_equal(ended->bytes, "3", 1);
    assert_int_equal(count(client, STORED), 1);
    finish(p);
}

static void regress_a_task_stays_as_it_is_until_its_lease_is_given_up(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 2);
    submit(client, "first", "12", 0);
    struct told *first = await(worker, LEASED, 1);
    submit(client, "second", "345", 0);
    struct told *second = await(worker, LEASED, 2);
    assert_string_equal(first->task->id, first->id);
    assert_string_equal(first->task->job, "first");
    assert_int_equal(first->task->in_bytes, 2);
    assert_memory_equal(first->task->in, "12", 2);
    assert_string_equal(second->task->job, "second");
    settle(first, "");
    settle(second, "");
    await(client, ENDED, 2);
    finish(p);
}

static void many_tasks_end_once_each(void **state)
{
    enum { TASKS = 2000 };
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    worker->settles_at_once = true;
    rvi_engine_want(worker->e, 64);
    for (int i = 0; i < TASKS; i++)
        submit(client, "echo", "x", NULL);
    await(client, ENDED, TASKS);
    assert_int_equal(count(client, ENDED), TASKS);
    assert_int_equal(count(worker, LEASED), TASKS);
    finish(p);
}

static void a_worker_holds_no_more_than_it_wants(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    for (int i = 0; i < 10; i++)
        submit(client, "hold", "", NULL);
    await(client, STORED, 10);
    rvi_engine_want(worker->e, 3);
    settle(await(worker, LEASED, 3), "");
    settle(await(worker, LEASED, 4), "");
    await(client, ENDED, 2);
    await(worker, LEASED, 5);
    rvi_engine_want(worker->e, 0);
    settle(await(worker, LEASED, 1), "");
    settle(await(worker, LEASED, 2), "");
    settle(await(worker, LEASED, 5), "");
    await(client, ENDED, 5);
    assert_int_equal(count(worker, LEASED), 5);
    finish(p);
}

static void higher_lanes_are_leased_first(void **state)
{
    struct rvi_engine_task low = {.job = "low", .lane = RVI_LANE_LOW},
                           high = {.job = "high", .lane = RVI_LANE_HIGH};
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    for (int i = 0; i < 3; i++) {
        submit_as(client, NULL, &low, "", 0);
        submit(client, "normal", "", NULL);
        submit_as(client, NULL, &high, "", 0);
    }
    await(client, STORED, 9);
    rvi_engine_want(worker->e, 1);
    int in_order = 0;
    for (int i = 1; i <= 9; i++) {
        struct told *leased = await(worker, LEASED, i);
        const char *expected = i <= 3 ? "high" : i <= 6 ? "normal" : "low";
        in_order += strcmp(leased->job, expected) == 0;
        settle(leased, "");
    }
    await(client, ENDED, 9);
    assert_int_equal(in_order, 9);
    finish(p);
}

static void what_is_handed_back_unbegun_counts_no_attempt(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    submit(client, "try", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    rvi_engine_hand_back(leased->lease, false, 0);
    leased = await(worker, LEASED, 2);
    assert_int_equal(leased->attempt, 1);
    rvi_engine_hand_back(leased->lease, true, 0);
    leased = await(worker, LEASED, 3);
    assert_int_equal(leased->attempt, 2);
    rvi_engine_hand_back(leased->lease, false, 10 * ms);
    leased = await(worker, LEASED, 4);
    assert_int_equal(leased->attempt, 2);
    settle(leased, "");
    await(client, ENDED, 1);
    finish(p);
}

/* It looks for what is done already; a purge up to there lost what others had leased beyond. */
static void regress_a_worker_that_comes_costs_nobody_a_task(void **state)
{
    enum { TASKS = 20 };
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, TASKS);
    for (int i = 0; i < TASKS; i++)
        submit(client, "task", "", NULL);
    await(worker, LEASED, TASKS);
    for (int i = 1; i <= TASKS / 2; i++)
        settle(await(worker, LEASED, i), "");
    await(client, ENDED, TASKS / 2);
    open_end(p, RVI_ENGINE_WORKER);
    for (int i = TASKS / 2 + 1; i <= TASKS; i++)
        rvi_engine_hand_back(await(worker, LEASED, i)->lease, true, 0);
    for (int i = TASKS + 1; i <= TASKS + TASKS / 2; i++)
        settle(await(worker, LEASED, i), "");
    await(client, ENDED, TASKS);
    finish(p);
}

static void a_delayed_task_is_not_leased_early(void **state)
{
    struct rvi_engine_task later = {.job = "later"};
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 2);
    later.not_before = rvi_clock_wall() + 300 * ms;
    submit_as(client, NULL, &later, "", 0);
    submit(client, "now", "", NULL);
    assert_string_equal(await(worker, LEASED, 1)->job, "now");
    struct told *leased = await(worker, LEASED, 2);
    assert_string_equal(leased->job, "later");
    assert_true(rvi_clock_wall() >= later.not_before);
    assert_int_equal(leased->attempt, 1);
    settle(leased, "");
    await(client, ENDED, 1);
    finish(p);
}

static void a_waiting_task_is_cancelled_by_deletion(void **state)
{
    char id[RVI_ENGINE_ID_BYTES];
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);

    submit(client, "wait", "", id);
    await(client, STORED, 1);
    rvi_engine_cancel(client->e, id, -ECANCELED);
    struct told *ended = await(client, ENDED, 1);
    assert_int_equal(ended->kind, RV_OUTCOME_CANCELLED);
    assert_string_equal(ended->id, id);
    struct end *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    submit(client, "other", "", NULL);
    assert_string_equal(await(worker, LEASED, 1)->job, "other");
    finish(p);
}

/* To a question that nobody hears comes an answer that says so. */
static void regress_answers_that_nobody_is_there_hold_up_no_other(void **state)
{
    enum { TASKS = 200 };
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);

    for (int i = 0; i < TASKS; i++)
        submit(client, "never", "", 0);
    for (int i = 1; i <= TASKS; i++)
        rvi_engine_cancel(client->e, await(client, STORED, i)->id, -ECANCELED);
    assert_int_equal(await(client, ENDED, TASKS)->kind, RV_OUTCOME_CANCELLED);
    finish(p);
}

static void a_running_task_is_told_to_stop(void **state)
{
    char id[RVI_ENGINE_ID_BYTES];
    struct rvi_engine_result cancelled = {.kind = RV_OUTCOME_CANCELLED};
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    submit(client, "run", "", id);
    struct told *leased = await(worker, LEASED, 1);
    rvi_engine_cancel(client->e, id, -ETIME);
    struct told *stop = await(worker, STOP, 1);
    assert_string_equal(stop->id, id);
    assert_int_equal(stop->error, -ETIME);
    assert_int_equal(count(client, ENDED), 0);
    rvi_engine_settle(leased->lease, &cancelled);
    assert_int_equal(await(client, ENDED, 1)->kind, RV_OUTCOME_CANCELLED);
    finish(p);
}

static void a_lapsed_lease_goes_to_another_worker(void **state)
{
    struct party *p = begin(state);
    p->opts.lease = 300 * ms;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *one = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(one->e, 1);
    submit(client, "lapse", "", NULL);
    struct told *first = await(one, LEASED, 1);
    struct end *other = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(one->e, 0);
    rvi_engine_want(other->e, 1);
    struct told *second = await(other, LEASED, 1);
    assert_int_equal(second->attempt, 2);
    assert_int_equal(await(one, STOP, 1)->error, -ESTALE);
    settle(second, "second");
    assert_string_equal(await(client, ENDED, 1)->bytes, "second");
    settle(first, "first");
    close_end(one);
    close_end(other);
    assert_int_equal(count(client, ENDED), 1);
    finish(p);
}

/* Whether another worker is lent it nevertheless. */
static bool lapses_though_extended(struct party *p, int64_t lease)
{
    const struct timespec third = {lease / 3 / (1000 * ms), lease / 3 % (1000 * ms)};
    p->opts.lease = lease;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *one = open_end(p, RVI_ENGINE_WORKER),
               *other = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(one->e, 1);
    submit(client, "long", "", NULL);
    struct told *leased = await(one, LEASED, 1);
    rvi_engine_want(other->e, 1);
    for (int i = 0; i < 5; i++) {
        nanosleep(&third, NULL);
        rvi_engine_extend(leased->lease);
    }
    settle(leased, "");
    await(client, ENDED, 1);
    return count(other, LEASED) > 0;
}

/* On a machine that stands still for longer than its third it may: there are machines for which it
 * has to be a longer one. */
static void an_extended_lease_does_not_lapse(void **state)
{
    bool lapses = true;

    for (int64_t lease = 300 * ms; lapses; lease *= 10) {
        assert_true(lease <= 30000 * ms);
        struct party *p = begin(state);
        lapses = lapses_though_extended(p, lease);
        finish(p);
    }
}

static void progress_reaches_the_submitter(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    submit(client, "far", "", NULL);
    struct told *leased = await(worker, LEASED, 1);
    rvi_engine_progress(leased->lease, "half", 4);
    struct told *progressed = await(client, PROGRESSED, 1);
    assert_string_equal(progressed->id, leased->id);
    assert_memory_equal(progressed->bytes, "half", 4);
    settle(leased, "");
    await(client, ENDED, 1);
    finish(p);
}

static void a_full_pool_says_so(void **state)
{
    struct party *p = begin(state);
    p->opts.backlog = 3;
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);

    for (int i = 0; i < 4; i++)
        submit(client, "wait", "", NULL);
    for (int i = 1; i <= 3; i++)
        assert_int_equal(await(client, STORED, i)->error, 0);
    assert_int_equal(await(client, STORED, 4)->error, -EAGAIN);
    finish(p);
}

static void a_worker_of_another_build_gets_nothing(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT);
    snprintf(p->opts.build, sizeof(p->opts.build), "ffff0000ffff0000ffff0000ffff0000");
    struct end *other = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(other->e, 4);
    submit(client, "mine", "", NULL);
    await(client, STORED, 1);
    memset(p->opts.build, 0, sizeof(p->opts.build));
    struct end *worker = open_end(p, RVI_ENGINE_WORKER);
    rvi_engine_want(worker->e, 1);
    settle(await(worker, LEASED, 1), "");
    await(client, ENDED, 1);
    assert_int_equal(count(other, LEASED), 0);
    finish(p);
}

static void closing_says_what_is_left_to_say(void **state)
{
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    submit(client, "last", "", NULL);
    settle(await(worker, LEASED, 1), "said");
    close_end(worker);
    assert_string_equal(await(client, ENDED, 1)->bytes, "said");
    finish(p);
}

static void inputs_and_values_of_any_size_arrive_whole(void **state)
{
    static const size_t sizes[] = {RVI_ENGINE_WHOLE, RVI_ENGINE_WHOLE + 1, (9 << 20) + 7};
    struct rvi_engine_task task = {.job = "large"};
    struct party *p = begin(state);
    struct end *client = open_end(p, RVI_ENGINE_CLIENT), *worker = open_end(p, RVI_ENGINE_WORKER);

    rvi_engine_want(worker->e, 1);
    for (int i = 0; i < 3; i++) {
        char *bytes = malloc(sizes[i]);
        assert_non_null(bytes);
        for (size_t k = 0; k < sizes[i]; k++)
            bytes[k] = (char)(k * 7 + k / 251);
        submit_as(client, NULL, &task, bytes, sizes[i]);
        struct told *leased = await(worker, LEASED, i + 1);
        assert_int_equal(leased->bytes_count, sizes[i]);
        assert_memory_equal(leased->bytes, bytes, sizes[i]);
        struct rvi_engine_result result = {
            .kind = RV_OUTCOME_VALUE, .out = bytes, .out_bytes = sizes[i]};
        rvi_engine_settle(leased->lease, &result);
        struct told *ended = await(client, ENDED, i + 1);
        assert_int_equal(ended->kind, RV_OUTCOME_VALUE);
        assert_int_equal(ended->bytes_count, sizes[i]);
        assert_memory_equal(ended->bytes, bytes, sizes[i]);
        free(bytes);
    }
    finish(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_leased_settled_and_ends),
        cmocka_unit_test(regress_a_task_stays_as_it_is_until_its_lease_is_given_up),
        cmocka_unit_test(many_tasks_end_once_each),
        cmocka_unit_test(a_worker_holds_no_more_than_it_wants),
        cmocka_unit_test(higher_lanes_are_leased_first),
        cmocka_unit_test(what_is_handed_back_unbegun_counts_no_attempt),
        cmocka_unit_test(regress_a_worker_that_comes_costs_nobody_a_task),
        cmocka_unit_test(a_delayed_task_is_not_leased_early),
        cmocka_unit_test(a_waiting_task_is_cancelled_by_deletion),
        cmocka_unit_test(regress_answers_that_nobody_is_there_hold_up_no_other),
        cmocka_unit_test(a_running_task_is_told_to_stop),
        cmocka_unit_test(a_lapsed_lease_goes_to_another_worker),
        cmocka_unit_test(an_extended_lease_does_not_lapse),
        cmocka_unit_test(progress_reaches_the_submitter),
        cmocka_unit_test(a_full_pool_says_so),
        cmocka_unit_test(a_worker_of_another_build_gets_nothing),
        cmocka_unit_test(inputs_and_values_of_any_size_arrive_whole),
        cmocka_unit_test(closing_says_what_is_left_to_say),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
