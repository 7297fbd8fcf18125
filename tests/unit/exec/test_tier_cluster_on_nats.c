/* SPDX-License-Identifier: MIT */
/* test_tier_cluster_on_nats.c - the tier on a real server, which is killed and started again. The
 * workers are in this process; those that are processes of their own are in tests/cluster. */
#include "exec/executor.h"

#include <ravel/cluster.h>

#include "../../support/hand.h"
#include "../../support/nats_server.h"
#include "cluster_plays.h"

static struct nats_server server; /* of all plays; each has a pool of its own */
static bool is_there;
static char pool[16];
static struct hand *hand;
static char words[256];

static int try_open(rv_executor **ret, const char *url, struct rv_cluster_opts cluster)
{
    struct rv_executor_opts opts = {.size = sizeof(opts), .cluster = &cluster};
    char spec[128];

    cluster.size = sizeof(cluster);
    cluster.words = words;
    cluster.words_bytes = sizeof(words);
    snprintf(spec, sizeof(spec), "cluster:%s/%s", url, pool);
    words[0] = '\0';
    return rv_executor_open(ret, spec, &opts);
}

static rv_executor *open_with(struct rv_cluster_opts cluster)
{
    rv_executor *ex;

    RV_CHECK(try_open(&ex, server.url, cluster) == 0);
    return ex;
}

#define OPEN(...) open_with((struct rv_cluster_opts){__VA_ARGS__})

static void needs_hand(unsigned slots)
{
    hand = hand_open(server.url, pool, slots);
}

/* --- jobs --- */

struct large {
    unsigned char bytes[1500000]; /* three pieces */
};

static int turn_large(const struct large *in, struct large *out)
{
    for (size_t i = 0; i < sizeof(in->bytes); i++)
        out->bytes[i] = in->bytes[i] + 1;
    return 0;
}
RV_JOB(turn_large, struct large, struct large);

static int sleep_and_add(const int *in, int *out)
{
    usleep(300);
    *out = *in + 1;
    return 0;
}
RV_JOB_IDEMPOTENT(sleep_and_add, int, int);

/* --- plays --- */

static void values_and_errors_come_back(void)
{
    needs_hand(2);
    rv_executor *ex = OPEN(0);
    rv_future *f[2] = {submit(ex, add_one, &(int){41}), submit(ex, fail_with, &(int){-EXDEV})};

    RV_CHECK(value_of(f[0]) == 42);
    RV_CHECK(outcome_of(f[1]).kind == RV_OUTCOME_ERROR && outcome_of(f[1]).error == -EXDEV);
    free_all(f, 2);
    close_waiting(ex);
}

static void a_map_is_longer_than_the_window(void)
{
    enum { COUNT = 300 };
    static int in[COUNT], out[COUNT];

    needs_hand(4);
    rv_executor *ex = OPEN(.window = 50);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    RV_CHECK(rv_map(ex, add_one, in, COUNT, out, NULL, RV_NEVER) == 0);
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(out[i] == i + 1);
    close_waiting(ex);
}

static void large_inputs_and_results_travel_in_pieces(void)
{
    static struct large in, out;
    struct rv_outcome outcome;

    needs_hand(1);
    rv_executor *ex = OPEN(0);
    for (size_t i = 0; i < sizeof(in.bytes); i++)
        in.bytes[i] = (unsigned char)(i * 7 / 3);
    rv_future *f = submit(ex, turn_large, &in);
    RV_CHECK(rv_future_get(f, &out, &outcome, RV_NEVER) == 0);
    RV_CHECK(outcome.kind == RV_OUTCOME_VALUE);
    for (size_t i = 0; i < sizeof(in.bytes); i++)
        RV_CHECK(out.bytes[i] == (unsigned char)(in.bytes[i] + 1));
    f = rv_future_free(f);
    close_waiting(ex);
}

static void what_waits_is_cancelled_and_what_runs_is_told(void)
{
    rv_executor *ex = OPEN(0);
    rv_future *f[2] = {submit(ex, add_one, &(int){1}), NULL};

    rv_future_cancel(f[0]);
    RV_CHECK(kind_of(f[0]) == RV_OUTCOME_CANCELLED);
    needs_hand(1);
    f[1] = submit(ex, stay_until_cancelled, &(int){0});
    until_inside(1);
    rv_future_cancel(f[1]);
    RV_CHECK(kind_of(f[1]) == RV_OUTCOME_CANCELLED);
    free_all(f, 2);
    close_waiting(ex);
}

