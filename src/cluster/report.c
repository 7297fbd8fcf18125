/* SPDX-License-Identifier: MIT */
/* report.c - what an agent says of itself, to people or to programs.
 *
 * A line on a terminal is written over and over, and ends with a return: what a job writes to
 * standard error begins at the left edge, over it. In lines of JSON nothing is said twice. What is
 * said goes through a queue (ravel/print.h), so a terminal that is stopped stops no job; when that
 * is full or gone, the agent has nobody to tell, and goes on. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <ravel/print.h>

#include "cluster/inside.h"

enum { TEXT_BYTES = 1024 };

static void print(enum rv_print_stream stream, const char *text)
{
    int r = rv_print_text(stream, text, strlen(text), 0);

    (void)r; /* see above */
}

/* --- JSON --- */

static void escape(char *to, size_t room, const char *from)
{
    size_t at = 0;

    for (; *from && at + sizeof("\\u0000") < room; from++) {
        unsigned char c = (unsigned char)*from;
        if (c == '"' || c == '\\')
            to[at++] = '\\';
        if (c >= ' ')
            to[at++] = (char)c;
        else
            at += (size_t)snprintf(to + at, room - at, "\\u%04x", c);
    }
    to[at] = '\0';
}

static void say_joined(const struct rvi_agent *a)
{
    const struct rvi_engine_opts *engine = &a->opts.engine;
    char text[TEXT_BYTES], url[TEXT_BYTES / 2];

    escape(url, sizeof(url), engine->url);
    snprintf(text, sizeof(text),
             "{\"event\":\"joined\",\"pool\":\"%s\",\"url\":\"%s\",\"build\":\"%s\","
             "\"slots\":%u}\n",
             engine->pool, url, engine->build, a->opts.slots);
    print(RV_OUT, text);
}

static void say_counts(const struct rvi_agent *a, const char *event)
{
    const struct rvi_agent_counts *counts = &a->counts;
    char text[TEXT_BYTES];

    snprintf(text, sizeof(text),
             "{\"event\":\"%s\",\"busy\":%u,\"slots\":%u,\"values\":%" PRIu64
             ",\"failures\":%" PRIu64 ",\"handed_back\":%" PRIu64 ",\"lost\":%" PRIu64 "}\n",
             event, a->busy, a->slots, counts->values, counts->failures, counts->handed_back,
             counts->lost);
    print(RV_OUT, text);
}

static void say_words(const char *event, int error, const char *words)
{
    char text[TEXT_BYTES], escaped[TEXT_BYTES / 2];

    escape(escaped, sizeof(escaped), words);
    snprintf(text, sizeof(text), "{\"event\":\"%s\",\"error\":\"%s\",\"words\":\"%s\"}\n", event,
             error < 0 ? strerrorname_np(-error) : "", escaped);
    print(RV_OUT, text);
}

/* --- the line --- */

static void add(char *text, uint64_t count, const char *what)
{
    size_t length = strlen(text);

    if (count > 0)
        snprintf(text + length, TEXT_BYTES - length, ", %" PRIu64 " %s", count, what);
}

static void write_line(const struct rvi_agent *a, const char *end)
{
    char text[TEXT_BYTES];
    const char *away = a->known_link < 0 ? "the cluster is away; " : "";

    if (a->has_left)
        snprintf(text, sizeof(text), "\033[K%s: left", a->opts.engine.pool);
    else if (a->is_leaving)
        snprintf(text, sizeof(text), "\033[K%s: %sleaving, %u left to finish", a->opts.engine.pool,
                 away, a->busy);
    else
        snprintf(text, sizeof(text), "\033[K%s: %srunning %u of %u", a->opts.engine.pool, away,
                 a->busy, a->opts.slots);
    add(text, a->counts.values, "done");
    add(text, a->counts.failures, "failed");
    add(text, a->counts.handed_back, "handed back");
    add(text, a->counts.lost, "lost");
    size_t length = strlen(text);
    snprintf(text + length, sizeof(text) - length, "%s", end);
    print(RV_ERR, text);
}

/* --- what happens --- */

void rvi_report_joined(const struct rvi_agent *a)
{
    char text[TEXT_BYTES];

    if (a->opts.report == RVI_REPORT_JSON)
        say_joined(a);
    if (a->opts.report != RVI_REPORT_LINE)
        return;
    snprintf(text, sizeof(text), "\033[Kravel: joined pool %s at %s, %u at one time\n",
             a->opts.engine.pool, a->opts.engine.url, a->opts.slots);
    print(RV_ERR, text);
}

void rvi_report_state(const struct rvi_agent *a)
{
    if (a->opts.report == RVI_REPORT_JSON && a->is_stirred)
        say_counts(a, "state");
    if (a->opts.report == RVI_REPORT_LINE)
        write_line(a, "\r");
}

void rvi_report_leaving(const struct rvi_agent *a)
{
    if (a->opts.report == RVI_REPORT_JSON)
        say_counts(a, "leaving");
}

void rvi_report_left(const struct rvi_agent *a)
{
    if (a->opts.report == RVI_REPORT_JSON)
        say_counts(a, "left");
    if (a->opts.report == RVI_REPORT_LINE)
        write_line(a, "\n");
}

/* The reason in words, or else by its number; "": none has to be given. */
static void warn(const struct rvi_agent *a, const char *text, int error, const char *words)
{
    char line[TEXT_BYTES];
    const char *clear = a->opts.report == RVI_REPORT_LINE ? "\033[K" : "";
    const char *reason = words[0] || error == 0 ? words : strerrordesc_np(-error);

    snprintf(line, sizeof(line), "%sravel: %s%s%s\n", clear, text, reason[0] ? ": " : "", reason);
    print(RV_ERR, line);
}

void rvi_report_link(struct rvi_agent *a, int error, const char *words)
{
    if (a->opts.report == RVI_REPORT_JSON)
        say_words(error == 0 ? "back" : error == -ENOTCONN ? "away" : "sent away", error, words);
    if (error == 0)
        warn(a, "the cluster is back", 0, "");
    else if (error == -ENOTCONN)
        warn(a, "the cluster is away; what runs goes on, and its results wait", error, words);
    else
        warn(a, "the cluster has sent this worker away", error, words);
    a->has_told_why |= error < 0 && error != -ENOTCONN;
}

void rvi_report_trouble(struct rvi_agent *a, const char *what, int error, const char *words)
{
    if (a->opts.report == RVI_REPORT_JSON)
        say_words("trouble", error, words[0] ? words : what);
    warn(a, what, error, words);
    a->has_told_why = true;
}
