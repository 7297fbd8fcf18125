/* SPDX-License-Identifier: MIT */
/* story.h - one finding as it is told: who did what where, and the steps that matter, in order. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/driver/symbols.h"
#include "check/wire.h"

enum { CK_STORY_LINES = 24, CK_STORY_STEPS = 28, CK_STORY_THREADS = 32, CK_NAME_BYTES = 120 };

/* A line of source that matters, and why. */
struct ck_story_line {
    struct ck_source source;
    uint32_t thread;
    char words[2 * CK_NAME_BYTES]; /* "waits for mutex `b`, which thread 2 holds" */
};

struct ck_story_step {
    struct ck_source source;
    uint64_t step;
    uint32_t thread, op;
    uint32_t skipped; /* steps before it that do not matter */
    uint32_t times;
    bool is_blocked, is_timed_out;
    char object[CK_NAME_BYTES]; /* "" for none */
};

struct ck_story_thread {
    uint32_t id;
    char name[CK_NAME_BYTES]; /* "main", "thread 2 consumer" */
};

struct ck_story {
    uint32_t kind, signal_or_status;
    char text[CK_TEXT_BYTES]; /* the runtime's own words */
    struct ck_story_line lines[CK_STORY_LINES];
    size_t line_count;
    struct ck_story_step steps[CK_STORY_STEPS];
    size_t step_count;
    uint32_t skipped_after;
    struct ck_story_thread threads[CK_STORY_THREADS]; /* those that take part */
    size_t thread_count;
};

/** Tell a report.
 *
 * @param shared  the report's execution, its events among them
 * @param report  in *shared
 * @return NULL: no memory. Freed by ck_story_free() */
struct ck_story *ck_story_new(const struct ck_shared *shared, const struct ck_report *report,
                              struct ck_symbols *symbols);

/** NULL does nothing. */
void ck_story_free(struct ck_story *story);

/** "main" or "thread 2". */
void ck_story_thread_name(uint32_t thread, char *to, size_t room);
