/* SPDX-License-Identifier: MIT */
/* report.c - one screen for people: what it is, the lines that matter, the steps in columns, one a
 * thread, and how to see it again.
 *
 * Checked by: tests/unit/check/test_reports.c, tests/cli */
#include "check/driver/report.h"

#include <inttypes.h>
#include <string.h>

#include "check/driver/words.h"
#include "check/runtime/op.h"

enum {
    COLUMNS_MOST = 8,
    COLUMN_LEAST = 14,
    COLUMN_GAP = 2,
    CELL = 256,
    MARGIN = 2,
    LINES_SHOWN = 6,
    ASIDES_SHOWN = 6,
    WORDS_SHOWN = 8,
    GAP_SHOWN = 100,
};

struct page {
    FILE *file;
    const struct ck_findings *findings;
    unsigned width;
    bool is_colour;
};

/* --- colours --- */

static const char *on(const struct page *page, const char *escape)
{
    return page->is_colour ? escape : "";
}

#define BOLD "\033[1m"
#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define FAINT "\033[2m"
#define PLAIN "\033[0m"

/* How many columns a text takes: bytes, but for those that continue a character. */
static size_t columns_of(const char *text)
{
    size_t count = 0;

    for (; *text; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* At most so many columns, padded to them. */
static void put_cell(const struct page *page, const char *text, unsigned width)
{
    size_t columns = columns_of(text), taken = 0;
    bool is_cut = columns > width;

    while (*text && taken < width - (is_cut ? 1 : 0)) {
        taken += ((unsigned char)*text & 0xc0) != 0x80;
        putc(*text++, page->file);
        while (((unsigned char)*text & 0xc0) == 0x80)
            putc(*text++, page->file);
    }
    if (is_cut)
        fputs("…", page->file);
    for (size_t i = columns; i < width; i++)
        putc(' ', page->file);
}

/* --- the lines that matter --- */

static void place_of(const struct ck_source *source, char *to, size_t room)
{
    if (source->line)
        snprintf(to, room, "%s:%u", source->file, source->line);
    else if (source->function[0])
        snprintf(to, room, "%s (%s)", source->function, source->file);
    else
        snprintf(to, room, "%s", source->file[0] ? source->file : "?");
}

static void put_line(const struct page *page, const struct ck_story_line *line,
                     unsigned place_width)
{
    char place[CELL], who[32];

    place_of(&line->source, place, sizeof place);
    ck_story_thread_name(line->thread, who, sizeof who);
    fprintf(page->file, "%*s%s", MARGIN, "", on(page, BOLD));
    put_cell(page, place, place_width);
    fprintf(page->file, "%s  %s\n", on(page, PLAIN), line->source.text);
    fprintf(page->file, "%*s  %s%s%s%s%s", MARGIN + (int)place_width, "", on(page, FAINT), who,
            line->words[0] ? " " : "", line->words, on(page, PLAIN));
    if (line->source.line && line->source.function[0])
        fprintf(page->file, "%s, in %s%s", on(page, FAINT), line->source.function, on(page, PLAIN));
    putc('\n', page->file);
}

static void put_lines(const struct page *page, const struct ck_story *story)
{
    char place[CELL];
    unsigned width = 0;

    for (size_t i = 0; i < story->line_count; i++) {
        place_of(&story->lines[i].source, place, sizeof place);
        width = columns_of(place) > width ? (unsigned)columns_of(place) : width;
    }
    width = width > page->width / 3 ? page->width / 3 : width;
    for (size_t i = 0; i < story->line_count && i < LINES_SHOWN; i++)
        put_line(page, &story->lines[i], width);
    if (story->line_count > LINES_SHOWN)
        fprintf(page->file, "%*sand %zu more\n", MARGIN, "", story->line_count - LINES_SHOWN);
}

/* --- the columns --- */

/* One file's name need not stand in each cell. */
static const char *common_file(const struct ck_story *story)
{
    const char *file = "";

    for (size_t i = 0; i < story->step_count; i++) {
        const struct ck_source *source = &story->steps[i].source;
        if (!source->line)
            continue;
        if (file[0] && strcmp(file, source->file) != 0)
            return "";
        file = source->file;
    }
    return file;
}

static void word_step(const struct ck_story_step *step, const char *common, char *to, size_t room)
{
    char place[CELL] = "", times[32] = "";

    if (step->source.line && common[0])
        snprintf(place, sizeof place, "%u ", step->source.line);
    else if (step->source.line)
        snprintf(place, sizeof place, "%s:%u ", step->source.file, step->source.line);
    else if (step->source.function[0])
        snprintf(place, sizeof place, "%.*s: ", (int)strcspn(step->source.function, "(<"),
                 step->source.function);
    if (step->times > 1)
        snprintf(times, sizeof times, " ×%" PRIu32, step->times);
    snprintf(to, room, "%s%s%s%s%s%s", place, ck_words_op(step->op), step->object[0] ? " " : "",
             step->object, times,
             step->is_timed_out ? " (time-out)"
             : step->is_blocked ? " (waits)"
                                : "");
}

/* Which threads have columns of their own, as indexes into the story's; the last column is that of
 * all others, if there are others. */
struct columns {
    size_t threads[COLUMNS_MOST];
    size_t count;
    bool has_others;
    unsigned width;
};

static bool has_line(const struct ck_story *story, uint32_t thread)
{
    for (size_t i = 0; i < story->line_count; i++) {
        if (story->lines[i].thread == thread)
            return true;
    }
    return false;
}

/* Those that the finding names come before the rest. */
static void choose_columns(struct columns *columns, const struct ck_story *story, size_t room)
{
    size_t named = 0, rest = 0;

    columns->has_others = story->thread_count > room;
    columns->count = columns->has_others ? room : story->thread_count;
    size_t own = columns->count - columns->has_others, taken = 0;
    for (size_t i = 0; i < story->thread_count; i++)
        named += has_line(story, story->threads[i].id);
    rest = named < own ? own - named : 0;
    for (size_t i = 0; i < story->thread_count && taken < own; i++) {
        bool is_named = has_line(story, story->threads[i].id);
        if (is_named || rest > 0)
            columns->threads[taken++] = i;
        rest -= !is_named && rest > 0;
    }
}

static size_t column_of(const struct columns *columns, const struct ck_story *story,
                        uint32_t thread)
{
    for (size_t i = 0; i < columns->count - columns->has_others; i++) {
        if (story->threads[columns->threads[i]].id == thread)
            return i;
    }
    return columns->count - 1;
}

static void put_row(const struct page *page, size_t column, unsigned width, const char *cell)
{
    fprintf(page->file, "%*s", (int)(MARGIN + column * (width + COLUMN_GAP)), "");
    size_t room = page->width > MARGIN + column * (width + COLUMN_GAP)
                      ? page->width - MARGIN - column * (width + COLUMN_GAP)
                      : width;
    put_cell(page, cell, columns_of(cell) < room ? (unsigned)columns_of(cell) : (unsigned)room);
    putc('\n', page->file);
}

static void put_heads(const struct page *page, const struct ck_story *story,
                      const struct columns *columns)
{
    fprintf(page->file, "%*s%s", MARGIN, "", on(page, BOLD));
    for (size_t i = 0; i < columns->count; i++) {
        bool is_last = i + 1 == columns->count;
        const char *name =
            is_last && columns->has_others ? "others" : story->threads[columns->threads[i]].name;
        unsigned width = is_last && columns_of(name) < columns->width ? (unsigned)columns_of(name)
                                                                      : columns->width;
        put_cell(page, name, width);
        fprintf(page->file, "%*s", is_last ? 0 : COLUMN_GAP, "");
    }
    fprintf(page->file, "%s\n", on(page, PLAIN));
}

/* A gap that is long tells something; that there are others is said once. */
static void put_gap(const struct page *page, uint32_t skipped)
{
    if (skipped >= GAP_SHOWN)
        fprintf(page->file, "%*s%s… %" PRIu32 " steps%s\n", MARGIN, "", on(page, FAINT), skipped,
                on(page, PLAIN));
}

static void put_rest(const struct page *page, const struct ck_story *story)
{
    uint64_t skipped = story->skipped_after;

    for (size_t i = 0; i < story->step_count; i++)
        skipped += story->steps[i].skipped;
    if (skipped > 0)
        fprintf(page->file, "%*s%s(%" PRIu64 " other step%s not shown)%s\n", MARGIN, "",
                on(page, FAINT), skipped, skipped == 1 ? "" : "s", on(page, PLAIN));
}

static void put_step(const struct page *page, const struct ck_story *story,
                     const struct columns *columns, const struct ck_story_step *step,
                     const char *common)
{
    size_t column = column_of(columns, story, step->thread);
    char cell[CELL], words[CELL];

    word_step(step, common, words, sizeof words);
    if (columns->has_others && column + 1 == columns->count)
        snprintf(cell, sizeof cell, "%" PRIu32 ": %.200s", step->thread, words);
    else
        memcpy(cell, words, sizeof cell);
    put_row(page, column, columns->width, cell);
}

static void put_columns(const struct page *page, const struct ck_story *story)
{
    struct columns columns;
    size_t room = (page->width - MARGIN) / (COLUMN_LEAST + COLUMN_GAP);
    const char *common = common_file(story);

    if (story->step_count == 0)
        return;
    room = room > COLUMNS_MOST ? COLUMNS_MOST : room < 1 ? 1 : room;
    choose_columns(&columns, story, room);
    columns.width = (unsigned)((page->width - MARGIN) / columns.count) - COLUMN_GAP;
    if (story->line_count)
        fprintf(page->file, "\n");
    put_heads(page, story, &columns);
    for (size_t i = 0; i < story->step_count; i++) {
        put_gap(page, story->steps[i].skipped);
        put_step(page, story, &columns, &story->steps[i], common);
    }
    put_rest(page, story);
}

/* --- the frame --- */

static void put_title(const struct page *page, const struct ck_story *story, const char *colour)
{
    fprintf(page->file, "%s%s%s", on(page, colour), ck_words_kind(story->kind), on(page, PLAIN));
    if (story->text[0])
        fprintf(page->file, ": %s", story->text);
    fprintf(page->file, "\n%s%s%s\n\n", on(page, FAINT), ck_words_explain(story->kind),
            on(page, PLAIN));
}

/* What a program writes may not steer the terminal. */
static void put_safely(const struct page *page, const char *text, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)text[i];
        putc((c < ' ' && c != '\t') || c == 0x7f ? '?' : c, page->file);
    }
}

