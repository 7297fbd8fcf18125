/* SPDX-License-Identifier: MIT */
/* faults_calls.c - each system call of whole scenarios fails in turn: once, and from then on.
 *
 * A failure of an optional call must not show. Of any other the outcome is a clear error, or none
 * where the library has a second way (a smaller region, a thread fewer). */
#include "scenario.h"
#include "sockets.h"

#include "sys/capture.h"
#include "sys/fence.h"

static uintptr_t end_of_stack(uintptr_t sp, void *arg)
{
    (void)arg;
    return sp;
}

/* What a dump does when a task does not let go of its worker; here with ourselves. Signals are late
 * under ThreadSanitizer. */
static int a_look_at_a_stack(void)
{
    static struct rvi_capture capture;
    return RVI_TSAN ? 0 : rvi_capture_thread(gettid(), end_of_stack, NULL, &capture, RV_NEVER);
}

/* Errors that the library may pass on: those of the table, and -EAGAIN where a thread could not be
 * had for want of memory. */
static bool is_clear(int r)
{
    static const int clear[] = {EAGAIN,  EMFILE,   ENFILE,     ENOMEM,       EPERM,
                                EINVAL,  EPIPE,    ENOSPC,     ESRCH,        EACCES,
                                ENOENT,  EIO,      ECONNRESET, ECONNREFUSED, EADDRINUSE,
                                ENOBUFS, ENOTCONN, ENODEV,     ENOSYS};
    for (size_t i = 0; i < sizeof clear / sizeof clear[0]; i++) {
        if (r == -clear[i])
            return true;
    }
    return false;
}

static void check_outcome(int r, const char *failed, bool is_optional)
{
    if (r == 0)
        return;
    if (!failed || is_optional || !is_clear(r))
        fail_msg("%sreturned %d", playing, r);
}

/* The fences ask the kernel once a process, so each play starts them anew. */
static int play(scenario *play_it)
{
    watch_for_a_hang();
    rvi_fence_asym_force_symmetric(false);
    int r = play_it();
    alarm(0);
    return r;
}

/* ---- which sites have failed ---- */

static const char *const sites[RVI_CALL_COUNT] = {
#define SITE_NAME(site, ...) #site,
    RVI_CALLS(SITE_NAME)
#undef SITE_NAME
};
static long failures[RVI_CALL_COUNT];

static void remember(const char *failed)
{
    for (size_t i = 0; failed && i < RVI_CALL_COUNT; i++)
        failures[i] += strcmp(sites[i], failed) == 0;
}

static void say_what_failed(const char *failed)
{
    snprintf(playing + strlen(playing), sizeof playing - strlen(playing), "%s ", failed);
}

/* What is armed may come up or not: whether it did. After the play one in which nothing fails: the
 * first has broken nothing for those that follow. */
static bool play_armed(scenario *play_it, const struct left *before)
{
    bool is_optional = false;
    int r = play(play_it);
    bool has_failed = !rvi_call_fail_pending();
    const char *failed = rvi_call_failed(&is_optional);
    rvi_call_fail_after(-1, 0, false);
    say_what_failed(failed ? failed : "nothing");
    check_outcome(r, failed, is_optional);
    check_nothing_is_left(before);
    check_signal_stack_is_as_before(before, failed ? failed : "nothing");
    remember(failed);
    check_handlers_are_as_before(before);
    assert_int_equal(play(play_it), 0);
    check_nothing_is_left(before);
    return has_failed;
}

/* Returns how many calls were made to fail. */
static long fail_every_call(scenario *play_it, unsigned variant, bool stays)
{
    bool has_failed = true;
    long last = 0;
    assert_int_equal(play_it(), 0); /* the tools start threads of their own */
    struct left before = look_at_what_is_left();
    for (long n = 1; has_failed; n = next(n)) {
        snprintf(playing, sizeof playing, "call %ld, variant %u%s: ", n, variant,
                 stays ? ", from then on" : "");
        rvi_call_fail_after(n, variant, stays);
        has_failed = play_armed(play_it, &before);
        last = n;
    }
    return last - 1;
}

static bool kernel_is_recent(void)
{
    struct rvi_stack_pool *pool;
    struct rvi_stack_stats stats;
    RV_CHECK(rvi_stack_pool_open(&pool, NULL) == 0);
    rvi_stack_pool_stats(pool, &stats);
    rvi_stack_pool_close(pool);
    return stats.has_light_guards;
}

static void fail_all(scenario *play_it)
{
    long tried = 0;
    for (unsigned variant = 0; variant < RVI_CALL_VARIANTS; variant++) {
        tried += fail_every_call(play_it, variant, false);
        tried += fail_every_call(play_it, variant, true);
    }
    RV_CHECK(RVI_DEBUG_CHECKS < 1 || tried > 0);
}

/* Each of these plays starts processes, which takes its time. What other errors a site may have,
 * shorter ones meet. */
static void fail_all_once(scenario *play_it)
{
    long tried = fail_every_call(play_it, 0, false) + fail_every_call(play_it, 0, true);

    RV_CHECK(RVI_DEBUG_CHECKS < 1 || tried > 0);
}

static void a_run_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_tasks);
}

static void a_run_of_default_size_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_with_default_workers);
}

