/* SPDX-License-Identifier: MIT */
/* things_executors.c - executors: their counts, the jobs that run, worker processes.
 *
 * Lists are walked with a bound, and end where a link does not lead back to where it came from.
 *
 * Checked by: tests/unit/look/test_things.c, tests/look/test_things.py */
#include "look/things_reader.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "exec/layout.h"
#include "look/array.h"
#include "shm/ring.h"

enum {
    JOBS_MOST = 10000, /* of an executor */
    MEMBERS_MOST = 1 << 16,
    LOOKS = 8,
};

static const struct look_expected expected = LOOK_EXPECTED(RVI_EXECUTOR, RVI_EXECUTOR_LAYOUT);

_Static_assert((int)RVI_EXECUTOR_RECORDS <= LOOK_RECORDS_MOST &&
                   (int)RVI_EXECUTOR_FIELDS <= LOOK_FIELDS_MOST,
               "they fit");

/* --- jobs and worker processes --- */

static int read_job_name(const struct look_reader *in, uint64_t future, struct look_job *ret)
{
    uint64_t job, name;
    int r = look_reader_field(in, &in->executor, future, RVI_AT_FUTURE_JOB, &job);

    if (r == 0)
        r = look_reader_field(in, &in->executor, job, RVI_AT_JOB_NAME, &name);
    return r == 0 ? look_reader_word(in, name, ret->name, sizeof ret->name) : r;
}

/* The futures of a list; `jobs` NULL: count them only. A job that ends meanwhile ends the walk. */
static int read_jobs(const struct look_reader *in, uint64_t head, uint64_t first,
                     struct look_executor *ex, bool keep, uint64_t *ret_count)
{
    const struct look_part *part = &in->executor;
    uint64_t link = first, before = head, prev, began;
    size_t room = 0;
    int r = 0;

    for (*ret_count = 0; link != head && r == 0; (*ret_count)++) {
        uint64_t future = link - part->fields[RVI_AT_FUTURE_LINK].offset;
        if (*ret_count == JOBS_MOST) {
            ex->has_more_jobs = true;
            break;
        }
        r = look_reader_field(in, part, future, RVI_AT_FUTURE_LINK, &prev);
        if (r < 0 || prev != before)
            break;
        before = link;
        if (keep) {
            struct look_job *job = look_one_more(&ex->jobs, &room, ex->job_count, sizeof *job);
            if (!job)
                return -ENOMEM;
            r = read_job_name(in, future, job);
            if (r == 0 &&
                (r = look_reader_field(in, part, future, RVI_AT_FUTURE_SINCE, &began)) == 0) {
                job->has_since = look_reader_since(in, began, &job->since_ns);
                ex->job_count++;
            }
        }
        if (r == 0)
            r = look_reader_field(in, part, future, RVI_AT_FUTURE_NEXT, &link);
    }
    return r == -EAGAIN ? 0 : r;
}

/* The one that it runs; those that it has not begun are counted. */
static int read_slots(const struct look_reader *in, uint64_t address, const char *record,
                      struct look_member *member)
{
    const struct look_part *part = &in->executor;
    uint64_t slots = look_part_get(part, record, RVI_AT_MEMBER_SLOTS);
    uint64_t mask = look_part_get(part, record, RVI_AT_MEMBER_MASK);
    uint64_t sent = look_part_get(part, record, RVI_AT_MEMBER_SENT), state, begun, future;
    int r = 0;

