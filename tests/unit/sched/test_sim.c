/* SPDX-License-Identifier: MIT */
/* test_sim.c - threads, words and time as a simulation has them. */
#include "sched/sim.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "sched/here.h"
#include "sched_test.h"
#include "sys/clock.h"
#include "sys/cpu.h"
#include "sys/futex.h"
#include "sys/lock.h"
#include "sys/topology.h"

static void never_stuck(void *arg, int why)
{
    (void)arg;
    rvi_panic("stuck: %d", why);
}

static struct rvi_sim_totals simulate_with(struct rvi_sim_opts opts, void (*fn)(void *), void *arg)
{
    struct rvi_sim_totals totals;
    struct rvi_sim *sim;

    opts.steps = opts.steps ? opts.steps : 100000;
    opts.step_ns = opts.step_ns ? opts.step_ns : 10;
    opts.cores = 3;
    opts.stuck = opts.stuck ? opts.stuck : never_stuck;
    assert_int_equal(rvi_sim_open(&sim), 0);
    assert_int_equal(rvi_sim_run(sim, &opts, fn, arg, &totals), 0);
    rvi_sim_close(sim);
    return totals;
}

static struct rvi_sim_totals simulate(uint64_t seed, void (*fn)(void *), void *arg)
{
    return simulate_with((struct rvi_sim_opts){.strategy = {.seed = seed}}, fn, arg);
}

/* --- threads --- */

static void *return_it(void *arg)
{
    return arg;
}

static void start_and_join(void *arg)
{
    pthread_t threads[20];

    (void)arg;
    for (int i = 0; i < 20; i++)
        RV_CHECK(rvi_thread_start(&threads[i], NULL, return_it, NULL) == 0);
    for (int i = 0; i < 20; i++)
        rvi_thread_join(threads[i]);
}

static void threads_start_and_are_joined(void **state)
{
    (void)state;
    long before = rvi_alloc_live();
    for (uint64_t seed = 0; seed < 10; seed++)
        simulate(seed, start_and_join, NULL);
    assert_int_equal(rvi_alloc_live(), before);
}

static void *note_self(void *arg)
{
    const void **marks = arg;
    pthread_t self = pthread_self();

    for (int i = 0; i < 3; i++)
        (void)rvi_clock_now();
    for (int i = 0; i < 3; i++)
        RV_CHECK(marks[i] != rvi_party_self());
    marks[2] = marks[1];
    marks[1] = marks[0];
    marks[0] = rvi_party_self();
    return memcpy(&marks[3], &self, sizeof(self));
}

static void start_three(void *arg)
{
    pthread_t threads[3];

    for (int i = 0; i < 3; i++)
        RV_CHECK(rvi_thread_start(&threads[i], "one of three", note_self, arg) == 0);
    for (int i = 0; i < 3; i++)
        rvi_thread_join(threads[i]);
}

static void all_run_on_the_calling_thread_and_differ(void **state)
{
    (void)state;
    const void *marks[4] = {0};
    pthread_t self = pthread_self();
    simulate(1, start_three, marks);
    assert_memory_equal(&marks[3], &self, sizeof(self));
    assert_non_null(marks[2]);
    assert_null(rvi_seam);
}

static void start_beyond_the_limit(void *arg)
{
    enum { MOST = 2000 };
    static pthread_t threads[MOST];
    int count = 0, r;

    while (count < MOST && (r = rvi_thread_start(&threads[count], NULL, return_it, NULL)) == 0)
        count++;
    RV_CHECK(count < MOST && r == -EAGAIN);
    for (int i = 0; i < count; i++)
        rvi_thread_join(threads[i]);
    *(int *)arg = count;
}

static void too_many_threads_are_refused(void **state)
{
    (void)state;
    struct rvi_sim_opts opts = {.strategy = {.kind = RVI_STRATEGY_PCT, .depth = 1, .length = 1},
                                .steps = 10000000};
    int count = 0;
    simulate_with(opts, start_beyond_the_limit, &count);
    assert_in_range(count, 500, 1999); /* those that have ended do not count any more */
}

static void count_cores(void *arg)
{
    *(int *)arg = rvi_usable_cores();
}

static void cores_are_what_is_simulated(void **state)
{
    (void)state;
    int cores;
    simulate(0, count_cores, &cores);
    assert_int_equal(cores, 3);
}

/* --- words --- */

static _Atomic(uint32_t) word;

static void *wait_for_word(void *arg)
{
    (void)arg;
    while (rvi_load_acquire(&word) == 0) /* pairs: test-word */
        RV_CHECK(rvi_futex_wait(&word, 0, INT64_MAX) != -ETIME);
    return NULL;
}

static void wait_and_wake(void *arg)
{
    pthread_t waiters[3];

    (void)arg;
    rvi_store_relaxed(&word, 0);
    for (int i = 0; i < 3; i++)
        RV_CHECK(rvi_thread_start(&waiters[i], NULL, wait_for_word, NULL) == 0);
    rvi_store_release(&word, 1); /* pairs: test-word */
    rvi_futex_wake(&word, 1);
    rvi_futex_wake(&word, 2);
    for (int i = 0; i < 3; i++)
        rvi_thread_join(waiters[i]);
}

static void each_waiter_is_woken(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < repeats(100); seed++)
        simulate(seed, wait_and_wake, NULL);
}

static void wait_in_vain(void *arg)
{
    int64_t start = rvi_clock_now();

    (void)arg;
    rvi_store_relaxed(&word, 5);
    RV_CHECK(rvi_futex_wait(&word, 4, INT64_MAX) == -EAGAIN);
    RV_CHECK(rvi_futex_wait(&word, 5, start) == -ETIME);
    RV_CHECK(rvi_futex_wait(&word, 5, -1) == -ETIME);
    RV_CHECK(rvi_clock_now() - start < RV_MICROSECOND);
    RV_CHECK(rvi_futex_wait(&word, 5, start + RV_SECOND) == -ETIME);
    int64_t now = rvi_clock_now();
    RV_CHECK(now >= start + RV_SECOND && now < start + RV_SECOND + RV_MICROSECOND);
}

