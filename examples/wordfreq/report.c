/* SPDX-License-Identifier: MIT */
/* report.c - what has been measured: for people, and for programs. */
#include "report.h"

#include "term.h"

#include <inttypes.h>

/* ---- for people ------------------------------------------------------------------------------ */

static void print_left_out(FILE *out, size_t n, const char *why, int *printed)
{
    if (n > 0)
        fprintf(out, "%s%s %s", (*printed)++ ? ", " : "left out: ", text_count(n).s, why);
}

static void print_tree(FILE *out, const char *directory, const struct files *f)
{
    const struct style *style = term_style(out);
    fprintf(out, "%s%s%s: %s text files, %s, in %s chunks\n", style->bold, directory, style->end,
            text_count(f->count).s, text_bytes(f->bytes).s, text_count(f->chunks).s);
    int printed = 0;
    print_left_out(out, f->not_text, "not text", &printed);
    print_left_out(out, f->unreadable, "unreadable", &printed);
    print_left_out(out, f->path_too_long, "with too long a path", &printed);
    fputs(printed ? "\n\n" : "\n", out);
}

static void print_tier(FILE *out, const struct tier_result *t, bool alone)
{
    const struct style *style = term_style(out);
    const char *check = !t->same ? "DIFFERS" : alone ? "-" : "same";
    struct text speed_up = {"-"};
    if (t->speed_up > 0)
        snprintf(speed_up.s, sizeof speed_up.s, "%.2fx", t->speed_up);
    fprintf(out, "%-9s %9s %8s %8s %9s %11s %11s  %s%s%s\n", t->name,
            text_time(t->median.run.wall_ns).s, speed_up.s, text_count(t->median.run.jobs).s,
            text_count(t->median.voluntary).s, text_count(t->median.involuntary).s,
            text_bytes(t->median.peak_bytes).s, t->same ? style->good : style->bad, check,
            style->end);
}

static void print_tiers(FILE *out, const struct results *r)
{
    const struct style *style = term_style(out);
    struct text rounds;
    snprintf(rounds.s, sizeof rounds.s, "median of %u round%s", r->rounds,
             r->rounds == 1 ? "" : "s");
    fprintf(out, "%s%-24s%34s\n", style->dim, rounds.s, "context switches");
    fprintf(out, "%-9s %9s %8s %8s %9s %11s %11s  %s%s\n", "tier", "wall time", "speed-up", "tasks",
            "voluntary", "involuntary", "peak memory", "check", style->end);
    for (size_t i = 0; i < r->tier_count; i++)
        print_tier(out, &r->tiers[i], r->tier_count == 1);
    for (size_t i = 0; i < r->tier_count; i++)
        if (r->tiers[i].failed > 0)
            fprintf(out, "%s%s: %s chunks could not be counted%s\n", style->bad, r->tiers[i].name,
                    text_count(r->tiers[i].failed).s, style->end);
}

static void print_top(FILE *out, const struct answer *a)
{
    fprintf(out, "\nThe most frequent of %s words, %s distinct:\n", text_count(a->words).s,
            text_count(a->distinct).s);
    for (int row = 0; row < TOP_WORDS / 2 && a->top[row].count > 0; row++) {
        for (int i = row; i < TOP_WORDS && a->top[i].count > 0; i += TOP_WORDS / 2)
            fprintf(out, "%*d  %-20.20s %11s", i == row ? 4 : 6, i + 1, a->top[i].word,
                    text_count(a->top[i].count).s);
        fputc('\n', out);
    }
}

void report_table(FILE *out, const char *directory, const struct results *r)
{
    print_tree(out, directory, &r->files);
    print_tiers(out, r);
    print_top(out, &r->tiers[0].median.run.answer);
    fprintf(out, "\n%u %s; the executor \"auto\" is %s\n", r->workers,
            r->workers == 1 ? "worker" : "workers", r->choice);
}

