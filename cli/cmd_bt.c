/* SPDX-License-Identifier: MIT */
/* cmd_bt.c - `ravel bt`: the calls that a task of a program is in.
 *
 * Checked by: tests/look/test_bt.py */
#include <string.h>

#include "base/text.h"
#include "check/driver/json.h"
#include "cli/cli.h"
#include "cli/look.h"
#include "look/stack.h"

static const char usage[] =
    "usage: ravel bt [--all] [--json] PID TASK\n"
    "       ravel bt [--all] [--json] --core FILE TASK\n"
    "\n"
    "The backtrace of a task, by its number or its name, of a program that runs on Ravel and goes\n"
    "on meanwhile. Of several with that name, each.\n"
    "\n"
    "  --all    with the calls inside of Ravel itself\n"
    "\n"
    "Manual page: ravel-bt(1).\n";

enum { TASKS_MOST = 1000 };

/* Of which task, by what. */
struct view {
    const struct cli_look_opts *opts;
    struct look_target *target;
    const struct look_snapshot *snapshot;
    struct rvi_backtracer *backtracer;
};

static bool is_ours(const struct view *v, const void *pc)
{
    struct rvi_frame frame;

    rvi_backtrace_frame(v->backtracer, pc, &frame);
    return frame.is_ours;
}

/* From the call of Ravel's that the program makes to the program's last, as rv_dump() has them. */
static void trim(const struct view *v, const struct look_stack *stack, size_t *first, size_t *count)
{
    *first = 0;
    *count = stack->count;
    if (v->opts->is_all)
        return;
    while (*count > 0 && is_ours(v, stack->pcs[*count - 1]))
        --*count;
    while (*first + 1 < *count && is_ours(v, stack->pcs[*first + 1]))
        ++*first;
    if (*count == 0)
        *count = stack->count; /* the program's last call was a jump: better these than none */
}

static void put_frames(const struct view *v, const struct look_stack *stack)
{
    size_t first, count;

    trim(v, stack, &first, &count);
    for (size_t i = first; i < count; i++) {
        struct rvi_text text = {0};
        struct rvi_frame frame;
        rvi_backtrace_frame(v->backtracer, stack->pcs[i], &frame);
        rvi_frame_add(&text, &frame);
        printf("  #%-3zu %s\n", i - first, text.bytes ? text.bytes : "?");
        rvi_text_fini(&text);
    }
}

static void put_json_frame(const struct rvi_frame *frame)
{
    printf("{\"address\": %llu", (unsigned long long)(uintptr_t)frame->pc);
    if (frame->function) {
        fputs(", \"function\": ", stdout);
        ck_put_json(stdout, frame->function);
    }
    if (frame->file) {
        fputs(", \"file\": ", stdout);
        ck_put_json(stdout, frame->file);
        printf(", \"line\": %d", frame->line);
    }
    if (frame->module) {
        fputs(", \"module\": ", stdout);
        ck_put_json(stdout, frame->module);
    }
    printf(", \"ravel\": %s}", frame->is_ours ? "true" : "false");
}

static void put_json_frames(const struct view *v, const struct look_stack *stack)
{
    struct rvi_frame frame;
    size_t first, count;

    trim(v, stack, &first, &count);
    fputs(", \"frames\": [", stdout);
    for (size_t i = first; i < count; i++) {
        rvi_backtrace_frame(v->backtracer, stack->pcs[i], &frame);
        fputs(i > first ? ",\n  " : "\n  ", stdout);
        put_json_frame(&frame);
    }
    printf("], \"running\": %s", stack->is_running ? "true" : "false");
    if (stack->is_running && !v->target->core)
        printf(", \"sampled\": %s, \"cut\": %s", stack->is_sampled ? "true" : "false",
               stack->is_cut ? "true" : "false");
}

static void put_task(const struct view *v, const struct look_task *task,
                     const struct look_stack *stack, const struct look_trouble *trouble)
{
    printf("task %llu '%s', from %s:%u: %s", (unsigned long long)task->id, task->name,
           task->site->file, task->site->line, look_state_word(task));
    if (!task->is_torn && task->state == RVI_TASK_PARKED)
        printf(" (%s)", rvi_why_word(task->why));
    printf("\n");
    if (!stack)
        printf("  %s\n", trouble->text);
    else if (stack->is_sampled)
        printf("  (it runs, and is not stopped: its calls at one moment)\n");
    else if (stack->is_running && !v->target->core)
        printf("  (in a system call; it is not stopped, so calls may be missing)\n");
    if (stack)
        put_frames(v, stack);
    if (stack && stack->is_cut)
        printf("  (the outermost calls lie deeper than the kernel copies)\n");
}

static void put_json_task(const struct view *v, const struct look_task *task,
                          const struct look_stack *stack, const struct look_trouble *trouble)
{
    cli_put_json_task(stdout, v->snapshot, task);
    if (stack) {
        put_json_frames(v, stack);
    } else {
        fputs(", \"trouble\": ", stdout);
        ck_put_json(stdout, trouble->text);
    }
    fputs("}", stdout);
}

/* Whether it could be told. */
static bool put_one(const struct view *v, const struct look_task *task)
{
    struct look_trouble trouble;
    struct look_stack stack;
    int r = look_stack(v->target, v->snapshot, task, v->backtracer, &stack, &trouble);

    if (v->opts->is_json)
        put_json_task(v, task, r == 0 ? &stack : NULL, &trouble);
    else
        put_task(v, task, r == 0 ? &stack : NULL, &trouble);
    return r == 0;
}

static int put_each(const struct view *v, const size_t *tasks, size_t count)
{
    bool is_whole = true;

    if (v->opts->is_json)
        printf("[");
    for (size_t i = 0; i < count; i++) {
        if (v->opts->is_json && i > 0)
            printf(",\n");
        is_whole &= put_one(v, &v->snapshot->tasks[tasks[i]]);
    }
    if (v->opts->is_json)
        printf("]\n");
    int status = cli_look_end();
    return status == CLI_FINE && !is_whole ? CLI_UNABLE : status;
}

static int find_and_put(struct view *v)
{
    static size_t tasks[TASKS_MOST];
    size_t count = look_find_tasks(v->snapshot, v->opts->task, tasks, TASKS_MOST);

    if (count == 0)
        return cli_unable("%s has no task with the number or the name %s", v->target->program,
                          v->opts->task);
    if (count > TASKS_MOST) {
        cli_unable("%zu tasks have that name: the first %d are told", count, TASKS_MOST);
        count = TASKS_MOST;
    }
    v->backtracer = look_backtracer(v->target);
    if (!v->backtracer)
        return cli_unable("no memory");
    int status = rvi_backtracer_is_exact(v->backtracer)
                     ? put_each(v, tasks, count)
                     : cli_unable("backtraces need elfutils' libdw.so.1, which is not here, or was "
                                  "not when this command was built");
    rvi_backtracer_free(v->backtracer);
    return status;
}

int cli_bt(int argc, char **argv)
{
    struct cli_look_opts opts;
    struct look_target *target;
    struct look_snapshot *snapshot;
    int status;

    if (!cli_look_opts(&opts, argc, argv, usage, CLI_TAKES_CORE | CLI_TAKES_ALL | CLI_TAKES_TASK,
                       &status))
        return status;
    status = cli_look_take(&opts, &target, &snapshot);
    if (status != CLI_FINE)
        return status;
    struct view v = {.opts = &opts, .target = target, .snapshot = snapshot};
    status = find_and_put(&v);
    look_snapshot_free(snapshot);
    look_close(target);
    return status;
}
