/* SPDX-License-Identifier: MIT */
/* top.h - what `ravel top` has on its screen: who keeps it (cmd_top.c), and who draws it
 * (top_draw.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/top_rows.h"
#include "look/snapshot.h"
#include "look/target.h"

enum top_view { VIEW_LIST, VIEW_TASK, VIEW_THINGS, VIEW_HELP };

struct top {
    struct look_target *target;
    struct look_snapshot *now, *before;
    rv_time taken, passed; /* when `now` was, and how long after the one before */
    rv_time cost;          /* of taking it: as long at least is between two */
    struct look_trouble trouble;
    bool is_over; /* the program has ended: `trouble` says so */
    bool is_paused;
    int delay_ms;

    struct top_choice choice;
    struct top_rows rows;
    enum top_view view;
    bool is_typing;   /* a filter */
    uint32_t runtime; /* of the task that is marked */
    uint64_t id;
    size_t line, first; /* of the rows: where the mark is, and the first on the screen */
    int list_height;
    size_t things_first, things_lines; /* of the page of executors and others */
    struct rvi_backtracer *backtracer; /* NULL: not needed yet */
};

/** Show its view of its last snapshot. What depends on the screen's size is set: list_height, the
 * first line that is shown, things_lines. */
void top_draw(struct top *top);
