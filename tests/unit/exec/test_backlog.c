/* SPDX-License-Identifier: MIT */
/* test_backlog.c - jobs with terms of their own, on every tier: lanes, a time before which they do
 * not begin, a time at which they are over. No play depends on how long anything takes: what must
 * not happen yet has all the time to happen by mistake, and what must happen is waited for. */
#include "exec/executor.h"

#include "sys/clock.h"
#include "tiers.h"

/* Which turn it had. */
static int take_turn(const int *in, int *out)
{
    (void)in;
    *out = rvi_fetch_add_relaxed(&runs, 1);
    return 0;
}
RV_JOB(take_turn, int, int);

/* When it was begun. */
static int tell_time(const int *in, rv_time *out)
{
    (void)in;
    *out = rvi_clock_now();
    return 0;
}
RV_JOB(tell_time, int, rv_time);

static const int nothing;

#define submit_with(ex, fn, in, ...)                                                               \
    (__extension__({                                                                               \
        rv_future *submitted_;                                                                     \
        struct rv_submit_opts opts_ = {.size = sizeof(opts_), __VA_ARGS__};                        \
        RV_CHECK(rv_submit_with((ex), &submitted_, fn, (in), &opts_, RV_NEVER) == 0);              \
        submitted_;                                                                                \
    }))

/* --- what is refused --- */

struct newer_opts {
    struct rv_submit_opts known;
    size_t unknown;
};

static void terms_that_make_no_sense_are_refused(void)
{
    struct newer_opts newer = {.known.size = sizeof(newer), .unknown = 1};
    const struct rv_submit_opts wrong[] = {
        {.size = sizeof(wrong[0]), .lane = RV_LANE_LOW + 1},
        {.size = sizeof(wrong[0]), .lane = (enum rv_lane) - 1},
        {.size = sizeof(wrong[0]), .not_before = -1},
        {.size = sizeof(wrong[0]), .deadline = -1},
    };
    rv_executor *ex = open_wide(1, NULL);
    rv_future *f = NULL;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, &wrong[i], RV_NEVER) == -EINVAL);
    RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, &newer.known, RV_NEVER) == -E2BIG);
    RV_CHECK(!f && stats_of(ex).submitted == 0);
    newer.unknown = 0;
    RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, &newer.known, RV_NEVER) == 0);
    RV_CHECK(value_of(f) == 0);
    f = rv_future_free(f);
    RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, NULL, RV_NEVER) == 0);
    RV_CHECK(value_of(f) == 1);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- lanes --- */

static void a_higher_lane_goes_first_and_each_keeps_its_order(void)
{
    static const enum rv_lane lanes[] = {RV_LANE_LOW,    RV_LANE_NORMAL, RV_LANE_LOW, RV_LANE_HIGH,
                                         RV_LANE_NORMAL, RV_LANE_HIGH,   RV_LANE_LOW};
    static const int turns[] = {4, 2, 5, 0, 3, 1, 6};
    enum { N = sizeof(lanes) / sizeof(lanes[0]) };
    rv_executor *ex = open_wide(1, NULL);
    rv_future *held = submit(ex, pass_gate, &nothing), *futures[N];

    until_inside(1);
    for (size_t i = 0; i < N; i++)
        futures[i] = submit_with(ex, take_turn, &nothing, .lane = lanes[i]);
    RV_CHECK(stats_of(ex).running == 1 && stats_of(ex).waiting == N);
    open_gate();
    for (size_t i = 0; i < N; i++)
        RV_CHECK(value_of(futures[i]) == turns[i]);
    free_all(futures, N);
    RV_CHECK(value_of(held) == 0);
    held = rv_future_free(held);
    close_waiting(ex);
}

static void what_waits_in_any_lane_is_cancelled_alike(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *held = submit(ex, pass_gate, &nothing), *futures[RVI_LANES_HERE];

    until_inside(1);
    for (int i = 0; i < RVI_LANES_HERE; i++)
        futures[i] = submit_with(ex, take_turn, &nothing, .lane = (enum rv_lane)i);
    rv_future_cancel(futures[RV_LANE_HIGH]);
    RV_CHECK(kind_of(futures[RV_LANE_HIGH]) == RV_OUTCOME_CANCELLED);
    open_gate();
    RV_CHECK(value_of(futures[RV_LANE_NORMAL]) == 0 && value_of(futures[RV_LANE_LOW]) == 1);
    free_all(futures, RVI_LANES_HERE);
    held = rv_future_free(held);
    close_waiting(ex);
}

/* --- not before --- */

