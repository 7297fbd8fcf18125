/* SPDX-License-Identifier: MIT */
#include "look/tree.h"

#include <errno.h>

#include "base/alloc.h"

int look_tree_init(struct look_tree *tree, const struct look_snapshot *snapshot)
{
    size_t tasks = snapshot->task_count, scopes = snapshot->scope_count;

    *tree = (struct look_tree){snapshot, rvi_alloc((scopes + 1) * sizeof *tree->first),
                               rvi_alloc((tasks + 1) * sizeof *tree->next),
                               rvi_calloc(tasks + 1, sizeof *tree->is_placed)};
    if (!tree->first || !tree->next || !tree->is_placed) {
        look_tree_fini(tree);
        return -ENOMEM;
    }
    for (size_t i = 0; i < scopes; i++)
        tree->first[i] = LOOK_NONE;
    for (size_t i = tasks; i-- > 0;) {
        int64_t scope = snapshot->tasks[i].scope;
        tree->next[i] = LOOK_NONE;
        if (scope == LOOK_NONE)
            continue;
        tree->next[i] = tree->first[scope];
        tree->first[scope] = (int64_t)i;
    }
    return 0;
}

void look_tree_fini(struct look_tree *tree)
{
    rvi_free(tree->first);
    rvi_free(tree->next);
    rvi_free(tree->is_placed);
    *tree = (struct look_tree){0};
}

bool look_tree_place(struct look_tree *tree, int64_t task)
{
    bool is_new = !tree->is_placed[task];

    tree->is_placed[task] = true;
    return is_new;
}

int64_t look_tree_inner(const struct look_tree *tree, int64_t owner, int64_t outer)
{
    const struct look_snapshot *snapshot = tree->snapshot;
    int64_t scope = snapshot->tasks[owner].scopes;

    while (scope != LOOK_NONE && scope != outer && snapshot->scopes[scope].outer != outer)
        scope = snapshot->scopes[scope].outer;
    return scope == outer ? LOOK_NONE : scope;
}