/* The start of the last lines, so many at most. */
static const char *last_lines(const char *text, unsigned most)
{
    const char *at = text + strlen(text);

    while (at > text && most > 0) {
        at--;
        if (at == text || at[-1] == '\n')
            most--;
    }
    return at;
}

static void put_last_words(const struct page *page)
{
    const char *all = page->findings->last_words, *words = last_lines(all ? all : "", WORDS_SHOWN);

    if (!words[0])
        return;
    fprintf(page->file, "\nIt said%s:\n", words > all ? ", in the end" : "");
    while (*words) {
        size_t count = strcspn(words, "\n");
        fprintf(page->file, "%*s", MARGIN + 2, "");
        put_safely(page, words, count);
        putc('\n', page->file);
        words += count + (words[count] != '\0');
    }
}

static void put_how(const struct page *page)
{
    const struct ck_findings *found = page->findings;

    if (found->is_replay)
        return;
    fprintf(page->file, "\nFound in schedule %" PRIu64 " after %.2f s (%s, %s, seed %" PRIu64 ")",
            found->failure_schedule, found->failure_seconds, ck_words_strategy(found->strategy),
            ck_words_granularity(found->granularity), found->failure_seed);
    if (found->switches_found)
        fprintf(page->file, "; %" PRIu64 " of %" PRIu64 " switches matter", found->switches_left,
                found->switches_found);
    fputs(".\n", page->file);
}

