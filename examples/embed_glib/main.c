/* SPDX-License-Identifier: MIT */
/* main.c - Ravel behind a GLib main loop: the checksums of files, read by tasks, shown by the loop.
 *
 * The thread that runs the loop is the foreground. One watch on rv_fg_fd() is all that the loop
 * knows of Ravel; whatever a task has for it is posted, and runs there, between the loop's own
 * sources: so tables and widgets, which belong to that thread, need no lock. The loop's own clock
 * ticks meanwhile, and Ctrl-C is its own signal source. */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <ravel.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 32 << 10, TICK_MS = 10 };

struct program {
    GMainLoop *loop;
    GThread *thread; /* that runs it */
    rv_fg *fg;
    GHashTable *sums; /* path -> checksum, or why there is none; the loop's */
    guint left;       /* jobs that have not been heard of */
    guint ticks, failures;
    gboolean is_interrupted;
};

struct job {
    struct program *program;
    char *path;
    char *sum; /* NULL: it failed */
    int result;
};

/* --- in tasks --- */

static int add_pieces(GChecksum *sum, int fd)
{
    char piece[PIECE_BYTES];
    ssize_t n;

    while ((n = rv_read(fd, piece, sizeof piece, RV_NEVER)) > 0)
        g_checksum_update(sum, (const guchar *)piece, n);
    return (int)n;
}

static int sum_up(struct job *job)
{
    int fd = rv_open(job->path, O_RDONLY, 0, RV_NEVER);

    if (fd < 0)
        return fd;
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    int r = add_pieces(sum, fd);
    if (r == 0)
        job->sum = g_strdup(g_checksum_get_string(sum));
    g_checksum_free(sum);
    rv_close(fd);
    return r;
}

static void show(void *arg);

/* Its failure is shown, not passed on: the others go on. Cancelled, it has still to say so. */
static int work(void *arg)
{
    struct job *job = arg;

    job->result = sum_up(job);
    int r = rv_shield_begin(rv_after(RV_MINUTE));
    if (r < 0)
        return r;
    r = rv_fg_post(job->program->fg, show, job, RV_NEVER);
    rv_shield_end();
    return r;
}

/* --- in the loop --- */

static void show(void *arg)
{
    struct job *job = arg;
    struct program *p = job->program;

    g_assert_true(g_thread_self() == p->thread);
    p->failures += job->result < 0;
    g_hash_table_insert(p->sums, job->path, job->sum ? job->sum : g_strdup(strerror(-job->result)));
    if (--p->left == 0)
        g_main_loop_quit(p->loop);
}

static gboolean on_ravel(gint fd, GIOCondition condition, gpointer arg)
{
    struct program *p = arg;

    (void)fd, (void)condition;
    return rv_fg_dispatch(p->fg, 0) < 0 ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static gboolean on_tick(gpointer arg)
{
    struct program *p = arg;

    p->ticks++;
    return G_SOURCE_CONTINUE;
}

static gboolean on_interrupt(gpointer arg)
{
    struct program *p = arg;

    p->is_interrupted = TRUE;
    g_main_loop_quit(p->loop);
    return G_SOURCE_CONTINUE;
}

/* --- both --- */

static int start_all(struct program *p, struct job *jobs, char **paths, guint count)
{
    for (guint i = 0; i < count; i++) {
        jobs[i] = (struct job){.program = p, .path = paths[i]};
        int64_t number = rv_fg_go(p->fg, work, &jobs[i]);
        if (number < 0)
            return (int)number;
        p->left++;
    }
    return 0;
}

static int run(struct program *p, char **paths, guint count)
{
    struct job *jobs = g_new0(struct job, count);
    guint sources[] = {
        g_unix_fd_add(rv_fg_fd(p->fg), G_IO_IN, on_ravel, p),
        g_timeout_add(TICK_MS, on_tick, p),
        g_unix_signal_add(SIGINT, on_interrupt, p),
    };
    int r = start_all(p, jobs, paths, count);

    if (r == 0)
        g_main_loop_run(p->loop);
    int closed = rv_fg_close(p->fg); /* cancels what is left, and shows it */
    for (guint i = 0; i < count && !p->is_interrupted; i++)
        printf("%s  %s\n", (char *)g_hash_table_lookup(p->sums, paths[i]), paths[i]);
    for (guint i = 0; i < G_N_ELEMENTS(sources); i++)
        g_source_remove(sources[i]);
    g_free(jobs);
    return r < 0 ? r : closed == -ECANCELED ? 0 : closed;
}

int main(int argc, char **argv)
{
    struct program p = {.thread = g_thread_self()};

    if (argc < 2) {
        fputs("usage: embed_glib FILE...\n", stderr);
        return 2;
    }
    int r = rv_fg_open(&p.fg, NULL);
    if (r < 0) {
        fprintf(stderr, "embed_glib: %s\n", strerror(-r));
        return 1;
    }
    p.loop = g_main_loop_new(NULL, FALSE);
    p.sums = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    r = run(&p, argv + 1, (guint)argc - 1);
    fprintf(stderr, "%u ticks of the loop's own meanwhile\n", p.ticks);
    g_hash_table_destroy(p.sums);
    g_main_loop_unref(p.loop);
    return p.is_interrupted ? 130 : r < 0 || p.failures > 0;
}
