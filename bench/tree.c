/* SPDX-License-Identifier: MIT */
/* tree.c - the files of a tree, to be read again and again, with their pages in memory or without.
 * Names and inodes stay in memory: to drop those is the machine's business, and hits everybody. */
#include "bench.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_FILES = 200000, MAX_BATCHES = 100 };

static struct bench_tree tree;

static int add(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)place;
    if (type != FTW_F || !S_ISREG(status->st_mode) || status->st_size > BENCH_TREE_FILE_BYTES)
        return 0;
    bench_require(tree.count < MOST_FILES, "too many files");
    tree.paths[tree.count] = strdup(path);
    bench_require(tree.paths[tree.count++] != NULL, "no memory");
    return 0;
}

static void forget(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bench_require(fd >= 0, path);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

void bench_tree(void (*read_all)(const struct bench_tree *tree))
{
    double ns[MAX_BATCHES];
    const char *root = bench_param_text("root", "/usr/include");
    int is_cold = strcmp(bench_param_text("cache", "warm"), "cold") == 0;
    long batches = bench_param_upto("batches", is_cold ? 3 : 7, MAX_BATCHES);

    tree.paths = calloc(MOST_FILES, sizeof tree.paths[0]);
    bench_require(tree.paths && nftw(root, add, 20, FTW_PHYS) == 0 && tree.count && batches,
                  "root: no files");
    for (long i = 0; i < batches; i++) {
        for (long at = 0; is_cold && at < tree.count; at++)
            forget(tree.paths[at]);
        int64_t begin = bench_now();
        read_all(&tree);
        ns[i] = (double)(bench_now() - begin) / (double)tree.count;
    }
    size_t warm = batches > 1;
    bench_result(NULL, bench_percentile(ns + warm, (size_t)batches - warm, 50), "ns");
}
