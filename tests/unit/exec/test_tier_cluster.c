/* SPDX-License-Identifier: MIT */
/* test_tier_cluster.c - what is particular about jobs that an engine carries: it may be full, lose
 * things, and tell nonsense. The engine is one in memory. */
#include "cluster_in_memory.h"

/* --- jobs --- */

static _Atomic(int) order[1000];

static int note_order(const int *in, int *out)
{
    *out = rvi_fetch_add_relaxed(&runs, 1);
    rvi_store_relaxed(&order[*out], *in);
    return 0;
}
RV_JOB(note_order, int, int);

struct large {
    unsigned char bytes[300000];
};

static int turn_large(const struct large *in, struct large *out)
{
    for (size_t i = 0; i < sizeof(in->bytes); i++)
        out->bytes[i] = in->bytes[i] + 1;
    return 0;
}
RV_JOB(turn_large, struct large, struct large);

static int add_one_again(const int *in, int *out)
{
    return add_one(in, out);
}
RV_JOB_IDEMPOTENT(add_one_again, int, int);

/* --- there and back --- */

static void values_and_errors_come_back(void)
{
    needs_hand(2);
    rv_executor *ex = OPEN(0);
    rv_future *f[3] = {submit(ex, add_one, &(int){41}), submit(ex, fail_with, &(int){-EXDEV})};

    RV_CHECK(value_of(f[0]) == 42);
    RV_CHECK(outcome_of(f[1]).kind == RV_OUTCOME_ERROR && outcome_of(f[1]).error == -EXDEV);
    f[2] = submit(ex, add_one, &(int){1});
    RV_CHECK(outcome_of(f[2]).run_ns >= 0 && outcome_of(f[2]).queued_ns >= 0);
    RV_CHECK(strcmp(rv_executor_choice(ex), SPEC) == 0);
    RV_CHECK(rv_executor_width(ex) == 1024);
    close_waiting(ex);
    RV_CHECK(value_of(f[2]) == 2);
    free_all(f, 3);
}

