/* SPDX-License-Identifier: MIT */
/* test_nats_memory.c - each allocation fails in turn, in a whole life of two ends on a real server:
 * what was refused is refused by -ENOMEM, what was not comes to its end, and nothing is left. */
#include "engine_party.h"

static const int64_t ms = 1000000;

/* Whether anything was refused. */
static bool play(struct party *p)
{
    struct rvi_engine_opts client_opts = end_opts(p, RVI_ENGINE_CLIENT),
                           worker_opts = end_opts(p, RVI_ENGINE_WORKER);
    struct end *client = &p->ends[0], *worker = &p->ends[1];
    struct rvi_engine_task task = {.job = "any", .in = "in", .in_bytes = 2};
    char words[RVI_ENGINE_WORDS];
    int r;

    p->end_count = 2;
    client->party = worker->party = p;
    worker->settles_at_once = true;
    r = rvi_engine_open(&client->e, &client_opts, &party_events, client, words);
    if (r == 0)
        r = rvi_engine_open(&worker->e, &worker_opts, &party_events, worker, words);
    if (r == 0)
        r = rvi_engine_make_id(task.id);
    if (r == 0)
        r = rvi_engine_submit(client->e, &task);
    if (r == 0) {
        rvi_engine_want(worker->e, 1);
        await(client, ENDED, 1);
    }
    assert_true(r == 0 || r == -ENOMEM);
    return r < 0;
}

static void without_memory_all_is_refused_or_ends(void **state)
{
    long refused = 0, n = 1;

    for (bool is_pending = false; !is_pending; n++) {
        struct party *p = begin(state);
        long before = rvi_alloc_live();
        p->opts.lease = 30 * ms; /* what was dropped for want of memory comes again soon */
        rvi_alloc_fail_after(n);
        refused += play(p);
        is_pending = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        for (int i = 0; i < p->end_count; i++)
            close_end(&p->ends[i]);
        assert_int_equal(rvi_alloc_live(), before);
        finish(p);
    }
    assert_true(n > 10);
    assert_true(rvi_alloc_live() < 0 || refused > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_all_is_refused_or_ends),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
