/* SPDX-License-Identifier: MIT */
/* cmd_tree.c - `ravel tree`: the tasks of a program under the scopes that they were started in.
 *
 * Tasks of one scope that own none, were started at one place and wait alike are one line with
 * their number, unless all are asked for: a server has a thousand of them.
 *
 * Checked by: tests/look/test_tree.py */
#include <string.h>

#include "check/driver/json.h"
#include "cli/cli.h"
#include "cli/look.h"
#include "look/tree.h"

static const char usage[] =
    "usage: ravel tree [--all] [--json] PID\n"
    "       ravel tree [--all] [--json] --core FILE\n"
    "\n"
    "The tasks of a program that runs on Ravel, which goes on meanwhile, as a tree: each under "
    "the\n"
    "scope that it was started in, each scope under the task that owns it.\n"
    "\n"
    "  --all    a line for each task, also of those that wait alike\n"
    "\n"
    "Manual page: ravel-tree(1).\n";

enum { DEPTH_MOST = 200, GROUPS_MOST = 256, INDENT = 2 };

/* Tasks of one scope that are alike. */
struct group {
    int64_t first;
    size_t count;
    rv_time youngest_ns, oldest_ns;
};

struct writer {
    struct look_tree tree;
    const struct look_snapshot *snapshot;
    bool is_all;
};

static const struct look_task *task_at(const struct writer *w, int64_t task)
{
    return &w->snapshot->tasks[task];
}

/* --- for people --- */

static bool is_alike(const struct look_task *a, const struct look_task *b)
{
    return a->site == b->site && a->state == b->state && a->why == b->why &&
           a->is_torn == b->is_torn && strcmp(a->name, b->name) == 0;
}

static void put_span(const struct group *group)
{
    char youngest[CLI_SPAN_BYTES], oldest[CLI_SPAN_BYTES];

    cli_span(group->youngest_ns, youngest);
    cli_span(group->oldest_ns, oldest);
    if (strcmp(youngest, oldest) == 0)
        printf(", for %s", oldest);
    else
        printf(", for %s to %s", youngest, oldest);
}

static void put_group(const struct writer *w, const struct group *group, int indent)
{
    const struct look_task *task = task_at(w, group->first);
    bool waits = !task->is_torn && task->state == RVI_TASK_PARKED;

    if (group->count == 1)
        printf("%*stask %llu '%s'", indent, "", (unsigned long long)task->id, task->name);
    else
        printf("%*s%zu tasks like %llu '%s'", indent, "", group->count,
               (unsigned long long)task->id, task->name);
    printf(", from %s:%u: %s", task->site->file, task->site->line, look_state_word(task));
    if (waits)
        printf(" (%s)", rvi_why_word(task->why));
    if (task->has_age)
        put_span(group);
    if (group->count == 1 && task->worker != LOOK_NONE)
        printf(", worker %d", (int)task->worker);
    printf("\n");
}

static struct group group_of(const struct writer *w, int64_t task)
{
    rv_time age = task_at(w, task)->waiting_ns;

    return (struct group){task, 1, age, age};
}

/* Into a group that there is. */
static bool join(const struct writer *w, struct group *groups, size_t count, int64_t task)
{
    rv_time age = task_at(w, task)->waiting_ns;

    for (size_t i = 0; i < count; i++) {
        struct group *group = &groups[i];
        if (!is_alike(task_at(w, group->first), task_at(w, task)))
            continue;
        group->count++;
        if (age < group->youngest_ns)
            group->youngest_ns = age;
        if (age > group->oldest_ns)
            group->oldest_ns = age;
        return true;
    }
    return false;
}

static void put_task(struct writer *w, int64_t task, int indent, int depth);

/* Those without scopes of their own; those that do not fit into the groups at once. */
static void put_plain(struct writer *w, int64_t scope, int indent)
{
    struct group groups[GROUPS_MOST];
    size_t count = 0;

    for (int64_t i = w->tree.first[scope]; i != LOOK_NONE; i = w->tree.next[i]) {
        if (task_at(w, i)->scopes != LOOK_NONE || !look_tree_place(&w->tree, i))
            continue;
        struct group one = group_of(w, i);
        if (w->is_all || count == GROUPS_MOST)
            put_group(w, &one, indent);
        else if (!join(w, groups, count, i))
            groups[count++] = one;
    }
    for (size_t i = 0; i < count; i++)
        put_group(w, &groups[i], indent);
}

static void put_scope(struct writer *w, int64_t scope, int indent, int depth)
{
    static const char *const policies[] = {"fail fast", "collect all", "first success"};
    const struct look_scope *at = &w->snapshot->scopes[scope];
    char span[CLI_SPAN_BYTES];

    printf("%*sscope", indent, "");
    if (at->name[0])
        printf(" '%s'", at->name);
    printf(", %s", at->policy < 3 ? policies[at->policy] : "?");
    if (at->has_deadline && at->left_ns >= 0)
        printf(", %s to its deadline", cli_span(at->left_ns, span));
    else if (at->has_deadline)
        printf(", %s over its deadline", cli_span(-at->left_ns, span));
    if (at->reason > 0)
        printf(", ended by its first success");
    else if (at->reason < 0)
        printf(", cancelled (%s)", strerrorname_np(-at->reason));
    printf("\n");
    put_plain(w, scope, indent + INDENT);
    for (int64_t i = w->tree.first[scope]; i != LOOK_NONE; i = w->tree.next[i]) {
        if (task_at(w, i)->scopes != LOOK_NONE)
            put_task(w, i, indent + INDENT, depth + 1);
    }
}

