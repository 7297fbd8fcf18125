/* SPDX-License-Identifier: MIT */
/* snapshot_tasks.c - the tasks of a slab, while they go on.
 *
 * Nothing stops the program, so what is read may be half of one moment and half of the next. Each
 * descriptor is therefore read twice, and believed if both times it said the same: its number is
 * never given again, so it was like that in between (a double collect, after Afek et al., "Atomic
 * snapshots of shared memory", 1993). One that keeps changing is shown with what cannot change
 * while it lives, and said to be torn; one whose number changes as well is counted as lost.
 *
 * Checked by: tests/unit/look/test_snapshot.c */
#include "look/maker.h"

#include <errno.h>

#include "base/alloc.h"

enum {
    CHUNKS_MOST = 1 << 20,
    CHUNK_TASKS_MOST = 1 << 16,
    LOOKS = 16, /* at one descriptor */
};

/* --- one task --- */

static int64_t worker_at(const struct look_maker *m, uint64_t address)
{
    uint64_t offset = address - m->workers;
    uint32_t bytes = look_maker_bytes(m, RVI_RECORD_WORKER);

    return address >= m->workers && offset % bytes == 0 && offset / bytes < m->worker_count
               ? (int64_t)(offset / bytes)
               : LOOK_NONE;
}

static bool is_alive(const struct look_maker *m, const char *record, uint64_t address)
{
    return look_maker_get(m, record, RVI_AT_TASK_SIBLING) != 0 || address == m->first_task;
}

/* What does not change while it lives. */
static bool is_same_task(const struct look_maker *m, const char *a, const char *b)
{
    static const enum rvi_layout_field fields[] = {RVI_AT_TASK_ID, RVI_AT_TASK_SITE,
                                                   RVI_AT_TASK_BIRTH, RVI_AT_TASK_GROUP};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (look_maker_get(m, a, fields[i]) != look_maker_get(m, b, fields[i]))
            return false;
    }
    return true;
}

/* What is told of it. */
static bool says_the_same(const struct look_maker *m, const char *a, const char *b)
{
    static const enum rvi_layout_field fields[] = {
        RVI_AT_TASK_HOME,   RVI_AT_TASK_STATE,    RVI_AT_TASK_WHY, RVI_AT_TASK_PARKED_MS,
        RVI_AT_TASK_SCOPES, RVI_AT_TASK_OWN_NAME, RVI_AT_TASK_CTX, RVI_AT_TASK_STACK};

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (look_maker_get(m, a, fields[i]) != look_maker_get(m, b, fields[i]))
            return false;
    }
    return is_same_task(m, a, b);
}

/* A descriptor of that worker's slab, as far as one can tell. */
static bool is_plausible(const struct look_maker *m, const char *record, uint64_t birth)
{
    uint64_t home = look_maker_get(m, record, RVI_AT_TASK_HOME);

    return look_maker_get(m, record, RVI_AT_TASK_BIRTH) == birth &&
           (home == 0 || worker_at(m, home) != LOOK_NONE) &&
           look_maker_get(m, record, RVI_AT_TASK_STATE) <= RVI_TASK_PARKED_SEEN &&
           look_maker_get(m, record, RVI_AT_TASK_WHY) <= RVI_WHY_LAST &&
           look_maker_get(m, record, RVI_AT_TASK_SITE);
}

static rv_time since_ms(const struct look_maker *m, uint32_t then_ms)
{
    int32_t age = (int32_t)(m->now_ms - then_ms);

    return age < 0 ? 0 : (rv_time)age * RV_MILLISECOND;
}

static void take_state(const struct look_maker *m, const char *record, struct look_task *task)
{
    uint64_t home = look_maker_get(m, record, RVI_AT_TASK_HOME);

    task->worker = home ? (int32_t)worker_at(m, home) : LOOK_NONE;
    task->state = home ? (uint8_t)look_maker_get(m, record, RVI_AT_TASK_STATE) : RVI_TASK_FRESH;
    if (task->state == RVI_TASK_PARKED_SEEN)
        task->state = RVI_TASK_PARKED;
    if (task->state == RVI_TASK_PARKED) {
        task->why = (uint8_t)look_maker_get(m, record, RVI_AT_TASK_WHY);
        task->has_age = true;
        task->waiting_ns = since_ms(m, (uint32_t)look_maker_get(m, record, RVI_AT_TASK_PARKED_MS));
    }
    task->innermost = look_maker_get(m, record, RVI_AT_TASK_SCOPES);
    task->ctx = look_maker_get(m, record, RVI_AT_TASK_CTX);
    task->stack = look_maker_get(m, record, RVI_AT_TASK_STACK);
}

/* Counts that each go their own way: nothing is compared with anything. */
static void take_account(const struct look_maker *m, const char *account, struct look_task *task)
{
    task->has_account = true;
    task->age_ns = m->now - (rv_time)look_maker_get(m, account, RVI_AT_ACCOUNT_SPAWNED_AT);
    task->run_ns = look_maker_get(m, account, RVI_AT_ACCOUNT_RUN_NS);
    task->queued_ns = look_maker_get(m, account, RVI_AT_ACCOUNT_QUEUED_NS);
    task->parks = look_maker_get(m, account, RVI_AT_ACCOUNT_PARKS);
    task->wakes = look_maker_get(m, account, RVI_AT_ACCOUNT_WAKES);
    task->yields = look_maker_get(m, account, RVI_AT_ACCOUNT_YIELDS);
    task->migrations = look_maker_get(m, account, RVI_AT_ACCOUNT_MIGRATIONS);
    if (task->age_ns < 0)
        task->age_ns = 0;
}

