/* SPDX-License-Identifier: MIT */
/* cmd_ps.c - `ravel ps`: every task of a program, a line each.
 *
 * Checked by: tests/look/test_ps.py */
#include "cli/cli.h"
#include "cli/look.h"

static const char usage[] =
    "usage: ravel ps [--json] PID\n"
    "       ravel ps [--json] --core FILE\n"
    "\n"
    "Every task of a program that runs on Ravel, which goes on meanwhile: its state, what it "
    "waits\n"
    "for and how long, its age, its time on a processor, how often it gave that away, its worker,\n"
    "its scope, its name, where it was started. Age, time and switches are known of programs that\n"
    "keep accounts: RAVEL_ACCOUNT=1. Then its executors with their jobs and worker processes, its\n"
    "services, and its channels and queues that have a name.\n"
    "\n"
    "Manual page: ravel-ps(1).\n";

static void put_worker(const struct look_snapshot *snapshot, const struct look_worker *w)
{
    static const char *const states[] = {"asleep", "between tasks", "runs task"};

    printf("  worker %u, thread %d: %s", w->index, w->thread_id, states[w->state]);
    if (w->task != LOOK_NONE)
        printf(" %llu", (unsigned long long)snapshot->tasks[w->task].id);
    printf("; %zu ready, %zu not begun, %zu timers, %llu switches\n", w->ready, w->fresh, w->timers,
           (unsigned long long)w->switches);
}

static void put_task(const struct look_snapshot *snapshot, const struct look_task *task)
{
    char since[CLI_SPAN_BYTES], age[CLI_SPAN_BYTES], run[CLI_SPAN_BYTES], scope[64];
    char switches[24] = "-", worker[16] = "-";
    bool waits = !task->is_torn && task->state == RVI_TASK_PARKED;

    if (task->has_account)
        snprintf(switches, sizeof switches, "%llu",
                 (unsigned long long)(task->parks + task->yields + task->migrations));
    if (task->worker != LOOK_NONE)
        snprintf(worker, sizeof worker, "%d", (int)task->worker);
    printf("%8llu  %-9s  %-15s %6s %6s %6s %9s %6s  %-12s %s, %s:%u\n",
           (unsigned long long)task->id, look_state_word(task),
           waits ? rvi_why_word(task->why) : "-",
           task->has_age ? cli_span(task->waiting_ns, since) : "-",
           task->has_account ? cli_span(task->age_ns, age) : "-",
           task->has_account ? cli_span((rv_time)task->run_ns, run) : "-", switches, worker,
           cli_scope_name(snapshot, task->scope, scope, sizeof scope), task->name, task->site->file,
           task->site->line);
}

static void put_runtime(const struct look_snapshot *snapshot, size_t index)
{
    const struct look_runtime *runtime = &snapshot->runtimes[index];

    printf("runtime %zu: %u workers, %zu wait for a helper thread, %llu stalls\n", index,
           runtime->worker_count, runtime->helper_calls, (unsigned long long)runtime->stalls);
    for (unsigned i = 0; i < runtime->worker_count; i++)
        put_worker(snapshot, &runtime->workers[i]);
    printf("%8s  %-9s  %-15s %6s %6s %6s %9s %6s  %-12s %s\n", "TASK", "STATE", "WAITS FOR",
           "SINCE", "AGE", "CPU", "SWITCHES", "WORKER", "SCOPE", "NAME, STARTED AT");
    for (size_t i = 0; i < snapshot->task_count; i++) {
        if (snapshot->tasks[i].runtime == index)
            put_task(snapshot, &snapshot->tasks[i]);
    }
}

static int put_all(const struct look_target *target, const struct look_snapshot *snapshot)
{
    if (snapshot->runtime_count == 0)
        printf("%s: no runtime at the moment\n", target->program);
    else
        printf("%s: %zu tasks\n", target->program, snapshot->task_count);
    for (size_t i = 0; i < snapshot->runtime_count; i++)
        put_runtime(snapshot, i);
    cli_put_gaps(stdout, snapshot);
    return cli_put_things(stdout, &snapshot->things);
}

int cli_ps(int argc, char **argv)
{
    struct cli_look_opts opts;
    struct look_target *target;
    struct look_snapshot *snapshot;
    int status;

    if (!cli_look_opts(&opts, argc, argv, usage, CLI_TAKES_CORE, &status))
        return status;
    status = cli_look_take(&opts, &target, &snapshot);
    if (status != CLI_FINE)
        return status;
    if (opts.is_json)
        cli_put_json(stdout, target, snapshot);
    else
        status = put_all(target, snapshot);
    look_snapshot_free(snapshot);
    look_close(target);
    return status == CLI_FINE ? cli_look_end() : status;
}
