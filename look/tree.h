/* SPDX-License-Identifier: MIT */
/* tree.h - a snapshot as a tree: tasks own scopes, in which tasks were started. */
#pragma once

#include <stdbool.h>

#include "look/snapshot.h"

struct look_tree {
    const struct look_snapshot *snapshot;
    int64_t *first;  /* by scope: the first task that was started in it */
    int64_t *next;   /* by task: the next one of its scope */
    bool *is_placed; /* by task: whoever walks has come by it */
};

/** Who was started where. Errors: -ENOMEM. */
int look_tree_init(struct look_tree *tree, const struct look_snapshot *snapshot)
    __attribute__((warn_unused_result));

void look_tree_fini(struct look_tree *tree);

/** Come by a task: true once. What was read while it changed may lead in a ring. */
bool look_tree_place(struct look_tree *tree, int64_t task);

/** Whether walks begin at a task: it is a first one. */
static inline bool look_tree_is_root(const struct look_tree *tree, int64_t task)
{
    return tree->snapshot->tasks[task].is_first;
}

/** The owner's scope that is inside of another one of its, or, of LOOK_NONE, its outermost.
 * LOOK_NONE: there is none. */
int64_t look_tree_inner(const struct look_tree *tree, int64_t owner, int64_t outer);
