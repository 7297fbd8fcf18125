/* SPDX-License-Identifier: MIT */
/* look_json.c - a snapshot as JSON. Names of members are those of the manual page ravel-ps(1); what
 * is not known is left out; times are in nanoseconds. */
#include "check/driver/json.h"
#include "cli/look.h"

void cli_put_json_number(FILE *file, const char *name, long long number)
{
    fprintf(file, ", \"%s\": %lld", name, number);
}

void cli_put_json_text(FILE *file, const char *name, const char *text)
{
    fprintf(file, ", \"%s\": ", name);
    ck_put_json(file, text);
}

static void put_account(FILE *file, const struct look_task *task)
{
    cli_put_json_number(file, "age_ns", task->age_ns);
    cli_put_json_number(file, "run_ns", (long long)task->run_ns);
    cli_put_json_number(file, "queued_ns", (long long)task->queued_ns);
    cli_put_json_number(file, "parks", (long long)task->parks);
    cli_put_json_number(file, "wakes", (long long)task->wakes);
    cli_put_json_number(file, "yields", (long long)task->yields);
    cli_put_json_number(file, "migrations", (long long)task->migrations);
}

void cli_put_json_task(FILE *file, const struct look_snapshot *snapshot,
                       const struct look_task *task)
{
    fprintf(file, "{\"id\": %llu", (unsigned long long)task->id);
    cli_put_json_number(file, "runtime", task->runtime);
    cli_put_json_text(file, "name", task->name);
    cli_put_json_text(file, "state", look_state_word(task));
    if (!task->is_torn && task->state == RVI_TASK_PARKED)
        cli_put_json_text(file, "waits_for", rvi_why_word(task->why));
    if (task->has_age)
        cli_put_json_number(file, "waiting_ns", task->waiting_ns);
    if (task->worker != LOOK_NONE)
        cli_put_json_number(file, "worker", task->worker);
    if (task->scope != LOOK_NONE) {
        cli_put_json_number(file, "scope", task->scope);
        cli_put_json_number(file, "parent",
                            (long long)snapshot->tasks[snapshot->scopes[task->scope].owner].id);
    }
    cli_put_json_text(file, "file", task->site->file);
    cli_put_json_number(file, "line", task->site->line);
    cli_put_json_text(file, "function", task->site->func);
    if (task->has_account)
        put_account(file, task);
}

void cli_put_json_scope(FILE *file, const struct look_snapshot *snapshot,
                        const struct look_scope *scope)
{
    static const char *const policies[] = {"fail fast", "collect all", "first success"};

    fprintf(file, "{\"owner\": %llu", (unsigned long long)snapshot->tasks[scope->owner].id);
    cli_put_json_number(file, "runtime", snapshot->tasks[scope->owner].runtime);
    if (scope->name[0])
        cli_put_json_text(file, "name", scope->name);
    cli_put_json_text(file, "policy",
                      scope->policy < sizeof policies / sizeof policies[0] ? policies[scope->policy]
                                                                           : "?");
    if (scope->outer != LOOK_NONE)
        cli_put_json_number(file, "outer", scope->outer);
    fprintf(file, ", \"closing\": %s", scope->is_closing ? "true" : "false");
    if (scope->reason)
        cli_put_json_number(file, "cancelled", scope->reason);
    if (scope->has_deadline)
        cli_put_json_number(file, "deadline_in_ns", scope->left_ns);
}

static void put_worker(FILE *file, const struct look_snapshot *snapshot,
                       const struct look_worker *w)
{
    static const char *const states[] = {"asleep", "between tasks", "runs"};

    fprintf(file, "{\"index\": %u", w->index);
    cli_put_json_number(file, "thread", w->thread_id);
    cli_put_json_text(file, "state", states[w->state]);
    if (w->task != LOOK_NONE)
        cli_put_json_number(file, "task", (long long)snapshot->tasks[w->task].id);
    cli_put_json_number(file, "ready", (long long)w->ready);
    cli_put_json_number(file, "not_begun", (long long)w->fresh);
    cli_put_json_number(file, "timers", (long long)w->timers);
    cli_put_json_number(file, "spawned", (long long)w->spawned);
    cli_put_json_number(file, "finished", (long long)w->finished);
    cli_put_json_number(file, "switches", (long long)w->switches);
    cli_put_json_number(file, "stolen", (long long)w->stolen);
    cli_put_json_number(file, "sleeps", (long long)w->sleeps);
    if (w->has_account)
        cli_put_json_number(file, "run_ns", (long long)w->run_ns);
    fputs("}", file);
}

static void put_runtime(FILE *file, const struct look_snapshot *snapshot,
                        const struct look_runtime *runtime)
{
    fputs("{\"workers\": [", file);
    for (unsigned i = 0; i < runtime->worker_count; i++) {
        fputs(i ? ",\n  " : "\n  ", file);
        put_worker(file, snapshot, &runtime->workers[i]);
    }
    fprintf(file, "], \"waiting_for_helper\": %zu", runtime->helper_calls);
    cli_put_json_number(file, "stalls", (long long)runtime->stalls);
    fprintf(file, ", \"accounts\": %s}", runtime->has_accounts ? "true" : "false");
}

void cli_put_json(FILE *file, const struct look_target *target,
                  const struct look_snapshot *snapshot)
{
    fprintf(file, "{\"pid\": %d", (int)target->pid);
    if (target->core)
        cli_put_json_text(file, "core", target->core);
    cli_put_json_text(file, "program", target->program);
    fputs(", \"runtimes\": [", file);
    for (size_t i = 0; i < snapshot->runtime_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        put_runtime(file, snapshot, &snapshot->runtimes[i]);
    }
    fputs("],\n\"scopes\": [", file);
    for (size_t i = 0; i < snapshot->scope_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        cli_put_json_scope(file, snapshot, &snapshot->scopes[i]);
        fputs("}", file);
    }
    fputs("],\n\"tasks\": [", file);
    for (size_t i = 0; i < snapshot->task_count; i++) {
        fputs(i ? ",\n " : "\n ", file);
        cli_put_json_task(file, snapshot, &snapshot->tasks[i]);
        fputs("}", file);
    }
    fputs("],\n", file);
    cli_put_json_things(file, &snapshot->things);
    fprintf(file, ",\n\"torn\": %zu, \"lost\": %zu}\n", snapshot->torn, snapshot->lost);
}
