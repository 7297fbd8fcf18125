/* SPDX-License-Identifier: MIT */
/* test_agent.c - agents on an engine in memory: what becomes of leases, whatever becomes of the
 * jobs, the engine and the agents. */
#include "cluster_test.h"

#include "../../support/engine_memory.h"
#include "base/alloc.h"
#include "sys/thread.h"

/* --- around each test --- */

static char folder[64];
static struct client client;
static const struct rvi_agent_opts usual = {
    .engine = {.url = "memory://here", .pool = "p"},
    .slots = 2,
    .grace = 20 * RV_MILLISECOND,
};

static int set_up(void **state)
{
    (void)state;
    memory_engine_reset();
    make_folder(folder);
    client_open(&client, &usual.engine);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_close(&client);
    remove_folder(folder);
    return 0;
}

/* --- jobs that end --- */

static void a_job_runs_and_its_result_comes_back(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    for (int i = 0; i < 50; i++) {
        struct got got = client_run(&client, &rv_job_twice, &i);
        assert_int_equal(int_of(&got), 2 * i);
        assert_true(got.result.run_ns > 0);
    }
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(memory_engine_count().settled, 50);
    assert_int_equal(memory_engine_count().handed_back, 0);
}

static void an_error_is_a_result(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct got got = client_run(&client, &rv_job_fail_with, &(int){EDOM});
    assert_int_equal(got.result.kind, RV_OUTCOME_ERROR);
    assert_int_equal(got.result.error, -EDOM);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_job_that_is_not_known_ends_with_an_error_that_says_so(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_twice, &(int){1});
    struct served s;

    (void)state;
    task.job = "thrice";
    submit_task(&client, &task);
    agent_start(&s, &usual);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_ERROR);
    assert_int_equal(got.result.error, -ENOSYS);
    assert_non_null(strstr(got.words, "no job \"thrice\""));
    assert_int_equal(agent_stop(&s), 0);
}

static void an_input_of_another_size_ends_with_an_error_that_says_so(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_twice, "abc");
    struct served s;

    (void)state;
    task.in_bytes = 3;
    submit_task(&client, &task);
    agent_start(&s, &usual);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.error, -EMSGSIZE);
    assert_non_null(strstr(got.words, "takes 4 bytes here, and was given 3"));
    assert_int_equal(agent_stop(&s), 0);
}

static void what_a_job_says_of_its_progress_is_passed_on(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_report, "half");
    client_await_progress(&client, "half");
    leave_trace("half");
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), 0);
    client_await_progress(&client, "last");
    assert_int_equal(agent_stop(&s), 0);
}

/* --- jobs that die --- */

static void a_job_that_dies_ends_with_its_signal_and_its_last_words(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct got got = client_run(&client, &rv_job_die, &(int){SIGKILL});
    assert_int_equal(got.result.kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(got.result.signal, SIGKILL);
    assert_int_equal(got.result.deaths, 1);
    assert_non_null(strstr(got.words, "these were its last words"));
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(memory_engine_count().handed_back, 0);
}

static void an_idempotent_job_whose_process_died_is_begun_again(void **state)
{
    struct served one, other;

    (void)state;
    agent_start(&one, &usual);
    agent_start(&other, &usual);
    struct got got = client_run(&client, &rv_job_die_first, &(struct name){"mine"});
    assert_int_equal(int_of(&got), 1);
    assert_int_equal(got.result.deaths, 1);
    assert_int_equal(agent_stop(&one), 0);
    assert_int_equal(agent_stop(&other), 0);
    assert_int_equal(memory_engine_count().handed_back, 1);
    assert_int_equal(memory_engine_count().lapsed, 0);
}

static void what_dies_in_its_last_attempt_is_buried_with_that(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_die_gladly, &(int){SIGABRT});
    struct served s;

    (void)state;
    task.attempts = 2;
    agent_start(&s, &usual);
    submit_task(&client, &task);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(got.result.signal, SIGABRT);
    assert_int_equal(got.result.deaths, 2);
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(memory_engine_count().handed_back, 1);
    assert_int_equal(memory_engine_count().buried, 1);
}

static void a_process_killed_from_outside_is_a_death_as_well(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger_gladly, "mine");
    kill(last_trace("mine"), SIGKILL);
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), last_trace("mine"));
    assert_int_equal(count_traces("mine"), 2);
    assert_int_equal(agent_stop(&s), 0);
}

/* --- jobs that are to stop --- */