static void a_run_on_an_older_kernel_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_OPEN_PIDFD, true);
    fail_all(run_tasks);
    rvi_call_lacks(RVI_CALL_GUARD, true);
    fail_all(run_tasks);
    rvi_call_lacks(RVI_CALL_GUARD, false);
    rvi_call_lacks(RVI_CALL_OPEN_PIDFD, false);
}

static void a_pool_of_stacks_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(a_pool_alone);
}

static void a_dump_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_and_dump);
}

static void a_foreground_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_behind_a_foreground);
}

static void printing_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_and_print);
}

static void children_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_and_start_children);
}

static int a_child_alone(void)
{
    return run_children(NULL);
}

static void children_on_an_older_kernel_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    rvi_call_lacks(RVI_CALL_CHILD_MARK_ALL, true);
    fail_all(a_child_alone);
    rvi_call_lacks(RVI_CALL_CHILD_MARK_ALL, false);
}

static void a_worker_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_a_worker);
}

static void processes_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all_once(run_processes);
}

static int run_a_shared_queue_on_an_older_kernel(void)
{
    rvi_call_lacks(RVI_CALL_MAKE_MEMORY_NOEXEC, true);
    int r = run_a_shared_queue();
    rvi_call_lacks(RVI_CALL_MAKE_MEMORY_NOEXEC, false);
    return r;
}

static void a_shared_queue_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_a_shared_queue);
    fail_all(run_a_shared_queue_on_an_older_kernel);
}

static void shared_memory_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(share_memory);
}

static void services_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all_once(run_services);
}

static void files_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_files);
}

static void sockets_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_sockets);
}

static void sockets_on_a_ring_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    if (!has_ring())
        skip();
    fail_all(run_sockets_on_a_ring);
}

static void a_simulated_run_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(simulated);
}

static void a_look_at_a_stack_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(a_look_at_a_stack);
}

static void executors_without_a_runtime_survive_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(without_a_runtime);
}

/* The n-th call is not the same one in each play, so a site with few may have been passed over. */
static void fail_at(enum rvi_call_site site)
{
    static scenario *const scenarios[] = {run_tasks,
                                          run_and_dump,
                                          run_and_start_children,
                                          run_a_shared_queue,
                                          run_a_shared_queue_on_an_older_kernel,
                                          share_memory,
                                          run_files,
                                          a_child_alone,
                                          run_sockets,
                                          a_look_at_a_stack,
                                          run_behind_a_foreground,
                                          run_and_print,
                                          a_pool_alone,
                                          simulated,
                                          run_sockets_on_a_ring,
                                          without_a_runtime,
                                          run_with_default_workers};
    for (size_t i = 0; failures[site] == 0 && i < sizeof scenarios / sizeof scenarios[0]; i++) {
        struct left before = look_at_what_is_left();
        snprintf(playing, sizeof playing, "scenario %zu: ", i);
        rvi_call_fail_at(site);
        (void)play_armed(scenarios[i], &before);
    }
}

/* These confine who makes them: tests/unit/sys/test_confine.c lets each fail. */
static bool is_tried_elsewhere(size_t site)
{
    return site == RVI_CALL_FORBID_PRIVILEGES || site == RVI_CALL_FILTER_CALLS ||
           site == RVI_CALL_FILTER_FILES;
}

/* Tools take some calls away, and so do older kernels; some are made for root only. */
static void every_site_has_failed(void **state)
{
    (void)state;
    if (RVI_DEBUG_CHECKS < 1 || is_under_a_tool() || scaled(100, 1) < 50 || !kernel_is_recent() ||
        !may_change_identity() || !has_ring())
        skip();
    for (size_t i = 0; i < RVI_CALL_COUNT; i++) {
        if (is_tried_elsewhere(i))
            continue;
        fail_at((enum rvi_call_site)i);
        if (failures[i] == 0)
            fail_msg("%s never failed", sites[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_survives_every_system_call_that_fails),
        cmocka_unit_test(a_run_of_default_size_survives_every_system_call_that_fails),
        cmocka_unit_test(a_run_on_an_older_kernel_survives_every_system_call_that_fails),
        cmocka_unit_test(a_pool_of_stacks_survives_every_system_call_that_fails),
        cmocka_unit_test(a_dump_survives_every_system_call_that_fails),
        cmocka_unit_test(children_survive_every_system_call_that_fails),
        cmocka_unit_test(children_on_an_older_kernel_survive_every_system_call_that_fails),
        cmocka_unit_test(a_worker_survives_every_system_call_that_fails),
        cmocka_unit_test(processes_survive_every_system_call_that_fails),
        cmocka_unit_test(a_shared_queue_survives_every_system_call_that_fails),
        cmocka_unit_test(shared_memory_survives_every_system_call_that_fails),
        cmocka_unit_test(services_survive_every_system_call_that_fails),
        cmocka_unit_test(files_survive_every_system_call_that_fails),
        cmocka_unit_test(sockets_survive_every_system_call_that_fails),
        cmocka_unit_test(sockets_on_a_ring_survive_every_system_call_that_fails),
        cmocka_unit_test(a_simulated_run_survives_every_system_call_that_fails),
        cmocka_unit_test(a_look_at_a_stack_survives_every_system_call_that_fails),
        cmocka_unit_test(executors_without_a_runtime_survive_every_system_call_that_fails),
        cmocka_unit_test(a_foreground_survives_every_system_call_that_fails),
        cmocka_unit_test(printing_survives_every_system_call_that_fails),
        cmocka_unit_test(every_site_has_failed),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
