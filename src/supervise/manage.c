/* SPDX-License-Identifier: MIT */
/* manage.c - the manager of a supervisor: one task, which starts, judges and stops its services.
 *
 *     the scope that it lives in
 *         outer: the watch, one task, which sees that the scope around is cancelled
 *             a shield
 *                 inner (collects all): the keepers
 *
 * A cancelled scope would stop all services at one time. The shield hides it from them, and from
 * the manager, which hears of it from the watch: so it stops them in order, as when it is told to.
 * The shield has no end, against the rule; what a shield's end is for, that nobody makes a scope
 * hang, is the watch's business here. Without memory for it the order is lost, nothing else.
 *
 *   M1  the manager alone starts and stops; it does one thing at a time and waits for it. Services
 *       that end meanwhile are in s->ended, in the order of their ends, and are judged one by one
 *   M2  a service is in s->ended exactly when it does not live any more, has not been judged, and
 *       was not stopped by the manager
 *   M3  s->has_news, or the sleeper is awake, whenever something has happened that the manager has
 *       not looked at: it always looks before it waits
 *   M4  those that wait to be started again together are due at one time, and the first comes
 *       first
 *   M5  when the manager leaves, no service lives
 *
 * Judging is that of OTP's supervisor.erl, as are the defaults: intensity and period count the
 * restarts of the last period, including the one to come; a temporary service that is stopped for
 * another's sake stays so; a transient one that had ended well begins again with the others.
 * Different: a restart may wait (backoff), by a time that is due and not by sleeping, so that one
 * service's pause does not keep another from being started; and a supervisor ends when nothing is
 * left that could ever run again.
 *
 * Rejected: a channel to the manager, whose messages would want memory just when something has
 * failed. A manager that is a state machine driven by its keepers: it would block nobody, but the
 * start in order and the stop in order are loops, and read as loops.
 *
 * Checked by: tests/unit/supervise/test_supervisor.c, tests/explore/explore_supervisor.c,
 * tests/stress/stress_supervisor.c, tests/stress/stress_services.c */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <ravel/task.h>

#include "base/check.h"
#include "supervise/inside.h"
#include "sys/clock.h"

enum { LINE = 384, DOUBLINGS = 40 };

/* --- what it is told --- */

/* With the lock held, which is given up: the caller has changed something. */
static void wake_manager(rv_supervisor *s)
{
    struct rvi_waiter *sleeper = s->sleeper;

    s->sleeper = NULL;
    s->has_news = !sleeper;
    rvi_lock_release(&s->lock);
    if (sleeper)
        rvi_wake(sleeper);
}

void rvi_supervisor_tell(rv_supervisor *s, int why)
{
    rvi_lock_acquire(&s->lock);
    if (!s->is_told)
        s->why = why;
    s->is_told = true;
    wake_manager(s);
}

void rvi_kept_is_ready(struct rvi_kept *kept)
{
    rvi_lock_acquire(&kept->above->lock);
    kept->is_ready = true;
    wake_manager(kept->above);
}

void rvi_kept_has_process(struct rvi_kept *kept, pid_t pid)
{
    rvi_lock_acquire(&kept->above->lock);
    kept->pid = pid;
    rvi_lock_release(&kept->above->lock);
}

void rvi_kept_has_ended(struct rvi_kept *kept, const struct rv_service_end *end)
{
    rv_supervisor *s = kept->above;

    rvi_lock_acquire(&s->lock);
    kept->end = *end;
    kept->lives = false;
    rvi_list_push_back(&s->ended, &kept->ended);
    wake_manager(s);
}

/* --- waiting for news: M3 --- */

static bool withdraw(struct rvi_waiter *w, void *object)
{
    rv_supervisor *s = object;

    rvi_lock_acquire(&s->lock);
    bool waited = s->sleeper == w;
    if (waited)
        s->sleeper = NULL;
    rvi_lock_release(&s->lock);
    return waited;
}

/* False: there are news. */
static bool lie_down(rv_supervisor *s, struct rvi_waiter *w)
{
    rvi_waiter_init(w);
    rvi_lock_acquire(&s->lock);
    bool has_news = s->has_news;
    s->has_news = false;
    if (!has_news)
        s->sleeper = w;
    rvi_lock_release(&s->lock);
    return !has_news;
}

