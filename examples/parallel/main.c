/* SPDX-License-Identifier: MIT */
/* main.c - lines go to commands and to the printer at the same time.
 *
 *     input --> feed --+--> a scope with a limit: job, job, job ...
 *                      |                           | ended
 *                      +--> channel: the order --> printer --> output
 *
 * The channel's room bounds how many outputs are kept. Three scopes lie in one another: the
 * printer's, so that it prints what has ended also when the rest was cancelled; that of feed and
 * jobs, which a signal cancels; that of the task which hears the signal. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "job.h"
#include "options.h"

enum { FAILED = 1, WRONG_USE = 2, BY_SIGNAL = 128, KEPT = 4 };

struct parallel {
    struct options options;
    rv_chan *order; /* of struct job * */
    rv_signals *signals;
    rv_scope *feeding;   /* cancelled by a signal */
    struct rv_event fed; /* all commands have ended */
    _Atomic(size_t) read, printed, failed;
    _Atomic(int) broken;     /* -errno of the output */
    _Atomic(int) stopped_by; /* a signal; 0: none */
};

/* --- printing, in order --- */

static int print_one(struct parallel *parallel, struct job *job)
{
    int r = rv_event_wait(&job->ended, RV_NEVER);

    if (r == 0 && job->result != -ECANCELED && !parallel->broken)
        r = job_print(job);
    parallel->printed += r >= 0;
    parallel->failed += r == 0;
    job_free(job);
    return r < 0 ? r : 0;
}

/* Without output there is no sense in the rest; but each job is waited for, and freed. */
static int print_all(void *arg)
{
    struct parallel *parallel = arg;
    struct job *job;

    while (rv_chan_recv(parallel->order, &job, RV_NEVER) == 0) {
        int r = print_one(parallel, job);
        if (r < 0)
            parallel->broken = r;
    }
    return parallel->broken;
}

/* --- signals --- */

/* SIGUSR1 asks, the others stop. A second one meets its default: see run_all(). */
static int hear_signals(void *arg)
{
    struct parallel *parallel = arg;
    struct rv_signal_info info;
    int r;

    while ((r = rv_signal_wait(parallel->signals, &info, RV_NEVER)) == 0) {
        if (info.signal != SIGUSR1) {
            parallel->stopped_by = info.signal;
            rv_scope_cancel(parallel->feeding, -EINTR);
            return 0;
        }
        r = rv_print_error("parallel: %zu lines read, %zu done, %zu failed\n", parallel->read,
                           parallel->printed, parallel->failed);
        if (r < 0)
            return r;
    }
    return r == -ECANCELED ? 0 : r;
}

static int open_signals(struct parallel *parallel)
{
    static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        sigaddset(&set, wanted[i]);
    return rv_signals_open(&parallel->signals, &set);
}

/* --- lines --- */

/* The printer has it first, so that it is freed whatever becomes of it. */
static int start(struct parallel *parallel, rv_scope *jobs, const struct rv_line *line)
{
    struct job *job = job_new(&parallel->options, line->text, line->bytes);

    if (!job)
        return -ENOMEM;
    int r = parallel->broken ? -EPIPE : rv_chan_send(parallel->order, &job, RV_NEVER);
    if (r < 0) {
        job_free(job);
        return r;
    }
    parallel->read++;
    r = rv_go(jobs, job_run, job);
    if (r < 0) {
        job->result = -ECANCELED;
        rv_event_set(&job->ended);
    }
    return r;
}

static int feed_lines(struct parallel *parallel, rv_scope *jobs)
{
    struct rv_reader input;
    struct rv_line line;
    int r;

    rv_reader_init(&input, rv_stream_fd(STDIN_FILENO), NULL, 0);
    while ((r = rv_reader_line(&input, &line, RV_NEVER)) > 0) {
        r = start(parallel, jobs, &line);
        if (r < 0)
            break;
    }
    rv_reader_fini(&input);
    return r;
}

static int feed(void *arg)
{
    struct parallel *parallel = arg;
    int err, r = 0;

    RV_SCOPE(jobs, err, .name = "jobs", .limit = parallel->options.at_once) {
        r = feed_lines(parallel, jobs);
        if (r < 0)
            rv_scope_cancel(jobs, r);
    }
    rv_event_set(&parallel->fed);
    return r < 0 ? r : err;
}

/* --- all of it --- */

/* When a signal has stopped it, what runs is still to be ended: a second signal, which nobody hears
 * any more, ends the program. */
static int run_all(struct parallel *parallel)
{
    int err, watch_err, r = 0;

    RV_SCOPE(feeding, err) {
        parallel->feeding = feeding;
        RV_SCOPE(watch, watch_err) {
            if ((r = rv_go(watch, hear_signals, parallel)) == 0 &&
                (r = rv_go(feeding, feed, parallel)) == 0)
                r = rv_event_wait(&parallel->fed, RV_NEVER);
            rv_scope_cancel(watch, -ECANCELED);
        }
        parallel->signals = rv_signals_close(parallel->signals);
    }
    return err < 0 ? err : r;
}

static int entry(void *arg)
{
    struct parallel *parallel = arg;
    int err,
        r = rv_chan_new(&parallel->order, sizeof(struct job *), KEPT * parallel->options.at_once);

    if (r < 0)
        return r;
    r = open_signals(parallel);
    if (r == 0) {
        RV_SCOPE(printing, err) {
            r = rv_go(printing, print_all, parallel);
            if (r == 0)
                r = run_all(parallel);
            rv_chan_close(parallel->order);
        }
        r = r < 0 ? r : err;
    }
    rv_signals_close(parallel->signals);
    rv_chan_free(parallel->order);
    return r;
}

static int exit_status(const struct parallel *parallel, int r)
{
    if (parallel->stopped_by)
        return BY_SIGNAL + parallel->stopped_by;
    if (parallel->broken)
        r = parallel->broken;
    if (r < 0)
        fprintf(stderr, "parallel: %s\n", strerror(-r));
    return r < 0 ? WRONG_USE : parallel->failed ? FAILED : 0;
}

int main(int argc, char **argv)
{
    struct parallel parallel = {0};
    const struct rv_run_opts opts = {.size = sizeof opts, .no_interrupt = 1};

    read_options(&parallel.options, argc, argv);
    rv_event_init(&parallel.fed);
    int r = rv_run(entry, &parallel, &opts);
    return exit_status(&parallel, r);
}