static void large_inputs_and_results_travel_whole(void)
{
    static struct large in, out;
    struct rv_outcome outcome;

    needs_hand(1);
    rv_executor *ex = OPEN(0);
    for (size_t i = 0; i < sizeof(in.bytes); i++)
        in.bytes[i] = (unsigned char)(i * 7 / 3);
    rv_future *f = submit(ex, turn_large, &in);
    RV_CHECK(rv_future_get(f, &out, &outcome, RV_NEVER) == 0);
    for (size_t i = 0; i < sizeof(in.bytes); i++)
        RV_CHECK(out.bytes[i] == (unsigned char)(in.bytes[i] + 1));
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_map_is_longer_than_the_window(void)
{
    enum { COUNT = 1000 };
    static int in[COUNT], out[COUNT];

    needs_hand(3);
    rv_executor *ex = OPEN(.window = 7);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    RV_CHECK(rv_map(ex, add_one, in, COUNT, out, NULL, RV_NEVER) == 0);
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(out[i] == i + 1);
    RV_CHECK(stats_of(ex).ended == COUNT && stats_of(ex).running == 0);
    close_waiting(ex);
}

static void a_future_that_nobody_holds_is_gone_when_it_has_ended(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    for (int i = 0; i < 10; i++)
        (void)rv_future_free(submit(ex, add_one, &i));
    close_waiting(ex);
    RV_CHECK(rvi_load_relaxed(&runs) == 10);
}

static void jobs_of_another_registry_are_refused(void)
{
    static struct rv_job stranger;
    rv_future *f;

    needs_hand(1);
    rv_executor *ex = OPEN(0);
    stranger = rv_job_add_one;
    RV_CHECK(rv_submit_job(ex, &f, &stranger, &(int){1}, RV_NEVER) == -EINVAL);
    close_waiting(ex);
}

static void attempts_are_the_retries_of_idempotent_jobs(void)
{
    needs_hand(1);
    rv_executor *ex =
        open_with((struct rv_cluster_opts){0}, (struct rv_executor_opts){.retries = 2});
    rv_future *f[2] = {submit(ex, add_one, &(int){0}), NULL};
    RV_CHECK(value_of(f[0]) == 1 && hand->attempts == 1);
    f[1] = submit(ex, add_one_again, &(int){1});
    RV_CHECK(value_of(f[1]) == 2 && hand->attempts == 3);
    free_all(f, 2);
    close_waiting(ex);
}

/* --- a pool that is full --- */

static bool has_refused_some(const struct memory_counts *counts)
{
    return counts->refused > 0;
}

static void a_full_pool_makes_jobs_wait_in_their_order(void)
{
    enum { COUNT = 50 };
    rv_future *f[COUNT];

    BREAK(.holds_tasks = true);
    rv_executor *ex = OPEN(0);
    for (int i = 0; i < COUNT; i++)
        f[i] = submit(ex, note_order, &i);
    BREAK(.store = -EAGAIN, .stores = COUNT + 2);
    memory_engine_until(has_refused_some);
    needs_hand(1);
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(value_of(f[i]) == i);
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(rvi_load_relaxed(&order[i]) == i);
    RV_CHECK(memory_engine_count().refused == COUNT + 2);
    free_all(f, COUNT);
    close_waiting(ex);
}

static void a_pool_that_holds_little_still_does_everything(void)
{
    enum { COUNT = 200 };
    static int in[COUNT], out[COUNT];

    rv_executor *ex = OPEN(.pool_backlog = 3);
    needs_hand(2);
    RV_CHECK(rv_map(ex, add_one, in, COUNT, out, NULL, RV_NEVER) == 0);
    RV_CHECK(memory_engine_count().refused > 0);
    close_waiting(ex);
}

static void a_job_that_was_refused_can_be_cancelled(void)
{
    BREAK(.store = -EAGAIN, .stores = 1000000);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    memory_engine_until(has_refused_some);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void one_that_is_cancelled_before_it_is_refused_is_cancelled(void)
{
    BREAK(.holds_tasks = true);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    rv_future_cancel(f);
    BREAK(.store = -EAGAIN, .stores = 1);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_cannot_be_stored_ends_in_words(void)
{
    BREAK(.store = -ENOSPC, .stores = 1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(outcome_of(f).kind == RV_OUTCOME_ERROR && outcome_of(f).error == -ENOSPC);
    expect_words(f, "no room left");
    f = rv_future_free(f);
    BREAK(.store = -EACCES, .stores = 1);
    f = submit(ex, add_one, &(int){1});
    RV_CHECK(outcome_of(f).error == -EACCES);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_cannot_be_said_ends_or_waits(void)
{
    needs_hand(1);
    BREAK(.submit = -EFBIG, .submits = 1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(outcome_of(f).error == -EFBIG);
    expect_words(f, "larger");
    f = rv_future_free(f);
    BREAK(.submit = -ENOMEM, .submits = 3);
    f = submit(ex, add_one, &(int){1});
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* --- cancelling --- */

static bool is_all_stored(const struct memory_counts *counts)
{
    return counts->stored == 9;
}

static void what_waits_here_is_cancelled_here(void)
{
    BREAK(.holds_tasks = true);
    rv_executor *ex = OPEN(.window = 1);
    rv_future *f[2] = {submit(ex, add_one, &(int){1}), submit(ex, add_one, &(int){2})};

    RV_CHECK(stats_of(ex).waiting == 1 && stats_of(ex).running == 1);
    rv_future_cancel(f[1]);
    RV_CHECK(kind_of(f[1]) == RV_OUTCOME_CANCELLED);
    BREAK(0);
    needs_hand(1);
    RV_CHECK(value_of(f[0]) == 2);
    free_all(f, 2);
    close_waiting(ex);
}

static void what_waits_in_the_pool_is_deleted_there(void)
{
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    memory_engine_until(is_one_stored);
    rv_future_cancel(f);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    RV_CHECK(memory_engine_count().cancelled == 1 && memory_engine_count().waiting == 0);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_runs_is_told_to_stop(void)
{
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){0});

    until_inside(1);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_stop_that_was_lost_is_said_again(void)
{
    needs_hand(1);
    BREAK(.lost_cancels = 1);
    rv_executor *ex = OPEN(.cancel_wait = 4 * RV_SECOND);
    rv_future *f = submit(ex, stay_until_cancelled, &(int){0});

    until_inside(1);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_CANCELLED);
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_stop_that_nobody_answers_is_a_loss(void)
{
    BREAK(.lost_cancels = 1000000);
    rv_executor *ex = OPEN(.cancel_wait = 20 * RV_MILLISECOND);
    rv_future *f = submit(ex, add_one, &(int){1});

    memory_engine_until(is_one_stored);
    rv_future_cancel(f);
    RV_CHECK(kind_of(f) == RV_OUTCOME_LOST);
    expect_words(f, "was to stop");
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_job_that_overstays_is_a_timeout(void)
{
    needs_hand(2);
    rv_executor *ex = open_with((struct rv_cluster_opts){0},
                                (struct rv_executor_opts){.job_timeout = 5 * RV_MILLISECOND});
    rv_future *f[2] = {submit(ex, stay_until_cancelled, &(int){0}), NULL};

    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_TIMEOUT);
    f[1] = submit(ex, stay_until_cancelled, &(int){1});
    RV_CHECK(kind_of(f[1]) == RV_OUTCOME_TIMEOUT);
    free_all(f, 2);
    close_waiting(ex);
}

static struct rv_submit_opts terms(enum rv_lane lane, rv_time not_before, rv_time deadline)
{
    return (struct rv_submit_opts){
        .size = sizeof(struct rv_submit_opts),
        .lane = lane,
        .not_before = not_before,
        .deadline = deadline,
    };
}

static rv_future *submit_by(rv_executor *ex, int in, struct rv_submit_opts opts)
{
    rv_future *f;

    RV_CHECK(rv_submit_with(ex, &f, note_order, &in, &opts, RV_NEVER) == 0);
    return f;
}

static void a_higher_lane_goes_first_in_the_pool_too(void)
{
    enum { COUNT = 9 };
    static const enum rv_lane lanes[] = {RV_LANE_LOW, RV_LANE_NORMAL, RV_LANE_HIGH};
    rv_future *f[COUNT];

    BREAK(.holds_tasks = true);
    rv_executor *ex = OPEN(0);
    for (int i = 0; i < COUNT; i++)
        f[i] = submit_by(ex, i, terms(lanes[i % 3], 0, 0));
    needs_hand(0);
    BREAK(0);
    memory_engine_until(is_all_stored);
    rvi_engine_want(hand->engine, 1);
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(value_of(f[i]) == (i % 3 == 2 ? 0 : i % 3 == 1 ? 3 : 6) + i / 3);
    free_all(f, COUNT);
    close_waiting(ex);
}

static void a_job_with_a_time_to_begin_waits_in_the_pool(void)
{
    needs_hand(2);
    rv_executor *ex = OPEN(0);
    rv_time soon = rv_after(RV_MILLISECOND), late = rv_after(RV_MINUTE);
    rv_future *f[3] = {submit_by(ex, 1, terms(RV_LANE_NORMAL, late, 0))};

    memory_engine_until(is_one_stored);
    f[1] = submit(ex, note_order, &(int){2});
    RV_CHECK(value_of(f[1]) == 0);
    f[2] = submit_by(ex, 3, terms(RV_LANE_NORMAL, soon, 0));
    RV_CHECK(value_of(f[2]) == 1);
    rv_future_cancel(f[0]);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED);
    free_all(f, 3);
    close_waiting(ex);
}

static void when_its_time_is_over_a_job_is_a_timeout_wherever_it_is(void)
{
    rv_executor *ex = OPEN(.window = 1, .cancel_wait = 200 * RV_MILLISECOND);
    rv_time when = rv_after(10 * RV_MILLISECOND);
    rv_future *f[2] = {submit_by(ex, 1, terms(RV_LANE_NORMAL, 0, when)),
                       submit_by(ex, 2, terms(RV_LANE_NORMAL, 0, when))};

    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_TIMEOUT && kind_of(f[1]) == RV_OUTCOME_TIMEOUT);
    free_all(f, 2);
    BREAK(.lost_cancels = 1000000);
    f[0] = submit_by(ex, 1, terms(RV_LANE_NORMAL, 0, rv_after(RV_MILLISECOND)));
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_TIMEOUT);
    f[0] = rv_future_free(f[0]);
    BREAK(0);
    needs_hand(1);
    f[0] = submit_by(ex, 3, terms(RV_LANE_NORMAL, 0, rv_after(RV_MINUTE)));
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_VALUE);
    f[0] = rv_future_free(f[0]);
    close_waiting(ex);
}

/* --- results --- */

static void a_result_that_is_told_twice_counts_once(void)
{
    needs_hand(1);
    BREAK(.doubled_results = 5);
    rv_executor *ex = OPEN(.window = 2);

    for (int i = 0; i < 10; i++) {
        rv_future *f = submit(ex, add_one, &i);
        RV_CHECK(value_of(f) == i + 1);
        f = rv_future_free(f);
    }
    RV_CHECK(stats_of(ex).ended == 10);
    close_waiting(ex);
}

static void a_result_that_is_lost_is_a_loss_when_it_is_waited_for_no_more(void)
{
    needs_hand(1);
    BREAK(.lost_results = 1);
    rv_executor *ex = OPEN(.cancel_wait = 20 * RV_MILLISECOND);
    rv_future *f = submit(ex, add_one, &(int){1});

    RV_CHECK(rv_future_wait(f, rv_after(5 * RV_MILLISECOND)) == -ETIME);
    RV_CHECK(rv_executor_close(ex, RV_CLOSE_WAIT, rv_after(5 * RV_MILLISECOND)) == 0);
    RV_CHECK(kind_of(f) == RV_OUTCOME_LOST);
    f = rv_future_free(f);
}

static bool is_one_held(const struct memory_counts *counts)
{
    return counts->held == 1;
}

/* A worker whose jobs this test ends. */
struct puppet {
    struct rvi_engine *engine;
    _Atomic(struct rvi_engine_lease *) lease;
    char id[RVI_ENGINE_ID_BYTES];
};

static void puppet_leased(void *arg, struct rvi_engine_lease *lease,
                          const struct rvi_engine_task *task)
{
    struct puppet *puppet = arg;

    memcpy(puppet->id, task->id, sizeof(puppet->id));
    rvi_store_release(&puppet->lease, lease); /* pairs: puppet */
}

static void puppet_open(struct puppet *puppet)
{
    static const struct rvi_engine_events events = {.leased = puppet_leased};
    struct rvi_engine_opts opts = {.role = RVI_ENGINE_WORKER, .url = URL, .pool = POOL};
    char why[RVI_ENGINE_WORDS];

    *puppet = (struct puppet){0};
    rvi_identity_build(opts.build);
    RV_CHECK(rvi_engine_open(&puppet->engine, &opts, &events, puppet, why) == 0);
    rvi_engine_want(puppet->engine, 1);
}

static struct rvi_engine_lease *puppet_take(struct puppet *puppet)
{
    struct rvi_engine_lease *lease;

    while (!(lease = rvi_exchange_acquire(&puppet->lease, NULL))) /* pairs: puppet */
        rv_yield();
    return lease;
}

static void puppet_settle(struct puppet *puppet, struct rvi_engine_result result)
{
    struct rvi_engine_lease *lease = puppet_take(puppet);

    memcpy(result.id, puppet->id, sizeof(result.id));
    rvi_engine_settle(lease, &result);
}

static void a_job_says_how_far_it_is(void)
{
    struct puppet puppet;
    char note[RV_PROGRESS_MOST];
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    puppet_open(&puppet);
    struct rvi_engine_lease *lease = puppet_take(&puppet);
    rvi_engine_progress(lease, "half", 4);
    RV_CHECK(rv_future_progress(f, note, sizeof(note), RV_NEVER) == 4);
    RV_CHECK(memcmp(note, "half", 4) == 0);
    rvi_store_release(&puppet.lease, lease); /* pairs: puppet */
    puppet_settle(&puppet, (struct rvi_engine_result){.kind = RV_OUTCOME_LOST});
    RV_CHECK(kind_of(f) == RV_OUTCOME_LOST);
    f = rv_future_free(f);
    close_waiting(ex);
    rvi_engine_close(puppet.engine, RV_NEVER);
}

static void results_that_make_no_sense_are_errors(void)
{
    static const struct rvi_engine_result nonsense[] = {
        {.kind = RV_OUTCOME_VALUE, .out = "", .out_bytes = 1},
        {.kind = RV_OUTCOME_VALUE},
        {.kind = RV_OUTCOME_ERROR},
        {.kind = RV_OUTCOME_ERROR, .error = 5},
        {.kind = RV_OUTCOME_SIGNAL},
        {.kind = 77},
        {.kind = -1},
    };
    struct puppet puppet;
    rv_executor *ex = OPEN(0);

    puppet_open(&puppet);
    for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
        rv_future *f = submit(ex, add_one, &(int){1});
        puppet_settle(&puppet, nonsense[i]);
        RV_CHECK(outcome_of(f).kind == RV_OUTCOME_ERROR && outcome_of(f).error == -EPROTO);
        expect_words(f, "cannot have");
        f = rv_future_free(f);
    }
    close_waiting(ex);
    rvi_engine_close(puppet.engine, RV_NEVER);
}

static void deaths_and_last_words_come_along(void)
{
    struct puppet puppet;
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one_again, &(int){1});

    puppet_open(&puppet);
    puppet_settle(&puppet,
                  (struct rvi_engine_result){
                      .kind = RV_OUTCOME_SIGNAL, .signal = SIGSEGV, .deaths = 3, .words = "ouch"});
    RV_CHECK(outcome_of(f).kind == RV_OUTCOME_SIGNAL && outcome_of(f).signal == SIGSEGV);
    RV_CHECK(outcome_of(f).deaths == 3);
    expect_words(f, "ouch");
    f = rv_future_free(f);
    struct rv_executor_stats stats = stats_of(ex);
    RV_CHECK(stats.deaths == 3 && stats.retried == 2 && stats.poisoned == 1);
    close_waiting(ex);
    rvi_engine_close(puppet.engine, RV_NEVER);
}

static void results_of_nobody_are_nobodys(void)
{
    static const char *const ids[] = {"", "x", "0123456789012345678901", "!!!!!!!!!!!!!!!!!!!!!!"};
    needs_hand(1);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one, &(int){1});

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct rvi_engine_result result = {.kind = RV_OUTCOME_LOST};
        snprintf(result.id, sizeof(result.id), "%s", ids[i]);
        memory_engine_tell(&result);
    }
    RV_CHECK(value_of(f) == 2);
    f = rv_future_free(f);
    close_waiting(ex);
}