static int wait_for_news(rv_supervisor *s, rv_time deadline)
{
    struct rvi_waiter w;
    int r = rvi_wait_allowed();

    if (r < 0 || !lie_down(s, &w))
        return r;
    rvi_wait_tells(s, RVI_WHY_SUPERVISOR);
    return rvi_wait(&w, deadline, RVI_WHY_SUPERVISOR, withdraw, s);
}

static void wait_always_for_news(rv_supervisor *s)
{
    struct rvi_waiter w;

    if (!lie_down(s, &w))
        return;
    rvi_wait_tells(s, RVI_WHY_SUPERVISOR);
    rvi_wait_always(&w, RVI_WHY_SUPERVISOR);
}

static bool is_told(rv_supervisor *s)
{
    rvi_lock_acquire(&s->lock);
    bool told = s->is_told;
    rvi_lock_release(&s->lock);
    return told;
}

/* --- reports --- */

static __attribute__((format(printf, 4, 5))) void report(rv_supervisor *s,
                                                         enum rv_supervisor_news news,
                                                         const struct rvi_kept *kept,
                                                         const char *format, ...)
{
    char text[LINE];
    struct rv_supervisor_event event = {
        .news = news,
        .supervisor = s->name,
        .service = kept ? kept->name : NULL,
        .text = text,
    };
    va_list values;

    if (!s->report)
        return;
    if (news == RV_SUPERVISOR_ENDED || news == RV_SUPERVISOR_STOPPED)
        event.end = &kept->end;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    s->report(s->report_arg, &event);
}

static void set_state(struct rvi_kept *kept, enum rv_service_state state)
{
    rvi_lock_acquire(&kept->above->lock);
    kept->state = state;
    rvi_lock_release(&kept->above->lock);
}

/* --- stopping --- */

/* K2 of keep.c. False: it does not live. */
static bool tell_to_stop(struct rvi_kept *kept)
{
    rvi_lock_acquire(&kept->above->lock);
    bool yes = kept->lives;
    kept->is_told = true;
    if (yes)
        kept->state = RV_SERVICE_STOPPING;
    if (kept->scope)
        rv_scope_cancel(kept->scope, -ECANCELED);
    rvi_lock_release(&kept->above->lock);
    return yes;
}

static bool lives(struct rvi_kept *kept)
{
    rvi_lock_acquire(&kept->above->lock);
    bool yes = kept->lives;
    rvi_lock_release(&kept->above->lock);
    return yes;
}

/* Nobody can kill a task. A process that was killed for being late was late, whoever has seen its
 * end first: hence the look at the clock, and a deadline from before it was told. */
static void await_end(rv_supervisor *s, struct rvi_kept *kept, rv_time deadline)
{
    int r = 0;

    while (lives(kept) && r == 0)
        r = wait_for_news(s, deadline);
    if (r == -ETIME || rv_now() >= deadline)
        report(s, RV_SUPERVISOR_LATE, kept, "service '%s' has not stopped within its time",
               kept->name);
    while (lives(kept))
        wait_always_for_news(s);
}

/* M2. Whether there was one. */
static bool forget_end(rv_supervisor *s, struct rvi_kept *kept)
{
    rvi_lock_acquire(&s->lock);
    bool was = rvi_link_is_linked(&kept->ended);
    if (was)
        rvi_link_remove(&kept->ended);
    rvi_lock_release(&s->lock);
    return was;
}

static void stop(rv_supervisor *s, struct rvi_kept *kept)
{
    rv_time deadline = rv_after(kept->what.stop_time);
    bool lived = tell_to_stop(kept);

    if (lived)
        await_end(s, kept, deadline);
    bool ended = forget_end(s, kept);
    if (kept->state != RV_SERVICE_ENDED)
        set_state(kept, RV_SERVICE_STOPPED);
    if (lived)
        report(s, RV_SUPERVISOR_STOPPED, kept, "service '%s' was stopped: it %s", kept->name,
               kept->end.text);
    else if (ended)
        report(s, RV_SUPERVISOR_ENDED, kept, "service '%s' %s, before it was to stop", kept->name,
               kept->end.text);
}

