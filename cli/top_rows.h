/* SPDX-License-Identifier: MIT */
/* top_rows.h - the tasks of a snapshot as `ravel top` lists them: chosen, in order, with what they
 * have done since the snapshot before. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "look/snapshot.h"

enum top_column {
    TOP_TASK,
    TOP_STATE,
    TOP_WAITS_FOR,
    TOP_SINCE,
    TOP_AGE,
    TOP_CPU,
    TOP_SWITCHES,
    TOP_WORKER,
    TOP_SCOPE,
    TOP_NAME,
    TOP_COLUMNS
};

enum { TOP_CELL_BYTES = 288 };

struct top_row {
    const struct look_task *task;
    double cpu;      /* percent of one processor since the snapshot before; negative: unknown */
    double switches; /* a second, likewise */
};

struct top_rows {
    const struct look_snapshot *snapshot;
    struct top_row *rows;
    size_t count;
};

/** What is wanted. */
struct top_choice {
    enum top_column column; /* the order is by */
    bool is_reversed;       /* the least first, where it would be the most, or the other way */
    char filter[64];        /* a part of a name, state, reason, scope or file; "": all */
};

/** Choose and sort.
 *
 * @param before   the snapshot before; NULL: none, and nothing is known of rates
 * @param passed   nanoseconds between the two
 * Errors:  -ENOMEM, and *ret is empty */
int top_rows_make(struct top_rows *ret, const struct look_snapshot *snapshot,
                  const struct look_snapshot *before, rv_time passed,
                  const struct top_choice *choice) __attribute__((warn_unused_result));

void top_rows_fini(struct top_rows *rows);

/** What stands in a column. */
void top_cell(const struct top_rows *rows, const struct top_row *row, enum top_column column,
              char to[TOP_CELL_BYTES]);

/** The head of a column, and how wide it is; negative: to the right. */
const char *top_head(enum top_column column);
int top_width(enum top_column column);

/** The row of a task by its number, or NULL. */
const struct top_row *top_find(const struct top_rows *rows, uint32_t runtime, uint64_t id);
