/* SPDX-License-Identifier: MIT */
/* faults_calls_processes.c - each system call fails in turn (calls.h), in scenarios of worker
 * processes and of what they share. */
#include "calls.h"
#include "processes.h"

/* Each of these plays starts processes, which takes its time. What other errors a site may have,
 * shorter ones meet. */
static void fail_all_once(scenario *play_it)
{
    long tried = fail_every_call(play_it, 0, false) + fail_every_call(play_it, 0, true);

    RV_CHECK(RVI_DEBUG_CHECKS < 1 || tried > 0);
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

static void every_site_of_processes_has_failed(void **state)
{
    static scenario *const scenarios[] = {run_a_shared_queue, run_a_shared_queue_on_an_older_kernel,
                                          share_memory, run_a_worker};
    (void)state;
    if (!may_demand_sites())
        skip();
    demand_sites(true, scenarios, sizeof scenarios / sizeof scenarios[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_survives_every_system_call_that_fails),
        cmocka_unit_test(processes_survive_every_system_call_that_fails),
        cmocka_unit_test(a_shared_queue_survives_every_system_call_that_fails),
        cmocka_unit_test(shared_memory_survives_every_system_call_that_fails),
        cmocka_unit_test(services_survive_every_system_call_that_fails),
        cmocka_unit_test(every_site_of_processes_has_failed),
    };
    return cmocka_run_group_tests(tests, open_null_device, close_null_device);
}
