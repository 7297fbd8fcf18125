/* SPDX-License-Identifier: MIT */
/* crawl.c - a list of URLs fetched, several at a time.
 *
 * This is the part to read. A task for each URL, in a scope that says how many there are at one
 * time: rv_go() waits for a place, and so the list is read no faster than it is worked off,
 * however long it is. What becomes of a URL goes through a channel to the one task that reports.
 *
 * What may go better the next time is tried again: no answer, one that broke off, and the answers
 * that say so. The wait before it is a random part of a length that doubles from time to time, so
 * that those who failed together do not come back together ("full jitter": M. Brooker, Exponential
 * Backoff And Jitter, 2015). */
#include "crawl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const rv_time BACKOFF_MOST_NS = 10 * RV_SECOND;

struct job {
    const struct plan *plan;
    rv_chan *news;
    char *url;
    unsigned seed; /* of the waits */
};

static bool is_worth_another(const struct news *n)
{
    static const int later[] = {408, 425, 429, 500, 502, 503, 504};
    if (n->err)
        return n->err != -EINVAL && n->err != -ECANCELED && n->err != -ENOMEM;
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        if (n->fetched.status == later[i])
            return true;
    return false;
}

static int back_off(struct job *j, unsigned attempts)
{
    rv_time most = j->plan->backoff_ns;
    for (unsigned i = 1; i < attempts && most < BACKOFF_MOST_NS; i++)
        most *= 2;
    if (most > BACKOFF_MOST_NS)
        most = BACKOFF_MOST_NS;
    return rv_sleep((rv_time)((double)most * rand_r(&j->seed) / RAND_MAX));
}

/* Attempts, until one is the last. */
static int fetch_at_last(struct job *j, struct news *n)
{
    struct url url;
    int err = 0;

    n->err = url_parse(&url, j->url) ? 0 : -EINVAL;
    while (n->err != -EINVAL) {
        n->attempts++;
        n->err = fetch(&url, &n->fetched, rv_after(j->plan->timeout_ns));
        if (!is_worth_another(n) || n->attempts > j->plan->retries)
            break;
        err = rv_chan_send(j->news, &(struct news){.kind = NEWS_RETRY}, RV_NEVER);
        if (err == 0)
            err = back_off(j, n->attempts);
        if (err < 0)
            return err;
    }
    return n->err == -ECANCELED ? n->err : 0;
}

static int work(void *arg)
{
    struct job *j = arg;
    struct news news = {.kind = NEWS_DONE, .url = j->url};
    int err = fetch_at_last(j, &news);

    if (err == 0)
        err = rv_chan_send(j->news, &news, RV_NEVER);
    if (err < 0)
        free(j->url);
    free(j);
    return err;
}

static int start(rv_scope *scope, const struct plan *plan, rv_chan *news, const char *text,
                 size_t len)
{
    static unsigned started;
    struct job *j = malloc(sizeof *j);
    char *url = strndup(text, len);
    int err = j && url ? 0 : -ENOMEM;

    if (err == 0) {
        *j = (struct job){plan, news, url, (unsigned)getpid() * 7919U + started++};
        err = rv_go(scope, work, j);
    }
    if (err < 0) {
        free(j);
        free(url);
    }
    return err;
}

/* The list: lines that are not empty and do not begin with '#'. */
static int start_all(rv_scope *scope, const struct plan *plan, rv_chan *news, int list)
{
    struct rv_reader reader;
    struct rv_line line;
    int r;

    rv_reader_init(&reader, rv_stream_fd(list), NULL, 2 * URL_MOST);
    while ((r = rv_reader_until(&reader, '\n', URL_MOST, &line, RV_NEVER)) > 0) {
        while (line.bytes > 0 && strchr(" \t\r", line.text[line.bytes - 1]))
            line.bytes--;
        if (line.bytes > 0 && line.text[0] != '#')
            r = start(scope, plan, news, line.text, line.bytes);
        if (r < 0)
            break;
    }
    rv_reader_fini(&reader);
    return r;
}

/* Every URL of the list has had its end when this returns. */
static int fetch_all(const struct plan *plan, rv_chan *news, int list)
{
    int started = 0, err;
    RV_SCOPE(fetching, err, .limit = plan->jobs, .name = "fetching") {
        started = start_all(fetching, plan, news, list);
        if (started < 0)
            rv_scope_cancel(fetching, started);
    }
    return err;
}

static int crawl_from(const struct plan *plan, struct report *report, int list)
{
    int err, fetched = 0;
    RV_SCOPE(reporting, err, .name = "reporting") {
        fetched = rv_go(reporting, report_run, report);
        if (fetched == 0)
            fetched = fetch_all(plan, report->news, list);
        rv_chan_close(report->news);
    }
    return err < 0 ? err : fetched;
}

int crawl(const struct plan *plan, struct report *report)
{
    int list = strcmp(plan->list, "-") == 0 ? STDIN_FILENO
                                            : open(plan->list, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (list < 0)
        return -errno;
    int err = rv_chan_new(&report->news, sizeof(struct news), 64);
    if (err == 0) {
        report->begin = rv_now();
        err = crawl_from(plan, report, list);
        report_end(report);
        rv_chan_free(report->news);
    }
    if (list != STDIN_FILENO)
        rv_close(list);
    return err;
}
