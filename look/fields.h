/* SPDX-License-Identifier: MIT */
/* fields.h - records of the target's, as bytes, and the numbers in them. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "look/target.h"

/** A number out of a record's bytes, without a sign. */
static inline uint64_t look_field(const struct rvi_layout_field_at *field, const void *record)
{
    uint64_t eight = 0;

    /* both CPUs are little-endian */
    memcpy(&eight, (const unsigned char *)record + field->offset, field->bytes);
    return eight;
}

static inline uint64_t look_number(const struct rvi_layout *layout, const void *record,
                                   enum rvi_layout_field field)
{
    return look_field(&layout->fields[field], record);
}

/** The same of a record in the target. Errors: as target->read(). */
static inline int look_read_number(struct look_target *target, const struct rvi_layout *layout,
                                   uint64_t record, enum rvi_layout_field field, uint64_t *ret)
{
    *ret = 0;
    return target->read(target, record + layout->fields[field].offset, ret,
                        layout->fields[field].bytes);
}
