/* SPDX-License-Identifier: MIT */
/* page.c - the report as one page: tables by us, plots by page.js with uPlot.
 *
 * The page reads without scripts: every figure is in a table. The reports are in it once more as
 * they are printed by --json, which is what the plots are drawn from, so there is one source of
 * numbers; how a number is written for people is decided here alone, and page.js reads it from the
 * tables. A policy in the head forbids the page any address, so it works from a file and tells
 * nobody.
 *
 * Checked by: tests/cli/test_lab_page.py */
#include "lab/page.h"

#include <math.h>
#include <string.h>

#include "lab/embedded.h"
#include "lab/json.h"
#include "lab/table.h"

static void put_html(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", to);
        else if (*text == '&')
            fputs("&amp;", to);
        else if (*text == '"')
            fputs("&quot;", to);
        else
            putc(*text, to);
    }
}

static void put(FILE *to, const char *before, const char *text, const char *after)
{
    fputs(before, to);
    put_html(to, text);
    fputs(after, to);
}

static void put_value(FILE *to, double value, const char *unit)
{
    char text[64];

    lab_put_value(text, sizeof text, value, unit);
    put_html(to, text);
}

/* --- head and foot --- */

static const char head[] = "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                           "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                           "<meta name=color-scheme content=\"light dark\">\n"
                           "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
                           "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n";

static void put_head(FILE *to, const char *verb, const char *of)
{
    fputs(head, to);
    fprintf(to, "<title>ravel %s: ", verb);
    put(to, "", of, "</title>\n<style>\n");
    fputs(lab_uplot_style, to);
    fputs(lab_page_style, to);
    fputs("</style>\n</head>\n<body>\n", to);
}

static void put_report(FILE *to, const char *id, const struct lab_report *r)
{
    fprintf(to, "<script type=application/json id=%s>\n", id);
    lab_report_put_json(to, r);
    fputs("</script>\n", to);
}

static void put_foot(FILE *to)
{
    fprintf(to, "<script>\n/* uPlot:\n%s*/\n%s\n</script>\n", lab_uplot_licence, lab_uplot_script);
    fprintf(to, "<script>\n%s</script>\n</body>\n</html>\n", lab_page_script);
}

/* --- the machines --- */

static void put_machine(FILE *to, const char *which, const struct lab_report *r)
{
    const struct lab_machine *m = &r->machine;

    put(to, "<p class=machine>", which, which[0] ? ": " : "");
    put(to, "<strong>", m->host, "</strong>, ");
    put(to, "", m->cpu, "");
    fprintf(to, ", %u processors, ", m->processors);
    put_value(to, m->memory_bytes, "bytes");
    put(to, ", ", m->kernel, "<br>");
    put(to, "Ravel ", r->version, ", ");
    put(to, "<time>", r->when, "</time>");
    fprintf(to, ", measured in %.0f s", r->seconds);
    fputs(r->is_quick ? ", <strong>quick</strong>: few samples, rough figures</p>\n" : "</p>\n",
          to);
}

/* --- one probe --- */

static void put_number_cell(FILE *to, const char *name, double value, const char *unit)
{
    fprintf(to, "<td class=n data-%s=", name);
    lab_json_put_number(to, value);
    fputs(">", to);
    put_value(to, value, unit);
    fputs("</td>", to);
}

static void put_place_cell(FILE *to, const struct lab_result *r, const struct lab_figure *f)
{
    char text[64];

    if (!r->axis)
        return;
    lab_put_place(text, sizeof text, r->axis, f->at);
    put(to, "<td class=n>", text, "</td>");
}

static void put_value_cells(FILE *to, const struct lab_figure *f)
{
    double spread = f->value.q3 - f->value.q1;

    put_number_cell(to, "median", f->value.median, f->unit);
    if (f->value.count < 2) {
        fputs("<td></td><td></td>", to);
        return;
    }
    fputs("<td class=n>", to);
    put_value(to, f->value.low, f->unit);
    fputs(" to ", to);
    put_value(to, f->value.high, f->unit);
    fprintf(to, "</td><td class=n>%.0f%%</td>",
            f->value.median != 0 ? 100 * spread / fabs(f->value.median) : 0);
}

static void put_words_cell(FILE *to, const struct lab_figure *f)
{
    fputs("<td>", to);
    if (f->value.is_noisy)
        fputs("<span class=noisy>noisy</span> ", to);
    put_html(to, f->note);
    fputs("</td>", to);
}

static void put_other_cells(FILE *to, const struct lab_figure *a, const struct lab_figure *b)
{
    static const char *const words[] = {"worse", "", "better"};

    if (!b) {
        fputs("<td></td><td></td><td></td>", to);
        return;
    }
    put_number_cell(to, "second", b->value.median, b->unit);
    fprintf(to, "<td class=n>%.2f</td><td class=%s>%s</td>",
            a->value.median != 0 ? b->value.median / a->value.median : 0,
            words[lab_judge(a, b) + 1][0] ? words[lab_judge(a, b) + 1] : "same",
            a->value.is_noisy || b->value.is_noisy ? "noisy" : words[lab_judge(a, b) + 1]);
}