    for (uint64_t i = look_part_get(part, record, RVI_AT_MEMBER_COLLECTED); i < sent && r == 0;
         i++) {
        uint64_t slot = slots + (i & mask) * part->records[RVI_RECORD_SLOT];
        r = look_reader_field(in, part, slot, RVI_AT_SLOT_STATE, &state);
        if (r < 0 || state == RVI_SLOT_QUEUED) {
            member->queued += r == 0;
            continue;
        }
        if (state != RVI_SLOT_TAKEN || member->is_busy)
            continue;
        uint64_t entry = address + part->fields[RVI_AT_MEMBER_ENTRY_FUTURES].offset +
                         (i & mask) * part->records[RVI_RECORD_ENTRY];
        r = look_reader_bytes(in, entry, &future, sizeof future);
        if (r == 0)
            r = read_job_name(in, future, &member->job);
        if (r == 0)
            r = look_reader_field(in, part, slot + part->fields[RVI_AT_SLOT_LETTER].offset,
                                  RVI_AT_LETTER_BEGUN, &begun);
        if (r == 0) {
            member->is_busy = true;
            member->job.has_since = look_reader_since(in, begun, &member->job.since_ns);
        }
    }
    return r == -EAGAIN ? 0 : r;
}

static int read_member(const struct look_reader *in, uint64_t address, const char *record,
                       struct look_member *ret)
{
    const struct look_part *part = &in->executor;
    uint64_t state = look_part_get(part, record, RVI_AT_MEMBER_STATE);

    if (state > LOOK_MEMBER_LEAVING)
        return -EAGAIN;
    ret->state = (enum look_member_state)state;
    ret->pid = (int)look_part_get(part, record, RVI_AT_MEMBER_PID);
    ret->number = look_part_get(part, record, RVI_AT_MEMBER_NUMBER);
    ret->jobs = look_part_get(part, record, RVI_AT_MEMBER_JOBS);
    ret->has_age =
        look_reader_since(in, look_part_get(part, record, RVI_AT_MEMBER_STARTED), &ret->age_ns);
    return read_slots(in, address, record, ret);
}

static int read_members(const struct look_reader *in, uint64_t pool, struct look_executor *ex)
{
    const struct look_part *part = &in->executor;
    uint64_t head = pool + part->fields[RVI_AT_POOL_MEMBERS].offset, before = head, link;
    size_t room = 0;
    int r = look_reader_field(in, part, pool, RVI_AT_POOL_FIRST_MEMBER, &link);

    while (r == 0 && link != head && ex->member_count < MEMBERS_MOST) {
        uint64_t address = link - part->fields[RVI_AT_MEMBER_LINK].offset;
        char *record;
        struct look_member *member =
            look_one_more(&ex->members, &room, ex->member_count, sizeof *member);
        if (!member)
            return -ENOMEM;
        r = look_reader_record(in, part, RVI_RECORD_MEMBER, address, &record);
        if (r < 0)
            break;
        if (look_part_get(part, record, RVI_AT_MEMBER_LINK) != before)
            r = -EAGAIN;
        else
            r = read_member(in, address, record, member);
        before = link;
        link = look_part_get(part, record, RVI_AT_MEMBER_NEXT);
        ex->member_count += r == 0;
        ex->busy += r == 0 && member->is_busy;
        rvi_free(record);
    }
    return r == -EAGAIN ? 0 : r;
}

/* --- executors --- */

static void take_counts(const struct look_part *part, const char *record, struct look_executor *ex)
{
    ex->width = (unsigned)look_part_get(part, record, RVI_AT_EXECUTOR_WIDTH);
    ex->workers = (unsigned)look_part_get(part, record, RVI_AT_EXECUTOR_RUNNERS);
    ex->is_closing = look_part_get(part, record, RVI_AT_EXECUTOR_REFUSAL) != 0;
    ex->submitted = look_part_get(part, record, RVI_AT_EXECUTOR_SUBMITTED);
    ex->ended = look_part_get(part, record, RVI_AT_EXECUTOR_ENDED);
    ex->cancelled = look_part_get(part, record, RVI_AT_EXECUTOR_CANCELLED);
    ex->deaths = look_part_get(part, record, RVI_AT_EXECUTOR_DEATHS);
    ex->retried = look_part_get(part, record, RVI_AT_EXECUTOR_RETRIED);
    ex->poisoned = look_part_get(part, record, RVI_AT_EXECUTOR_POISONED);
    ex->started = look_part_get(part, record, RVI_AT_EXECUTOR_STARTED);
    ex->recycled = look_part_get(part, record, RVI_AT_EXECUTOR_RECYCLED);
}

