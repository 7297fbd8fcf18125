/* SPDX-License-Identifier: MIT */
/* report.h - what was measured, where and when: in memory, as JSON, and back. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "lab/stats.h"

enum { LAB_NAME = 80, LAB_UNIT = 16, LAB_NOTE = 120, LAB_WHY = 200 };

/* One figure. Fixed arrays: it travels through a pipe as it is. */
struct lab_figure {
    char name[LAB_NAME]; /* of the thing; on an axis, of the line */
    char unit
        [LAB_UNIT]; /* "ns", "bytes", "1/s", "switches", "%", "x" (times as fast), "" (a count) */
    double at;      /* on the probe's axis; NAN where it has none */
    struct lab_summary value;
    char note[LAB_NOTE];
};

struct lab_result {
    char *name, *title, *method;
    char *axis; /* what the figures are drawn over; NULL: each stands for itself */
    struct lab_figure *figures;
    size_t count, room;
    char why_not[LAB_WHY]; /* why there are no figures, or not all; "" */
    bool has_failed;       /* and that is an error, not this machine's way */
    double seconds;        /* that it took */
};

struct lab_machine {
    char host[64], cpu[96], kernel[96];
    unsigned processors; /* that we may use */
    double memory_bytes;
};

struct lab_report {
    char version[32], when[32]; /* ISO 8601, UTC */
    bool is_quick;
    double seconds;
    struct lab_machine machine;
    struct lab_result *results;
    size_t count;
};

/** Look at the machine and the clock; no results yet. */
void lab_report_begin(struct lab_report *report, bool is_quick);
void lab_report_fini(struct lab_report *report);

/** One more result, without figures. @return 0; -ENOMEM */
int lab_report_add(struct lab_report *report, const char *name, const char *title,
                   const char *method, const char *axis);

/** One more figure of the last result. @return 0; -ENOMEM */
int lab_result_add(struct lab_result *result, const struct lab_figure *figure);

void lab_report_put_json(FILE *to, const struct lab_report *report);

/** Read what lab_report_put_json() has written.
 *
 * @param why  on failure a sentence with file, line and column
 * @return 0; lab_report_fini() it. Errors: -EINVAL, -ENOMEM, or why the file could not be read */
int lab_report_read(const char *path, struct lab_report *ret, char *why, size_t why_room);

/** @return whether more of this unit is better (1), or less (-1), or neither (0) */
int lab_unit_sense(const char *unit);

/** A value as people read it: "1.23 us", "64 KiB", "12,400 /s". */
void lab_put_value(char *to, size_t room, double value, const char *unit);

/** A place on an axis likewise; nothing where there is no axis. */
void lab_put_place(char *to, size_t room, const char *axis, double at);
