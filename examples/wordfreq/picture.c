/* SPDX-License-Identifier: MIT */
/* picture.c - waiting one after another and waiting together, drawn while it happens.
 *
 * The jobs that wait and the painter that draws them are tasks of one worker, that is of one
 * thread. A task gives way only where it waits, so what they share needs no lock. */
#include "picture.h"

#include "term.h"

#include <errno.h>
#include <langinfo.h>
#include <string.h>

/* ---- the jobs -------------------------------------------------------------------------------- */

/* Stands for any job that waits for something: a disk, a reply, a person. */
static int job(void *arg)
{
    struct lane *lane = arg;
    lane->begin = rv_now();
    int err = rv_sleep(lane->wait);
    lane->end = rv_now();
    return err;
}

static int one_after_another(struct group *g)
{
    int err = 0;
    g->begin = rv_now();
    for (int i = 0; err == 0 && i < LANES; i++)
        err = job(&g->lanes[i]);
    g->end = rv_now();
    return err;
}

static int all_together(struct group *g)
{
    int err;
    g->begin = rv_now();
    RV_SCOPE(jobs, err) {
        for (int i = 0; i < LANES; i++)
            if (rv_go(jobs, job, &g->lanes[i]) < 0)
                rv_scope_cancel(jobs, -ENOMEM);
    }
    g->end = rv_now();
    return err;
}

/* ---- drawing --------------------------------------------------------------------------------- */

enum { SECONDS = 5, LINES = 2 * (2 + LANES) + 2 }; /* of the axis; of a frame */
enum { LABEL_COLUMNS = 12, TOTAL_COLUMNS = 7, MIN_CELLS = 4, MAX_CELLS = 12 };

#define FRAME (RV_SECOND / 30)

struct canvas {
    FILE *out;
    struct picture *picture;
    const struct style *style;
    int cells; /* columns of a second */
    bool utf8;
};

static void draw_times(const struct canvas *c, int n, const char *text)
{
    while (n-- > 0)
        fputs(text, c->out);
}

/* A bar of so many eighths of a column; without UTF-8 of whole columns. */
static void draw_bar(const struct canvas *c, int eighths)
{
    static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    fputs(c->style->bar, c->out);
    draw_times(c, c->utf8 ? eighths / 8 : (eighths + 4) / 8, c->utf8 ? "█" : "#");
    fputs(c->utf8 ? parts[eighths % 8] : "", c->out);
    fputs(c->style->end, c->out);
}

/* Where a moment lies on the axis, in eighths of a column. */
static int place_of(const struct canvas *c, rv_time since_begin)
{
    double seconds = (double)since_begin / (double)RV_SECOND / c->picture->scale;
    return (int)((seconds < SECONDS ? seconds : SECONDS) * c->cells * 8);
}

static void draw_lane(const struct canvas *c, const struct group *g, const struct lane *lane)
{
    struct text label;
    snprintf(label.s, sizeof label.s, "%g s", (double)lane->wait / (double)RV_SECOND);
    fprintf(c->out, "    %-*s", LABEL_COLUMNS - 4, label.s);
    if (lane->begin) {
        int begin = (place_of(c, lane->begin - g->begin) + 4) / 8; /* a whole column */
        int end = place_of(c, (lane->end ? lane->end : rv_now()) - g->begin);
        draw_times(c, begin, " ");
        draw_bar(c, end > 8 * begin ? end - 8 * begin : 0);
    }
    fputc('\n', c->out);
}

static void draw_group(const struct canvas *c, const struct group *g)
{
    struct text total = {""};
    if (g->begin)
        total = text_time((g->end ? g->end : rv_now()) - g->begin);
    fprintf(c->out, "\n  %-*s%s%*s%s\n", LABEL_COLUMNS - 2 + SECONDS * c->cells, g->title,
            c->style->bold, TOTAL_COLUMNS, total.s, c->style->end);
    for (int i = 0; i < LANES; i++)
        draw_lane(c, g, &g->lanes[i]);
}

static void draw_axis(const struct canvas *c)
{
    fprintf(c->out, "%s%*s", c->style->dim, LABEL_COLUMNS, "");
    for (int i = 0; i < SECONDS; i++) {
        fputs(c->utf8 ? i ? "┴" : "└" : "+", c->out);
        draw_times(c, c->cells - 1, c->utf8 ? "─" : "-");
    }
    fprintf(c->out, "%s\n%*s", c->utf8 ? "┘" : "+", LABEL_COLUMNS, "");
    for (int i = 0; i < SECONDS; i++)
        fprintf(c->out, "%-*g", c->cells, i * c->picture->scale);
    fprintf(c->out, "%g s%s\n", SECONDS * c->picture->scale, c->style->end);
}

static void draw(const struct canvas *c)
{
    draw_group(c, &c->picture->apart);
    draw_group(c, &c->picture->together);
    draw_axis(c);
    fflush(c->out);
}

/* A frame takes the place of the one before; its lines only grow, so nothing has to be erased. */
static void redraw(const struct canvas *c)
{
    fprintf(c->out, "\033[%dA", LINES);
    draw(c);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Draws until its scope is cancelled: then rv_sleep() fails. */
static int painter(void *arg)
{
    const struct canvas *c = arg;
    draw(c);
    while (rv_sleep(FRAME) == 0)
        redraw(c);
    redraw(c);
    return 0;
}

static int show(void *arg)
{
    struct picture *p = arg;
    int err = one_after_another(&p->apart);
    return err < 0 ? err : all_together(&p->together);
}

static int show_live(void *arg)
{
    struct canvas *c = arg;
    int err, shown = 0;
    RV_SCOPE(painting, err) {
        if (rv_go(painting, painter, c) < 0)
            return -ENOMEM;
        shown = show(c->picture);
        rv_scope_cancel(painting, 0); /* the painter is not waited for but told to stop */
    }
    return err == -ECANCELED ? shown : err;
}

static int choose_cells(int columns)
{
    int cells = (columns - LABEL_COLUMNS - TOTAL_COLUMNS) / SECONDS;
    return cells < MIN_CELLS ? MIN_CELLS : cells > MAX_CELLS ? MAX_CELLS : cells;
}

int picture_run(struct picture *p, double scale, FILE *out)
{
    rv_time second = (rv_time)(scale * (double)RV_SECOND);
    struct lane waits[LANES] = {{.wait = 3 * second}, {.wait = second}, {.wait = second}};
    *p = (struct picture){
        .apart.title = "one after another",
        .together.title = "together: three tasks of one scope",
        .scale = scale,
    };
    memcpy(p->apart.lanes, waits, sizeof waits);
    memcpy(p->together.lanes, waits, sizeof waits);

    struct rv_run_opts one_worker = {.size = sizeof one_worker, .workers = 1, .no_interrupt = 1};
    if (!out)
        return rv_run(show, p, &one_worker);

    struct canvas canvas = {
        .out = out,
        .picture = p,
        .style = term_style(out),
        .cells = choose_cells(term_columns(out)),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    fprintf(out, "%sThree jobs that wait %g s, %g s and %g s%s\n", canvas.style->bold, 3 * scale,
            scale, scale, canvas.style->end);
    if (term_is_live(out))
        return rv_run(show_live, &canvas, &one_worker);
    int err = rv_run(show, p, &one_worker);
    draw(&canvas);
    return err;
}
