/* SPDX-License-Identifier: MIT */
/* local.c - task-local values.
 *
 * A task's values are a list of nodes that never change once they are shared; a node holds a
 * reference to the next. A child starts with its parent's list: one reference, whatever its length,
 * and none at all when there are no values. Setting a value puts a node in front and copies those
 * before the old one.
 *
 * Rejected: a hash table a task, copied at each spawn. Programs have a handful of values and spawn
 * millions of tasks. */
#include "task/local.h"

#include <ravel/local.h>

#include <errno.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "sched/forks.h"
#include "sched/task.h"

struct rvi_local {
    _Atomic(uint32_t) refs; /* tasks and nodes that lead here */
    struct rvi_local *next;
    const struct rv_local_key *key;
    void *value;
};

struct rvi_local *rvi_local_ref_slow(struct rvi_local *list)
{
    rvi_fetch_add_relaxed(&list->refs, 1);
    return list;
}

void rvi_local_unref_slow(struct rvi_local *list)
{
    while (list && rvi_fetch_sub_release(&list->refs, 1) == 1) { /* pairs: local-refs */
        (void)rvi_load_acquire(&list->refs);                     /* pairs: local-refs */
        struct rvi_local *next = list->next;
        rvi_free(list);
        list = next;
    }
}

static struct rvi_local *find(struct rvi_local *list, const struct rv_local_key *key)
{
    while (list && list->key != key)
        list = list->next;
    return list;
}

/* A node in front of `next`, whose reference it takes; NULL: no memory, and the reference is
 * dropped. */
static struct rvi_local *node_new(const struct rv_local_key *key, void *value,
                                  struct rvi_local *next)
{
    struct rvi_local *node = rvi_alloc(sizeof *node);

    if (!node) {
        rvi_local_unref(next);
        return NULL;
    }
    rvi_store_relaxed(&node->refs, 1);
    node->next = next;
    node->key = key;
    node->value = value;
    return node;
}

/* A list like `list` without the node `old`, which is on it or NULL. Returns 0 or -ENOMEM. */
static int copy_without(struct rvi_local **ret, struct rvi_local *list, const struct rvi_local *old)
{
    struct rvi_local *copy = rvi_local_ref(old ? old->next : list);

    for (struct rvi_local *node = list; old && node != old; node = node->next) {
        copy = node_new(node->key, node->value, copy);
        if (!copy)
            return -ENOMEM;
    }
    *ret = copy;
    return 0;
}

int rv_local_set(const struct rv_local_key *key, void *value)
{
    struct rvi_task *self = rvi_task_self();
    struct rvi_local *list;

    if (!self)
        return -EPERM;
    if (copy_without(&list, self->locals, find(self->locals, key)) < 0)
        return -ENOMEM;
    if (value && !(list = node_new(key, value, list)))
        return -ENOMEM;
    struct rvi_local *old = self->locals;
    rvi_forks_lock(self);
    self->locals = list;
    rvi_forks_unlock(self);
    rvi_local_unref(old);
    return 0;
}

void *rv_local_get(const struct rv_local_key *key)
{
    struct rvi_task *self = rvi_task_self();
    struct rvi_local *node = self ? find(self->locals, key) : NULL;

    return node ? node->value : NULL;
}