static void waits_end_as_the_kernel_would_end_them(void **state)
{
    (void)state;
    simulate(3, wait_in_vain, NULL);
}

static void *spin_for_word(void *arg)
{
    (void)arg;
    while (rvi_load_acquire(&word) == 0) /* pairs: test-word */
        rvi_cpu_relax();
    return NULL;
}

static void let_two_spin(void *arg)
{
    pthread_t spinners[2];

    (void)arg;
    rvi_store_relaxed(&word, 0);
    for (int i = 0; i < 2; i++)
        RV_CHECK(rvi_thread_start(&spinners[i], NULL, spin_for_word, NULL) == 0);
    for (int i = 0; i < 50; i++)
        (void)rvi_clock_now();
    rvi_store_release(&word, 1); /* pairs: test-word */
    for (int i = 0; i < 2; i++)
        rvi_thread_join(spinners[i]);
}

/* By priority alone a spinner above the others would go on for ever. */
static void spinners_let_others_get_on(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < repeats(100); seed++) {
        struct rvi_strategy_opts pct = {
            .kind = RVI_STRATEGY_PCT, .seed = seed, .depth = 2, .length = 100};
        simulate_with((struct rvi_sim_opts){.strategy = pct, .steps = 5000}, let_two_spin, NULL);
        simulate(seed, let_two_spin, NULL);
    }
}

/* --- being stuck --- */

struct stuck {
    int why;
    uint64_t at;
    struct rvi_sim_totals totals;
};

static void release_the_word(void *arg, int why)
{
    ((struct stuck *)arg)->why = why;
    rvi_store_relaxed(&word, 1);
    rvi_futex_wake(&word, 1);
}

static void wait_for_nobody(void *arg)
{
    (void)arg;
    rvi_store_relaxed(&word, 0);
    wait_for_word(NULL);
}

static void spin_for_nobody(void *arg)
{
    (void)arg;
    rvi_store_relaxed(&word, 0);
    spin_for_word(NULL);
}

static void being_stuck_is_told_once_and_can_be_ended(void **state)
{
    (void)state;
    struct stuck stuck = {0};
    struct rvi_sim_opts opts = {.steps = 1000, .stuck = release_the_word, .arg = &stuck};
    simulate_with(opts, wait_for_nobody, NULL);
    assert_int_equal(stuck.why, -EDEADLK);
    struct rvi_sim_totals totals = simulate_with(opts, spin_for_nobody, NULL);
    assert_int_equal(stuck.why, -ELOOP);
    assert_in_range(totals.steps, 1000, 1100);
}

static void do_nothing_about_it(void *arg, int why)
{
    (void)arg;
    (void)why;
}

static void get_stuck_for_good(void *fn)
{
    struct rvi_sim_opts opts = {.steps = 1000, .stuck = do_nothing_about_it};
    simulate_with(opts, *(void (**)(void *))fn, NULL);
}

static void being_stuck_for_good_is_a_panic(void **state)
{
    (void)state;
    void (*fns[])(void *) = {wait_for_nobody, spin_for_nobody};
    static const char *const words[] = {"was deadlocked", "still running after all its steps"};
    for (size_t i = 0; i < 2; i++) {
        struct ending ending = run_child(get_stuck_for_good, &fns[i]);
        assert_true(WIFSIGNALED(ending.status));
        assert_non_null(strstr(ending.text, words[i]));
    }
}

/* --- sameness --- */

static void the_digest_tells_runs_apart(void **state)
{
    (void)state;
    struct rvi_sim_totals one = simulate(1, wait_and_wake, NULL);
    struct rvi_sim_totals same = simulate(1, wait_and_wake, NULL);
    struct rvi_sim_totals other = simulate(2, wait_and_wake, NULL);
    assert_true(one.digest == same.digest && one.steps == same.steps);
    assert_true(one.elapsed == same.elapsed);
    assert_true(one.digest != other.digest);
}

static void without_memory_nothing_has_run(void **state)
{
    (void)state;
    struct rvi_sim_opts opts = {.steps = 1, .step_ns = 1, .stuck = never_stuck};
    struct rvi_sim_totals totals;
    struct rvi_sim *sim;
    long before = rvi_alloc_live();
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_sim_open(&sim), -ENOMEM);
    rvi_alloc_fail_after(2);
    assert_int_equal(rvi_sim_open(&sim), -ENOMEM);
    rvi_alloc_fail_after(-1);
    assert_int_equal(rvi_sim_open(&sim), 0);
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_sim_run(sim, &opts, wait_and_wake, NULL, &totals), -ENOMEM);
    rvi_alloc_fail_after(-1);
    rvi_sim_close(sim);
    assert_int_equal(rvi_alloc_live(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_start_and_are_joined),
        cmocka_unit_test(all_run_on_the_calling_thread_and_differ),
        cmocka_unit_test(too_many_threads_are_refused),
        cmocka_unit_test(cores_are_what_is_simulated),
        cmocka_unit_test(each_waiter_is_woken),
        cmocka_unit_test(waits_end_as_the_kernel_would_end_them),
        cmocka_unit_test(spinners_let_others_get_on),
        cmocka_unit_test(being_stuck_is_told_once_and_can_be_ended),
        cmocka_unit_test(being_stuck_for_good_is_a_panic),
        cmocka_unit_test(the_digest_tells_runs_apart),
        cmocka_unit_test(without_memory_nothing_has_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
