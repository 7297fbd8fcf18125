/* SPDX-License-Identifier: MIT */
/* roll.h - what a process has besides its schedulers that others want to see from outside:
 * executors, supervisors, channels and queues that were given a name.
 *
 * A list, one a process, of where they lie, each with a table of what lies where in it, as
 * task/layout.h has for what every process has. The tables belong to the rooms above, so that a
 * program which has no executor has not got its table either.
 *
 *   R1  what is on the list is whole, and stays so until it is off
 *   R2  who reads from outside takes no lock: it believes what it has read of a thing if that is on
 *       the list still afterwards, with the same number; for another one may lie there by then
 *
 * Whoever records what the process does hears of each name that comes, and goes.
 *
 * To be on it costs what has it a lock at its beginning and its end, and nothing in between.
 *
 * Checked by: tests/unit/sched/test_roll.c, tests/look/test_things.py */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* What is on the roll. */
enum rvi_roll_kind {
    RVI_ROLL_EXECUTOR = 1,
    RVI_ROLL_SUPERVISOR,
    RVI_ROLL_CHAN,
    RVI_ROLL_QUEUE,
};

/* Where a number lies in a record. */
struct rvi_layout_field_at {
    uint16_t offset;
    uint16_t bytes; /* 1, 2, 4 or 8 */
};

/* What lies where in things of a kind: constant, and found by way of what is on the roll. */
struct rvi_layout_part {
    uint32_t record_count, field_count;
    const uint32_t *records; /* sizes */
    const struct rvi_layout_field_at *fields;
};

/* A place on the roll. Zeroed: on none. */
struct rvi_enrolled {
    struct rvi_link link;
    const struct rvi_layout_part *part;
    const void *thing;     /* NULL: on none */
    const void *waited_at; /* the address that its waits tell (sched/wait.h); NULL: there are none.
                              With its name, as long as it is on: whoever adds it */
    const char *name;
    enum rvi_roll_kind kind;
    uint64_t number; /* that no other has had */
};

extern struct rvi_list rvi_roll;

/** Put something on the roll, unless this is a simulation, which nobody looks into. Any thread. */
void rvi_roll_add(struct rvi_enrolled *place, enum rvi_roll_kind kind,
                  const struct rvi_layout_part *part, const void *thing);

/** Take it off, if it is on. */
void rvi_roll_remove(struct rvi_enrolled *place);

/** Note the names of all that is on it: somebody records from now on. */
void rvi_roll_tell(void);

/* For the rooms that have tables: `list` is R and F as of RVI_LAYOUT in task/layout.h. */

#define RVI_LAYOUT_NO_RECORD(record, type)
#define RVI_LAYOUT_NO_FIELD(record, member, name)
#define RVI_LAYOUT_RECORD_NAME(record, type) RVI_RECORD_##record,
#define RVI_LAYOUT_FIELD_NAME(record, member, name) RVI_AT_##record##_##name,
#define RVI_LAYOUT_RECORD_TYPE(record, type) typedef type rvi_layout_##record;
#define RVI_LAYOUT_RECORD_FITS(record, type)                                                       \
    _Static_assert(sizeof(type) <= UINT16_MAX, "offsets have two bytes");
#define RVI_LAYOUT_RECORD_BYTES(record, type) [RVI_RECORD_##record] = sizeof(type),
#define RVI_LAYOUT_FIELD_AT(record, member, name)                                                  \
    [RVI_AT_##record##_##name] = {offsetof(rvi_layout_##record, member),                           \
                                  sizeof(((rvi_layout_##record *)0)->member)},

/** Define a part's table: `count` is the prefix of the constants RECORDS and FIELDS. */
#define RVI_LAYOUT_PART(name, count, list)                                                         \
    list(RVI_LAYOUT_RECORD_TYPE, RVI_LAYOUT_NO_FIELD) list(                                        \
        RVI_LAYOUT_RECORD_FITS, RVI_LAYOUT_NO_FIELD) const struct rvi_layout_part name = {         \
        .record_count = count##_RECORDS,                                                           \
        .field_count = count##_FIELDS,                                                             \
        .records = (const uint32_t[]){list(RVI_LAYOUT_RECORD_BYTES, RVI_LAYOUT_NO_FIELD)},         \
        .fields =                                                                                  \
            (const struct rvi_layout_field_at[]){list(RVI_LAYOUT_NO_RECORD, RVI_LAYOUT_FIELD_AT)}, \
    }
