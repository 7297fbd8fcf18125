/* SPDX-License-Identifier: MIT */
/* things.c - reading what is on the program's roll (sched/roll.h).
 *
 * What changes while it is read is dealt with as in snapshot_tasks.c: a thing is believed if it is
 * on the roll still after it was read, under the same number; its numbers are read until they are
 * the same twice, and are told as torn if they never are. How each kind is read is in things_*.c.
 *
 *   T1  each thing has a table of its own room's, which came from the program: it is compared with
 *       what that room's header says before it is used
 *   T2  what is missed is counted, and nothing else fails for it
 *
 * Checked by: tests/look/test_things.py, tests/unit/look/test_things.c */
#include "look/things.h"

#include <errno.h>

#include "base/alloc.h"
#include "look/things_reader.h"
#include "sched/roll.h"

enum {
    THINGS_MOST = 1 << 16,
    LOOKS = 8,
};

static void forget_supervisors(struct look_reader *in, size_t from)
{
    while (in->made->supervisor_count > from)
        rvi_free(in->made->supervisors[--in->made->supervisor_count].services);
}

static int add_thing(struct look_reader *in, uint64_t place, const struct rvi_enrolled *there)
{
    uint64_t thing = (uintptr_t)there->thing, table = (uintptr_t)there->part;

    switch (there->kind) {
    case RVI_ROLL_EXECUTOR:
        return look_add_executor(in, table, thing);
    case RVI_ROLL_SUPERVISOR:
        return look_add_supervisor(in, table, thing);
    case RVI_ROLL_CHAN:
    case RVI_ROLL_QUEUE:
        return look_add_flow(in, table, thing, place, there->kind == RVI_ROLL_QUEUE);
    }
    return -EAGAIN;
}

/* What was added since is as it was, if it is still on the roll; else it is taken back. */
static int believe(struct look_reader *in, uint64_t place, const struct rvi_enrolled *before,
                   const struct look_things *then)
{
    struct look_things *made = in->made;
    struct rvi_enrolled after;
    int r = look_reader_bytes(in, place, &after, sizeof after);

    if (r == 0 && after.number == before->number && after.link.next)
        return 0;
    while (made->executor_count > then->executor_count)
        look_drop_executor(&made->executors[--made->executor_count]);
    forget_supervisors(in, then->supervisor_count);
    made->flow_count = then->flow_count;
    return r == 0 ? -EAGAIN : r;
}

/* -EAGAIN: it has changed, and what comes behind cannot be told. */
static int look_at_roll(struct look_reader *in, uint64_t head)
{
    struct rvi_enrolled there;
    uint64_t place, before = head, first[2];
    int r = look_reader_bytes(in, head, first, sizeof first);

    place = first[1];
    for (unsigned i = 0; r == 0 && place != head && i < THINGS_MOST; i++) {
        struct look_things then = *in->made;
        r = look_reader_bytes(in, place, &there, sizeof there);
        if (r == 0 && (uintptr_t)there.link.prev != before)
            r = -EAGAIN;
        if (r < 0)
            return r;
        r = add_thing(in, place, &there);
        if (r == -EAGAIN)
            forget_supervisors(in, then.supervisor_count);
        else if (r == 0)
            r = believe(in, place, &there, &then);
        in->made->missed += r == -EAGAIN;
        r = r == -EAGAIN ? 0 : r;
        before = place;
        place = (uintptr_t)there.link.next;
    }
    return r;
}

static int attempt(struct look_target *target, rv_time now, struct look_things *ret)
{
    int r = 0;

    for (size_t i = 0; i < target->layout_count && r == 0; i++) {
        struct look_reader in = {.target = target,
                                 .made = ret,
                                 .now = now,
                                 .executor_room = ret->executor_count,
                                 .supervisor_room = ret->supervisor_count,
                                 .flow_room = ret->flow_count};
        r = look_at_roll(&in, (uintptr_t)target->layouts[i].roll);
    }
    return r;
}

int look_things(struct look_target *target, rv_time now, struct look_things *ret)
{
    int r = -EAGAIN;

    *ret = (struct look_things){0};
    for (int i = 0; r == -EAGAIN && i < LOOKS; i++) {
        look_things_fini(ret);
        r = attempt(target, now, ret);
    }
    ret->missed += r == -EAGAIN;
    return r == -EAGAIN ? 0 : r;
}

void look_things_fini(struct look_things *things)
{
    for (size_t i = 0; i < things->executor_count; i++)
        look_drop_executor(&things->executors[i]);
    for (size_t i = 0; i < things->supervisor_count; i++)
        rvi_free(things->supervisors[i].services);
    rvi_free(things->executors);
    rvi_free(things->supervisors);
    rvi_free(things->flows);
    *things = (struct look_things){0};
}