/* The last first. */
static void stop_range(rv_supervisor *s, size_t first, size_t end)
{
    while (end > first)
        stop(s, &s->services[--end]);
}

/* --- starting --- */

static int launch(struct rvi_kept *kept)
{
    rv_supervisor *s = kept->above;

    kept->begun = rv_now();
    rvi_lock_acquire(&s->lock);
    kept->lives = true;
    kept->is_ready = kept->is_told = false;
    kept->state = RV_SERVICE_STARTING;
    kept->starts++;
    rvi_lock_release(&s->lock);
    int r = rvi_kept_launch(kept);
    if (r < 0) {
        struct rv_service_end end;
        memset(&end, 0, sizeof end);
        rvi_end_error(&end, r, "could not be started");
        rvi_kept_has_ended(kept, &end);
    }
    return r;
}

/* What a look at a service that starts has found: 1 it is to be waited for; 0 it is ready, or has
 * ended as it may; -errno. */
static int look_at_start(struct rvi_kept *kept)
{
    rv_supervisor *s = kept->above;
    int r = 1;

    rvi_lock_acquire(&s->lock);
    if (kept->is_ready)
        r = 0;
    else if (!kept->lives && kept->end.error < 0)
        r = kept->end.error;
    else if (!kept->lives)
        r = kept->what.restart == RV_RESTART_PERMANENT ? -EPIPE : 0;
    else if (s->is_told)
        r = -ECANCELED;
    if (r == 0 && kept->lives)
        kept->state = RV_SERVICE_RUNNING;
    rvi_lock_release(&s->lock);
    return r;
}

static int await_ready(rv_supervisor *s, struct rvi_kept *kept)
{
    rv_time start_time = kept->what.start_time;
    rv_time deadline = start_time > 0 ? rv_after(start_time) : RV_NEVER;
    int r, waited = 0;

    while ((r = look_at_start(kept)) == 1 && waited == 0)
        waited = wait_for_news(s, deadline);
    if (r < 1)
        return r;
    rv_time stop_deadline = rv_after(kept->what.stop_time);
    (void)tell_to_stop(kept);
    await_end(s, kept, stop_deadline);
    rvi_lock_acquire(&s->lock);
    rvi_end_error(&kept->end, waited, "was not ready in time");
    rvi_lock_release(&s->lock);
    return waited;
}

/* After an error it does not live, and its end is forgotten; but with -ECANCELED, when the
 * supervisor was told to stop, it may. */
static int start(rv_supervisor *s, struct rvi_kept *kept)
{
    int r = launch(kept);

    if (r == 0)
        r = await_ready(s, kept);
    if (r == 0)
        report(s, RV_SUPERVISOR_STARTED, kept, "service '%s' is started", kept->name);
    else if (!lives(kept))
        (void)forget_end(s, kept);
    return r;
}

/* -ECANCELED with the service alive: it was told to stop meanwhile. */
static void fail_start(rv_supervisor *s, struct rvi_kept *kept, int error)
{
    if (lives(kept))
        return;
    s->end.error = error;
    snprintf(s->end.text, sizeof s->end.text, "could not start: service '%.24s' %.72s", kept->name,
             kept->end.text);
    report(s, RV_SUPERVISOR_ENDED, kept, "service '%s' %s: the supervisor cannot start", kept->name,
           kept->end.text);
}

static int start_all(rv_supervisor *s)
{
    int r = 0;

    for (size_t i = 0; i < s->count && r == 0; i++) {
        r = start(s, &s->services[i]);
        if (r < 0)
            fail_start(s, &s->services[i], r);
    }
    return r;
}

/* --- judging --- */

static struct rvi_kept *take_ended(rv_supervisor *s)
{
    rvi_lock_acquire(&s->lock);
    struct rvi_link *link = rvi_list_pop_front(&s->ended);
    rvi_lock_release(&s->lock);
    return link ? rvi_container_of(link, struct rvi_kept, ended) : NULL;
}

/* The restarts of the last period, the one that is wanted now included; 0: it would be one too
 * many. */
