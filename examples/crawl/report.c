/* SPDX-License-Identifier: MIT */
/* report.c - what becomes of the URLs, told while it happens and summed up in the end.
 *
 * All that is counted is counted by one task, which has it told by the others through a channel: no
 * lock, no atomics. Its wait for the next piece of news is what the progress line is timed by. */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const rv_time PROGRESS_NS = 100 * RV_MILLISECOND;

enum { LINE_MOST = URL_MOST + 256 };

bool report_is_success(const struct news *n)
{
    return n->err == 0 && n->fetched.status >= 200 && n->fetched.status < 400;
}

static const char *why(const struct news *n)
{
    switch (n->err) {
    case 0:
        return "";
    case -ETIME:
        return "took too long";
    case -EPROTO:
        return "the answer is no HTTP";
    case -ENODATA:
        return "the answer ended too early";
    case -EINVAL:
        return "no http URL";
    default:
        return strerror(-n->err);
    }
}

/* "404", "Connection refused, after 4 attempts" */
static void describe(char out[static LINE_MOST], const struct news *n)
{
    char status[16] = "";
    if (n->err == 0)
        snprintf(status, sizeof status, "%d", n->fetched.status);
    int len = snprintf(out, LINE_MOST, "%s: %s%s", n->url, status, why(n));
    if (n->attempts > 1 && len < LINE_MOST)
        snprintf(out + len, LINE_MOST - (size_t)len, ", after %u attempts", n->attempts);
}

static void erase_progress(const struct report *r)
{
    if (r->shown)
        rv_print_error("\r\033[K");
}

static void show_progress(struct report *r)
{
    rv_time now = rv_now();
    if (!r->progress || now - r->shown < PROGRESS_NS)
        return;
    r->shown = now;
    rv_print_error("\r\033[K%llu fetched, %llu failed, %llu retries, %.1f MB",
                   (unsigned long long)r->fetched, (unsigned long long)r->failed,
                   (unsigned long long)r->retries, (double)r->bytes / 1e6);
}

static void print_line(struct report *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Lines come between two progress lines. */
static void print_line(struct report *r, const char *format, ...)
{
    va_list args;
    erase_progress(r);
    va_start(args, format);
    int err = rv_print_v(RV_OUT, format, args, RV_NEVER);
    va_end(args);
    r->err = r->err ? r->err : err;
}

/* The first failure is told at once, where the errors go. */
static void take_failure(struct report *r, const struct news *n)
{
    char line[LINE_MOST];
    describe(line, n);
    r->failed++;
    print_line(r, "failed %s\n", line);
    if (r->first_failure)
        return;
    r->first_failure = strdup(line);
    erase_progress(r);
    rv_print_error("crawl: %s\n", line);
}

static void take(struct report *r, const struct news *n)
{
    if (n->kind == NEWS_RETRY) {
        r->retries++;
        return;
    }
    r->bytes += n->fetched.bytes;
    if (report_is_success(n)) {
        r->fetched++;
        print_line(r, "%d %llu %s\n", n->fetched.status, (unsigned long long)n->fetched.bytes,
                   n->url);
    } else {
        take_failure(r, n);
    }
    free(n->url);
}

int report_run(void *arg)
{
    struct report *r = arg;
    struct news news;
    int err;

    do {
        err = rv_chan_recv(r->news, &news, r->progress ? rv_after(PROGRESS_NS) : RV_NEVER);
        if (err == 0)
            take(r, &news);
        show_progress(r);
    } while (r->err == 0 && (err == 0 || err == -ETIME));
    erase_progress(r);
    return r->err || err == -EPIPE ? r->err : err;
}

void report_end(struct report *r)
{
    double seconds = (double)(rv_now() - r->begin) / (double)RV_SECOND;
    rv_print_error("crawl: %llu of %llu fetched, %.1f MB in %.1f s, %llu retries\n",
                   (unsigned long long)r->fetched, (unsigned long long)(r->fetched + r->failed),
                   (double)r->bytes / 1e6, seconds, (unsigned long long)r->retries);
    if (r->failed)
        rv_print_error("crawl: %llu failed, the first of them %s\n", (unsigned long long)r->failed,
                       r->first_failure ? r->first_failure : "unknown");
    free(r->first_failure);
    for (struct news n; rv_chan_try_recv(r->news, &n) == 0;) /* told to nobody */
        free(n.url);
}