static void put_task(struct writer *w, int64_t task, int indent, int depth)
{
    struct group one = group_of(w, task);

    if (!look_tree_place(&w->tree, task))
        return;
    put_group(w, &one, indent);
    if (depth == DEPTH_MOST) {
        printf("%*s(deeper scopes are not shown)\n", indent + INDENT, "");
        return;
    }
    for (int64_t scope = LOOK_NONE; (scope = look_tree_inner(&w->tree, task, scope)) != LOOK_NONE;)
        put_scope(w, scope, indent + INDENT, depth);
}

static size_t count_unplaced(const struct writer *w)
{
    size_t count = 0;

    for (size_t i = 0; i < w->snapshot->task_count; i++)
        count += !w->tree.is_placed[i];
    return count;
}

static int put_tree(struct writer *w, const struct look_target *target)
{
    if (w->snapshot->runtime_count == 0)
        printf("%s: no runtime at the moment\n", target->program);
    else
        printf("%s: %zu tasks\n", target->program, w->snapshot->task_count);
    for (size_t i = 0; i < w->snapshot->task_count; i++) {
        if (look_tree_is_root(&w->tree, (int64_t)i))
            put_task(w, (int64_t)i, 0, 0);
    }
    size_t unplaced = count_unplaced(w);
    if (unplaced)
        printf("%zu tasks lie deeper, or moved while they were read: ravel ps has them.\n",
               unplaced);
    cli_put_gaps(stdout, w->snapshot);
    return cli_put_things(stdout, &w->snapshot->things);
}

/* --- for machines --- */

static void put_json_task(struct writer *w, int64_t task, int depth);

static void put_json_scope(struct writer *w, int64_t scope, int depth)
{
    const char *between = "\n";

    cli_put_json_scope(stdout, w->snapshot, &w->snapshot->scopes[scope]);
    fputs(", \"tasks\": [", stdout);
    for (int64_t i = w->tree.first[scope]; i != LOOK_NONE; i = w->tree.next[i]) {
        if (!look_tree_place(&w->tree, i))
            continue;
        fputs(between, stdout);
        put_json_task(w, i, depth + 1);
        between = ",\n";
    }
    fputs("]}", stdout);
}

/* It is placed. */
static void put_json_task(struct writer *w, int64_t task, int depth)
{
    const char *between = "";

    cli_put_json_task(stdout, w->snapshot, task_at(w, task));
    fputs(", \"scopes\": [", stdout);
    for (int64_t scope = LOOK_NONE;
         depth < DEPTH_MOST && (scope = look_tree_inner(&w->tree, task, scope)) != LOOK_NONE;) {
        fputs(between, stdout);
        put_json_scope(w, scope, depth);
        between = ", ";
    }
    fputs("]}", stdout);
}

static void put_json(struct writer *w, const struct look_target *target)
{
    const char *between = "\n";

    printf("{\"pid\": %d, \"program\": ", (int)target->pid);
    ck_put_json(stdout, target->program);
    fputs(", \"tree\": [", stdout);
    for (size_t i = 0; i < w->snapshot->task_count; i++) {
        if (!look_tree_is_root(&w->tree, (int64_t)i) || !look_tree_place(&w->tree, (int64_t)i))
            continue;
        fputs(between, stdout);
        put_json_task(w, (int64_t)i, 0);
        between = ",\n";
    }
    fputs("],\n", stdout);
    cli_put_json_things(stdout, &w->snapshot->things);
    printf(",\n\"unplaced\": %zu, \"torn\": %zu, \"lost\": %zu}\n", count_unplaced(w),
           w->snapshot->torn, w->snapshot->lost);
}

int cli_tree(int argc, char **argv)
{
    struct cli_look_opts opts;
    struct look_target *target;
    struct look_snapshot *snapshot;
    struct writer w;
    int status;

    if (!cli_look_opts(&opts, argc, argv, usage, CLI_TAKES_CORE | CLI_TAKES_ALL, &status))
        return status;
    status = cli_look_take(&opts, &target, &snapshot);
    if (status != CLI_FINE)
        return status;
    w = (struct writer){.snapshot = snapshot, .is_all = opts.is_all};
    if (look_tree_init(&w.tree, snapshot) < 0)
        status = cli_unable("no memory");
    else if (opts.is_json)
        put_json(&w, target);
    else
        status = put_tree(&w, target);
    look_tree_fini(&w.tree);
    look_snapshot_free(snapshot);
    look_close(target);
    return status == CLI_FINE ? cli_look_end() : status;
}
