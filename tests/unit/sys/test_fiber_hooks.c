/* SPDX-License-Identifier: MIT */
/* test_fiber_hooks.c - fibers on pooled stacks, as the tools see them: no false alarm from
 * AddressSanitizer, ThreadSanitizer or memcheck, on first entry, ping-pong, end and reuse. */
#include "sys/fiber_hooks.h"

#include <pthread.h>

#include "sys_test.h"

/* What a test knows of one fiber; the first switch passes it. */
struct fiber {
    struct rvi_stack *stack;
    struct rvi_stack *home; /* to switch back to */
    int rounds;
    long sum;
};

struct bench {
    struct rvi_stack_pool *pool;
    struct rvi_stack_cache cache;
    struct rvi_stack thread;
};

static void bench_open(struct bench *bench, bool measure)
{
    struct rvi_stack_pool_opts opts = {.max = 1000, .measure = measure};
    assert_int_equal(rvi_stack_pool_open(&bench->pool, &opts), 0);
    rvi_stack_cache_init(&bench->cache, bench->pool);
    assert_int_equal(rvi_stack_adopt_thread(&bench->thread), 0);
}

static void bench_close(struct bench *bench)
{
    rvi_stack_cache_fini(&bench->cache);
    bench->pool = rvi_stack_pool_close(bench->pool);
}

static void fiber_start(struct bench *bench, struct fiber *fiber, void (*entry)(void *), int rounds)
{
    *fiber = (struct fiber){.home = &bench->thread, .rounds = rounds};
    assert_int_equal(rvi_stack_cache_take(&bench->cache, &fiber->stack), 0);
    rvi_stack_prepare(fiber->stack, entry);
}

static void fiber_end(struct bench *bench, struct fiber *fiber)
{
    rvi_stack_cache_push(&bench->cache, fiber->stack);
}

/* Locals whose addresses escape, so that AddressSanitizer gives them red zones or a fake frame. */
__attribute__((noinline)) static long use_stack(volatile char *bytes, size_t n, int depth)
{
    char mine[200];
    memset(mine, depth, sizeof(mine));
    for (size_t i = 0; i < n; i++)
        bytes[i] = mine[i % sizeof(mine)];
    return depth > 0 ? use_stack(mine, sizeof(mine), depth - 1) + mine[0] : mine[0];
}

static void counting_entry(void *pass)
{
    struct fiber *self = pass;
    rvi_stack_entered(self->stack);
    for (int i = 0; i < self->rounds; i++) {
        char local[100];
        self->sum += use_stack(local, sizeof(local), 5) * 0 + 1;
        rvi_stack_switch(self->stack, self->home, self);
    }
    rvi_stack_switch_final(self->home, NULL);
}

/* Switch to the fiber; false once it has ended. */
static bool step(struct bench *bench, struct fiber *fiber)
{
    return rvi_stack_switch(&bench->thread, fiber->stack, fiber) != NULL;
}

static void a_fiber_runs_to_its_end(void **state)
{
    (void)state;
    struct bench bench;
    struct fiber fiber;
    bench_open(&bench, false);
    fiber_start(&bench, &fiber, counting_entry, 10);
    int steps = 0;
    while (step(&bench, &fiber))
        steps++;
    assert_int_equal(steps, 10);
    assert_int_equal(fiber.sum, 10);
    fiber_end(&bench, &fiber);
    bench_close(&bench);
}

static void many_fibers_take_turns(void **state)
{
    (void)state;
    enum { FIBERS = 50, ROUNDS = 20 };
    struct bench bench;
    static struct fiber fibers[FIBERS];
    bench_open(&bench, false);
    for (int i = 0; i < FIBERS; i++)
        fiber_start(&bench, &fibers[i], counting_entry, ROUNDS);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < FIBERS; i++)
            assert_true(step(&bench, &fibers[i]));
    }
    for (int i = 0; i < FIBERS; i++) {
        assert_false(step(&bench, &fibers[i]));
        assert_int_equal(fibers[i].sum, ROUNDS);
        fiber_end(&bench, &fibers[i]);
    }
    bench_close(&bench);
}

static void leave(struct fiber *self)
{
    rvi_stack_switch_final(self->home, NULL);
}

