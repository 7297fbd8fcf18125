/* SPDX-License-Identifier: MIT */
/* table.c - reports as text, in columns that fit what stands in them.
 *
 * Of two reports a figure is called better or worse only where the two intervals of the median
 * leave no overlap and neither was noisy; whoever wants to see more has both numbers beside it.
 *
 * Checked by: tests/unit/lab/test_table.c, tests/cli/test_lab.py */
#include "lab/table.h"

#include <math.h>
#include <string.h>

enum { CELL = 96, MOST_COLUMNS = 8, GAP = 2 };

/* --- columns --- */

struct row {
    char cells[MOST_COLUMNS][CELL];
};

static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void put_cell(FILE *to, const char *text, unsigned width, bool is_right)
{
    unsigned has = width_of(text);
    int pad = has < width ? (int)(width - has) : 0;

    fprintf(to, "%*s%s%*s", is_right ? pad : 0, "", text, is_right ? 0 : pad, "");
}

static void measure_row(const struct row *row, unsigned *widths)
{
    for (int i = 0; i < MOST_COLUMNS; i++) {
        unsigned width = width_of(row->cells[i]);
        widths[i] = widths[i] > width ? widths[i] : width;
    }
}

/* The first and the last column are words, the others numbers. */
static void put_row(FILE *to, const struct row *row, const unsigned *widths, unsigned columns)
{
    unsigned last = columns;

    while (last > 0 && !row->cells[last - 1][0])
        last--;
    for (unsigned i = 0; i < last; i++) {
        bool is_word = i == 0 || i + 1 == columns;
        fprintf(to, "%*s", widths[i] ? GAP : 0, "");
        put_cell(to, row->cells[i], is_word && i + 1 == last ? 0 : widths[i], !is_word);
    }
    putc('\n', to);
}

static void put_wrapped(FILE *to, const char *text, unsigned width)
{
    unsigned at = 0;

    while (*text) {
        size_t bytes = strcspn(text, " ");
        if (at > 0 && at + 1 + bytes > width) {
            fputs("\n", to);
            at = 0;
        }
        fprintf(to, "%s%.*s", at ? " " : "  ", (int)bytes, text);
        at += (at ? 1 : 2) + (unsigned)bytes;
        text += bytes + (text[bytes] == ' ');
    }
    putc('\n', to);
}

static const char *on(const struct lab_look *look, const char *code)
{
    return look->has_colours ? code : "";
}

/* --- cells --- */

static double spread_of(const struct lab_summary *s)
{
    return s->median != 0 ? 100 * (s->q3 - s->q1) / fabs(s->median) : 0;
}

static void fill_row(struct row *row, const struct lab_result *r, const struct lab_figure *f)
{
    char low[40], high[40];

    snprintf(row->cells[0], CELL, "%s", f->name);
    lab_put_place(row->cells[1], CELL, r->axis, f->at);
    lab_put_value(row->cells[2], CELL, f->value.median, f->unit);
    if (f->value.count > 1) {
        lab_put_value(low, sizeof low, f->value.low, f->unit);
        lab_put_value(high, sizeof high, f->value.high, f->unit);
        snprintf(row->cells[3], CELL, "%s to %s", low, high);
        snprintf(row->cells[4], CELL, "%.0f%%", spread_of(&f->value));
    }
    snprintf(row->cells[5], CELL, "%.6s%.2s%.80s", f->value.is_noisy ? "noisy" : "",
             f->value.is_noisy && f->note[0] ? ", " : "", f->note);
}

static const struct row *heads(const struct lab_result *r, struct row *row)
{
    *row = (struct row){{"", "", "median", "median between", "spread", ""}};
    if (r->axis)
        snprintf(row->cells[1], CELL, "%s", r->axis);
    return row;
}

static void put_result(FILE *to, const struct lab_result *r, const struct lab_look *look)
{
    unsigned widths[MOST_COLUMNS] = {0};
    struct row row;

    fprintf(to, "\n%s%s: %s%s\n%s", on(look, "\033[1m"), r->name, r->title, on(look, "\033[0m"),
            on(look, "\033[2m"));
    put_wrapped(to, r->method, look->width);
    fputs(on(look, "\033[0m"), to);
    if (r->count > 0)
        measure_row(heads(r, &row), widths);
    for (size_t i = 0; i < r->count; i++) {
        row = (struct row){0};
        fill_row(&row, r, &r->figures[i]);
        measure_row(&row, widths);
    }
    if (r->count > 0)
        put_row(to, heads(r, &row), widths, 6);
    for (size_t i = 0; i < r->count; i++) {
        row = (struct row){0};
        fill_row(&row, r, &r->figures[i]);
        put_row(to, &row, widths, 6);
    }
    if (r->why_not[0])
        fprintf(to, "  %s%s\n", r->count ? "not measured: " : "nothing was measured: ", r->why_not);
}

static void put_machine(FILE *to, const struct lab_report *report)
{
    const struct lab_machine *m = &report->machine;
    char memory[40];

    lab_put_value(memory, sizeof memory, m->memory_bytes, "bytes");
    fprintf(to, "%s: %s, %u processors, %s; %s\n", m->host, m->cpu, m->processors, memory,
            m->kernel);
    fprintf(to, "Ravel %s, %s, %.0f s%s\n", report->version, report->when, report->seconds,
            report->is_quick ? ", quick: few samples, rough figures" : "");
}

