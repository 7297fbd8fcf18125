/* SPDX-License-Identifier: MIT */
/* page.c - a trace as one page: what ran, in a table, by us; lanes by page.js.
 *
 * A million events have to travel in it and be looked at, so they are not JSON but numbers, one
 * event behind the other, each number in groups of 7 bits, lowest first, with a top bit where more
 * follow (LEB128, DWARF 5 section 7.6), and all that in base64 (RFC 4648):
 *
 *     shape     of `about.shapes`: phase, category, and the keys of its values
 *     lane      of `about.lanes`
 *     at        ns since the event before, signed: 2n, or -2n - 1 below zero
 *     lasts     ns; of 'X' alone
 *     id        of 'b', 'e', 's', 'f' alone
 *     name      of `about.texts`
 *     number    behind the name, and 1; 0: none
 *     values    one a key: 4n a number, 4n + 1 one below zero, -n - 1; 4n + 2 a text
 *
 * What kinds of lanes, categories and values there may be is not known here nor there.
 *
 * Without scripts the page has its tables. A policy in the head forbids it any address.
 *
 * Checked by: tests/look/test_trace_page.py */
#include "timeline/page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/json.h"
#include "lab/embedded.h"
#include "lab/json.h"
#include "timeline/embedded.h"

enum { ROWS = 60 }; /* of the table */

/* Events that are written alike. */
struct shape {
    char phase;
    uint32_t category;
    uint32_t keys; /* in the key table: those of the first such event */
    uint32_t key_count;
};

/* Bars of the same name. */
struct sum {
    uint32_t category, name;
    uint64_t count;
    int64_t total_ns, longest_ns;
};

struct page {
    FILE *to;
    const struct tl_story *story;
    struct shape *shapes;
    size_t shape_count, shape_room;
    uint32_t *shape_of; /* of each event */
    struct sum *sums;
    size_t sum_count;
    uint32_t group; /* bits for base64 that wait for more */
    unsigned group_bytes;
    unsigned column;
};

/* --- shapes --- */

static bool has_shape(const struct page *p, const struct tl_event *e, const struct shape *shape)
{
    const struct tl_value *one = &p->story->values[e->values];
    const struct tl_value *other = &p->story->values[shape->keys];

    if (shape->phase != e->phase || shape->category != e->category ||
        shape->key_count != e->value_count)
        return false;
    for (uint32_t i = 0; i < e->value_count; i++) {
        if (one[i].key != other[i].key)
            return false;
    }
    return true;
}

static int add_shape(struct page *p, const struct tl_event *e)
{
    if (p->shape_count == p->shape_room) {
        size_t room = p->shape_room ? p->shape_room * 2 : 16;
        struct shape *larger = rvi_realloc(p->shapes, room * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        p->shapes = larger;
        p->shape_room = room;
    }
    p->shapes[p->shape_count++] =
        (struct shape){e->phase, e->category, (uint32_t)e->values, e->value_count};
    return 0;
}

static int find_shapes(struct page *p)
{
    p->shape_of = rvi_calloc(p->story->count + 1, sizeof *p->shape_of);
    if (!p->shape_of)
        return -ENOMEM;
    for (size_t i = 0; i < p->story->count; i++) {
        const struct tl_event *e = &p->story->events[i];
        uint32_t shape = 0;
        while (shape < p->shape_count && !has_shape(p, e, &p->shapes[shape]))
            shape++;
        if (shape == p->shape_count && add_shape(p, e) < 0)
            return -ENOMEM;
        p->shape_of[i] = shape;
    }
    return 0;
}

/* --- numbers --- */

static void put_group(struct page *p)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[4];

    for (unsigned i = 0; i < 4; i++)
        text[i] = i <= p->group_bytes ? digits[p->group >> (18 - 6 * i) & 63] : '=';
    fwrite(text, 1, sizeof text, p->to);
    p->group = p->group_bytes = 0;
    p->column += 4;
    if (p->column >= 4096) {
        putc('\n', p->to);
        p->column = 0;
    }
}

static void put_byte(struct page *p, unsigned byte)
{
    p->group |= (byte & 255) << (16 - 8 * p->group_bytes);
    if (++p->group_bytes == 3)
        put_group(p);
}

static void put_number(struct page *p, uint64_t number)
{
    for (; number >= 128; number >>= 7)
        put_byte(p, (unsigned)(number & 127) | 128);
    put_byte(p, (unsigned)number);
}