/* A compiler that knew leave() would see that end_deep() never returns, and warn. */
static void (*volatile leave_opaquely)(struct fiber *) = leave;

/* Ends without unwinding: the frames leave their red zones behind. */
__attribute__((noinline)) static void end_deep(struct fiber *self, int depth)
{
    char local[300];
    self->sum += use_stack(local, sizeof(local), 2);
    if (depth > 0)
        end_deep(self, depth - 1);
    else
        leave_opaquely(self);
    self->sum += local[1];
}

static void deep_entry(void *pass)
{
    struct fiber *self = pass;
    rvi_stack_entered(self->stack);
    end_deep(self, self->rounds);
    __builtin_unreachable();
}

/* Frames of another shape over the red zones of the ones before. */
static void a_stack_is_clean_when_reused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, false);
    for (int i = 0; i < 20; i++) {
        struct fiber fiber;
        fiber_start(&bench, &fiber, i % 2 ? counting_entry : deep_entry, 1 + i % 7);
        while (step(&bench, &fiber))
            ;
        fiber_end(&bench, &fiber);
        if (i % 5 == 0)
            rvi_stack_cache_trim(&bench.cache, 0);
    }
    bench_close(&bench);
}

struct pair {
    struct fiber *other;
    struct fiber self;
};

static void pair_entry(void *pass)
{
    struct pair *pair = pass;
    rvi_stack_entered(pair->self.stack);
    for (int i = 0; i < pair->self.rounds; i++) {
        char local[100];
        (void)use_stack(local, sizeof(local), 3);
        pair->self.sum++;
        rvi_stack_switch(pair->self.stack, pair->other->stack,
                         rvi_container_of(pair->other, struct pair, self));
    }
    rvi_stack_switch_final(pair->self.home, NULL);
}

static void two_fibers_play_ping_pong(void **state)
{
    (void)state;
    struct bench bench;
    struct pair a, b;
    bench_open(&bench, false);
    fiber_start(&bench, &a.self, pair_entry, 1000);
    fiber_start(&bench, &b.self, pair_entry, 1000);
    a.other = &b.self;
    b.other = &a.self;
    /* b's last switch continues a, which ends; b still waits in it. */
    rvi_stack_switch(&bench.thread, a.self.stack, &a);
    assert_int_equal(a.self.sum, 1000);
    assert_int_equal(b.self.sum, 1000);
    rvi_stack_switch(&bench.thread, b.self.stack, &b);
    fiber_end(&bench, &a.self);
    fiber_end(&bench, &b.self);
    bench_close(&bench);
}

static void *run_fibers(void *arg)
{
    long *total = arg;
    struct bench bench;
    bench_open(&bench, false);
    for (int i = 0; i < 20; i++) {
        struct fiber fiber;
        fiber_start(&bench, &fiber, counting_entry, 20);
        while (step(&bench, &fiber))
            ;
        *total += fiber.sum;
        fiber_end(&bench, &fiber);
    }
    bench_close(&bench);
    return NULL;
}

static void every_thread_has_fibers_of_its_own(void **state)
{
    (void)state;
    pthread_t threads[3];
    long totals[3] = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_fibers, &totals[i]), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(totals[i], 400);
    }
}

static void high_water_sees_what_a_fiber_used(void **state)
{
    (void)state;
    struct bench bench;
    struct fiber shallow, deep;
    bench_open(&bench, true);
    fiber_start(&bench, &shallow, deep_entry, 1);
    step(&bench, &shallow);
    fiber_start(&bench, &deep, deep_entry, 40);
    step(&bench, &deep);
    ssize_t little = rvi_stack_high_water(shallow.stack), much = rvi_stack_high_water(deep.stack);
    assert_true(little > 300);
    assert_true(much > little);
    assert_true(much < 64 << 10);
    fiber_end(&bench, &deep);
    fiber_end(&bench, &shallow);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fiber_runs_to_its_end),
        cmocka_unit_test(many_fibers_take_turns),
        cmocka_unit_test(a_stack_is_clean_when_reused),
        cmocka_unit_test(two_fibers_play_ping_pong),
        cmocka_unit_test(every_thread_has_fibers_of_its_own),
        cmocka_unit_test(high_water_sees_what_a_fiber_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
