/* SPDX-License-Identifier: MIT */
/* work.c - the whole job on one tier: hand the chunks over, merge what comes back.
 *
 * This is the part to read. The tier is a word given to rv_executor_open(); nothing else differs.
 *
 * Memory stays bounded because a window of futures slides over the chunks: when it is full, the
 * oldest job is waited for and merged before the next chunk is handed over. Nothing is lost by not
 * taking whichever ends first, as long as the window holds more jobs than can run at a time. */
#include "work.h"

#include "term.h"

#include <errno.h>
#include <stdlib.h>

RV_JOB(count_words, struct chunk, struct count);

enum { WINDOW_PER_WORKER = 4, MOST_WINDOW = 128 };

struct work {
    const struct files *files;
    const char *executor;
    rv_future **window; /* jobs [merged, submitted) are in it, each at its number modulo the size */
    size_t window_size;
    size_t submitted;
    size_t merged;
    size_t failed;
    struct table table;
    struct count count; /* the result being merged; far too large for a task's stack */
    rv_time wall_ns;
};

static int merge_oldest(struct work *w)
{
    rv_future **slot = &w->window[w->merged % w->window_size];
    struct rv_outcome outcome;
    int err = rv_future_get(*slot, &w->count, &outcome, RV_NEVER);
    if (err < 0)
        return err;
    *slot = rv_future_free(*slot);
    w->merged++;
    if (outcome.kind != RV_OUTCOME_VALUE) {
        w->failed++;
        return 0;
    }
    struct word word;
    for (size_t at = 0; err == 0 && count_next(&w->count, &at, &word);)
        err = table_add(&w->table, &word);
    return err;
}

static void show_progress(const struct work *w, size_t file)
{
    const struct files *f = w->files;
    progress_show("%s of %s files, %s of %s chunks, %d %%", text_count(file).s,
                  text_count(f->count).s, text_count(w->merged).s, text_count(f->chunks).s,
                  (int)(100 * w->merged / f->chunks));
}

static int hand_over(struct work *w, rv_executor *ex)
{
    struct chunk chunk;
    struct chunk_at at = {0};
    int err = 0;
    while (err == 0 && files_next_chunk(w->files, &at, &chunk)) {
        if (w->submitted - w->merged == w->window_size)
            err = merge_oldest(w);
        if (err == 0)
            err = rv_submit(ex, &w->window[w->submitted % w->window_size], count_words, &chunk,
                            RV_NEVER);
        if (err == 0)
            w->submitted++;
        if (progress_is_due())
            show_progress(w, at.file);
    }
    while (err == 0 && w->merged < w->submitted)
        err = merge_oldest(w);
    return err;
}

static int work(void *arg)
{
    struct work *w = arg;
    rv_time start = rv_now();
    rv_executor *ex;
    int err = rv_executor_open(&ex, w->executor, NULL);
    if (err < 0)
        return err;
    w->window_size = (size_t)WINDOW_PER_WORKER * rv_executor_width(ex);
    if (w->window_size > MOST_WINDOW)
        w->window_size = MOST_WINDOW;
    w->window = calloc(w->window_size, sizeof *w->window);
    err = w->window ? hand_over(w, ex) : -ENOMEM;
    int closed = rv_executor_close(ex, err < 0 ? RV_CLOSE_CANCEL : RV_CLOSE_WAIT, RV_NEVER);
    w->wall_ns = rv_now() - start;

    for (; w->merged < w->submitted; w->merged++) /* only after an error is anything left */
        rv_future_free(w->window[w->merged % w->window_size]);
    free(w->window);
    return err < 0 ? err : closed;
}

int work_run(struct run *ret, const struct files *files, const char *executor, unsigned workers)
{
    struct work w = {.files = files, .executor = executor};
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers, .no_interrupt = 1};
    int err = rv_run(work, &w, &opts);
    progress_end();
    *ret = (struct run){.wall_ns = w.wall_ns, .jobs = w.submitted, .failed = w.failed};
    if (err == 0)
        err = table_answer(&w.table, &ret->answer);
    table_free(&w.table);
    return err;
}
