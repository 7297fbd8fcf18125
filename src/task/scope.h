/* SPDX-License-Identifier: MIT */
/* scope.h - what this room asks of a scope beyond its public face: tasks that answer for others,
 * and forks that another worker has taken. */
#pragma once

#include <stdbool.h>

#include <ravel/fork.h>
#include <ravel/scope.h>

#include "base/list.h"

struct rvi_task;

/** What a task does on behalf of others, who have to hear of it when it cannot run. */
struct rvi_errand {
    int (*run)(struct rvi_errand *errand); /* in the task; the errand may be gone when it returns */
    void (*lost)(struct rvi_errand *errand, int why); /* instead of run; on a worker's thread,
                                                         between tasks */
};

/** Whether a scope takes errands: 0, or -EINVAL when a task that ends well would mean something
 * (RV_FIRST_SUCCESS), or starting one could block (a limit). */
int rvi_scope_takes_errands(const rv_scope *scope);

/** Start an errand's task, without task-local values. From anywhere that rv_go_at may be called
 * from.
 *
 * @return 0; `run` or `lost` will be called once. The scope hears of both.
 * Errors: -ECANCELED the scope is cancelled; -ENOMEM */
int rvi_scope_send(rv_scope *scope, struct rvi_errand *errand, const struct rv_site *site)
    __attribute__((warn_unused_result));

/** Name a scope of the calling task's that was opened without options. */
void rvi_scope_set_name(rv_scope *scope, const char *name);

/** What a job's result means for its scope, as if a task had ended with it. */
void rvi_scope_judge(rv_scope *scope, int result);

/* A fork that another worker has taken is counted and cancelled as a child of the scope, but not
 * judged: its joiner has the result. */

/** The innermost scope in which `owner` made a fork; NULL: the first task, outside of any. With the
 * lock of the owner's forks held; the scope stays open until the fork is joined. */
struct rv_scope *rvi_scope_of_fork(const struct rvi_task *owner, struct rvi_fork_slot *slot);

/** Whether, and until when, a shield of the owner hides from that fork that its scope is
 * cancelled. Likewise with the lock held. */
bool rvi_scope_shield_of_fork(const struct rvi_task *owner, struct rvi_fork_slot *slot,
                              rv_time *ret_until);

/** Make a new task a child of a scope that somebody else keeps open. On the task's birth worker.
 * Errors: -ENOMEM */
int rvi_scope_adopt(struct rv_scope *scope, struct rvi_task *task)
    __attribute__((warn_unused_result));

/** The task has ended; on its birth worker. The scope may be gone afterwards. */
void rvi_scope_disown(struct rvi_task *task);
/** What a dump says of a scope. Its home worker is held still. */
struct rvi_scope_view {
    const char *name; /* NULL: none */
    enum rv_policy policy;
    rv_time deadline;
    int reason;            /* 0; or why it is cancelled, positive when by its first success */
    const rv_scope *outer; /* its owner's next one out */
};

/** The name of the innermost scope with one that a task owns or was started in; NULL: there is
 * none. On its thread; async-signal-safe. */
const char *rvi_scope_name_of(const struct rvi_task *task);

void rvi_scope_look(const rv_scope *scope, struct rvi_scope_view *ret);

/** The children that a worker, held still, has started, linked by `sibling`; NULL: none. */
const struct rvi_list *rvi_scope_children(const rv_scope *scope, unsigned worker);
