/* SPDX-License-Identifier: MIT */
/* things_reader.c - records of a program's things, by the tables that come with them.
 *
 * Checked by: tests/unit/look/test_things.c */
#include "look/things_reader.h"

#include <errno.h>

#include "base/alloc.h"

int look_reader_bytes(const struct look_reader *in, uint64_t address, void *to, size_t bytes)
{
    int r = address ? in->target->read(in->target, address, to, bytes) : -EAGAIN;

    return r == -EFAULT ? -EAGAIN : r;
}

int look_reader_word(const struct look_reader *in, uint64_t address, char *to, size_t room)
{
    int r = address ? look_read_text(in->target, address, to, room) : -EAGAIN;

    return r == -EFAULT ? -EAGAIN : r;
}

int look_reader_field(const struct look_reader *in, const struct look_part *part, uint64_t record,
                      unsigned field, uint64_t *ret)
{
    *ret = 0;
    return record ? look_reader_bytes(in, record + part->fields[field].offset, ret,
                                      part->fields[field].bytes)
                  : -EAGAIN;
}

int look_reader_record(const struct look_reader *in, const struct look_part *part, unsigned record,
                       uint64_t address, char **ret)
{
    char *bytes = rvi_alloc(part->records[record]);
    int r = bytes ? look_reader_bytes(in, address, bytes, part->records[record]) : -ENOMEM;

    if (r < 0)
        rvi_free(bytes);
    else
        *ret = bytes;
    return r;
}

bool look_reader_since(const struct look_reader *in, uint64_t then, rv_time *ret)
{
    rv_time age = in->now - (rv_time)then;

    *ret = age < 0 ? 0 : age;
    return in->now != 0 && then != 0;
}

/* Each field lies in its record, and is a number of a length that there is. */
static bool is_sound(const struct look_part *part, const struct look_expected *expected)
{
    for (unsigned i = 0; i < expected->fields; i++) {
        unsigned bytes = part->fields[i].bytes;
        uint32_t record = part->records[expected->record_of[i]];
        if ((bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) || record > UINT16_MAX ||
            part->fields[i].offset + bytes > record)
            return false;
    }
    return true;
}

int look_reader_table(const struct look_reader *in, struct look_part *part, uint64_t address,
                      const struct look_expected *expected)
{
    struct rvi_layout_part there;

    if (part->address == address)
        return 0;
    part->address = 0;
    int r = look_reader_bytes(in, address, &there, sizeof there);
    if (r == 0 &&
        (there.record_count != expected->records || there.field_count != expected->fields))
        r = -EAGAIN;
    if (r == 0)
        r = look_reader_bytes(in, (uintptr_t)there.records, part->records,
                              expected->records * sizeof *part->records);
    if (r == 0)
        r = look_reader_bytes(in, (uintptr_t)there.fields, part->fields,
                              expected->fields * sizeof *part->fields);
    if (r == 0 && !is_sound(part, expected))
        r = -EAGAIN;
    if (r == 0)
        part->address = address;
    return r;
}
