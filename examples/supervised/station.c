/* SPDX-License-Identifier: MIT */
/* station.c - the tree of services: what it is made of, how it is started and stopped.
 *
 * This is the part to read. A tree is plain data; rv_supervisor_start() copies it and returns when
 * all services are ready. Everything that happens from then on is told to `report`, in words that
 * can be printed as they are.
 *
 * The pipe is here and not a service's: what is in it when the ledger fails is there for the next
 * one, and a sensor that is started again finds it where it was. */
#include "station.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static const char *const names[SENSORS] = {"north", "east", "south"};

/* ---- the services that are tasks ------------------------------------------------------------- */

static int note(struct station *s, const struct reading *reading)
{
    int err = rv_mutex_lock(&s->lock, RV_NEVER);
    if (err < 0)
        return err;
    s->totals[reading->sensor].count++;
    s->totals[reading->sensor].degrees += reading->degrees;
    rv_mutex_unlock(&s->lock);
    return 0;
}

/* A service begins anew each time: nobody trusts what one that has failed has left. */
static int keep_ledger(void *station)
{
    struct station *s = station;
    unsigned bad_one = crash_after(s->options, "ledger");
    struct reading reading;
    ssize_t n = 0;
    int err = 0;
    memset(s->totals, 0, sizeof s->totals); /* who else looks at them is started after us */
    for (unsigned count = 1; err == 0; count++) {
        n = rv_read(s->pipe[0], &reading, sizeof reading, RV_NEVER);
        if (n < 0)
            return (int)n;
        if (n != sizeof reading || reading.sensor >= SENSORS || count == bad_one)
            return -EBADMSG;
        err = note(s, &reading);
    }
    return err;
}

static int print_totals(struct station *s)
{
    struct total totals[SENSORS];
    char line[SENSORS * 40];
    int length = 0, err = rv_mutex_lock(&s->lock, RV_NEVER);
    if (err < 0)
        return err;
    memcpy(totals, s->totals, sizeof totals);
    rv_mutex_unlock(&s->lock);
    for (int i = 0; i < SENSORS; i++)
        length +=
            snprintf(line + length, sizeof line - (size_t)length, "  %s %.1f C of %u", names[i],
                     totals[i].degrees / (totals[i].count ? totals[i].count : 1), totals[i].count);
    return rv_print("          %s\n", line);
}

static int print_summary(void *station)
{
    int err = 0;
    while (err == 0) {
        err = rv_sleep(RV_SECOND);
        if (err == 0)
            err = print_totals(station);
    }
    return err;
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void report(void *station, const struct rv_supervisor_event *event)
{
    const struct station *s = station;
    rv_print("%8.2f  %s: %s\n", (double)(rv_now() - s->begun) / RV_SECOND, event->supervisor,
             event->text);
}

struct tree {
    struct sensor orders[SENSORS];
    struct rv_child_limit limit;
    struct rv_child_fd pipe;
    struct rv_process_opts process;
    struct rv_service sensors[SENSORS], services[3];
    struct rv_supervisor_opts below, top;
};

/* A sensor that crashes leaves no core, and one that eats memory is ended. */
static void plan_sensors(struct tree *t, const struct station *s)
{
    t->limit = (struct rv_child_limit){RLIMIT_CORE, {0, 0}};
    t->pipe = (struct rv_child_fd){s->pipe[1], PIPE_FD};
    t->process = (struct rv_process_opts){.size = sizeof t->process,
                                          .limits = &t->limit,
                                          .limit_count = 1,
                                          .fds = &t->pipe,
                                          .fd_count = 1,
                                          .memory_bytes = UINT64_C(256) << 20};
    for (int i = 0; i < SENSORS; i++) {
        t->orders[i] =
            (struct sensor){i, crash_after(s->options, names[i]), RV_SECOND / s->options->rate};
        t->sensors[i] = (struct rv_service){.size = sizeof t->sensors[i],
                                            .name = names[i],
                                            .process = sensor_process,
                                            .opts = &t->process,
                                            .arg = &t->orders[i],
                                            .arg_bytes = sizeof t->orders[i],
                                            .start_time = 30 * RV_SECOND,
                                            .stop_time = 2 * RV_SECOND};
    }
    t->below = (struct rv_supervisor_opts){.size = sizeof t->below,
                                           .name = "sensors",
                                           .services = t->sensors,
                                           .count = SENSORS,
                                           .strategy = s->options->strategy,
                                           .intensity = s->options->intensity};
}

static void plan(struct tree *t, struct station *s)
{
    plan_sensors(t, s);
    const struct rv_service services[] = {
        {.size = sizeof services[0], .name = "ledger", .run = keep_ledger, .arg = s},
        {.size = sizeof services[0], .name = "sensors", .supervisor = &t->below},
        {.size = sizeof services[0], .name = "summary", .run = print_summary, .arg = s},
    };
    memcpy(t->services, services, sizeof services);
    t->top = (struct rv_supervisor_opts){.size = sizeof t->top,
                                         .name = "station",
                                         .services = t->services,
                                         .count = sizeof services / sizeof services[0],
                                         .strategy = RV_REST_FOR_ONE,
                                         .intensity = s->options->intensity,
                                         .report = report,
                                         .report_arg = s};
}

/* ---- from start to end ----------------------------------------------------------------------- */

/* A supervisor that gives up fails the scope, which ends this wait as well. */
static void wait_for_the_end(const struct station *s, rv_signals *signals)
{
    unsigned seconds = s->options->seconds;
    struct rv_signal_info info;
    int err = rv_signal_wait(signals, &info, seconds ? s->begun + seconds * RV_SECOND : RV_NEVER);
    if (err == 0)
        rv_print("SIG%s: all is stopped, the last first\n", sigabbrev_np(info.signal));
    else if (err == -ETIME)
        rv_print("time is over: all is stopped, the last first\n");
}

static void print_starts(rv_supervisor *sup)
{
    static const char *const paths[] = {"ledger", "sensors/north", "sensors/east", "sensors/south",
                                        "summary"};
    rv_print("starts:");
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct rv_service_stats stats = {.size = sizeof stats};
        if (rv_service_stats_read(sup, paths[i], &stats) == 0)
            rv_print(" %s %llu", paths[i], (unsigned long long)stats.starts);
    }
    rv_print("\n");
}

static int live(struct station *s, rv_signals *signals)
{
    struct tree tree;
    rv_supervisor *sup;
    int err, end = 0;
    plan(&tree, s);
    RV_SCOPE(scope, err) {
        end = rv_supervisor_start(&sup, scope, &tree.top, RV_NEVER);
        if (end == 0) {
            wait_for_the_end(s, signals);
            (void)!rv_supervisor_stop(sup, RV_NEVER); /* in a cancelled scope close waits for it */
            print_starts(sup);
            end = rv_supervisor_close(sup);
        }
    }
    return end < 0 ? end : err;
}

static int with_signals(struct station *s)
{
    rv_signals *signals;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    int err = rv_signals_open(&signals, &ends);
    if (err < 0)
        return err;
    err = live(s, signals);
    rv_signals_close(signals);
    return err;
}

int station_run(void *options)
{
    struct station s = {.options = options, .begun = rv_now(), .lock = RV_MUTEX_INIT};
    int err = rv_pipe(s.pipe);
    if (err == 0) {
        err = with_signals(&s);
        rv_close(s.pipe[0]);
        rv_close(s.pipe[1]);
    }
    if (err < 0)
        rv_print_error("supervised: %s\n", err == -ENOTRECOVERABLE
                                               ? "starting again was in vain too often"
                                               : strerror(-err));
    return err;
}