static int add_task(struct look_maker *m, uint64_t address, const char *record, size_t stride,
                    bool is_torn)
{
    struct look_snapshot *made = m->made;
    struct look_task *task =
        look_one_more(&made->tasks, &m->task_room, made->task_count, sizeof *made->tasks);

    if (!task)
        return -ENOMEM;
    task->id = look_maker_get(m, record, RVI_AT_TASK_ID);
    task->address = address;
    task->runtime = (uint32_t)made->runtime_count - 1;
    task->worker = LOOK_NONE;
    task->scope = task->scopes = LOOK_NONE;
    task->group = look_maker_get(m, record, RVI_AT_TASK_GROUP);
    task->is_torn = is_torn;
    task->is_first = address == m->first_task;
    if (!is_torn)
        take_state(m, record, task);
    if (stride > look_maker_bytes(m, RVI_RECORD_TASK))
        take_account(m, record + look_maker_bytes(m, RVI_RECORD_TASK), task);
    int r = look_maker_site(m, look_maker_get(m, record, RVI_AT_TASK_SITE), &task->site);
    if (r == 0)
        r = look_maker_task_name(m, task, record, &task->name);
    if (r == 0)
        r = look_index_put(&made->task_at, address, (int64_t)made->task_count);
    if (r < 0)
        return r;
    made->task_count++;
    made->torn += is_torn;
    return 0;
}

/* It was seen in two ways: look on, until it holds still. */
static int add_restless(struct look_maker *m, uint64_t address, size_t stride, uint64_t birth)
{
    char a[LOOK_RECORD_BYTES_MOST], b[LOOK_RECORD_BYTES_MOST];
    bool is_somebody = false;

    for (int look = 0; look < LOOKS; look++) {
        int r = look_maker_read(m, address, a, stride);
        if (r == 0)
            r = look_maker_read(m, address, b, stride);
        if (r < 0)
            return r;
        if (says_the_same(m, a, b) && !is_alive(m, a, address))
            return 0;
        if (says_the_same(m, a, b) && is_plausible(m, a, birth))
            return add_task(m, address, a, stride, false);
        is_somebody = is_same_task(m, a, b) && is_alive(m, a, address) && is_alive(m, b, address) &&
                      is_plausible(m, a, birth);
    }
    if (is_somebody)
        return add_task(m, address, b, stride, true);
    m->made->lost++;
    return 0;
}

/* --- slabs --- */

struct range {
    uint64_t first, end;
    size_t stride;
    uint64_t birth;
};

static int add_seen(struct look_maker *m, const struct range *range, const char *a, const char *b,
                    size_t bytes)
{
    int r = 0;

    for (size_t at = 0; at + range->stride <= bytes && r == 0; at += range->stride) {
        uint64_t address = range->first + at;
        bool is_settled = says_the_same(m, a + at, b + at);
        if (is_settled && !is_alive(m, a + at, address))
            continue;
        if (is_settled && is_plausible(m, a + at, range->birth))
            r = add_task(m, address, a + at, range->stride, false);
        else
            r = add_restless(m, address, range->stride, range->birth);
    }
    return r;
}

static int add_range(struct look_maker *m, const struct range *range)
{
    size_t bytes = (size_t)(range->end - range->first);
    char *twice = rvi_alloc(bytes * 2 + 1);

    if (!twice)
        return -ENOMEM;
    int r = look_maker_read(m, range->first, twice, bytes);
    if (r == 0)
        r = look_maker_read(m, range->first, twice + bytes, bytes);
    if (r == 0)
        r = add_seen(m, range, twice, twice + bytes, bytes);
    rvi_free(twice);
    return r;
}

/* -EAGAIN: what was read does not go together. */
int look_maker_add_slab(struct look_maker *m, const char *worker, uint64_t address)
{
    char record[LOOK_RECORD_BYTES_MOST];
    uint64_t at = look_maker_get(m, worker, RVI_AT_WORKER_CHUNKS), next;
    uint64_t fresh = look_maker_get(m, worker, RVI_AT_WORKER_SLAB_FRESH);
    uint32_t header = look_maker_bytes(m, RVI_RECORD_CHUNK);
    struct range range = {.stride = look_maker_get(m, worker, RVI_AT_WORKER_STRIDE),
                          .birth = address};
    int r = 0;

    if (at && (range.stride < look_maker_bytes(m, RVI_RECORD_TASK) || range.stride > sizeof record))
        return -EAGAIN;
    for (unsigned i = 0; at && r == 0; i++, at = next) {
        if (i == CHUNKS_MOST || (r = look_maker_read(m, at, record, header)) < 0)
            return r < 0 ? r : -EAGAIN;
        next = look_maker_get(m, record, RVI_AT_CHUNK_NEXT);
        range.first = at + header;
        range.end = look_maker_get(m, record, RVI_AT_CHUNK_END);
        if (range.end < range.first || range.end - range.first > CHUNK_TASKS_MOST * range.stride)
            return -EAGAIN;
        if (i == 0 && fresh >= range.first && fresh <= range.end)
            range.end = fresh; /* what lies beyond was never taken */
        r = add_range(m, &range);
    }
    return r;
}
