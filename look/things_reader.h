/* SPDX-License-Identifier: MIT */
/* things_reader.h - what the readers of a program's things share: how records are read by the
 * tables of other rooms. In the results -EAGAIN stands for all that was not as it should be, or is
 * gone. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "look/fields.h"
#include "look/things.h"

enum {
    LOOK_RECORDS_MOST = 16,
    LOOK_FIELDS_MOST = 64,
};

/* A room's table. */
struct look_part {
    uint64_t address; /* that it was read from; 0: not yet */
    uint32_t records[LOOK_RECORDS_MOST];
    struct rvi_layout_field_at fields[LOOK_FIELDS_MOST];
};

struct look_reader {
    struct look_target *target;
    struct look_things *made;
    rv_time now;
    struct look_part executor, supervisor, queue;
    size_t executor_room, supervisor_room, flow_room;
};

/* --- reading --- */

/** The address 0 is none. Errors: -EAGAIN; others as target->read(). */
int look_reader_bytes(const struct look_reader *in, uint64_t address, void *to, size_t bytes);
int look_reader_word(const struct look_reader *in, uint64_t address, char *to, size_t room);

/** A number of a record that lies at an address there. */
int look_reader_field(const struct look_reader *in, const struct look_part *part, uint64_t record,
                      unsigned field, uint64_t *ret);

/** @param ret  rvi_free() it */
int look_reader_record(const struct look_reader *in, const struct look_part *part, unsigned record,
                       uint64_t address, char **ret);

/** How long ago that was. @return whether it is known */
bool look_reader_since(const struct look_reader *in, uint64_t then, rv_time *ret);

static inline uint64_t look_part_get(const struct look_part *part, const void *record,
                                     unsigned field)
{
    return look_field(&part->fields[field], record);
}

/* --- tables --- */

/** What a room's header says: how many there are, and in which record each field lies. */
struct look_expected {
    unsigned records, fields;
    const uint8_t *record_of;
};

#define LOOK_RECORD_OF(record, member, name) RVI_RECORD_##record,
#define LOOK_EXPECTED(count, list)                                                                 \
    {                                                                                              \
        .records = count##_RECORDS, .fields = count##_FIELDS,                                      \
        .record_of = (const uint8_t[]){list(RVI_LAYOUT_NO_RECORD, LOOK_RECORD_OF)},                \
    }

/** Read a room's table, unless it is the one that was read last, and compare it (T1). */
int look_reader_table(const struct look_reader *in, struct look_part *part, uint64_t address,
                      const struct look_expected *expected);

/* --- one thing of the roll each, with its room's table; it is added behind the others --- */

int look_add_executor(struct look_reader *in, uint64_t table, uint64_t address);
void look_drop_executor(struct look_executor *ex);

/** And all that it keeps. On -EAGAIN some may be there already. */
int look_add_supervisor(struct look_reader *in, uint64_t table, uint64_t address);

/** @param place  where the roll has it */
int look_add_flow(struct look_reader *in, uint64_t table, uint64_t address, uint64_t place,
                  bool is_queue);
