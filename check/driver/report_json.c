/* SPDX-License-Identifier: MIT */
/* report_json.c - one object for other programs. Its members are described in ravel-check(1).
 *
 * Checked by: tests/cli/test_check.py */
#include "check/driver/report.h"

#include <inttypes.h>

#include "check/driver/json.h"
#include "check/driver/words.h"

/* Commas are written before each member but the first. */
struct object {
    FILE *file;
    bool has_member;
};

static void name(struct object *object, const char *member)
{
    fprintf(object->file, "%s\"%s\":", object->has_member ? "," : "", member);
    object->has_member = true;
}

static void string(struct object *object, const char *member, const char *text)
{
    name(object, member);
    if (text)
        ck_put_json(object->file, text);
    else
        fputs("null", object->file);
}

static void number(struct object *object, const char *member, uint64_t value)
{
    name(object, member);
    fprintf(object->file, "%" PRIu64, value);
}

static void fraction(struct object *object, const char *member, double value)
{
    name(object, member);
    fprintf(object->file, "%.6f", value);
}

static void truth(struct object *object, const char *member, bool value)
{
    name(object, member);
    fputs(value ? "true" : "false", object->file);
}

static void put_source(struct object *object, const struct ck_source *source)
{
    string(object, "function", source->function);
    string(object, "path", source->path);
    number(object, "line", source->line);
    string(object, "text", source->text);
}

static void put_line(FILE *file, const struct ck_story_line *line)
{
    struct object object = {.file = file};

    putc('{', file);
    number(&object, "thread", line->thread);
    put_source(&object, &line->source);
    string(&object, "words", line->words);
    putc('}', file);
}

static void put_step(FILE *file, const struct ck_story_step *step)
{
    struct object object = {.file = file};

    putc('{', file);
    number(&object, "step", step->step);
    number(&object, "thread", step->thread);
    string(&object, "does", ck_words_op(step->op));
    string(&object, "object", step->object);
    put_source(&object, &step->source);
    truth(&object, "waits", step->is_blocked);
    truth(&object, "times_out", step->is_timed_out);
    number(&object, "times", step->times);
    number(&object, "skipped_before", step->skipped);
    putc('}', file);
}

static void put_thread(FILE *file, const struct ck_story_thread *thread)
{
    struct object object = {.file = file};

    putc('{', file);
    number(&object, "id", thread->id);
    string(&object, "name", thread->name);
    putc('}', file);
}

static void put_story(FILE *file, const struct ck_story *story, uint64_t schedule)
{
    struct object object = {.file = file};

    putc('{', file);
    string(&object, "kind", ck_words_kind_id(story->kind));
    string(&object, "text", story->text);
    number(&object, "schedule", schedule);
    number(&object, "signal_or_status", story->signal_or_status);
    name(&object, "lines");
    for (size_t i = 0; i < story->line_count; i++) {
        putc(i ? ',' : '[', file);
        put_line(file, &story->lines[i]);
    }
    fputs(story->line_count ? "]" : "[]", file);
    name(&object, "threads");
    for (size_t i = 0; i < story->thread_count; i++) {
        putc(i ? ',' : '[', file);
        put_thread(file, &story->threads[i]);
    }
    fputs(story->thread_count ? "]" : "[]", file);
    name(&object, "steps");
    for (size_t i = 0; i < story->step_count; i++) {
        putc(i ? ',' : '[', file);
        put_step(file, &story->steps[i]);
    }
    fputs(story->step_count ? "]" : "[]", file);
    putc('}', file);
}

static uint64_t first_race(const struct ck_findings *findings)
{
    uint64_t first = 0;

    for (size_t i = 0; i < findings->aside_count; i++) {
        const struct ck_aside *aside = &findings->asides[i];
        if (aside->story->kind == CK_RACE && (first == 0 || aside->schedule < first))
            first = aside->schedule;
    }
    return first;
}

static void put_numbers(struct object *object, const struct ck_findings *findings)
{
    number(object, "schedules", findings->schedules);
    number(object, "distinct", findings->distinct);
    if (findings->levels_tried > 0)
        number(object, "preemptions_tried", findings->levels_tried - 1);
    number(object, "undecided", findings->undecided);
    number(object, "schedules_to_first_failure", findings->failure_schedule);
    number(object, "schedules_to_first_race", first_race(findings));
    fraction(object, "seconds", findings->seconds);
    fraction(object, "seconds_to_first_failure", findings->failure_seconds);
    name(object, "unseen");
    if (findings->unseen >= 0)
        fprintf(object->file, "%.9f", findings->unseen);
    else
        fputs("null", object->file);
    number(object, "steps", findings->steps);
    number(object, "threads", findings->threads);
    number(object, "seed", findings->seed);
    number(object, "failure_seed", findings->failure_seed);
    string(object, "strategy", ck_words_strategy(findings->strategy));
    string(object, "granularity", ck_words_granularity(findings->granularity));
    number(object, "switches_found", findings->switches_found);
    number(object, "switches_left", findings->switches_left);
}

void ck_report_json(FILE *file, const struct ck_findings *findings)
{
    struct object object = {.file = file};

    putc('{', file);
    number(&object, "format", 1);
    string(&object, "ravel", RVI_VERSION);
    name(&object, "command");
    for (size_t i = 0; findings->command[i]; i++) {
        putc(i ? ',' : '[', file);
        ck_put_json(file, findings->command[i]);
    }
    putc(']', file);
    truth(&object, "found", findings->failure || findings->aside_count);
    truth(&object, "interrupted", findings->is_interrupted);
    truth(&object, "without_recompiling", findings->is_preloaded);
    truth(&object, "relaxed_atomics_are_sequentially_consistent", true);
    put_numbers(&object, findings);
    string(&object, "replay_file", findings->replay_file);
    string(&object, "last_words", findings->last_words ? findings->last_words : "");
    name(&object, "failure");
    if (findings->failure)
        put_story(file, findings->failure, findings->failure_schedule);
    else
        fputs("null", file);
    name(&object, "reports");
    putc('[', file);
    for (size_t i = 0; i < findings->aside_count; i++) {
        if (i)
            putc(',', file);
        put_story(file, findings->asides[i].story, findings->asides[i].schedule);
    }
    fputs("]}\n", file);
}
