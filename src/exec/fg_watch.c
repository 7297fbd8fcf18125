/* SPDX-License-Identifier: MIT */
/* fg_watch.c - is the foreground held?
 *
 * It is while something of ours is to be done there and it does not get on: it runs one function
 * for longer than the budget, or does not come to dispatch what is due, because something of the
 * interface's holds it. `turn` changes whenever the foreground gets on, so the watch looks every
 * half budget whether it is the one that it saw last. One hold is reported once, and at most one
 * report comes a second; the others are counted.
 *
 * While nothing is to be done there it looks QUIET_LOOKS times more and then sleeps until it is
 * called. Nothing is lost: it says that it sleeps, then looks once more; who makes something due
 * says so, then looks whether it sleeps; all sequentially consistent.
 *
 * The stack is copied by sys/capture.h while the foreground stands still for some microseconds, and
 * looked into afterwards.
 *
 * Rejected: a timer signal in the foreground, which is the program's; measuring when the function
 * has returned, which tells nothing of where the time went, and of one that never returns nothing
 * at all.
 * Checked by: tests/unit/exec/test_foreground.c */
#include "exec/fg_watch.h"

#include <stdio.h>
#include <string.h>

#include "base/seam.h"
#include "base/text.h"
#include "sys/backtrace.h"
#include "sys/capture.h"
#include "sys/clock.h"
#include "sys/futex.h"
#include "sys/thread.h"

enum { LOOKING, ASLEEP, STOPPING };
enum { QUIET_LOOKS = 32, FRAMES_MOST = 32, INDENT = 6 };

#define CAPTURE_NS (250 * RV_MILLISECOND)
#define REPORT_EVERY_NS RV_SECOND

/* What the watch remembers. */
struct look {
    uint32_t turn;
    rv_time since; /* when that turn was first seen with something to be done */
    bool is_told;
    rv_time reported; /* the last report; 0: none */
    uint64_t untold;  /* holds since then */
};

static bool is_busy(const struct rvi_fg_watch *watch)
{
    return rvi_load_seq_cst(&watch->is_due) || /* pairs: fg-watch-due */
           rvi_load_seq_cst(&watch->inside);   /* pairs: fg-watch-inside */
}

/* --- the report --- */

static uintptr_t end_of_stack(uintptr_t sp, void *arg)
{
    const struct rvi_fg_watch *watch = arg;

    return sp >= (uintptr_t)watch->stack.low && sp < (uintptr_t)watch->stack.high
               ? (uintptr_t)watch->stack.high
               : sp;
}

static void add_stack(struct rvi_text *text, const struct rvi_capture *capture)
{
    const void *pcs[FRAMES_MOST];
    struct rvi_backtracer *backtracer = rvi_backtracer_new(true);

    if (!backtracer) {
        text->is_cut = true;
        return;
    }
    size_t count = rvi_backtrace(backtracer, &capture->view, pcs, FRAMES_MOST);
    rvi_backtrace_add(text, backtracer, pcs, count, INDENT);
    rvi_backtracer_free(backtracer);
}

static void add_what(struct rvi_text *text, const struct rvi_fg_watch *watch, rv_time held,
                     const struct look *look)
{
    bool is_ours = rvi_load_relaxed(&watch->inside) > 0;

    rvi_text_add(text,
                 "ravel: the foreground has been held for %lld ms by %s; its budget is "
                 "%lld ms",
                 (long long)(held / RV_MILLISECOND),
                 is_ours ? "a function that it runs" : "something else than what is due",
                 (long long)(watch->budget_ns / RV_MILLISECOND));
    if (look->untold)
        rvi_text_add(text, "; %llu times more since the last report",
                     (unsigned long long)look->untold);
    rvi_text_add(text, ". Let rv_fg_go() do what takes long, and rv_fg_post() what comes of it\n");
}

static void report(struct rvi_fg_watch *watch, rv_time held, const struct look *look)
{
    static struct rvi_capture capture; /* too much for a stack; whose `turn` it is */
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
    struct rvi_text text = {0};

    pthread_mutex_lock(&turn);
    int r = rvi_capture_thread(watch->thread_id, end_of_stack, watch, &capture,
                               rvi_clock_now() + CAPTURE_NS);
    add_what(&text, watch, held, look);
    if (r == 0)
        add_stack(&text, &capture);
    else
        rvi_text_add(&text, "%*s(it could not be looked at: %s)\n", INDENT, "",
                     strerrorname_np(-r));
    pthread_mutex_unlock(&turn);
    if (text.bytes)
        watch->report(watch->arg, text.bytes);
    rvi_text_fini(&text);
}