/* ---- for programs ---------------------------------------------------------------------------- */

static void json_string(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        if ((unsigned char)*s < ' ')
            fprintf(out, "\\u%04x", *s);
        else
            fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    }
    fputc('"', out);
}

static void json_tree(FILE *out, const char *directory, const struct files *f)
{
    fputs(" \"directory\": ", out);
    json_string(out, directory);
    fprintf(out,
            ",\n \"files\": %zu, \"bytes\": %" PRIu64 ", \"chunks\": %" PRIu64 ",\n"
            " \"left_out\": {\"not_text\": %zu, \"unreadable\": %zu, \"path_too_long\": %zu},\n",
            f->count, f->bytes, f->chunks, f->not_text, f->unreadable, f->path_too_long);
}

static void json_answer(FILE *out, const struct answer *a)
{
    fprintf(out, " \"words\": %" PRIu64 ", \"distinct_words\": %" PRIu64 ",\n \"top\": [", a->words,
            a->distinct);
    for (int i = 0; i < TOP_WORDS && a->top[i].count > 0; i++)
        fprintf(out, "%s\n  {\"word\": \"%s\", \"count\": %" PRIu64 "}", i ? "," : "",
                a->top[i].word, a->top[i].count);
    fputs("],\n", out);
}

static void json_tier(FILE *out, const struct tier_result *t)
{
    fputs("  {\"tier\": ", out);
    json_string(out, t->name);
    fprintf(out, ", \"wall_ns\": %" PRIi64, t->median.run.wall_ns);
    if (t->speed_up > 0)
        fprintf(out, ", \"speed_up\": %.3f", t->speed_up);
    fprintf(out,
            ", \"tasks\": %" PRIu64 ", \"failed_tasks\": %" PRIu64
            ",\n   \"voluntary_switches\": %" PRIu64 ", \"involuntary_switches\": %" PRIu64
            ", \"peak_memory_bytes\": %" PRIu64 ",\n   \"checksum\": \"%016" PRIx64
            "\", \"same\": %s}",
            t->median.run.jobs, t->failed, t->median.voluntary, t->median.involuntary,
            t->median.peak_bytes, t->median.run.answer.checksum, t->same ? "true" : "false");
}

static void json_results(FILE *out, const char *directory, const struct results *r)
{
    json_tree(out, directory, &r->files);
    json_answer(out, &r->tiers[0].median.run.answer);
    fprintf(out, " \"workers\": %u, \"auto\": ", r->workers);
    json_string(out, r->choice);
    fprintf(out, ", \"rounds\": %u,\n \"tiers\": [\n", r->rounds);
    for (size_t i = 0; i < r->tier_count; i++) {
        json_tier(out, &r->tiers[i]);
        fputs(i + 1 < r->tier_count ? ",\n" : "]", out);
    }
}

static void json_group(FILE *out, const char *name, const struct group *g)
{
    fprintf(out, ",\n  \"%s\": {\"total_ns\": %" PRIi64 ", \"jobs\": [", name, g->end - g->begin);
    for (int i = 0; i < LANES; i++)
        fprintf(out,
                "%s\n   {\"wait_ns\": %" PRIi64 ", \"begin_ns\": %" PRIi64 ", \"end_ns\": %" PRIi64
                "}",
                i ? "," : "", g->lanes[i].wait, g->lanes[i].begin - g->begin,
                g->lanes[i].end - g->begin);
    fputs("]}", out);
}

void report_json(FILE *out, const char *directory, const struct results *results,
                 const struct picture *picture)
{
    fputs("{\n", out);
    if (results)
        json_results(out, directory, results);
    if (picture) {
        fprintf(out, "%s \"picture\": {\"scale\": %g", results ? ",\n" : "", picture->scale);
        json_group(out, "one_after_another", &picture->apart);
        json_group(out, "together", &picture->together);
        fputc('}', out);
    }
    fputs("\n}\n", out);
}