static void put_row(FILE *to, const struct lab_result *r, size_t i, const struct lab_report *second)
{
    const struct lab_figure *f = &r->figures[i];

    fprintf(to, "<tr id=\"%s-%zu\">", r->name, i);
    put(to, "<th scope=row>", f->name, "</th>");
    put_place_cell(to, r, f);
    put_value_cells(to, f);
    if (second)
        put_other_cells(to, f, lab_find_figure(second, r->name, f));
    else
        put_words_cell(to, f);
    fputs("</tr>\n", to);
}

static void put_table(FILE *to, const struct lab_result *r, const struct lab_report *second)
{
    fputs("<div class=wide tabindex=0><table>\n<thead><tr><th scope=col>what</th>", to);
    if (r->axis)
        put(to, "<th scope=col class=n>", r->axis, "</th>");
    fprintf(to,
            "<th scope=col class=n>%s</th><th scope=col class=n>median between</th>"
            "<th scope=col class=n>spread</th>%s</tr></thead>\n<tbody>\n",
            second ? "first" : "median",
            second ? "<th scope=col class=n>second</th><th scope=col class=n>ratio</th><th "
                     "scope=col></th>"
                   : "<th scope=col></th>");
    for (size_t i = 0; i < r->count; i++)
        put_row(to, r, i, second);
    fputs("</tbody></table></div>\n", to);
}

static void put_section(FILE *to, const struct lab_result *r, const struct lab_report *second)
{
    put(to, "<section id=\"", r->name, "\">\n");
    put(to, "<h2>", r->title, "</h2>\n");
    put(to, "<p class=method>", r->method, "</p>\n");
    if (r->count > 0) {
        fputs("<div class=plots></div>\n<details open><summary>The figures</summary>\n", to);
        put_table(to, r, second);
        fputs("</details>\n", to);
    }
    if (r->why_not[0])
        put(to,
            r->count ? "<p class=missing>Not measured: "
                     : "<p class=missing>Nothing was measured: ",
            r->why_not, "</p>\n");
    fputs("</section>\n", to);
}

static void put_contents(FILE *to, const struct lab_report *r)
{
    fputs("<nav aria-label=Probes><ul>\n", to);
    for (size_t i = 0; i < r->count; i++) {
        put(to, "<li><a href=\"#", r->results[i].name, "\">");
        put(to, "", r->results[i].name, "</a></li>\n");
    }
    fputs("</ul></nav>\n", to);
}

static void put_how(FILE *to)
{
    fputs("<p class=how>Each figure is the median of several measurements. Behind it are the "
          "bounds between which the true median lies in 95 of 100 cases (or the smallest and the "
          "largest, where "
          "there are too few), and the spread: how far apart the quartiles are. "
          "Where that is above 15% of the median it was noisy, and its dot is "
          "hollow.</p>\n",
          to);
}

static void put_sections(FILE *to, const struct lab_report *first, const struct lab_report *second)
{
    fputs("<main>\n", to);
    for (size_t i = 0; i < first->count; i++)
        put_section(to, &first->results[i], second);
    fputs("</main>\n", to);
}

void lab_put_page(FILE *to, const struct lab_report *first, const struct lab_report *second)
{
    put_head(to, "lab", first->machine.host);
    fputs("<header>\n<h1>What concurrency costs here</h1>\n", to);
    put_machine(to, second ? "first" : "", first);
    if (second)
        put_machine(to, "second", second);
    put_how(to);
    fputs("</header>\n", to);
    put_contents(to, first);
    put_sections(to, first, second);
    put_report(to, "first", first);
    if (second)
        put_report(to, "second", second);
    put_foot(to);
}

/* --- advice --- */

static void put_reasons(FILE *to, const struct lab_advice *a)
{
    fputs("<ul class=reasons>\n", to);
    for (unsigned i = 0; i < a->count; i++)
        put(to, "<li>", a->reasons[i], "</li>\n");
    fputs("</ul>\n", to);
}

static const char law_words[] =
    "<p class=how>Thin dotted lines are the Universal Scalability Law (Gunther), fitted to what "
    "was measured of a tier, where it comes within 15% of that, and drawn to twice as many "
    "workers: what it foretells, not what was measured. The upright line stands at the workers "
    "that are advised.</p>\n";

void lab_put_advice_page(FILE *to, const struct lab_report *report, const struct lab_advice *advice,
                         bool is_command)
{
    char line[LAB_REASON];

    lab_advice_line(advice, is_command, line, sizeof line);
    put_head(to, "advise", report->results[0].title);
    put(to, "<header>\n<h1>", line, "</h1>\n");
    put_reasons(to, advice);
    put_machine(to, "", report);
    put_how(to);
    if (advice->law_count > 0)
        fputs(law_words, to);
    fputs("</header>\n", to);
    put_sections(to, report, NULL);
    fputs("<script type=application/json id=advice>\n", to);
    lab_advice_put_json(to, report, advice);
    fputs("</script>\n", to);
    put_foot(to);
}
