/* SPDX-License-Identifier: MIT */
/* faults_calls.c - each system call fails in turn (calls.h), in all scenarios but those of worker
 * processes, which faults_calls_processes.c has. */
#include "calls.h"
#include "clusters.h"
#include "files.h"
#include "sockets.h"
#include "tasks.h"

#include "sys/capture.h"

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

static void a_recorded_run_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    fail_all(run_recorded);
}

static void a_cluster_survives_every_system_call_that_fails(void **state)
{
    (void)state;
    open_cluster();
    fail_all(run_on_a_cluster);
    close_cluster();
}

static void every_site_has_failed(void **state)
{
    static scenario *const scenarios[] = {run_tasks,
                                          run_and_dump,
                                          run_and_start_children,
                                          run_files,
                                          a_child_alone,
                                          run_sockets,
                                          run_recorded,
                                          a_look_at_a_stack,
                                          run_behind_a_foreground,
                                          run_and_print,
                                          a_pool_alone,
                                          simulated,
                                          run_sockets_on_a_ring,
                                          without_a_runtime,
                                          run_with_default_workers};
    (void)state;
    if (!may_demand_sites() || !may_change_identity() || !has_ring())
        skip();
    demand_sites(false, scenarios, sizeof scenarios / sizeof scenarios[0]);
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
        cmocka_unit_test(files_survive_every_system_call_that_fails),
        cmocka_unit_test(sockets_survive_every_system_call_that_fails),
        cmocka_unit_test(sockets_on_a_ring_survive_every_system_call_that_fails),
        cmocka_unit_test(a_simulated_run_survives_every_system_call_that_fails),
        cmocka_unit_test(a_look_at_a_stack_survives_every_system_call_that_fails),
        cmocka_unit_test(executors_without_a_runtime_survive_every_system_call_that_fails),
        cmocka_unit_test(a_foreground_survives_every_system_call_that_fails),
        cmocka_unit_test(printing_survives_every_system_call_that_fails),
        cmocka_unit_test(a_recorded_run_survives_every_system_call_that_fails),
        cmocka_unit_test(a_cluster_survives_every_system_call_that_fails),
        cmocka_unit_test(every_site_has_failed),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
