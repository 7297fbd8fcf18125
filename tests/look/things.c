/* SPDX-License-Identifier: MIT */
/* things.c - a program whose executors, services, channels and queues are in a known state.
 *
 *     things here         executors "threads:2", "tasks:2", "inline"; services; queues
 *     things processes    an executor "processes:2", and a queue that they share
 *     things busy         jobs go through executors, and executors, channels and supervisors come
 *                         and go, as fast as they can
 *
 * A line on standard output says that the state is reached; the end of standard input ends it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

enum { JOBS = 5 };

static atomic_int is_over, begun;

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

static void wait_for_the_end(void)
{
    char byte;

    while (rv_read(STDIN_FILENO, &byte, 1, RV_NEVER) > 0)
        continue;
    is_over = 1;
}

/* --- jobs --- */

/* In another process nobody says that it is over: it is cancelled. */
static int stay(const int *in, int *out)
{
    *out = *in;
    begun++;
    while (!is_over && rv_cancelled() == 0)
        usleep(1000);
    return 0;
}
RV_JOB(stay, int, int);

static int sleep_long(const int *in, int *out)
{
    *out = *in;
    begun++;
    return rv_sleep(3600 * RV_SECOND);
}
RV_JOB(sleep_long, int, int);

static int pass(const int *in, int *out)
{
    *out = *in;
    return 0;
}
RV_JOB(pass, int, int);

static int until_begun(int count)
{
    int r = 0;

    while (begun < count && r == 0)
        r = rv_sleep(RV_MILLISECOND);
    return r;
}

/* --- services --- */

static int door(void *arg)
{
    (void)arg;
    return rv_sleep(3600 * RV_SECOND);
}

/* Its second life ends well, and for good. */
static int guest(void *arg)
{
    static atomic_int lives;

    (void)arg;
    return lives++ == 0 ? -EIO : 0;
}

static const struct rv_service rooms[] = {
    {.size = sizeof(struct rv_service),
     .name = "guest",
     .run = guest,
     .restart = RV_RESTART_TRANSIENT},
    {.size = sizeof(struct rv_service), .name = "door", .run = door},
};

static const struct rv_supervisor_opts inn = {
    .size = sizeof inn, .name = "inn", .services = rooms, .count = 2, .intensity = 3};

static const struct rv_service houses[] = {
    {.size = sizeof(struct rv_service), .name = "well", .run = door},
    {.size = sizeof(struct rv_service), .name = "inn", .supervisor = &inn},
};

static const struct rv_supervisor_opts village = {.size = sizeof village,
                                                  .name = "village",
                                                  .services = houses,
                                                  .count = 2,
                                                  .strategy = RV_REST_FOR_ONE};

static int start_village(rv_scope *scope, rv_supervisor **ret)
{
    struct rv_service_stats stats = {.size = sizeof stats};
    int r = rv_supervisor_start(ret, scope, &village, RV_NEVER);

    while (r == 0 && stats.state != RV_SERVICE_ENDED) {
        r = rv_service_stats_read(*ret, "inn/guest", &stats);
        if (r == 0)
            r = rv_sleep(RV_MILLISECOND);
    }
    return r;
}

/* --- channels and queues --- */

static rv_chan *letters, *signals, *nameless;
static rv_queue *work;

static int take_letter(void *arg)
{
    int letter;

    return rv_chan_recv(arg, &letter, RV_NEVER);
}

static int join(void *arg)
{
    return rv_queue_join(arg, RV_NEVER);
}

/* Of ten: seven put, three of them got, one of these done. */
static int fill_queue(void)
{
    int item = 0, r = rv_queue_new(&work, sizeof item, 10);

    if (r == 0)
        r = rv_queue_rename(work, "to do");
    for (int i = 0; i < 7 && r == 0; i++)
        r = rv_queue_put(work, &item, RV_NEVER);
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_queue_get(work, &item, RV_NEVER);
    return r == 0 ? rv_queue_done(work) : r;
}

static int make_flows(rv_scope *scope)
{
    int letter = 1, r = rv_chan_new(&letters, sizeof letter, 4);

    if (r == 0)
        r = rv_chan_new(&signals, 0, 8);
    if (r == 0)
        r = rv_chan_new(&nameless, sizeof letter, 4);
    if (r == 0)
        r = rv_chan_rename(letters, "drafts");
    if (r == 0)
        r = rv_chan_rename(letters, "letters");
    if (r == 0)
        r = rv_chan_rename(signals, "signals");
    for (int i = 0; i < 3 && r == 0; i++)
        r = rv_chan_send(signals, NULL, RV_NEVER);
    for (int i = 0; i < 2 && r == 0; i++)
        r = rv_go(scope, take_letter, letters);
    if (r == 0)
        r = fill_queue();
    return r == 0 ? rv_go(scope, join, work) : r;
}

static void free_flows(void)
{
    rv_chan_free(letters);
    rv_chan_free(signals);
    rv_chan_free(nameless);
    rv_queue_free(work);
}

/* --- plays --- */

