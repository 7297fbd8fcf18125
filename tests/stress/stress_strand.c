/* SPDX-License-Identifier: MIT */
/* stress_strand.c - strands under tasks and threads that post, wait for results and give up, with
 * one strand busy and idle in turns, and scopes that are cancelled in between. */
#include <ravel/strand.h>

#include <errno.h>

#include "parties.h"

enum { PARTIES = 5, ROOM = 4 };

struct account {
    rv_strand *strand;
    size_t rounds;       /* of each party */
    _Atomic(int) inside; /* jobs that run now */
    size_t balance;      /* jobs alone touch it */
    _Atomic(size_t) accepted;
    _Atomic(int) left; /* parties that are done */
};

static int add_one(void *arg)
{
    struct account *account = arg;
    RV_CHECK(rvi_fetch_add_relaxed(&account->inside, 1) == 0);
    size_t seen = account->balance;
    if (seen % 8 == 0)
        rv_yield();
    account->balance = seen + 1;
    RV_CHECK(rvi_fetch_sub_relaxed(&account->inside, 1) == 1);
    return (int)(seen % 3);
}

/* Returns what rv_strand_... says. */
static int use_somehow(struct account *account, struct rvi_rng *rng)
{
    int result = -1, r;
    switch (rvi_rng_below(rng, 4)) {
    case 0:
        return rv_strand_try_post(account->strand, add_one, account);
    case 1:
        r = rv_strand_run(account->strand, add_one, account, &result, some_deadline(rng));
        RV_CHECK(r < 0 || result >= 0);
        return r;
    default:
        return rv_strand_post(account->strand, add_one, account, some_deadline(rng));
    }
}

static int use_account(void *arg)
{
    struct account *account = arg;
    struct rvi_rng rng;
    size_t left = account->rounds;
    seed_next(&rng);
    while (left > 0) {
        int r = use_somehow(account, &rng);
        RV_CHECK(r == 0 || r == -EAGAIN || r == -ETIME || r == -ECANCELED);
        if (r == -ECANCELED)
            break;
        if (r == 0) {
            rvi_fetch_add_relaxed(&account->accepted, 1);
            left--;
        }
        pause_sometimes(&rng);
    }
    rvi_fetch_add_release(&account->left, 1); /* pairs: stress-left */
    return 0;
}

static void open_account(struct account *account, rv_scope *scope)
{
    struct rv_strand_opts opts = {.size = sizeof(opts), .capacity = ROOM};
    RV_CHECK(rv_strand_open(&account->strand, scope, &opts) == 0);
}

static void until_all_have_left(struct account *account)
{
    while (rvi_load_acquire(&account->left) < PARTIES) /* pairs: stress-left */
        rv_yield();
}

static void every_job_runs_once_and_alone(void)
{
    struct account account = {.rounds = scaled(1000)};
    rv_scope *scope;
    RV_CHECK(rv_scope_open(&scope, NULL) == 0);
    open_account(&account, scope);
    for (int i = 0; i < PARTIES; i++)
        start(use_account, &account);
    until_all_have_left(&account);
    RV_CHECK(rv_strand_close(account.strand) == 0);
    RV_CHECK(rv_scope_close(scope) == 0);
    RV_CHECK(account.balance == PARTIES * account.rounds);
    finish();
}

/* What was accepted has been run or was dropped, and nobody waits for ever. */
static void a_cancelled_scope_lets_go_of_everybody(void)
{
    struct rvi_rng rng;
    seed_next(&rng);
    for (size_t round = scaled(60); round > 0; round--) {
        struct account account = {.rounds = 1000000};
        struct rv_strand_stats stats = {.size = sizeof(stats)};
        rv_scope *scope;
        RV_CHECK(rv_scope_open(&scope, NULL) == 0);
        open_account(&account, scope);
        for (int i = 0; i < PARTIES; i++)
            start(use_account, &account);
        for (uint64_t i = rvi_rng_below(&rng, 50); i > 0; i--)
            rv_yield();
        rv_scope_cancel(scope, -EINTR);
        until_all_have_left(&account);
        do {
            rv_yield();
            RV_CHECK(rv_strand_stats_read(account.strand, &stats) == 0);
        } while (stats.waiting > 0);
        size_t accepted = rvi_load_relaxed(&account.accepted);
        RV_CHECK(stats.run + stats.dropped == accepted);
        RV_CHECK(rv_strand_close(account.strand) == (stats.dropped > 0 ? -ECANCELED : 0));
        RV_CHECK(rv_scope_close(scope) == -EINTR);
        RV_CHECK(account.balance == stats.run);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TASKS(every_job_runs_once_and_alone),
        performance("every_job_runs_once_and_alone_between_both_kinds", on_both_kinds,
                    every_job_runs_once_and_alone),
        ON_TASKS(a_cancelled_scope_lets_go_of_everybody),
        performance("a_cancelled_scope_lets_go_of_everybody_between_both_kinds", on_both_kinds,
                    a_cancelled_scope_lets_go_of_everybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