static void put_replay(const struct page *page)
{
    if (page->findings->replay_file)
        fprintf(page->file, "%sReplay:%s ravel check --replay %s%s%s      (in a debugger: --gdb)\n",
                on(page, BOLD), on(page, PLAIN), page->findings->replay_file,
                page->findings->expected_file ? " --expect-output " : "",
                page->findings->expected_file ? page->findings->expected_file : "");
}

static void put_aside(const struct page *page, const struct ck_aside *aside)
{
    putc('\n', page->file);
    put_title(page, aside->story, YELLOW);
    put_lines(page, aside->story);
    put_columns(page, aside->story);
    fprintf(page->file, "%*s%sfirst seen in schedule %" PRIu64 "%s\n", MARGIN, "", on(page, FAINT),
            aside->schedule, on(page, PLAIN));
}

/* "data race: a.c:18 thread 2 writes `wants[1]`; a.c:19 thread 1 reads `wants[1]`". */
static void put_aside_briefly(const struct page *page, const struct ck_aside *aside)
{
    const struct ck_story *story = aside->story;
    char place[CELL], who[32];

    fprintf(page->file, "  %s%s%s:", on(page, YELLOW), ck_words_kind(story->kind), on(page, PLAIN));
    for (size_t i = 0; i < story->line_count && i < LINES_SHOWN; i++) {
        place_of(&story->lines[i].source, place, sizeof place);
        ck_story_thread_name(story->lines[i].thread, who, sizeof who);
        fprintf(page->file, "%s %s %s %s", i ? ";" : "", place, who, story->lines[i].words);
    }
    putc('\n', page->file);
}

