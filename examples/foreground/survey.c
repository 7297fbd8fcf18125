/* SPDX-License-Identifier: MIT */
/* survey.c - a tree is listed first, which blocks and so is a helper's to do; then tasks take one
 * file after the other and read it in blocks. A cancellation ends the next read. */
#include "survey.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 16 << 10, OPEN_FOLDERS = 32 };

struct tree {
    char **paths;
    size_t count, room;
    uint64_t bytes;
};

/* One round. */
struct round {
    struct survey *survey;
    struct tree tree;
    struct counts *each; /* of each task */
    _Atomic(size_t) next_task, next_file;
    _Atomic(uint64_t) bytes_done;
};

/* --- the list --- */

static _Thread_local struct tree *listed; /* nftw() has no argument for its function */

static int list_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    struct tree *tree = listed;

    (void)where;
    if (kind != FTW_F || !S_ISREG(status->st_mode))
        return 0;
    if (tree->count == tree->room) {
        size_t room = tree->room ? 2 * tree->room : 256;
        char **paths = realloc(tree->paths, room * sizeof *paths);
        if (!paths)
            return -ENOMEM;
        tree->paths = paths;
        tree->room = room;
    }
    tree->paths[tree->count] = strdup(path);
    if (!tree->paths[tree->count])
        return -ENOMEM;
    tree->count++;
    tree->bytes += (uint64_t)status->st_size;
    return 0;
}

static int list(void *arg)
{
    struct round *round = arg;

    listed = &round->tree;
    int r = nftw(round->survey->root, list_one, OPEN_FOLDERS, FTW_PHYS);
    return r == -1 ? -errno : r;
}

static void free_round(struct round *round)
{
    for (size_t i = 0; i < round->tree.count; i++)
        free(round->tree.paths[i]);
    free(round->tree.paths);
    free(round->each);
}

/* --- counting --- */

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What wc(1) counts, in the C locale: bytes between spaces. */
static void count_block(struct counts *counts, const char *block, size_t bytes, bool *in_word)
{
    for (size_t i = 0; i < bytes; i++) {
        counts->lines += block[i] == '\n';
        counts->words += !is_space(block[i]) && !*in_word;
        *in_word = !is_space(block[i]);
    }
    counts->bytes += bytes;
}

static void show_progress(struct round *round, size_t bytes, const char *path)
{
    uint64_t done = atomic_fetch_add_explicit(&round->bytes_done, bytes, memory_order_relaxed);

    rv_fg_progress(round->survey->fg, done + bytes, round->tree.bytes, path);
}

/* 0, also where it cannot be read; -ECANCELED. */
static int count_file(struct round *round, struct counts *counts, const char *path)
{
    char block[BLOCK_BYTES];
    bool in_word = false;
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && (n = rv_read(fd, block, sizeof block, RV_NEVER)) > 0) {
        count_block(counts, block, (size_t)n, &in_word);
        show_progress(round, (size_t)n, path);
    }
    if (fd >= 0)
        (void)!rv_close(fd); /* it was only read */
    if (n == -ECANCELED)
        return (int)n;
    counts->files += n == 0;
    counts->unreadable += n < 0;
    return 0;
}

/* A task, or the one thread. */
static int count_files(void *arg)
{
    struct round *round = arg;
    struct counts *counts = &round->each[atomic_fetch_add(&round->next_task, 1)];
    size_t i;
    int r = 0;

    while (r == 0 && (i = atomic_fetch_add(&round->next_file, 1)) < round->tree.count) {
        r = count_file(round, counts, round->tree.paths[i]);
        rv_yield();
    }
    return r;
}

static int count_by_tasks(struct round *round)
{
    int err;

    RV_SCOPE(s, err, .name = "survey") {
        int r = 0;
        for (unsigned i = 0; r == 0 && i < rv_run_workers(); i++)
            r = rv_go(s, count_files, round);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    return err;
}

/* --- a round --- */

static void sum_up(struct survey *survey, const struct counts *each, size_t count)
{
    survey->counts = (struct counts){0};
    for (size_t i = 0; i < count; i++) {
        survey->counts.files += each[i].files;
        survey->counts.unreadable += each[i].unreadable;
        survey->counts.bytes += each[i].bytes;
        survey->counts.lines += each[i].lines;
        survey->counts.words += each[i].words;
    }
    survey->rounds++;
}

static int run_round(struct survey *survey, int (*count)(struct round *round))
{
    struct round round = {.survey = survey};
    size_t tasks = rv_run_workers() ? rv_run_workers() : 1;
    int r = rv_blocking(list, &round, NULL);

    if (r == 0) {
        round.each = calloc(tasks, sizeof *round.each);
        r = round.each ? count(&round) : -ENOMEM;
    }
    if (r == 0)
        sum_up(survey, round.each, tasks);
    free_round(&round);
    return r;
}

int survey_run(void *arg)
{
    struct survey *survey = arg;
    int r;

    do
        r = run_round(survey, count_by_tasks);
    while (r == 0 && survey->again && rv_cancelled() == 0);
    survey->result = r == 0 && rv_cancelled() ? -ECANCELED : r;
    /* It has to be told, cancelled or not: nobody else may use the survey before. */
    r = rv_shield_begin(rv_after(RV_MINUTE));
    if (r == 0) {
        r = rv_fg_post(survey->fg, survey->ended, survey->arg, RV_NEVER);
        rv_shield_end();
    }
    return r < 0 ? r : survey->result;
}

static int count_alone(struct round *round)
{
    return count_files(round);
}

int survey_run_here(struct survey *survey, rv_time at_least)
{
    rv_time until = rv_after(at_least);
    int r;

    do
        r = run_round(survey, count_alone);
    while (r == 0 && rv_now() < until);
    return survey->result = r;
}
