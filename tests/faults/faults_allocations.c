/* SPDX-License-Identifier: MIT */
/* faults_allocations.c - each allocation of whole scenarios fails in turn, whichever thread makes
 * it: -ENOMEM comes out, or -EAGAIN where it was to be for a thread, or nothing where the memory
 * was a hint. */
#include "clusters.h"
#include "files.h"
#include "processes.h"
#include "sockets.h"
#include "tasks.h"

static void fail_every_allocation_of(scenario *play)
{
    assert_int_equal(play(), 0); /* the tools start threads of their own */
    struct left before = look_at_what_is_left();
    bool all_tried = false;
    for (long n = 1; !all_tried; n = next(n)) {
        snprintf(playing, sizeof playing, "allocation %ld: ", n);
        watch_for_a_hang();
        rvi_alloc_fail_after(n);
        int r = play();
        all_tried = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        alarm(0);
        if (r != 0 && (all_tried || (r != -ENOMEM && r != -EAGAIN)))
            fail_msg("%sreturned %d", playing, r);
        check_nothing_is_left(&before);
        check_handlers_are_as_before(&before);
        check_signal_stack_is_as_before(&before, "nothing");
    }
}

static void a_run_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_tasks);
}

static void a_run_of_default_size_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_with_default_workers);
}

static void a_pool_of_stacks_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(a_pool_alone);
}

static void a_dump_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_and_dump);
}

static void a_foreground_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_behind_a_foreground);
}

static void printing_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_and_print);
}

static void a_worker_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_a_worker);
}

static void processes_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_processes);
}

static void a_shared_queue_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_a_shared_queue);
}

static void shared_memory_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(share_memory);
}

static void services_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_services);
}

static void children_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_and_start_children);
}

static void files_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_files);
}

static void sockets_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_sockets);
}

static void sockets_on_a_ring_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    if (!has_ring())
        skip();
    fail_every_allocation_of(run_sockets_on_a_ring);
}

static void a_simulated_run_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(simulated);
}

static void executors_without_a_runtime_survive_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(without_a_runtime);
}

static void a_recorded_run_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    fail_every_allocation_of(run_recorded);
}

static void a_cluster_survives_every_allocation_that_fails(void **state)
{
    (void)state;
    open_cluster();
    fail_every_allocation_of(run_on_a_cluster);
    close_cluster();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_survives_every_allocation_that_fails),
        cmocka_unit_test(a_run_of_default_size_survives_every_allocation_that_fails),
        cmocka_unit_test(a_pool_of_stacks_survives_every_allocation_that_fails),
        cmocka_unit_test(a_dump_survives_every_allocation_that_fails),
        cmocka_unit_test(a_shared_queue_survives_every_allocation_that_fails),
        cmocka_unit_test(shared_memory_survives_every_allocation_that_fails),
        cmocka_unit_test(services_survive_every_allocation_that_fails),
        cmocka_unit_test(children_survive_every_allocation_that_fails),
        cmocka_unit_test(a_worker_survives_every_allocation_that_fails),
        cmocka_unit_test(processes_survive_every_allocation_that_fails),
        cmocka_unit_test(files_survive_every_allocation_that_fails),
        cmocka_unit_test(sockets_survive_every_allocation_that_fails),
        cmocka_unit_test(sockets_on_a_ring_survive_every_allocation_that_fails),
        cmocka_unit_test(a_simulated_run_survives_every_allocation_that_fails),
        cmocka_unit_test(executors_without_a_runtime_survive_every_allocation_that_fails),
        cmocka_unit_test(a_foreground_survives_every_allocation_that_fails),
        cmocka_unit_test(printing_survives_every_allocation_that_fails),
        cmocka_unit_test(a_recorded_run_survives_every_allocation_that_fails),
        cmocka_unit_test(a_cluster_survives_every_allocation_that_fails),
    };
    return cmocka_run_group_tests(tests, open_places, close_places);
}