static void put_asides(const struct page *page)
{
    const struct ck_findings *found = page->findings;
    size_t shown = 0;

    if (found->aside_count == 0)
        return;
    fprintf(page->file, "\n%s%s%s\n", on(page, BOLD),
            found->failure ? "Besides, in schedules that went on:"
                           : "In schedules that went on to a good end:",
            on(page, PLAIN));
    if (!found->failure)
        put_aside(page, &found->asides[shown++]);
    for (; shown < found->aside_count && shown < ASIDES_SHOWN; shown++)
        put_aside_briefly(page, &found->asides[shown]);
    if (shown < found->aside_count)
        fprintf(page->file, "  and %zu more (--json and --html have all)\n",
                found->aside_count - shown);
}

static void put_open_ends(const struct page *page)
{
    const struct ck_story *story = page->findings->open_end;

    fprintf(page->file, "%" PRIu64 " of them came to no end: %s\n", page->findings->undecided,
            story ? story->text : "a limit of steps, or stuck");
    if (story)
        put_lines(page, story);
}

static void put_nothing(const struct page *page)
{
    const struct ck_findings *found = page->findings;

    fprintf(page->file, "%s%s in %" PRIu64 " schedules%s (%" PRIu64 " distinct, %.1f s)",
            on(page, BOLD), found->aside_count ? "no failure found" : "not found", found->schedules,
            on(page, PLAIN), found->distinct, found->seconds);
    if (found->is_interrupted)
        fputs(", interrupted", page->file);
    fputs(".\n", page->file);
    if (found->levels_tried > 0)
        fprintf(page->file,
                "All schedules with up to %" PRIu32
                " preemptions were tried, at synchronisation and at\n"
                "accesses to shared memory that were seen.\n",
                found->levels_tried - 1);
    else if (found->unseen >= 0)
        fprintf(page->file, "The next schedule would be a new one with a chance of about %.*f%%.\n",
                found->unseen < 0.01 ? 3 : 0, found->unseen * 100);
    if (found->undecided)
        put_open_ends(page);
}

static void put_limits(const struct page *page)
{
    fprintf(page->file, "%sRelaxed atomics are taken as sequentially consistent%s.%s\n",
            on(page, FAINT),
            page->findings->is_preloaded
                ? "; accesses to memory were not seen, as the program was not recompiled"
                : "",
            on(page, PLAIN));
}

void ck_report_text(FILE *file, const struct ck_findings *findings, unsigned width, bool is_colour)
{
    struct page page = {.file = file,
                        .findings = findings,
                        .width = width < 40 ? 40 : width,
                        .is_colour = is_colour};

    if (findings->failure) {
        put_title(&page, findings->failure, RED);
        put_lines(&page, findings->failure);
        put_columns(&page, findings->failure);
        put_last_words(&page);
        put_how(&page);
        put_replay(&page);
    } else {
        put_nothing(&page);
    }
    put_asides(&page);
    if (!findings->failure && findings->aside_count)
        put_replay(&page);
    put_limits(&page);
}