static void put_signed(struct page *p, int64_t number)
{
    put_number(p, number < 0 ? (uint64_t)(-number) * 2 - 1 : (uint64_t)number * 2);
}

static void put_value(struct page *p, const struct tl_value *value)
{
    if (value->text != TL_NO_TEXT)
        put_number(p, (uint64_t)value->text * 4 + 2);
    else if (value->number < 0)
        put_number(p, (uint64_t)(-value->number - 1) * 4 + 1);
    else
        put_number(p, (uint64_t)value->number * 4);
}

static void put_event(struct page *p, size_t i, int64_t *at_ns)
{
    static const uint64_t exact = ((uint64_t)1 << 52) - 1; /* what a script knows */
    const struct tl_event *e = &p->story->events[i];

    put_number(p, p->shape_of[i]);
    put_number(p, e->lane);
    put_signed(p, e->at_ns - *at_ns);
    if (e->phase == 'X')
        put_number(p, (uint64_t)e->lasts_ns);
    else if (e->phase != 'i')
        put_number(p, e->id & exact);
    put_number(p, e->name);
    put_number(p, e->name_number + 1);
    for (uint32_t k = 0; k < e->value_count; k++)
        put_value(p, &p->story->values[e->values + k]);
    *at_ns = e->at_ns;
}

static void put_events(struct page *p)
{
    int64_t at_ns = 0;

    fputs("<script type=text/plain id=events>\n", p->to);
    for (size_t i = 0; i < p->story->count; i++)
        put_event(p, i, &at_ns);
    if (p->group_bytes)
        put_group(p);
    fputs("</script>\n", p->to);
}

/* --- what they mean --- */

static void put_lane(struct page *p, const struct tl_lane *lane)
{
    fprintf(p->to, "{\"process\":%lld,\"thread\":%lld,\"name\":%u,\"program\":%u,\"rank\":",
            (long long)lane->process, (long long)lane->thread, lane->name, lane->process_name);
    if (lane->has_rank)
        fprintf(p->to, "%lld}", (long long)lane->rank);
    else
        fputs("null}", p->to);
}

static void put_shape(struct page *p, const struct shape *shape)
{
    fprintf(p->to, "{\"phase\":\"%c\",\"category\":%u,\"keys\":[", shape->phase, shape->category);
    for (uint32_t k = 0; k < shape->key_count; k++)
        fprintf(p->to, "%s%u", k ? "," : "", p->story->values[shape->keys + k].key);
    fputs("]}", p->to);
}

static void put_about(struct page *p)
{
    const struct tl_story *s = p->story;

    fprintf(p->to,
            "<script type=application/json id=about>\n{\"count\":%zu,\"ends\":%lld,\"lost\":%lld,"
            "\n\"lanes\":[",
            s->count, (long long)s->ends_ns, (long long)s->lost);
    for (size_t i = 0; i < s->lane_count; i++) {
        fputs(i ? ",\n" : "", p->to);
        put_lane(p, &s->lanes[i]);
    }
    fputs("],\n\"shapes\":[", p->to);
    for (size_t i = 0; i < p->shape_count; i++) {
        fputs(i ? ",\n" : "", p->to);
        put_shape(p, &p->shapes[i]);
    }
    fputs("],\n\"texts\":[", p->to);
    for (uint32_t i = 0; i < s->text_count; i++) {
        fputs(i ? ",\n" : "", p->to);
        lab_json_put(p->to, tl_story_text(s, i));
    }
    fputs("]}\n</script>\n", p->to);
}

/* --- tables --- */

static int by_kind(const void *a, const void *b)
{
    const struct sum *one = a, *other = b;

    if (one->category != other->category)
        return one->category < other->category ? -1 : 1;
    return (one->name > other->name) - (one->name < other->name);
}

static int by_total(const void *a, const void *b)
{
    const struct sum *one = a, *other = b;

    if (one->total_ns != other->total_ns)
        return one->total_ns > other->total_ns ? -1 : 1;
    return by_kind(a, b);
}

/* One a bar first, then those of one kind are put together. */
static int add_up(struct page *p)
{
    size_t count = 0, kinds = 0;
    struct sum *sums = p->sums = rvi_calloc(p->story->count + 1, sizeof *sums);

    if (!sums)
        return -ENOMEM;
    for (size_t i = 0; i < p->story->count; i++) {
        const struct tl_event *e = &p->story->events[i];
        if (e->phase == 'X')
            sums[count++] = (struct sum){e->category, e->name, 1, e->lasts_ns, e->lasts_ns};
    }
    qsort(sums, count, sizeof *sums, by_kind);
    for (size_t i = 0; i < count; i++) {
        if (kinds == 0 || by_kind(&sums[kinds - 1], &sums[i]) != 0) {
            sums[kinds++] = sums[i];
            continue;
        }
        struct sum *sum = &sums[kinds - 1];
        sum->count++;
        sum->total_ns += sums[i].total_ns;
        sum->longest_ns =
            sums[i].longest_ns > sum->longest_ns ? sums[i].longest_ns : sum->longest_ns;
    }
    qsort(sums, kinds, sizeof *sums, by_total);
    p->sum_count = kinds;
    return 0;
}

