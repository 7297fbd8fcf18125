/* SPDX-License-Identifier: MIT */
/* top_rows.c - from snapshots to rows.
 *
 * Checked by: tests/look/test_top.py */
#include "cli/top_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/look.h"

static const struct {
    const char *head;
    int width;
    bool most_first;
} columns[TOP_COLUMNS] = {
    [TOP_TASK] = {"TASK", -9, false},
    [TOP_STATE] = {"STATE", 9, false},
    [TOP_WAITS_FOR] = {"WAITS FOR", 15, false},
    [TOP_SINCE] = {"SINCE", -6, true},
    [TOP_AGE] = {"AGE", -6, true},
    [TOP_CPU] = {"%CPU", -5, true},
    [TOP_SWITCHES] = {"SWITCH/S", -9, true},
    [TOP_WORKER] = {"WORKER", -6, false},
    [TOP_SCOPE] = {"SCOPE", 12, false},
    [TOP_NAME] = {"NAME, STARTED AT", 0, false},
};

const char *top_head(enum top_column column)
{
    return columns[column].head;
}

int top_width(enum top_column column)
{
    return columns[column].width;
}

/* --- rates --- */

static uint64_t switches_of(const struct look_task *task)
{
    return task->parks + task->yields + task->migrations;
}

/* The same task then; a number is never given twice in a runtime. */
static const struct look_task *same_task(const struct look_snapshot *before,
                                         const struct look_task *task)
{
    int64_t index = before ? look_index_get(&before->task_at, task->address) : LOOK_NONE;
    const struct look_task *then = index == LOOK_NONE ? NULL : &before->tasks[index];

    return then && then->id == task->id && then->runtime == task->runtime ? then : NULL;
}

/* One that has begun since has done all of it since. */
static void add_rates(struct top_row *row, const struct look_snapshot *before, rv_time passed)
{
    static const struct look_task nothing;
    const struct look_task *then = same_task(before, row->task);

    row->cpu = row->switches = -1;
    if (!row->task->has_account || !before || passed <= 0)
        return;
    if (!then)
        then = &nothing;
    double seconds = (double)passed / 1e9;
    if (row->task->run_ns >= then->run_ns)
        row->cpu = (double)(row->task->run_ns - then->run_ns) / 1e7 / seconds;
    if (switches_of(row->task) >= switches_of(then))
        row->switches = (double)(switches_of(row->task) - switches_of(then)) / seconds;
}

/* --- cells --- */

static const char *reason_of(const struct look_task *task)
{
    return !task->is_torn && task->state == RVI_TASK_PARKED ? rvi_why_word(task->why) : "-";
}

static void put_rate(char to[TOP_CELL_BYTES], double rate, int digits)
{
    if (rate < 0)
        strcpy(to, "-");
    else
        snprintf(to, TOP_CELL_BYTES, "%.*f", digits, rate);
}

void top_cell(const struct top_rows *rows, const struct top_row *row, enum top_column column,
              char to[TOP_CELL_BYTES])
{
    const struct look_task *task = row->task;
    char span[CLI_SPAN_BYTES], name[64];

    switch (column) {
    case TOP_TASK:
        snprintf(to, TOP_CELL_BYTES, "%llu", (unsigned long long)task->id);
        break;
    case TOP_STATE:
        snprintf(to, TOP_CELL_BYTES, "%s", look_state_word(task));
        break;
    case TOP_WAITS_FOR:
        snprintf(to, TOP_CELL_BYTES, "%s", reason_of(task));
        break;
    case TOP_SINCE:
        snprintf(to, TOP_CELL_BYTES, "%s", task->has_age ? cli_span(task->waiting_ns, span) : "-");
        break;
    case TOP_AGE:
        snprintf(to, TOP_CELL_BYTES, "%s", task->has_account ? cli_span(task->age_ns, span) : "-");
        break;
    case TOP_CPU:
        put_rate(to, row->cpu, 1);
        break;
    case TOP_SWITCHES:
        put_rate(to, row->switches, 0);
        break;
    case TOP_WORKER:
        if (task->worker == LOOK_NONE)
            strcpy(to, "-");
        else
            snprintf(to, TOP_CELL_BYTES, "%d", (int)task->worker);
        break;
    case TOP_SCOPE:
        snprintf(to, TOP_CELL_BYTES, "%s",
                 cli_scope_name(rows->snapshot, task->scope, name, sizeof name));
        break;
    case TOP_NAME:
    case TOP_COLUMNS:
        snprintf(to, TOP_CELL_BYTES, "%s, %s:%u", task->name, task->site->file, task->site->line);
    }
}

/* --- choosing --- */

static bool is_chosen(const struct top_rows *rows, const struct top_row *row, const char *filter)
{
    static const enum top_column words[] = {TOP_STATE, TOP_WAITS_FOR, TOP_SCOPE, TOP_NAME};
    char cell[TOP_CELL_BYTES];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        top_cell(rows, row, words[i], cell);
        if (strcasestr(cell, filter))
            return true;
    }
    return !filter[0];
}

/* --- order --- */

struct order {
    const struct top_rows *rows;
    const struct top_choice *choice;
};

static int compare_numbers(double a, double b)
{
    return a < b ? -1 : a > b;
}

static double number_in(const struct top_row *row, enum top_column column)
{
    const struct look_task *task = row->task;

    switch (column) {
    case TOP_SINCE:
        return task->has_age ? (double)task->waiting_ns : -1;
    case TOP_AGE:
        return task->has_account ? (double)task->age_ns : -1;
    case TOP_CPU:
        return row->cpu;
    case TOP_SWITCHES:
        return row->switches;
    case TOP_WORKER:
        return (double)task->worker;
    default:
        return (double)task->id;
    }
}

static bool is_of_words(enum top_column column)
{
    return column == TOP_STATE || column == TOP_WAITS_FOR || column == TOP_SCOPE ||
           column == TOP_NAME;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
    const struct order *order = arg;
    const struct top_row *one = a, *other = b;
    enum top_column column = order->choice->column;
    char left[TOP_CELL_BYTES], right[TOP_CELL_BYTES];
    int r;

    if (is_of_words(column)) {
        top_cell(order->rows, one, column, left);
        top_cell(order->rows, other, column, right);
        r = strcmp(left, right);
    } else {
        r = compare_numbers(number_in(one, column), number_in(other, column));
    }
    if (columns[column].most_first != order->choice->is_reversed)
        r = -r;
    return r ? r : compare_numbers((double)one->task->id, (double)other->task->id);
}

int top_rows_make(struct top_rows *ret, const struct look_snapshot *snapshot,
                  const struct look_snapshot *before, rv_time passed,
                  const struct top_choice *choice)
{
    *ret = (struct top_rows){.snapshot = snapshot};
    ret->rows = rvi_calloc(snapshot->task_count + 1, sizeof *ret->rows);
    if (!ret->rows)
        return -ENOMEM;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        struct top_row *row = &ret->rows[ret->count];
        row->task = &snapshot->tasks[i];
        add_rates(row, before, passed);
        ret->count += is_chosen(ret, row, choice->filter);
    }
    struct order order = {ret, choice};
    qsort_r(ret->rows, ret->count, sizeof *ret->rows, compare_rows, &order);
    return 0;
}

void top_rows_fini(struct top_rows *rows)
{
    rvi_free(rows->rows);
    *rows = (struct top_rows){0};
}

const struct top_row *top_find(const struct top_rows *rows, uint32_t runtime, uint64_t id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->rows[i].task->id == id && rows->rows[i].task->runtime == runtime)
            return &rows->rows[i];
    }
    return NULL;
}