static size_t count_restart(rv_supervisor *s, rv_time now)
{
    size_t known = s->restart_count < s->intensity ? (size_t)s->restart_count : s->intensity;
    size_t recent = 1;

    for (size_t i = 0; i < known; i++)
        recent += now - s->restarts[i] <= s->period;
    if (recent > s->intensity)
        return 0;
    s->restarts[s->restart_count++ % s->intensity] = now;
    return recent;
}

static rv_time take_backoff(const rv_supervisor *s, struct rvi_kept *kept, rv_time now)
{
    rv_time pause = s->backoff;

    if (now - kept->begun >= s->period)
        kept->failures = 0;
    for (unsigned i = 0; i < kept->failures && pause < s->backoff_most; i++)
        pause = pause < s->backoff_most / 2 ? 2 * pause : s->backoff_most;
    if (kept->failures < DOUBLINGS)
        kept->failures++;
    return pause < s->backoff_most ? pause : s->backoff_most;
}

static int give_up(rv_supervisor *s, struct rvi_kept *kept)
{
    set_state(kept, RV_SERVICE_ENDED);
    report(s, RV_SUPERVISOR_ENDED, kept, "service '%s' %s, once too often", kept->name,
           kept->end.text);
    s->end.error = -ENOTRECOVERABLE;
    snprintf(s->end.text, sizeof s->end.text, "gave up: service '%.24s' %.72s", kept->name,
             kept->end.text);
    report(s, RV_SUPERVISOR_GAVE_UP, NULL,
           "supervisor '%s' gives up: more than %zu starts anew within %.3g s", s->name,
           s->intensity, (double)s->period / RV_SECOND);
    return -ENOTRECOVERABLE;
}

/* M4 */
static void let_wait(rv_supervisor *s, struct rvi_kept *only, size_t first, size_t end,
                     rv_time pause)
{
    stop_range(s, first, end);
    rv_time due = rv_after(pause);
    for (size_t i = first; i < end; i++) {
        struct rvi_kept *kept = &s->services[i];
        if (kept != only && kept->what.restart == RV_RESTART_TEMPORARY)
            continue;
        kept->due = due;
        set_state(kept, RV_SERVICE_WAITING);
    }
}

static int restart(rv_supervisor *s, struct rvi_kept *kept)
{
    size_t first = (size_t)(kept - s->services), end = s->count;
    rv_time now = rv_now();
    size_t recent = count_restart(s, now);

    if (recent == 0)
        return give_up(s, kept);
    rv_time pause = take_backoff(s, kept, now);
    report(s, RV_SUPERVISOR_ENDED, kept,
           "service '%s' %s, and is started again (%zu of %zu in %.3g s)", kept->name,
           kept->end.text, recent, s->intensity, (double)s->period / RV_SECOND);
    if (s->strategy == RV_ONE_FOR_ONE)
        end = first + 1;
    else if (s->strategy == RV_ONE_FOR_ALL)
        first = 0;
    let_wait(s, kept, first, end, pause);
    return 0;
}

static int judge(rv_supervisor *s, struct rvi_kept *kept)
{
    enum rv_restart kind = kept->what.restart;

    if (kind == RV_RESTART_PERMANENT || (kind == RV_RESTART_TRANSIENT && kept->end.error < 0))
        return restart(s, kept);
    set_state(kept, RV_SERVICE_ENDED);
    report(s, RV_SUPERVISOR_ENDED, kept, "service '%s' %s, and has ended", kept->name,
           kept->end.text);
    return 0;
}

/* --- the loop --- */

static bool may_run_again(rv_supervisor *s)
{
    bool may = false;

    rvi_lock_acquire(&s->lock);
    for (size_t i = 0; i < s->count && !may; i++) {
        const struct rvi_kept *kept = &s->services[i];
        may = kept->lives || kept->state == RV_SERVICE_WAITING || rvi_link_is_linked(&kept->ended);
    }
    rvi_lock_release(&s->lock);
    return may;
}

/* NULL: nobody waits. The states are the manager's own to write. */
static struct rvi_kept *first_due(rv_supervisor *s)
{
    struct rvi_kept *first = NULL;

    for (size_t i = 0; i < s->count; i++) {
        struct rvi_kept *kept = &s->services[i];
        if (kept->state == RV_SERVICE_WAITING && (!first || kept->due < first->due))
            first = kept;
    }
    return first;
}

