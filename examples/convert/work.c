/* SPDX-License-Identifier: MIT */
/* work.c - a whole folder converted on one tier: hand the pictures over, save what comes back, say
 * what has become of the others.
 *
 * This is the part to read. Where jobs run is the word given to rv_executor_open(); nothing else
 * differs. But what can be known of a job that has crashed differs: elsewhere than in processes,
 * nobody is left who could ask.
 *
 * A window of futures slides over the names, as in examples/wordfreq. Thumbnails are saved here,
 * not by the job: a process that dies leaves no half of a file, and a confined one writes none. */
#include "work.h"

#include "picture.h"
#include "show.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

RV_JOB(shrink, struct picture, struct thumbnail);

enum { WINDOW_PER_WORKER = 4 };

struct work {
    const char *from, *to, *tier;
    bool confined;
    struct dirent **names;
    size_t count;
    rv_future **window; /* jobs [saved, submitted) are in it, each at its number modulo the size */
    size_t window_size;
    size_t submitted, saved;
    struct thumbnail thumbnail; /* the result being saved; too large for a task's stack */
    struct tally tally;
};

/* Name with another ending. */
static int path_of(char path[static PATH_BYTES], const char *folder, const char *name,
                   const char *ending)
{
    int stem = (int)strlen(name) - (int)strlen(".png");
    int length = snprintf(path, PATH_BYTES, "%s/%.*s%s", folder, stem, name, ending);
    return length < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int save(struct work *w, const char *name)
{
    char path[PATH_BYTES];
    int err = path_of(path, w->to, name, ".ppm");
    int fd =
        err < 0 ? err
                : rv_openat(RV_CWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666, RV_NEVER);
    if (fd < 0)
        return fd;
    const struct thumbnail *t = &w->thumbnail;
    char header[64];
    int length = snprintf(header, sizeof header, "P6\n%u %u\n255\n", t->width, t->height);
    err = rv_write_all(fd, header, (size_t)length, NULL, RV_NEVER);
    if (err == 0)
        err = rv_write_all(fd, t->pixels, 3 * (size_t)t->width * t->height, NULL, RV_NEVER);
    int closed = rv_close(fd);
    return err < 0 ? err : closed;
}

/* The job's outcome is a fact about one picture; only what fails here is an error of the work. */
static int take_oldest(struct work *w)
{
    rv_future **slot = &w->window[w->saved % w->window_size];
    const char *name = w->names[w->saved]->d_name;
    struct rv_outcome outcome;
    int err = rv_future_get(*slot, &w->thumbnail, &outcome, RV_NEVER);
    if (err < 0)
        return err;
    if (outcome.kind == RV_OUTCOME_VALUE) {
        w->tally.converted++;
        err = save(w, name);
    } else {
        w->tally.failed++;
        show_failure(name, &outcome, *slot);
    }
    *slot = rv_future_free(*slot);
    w->saved++;
    if (err < 0)
        fprintf(stderr, "convert: %s: its thumbnail: %s\n", name, strerror(-err));
    return err;
}

static int hand_over(struct work *w, rv_executor *ex)
{
    struct picture picture = {0};
    int err = 0;
    while (err == 0 && w->submitted < w->count) {
        if (w->submitted - w->saved == w->window_size)
            err = take_oldest(w);
        if (err == 0)
            err = path_of(picture.path, w->from, w->names[w->submitted]->d_name, ".png");
        if (err == 0)
            err = rv_submit(ex, &w->window[w->submitted % w->window_size], shrink, &picture,
                            RV_NEVER);
        if (err == 0)
            w->submitted++;
    }
    while (err == 0 && w->saved < w->submitted)
        err = take_oldest(w);
    return err;
}

/* A worker that crashes leaves no core; one that is led to take too much memory is stopped. */
static int open_executor(rv_executor **ret, const struct work *w)
{
    const struct rv_child_limit no_core = {RLIMIT_CORE, {0, 0}};
    const struct rv_process_opts process = {
        .size = sizeof process,
        .limits = &no_core,
        .limit_count = 1,
        .memory_bytes = UINT64_C(1) << 30,
        .confinement = w->confined ? RV_CONFINE_READING : RV_CONFINE_NONE,
    };
    const struct rv_executor_opts opts = {.size = sizeof opts, .process = &process};
    int err = rv_executor_open(ret, w->tier, &opts);
    if (err < 0)
        fprintf(stderr, "convert: %s: %s\n", w->tier, strerror(-err));
    return err;
}

static int work(void *arg)
{
    struct work *w = arg;
    rv_time start = rv_now();
    rv_executor *ex;
    int err = open_executor(&ex, w);
    if (err < 0)
        return err;
    snprintf(w->tally.choice, sizeof w->tally.choice, "%s", rv_executor_choice(ex));
    w->window_size = (size_t)WINDOW_PER_WORKER * rv_executor_width(ex);
    w->window = calloc(w->window_size, sizeof *w->window);
    err = w->window ? hand_over(w, ex) : -ENOMEM;
    w->tally.stats.size = sizeof w->tally.stats;
    int counted = rv_executor_stats_read(ex, &w->tally.stats);
    int closed = rv_executor_close(ex, err < 0 ? RV_CLOSE_CANCEL : RV_CLOSE_WAIT, RV_NEVER);
    w->tally.wall_ns = rv_now() - start;

    for (; w->saved < w->submitted; w->saved++) /* only after an error is anything left */
        rv_future_free(w->window[w->saved % w->window_size]);
    free(w->window);
    return err < 0 ? err : counted < 0 ? counted : closed;
}

static int is_picture(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name), ending = strlen(".png");
    return length > ending && strcmp(entry->d_name + length - ending, ".png") == 0;
}

int work_run(struct tally *ret, const char *from, const char *to, const char *tier, bool confined)
{
    struct work w = {.from = from, .to = to, .tier = tier, .confined = confined};
    int count = scandir(from, &w.names, is_picture, alphasort);
    if (count < 0) {
        int err = -errno;
        fprintf(stderr, "convert: %s: %s\n", from, strerror(-err));
        return err;
    }
    w.count = (size_t)count;
    int err = rv_run(work, &w, NULL);
    for (size_t i = 0; i < w.count; i++)
        free(w.names[i]);
    free(w.names);
    *ret = w.tally;
    return err;
}
