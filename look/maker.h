/* SPDX-License-Identifier: MIT */
/* maker.h - what a snapshot is made with, for the files that make it: snapshot.c, and snapshot_*.c.
 * Errors everywhere: -EAGAIN, what was read does not go together; others as target->read(). */
#pragma once

#include <stdint.h>

#include "look/array.h"
#include "look/fields.h"
#include "look/snapshot.h"

enum { LOOK_RECORD_BYTES_MOST = 4096 }; /* of one descriptor with its account */

struct look_maker {
    struct look_target *target;
    const struct rvi_layout *layout;
    struct look_snapshot *made;
    size_t task_room, scope_room;
    uint32_t now_ms; /* by the clock of the program's workers */
    rv_time now;

    /* of the runtime under way */
    uint64_t sched, workers, first_task;
    unsigned worker_count;
};

static inline uint64_t look_maker_get(const struct look_maker *m, const void *record,
                                      enum rvi_layout_field field)
{
    return look_number(m->layout, record, field);
}

static inline uint32_t look_maker_bytes(const struct look_maker *m, enum rvi_layout_record record)
{
    return m->layout->records[record];
}

static inline int look_maker_read(const struct look_maker *m, uint64_t address, void *to,
                                  size_t bytes)
{
    return m->target->read(m->target, address, to, bytes);
}

/* --- snapshot_names.c --- */

/** A name, or "?" where none can be read. */
int look_maker_name(const struct look_maker *m, uint64_t address, char *to, size_t room);

int look_maker_site(struct look_maker *m, uint64_t address, const struct look_site **ret);

/** Its own name, or its site's.
 *
 * @param record  of the task, whose site is known */
int look_maker_task_name(struct look_maker *m, const struct look_task *task, const char *record,
                         const char **ret);

/* --- snapshot_tasks.c --- */

/** Add the tasks of a worker's slab.
 *
 * @param worker   its record
 * @param address  of it */
int look_maker_add_slab(struct look_maker *m, const char *worker, uint64_t address);

/* --- snapshot_scopes.c --- */

/** Add the scopes of these tasks and those behind them, and say in which each was started. */
int look_maker_place_tasks(struct look_maker *m, size_t first);
