/* SPDX-License-Identifier: MIT */
/* window.c - a window that stays responsive while a long job runs, and the same window blocked.
 *
 *     fg_window [--blocked] [--measure[=CLICKS]] [--picture=FILE.png] FOLDER
 *
 * "Count" counts what is in the folder: by tasks behind the window or, with --blocked, in the
 * handler of its click, as programs do that have nothing else. "Answer me" writes how often it was
 * clicked.
 *
 * --measure starts the counting, has xdotool click the second button while it goes on, and prints
 * as JSON how long each click took: from the time in the X server's event to when the frame that
 * shows the answer has been drawn. Behind the window the job goes on until all clicks are answered;
 * blocked it goes on for HOLD. --picture writes what the window looks like with the last answer. */
#include <errno.h>
#include <glib-unix.h>
#include <gtk/gtk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "survey.h"

enum { USUAL_CLICKS = 5, MOST_CLICKS = 100 };

#define HOLD (1500 * RV_MILLISECOND)

static struct {
    bool is_blocked;
    int clicks_wanted; /* 0: a person clicks */
    const char *picture;

    GtkWidget *window, *count, *cancel, *answer, *bar, *status;
    rv_fg *fg;
    struct survey survey;
    int64_t task;    /* 0: none */
    bool is_running; /* the job, wherever */
    int failure;

    int clicks, drawn; /* clicked; and of those, with their answer drawn */
    int drawn_in_time; /* while the job was running */
    guint32 clicked_ms[MOST_CLICKS];
    double answer_ms[MOST_CLICKS];
} app;

/* --- the job --- */

static void finish_measuring(void);

static void show_status(const char *text)
{
    gtk_label_set_text(GTK_LABEL(app.status), text);
}

static void show_result(void)
{
    const struct counts *c = &app.survey.counts;
    char text[200];

    if (app.survey.result == -ECANCELED)
        snprintf(text, sizeof text, "cancelled");
    else if (app.survey.result < 0)
        snprintf(text, sizeof text, "%s", strerror(-app.survey.result));
    else
        snprintf(text, sizeof text, "%llu files, %llu lines, %llu words",
                 (unsigned long long)c->files, (unsigned long long)c->lines,
                 (unsigned long long)c->words);
    show_status(text);
    app.is_running = false;
    gtk_widget_set_sensitive(app.count, TRUE);
    gtk_widget_set_sensitive(app.cancel, FALSE);
}

static void survey_ended(void *arg)
{
    (void)arg;
    app.task = 0;
    show_result();
    if (app.clicks_wanted)
        finish_measuring();
}

static void show_progress(void *arg, const struct rv_fg_latest *latest)
{
    (void)arg;
    gtk_progress_bar_set_fraction(GTK_PROGRESS_BAR(app.bar),
                                  latest->total ? (double)latest->done / (double)latest->total : 0);
    show_status(latest->text);
}

static void on_count(void)
{
    gtk_widget_set_sensitive(app.count, FALSE);
    app.is_running = true;
    if (app.is_blocked) {
        (void)survey_run_here(&app.survey, app.clicks_wanted ? HOLD : 0);
        show_result();
        return;
    }
    gtk_widget_set_sensitive(app.cancel, TRUE);
    app.task = rv_fg_go(app.fg, survey_run, &app.survey);
    if (app.task < 0) {
        app.failure = (int)app.task;
        gtk_main_quit();
    }
}

static void on_cancel(void)
{
    if (app.task)
        rv_fg_cancel(app.fg, app.task);
}

/* What the loop calls when the runtime has something for the foreground. */
static gboolean on_due(gint fd, GIOCondition condition, gpointer arg)
{
    (void)fd;
    (void)condition;
    (void)arg;
    rv_fg_dispatch(app.fg, 0);
    return G_SOURCE_CONTINUE;
}

/* --- clicks and their answers --- */

static gboolean on_press(GtkWidget *widget, GdkEventButton *event, gpointer arg)
{
    (void)widget;
    (void)arg;
    if (event->type == GDK_BUTTON_PRESS && app.clicks < MOST_CLICKS)
        app.clicked_ms[app.clicks] = event->time;
    return FALSE;
}