static void a_delayed_job_begins_when_its_time_has_come(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_time when = rv_after(5 * RV_MILLISECOND), begun;
    struct rv_outcome outcome;
    rv_future *f = submit_with(ex, tell_time, &nothing, .not_before = when);

    RV_CHECK(rv_future_get(f, &begun, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE && begun >= when);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_may_begin_overtakes_what_may_not(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_time soon = rv_after(RV_MILLISECOND);
    rv_future *never =
        submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER, .lane = RV_LANE_HIGH);
    rv_future *later = submit_with(ex, take_turn, &nothing, .not_before = soon + 1);
    rv_future *sooner = submit_with(ex, take_turn, &nothing, .not_before = soon);
    rv_future *now = submit_with(ex, take_turn, &nothing, .not_before = 1);

    RV_CHECK(kind_of(now) == RV_OUTCOME_VALUE);
    RV_CHECK(value_of(sooner) != value_of(later) && runs == 3);
    rv_future_cancel(never);
    RV_CHECK(kind_of(never) == RV_OUTCOME_CANCELLED && runs == 3);
    never = rv_future_free(never);
    later = rv_future_free(later);
    sooner = rv_future_free(sooner);
    now = rv_future_free(now);
    close_waiting(ex);
}

static void a_delayed_job_takes_up_room(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *f = NULL, *first = submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER);
    rv_future *second = submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER - 1);

    RV_CHECK(stats_of(ex).waiting == 2 && stats_of(ex).running == 0);
    RV_CHECK(rv_submit(ex, &f, take_turn, &nothing, 1) == -ETIME);
    rv_future_cancel(first);
    RV_CHECK(kind_of(first) == RV_OUTCOME_CANCELLED);
    f = submit(ex, take_turn, &nothing);
    RV_CHECK(value_of(f) == 0);
    rv_future_cancel(second);
    RV_CHECK(kind_of(second) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    first = rv_future_free(first);
    second = rv_future_free(second);
    close_waiting(ex);
}

static void closing_waits_for_delayed_jobs(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] =
            submit_with(ex, take_turn, &nothing, .not_before = rv_after((i + 1) * RV_MILLISECOND));
    close_waiting(ex);
    for (int i = 0; i < 4; i++)
        RV_CHECK(rv_future_is_done(futures[i]) && kind_of(futures[i]) == RV_OUTCOME_VALUE);
    free_all(futures, 4);
}

static void closing_cancels_delayed_jobs(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f = submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER);
    rv_future *dropped = submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER);

    dropped = rv_future_free(dropped);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER) == -ECANCELED);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED && runs == 0);
    f = rv_future_free(f);
}

static void many_delayed_jobs_use_the_whole_width(void)
{
    enum { N = 3 };
    rv_executor *ex = open_wide(N, NULL);
    rv_time when = rv_after(2 * RV_MILLISECOND);
    rv_future *futures[N];

    for (int i = 0; i < N; i++)
        futures[i] = submit_with(ex, pass_gate, &nothing, .not_before = when);
    until_inside(N); /* all at once, or for ever */
    open_gate();
    for (int i = 0; i < N; i++)
        RV_CHECK(value_of(futures[i]) == 0);
    free_all(futures, N);
    close_waiting(ex);
}

static void who_waits_for_room_may_bring_a_delayed_job(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .backlog = 1};
    rv_executor *ex = open_wide(1, &opts);
    rv_future *futures[6];

    for (int i = 0; i < 6; i++)
        futures[i] = submit_with(ex, take_turn, &nothing,
                                 .not_before = rv_after((6 - i) * RV_MILLISECOND / 2));
    for (int i = 0; i < 6; i++)
        RV_CHECK(kind_of(futures[i]) == RV_OUTCOME_VALUE);
    free_all(futures, 6);
    close_waiting(ex);
}

/* --- deadlines --- */

static void a_job_that_waits_ends_at_its_deadline(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_future *held = submit(ex, pass_gate, &nothing);

    until_inside(1);
    rv_future *late = submit_with(ex, take_turn, &nothing, .deadline = rv_after(RV_MILLISECOND));
    rv_future *past = submit_with(ex, take_turn, &nothing, .deadline = 1);
    rv_future *delayed = submit_with(ex, take_turn, &nothing, .not_before = RV_NEVER,
                                     .deadline = rv_after(RV_MILLISECOND));
    rv_future *patient = submit_with(ex, take_turn, &nothing, .deadline = RV_NEVER);
    RV_CHECK(kind_of(late) == RV_OUTCOME_TIMEOUT && outcome_of(late).run_ns == 0);
    RV_CHECK(kind_of(past) == RV_OUTCOME_TIMEOUT);
    RV_CHECK(kind_of(delayed) == RV_OUTCOME_TIMEOUT);
    open_gate();
    RV_CHECK(value_of(patient) == 0 && value_of(held) == 0);
    held = rv_future_free(held);
    late = rv_future_free(late);
    past = rv_future_free(past);
    delayed = rv_future_free(delayed);
    patient = rv_future_free(patient);
    close_waiting(ex);
}