static void a_cancelled_job_is_told(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    rvi_engine_cancel(client.engine, task.id, -ECANCELED);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_CANCELLED);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_cancelled_job_that_goes_on_is_killed_and_not_begun_again(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_be_stubborn, "mine");
    rvi_engine_cancel(client.engine, task.id, -ECANCELED);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_CANCELLED);
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(count_traces("mine"), 1);
}

static void a_job_is_stopped_at_its_deadline(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_be_stubborn, &(struct name){"mine"});
    struct served s;

    (void)state;
    task.deadline = rvi_clock_wall() + 100 * RV_MILLISECOND;
    agent_start(&s, &usual);
    submit_task(&client, &task);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_TIMEOUT);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_job_is_stopped_when_it_has_run_as_long_as_it_may(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_linger, &(struct name){"mine"});
    struct served s;

    (void)state;
    task.limit_ns = 50 * RV_MILLISECOND;
    agent_start(&s, &usual);
    submit_task(&client, &task);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_TIMEOUT);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_job_whose_deadline_has_passed_is_not_begun(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_die_first, &(struct name){"mine"});
    struct served s;

    (void)state;
    task.deadline = rvi_clock_wall() - 1;
    agent_start(&s, &usual);
    submit_task(&client, &task);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_TIMEOUT);
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(count_traces("mine"), 0);
}

/* --- leases --- */

static bool three_are_extended_or_one_lapsed(const struct memory_counts *counts)
{
    return counts->extended >= 3 || counts->lapsed > 0;
}

/* Whether it lapses nevertheless. */
static bool lapses_while_it_runs(rv_time lease)
{
    struct rvi_agent_opts opts = usual;
    struct served s;

    opts.lease = lease;
    agent_start(&s, &opts);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    memory_engine_until(three_are_extended_or_one_lapsed);
    leave_trace("mine");
    (void)client_await(&client, task.id);
    assert_int_equal(agent_stop(&s), 0);
    return memory_engine_count().lapsed > 0;
}

/* On a machine that stands still for over a third of it, it may: that one needs a longer lease. */
static void a_lease_is_extended_while_its_job_runs(void **state)
{
    rv_time lease = 30 * RV_MILLISECOND;

    while (lapses_while_it_runs(lease)) {
        lease *= 10;
        assert_true(lease <= 30 * RV_SECOND);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static void a_lease_is_not_extended_beyond_its_deadline(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_be_stubborn, &(struct name){"mine"});
    struct rvi_agent_opts opts = usual;
    struct served s;

    (void)state;
    opts.lease = 15 * RV_MILLISECOND;
    opts.grace = 100 * RV_MILLISECOND;
    task.deadline = rvi_clock_wall() + 1;
    agent_start(&s, &opts);
    submit_task(&client, &task);
    (void)client_await(&client, task.id);
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(memory_engine_count().extended, 0);
}

static bool one_has_lapsed(const struct memory_counts *counts)
{
    return counts->lapsed >= 1;
}

static void a_job_whose_lease_is_lost_is_stopped_and_its_result_not_believed(void **state)
{
    struct rvi_agent_opts opts = usual;
    struct served slow, other;

    (void)state;
    opts.slots = 1;
    opts.lease = 300 * RV_MILLISECOND;
    memory_engine_break(&(struct memory_faults){.lease_ns = 20 * RV_MILLISECOND});
    agent_start(&slow, &opts);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger_first, "mine");
    memory_engine_until(one_has_lapsed);
    memory_engine_break(&(struct memory_faults){0});
    agent_start(&other, &opts);
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), 1);
    assert_int_equal(agent_stop(&slow), 0);
    assert_int_equal(agent_stop(&other), 0);
    assert_int_equal(memory_engine_count().settled, 1);
    assert_int_equal(memory_engine_count().handed_back, 1);
}

static void a_job_that_may_have_run_elsewhere_is_lost_unless_it_is_idempotent(void **state)
{
    struct rvi_agent_opts opts = usual;
    struct served slow, other;

    (void)state;
    opts.slots = 1;
    opts.lease = 300 * RV_MILLISECOND;
    memory_engine_break(&(struct memory_faults){.lease_ns = 20 * RV_MILLISECOND});
    agent_start(&slow, &opts);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    memory_engine_until(one_has_lapsed);
    agent_start(&other, &opts);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_LOST);
    assert_int_equal(agent_stop(&slow), 0);
    assert_int_equal(agent_stop(&other), 0);
    assert_int_equal(count_traces("mine"), 1);
}