static void on_answer(void)
{
    char text[32];

    if (app.clicks < MOST_CLICKS)
        app.clicks++;
    snprintf(text, sizeof text, "Answered %d", app.clicks);
    gtk_button_set_label(GTK_BUTTON(app.answer), text);
}

static void take_picture(void)
{
    GdkWindow *window = gtk_widget_get_window(app.window);
    GdkPixbuf *pixels = gdk_pixbuf_get_from_window(window, 0, 0, gdk_window_get_width(window),
                                                   gdk_window_get_height(window));

    if (!pixels || !gdk_pixbuf_save(pixels, app.picture, "png", NULL, NULL))
        fprintf(stderr, "fg_window: %s could not be written\n", app.picture);
    if (pixels)
        g_object_unref(pixels);
}

/* A frame has been painted: what was clicked before it is answered. The X server's clock is the
 * monotonic one, in milliseconds. */
static void on_frame(GdkFrameClock *clock, gpointer arg)
{
    (void)clock;
    (void)arg;
    if (app.drawn == app.clicks)
        return;
    gdk_display_sync(gdk_display_get_default());
    guint32 now_ms = (guint32)(g_get_monotonic_time() / 1000);
    for (; app.drawn < app.clicks; app.drawn++) {
        app.answer_ms[app.drawn] = (double)(gint32)(now_ms - app.clicked_ms[app.drawn]);
        app.drawn_in_time += app.is_running;
    }
    if (app.clicks_wanted && app.drawn >= app.clicks_wanted) {
        if (app.picture)
            take_picture();
        if (app.task)
            on_cancel(); /* what follows, survey_ended() does */
        else
            finish_measuring();
    }
}

/* --- measuring --- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void finish_measuring(void)
{
    if (app.drawn == 0)
        app.failure = -ENODATA;
    gtk_main_quit();
}

static void print_measured(void)
{
    const struct counts *c = &app.survey.counts;
    double first = app.answer_ms[0];

    qsort(app.answer_ms, (size_t)app.drawn, sizeof app.answer_ms[0], compare);
    printf("{\"mode\": \"%s\", \"clicks\": %d, \"answered\": %d, \"answered_while_running\": %d, "
           "\"answer_ms\": {\"first\": %.0f, \"median\": %.0f, \"most\": %.0f}, "
           "\"rounds\": %llu, \"files\": %llu, \"lines\": %llu, \"words\": %llu}\n",
           app.is_blocked ? "blocked" : "behind", app.clicks_wanted, app.drawn, app.drawn_in_time,
           first, app.answer_ms[app.drawn / 2], app.answer_ms[app.drawn - 1],
           (unsigned long long)app.survey.rounds, (unsigned long long)c->files,
           (unsigned long long)c->lines, (unsigned long long)c->words);
}

/* Clicks come from outside, as a person's do: nothing in here could click while it is blocked. They
 * begin a little later, when the job is running. */
static bool start_clicking(void)
{
    char command[200];
    GtkAllocation place;
    gint left, top;

    gtk_widget_get_allocation(app.answer, &place);
    gdk_window_get_origin(gtk_widget_get_window(app.answer), &left, &top);
    snprintf(command, sizeof command,
             "xdotool mousemove %d %d sleep 0.3 click --repeat %d --delay 50 1",
             left + place.x + place.width / 2, top + place.y + place.height / 2, app.clicks_wanted);
    return g_spawn_command_line_async(command, NULL);
}

/* Once the window is there. */
static gboolean begin_measuring(gpointer arg)
{
    (void)arg;
    if (start_clicking()) {
        on_count();
    } else {
        fprintf(stderr, "fg_window: xdotool could not be started\n");
        app.failure = -ENOENT;
        gtk_main_quit();
    }
    return G_SOURCE_REMOVE;
}

static gboolean on_map(void)
{
    if (app.clicks_wanted)
        g_timeout_add(200, begin_measuring, NULL); /* it is on the screen, and painted */
    return FALSE;
}

/* --- the window --- */

