/* SPDX-License-Identifier: MIT */
/* test_agent_on_nats.c - agents on a real server: what only that can show of them. Their leases
 * last as long as in earnest, so what waits for one to lapse is in tests/soak. */
#include "cluster_test.h"

#include <sys/wait.h>

#include "../../support/nats_server.h"

static struct nats_server server;
static bool has_server;
static char folder[64];
static struct client client;
static struct rvi_agent_opts usual = {.slots = 2, .grace = 20 * RV_MILLISECOND};

/* Each test has a pool of its own. */
static int set_up(void **state)
{
    static char pool[16];
    static int number;

    (void)state;
    if (!has_server)
        skip();
    snprintf(pool, sizeof(pool), "p%d", number++);
    usual.engine.url = server.url;
    usual.engine.pool = pool;
    make_folder(folder);
    client_open(&client, &usual.engine);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (!has_server)
        return 0;
    client_close(&client);
    remove_folder(folder);
    return 0;
}

static void jobs_run_and_their_results_come_back(void **state)
{
    struct rvi_engine_task tasks[100];
    struct served one, other;

    (void)state;
    agent_start(&one, &usual);
    agent_start(&other, &usual);
    for (int i = 0; i < 100; i++)
        tasks[i] = client_submit(&client, &rv_job_twice, &i);
    for (int i = 0; i < 100; i++) {
        struct got got = client_await(&client, tasks[i].id);
        assert_int_equal(int_of(&got), 2 * i);
    }
    assert_int_equal(agent_stop(&one), 0);
    assert_int_equal(agent_stop(&other), 0);
    assert_int_equal(client.twice, 0);
}

static void what_a_job_says_of_its_progress_is_passed_on(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_report, "half");
    client_await_progress(&client, "half");
    leave_trace("half");
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), 0);
    assert_int_equal(agent_stop(&s), 0);
}

static void an_idempotent_job_whose_process_died_is_begun_again(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct got got = client_run(&client, &rv_job_die_first, &(struct name){"mine"});
    assert_int_equal(int_of(&got), 1);
    assert_int_equal(got.result.deaths, 1);
    assert_int_equal(agent_stop(&s), 0);
}

static void what_dies_in_its_last_attempt_is_buried_with_that(void **state)
{
    struct rvi_engine_task task = task_for(&rv_job_die_gladly, &(int){SIGKILL});
    struct served s;

    (void)state;
    task.attempts = 2;
    agent_start(&s, &usual);
    submit_task(&client, &task);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(got.result.deaths, 2);
    assert_non_null(strstr(got.words, "these were its last words"));
    assert_int_equal(agent_stop(&s), 0);
}

static void a_job_that_is_not_idempotent_dies_once(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct got got = client_run(&client, &rv_job_die, &(int){SIGKILL});
    assert_int_equal(got.result.kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(got.result.deaths, 1);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_cancelled_job_is_told(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    rvi_engine_cancel(client.engine, task.id, -ECANCELED);
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_CANCELLED);
    assert_int_equal(agent_stop(&s), 0);
}

static void a_result_waits_until_the_server_is_back(void **state)
{
    struct served s;

    (void)state;
    agent_start(&s, &usual);
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    nats_server_kill(&server);
    leave_trace("mine");
    usleep(50000);
    assert_true(nats_server_restart(&server));
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_VALUE);
    assert_int_equal(agent_stop(&s), 0);
}

/* --- agents that are processes --- */

/* As `ravel worker` starts this program. */
static pid_t start_process(void)
{
    char address[128], file[512] = "";
    pid_t pid;

    RV_CHECK(readlink("/proc/self/exe", file, sizeof(file) - 1) > 0);
    snprintf(address, sizeof(address), "%s/%s", usual.engine.url, usual.engine.pool);
    RV_CHECK(setenv("RAVEL_CLUSTER", address, 1) == 0);
    RV_CHECK(setenv("RAVEL_AGENT", "slots=2", 1) == 0);
    pid = fork();
    if (pid == 0) {
        execl(file, "agent", (char *)NULL);
        _exit(127);
    }
    RV_CHECK(pid > 0 && unsetenv("RAVEL_AGENT") == 0);
    return pid;
}

/* Of its own accord. ThreadSanitizer keeps a signal now and then for good (2 of 116 runs on a busy
 * machine, none of 210 without it), so there it is asked again. */
static void until_left(pid_t pid)
{
    int status;

    for (int ms = 0; waitpid(pid, &status, RVI_TSAN ? WNOHANG : 0) == 0; ms += 10) {
        usleep(10000);
        if (ms % 10000 == 9000)
            kill(pid, SIGTERM);
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_process_leaves_when_it_has_finished(void **state)
{
    (void)state;
    pid_t pid = start_process();
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger, "mine");
    kill(pid, SIGTERM);
    usleep(20000);
    leave_trace("mine");
    struct got got = client_await(&client, task.id);
    assert_int_equal(got.result.kind, RV_OUTCOME_VALUE);
    until_left(pid);
}

/* Somebody else has it as soon as it is handed back: long before a lease would have lapsed. */
static void a_process_in_haste_hands_back_what_it_has(void **state)
{
    (void)state;
    pid_t pid = start_process();
    struct rvi_engine_task task = client_begin(&client, &rv_job_linger_gladly, "mine");
    pid_t other = start_process();
    kill(pid, SIGTERM);
    usleep(20000);
    kill(pid, SIGINT);
    until_left(pid);
    struct got got = client_await(&client, task.id);
    assert_int_equal(int_of(&got), last_trace("mine"));
    assert_int_equal(count_traces("mine"), 2);
    kill(other, SIGTERM);
    until_left(other);
}

static void with_a_killed_process_go_its_worker_processes(void **state)
{
    (void)state;
    pid_t pid = start_process();
    client_begin(&client, &rv_job_be_stubborn, "mine");
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    until_ended(last_trace("mine"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(jobs_run_and_their_results_come_back),
        TEST(what_a_job_says_of_its_progress_is_passed_on),
        TEST(an_idempotent_job_whose_process_died_is_begun_again),
        TEST(what_dies_in_its_last_attempt_is_buried_with_that),
        TEST(a_job_that_is_not_idempotent_dies_once),
        TEST(a_cancelled_job_is_told),
        TEST(a_result_waits_until_the_server_is_back),
        TEST(a_process_leaves_when_it_has_finished),
        TEST(a_process_in_haste_hands_back_what_it_has),
        TEST(with_a_killed_process_go_its_worker_processes),
    };
    has_server = nats_server_start(&server, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (has_server)
        nats_server_stop(&server);
    return failed;
}