/* It is counted when it has been told: whoever waits for the count still stands where it was. */
static void note_hold(struct rvi_fg_watch *watch, struct look *look, rv_time now)
{
    bool is_too_soon = look->reported && now - look->reported < REPORT_EVERY_NS;

    if (!is_too_soon) {
        report(watch, now - look->since, look);
        look->reported = now;
    }
    look->untold = is_too_soon ? look->untold + 1 : 0;
    look->is_told = true;
    rvi_store_relaxed(&watch->held, rvi_load_relaxed(&watch->held) + 1);
}

/* --- the thread --- */

static void look_once(struct rvi_fg_watch *watch, struct look *look)
{
    rv_time now = rvi_clock_now();
    uint32_t turn = rvi_load_seq_cst(&watch->turn); /* pairs: fg-watch-turn */

    if (turn != look->turn || !is_busy(watch)) {
        look->turn = turn;
        look->since = now;
        look->is_told = false;
    } else if (!look->is_told && now - look->since > watch->budget_ns) {
        note_hold(watch, look, now);
    }
}

static bool must_stop(const struct rvi_fg_watch *watch)
{
    return rvi_load_seq_cst(&watch->rest) == STOPPING; /* pairs: fg-watch-rest */
}

static void sleep_until_called(struct rvi_fg_watch *watch)
{
    uint32_t looking = LOOKING, asleep = ASLEEP;

    if (!rvi_cas_seq_cst(&watch->rest, &looking, ASLEEP)) /* pairs: fg-watch-rest */
        return;
    while (!is_busy(watch) && rvi_load_seq_cst(&watch->rest) == ASLEEP) /* pairs: fg-watch-rest */
        (void)rvi_futex_wait(&watch->rest, ASLEEP, RV_NEVER);
    (void)rvi_cas_seq_cst(&watch->rest, &asleep, LOOKING); /* pairs: fg-watch-rest */
}

static void *watch_thread(void *arg)
{
    struct rvi_fg_watch *watch = arg;
    struct look look = {.since = rvi_clock_now()};
    int quiet_looks = 0;

    while (!must_stop(watch)) {
        look_once(watch, &look);
        quiet_looks = is_busy(watch) ? 0 : quiet_looks + 1;
        if (quiet_looks >= QUIET_LOOKS)
            sleep_until_called(watch), quiet_looks = 0;
        else
            (void)rvi_futex_wait(&watch->rest, LOOKING, rvi_clock_now() + watch->budget_ns / 2 + 1);
    }
    return NULL;
}

void rvi_fg_watch_call(struct rvi_fg_watch *watch)
{
    uint32_t asleep = ASLEEP;

    if (rvi_load_seq_cst(&watch->rest) == ASLEEP &&      /* pairs: fg-watch-rest */
        rvi_cas_seq_cst(&watch->rest, &asleep, LOOKING)) /* pairs: fg-watch-rest */
        rvi_futex_wake(&watch->rest, 1);
}

void rvi_fg_watch_due(struct rvi_fg_watch *watch, bool is_due)
{
    rvi_store_seq_cst(&watch->is_due, is_due); /* pairs: fg-watch-due */
}

void rvi_fg_watch_step(struct rvi_fg_watch *watch, int deeper)
{
    uint32_t inside = rvi_load_relaxed(&watch->inside) + (uint32_t)deeper;

    rvi_store_seq_cst(&watch->turn, rvi_load_relaxed(&watch->turn) + 1); /* pairs: fg-watch-turn */
    if (deeper)
        rvi_store_seq_cst(&watch->inside, inside); /* pairs: fg-watch-inside */
    if (deeper > 0)
        rvi_fg_watch_call(watch);
}

/* Threads of a simulation do not hold each other up. */
int rvi_fg_watch_start(struct rvi_fg_watch *watch)
{
    if (rvi_seam)
        return 0;
    watch->thread_id = rvi_thread_id();
    int r = rvi_stack_adopt_thread(&watch->stack);
    if (r == 0)
        r = rvi_thread_start(&watch->thread, "ravel-fg-watch", watch_thread, watch);
    watch->is_running = r == 0;
    return r;
}

void rvi_fg_watch_stop(struct rvi_fg_watch *watch)
{
    if (!watch->is_running)
        return;
    rvi_store_seq_cst(&watch->rest, STOPPING); /* pairs: fg-watch-rest */
    rvi_futex_wake(&watch->rest, 1);
    rvi_thread_join(watch->thread);
    watch->is_running = false;
}
