/* SPDX-License-Identifier: MIT */
/* stress_supervisor.c - trees whose services die at random while they are told to stop, or their
 * scope is cancelled: never two lives of one service, no life begins before the one before it is
 * over, and none is left. */
#include <ravel/supervisor.h>

#include <errno.h>
#include <stdbool.h>

#include "stress.h"

enum { WORKERS = 2, SERVICES = 4, ROUNDS = 150 };

static struct soul {
    _Atomic(int) alive;
    struct rvi_rng rng;
} souls[2 * SERVICES];

static int live_and_die(void *arg)
{
    struct soul *soul = arg;
    int r = 0;

    RV_CHECK(rvi_fetch_add_relaxed(&soul->alive, 1) == 0);
    for (uint64_t left = rvi_rng_below(&soul->rng, 6); left > 0 && r == 0; left--) {
        if (rvi_rng_below(&soul->rng, 2))
            rv_yield();
        else
            r = rv_sleep((rv_time)rvi_rng_below(&soul->rng, 50 * RV_MICROSECOND));
    }
    if (r == 0 && rvi_rng_below(&soul->rng, 3) == 0)
        r = rv_sleep_until(RV_NEVER);
    RV_CHECK(rvi_fetch_sub_relaxed(&soul->alive, 1) == 1);
    return r < 0 ? r : -(int)rvi_rng_below(&soul->rng, 2);
}

struct tree {
    struct rv_service services[SERVICES], below[SERVICES];
    struct rv_supervisor_opts opts, below_opts;
};

static const char *const names[SERVICES] = {"a", "b", "c", "d"};

static void fill(struct rv_service *services, struct soul *first, struct rvi_rng *rng)
{
    for (int i = 0; i < SERVICES; i++) {
        first[i].rng = *rng;
        rvi_rng_below(rng, 1000);
        services[i] = (struct rv_service){.size = sizeof *services,
                                          .name = names[i],
                                          .run = live_and_die,
                                          .arg = &first[i],
                                          .restart = (enum rv_restart)rvi_rng_below(rng, 3)};
    }
}

static struct rv_supervisor_opts some_opts(const struct rv_service *services, struct rvi_rng *rng)
{
    return (struct rv_supervisor_opts){.size = sizeof(struct rv_supervisor_opts),
                                       .services = services,
                                       .count = SERVICES,
                                       .strategy = (enum rv_strategy)rvi_rng_below(rng, 3),
                                       .intensity = 1 + (int)rvi_rng_below(rng, 60),
                                       .period = 100 * RV_MILLISECOND,
                                       .backoff = (rv_time)rvi_rng_below(rng, 2) * RV_MICROSECOND};
}

static void plant(struct tree *tree, struct rvi_rng *rng)
{
    fill(tree->services, souls, rng);
    fill(tree->below, souls + SERVICES, rng);
    tree->opts = some_opts(tree->services, rng);
    tree->below_opts = some_opts(tree->below, rng);
    size_t branch = rvi_rng_below(rng, SERVICES);
    tree->services[branch].run = NULL;
    tree->services[branch].arg = NULL;
    tree->services[branch].supervisor = &tree->below_opts;
}

static void play(struct rvi_rng *rng)
{
    struct tree tree;
    rv_supervisor *sup = NULL;
    int err, r = 0;
    bool cancels = rvi_rng_below(rng, 2);

    plant(&tree, rng);
    RV_SCOPE(scope, err) {
        r = rv_supervisor_start(&sup, scope, &tree.opts, RV_NEVER);
        if (r == 0)
            (void)!rv_sleep((rv_time)rvi_rng_below(rng, 2 * RV_MILLISECOND)); /* it may fail */
        if (cancels)
            rv_scope_cancel(scope, -EINTR);
        else if (r == 0)
            (void)!rv_supervisor_stop(sup, 0);
    }
    int end = r == 0 ? rv_supervisor_close(sup) : r;
    RV_CHECK(end == 0 || end == -ENOTRECOVERABLE || end == -ECANCELED);
    RV_CHECK(err == 0 || err == -EINTR || err == -ENOTRECOVERABLE);
    for (int i = 0; i < 2 * SERVICES; i++)
        RV_CHECK(rvi_load_relaxed(&souls[i].alive) == 0);
}

static int play_rounds(void *arg)
{
    struct rvi_rng rng;

    (void)arg;
    rvi_rng_seed(&rng, (uint64_t)rv_now());
    for (size_t round = scaled(ROUNDS, 10); round > 0; round--)
        play(&rng);
    return 0;
}

static void no_service_outlives_its_supervisor(void **state)
{
    (void)state;
    run_on(WORKERS, play_rounds, NULL);
    run_on(1, play_rounds, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_service_outlives_its_supervisor)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