static void a_running_job_is_asked_to_stop_at_its_deadline(void)
{
    rv_executor *ex = open_wide(2, NULL);
    rv_future *f =
        submit_with(ex, stay_until_cancelled, &nothing, .deadline = rv_after(5 * RV_MILLISECOND));

    RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void the_nearer_of_two_limits_counts(void)
{
    const struct rv_executor_opts opts = {.size = sizeof(opts), .job_timeout = RV_MILLISECOND};
    rv_executor *ex = open_wide(2, &opts);
    rv_future *f = submit_with(ex, stay_until_cancelled, &nothing, .deadline = rv_after(RV_MINUTE));

    RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_job_with_a_deadline_that_it_meets_is_as_any_other(void)
{
    rv_executor *ex = open_wide(2, NULL);

    for (int i = 0; i < 100; i++) {
        rv_future *f = submit_with(ex, add_one, &i, .deadline = rv_after(RV_MINUTE));
        RV_CHECK(value_of(f) == i + 1);
        f = rv_future_free(f);
    }
    RV_CHECK(ex->alarms.count == 0);
    close_waiting(ex);
}

/* --- inline: the submitter waits --- */

static void inline_waits_for_its_time(void)
{
    rv_executor *ex = open_wide(1, NULL);
    rv_time when = rv_after(RV_MILLISECOND);
    rv_future *f = NULL;
    struct rv_submit_opts opts = {.size = sizeof(opts), .not_before = RV_NEVER};

    RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, &opts, when) == -ETIME && runs == 0);
    opts.deadline = when;
    RV_CHECK(rv_submit_with(ex, &f, take_turn, &nothing, &opts, RV_NEVER) == 0);
    RV_CHECK(kind_of(f) == RV_OUTCOME_TIMEOUT && runs == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- out of memory --- */

static void without_memory_for_an_alarm_nothing_is_handed_over(void)
{
    rv_executor *ex = open_wide(1, NULL);
    const struct rv_submit_opts opts = {.size = sizeof(opts), .not_before = RV_NEVER};
    rv_future *f = NULL;
    int failures = 0, r;

    do {
        rvi_alloc_fail_after(failures + 1);
        r = rv_submit_with(ex, &f, take_turn, &nothing, &opts, RV_NEVER);
        RV_CHECK((r == 0) == rvi_alloc_fail_pending());
        rvi_alloc_fail_after(-1);
        RV_CHECK(r == 0 || r == -ENOMEM || r == -EAGAIN);
        RV_CHECK((r == 0) == (stats_of(ex).submitted == 1));
        failures += r < 0;
    } while (r < 0);
    RV_CHECK(failures > 0);
    rv_future_cancel(f);
    f = rv_future_free(f);
    close_waiting(ex);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_TIER(terms_that_make_no_sense_are_refused),
        ON_POOLS(a_higher_lane_goes_first_and_each_keeps_its_order),
        ON_POOLS(what_waits_in_any_lane_is_cancelled_alike),
        ON_EVERY_TIER(a_delayed_job_begins_when_its_time_has_come),
        ON_POOLS(what_may_begin_overtakes_what_may_not),
        ON_POOLS(a_delayed_job_takes_up_room),
        ON_EVERY_TIER(closing_waits_for_delayed_jobs),
        ON_POOLS(closing_cancels_delayed_jobs),
        ON_POOLS(many_delayed_jobs_use_the_whole_width),
        ON_EVERY_TIER(who_waits_for_room_may_bring_a_delayed_job),
        ON_POOLS(a_job_that_waits_ends_at_its_deadline),
        ON_POOLS(a_running_job_is_asked_to_stop_at_its_deadline),
        ON_POOLS(the_nearer_of_two_limits_counts),
        ON_EVERY_TIER(a_job_with_a_deadline_that_it_meets_is_as_any_other),
        IN_LINE(inline_waits_for_its_time),
        ON_POOLS(without_memory_for_an_alarm_nothing_is_handed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