static int submit(rv_executor *ex, const struct rv_job *job, int count, rv_future **futures)
{
    int in = 1, r = 0;

    for (int i = 0; i < count && r == 0; i++)
        r = rv_submit_job(ex, &futures[i], job, &in, RV_NEVER);
    return r;
}

static void forget(rv_future **futures)
{
    for (int i = 0; i < JOBS; i++)
        rv_future_free(futures[i]);
}

static int play_here(rv_scope *scope)
{
    rv_future *on_threads[JOBS] = {0}, *on_tasks[JOBS] = {0}, *at_once[JOBS] = {0};
    rv_executor *threads = NULL, *tasks = NULL, *direct = NULL;
    rv_supervisor *sup = NULL;
    int r = start_village(scope, &sup);

    if (r == 0)
        r = make_flows(scope);
    if (r == 0)
        r = rv_executor_open(&threads, "threads:2", NULL);
    if (r == 0)
        r = rv_executor_open(&direct, "inline", NULL);
    if (r == 0)
        r = rv_executor_open(&tasks, "tasks:2", NULL);
    if (r == 0)
        r = submit(threads, rv_job_find("stay"), JOBS, on_threads);
    if (r == 0)
        r = submit(tasks, rv_job_find("sleep_long"), 1, on_tasks);
    if (r == 0)
        r = submit(direct, rv_job_find("pass"), 2, at_once);
    if (r == 0)
        r = until_begun(3);
    if (r == 0) {
        say_ready();
        wait_for_the_end();
    }
    (void)!rv_executor_close(tasks, RV_CLOSE_CANCEL, RV_NEVER);
    (void)!rv_executor_close(threads, RV_CLOSE_CANCEL, RV_NEVER);
    (void)!rv_executor_close(direct, RV_CLOSE_CANCEL, RV_NEVER);
    forget(on_threads);
    forget(on_tasks);
    forget(at_once);
    rv_supervisor_close(sup);
    rv_scope_cancel(scope, -ECANCELED);
    return r;
}

/* The first member has four jobs; a second one is started as they wait. */
static int play_processes(rv_scope *scope)
{
    rv_future *futures[JOBS] = {0};
    rv_executor *ex = NULL;
    rv_queue *shared = NULL;
    int item = 1, r = rv_executor_open(&ex, "processes:2", NULL);

    (void)scope;
    if (r == 0)
        r = rv_queue_new_shared(&shared, sizeof item, 100);
    if (r == 0)
        r = rv_queue_rename(shared, "shared");
    for (int i = 0; i < 5 && r == 0; i++)
        r = rv_queue_put(shared, &item, RV_NEVER);
    if (r == 0)
        r = submit(ex, rv_job_find("stay"), JOBS, futures);
    if (r == 0) {
        say_ready();
        wait_for_the_end();
    }
    (void)!rv_executor_close(ex, RV_CLOSE_CANCEL, RV_NEVER);
    forget(futures);
    rv_queue_free(shared);
    return r;
}

/* --- what does not hold still --- */

static int come_and_go(void *arg)
{
    rv_chan *ch;
    rv_executor *ex;
    int r = 0;

    (void)arg;
    while (!is_over && r == 0) {
        r = rv_chan_new(&ch, 4, 4);
        if (r == 0 && (r = rv_chan_rename(ch, "brief")) == 0)
            r = rv_executor_open(&ex, "tasks:1", NULL);
        if (r == 0)
            r = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
        rv_chan_free(ch);
        rv_yield();
    }
    return r;
}

static int hurry(void *arg)
{
    struct rv_outcome outcome;
    rv_future *f;
    int in = 1, r = 0;

    while (!is_over && r == 0) {
        f = NULL;
        r = rv_submit_job(arg, &f, rv_job_find("pass"), &in, RV_NEVER);
        if (r == 0)
            r = rv_future_get(f, &in, &outcome, RV_NEVER);
        rv_future_free(f);
    }
    return r;
}

static int play_busy(rv_scope *scope)
{
    rv_executor *ex;
    int err, r = rv_executor_open(&ex, "threads:2", NULL);

    (void)scope;
    if (r < 0)
        return r;
    RV_SCOPE(s, err, .name = "crowd") {
        for (int i = 0; i < 4 && r == 0; i++)
            r = rv_go(s, hurry, ex);
        for (int i = 0; i < 2 && r == 0; i++)
            r = rv_go(s, come_and_go, NULL);
        say_ready();
        wait_for_the_end();
    }
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r == 0 ? (err < 0 ? err : closed) : r;
}

static int play(void *mode)
{
    int err, r = 0;

    RV_SCOPE(s, err, .name = "play", .policy = RV_COLLECT_ALL) {
        if (strcmp(mode, "processes") == 0)
            r = play_processes(s);
        else
            r = strcmp(mode, "busy") == 0 ? play_busy(s) : play_here(s);
    }
    free_flows();
    return r;
}

int main(int argc, char **argv)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 2};
    char here[] = "here";

    return rv_run(play, argc > 1 ? argv[1] : here, &opts) == 0 ? 0 : 1;
}