static GtkWidget *add_button(GtkWidget *box, const char *label, GCallback clicked)
{
    GtkWidget *button = gtk_button_new_with_label(label);

    g_signal_connect_swapped(button, "clicked", clicked, NULL);
    gtk_box_pack_start(GTK_BOX(box), button, TRUE, TRUE, 4);
    return button;
}

static void build_window(void)
{
    GtkWidget *column = gtk_box_new(GTK_ORIENTATION_VERTICAL, 8);
    GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 0);

    app.window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
    gtk_window_set_title(GTK_WINDOW(app.window), "A long job");
    gtk_window_set_default_size(GTK_WINDOW(app.window), 480, 120);
    app.bar = gtk_progress_bar_new();
    app.status = gtk_label_new("");
    gtk_label_set_ellipsize(GTK_LABEL(app.status), PANGO_ELLIPSIZE_START);
    app.count = add_button(row, "Count", on_count);
    app.cancel = add_button(row, "Cancel", on_cancel);
    app.answer = add_button(row, "Answer me", on_answer);
    gtk_widget_set_sensitive(app.cancel, FALSE);
    g_signal_connect(app.answer, "button-press-event", G_CALLBACK(on_press), NULL);
    gtk_box_pack_start(GTK_BOX(column), app.bar, FALSE, FALSE, 4);
    gtk_box_pack_start(GTK_BOX(column), app.status, FALSE, FALSE, 4);
    gtk_box_pack_start(GTK_BOX(column), row, FALSE, FALSE, 4);
    gtk_container_add(GTK_CONTAINER(app.window), column);
    g_signal_connect(app.window, "destroy", gtk_main_quit, NULL);
    g_signal_connect(app.window, "map-event", G_CALLBACK(on_map), NULL);
    gtk_widget_show_all(app.window);
    g_signal_connect(gtk_widget_get_frame_clock(app.window), "after-paint", G_CALLBACK(on_frame),
                     NULL);
}

/* --- the program --- */

/* Whether it is understood. */
static bool read_option(const char *text)
{
    if (strcmp(text, "--blocked") == 0)
        app.is_blocked = true;
    else if (strcmp(text, "--measure") == 0)
        app.clicks_wanted = USUAL_CLICKS;
    else if (g_str_has_prefix(text, "--measure="))
        app.clicks_wanted = atoi(strchr(text, '=') + 1);
    else if (g_str_has_prefix(text, "--picture="))
        app.picture = strchr(text, '=') + 1;
    else
        return false;
    return !g_str_has_prefix(text, "--measure") ||
           (app.clicks_wanted > 0 && app.clicks_wanted <= MOST_CLICKS);
}

static bool read_args(int argc, char **argv)
{
    for (int i = 1; i < argc - 1; i++) {
        if (!read_option(argv[i]))
            return false;
    }
    app.survey = (struct survey){.root = argv[argc - 1], .ended = survey_ended};
    return argc > 1 && argv[argc - 1][0] != '-';
}

static int work_with_window(void)
{
    struct rv_fg_opts opts = {.size = sizeof opts, .progress = show_progress};
    int r = rv_fg_open(&app.fg, &opts);

    if (r < 0)
        return r;
    app.survey.fg = app.fg;
    app.survey.again = app.clicks_wanted && !app.is_blocked;
    guint source = g_unix_fd_add(rv_fg_fd(app.fg), G_IO_IN, on_due, NULL);
    build_window();
    gtk_main();
    g_source_remove(source);
    r = rv_fg_close(app.fg);
    return app.failure ? app.failure : r;
}

int main(int argc, char **argv)
{
    if (!gtk_init_check(&argc, &argv)) {
        fprintf(stderr, "fg_window: there is no display\n");
        return 77;
    }
    if (!read_args(argc, argv)) {
        fprintf(stderr, "usage: fg_window [--blocked] [--measure[=CLICKS]] [--picture=FILE.png] "
                        "FOLDER\n");
        return 2;
    }
    int r = work_with_window();
    if (r < 0) {
        fprintf(stderr, "fg_window: %s: %s\n", app.survey.root, strerror(-r));
        return 1;
    }
    if (app.clicks_wanted)
        print_measured();
    return 0;
}
