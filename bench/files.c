/* SPDX-License-Identifier: MIT */
/* files.c - a small file read to its end: all of a tree, by `tasks` tasks on as many workers as
 * `workers` says, each of which takes the next file until there are no more. `how` is "whole", by
 * rv_file_read(), or "loop": opened, read at offsets until there is no more, closed. */
#include "bench.h"

#include <errno.h>
#include <ravel.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = BENCH_TREE_FILE_BYTES + 1 };

static const struct bench_tree *files;
static atomic_long next_file;
static long tasks;
static ssize_t (*read_one)(const char *path, char *room);

static ssize_t read_whole(const char *path, char *room)
{
    return rv_file_read(AT_FDCWD, path, room, ROOM, RV_NEVER);
}

static ssize_t read_in_a_loop(const char *path, char *room)
{
    ssize_t n = 1;
    int fd = rv_open(path, O_RDONLY, 0, RV_NEVER);
    if (fd < 0)
        return fd;
    for (ssize_t at = 0; n > 0; at += n)
        n = rv_pread(fd, room + at, (size_t)(ROOM - at), at, RV_NEVER);
    rv_close(fd);
    return n;
}

static int read_many(void *arg)
{
    char *room = malloc(ROOM);
    ssize_t n = room ? 0 : -ENOMEM;
    (void)arg;
    while (n >= 0) {
        long at = atomic_fetch_add(&next_file, 1);
        if (at >= files->count)
            break;
        n = read_one(files->paths[at], room);
    }
    free(room);
    return n < 0 ? (int)n : 0;
}

static void read_all(const struct bench_tree *tree)
{
    rv_scope *s;
    files = tree;
    atomic_store(&next_file, 0);
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    for (long i = 0; i < tasks; i++)
        bench_must(rv_go(s, read_many, NULL), "rv_go");
    bench_must(rv_scope_close(s), "reading");
}

static int measure(void *arg)
{
    (void)arg;
    bench_tree(read_all);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("files", "ravel", argc, argv);
    tasks = bench_param("tasks", 16);
    read_one = strcmp(bench_param_text("how", "whole"), "loop") ? read_whole : read_in_a_loop;
    struct rv_run_opts opts = {.size = sizeof opts, .workers = (unsigned)bench_param("workers", 1)};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