static void no_more_is_leased_than_there_are_slots(void **state)
{
    struct rvi_engine_task tasks[5];
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    tasks[0] = client_begin(&client, &rv_job_linger, "a");
    tasks[1] = client_begin(&client, &rv_job_linger, "b");
    for (int i = 2; i < 5; i++)
        tasks[i] = client_submit(&client, &rv_job_twice, &i);
    usleep(20000);
    assert_int_equal(memory_engine_count().leased, 2);
    leave_trace("a");
    leave_trace("b");
    for (int i = 0; i < 5; i++)
        (void)client_await(&client, tasks[i].id);
    assert_int_equal(agent_stop(&s), 0);
}

/* --- what it needs --- */

/* Its file is another by now, or so its worker processes find. */
static void an_agent_that_was_replaced_goes_and_leaves_its_tasks_to_others(void **state)
{
    struct rvi_agent_opts one_slot = usual;
    struct served s;

    (void)state;
    one_slot.slots = 1;
    agent_start(&s, &one_slot);
    (void)client_run(&client, &rv_job_twice, &(int){1});
    rvi_identity_forge(true);
    (void)client_run(&client, &rv_job_die, &(int){SIGKILL});
    struct rvi_engine_task task = client_submit(&client, &rv_job_twice, &(int){1});
    assert_int_equal(agent_join(&s), -ESTALE);
    rvi_identity_forge(false);
    assert_int_equal(memory_engine_count().waiting, 1);
    agent_start(&s, &usual);
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), 2);
    assert_int_equal(got.result.deaths, 0);
    assert_int_equal(agent_stop(&s), 0);
}

/* Each allocation from the submission to the end fails in turn. A lease that cannot be held goes
 * back at once, to be tried again. */
static void without_memory_a_task_is_tried_again(void **state)
{
    struct rvi_engine_task task;
    struct served s;
    bool has_failed = true;

    (void)state;
    agent_start(&s, &usual);
    (void)client_run(&client, &rv_job_twice, &(int){0});
    for (long n = 1; has_failed; n++) {
        memory_engine_break(&(struct memory_faults){.holds_tasks = true});
        task = client_submit(&client, &rv_job_twice, &(int){1});
        rvi_alloc_fail_after(n);
        memory_engine_break(&(struct memory_faults){0});
        struct got got = client_await(&client, task.id);
        has_failed = !rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_int_equal(int_of(&got), 2);
    }
    assert_true(memory_engine_count().handed_back > 0);
    assert_int_equal(agent_stop(&s), 0);
}

/* --- leaving --- */

static void an_agent_that_leaves_finishes_what_it_has_and_takes_no_more(void **state)
{
    struct rvi_agent_opts one_slot = usual;
    struct served s;

    (void)state;
    one_slot.slots = 1;
    agent_start(&s, &one_slot);
    struct rvi_engine_task first = client_begin(&client, &rv_job_linger, "mine");
    struct rvi_engine_task second = client_submit(&client, &rv_job_twice, &(int){4});
    rvi_agent_leave(s.agent);
    usleep(20000);
    leave_trace("mine");
    assert_int_equal(agent_join(&s), 0);
    struct got got = client_await(&client, first.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_VALUE);
    assert_int_equal(memory_engine_count().waiting, 1);
    agent_start(&s, &one_slot);
    got = client_await(&client, second.id);
    assert_int_equal(int_of(&got), 8);
    assert_int_equal(agent_stop(&s), 0);
}

static void an_agent_in_haste_kills_what_it_has_and_hands_it_back(void **state)
{
    struct rvi_agent_opts opts = usual;
    struct served s;

    (void)state;
    opts.grace = RV_MINUTE;
    agent_start(&s, &opts);
    struct rvi_engine_task glad = task_for(&rv_job_be_stubborn, &(struct name){"glad"});
    glad.attempts = 1;
    submit_task(&client, &glad);
    until_traces("glad", 1);
    struct rvi_engine_task other = client_begin(&client, &rv_job_linger, "not glad");
    rvi_agent_leave(s.agent);
    rvi_agent_leave(s.agent);
    assert_int_equal(agent_join(&s), 0);
    struct got got = client_await(&client, other.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_LOST);
    assert_int_equal(memory_engine_count().waiting, 1);
    assert_int_equal(memory_engine_count().handed_back, 1);
    assert_true(has_ended(last_trace("glad")));
}

