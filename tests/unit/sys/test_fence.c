/* SPDX-License-Identifier: MIT */
/* test_fence.c - Dekker's pattern with a light and a heavy side: never do both read the old
 * value. */
#include "sys/fence.h"

#include <pthread.h>
#include <sched.h>

#include "sys/call.h"
#include "sys/cpu.h"
#include "sys_test.h"

struct dekker {
    int rounds;
    _Atomic(int) light_at, heavy_at; /* round each side has begun */
    _Atomic(int) light_word, heavy_word;
    int light_saw, heavy_saw;
    _Atomic(int) light_done, heavy_done;
};

static void wait_for(_Atomic(int) *word, int value)
{
    for (int turn = 0; rvi_load_acquire(word) < value; turn++) { /* pairs: dekker-round */
        if (turn % 1000 == 999)
            sched_yield();
        rvi_cpu_relax();
    }
}

static void meet(_Atomic(int) *mine, _Atomic(int) *theirs, int round)
{
    rvi_store_release(mine, round); /* pairs: dekker-round */
    wait_for(theirs, round);
}

static void *light_side(void *arg)
{
    struct dekker *d = arg;
    for (int round = 1; round <= d->rounds; round++) {
        meet(&d->light_at, &d->heavy_at, round);
        rvi_store_relaxed(&d->light_word, round);
        rvi_fence_light();
        d->light_saw = rvi_load_relaxed(&d->heavy_word);
        meet(&d->light_done, &d->heavy_done, round);
    }
    return NULL;
}

static void play(bool symmetric)
{
    rvi_fence_asym_init();
    rvi_fence_asym_force_symmetric(symmetric);
    struct dekker d = {.rounds = is_under_a_tool() ? 500 : 5000};
    pthread_t light;
    assert_int_equal(pthread_create(&light, NULL, light_side, &d), 0);
    int both_missed = 0;
    for (int round = 1; round <= d.rounds; round++) {
        meet(&d.heavy_at, &d.light_at, round);
        rvi_store_relaxed(&d.heavy_word, round);
        rvi_fence_heavy();
        d.heavy_saw = rvi_load_relaxed(&d.light_word);
        /* The light side waits in its meeting for us, so its result stands still. */
        wait_for(&d.light_done, round);
        both_missed += d.light_saw != round && d.heavy_saw != round;
        rvi_store_release(&d.heavy_done, round); /* pairs: dekker-round */
    }
    pthread_join(light, NULL);
    rvi_fence_asym_force_symmetric(false);
    assert_int_equal(both_missed, 0);
}

static void one_side_sees_the_other_when_asymmetric(void **state)
{
    (void)state;
    play(false);
}

static void one_side_sees_the_other_when_forced_symmetric(void **state)
{
    (void)state;
    play(true);
}

static void the_switch_turns_asymmetry_off_and_on(void **state)
{
    (void)state;
    rvi_fence_asym_init();
    bool at_first = rvi_fence_is_asymmetric;
    rvi_fence_asym_force_symmetric(true);
    assert_false(rvi_fence_is_asymmetric);
    rvi_fence_asym_init();
    assert_false(rvi_fence_is_asymmetric);
    rvi_fence_asym_force_symmetric(false);
    assert_int_equal(rvi_fence_is_asymmetric, at_first);
}

/* Kernels built for thousands of cores allocate the set of those to interrupt. */
static void regress_a_barrier_without_memory_is_asked_again(void **state)
{
    (void)state;
    rvi_fence_asym_force_symmetric(false);
    if (RVI_DEBUG_CHECKS < 1 || !rvi_fence_is_asymmetric)
        skip();
    rvi_call_fail_after(1, 0, false);
    rvi_fence_heavy();
    assert_false(rvi_call_fail_pending());
}

static void a_barrier_that_fails_at_first_is_not_relied_on(void **state)
{
    (void)state;
    rvi_fence_asym_force_symmetric(false);
    if (RVI_DEBUG_CHECKS < 1 || !rvi_fence_is_asymmetric)
        skip();
    for (long n = 1; n <= 3; n++) {
        rvi_call_fail_after(n, 0, false);
        rvi_fence_asym_force_symmetric(false);
        assert_false(rvi_call_fail_pending());
        assert_false(rvi_fence_is_asymmetric);
    }
    rvi_fence_asym_force_symmetric(false);
    assert_true(rvi_fence_is_asymmetric);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_switch_turns_asymmetry_off_and_on),
        cmocka_unit_test(one_side_sees_the_other_when_asymmetric),
        cmocka_unit_test(one_side_sees_the_other_when_forced_symmetric),
        cmocka_unit_test(a_barrier_that_fails_at_first_is_not_relied_on),
        cmocka_unit_test(regress_a_barrier_without_memory_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
