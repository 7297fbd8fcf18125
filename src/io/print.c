/* SPDX-License-Identifier: MIT */
/* print.c - who prints, and who has to wait for room in an outlet (sys/outlet.h), in line.
 *
 * A call that finds room puts its text into the ring and is done; it is not even asked whether its
 * scope is cancelled, for a task that was cancelled has to be able to say so. Otherwise it joins
 * the line of its stream:
 *
 *   P1  `crowd` of the outlet says PRINTERS exactly while the line is not empty, but for one in
 *       turn that is about to look a last time; likewise FLUSHERS. It changes under the line's lock
 *   P2  who stands in the line at another place than the first has put nothing in yet
 *   P3  who is taken off the line is owed one wake, after the lock is free
 *
 * Nobody goes before the line (P1), so who waits is served in its order, by the outlet's thread:
 * it puts the texts of those who wait into the ring, straight from their memory, as far as there is
 * room, and wakes them. Before anybody waits he says so in `crowd` and then looks at the ring once
 * more; the outlet's thread makes room and then looks at `crowd`: one of them sees the other
 * (outlet.c).
 *
 * A text longer than the bound is put in piece by piece while it is first in line. Who gives up
 * takes himself off the line; then the next may have room, and is looked after at once.
 *
 * Lock order: line.lock, then the outlet's own.
 * Rejected: a queue of texts in memory of their own: an allocation a line, and a bound in lines
 * means nothing to who has to set it.
 * Checked by: tests/unit/io/test_print*.c, tests/stress/stress_print.c, tests/faults */
#include <ravel/print.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/list.h"
#include "base/opts.h"
#include "base/seam.h"
#include "io/sentence.h"
#include "sched/wait.h"
#include "sys/lock.h"
#include "sys/outlet.h"

#define LEAST_BOUND ((size_t)4096)
#define MOST_BOUND ((size_t)1 << 30)

/* One that waits, for room or for an end. */
struct party {
    struct rvi_waiter waiter;
    struct line *line;
    const char *text; /* what is not yet in the ring */
    size_t bytes;
    uint64_t target; /* of one that flushes: when so many bytes have passed */
    bool is_served;  /* off the line, with a result */
    int result;
};

struct line {
    struct rvi_outlet *outlet;
    struct rvi_lock lock; /* guards all below */
    struct rvi_list printers, flushers;
    uint64_t waits;
};

static struct line lines[2];
static pthread_once_t once = PTHREAD_ONCE_INIT, fork_once = PTHREAD_ONCE_INIT;

static struct party *party_of(struct rvi_link *link)
{
    return rvi_container_of(link, struct party, waiter.link);
}

/* --- with the line's lock held --- */

static void update_crowd(struct line *line)
{
    unsigned printers = rvi_list_is_empty(&line->printers) ? 0 : RVI_OUTLET_PRINTERS;
    unsigned flushers = rvi_list_is_empty(&line->flushers) ? 0 : RVI_OUTLET_FLUSHERS;

    rvi_outlet_set_crowd(line->outlet, printers | flushers);
}

/* True: it is done, with a result. */
static bool serve_printer(struct line *line, struct party *party)
{
    int64_t n = rvi_outlet_put(line->outlet, party->text, party->bytes, true);

    if (n < 0) {
        party->result = (int)n;
        return true;
    }
    party->text += n;
    party->bytes -= (size_t)n;
    return party->bytes == 0;
}

static bool serve_flusher(struct line *line, struct party *party)
{
    return rvi_outlet_passed(line->outlet) >= party->target;
}

/* Take off a list, from its first on, those that are done; who is to be woken is in the other. */
static void serve(struct rvi_list *list, bool (*is_done)(struct line *, struct party *),
                  struct rvi_list *served)
{
    struct rvi_link *link;

    while ((link = rvi_list_first(list)) && is_done(party_of(link)->line, party_of(link))) {
        party_of(link)->is_served = true;
        rvi_link_remove(link);
        rvi_list_push_back(served, link);
    }
}

/* --- the line --- */