static void put_duration(FILE *to, int64_t ns)
{
    static const char *const units[] = {"ns", "µs", "ms", "s"};
    double value = (double)ns;
    int unit = 0;

    for (; value >= 1000 && unit < 3; unit++)
        value /= 1000;
    fprintf(to, "%.*f %s", unit == 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2, value, units[unit]);
}

static void put_time_cell(FILE *to, const char *what, int64_t ns)
{
    fprintf(to, "<td class=n data-%s=%lld>", what, (long long)ns);
    put_duration(to, ns);
    fputs("</td>", to);
}

static void put_row(struct page *p, const struct sum *sum)
{
    fputs("<tr><th scope=row>", p->to);
    ck_put_html(p->to, tl_story_text(p->story, sum->name));
    fputs("</th><td>", p->to);
    ck_put_html(p->to, tl_story_text(p->story, sum->category));
    fprintf(p->to, "</td><td class=n data-count=%llu>%llu</td>", (unsigned long long)sum->count,
            (unsigned long long)sum->count);
    put_time_cell(p->to, "total", sum->total_ns);
    put_time_cell(p->to, "mean", sum->total_ns / (int64_t)sum->count);
    put_time_cell(p->to, "longest", sum->longest_ns);
    fputs("</tr>\n", p->to);
}

static void put_table(struct page *p)
{
    fputs("<details id=sums><summary>All bars, by name</summary>\n<div class=wide tabindex=0>"
          "<table>\n"
          "<thead><tr><th scope=col>name</th><th scope=col>kind</th><th scope=col class=n>how "
          "many</th><th scope=col class=n>together</th><th scope=col class=n>each</th>"
          "<th scope=col class=n>longest</th></tr></thead>\n<tbody>\n",
          p->to);
    for (size_t i = 0; i < p->sum_count && i < ROWS; i++)
        put_row(p, &p->sums[i]);
    fputs("</tbody></table></div>\n", p->to);
    if (p->sum_count > ROWS)
        fprintf(p->to, "<p class=how>And %zu more names.</p>\n", p->sum_count - ROWS);
    fputs("</details>\n", p->to);
}

/* --- the page --- */

static const char head[] = "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                           "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                           "<meta name=color-scheme content=\"light dark\">\n"
                           "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
                           "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>";

static void put_head(struct page *p, const char *program)
{
    fputs(head, p->to);
    ck_put_html(p->to, program);
    fprintf(p->to, " - ravel trace</title>\n<style>\n%s%s%s</style>\n</head>\n<body>\n",
            lab_uplot_style, lab_page_style, tl_style);
    fputs("<header>\n<h1>", p->to);
    ck_put_html(p->to, program);
    fprintf(p->to, "</h1>\n<p class=machine>%zu events in ", p->story->count);
    put_duration(p->to, p->story->ends_ns);
    if (p->story->lost)
        fprintf(p->to,
                "; <strong class=bad>%lld more were lost</strong>: they were overwritten "
                "before they were read",
                (long long)p->story->lost);
    fputs(".</p>\n</header>\n<main>\n<div id=picture></div>\n", p->to);
}

static void put_page(struct page *p)
{
    put_head(p, tl_story_title(p->story));
    put_table(p);
    fputs("</main>\n", p->to);
    put_about(p);
    put_events(p);
    fprintf(p->to, "<script>\n/* uPlot:\n%s*/\n%s\n</script>\n", lab_uplot_licence,
            lab_uplot_script);
    fprintf(p->to, "<script>\n%s</script>\n</body>\n</html>\n", tl_script);
}

int tl_put_page(FILE *to, const struct tl_story *story)
{
    struct page p = {.to = to, .story = story};
    int r = find_shapes(&p);

    r = r < 0 ? r : add_up(&p);
    if (r == 0)
        put_page(&p);
    rvi_free(p.shapes);
    rvi_free(p.shape_of);
    rvi_free(p.sums);
    return r;
}