void lab_put_table(FILE *to, const struct lab_report *report, const struct lab_look *look)
{
    put_machine(to, report);
    for (size_t i = 0; i < report->count; i++)
        put_result(to, &report->results[i], look);
}

/* --- rates of tiers --- */

static const struct lab_figure *beside(const struct lab_result *r, const struct lab_figure *rate,
                                       const char *unit)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct lab_figure *f = &r->figures[i];
        if (f->at == rate->at && strcmp(f->name, rate->name) == 0 && strcmp(f->unit, unit) == 0)
            return f;
    }
    return NULL;
}

static void fill_rate(struct row *row, const struct lab_result *r, const struct lab_figure *rate)
{
    static const char *const units[] = {"ns", "switches", "bytes"};

    fill_row(row, r, rate);
    memcpy(row->cells[7], row->cells[5], CELL);
    row->cells[5][0] = '\0';
    for (int i = 0; i < 3; i++) {
        const struct lab_figure *f = beside(r, rate, units[i]);
        if (f)
            lab_put_value(row->cells[4 + i], CELL, f->value.median, i == 1 ? "" : units[i]);
    }
}

static void put_rates(FILE *to, const struct lab_result *r)
{
    struct row row, head = {{"", "workers", "a second", "between", "processor time of one",
                             "switches", "largest process", ""}};
    unsigned widths[MOST_COLUMNS] = {0};

    measure_row(&head, widths);
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1)
            put_row(to, &head, widths, MOST_COLUMNS);
        for (size_t i = 0; i < r->count; i++) {
            if (strcmp(r->figures[i].unit, "1/s") != 0)
                continue;
            row = (struct row){0};
            fill_rate(&row, r, &r->figures[i]);
            if (pass == 0)
                measure_row(&row, widths);
            else
                put_row(to, &row, widths, MOST_COLUMNS);
        }
    }
}

void lab_put_rates(FILE *to, const struct lab_report *report)
{
    const struct lab_result *r = &report->results[0];

    put_machine(to, report);
    fprintf(to, "\n%s\n", r->title);
    put_rates(to, r);
    if (r->why_not[0])
        fprintf(to, "  not measured: %s\n", r->why_not);
}

/* --- two reports --- */

static bool is_same_place(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b;
}

const struct lab_figure *lab_find_figure(const struct lab_report *in, const char *probe,
                                         const struct lab_figure *like)
{
    for (size_t i = 0; i < in->count; i++) {
        const struct lab_result *r = &in->results[i];
        for (size_t k = 0; strcmp(r->name, probe) == 0 && k < r->count; k++) {
            const struct lab_figure *f = &r->figures[k];
            if (strcmp(f->name, like->name) == 0 && strcmp(f->unit, like->unit) == 0 &&
                is_same_place(f->at, like->at))
                return f;
        }
    }
    return NULL;
}

int lab_judge(const struct lab_figure *a, const struct lab_figure *b)
{
    bool is_apart = a->value.high < b->value.low || b->value.high < a->value.low;
    bool is_alone = a->value.count < 2 || b->value.count < 2;

    if (!is_apart || is_alone || a->value.is_noisy || b->value.is_noisy)
        return 0;
    int sense = lab_unit_sense(a->unit);
    return b->value.median > a->value.median ? sense : -sense;
}

static void fill_both(struct row *row, const struct lab_result *r, const struct lab_figure *a,
                      const struct lab_figure *b)
{
    static const char *const words[] = {"worse", "", "better"};

    snprintf(row->cells[0], CELL, "%s", a->name);
    lab_put_place(row->cells[1], CELL, r->axis, a->at);
    lab_put_value(row->cells[2], CELL, a->value.median, a->unit);
    lab_put_value(row->cells[3], CELL, b->value.median, b->unit);
    if (a->value.median != 0)
        snprintf(row->cells[4], CELL, "%.2f", b->value.median / a->value.median);
    snprintf(row->cells[5], CELL, "%s",
             a->value.is_noisy || b->value.is_noisy ? "noisy" : words[lab_judge(a, b) + 1]);
}

static size_t put_both(FILE *to, const struct lab_result *r, const struct lab_report *other,
                       const struct lab_look *look)
{
    struct row row, head = {{"", "", "first", "second", "ratio", ""}};
    unsigned widths[MOST_COLUMNS] = {0};
    size_t found = 0;

    measure_row(&head, widths);
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < r->count; i++) {
            const struct lab_figure *b = lab_find_figure(other, r->name, &r->figures[i]);
            if (!b)
                continue;
            row = (struct row){0};
            fill_both(&row, r, &r->figures[i], b);
            if (pass == 0 && found++ == 0)
                fprintf(to, "\n%s%s: %s%s\n", on(look, "\033[1m"), r->name, r->title,
                        on(look, "\033[0m"));
            if (pass == 0)
                measure_row(&row, widths);
            else
                put_row(to, &row, widths, 6);
        }
        if (pass == 0 && found > 0)
            put_row(to, &head, widths, 6);
    }
    return found;
}

size_t lab_put_comparison(FILE *to, const struct lab_report *a, const struct lab_report *b,
                          const struct lab_look *look)
{
    size_t found = 0;

    fputs("first:  ", to);
    put_machine(to, a);
    fputs("second: ", to);
    put_machine(to, b);
    for (size_t i = 0; i < a->count; i++)
        found += put_both(to, &a->results[i], b, look);
    return found;
}