static void a_job_with_terms_keeps_them(void)
{
    struct rv_submit_opts later = {
        .size = sizeof(later), .lane = RV_LANE_HIGH, .not_before = rv_after(50 * RV_MILLISECOND)};
    struct rv_submit_opts brief = {.size = sizeof(brief),
                                   .deadline = rv_after(20 * RV_MILLISECOND)};
    rv_future *f[2];
    rv_time before = rv_now();

    needs_hand(2);
    rv_executor *ex = OPEN(0);
    RV_CHECK(rv_submit_with(ex, &f[0], add_one, &(int){1}, &later, RV_NEVER) == 0);
    RV_CHECK(rv_submit_with(ex, &f[1], stay_until_cancelled, &(int){0}, &brief, RV_NEVER) == 0);
    RV_CHECK(kind_of(f[1]) == RV_OUTCOME_TIMEOUT);
    RV_CHECK(value_of(f[0]) == 2 && rv_now() - before >= 45 * RV_MILLISECOND);
    free_all(f, 2);
    close_waiting(ex);
}

static void a_pool_that_holds_little_still_does_everything(void)
{
    enum { COUNT = 40 };
    static int in[COUNT], out[COUNT];

    rv_executor *ex = OPEN(.pool_backlog = 3);
    needs_hand(2);
    RV_CHECK(rv_map(ex, add_one, in, COUNT, out, NULL, RV_NEVER) == 0);
    close_waiting(ex);
}

static void where_nobody_works_jobs_end_in_words(void)
{
    rv_executor *ex = OPEN(.worker_wait = 50 * RV_MILLISECOND);
    rv_future *f = submit(ex, add_one, &(int){1});
    char last[256];

    RV_CHECK(outcome_of(f).kind == RV_OUTCOME_ERROR && outcome_of(f).error == -EHOSTDOWN);
    (void)rv_future_last_words(f, last, sizeof(last));
    RV_CHECK(strstr(last, "ravel worker"));
    f = rv_future_free(f);
    close_waiting(ex);
}

static void a_server_that_is_killed_loses_nothing(void)
{
    enum { COUNT = 150 };
    rv_future *f[COUNT];

    needs_hand(2);
    rv_executor *ex = OPEN(.window = 40);
    for (int i = 0; i < COUNT; i++)
        f[i] = submit(ex, sleep_and_add, &i);
    RV_CHECK(value_of(f[10]) == 11);
    nats_server_kill(&server);
    while (stats_of(ex).away_ns == 0)
        rv_yield();
    RV_CHECK(nats_server_restart(&server));
    for (int i = 0; i < COUNT; i++)
        RV_CHECK(value_of(f[i]) == i + 1);
    RV_CHECK(stats_of(ex).away_ns == 0);
    free_all(f, COUNT);
    close_waiting(ex);
}

static void why_opening_fails_is_told_in_words(void)
{
    char url[64];
    rv_executor *ex;

    snprintf(url, sizeof(url), "nats://127.0.0.1:%d", nats_server_free_port());
    RV_CHECK(try_open(&ex, url, (struct rv_cluster_opts){.connect_timeout = 100 * RV_MILLISECOND}) <
             0);
    RV_CHECK(strstr(words, url + sizeof("nats://") - 1));
    RV_CHECK(try_open(&ex, server.url, (struct rv_cluster_opts){.nkey_file = "/nowhere"}) < 0);
    RV_CHECK(strstr(words, "/nowhere"));
}

/* --- the stage --- */

static void perform_here(void **state)
{
    static int count;

    if (!is_there)
        skip();
    snprintf(pool, sizeof(pool), "pool%d", count++);
    perform(*state);
    if (hand)
        hand_close(hand);
    hand = NULL;
}

static int start_server(void **state)
{
    (void)state;
    is_there = nats_server_start(&server, NULL);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    if (is_there)
        nats_server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HERE(values_and_errors_come_back),
        IN_A_TASK(a_map_is_longer_than_the_window),
        HERE(large_inputs_and_results_travel_in_pieces),
        HERE(what_waits_is_cancelled_and_what_runs_is_told),
        HERE(a_job_with_terms_keeps_them),
        HERE(a_pool_that_holds_little_still_does_everything),
        HERE(where_nobody_works_jobs_end_in_words),
        IN_A_TASK(a_server_that_is_killed_loses_nothing),
        HERE(why_opening_fails_is_told_in_words),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