static void an_agent_is_there_until_it_leaves(void **state)
{
    struct rvi_engine_survey survey;
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    client_begin(&client, &rv_job_linger, "mine");
    do {
        assert_int_equal(rvi_engine_survey(client.engine, &survey, rv_after(RV_SECOND)), 0);
        RV_CHECK(survey.member_count <= 1);
        bool is_busy = survey.member_count == 1 && survey.members[0].busy == 1;
        rvi_engine_survey_drop(&survey);
        if (is_busy)
            break;
        usleep(1000);
    } while (true);
    leave_trace("mine");
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(rvi_engine_survey(client.engine, &survey, rv_after(RV_SECOND)), 0);
    assert_int_equal(survey.member_count, 0);
    rvi_engine_survey_drop(&survey);
}

/* --- the engine --- */

static void a_result_waits_until_the_engine_is_back(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    memory_engine_link(RVI_ENGINE_WORKER, -ENOTCONN, "for a test");
    leave_trace("mine");
    usleep(20000);
    assert_int_equal(memory_engine_count().settled, 0);
    memory_engine_link(RVI_ENGINE_WORKER, 0, NULL);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_VALUE);
    assert_int_equal(agent_stop(&s), 0);
}

static void an_agent_that_is_sent_away_goes_and_says_so(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    client_begin(&client, &rv_job_be_stubborn, "mine");
    memory_engine_link(RVI_ENGINE_WORKER, -EACCES, "for a test");
    assert_int_equal(agent_join(&s), -EACCES);
}

static void an_engine_that_is_not_there_is_an_error(void **state)
{
    struct served s;

    (void)state;
    memory_engine_break(&(struct memory_faults){.open = -ECONNREFUSED, .open_words = "for a test"});
    agent_start(&s, &usual);
    assert_int_equal(agent_join(&s), -ECONNREFUSED);
}

static void tasks_of_another_build_are_left_to_others(void **state)
{
    struct rvi_agent_opts opts = usual;
    struct served s, other;

    (void)state;
    strcpy(opts.engine.build, "another");
    agent_start(&other, &opts);
    struct rvi_engine_task task = client_submit(&client, &rv_job_twice, &(int){1});
    usleep(20000);
    assert_int_equal(memory_engine_count().leased, 0);
    agent_start(&s, &usual);
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), 2);
    assert_int_equal(agent_stop(&s), 0);
    assert_int_equal(agent_stop(&other), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_and_its_result_comes_back),
        TEST(an_error_is_a_result),
        TEST(a_job_that_is_not_known_ends_with_an_error_that_says_so),
        TEST(an_input_of_another_size_ends_with_an_error_that_says_so),
        TEST(what_a_job_says_of_its_progress_is_passed_on),
        TEST(a_job_that_dies_ends_with_its_signal_and_its_last_words),
        TEST(an_idempotent_job_whose_process_died_is_begun_again),
        TEST(what_dies_in_its_last_attempt_is_buried_with_that),
        TEST(a_process_killed_from_outside_is_a_death_as_well),
        TEST(a_cancelled_job_is_told),
        TEST(a_cancelled_job_that_goes_on_is_killed_and_not_begun_again),
        TEST(a_job_is_stopped_at_its_deadline),
        TEST(a_job_is_stopped_when_it_has_run_as_long_as_it_may),
        TEST(a_job_whose_deadline_has_passed_is_not_begun),
        TEST(a_lease_is_extended_while_its_job_runs),
        TEST(a_lease_is_not_extended_beyond_its_deadline),
        TEST(a_job_whose_lease_is_lost_is_stopped_and_its_result_not_believed),
        TEST(a_job_that_may_have_run_elsewhere_is_lost_unless_it_is_idempotent),
        TEST(no_more_is_leased_than_there_are_slots),
        TEST(an_agent_that_was_replaced_goes_and_leaves_its_tasks_to_others),
        TEST(without_memory_a_task_is_tried_again),
        TEST(an_agent_that_leaves_finishes_what_it_has_and_takes_no_more),
        TEST(an_agent_in_haste_kills_what_it_has_and_hands_it_back),
        TEST(an_agent_is_there_until_it_leaves),
        TEST(a_result_waits_until_the_engine_is_back),
        TEST(an_agent_that_is_sent_away_goes_and_says_so),
        TEST(an_engine_that_is_not_there_is_an_error),
        TEST(tasks_of_another_build_are_left_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
