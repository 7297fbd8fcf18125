/* SPDX-License-Identifier: MIT */
/* things_supervisors.c - supervisors with their services, some of which are supervisors.
 *
 * Checked by: tests/unit/look/test_things.c, tests/look/test_things.py */
#include "look/things_reader.h"

#include <errno.h>

#include <ravel/supervisor.h>

#include "base/alloc.h"
#include "look/array.h"
#include "look/index.h"
#include "supervise/layout.h"

enum {
    SERVICES_MOST = 1 << 16,
    NESTING_MOST = 32,
};

static const struct look_expected expected = LOOK_EXPECTED(RVI_SUPERVISOR, RVI_SUPERVISOR_LAYOUT);

_Static_assert((int)RVI_SUPERVISOR_RECORDS <= LOOK_RECORDS_MOST &&
                   (int)RVI_SUPERVISOR_FIELDS <= LOOK_FIELDS_MOST,
               "they fit");

static int read_service(const struct look_reader *in, uint64_t address, const char *record,
                        struct look_service *ret)
{
    const struct look_part *part = &in->supervisor;
    int r = look_reader_word(in, look_part_get(part, record, RVI_AT_KEPT_NAME), ret->name,
                             sizeof ret->name);
    rv_time due = (rv_time)look_part_get(part, record, RVI_AT_KEPT_DUE);

    ret->state = (uint8_t)look_part_get(part, record, RVI_AT_KEPT_STATE);
    if (ret->state > RV_SERVICE_ENDED)
        return -EAGAIN;
    ret->is_process = look_part_get(part, record, RVI_AT_KEPT_PROCESS) != 0;
    ret->starts = look_part_get(part, record, RVI_AT_KEPT_STARTS);
    ret->pid = (int)look_part_get(part, record, RVI_AT_KEPT_PID);
    ret->has_age =
        look_reader_since(in, look_part_get(part, record, RVI_AT_KEPT_BEGUN), &ret->age_ns);
    ret->is_due = ret->state == RV_SERVICE_WAITING && in->now;
    ret->due_ns = due > in->now ? due - in->now : 0;
    ret->error = (int)(uint32_t)look_part_get(part, record, RVI_AT_KEPT_ERROR);
    if (r == 0)
        r = look_reader_word(in, address + part->fields[RVI_AT_KEPT_TEXT].offset, ret->end,
                             sizeof ret->end);
    ret->has_ended = r == 0 && ret->end[0];
    return r;
}

static int add_supervisor(struct look_reader *in, uint64_t address, int64_t above, int depth);

/* Its services, and after it the supervisors that some of them are: what is made may move. */
static int add_services(struct look_reader *in, uint64_t address, const char *records,
                        size_t made_at, int depth)
{
    const struct look_part *part = &in->supervisor;
    uint32_t bytes = part->records[RVI_RECORD_KEPT];
    size_t count = in->made->supervisors[made_at].service_count;
    int r = 0;

    for (size_t i = 0; i < count && r == 0; i++) {
        const char *record = records + i * bytes;
        struct look_service *service = &in->made->supervisors[made_at].services[i];
        uint64_t below = look_part_get(part, record, RVI_AT_KEPT_BELOW);
        service->below = LOOK_NONE;
        if (look_part_get(part, record, RVI_AT_KEPT_ABOVE) != address)
            return -EAGAIN;
        uint64_t at = address + part->records[RVI_RECORD_SUPERVISOR] + i * bytes;
        r = read_service(in, at, record, service);
        if (r < 0 || !below)
            continue;
        service->below = (int64_t)in->made->supervisor_count;
        r = add_supervisor(in, below, (int64_t)made_at, depth + 1);
    }
    return r;
}

static int fill_supervisor(struct look_reader *in, uint64_t address, size_t made_at, int depth)
{
    const struct look_part *part = &in->supervisor;
    struct look_supervisor *s = &in->made->supervisors[made_at];
    char *record = NULL, *records = NULL;
    int r = look_reader_record(in, part, RVI_RECORD_SUPERVISOR, address, &record);

    if (r < 0)
        return r;
    uint64_t count = look_part_get(part, record, RVI_AT_SUPERVISOR_COUNT);
    s->strategy = (uint8_t)look_part_get(part, record, RVI_AT_SUPERVISOR_STRATEGY);
    s->restarts = look_part_get(part, record, RVI_AT_SUPERVISOR_RESTARTS);
    r = look_reader_word(in, look_part_get(part, record, RVI_AT_SUPERVISOR_NAME), s->name,
                         sizeof s->name);
    if (r == 0 && (count > SERVICES_MOST || s->strategy > RV_REST_FOR_ONE))
        r = -EAGAIN;
    size_t bytes = count * part->records[RVI_RECORD_KEPT];
    if (r == 0 && (!(records = rvi_alloc(bytes + 1)) ||
                   !(s->services = rvi_calloc(count + 1, sizeof *s->services))))
        r = -ENOMEM;
    if (r == 0)
        r = look_reader_bytes(in, address + part->records[RVI_RECORD_SUPERVISOR], records, bytes);
    if (r == 0) {
        s->service_count = count;
        r = add_services(in, address, records, made_at, depth);
    }
    rvi_free(record);
    rvi_free(records);
    return r;
}

static int add_supervisor(struct look_reader *in, uint64_t address, int64_t above, int depth)
{
    struct look_things *made = in->made;
    size_t at = made->supervisor_count;
    struct look_supervisor *s =
        depth < NESTING_MOST
            ? look_one_more(&made->supervisors, &in->supervisor_room, at, sizeof *s)
            : NULL;

    if (!s)
        return depth < NESTING_MOST ? -ENOMEM : -EAGAIN;
    s->above = above;
    made->supervisor_count++;
    return fill_supervisor(in, address, at, depth);
}

int look_add_supervisor(struct look_reader *in, uint64_t table, uint64_t address)
{
    int r = look_reader_table(in, &in->supervisor, table, &expected);

    return r < 0 ? r : add_supervisor(in, address, LOOK_NONE, 0);
}
