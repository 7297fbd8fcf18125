/* SPDX-License-Identifier: MIT */
/* report.h - what was found, or not, for people and for programs. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/driver/story.h"

/* A report apart from the failure: a race whose schedules went on, an order of locks. */
struct ck_aside {
    struct ck_story *story;
    uint64_t schedule; /* which one showed it first, from 1 */
};

/* A whole session with one program. */
struct ck_findings {
    const char *const *command; /* ended by NULL */
    struct ck_story *failure;   /* NULL: none */
    const struct ck_aside *asides;
    size_t aside_count;
    struct ck_story *open_end; /* of the first execution that came to no end; NULL: all did */
    const char *replay_file;   /* NULL: none was written */
    const char *expected_file; /* that a replay needs as well; NULL: none */
    const char *last_words;    /* of the failing execution, on standard error; "" for none */
    bool is_replay;            /* of a file, rather than found now */
    bool is_preloaded;         /* accesses to memory were not seen */
    bool is_interrupted;

    uint64_t schedules, distinct, undecided; /* undecided: at a limit, or stuck */
    uint64_t failure_schedule;               /* from 1; 0: none */
    double seconds, failure_seconds;
    char seen[96];  /* distinct ones, and how many are unseen, in words; "": not known */
    double unseen;  /* chance that another schedule would be a new one; < 0: not known */
    uint64_t steps; /* of the longest */
    uint32_t
        levels_tried; /* all schedules with fewer preemptions were tried; 0: none, or no search */
    uint32_t threads;
    uint64_t seed; /* of the session; below, of the execution that failed */
    uint64_t failure_seed;
    uint32_t strategy, granularity;
    uint64_t switches_found, switches_left; /* before and after minimising */
};

/** For people.
 *
 * @param width      columns of the terminal
 * @param is_colour  with escape sequences */
void ck_report_text(FILE *file, const struct ck_findings *findings, unsigned width, bool is_colour);

/** One JSON object; ravel-check(1) describes its members. */
void ck_report_json(FILE *file, const struct ck_findings *findings);

/** A page that needs no other file. */
void ck_report_html(FILE *file, const struct ck_findings *findings);