/* Its first half is ours, and there are all kinds of second halves. */
static void results_of_jobs_that_have_ended_are_nobodys(void)
{
    struct puppet puppet;
    rv_executor *ex = OPEN(.window = 3);
    rv_future *f = submit(ex, add_one, &(int){1});

    puppet_open(&puppet);
    puppet_settle(&puppet, (struct rvi_engine_result){.kind = RV_OUTCOME_LOST});
    RV_CHECK(kind_of(f) == RV_OUTCOME_LOST);
    f = rv_future_free(f);
    struct rvi_engine_result result = {.kind = RV_OUTCOME_ERROR, .error = -EIO};
    memcpy(result.id, puppet.id, sizeof(result.id));
    f = submit(ex, add_one, &(int){1});
    memory_engine_tell(&result);
    memcpy(result.id + 11, "zzzzzzzzzzz", 11);
    memory_engine_tell(&result);
    puppet_settle(&puppet, (struct rvi_engine_result){
                               .kind = RV_OUTCOME_VALUE, .out = &(int){5}, .out_bytes = 4});
    RV_CHECK(value_of(f) == 5);
    f = rv_future_free(f);
    close_waiting(ex);
    rvi_engine_close(puppet.engine, RV_NEVER);
}

static void a_worker_that_falls_silent_is_followed_by_another(void)
{
    struct puppet puppet;
    BREAK(.lease_ns = 10 * RV_MILLISECOND);
    rv_executor *ex = OPEN(0);
    rv_future *f = submit(ex, add_one_again, &(int){1});

    puppet_open(&puppet);
    memory_engine_until(is_one_held);
    needs_hand(1);
    RV_CHECK(value_of(f) == 2);
    RV_CHECK(memory_engine_count().lapsed >= 1);
    f = rv_future_free(f);
    close_waiting(ex);
    rvi_engine_close(puppet.engine, RV_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(values_and_errors_come_back),
        HERE(large_inputs_and_results_travel_whole),
        BOTH(a_map_is_longer_than_the_window),
        HERE(a_future_that_nobody_holds_is_gone_when_it_has_ended),
        HERE(jobs_of_another_registry_are_refused),
        HERE(attempts_are_the_retries_of_idempotent_jobs),
        BOTH(a_full_pool_makes_jobs_wait_in_their_order),
        HERE(a_pool_that_holds_little_still_does_everything),
        HERE(a_job_that_was_refused_can_be_cancelled),
        HERE(one_that_is_cancelled_before_it_is_refused_is_cancelled),
        HERE(what_cannot_be_stored_ends_in_words),
        HERE(what_cannot_be_said_ends_or_waits),
        BOTH(what_waits_here_is_cancelled_here),
        BOTH(what_waits_in_the_pool_is_deleted_there),
        BOTH(what_runs_is_told_to_stop),
        HERE(a_stop_that_was_lost_is_said_again),
        HERE(a_stop_that_nobody_answers_is_a_loss),
        HERE(a_job_that_overstays_is_a_timeout),
        HERE(a_higher_lane_goes_first_in_the_pool_too),
        HERE(a_job_with_a_time_to_begin_waits_in_the_pool),
        BOTH(when_its_time_is_over_a_job_is_a_timeout_wherever_it_is),
        HERE(a_result_that_is_told_twice_counts_once),
        BOTH(a_result_that_is_lost_is_a_loss_when_it_is_waited_for_no_more),
        BOTH(a_job_says_how_far_it_is),
        HERE(results_that_make_no_sense_are_errors),
        HERE(deaths_and_last_words_come_along),
        HERE(results_of_nobody_are_nobodys),
        HERE(results_of_jobs_that_have_ended_are_nobodys),
        HERE(a_worker_that_falls_silent_is_followed_by_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