static void look_after(struct line *line)
{
    struct rvi_list served;
    struct rvi_link *link;

    rvi_list_init(&served);
    rvi_lock_acquire(&line->lock);
    serve(&line->printers, serve_printer, &served);
    serve(&line->flushers, serve_flusher, &served);
    update_crowd(line);
    rvi_lock_release(&line->lock);
    while ((link = rvi_list_pop_front(&served)))
        rvi_wake(&party_of(link)->waiter);
}

static void hear_news(struct rvi_outlet *outlet)
{
    look_after(&lines[outlet == lines[1].outlet]);
}

static bool withdraw(struct rvi_waiter *w, void *object)
{
    struct party *party = object;
    struct line *line = party->line;

    rvi_lock_acquire(&line->lock);
    bool was_there = !party->is_served;
    if (was_there)
        rvi_link_remove(&w->link);
    rvi_lock_release(&line->lock);
    if (was_there)
        look_after(line);
    return was_there;
}

/* Join one of the line's lists, unless that makes it done at once. */
static int wait_in_line(struct line *line, struct rvi_list *list, struct party *party,
                        bool (*is_done)(struct line *, struct party *), rv_time deadline)
{
    bool is_first = rvi_list_is_empty(list);

    rvi_waiter_init(&party->waiter);
    rvi_list_push_back(list, &party->waiter.link);
    update_crowd(line);
    bool must_wait = !is_first || !is_done(line, party);
    if (!must_wait) {
        rvi_link_remove(&party->waiter.link);
        update_crowd(line);
    }
    rvi_lock_release(&line->lock);
    int r = must_wait ? rvi_wait(&party->waiter, deadline, RVI_WHY_PRINT, withdraw, party) : 0;
    return r < 0 ? r : party->result;
}

static int wait_for_room(struct line *line, const char *text, size_t bytes, rv_time deadline)
{
    struct party party = {.line = line, .text = text, .bytes = bytes};
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_lock_acquire(&line->lock);
    line->waits++;
    return wait_in_line(line, &line->printers, &party, serve_printer, deadline);
}

static int wait_for_end(struct line *line, rv_time deadline)
{
    struct party party = {.line = line};
    int r = rvi_wait_allowed();

    if (r < 0)
        return r;
    rvi_lock_acquire(&line->lock);
    party.target = rvi_outlet_queued(line->outlet);
    return wait_in_line(line, &line->flushers, &party, serve_flusher, deadline);
}

/* --- setting up --- */

static int refuse(const char *what, const char *value)
{
    fprintf(stderr, "ravel: %s=%s: give a whole number from %zu to %zu\n", what, value, LEAST_BOUND,
            MOST_BOUND);
    return -EINVAL;
}

/* 0: not set. */
static int bound_from_environment(size_t *ret)
{
    const char *text = getenv("RAVEL_PRINT_BYTES");
    char *end;

    *ret = 0;
    if (!text || !*text)
        return 0;
    unsigned long long bound = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || bound < LEAST_BOUND || bound > MOST_BOUND)
        return refuse("RAVEL_PRINT_BYTES", text);
    *ret = (size_t)bound;
    return 0;
}

static void init_lines(void)
{
    struct rvi_seam *seam = rvi_seam_leave();
    size_t bound;

    for (int i = 0; i < 2; i++) {
        lines[i].outlet = rvi_outlet_of(i ? STDERR_FILENO : STDOUT_FILENO);
        rvi_list_init(&lines[i].printers);
        rvi_list_init(&lines[i].flushers);
    }
    if (bound_from_environment(&bound) == 0 && bound)
        RV_CHECK(rvi_outlets_set_bound(bound) == 0); /* none has been opened */
    rvi_seam_return(seam);
}

static void lock_lines(void)
{
    for (int i = 0; i < 2; i++)
        rvi_lock_acquire(&lines[i].lock);
}

static void unlock_lines(void)
{
    for (int i = 0; i < 2; i++)
        rvi_lock_release(&lines[i].lock);
}

/* Who stood in line has stayed with the parent. */
static void clear_lines(void)
{
    for (int i = 0; i < 2; i++) {
        rvi_list_init(&lines[i].printers);
        rvi_list_init(&lines[i].flushers);
        lines[i].waits = 0;
    }
    unlock_lines();
}