/* Until it holds still; else as it was last. */
static int read_counts(const struct look_reader *in, uint64_t address, struct look_executor *ex,
                       char **ret)
{
    const struct look_part *part = &in->executor;
    char *again = NULL;
    int r = look_reader_record(in, part, RVI_RECORD_EXECUTOR, address, ret);

    ex->is_torn = true;
    for (int i = 0; r == 0 && ex->is_torn && i < LOOKS; i++) {
        struct look_executor other = {0};
        take_counts(part, *ret, ex);
        r = look_reader_record(in, part, RVI_RECORD_EXECUTOR, address, &again);
        if (r < 0)
            break;
        take_counts(part, again, &other);
        ex->is_torn = ex->submitted != other.submitted || ex->ended != other.ended ||
                      look_part_get(part, *ret, RVI_AT_EXECUTOR_QUEUED) !=
                          look_part_get(part, again, RVI_AT_EXECUTOR_QUEUED);
        rvi_free(*ret);
        *ret = again;
    }
    if (r < 0 && *ret) {
        rvi_free(*ret);
        *ret = NULL;
    }
    return r;
}

/* Who runs jobs, and what they run. */
static int read_work(const struct look_reader *in, uint64_t address, const char *record,
                     struct look_executor *ex)
{
    const struct look_part *part = &in->executor;
    uint64_t head = address + part->fields[RVI_AT_EXECUTOR_RUNNING].offset, count;
    uint64_t first = look_part_get(part, record, RVI_AT_EXECUTOR_FIRST_RUNNING);
    rv_time away;
    int r = read_jobs(in, head, first, ex, !ex->has_processes, &count);

    if (r == 0 && ex->has_processes)
        r = read_members(in, address, ex);
    if (ex->has_processes)
        ex->workers = (unsigned)ex->member_count;
    else
        ex->busy = (unsigned)count;
    ex->running = ex->busy;
    uint64_t in_flight = ex->submitted > ex->ended ? ex->submitted - ex->ended : 0;
    ex->waiting = in_flight > ex->running ? in_flight - ex->running : 0;
    if (look_reader_since(in, look_part_get(part, record, RVI_AT_EXECUTOR_AWAY_SINCE), &away))
        ex->away_ns = away;
    return r;
}

static int fill_executor(const struct look_reader *in, uint64_t address, struct look_executor *ex)
{
    const struct look_part *part = &in->executor;
    char *record = NULL;
    uint64_t name;
    int r = read_counts(in, address, ex, &record);

    if (r < 0)
        return r;
    r = look_reader_word(in, address + part->fields[RVI_AT_EXECUTOR_CHOICE].offset, ex->choice,
                         sizeof ex->choice);
    if (r == 0)
        r = look_reader_field(in, part, look_part_get(part, record, RVI_AT_EXECUTOR_TIER),
                              RVI_AT_TIER_NAME, &name);
    if (r == 0)
        r = look_reader_word(in, name, ex->tier, sizeof ex->tier);
    ex->has_processes = strcmp(ex->tier, "processes") == 0;
    ex->is_inline = strcmp(ex->tier, "inline") == 0;
    if (r == 0)
        r = read_work(in, address, record, ex);
    rvi_free(record);
    return r;
}

void look_drop_executor(struct look_executor *ex)
{
    rvi_free(ex->jobs);
    rvi_free(ex->members);
}

int look_add_executor(struct look_reader *in, uint64_t table, uint64_t address)
{
    struct look_things *made = in->made;
    struct look_executor *ex;
    int r = look_reader_table(in, &in->executor, table, &expected);

    if (r < 0)
        return r;
    ex = look_one_more(&made->executors, &in->executor_room, made->executor_count, sizeof *ex);
    if (!ex)
        return -ENOMEM;
    r = fill_executor(in, address, ex);
    if (r < 0)
        look_drop_executor(ex);
    else
        made->executor_count++;
    return r;
}