static int start_again(rv_supervisor *s, struct rvi_kept *kept)
{
    int r = start(s, kept);

    return r == 0 || lives(kept) ? 0 : restart(s, kept);
}

static int step(rv_supervisor *s)
{
    struct rvi_kept *kept = take_ended(s);

    if (kept)
        return judge(s, kept);
    kept = first_due(s);
    if (kept && kept->due <= rv_now())
        return start_again(s, kept);
    int r = wait_for_news(s, kept ? kept->due : RV_NEVER);
    return r == -ETIME ? 0 : r;
}

static void announce(rv_supervisor *s)
{
    rvi_lock_acquire(&s->lock);
    s->has_started = true;
    rvi_lock_release(&s->lock);
    rv_event_set(&s->started);
    if (s->as)
        rvi_kept_is_ready(s->as);
}

static int manage(rv_supervisor *s)
{
    int r = start_all(s);

    if (r == 0)
        announce(s);
    while (r == 0 && !is_told(s) && may_run_again(s))
        r = step(s);
    stop_range(s, 0, s->count);
    return r;
}

/* --- around it --- */

static int watch(struct rvi_errand *errand)
{
    rv_supervisor *s = rvi_container_of(errand, struct rv_supervisor, watch);
    int r = rv_event_wait(&s->managed, RV_NEVER);

    if (r < 0)
        rvi_supervisor_tell(s, r);
    return r;
}

static void lose_watch(struct rvi_errand *errand, int why)
{
    rvi_supervisor_tell(rvi_container_of(errand, struct rv_supervisor, watch), why);
}

/* The keepers' scope is open while the manager is at work. */
static int manage_in_scope(rv_supervisor *s)
{
    struct rv_scope_opts opts = {.size = sizeof opts, .name = s->name, .policy = RV_COLLECT_ALL};
    int r = rv_scope_open(&s->inner, &opts);

    if (r < 0)
        return r;
    r = manage(s);
    (void)!rv_scope_close(s->inner); /* keepers tell what there is to tell */
    return r;
}

static int manage_behind_shield(rv_supervisor *s)
{
    int r = rv_shield_begin(RV_NEVER - 1);

    if (r < 0)
        return r;
    r = manage_in_scope(s);
    rv_shield_end();
    return r;
}

static int manage_with_watch(rv_supervisor *s)
{
    static const struct rv_site site = {"(supervisor)", "rv_supervisor_start", "supervisor watch",
                                        0};
    rv_scope *outer;
    int r = rv_scope_open(&outer, NULL);

    if (r < 0)
        return r;
    s->watch = (struct rvi_errand){watch, lose_watch};
    r = rvi_scope_send(outer, &s->watch, &site);
    if (r == 0)
        r = manage_behind_shield(s);
    rv_event_set(&s->managed);
    (void)!rv_scope_close(outer); /* the watch has told why */
    return r;
}

/* A supervisor under another may have been here before; it is told to stop from inside of its life
 * alone. The topmost lives once, and may have been told to stop before it begins. */
static void begin(rv_supervisor *s)
{
    rv_event_reset(&s->managed);
    s->restart_count = 0;
    rvi_lock_acquire(&s->lock);
    s->is_told = s->is_told && !s->as;
    s->has_started = s->has_news = false;
    s->why = 0;
    memset(&s->end, 0, sizeof s->end);
    for (size_t i = 0; i < s->count; i++)
        s->services[i].failures = 0;
    rvi_lock_release(&s->lock);
}

/* Where no service is to blame. */
static void note_end(rv_supervisor *s, int r)
{
    rvi_lock_acquire(&s->lock);
    bool was_told = s->is_told;
    int why = s->why;
    rvi_lock_release(&s->lock);
    if (s->end.error < 0)
        return;
    if (was_told && (r == 0 || r == -ECANCELED))
        r = why;
    rvi_end_returned(&s->end, r);
    if (r == 0)
        snprintf(s->end.text, sizeof s->end.text,
                 was_told ? "was stopped" : "saw all its services end");
}

int rvi_supervise(rv_supervisor *s)
{
    begin(s);
    note_end(s, manage_with_watch(s));
    return s->end.error;
}
