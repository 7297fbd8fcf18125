/* SPDX-License-Identifier: MIT */
/* snapshot_scopes.c - the scopes that tasks have open, and the tasks that were started in them.
 *
 * The tree is made from the owners' side (S3).
 *
 * Checked by: tests/unit/look/test_snapshot.c */
#include "look/maker.h"

#include <errno.h>

enum { NESTING_MOST = 10000 }; /* scopes of one task */

static void take_scope(const struct look_maker *m, const char *record, struct look_scope *scope)
{
    rv_time deadline = (rv_time)look_maker_get(m, record, RVI_AT_SCOPE_DEADLINE);

    scope->policy = (uint8_t)look_maker_get(m, record, RVI_AT_SCOPE_POLICY);
    scope->is_closing = look_maker_get(m, record, RVI_AT_SCOPE_IS_CLOSING) != 0;
    scope->reason = (int)(uint32_t)look_maker_get(m, record, RVI_AT_SCOPE_REASON);
    scope->has_deadline = deadline != RV_NEVER;
    scope->left_ns = deadline - m->now;
}

/* The number of a scope that a task owns, or -errno; -EAGAIN when it does not any more. */
static int64_t add_scope(struct look_maker *m, uint64_t address, int64_t owner, uint64_t *ret_outer)
{
    struct look_snapshot *made = m->made;
    char record[LOOK_RECORD_BYTES_MOST];
    uint64_t name;
    int r = look_maker_read(m, address, record, look_maker_bytes(m, RVI_RECORD_SCOPE));

    if (r < 0)
        return r == -EFAULT ? -EAGAIN : r;
    if (look_maker_get(m, record, RVI_AT_SCOPE_OWNER) != made->tasks[owner].address)
        return -EAGAIN;
    struct look_scope *scope =
        look_one_more(&made->scopes, &m->scope_room, made->scope_count, sizeof *made->scopes);
    if (!scope)
        return -ENOMEM;
    scope->address = address;
    scope->owner = owner;
    scope->outer = LOOK_NONE;
    take_scope(m, record, scope);
    name = look_maker_get(m, record, RVI_AT_SCOPE_NAME);
    if (name && (r = look_maker_name(m, name, scope->name, sizeof scope->name)) < 0)
        return r;
    if ((r = look_index_put(&made->scope_at, address, (int64_t)made->scope_count)) < 0)
        return r;
    *ret_outer = look_maker_get(m, record, RVI_AT_SCOPE_OUTER);
    return (int64_t)made->scope_count++;
}

/* From the innermost outwards. What changes meanwhile is left out; that the descriptor is still the
 * same task's is looked at first, as a scope says by address whose it is. */
static int add_scopes_of(struct look_maker *m, int64_t owner)
{
    struct look_snapshot *made = m->made;
    uint64_t id, at = made->tasks[owner].innermost;
    int64_t inner = LOOK_NONE;

    if (!at)
        return 0;
    int r = look_read_number(m->target, m->layout, made->tasks[owner].address, RVI_AT_TASK_ID, &id);
    if (r < 0 || id != made->tasks[owner].id)
        return r;
    for (unsigned i = 0; at && i < NESTING_MOST; i++) {
        if (look_index_get(&made->scope_at, at) != LOOK_NONE)
            break; /* S1: a ring */
        int64_t scope = add_scope(m, at, owner, &at);
        if (scope < 0)
            return scope == -EAGAIN ? 0 : (int)scope;
        if (inner == LOOK_NONE)
            made->tasks[owner].scopes = scope;
        else
            made->scopes[inner].outer = scope;
        inner = scope;
    }
    return 0;
}

/* By way of the shard that it is counted in. */
static int place_task(struct look_maker *m, struct look_task *task, struct look_index *shards)
{
    int64_t known = look_index_get(shards, task->group);
    uint64_t scope;

    if (!task->group)
        return 0;
    if (known == LOOK_NONE) {
        int r = look_read_number(m->target, m->layout, task->group, RVI_AT_SHARD_SCOPE, &scope);
        if (r < 0)
            return r == -EFAULT ? 0 : r;
        known = look_index_get(&m->made->scope_at, scope);
        if (known != LOOK_NONE && (r = look_index_put(shards, task->group, known)) < 0)
            return r;
    }
    task->scope = known;
    return 0;
}

int look_maker_place_tasks(struct look_maker *m, size_t first)
{
    struct look_index shards = {0};
    int r = 0;

    for (size_t i = first; i < m->made->task_count && r == 0; i++)
        r = add_scopes_of(m, (int64_t)i);
    for (size_t i = first; i < m->made->task_count && r == 0; i++)
        r = place_task(m, &m->made->tasks[i], &shards);
    look_index_fini(&shards);
    return r;
}