/* After the outlets have: then these locks are taken first. */
static void watch_forks(void)
{
    if (pthread_atfork(lock_lines, unlock_lines, clear_lines) != 0)
        rvi_panic("rv_print(): no memory to prepare for fork()");
}

/* Errors: as rvi_outlet_open(). */
static int open_line(struct line **ret, enum rv_print_stream stream)
{
    pthread_once(&once, init_lines);
    struct line *line = &lines[stream == RV_ERR];
    int r = rvi_outlet_open(line->outlet, hear_news);

    if (r == 0 && !rvi_seam)
        pthread_once(&fork_once, watch_forks);
    *ret = line;
    return r;
}

int rv_print_setup(const struct rv_print_opts *opts)
{
    struct rv_print_opts known;
    size_t bound = 0;
    char text[24];
    int r = rvi_opts_copy(&known, sizeof known, opts, opts ? opts->size : 0);

    if (r < 0)
        return r;
    pthread_once(&once, init_lines);
    snprintf(text, sizeof text, "%zu", known.bound_bytes);
    if (known.bound_bytes == 0)
        r = bound_from_environment(&bound);
    else if (known.bound_bytes < LEAST_BOUND || known.bound_bytes > MOST_BOUND)
        r = refuse("bound_bytes", text);
    else
        bound = known.bound_bytes;
    return r < 0 ? r : rvi_outlets_set_bound(bound);
}

/* --- printing --- */

static bool is_stream(enum rv_print_stream stream)
{
    return stream == RV_OUT || stream == RV_ERR;
}

int rv_print_text(enum rv_print_stream stream, const char *text, size_t bytes, rv_time deadline)
{
    struct line *line;

    if (!is_stream(stream))
        return -EINVAL;
    int r = open_line(&line, stream);
    if (r < 0 || bytes == 0)
        return r;
    int64_t n = rvi_outlet_put(line->outlet, text, bytes, false);
    return n != 0 ? (n < 0 ? (int)n : 0) : wait_for_room(line, text, bytes, deadline);
}

int rv_print_v(enum rv_print_stream stream, const char *format, va_list args, rv_time deadline)
{
    struct rvi_sentence s;

    rvi_sentence_init(&s);
    rvi_sentence_add_v(&s, format, args);
    int r = s.error ? s.error : rv_print_text(stream, s.bytes, s.count, deadline);
    rvi_sentence_fini(&s);
    return r;
}

int rv_print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int r = rv_print_v(RV_OUT, format, args, RV_NEVER);
    va_end(args);
    return r;
}

int rv_print_error(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int r = rv_print_v(RV_ERR, format, args, RV_NEVER);
    va_end(args);
    return r;
}

/* --- the end, and what became of it --- */

int rv_print_flush(rv_time deadline)
{
    int r = 0;

    pthread_once(&once, init_lines);
    for (int i = 0; i < 2 && r == 0 && !rvi_seam; i++) {
        struct rvi_outlet *outlet = lines[i].outlet;
        if (rvi_outlet_passed(outlet) < rvi_outlet_queued(outlet))
            r = wait_for_end(&lines[i], deadline);
    }
    for (int i = 0; i < 2 && r == 0; i++)
        r = rvi_outlet_take_error(lines[i].outlet);
    return r;
}

static uint64_t waits_of(struct line *line)
{
    rvi_lock_acquire(&line->lock);
    uint64_t waits = line->waits;
    rvi_lock_release(&line->lock);
    return waits;
}

int rv_print_stats_read(enum rv_print_stream stream, struct rv_print_stats *stats)
{
    if (!is_stream(stream))
        return -EINVAL;
    pthread_once(&once, init_lines);
    struct line *line = &lines[stream == RV_ERR];
    uint64_t passed = rvi_outlet_passed(line->outlet), lost = rvi_outlet_lost(line->outlet);
    struct rv_print_stats known = {
        .queued = rvi_outlet_queued(line->outlet),
        .written = passed > lost ? passed - lost : 0,
        .lost = lost,
        .waits = waits_of(line),
    };
    return rvi_opts_give(stats, &known, sizeof known, sizeof known);
}
