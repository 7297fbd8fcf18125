/* SPDX-License-Identifier: MIT */
/* main.c - grep: search trees in parallel, print in order.
 *
 *     walker ----- a task a file: search_file() ---+
 *        |                                         | chunks
 *        +---- the files in order, bounded ---- printer
 *
 * The walker waits when so many files are under way, and each searcher when the printer is behind:
 * memory is bounded by IN_FLIGHT, not by the tree nor by what is found. The first thing that cannot
 * be told to the user, standard output that takes no more, ends the scope and with it everybody;
 * what cannot be read is told on standard error, and the rest goes on. */
#include <errno.h>
#include <getopt.h>
#include <ravel.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "search.h"
#include "walk.h"

enum { IN_FLIGHT = 32, STACK_BYTES = 256 << 10 }; /* regexec() takes much of a stack */
enum { FOUND = 0, NOT_FOUND = 1, TROUBLE = 2 };

static const char usage[] = "usage: grep [-EFiln] [-j WORKERS] PATTERN [PATH]...\n"
                            "  -E  extended regular expression, instead of a basic one\n"
                            "  -F  fixed string\n"
                            "  -i  case does not matter\n"
                            "  -l  names of files that match, instead of lines\n"
                            "  -n  line numbers\n"
                            "Searches folders with all that is in them; without PATH the working\n"
                            "directory. Status: 0 found, 1 not found, 2 trouble.\n";

struct grep {
    struct search search;
    const char *text;
    unsigned flags, workers;
    char **paths;
    int path_count;
    rv_scope *scope;
    rv_chan *order; /* of struct out * */
    atomic_bool has_found, has_trouble;
};

struct file {
    struct grep *grep;
    struct out *out;
    char path[];
};

static const char *words_for(int error)
{
    return error == -EMSGSIZE ? "a line is too long" : strerrordesc_np(-error);
}

static void complain(void *arg, const char *path, int error)
{
    struct grep *g = arg;

    atomic_store(&g->has_trouble, true);
    (void)rv_print_error("grep: %s: %s\n", path, words_for(error));
}

static int search_one(void *arg)
{
    struct file *file = arg;
    struct grep *g = file->grep;
    int r = search_file(&g->search, file->path, file->out);

    if (r > 0)
        atomic_store(&g->has_found, true);
    else if (r < 0 && r != -ECANCELED)
        complain(g, file->path, r);
    r = out_finish(file->out);
    free(file);
    return r;
}

static struct file *file_new(struct grep *g, const char *path)
{
    size_t bytes = strlen(path) + 1;
    struct file *file = malloc(sizeof *file + bytes);

    if (!file)
        return NULL;
    file->grep = g;
    memcpy(file->path, path, bytes);
    if (out_new(&file->out) == 0)
        return file;
    free(file);
    return NULL;
}

/* The printer gets it first: what it waits for has a searcher then, or the scope is cancelled. */
static int begin_search(void *arg, const char *path)
{
    struct grep *g = arg;
    struct file *file = file_new(g, path);
    if (!file)
        return -ENOMEM;
    int r = rv_chan_send(g->order, &file->out, RV_NEVER);
    if (r < 0)
        out_unref(file->out);
    else
        r = rv_go(g->scope, search_one, file);
    if (r < 0) {
        out_unref(file->out);
        free(file);
    }
    return r;
}

static int begin_path(struct grep *g, const struct walk *w, const char *path)
{
    struct stat status;
    int r = *path ? rv_stat(path, &status, RV_NEVER) : 0;

    if (r < 0 && r != -ECANCELED) {
        complain(g, path, r);
        return 0;
    }
    if (r < 0)
        return r;
    return *path && !S_ISDIR(status.st_mode) ? begin_search(g, path) : walk_tree(w, path);
}

static int walk_all(void *arg)
{
    struct grep *g = arg;
    const struct walk w = {begin_search, complain, g};
    int r = 0;

    for (int i = 0; r == 0 && i < g->path_count; i++)
        r = begin_path(g, &w, g->paths[i]);
    rv_chan_close(g->order);
    return r;
}

static int print_in_order(void *arg)
{
    struct grep *g = arg;
    struct rv_writer to;
    struct out *out;
    int r;

    rv_writer_init(&to, rv_stream_fd(STDOUT_FILENO), NULL, 64 << 10);
    while ((r = rv_chan_recv(g->order, &out, RV_NEVER)) == 0 && (r = out_print(out, &to)) == 0)
        continue;
    int flushed = rv_writer_flush(&to, RV_NEVER);
    rv_writer_fini(&to);
    return flushed < 0 ? flushed : r == -EPIPE ? 0 : r;
}

static int search_trees(struct grep *g)
{
    struct out *left;
    int r;

    RV_SCOPE(scope, r) {
        g->scope = scope;
        int begun = rv_go(scope, print_in_order, g);
        if (begun == 0)
            begun = rv_go(scope, walk_all, g);
        if (begun < 0)
            rv_scope_cancel(scope, begun);
    }
    while (rv_chan_try_recv(g->order, &left) == 0)
        out_unref(left);
    return r;
}

static int run(void *arg)
{
    struct grep *g = arg;
    char why[200];

    g->search.pattern = pattern_new(g->text, g->flags, (unsigned)rv_run_workers(), why, sizeof why);
    if (!g->search.pattern) {
        atomic_store(&g->has_trouble, true);
        return rv_print_error("grep: %s\n", why);
    }
    int r = rv_chan_new(&g->order, sizeof(struct out *), IN_FLIGHT);
    if (r == 0)
        r = search_trees(g);
    rv_chan_free(g->order);
    pattern_free(g->search.pattern);
    return r;
}

static void take_option(struct grep *g, int option)
{
    switch (option) {
    case 'E':
        g->flags |= PATTERN_EXTENDED;
        break;
    case 'F':
        g->flags |= PATTERN_FIXED;
        break;
    case 'i':
        g->flags |= PATTERN_IGNORE_CASE;
        break;
    case 'l':
        g->search.names_only = true;
        break;
    case 'n':
        g->search.numbers = true;
        break;
    case 'j':
        g->workers = (unsigned)strtoul(optarg, NULL, 10);
        break;
    default:
        fputs(usage, stderr);
        exit(TROUBLE);
    }
}

/* A single file is not named before its lines. */
static void take_arguments(struct grep *g, int argc, char **argv)
{
    static char here_path[] = "", *here[] = {here_path};
    struct stat status;
    int option;

    while ((option = getopt(argc, argv, "EFilnj:")) >= 0)
        take_option(g, option);
    if (optind == argc)
        take_option(g, 0);
    g->text = argv[optind++];
    g->paths = optind < argc ? argv + optind : here;
    g->path_count = optind < argc ? argc - optind : 1;
    g->search.with_name = g->path_count > 1 || !*g->paths[0] ||
                          (stat(g->paths[0], &status) == 0 && S_ISDIR(status.st_mode));
}

int main(int argc, char **argv)
{
    struct grep g = {0};
    take_arguments(&g, argc, argv);
    struct rv_run_opts opts = {
        .size = sizeof opts, .workers = g.workers, .stack_bytes = STACK_BYTES};
    int r = rv_run(run, &g, &opts);
    if (r < 0)
        fprintf(stderr, "grep: %s\n", strerrordesc_np(-r));
    if (r < 0 || g.has_trouble)
        return TROUBLE;
    return g.has_found ? FOUND : NOT_FOUND;
}
