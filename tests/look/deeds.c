/* SPDX-License-Identifier: MIT */
/* deeds.c - programs whose every call, wait and job is known, for `ravel trace`, on one worker a
 * runtime.
 *
 *     deeds calls      a task reads a pipe that another writes, and what is no descriptor
 *     deeds locks      tasks wait for locks that others hold, and sleep
 *     deeds things     tasks wait for what has a name from before, gets one, loses it, has none;
 *                      for a future, and for its executor
 *     deeds jobs       executors run some, in a thread and in a process
 *     deeds away URL   a cluster runs them
 *     deeds runtimes   three, one after the other, and two more at a time
 *     deeds serve      a task that was there before reads what another writes, until the end of
 *                      standard input; a line on standard output says that both are there
 *     deeds rest       a task sleeps, with no descriptor to wait for */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

static int ends[2];
static struct rv_mutex door;
static struct rv_rwlock book;
static struct rv_sem seats;

static void say_ready(void)
{
    puts("ready");
    fflush(stdout);
}

/* --- calls --- */

static int reader(void *arg)
{
    char text[16];

    (void)arg;
    if (rv_task_rename("bookworm") < 0 || rv_read(ends[0], text, sizeof text, RV_NEVER) != 5)
        return -EPROTO;
    return rv_read(-1, text, 1, RV_NEVER) == -EBADF ? 0 : -EPROTO;
}

static int calls(void *arg)
{
    int err = rv_pipe(ends);

    (void)arg;
    if (err < 0)
        return err;
    RV_SCOPE(s, err) {
        err = rv_go(s, reader, NULL);
        rv_yield();
        if (err == 0 && rv_write(ends[1], "abcde", 5, RV_NEVER) != 5)
            err = -EPROTO;
    }
    return err;
}

/* --- locks --- */

static int knocker(void *arg)
{
    (void)arg;
    int r = rv_mutex_lock(&door, RV_NEVER);
    if (r == 0)
        rv_mutex_unlock(&door);
    return r;
}

static int author(void *arg)
{
    (void)arg;
    int r = rv_rwlock_write_lock(&book, RV_NEVER);
    if (r == 0)
        rv_rwlock_write_unlock(&book);
    return r;
}

static int guest(void *arg)
{
    (void)arg;
    return rv_sem_wait(&seats, RV_NEVER);
}

static int sleeper(void *arg)
{
    (void)arg;
    return rv_sleep(RV_MILLISECOND);
}

static int start_all(rv_scope *s)
{
    int r = rv_go(s, knocker, NULL);

    if (r == 0)
        r = rv_go(s, author, NULL);
    if (r == 0)
        r = rv_go(s, guest, NULL);
    return r < 0 ? r : rv_go(s, sleeper, NULL);
}

static int locks(void *arg)
{
    int err;

    (void)arg;
    rv_mutex_init(&door);
    rv_rwlock_init(&book);
    rv_sem_init(&seats, 0);
    if (rv_mutex_lock(&door, RV_NEVER) < 0 || rv_rwlock_write_lock(&book, RV_NEVER) < 0)
        return -EPROTO;
    RV_SCOPE(s, err) {
        err = start_all(s);
        for (int i = 0; i < 4; i++)
            rv_yield(); /* each lets one begin */
        rv_mutex_unlock(&door);
        rv_rwlock_write_unlock(&book);
        rv_sem_post(&seats, 1);
    }
    return err;
}

/* --- jobs --- */

static int halve(const int *in, int *out)
{
    *out = *in / 2;
    return *in % 2 ? -EDOM : 0;
}
RV_JOB(halve, int, int);

static int have_halved(const char *tier)
{
    rv_executor *ex;
    int r = rv_executor_open(&ex, tier, NULL);

    if (r < 0)
        return r;
    for (int number = 6; number < 8 && r == 0; number++) {
        struct rv_outcome outcome;
        rv_future *f = NULL;
        r = rv_submit(ex, &f, halve, &number, RV_NEVER);
        if (r == 0)
            r = rv_future_get(f, NULL, &outcome, RV_NEVER);
        rv_future_free(f);
    }
    int closed = rv_executor_close(ex, RV_CLOSE_WAIT, RV_NEVER);
    return r < 0 ? r : closed;
}

static const char *cluster; /* "cluster:" and its URL */

static int away(void *arg)
{
    (void)arg;
    return have_halved(cluster);
}

static int jobs(void *arg)
{
    int r = have_halved("threads:1");

    (void)arg;
    return r < 0 ? r : have_halved("processes:1");
}

/* --- things with names --- */

static rv_chan *orders, *nameless;
static rv_queue *letters;
static rv_executor *office;

static int read_byte(const int *in, int *out)
{
    char byte;

    *out = 0;
    return read(*in, &byte, 1) == 1 ? 0 : -EIO;
}
RV_JOB(read_byte, int, int);

static int take(rv_chan *ch)
{
    int item;

    return rv_chan_recv(ch, &item, RV_NEVER);
}

static int buyer(void *arg)
{
    (void)arg;
    int r = take(orders);
    if (r == 0)
        r = rv_chan_rename(orders, "returns");
    if (r == 0)
        r = take(orders);
    if (r == 0)
        r = rv_chan_rename(orders, NULL);
    return r < 0 ? r : take(orders);
}

static int stranger(void *arg)
{
    (void)arg;
    int r = take(nameless);
    return r < 0 ? r : take(nameless);
}

static int clerk(void *arg)
{
    int item;

    (void)arg;
    return rv_queue_get(letters, &item, RV_NEVER);
}

static int boss(void *arg)
{
    rv_future *f = NULL;

    (void)arg;
    int r = rv_submit(office, &f, read_byte, &ends[0], RV_NEVER);
    if (r == 0)
        r = rv_future_wait(f, RV_NEVER);
    rv_future_free(f);
    return r;
}

static int cleaner(void *arg)
{
    (void)arg;
    return rv_executor_close(office, RV_CLOSE_WAIT, RV_NEVER);
}

static int make_things(void)
{
    int r = rv_queue_new(&letters, sizeof(int), 1);

    if (r == 0)
        r = rv_queue_rename(letters, "letters");
    if (r == 0)
        r = rv_chan_new(&nameless, sizeof(int), 1);
    if (r == 0)
        r = rv_executor_open(&office, "threads:1", NULL);
    return r == 0 && pipe(ends) < 0 ? -errno : r; /* a job's read blocks its thread */
}

/* Whoever was started comes to its wait. */
static int settle(int r)
{
    for (int turn = 0; turn < 4 && r == 0; turn++)
        rv_yield();
    return r;
}

static int start_those_who_wait(rv_scope *s)
{
    int r = settle(rv_go(s, buyer, NULL));

    if (r == 0)
        r = settle(rv_go(s, stranger, NULL));
    if (r == 0)
        r = settle(rv_go(s, clerk, NULL));
    if (r == 0)
        r = settle(rv_go(s, boss, NULL));
    return r < 0 ? r : settle(rv_go(s, cleaner, NULL));
}

static int feed(void)
{
    int item = 1, r = 0;

    for (int i = 0; i < 3 && r == 0; i++) {
        r = rv_chan_send(orders, &item, RV_NEVER);
        if (r == 0 && i < 2)
            r = rv_chan_send(nameless, &item, RV_NEVER);
        rv_yield();
    }
    if (r == 0)
        r = rv_queue_put(letters, &item, RV_NEVER);
    return r == 0 && write(ends[1], "x", 1) != 1 ? -EIO : r;
}

static int things(void *arg)
{
    int err;

    (void)arg;
    RV_SCOPE(s, err) {
        err = make_things();
        if (err == 0)
            err = start_those_who_wait(s);
        if (err == 0)
            err = feed();
    }
    rv_queue_free(letters);
    rv_chan_free(nameless);
    return err;
}

static int name_before(void)
{
    int r = rv_chan_new(&orders, sizeof(int), 1);

    return r < 0 ? r : rv_chan_rename(orders, "orders");
}

/* --- runtimes --- */

static pthread_barrier_t both;

static int meet(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&both);
    return rv_task_rename("one of two");
}

static int alone(void *arg)
{
    (void)arg;
    return rv_task_rename("alone");
}

static int run(rv_fn *fn)
{
    const struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};

    return rv_run(fn, NULL, &opts);
}

static void *run_other(void *arg)
{
    (void)arg;
    return run(meet) == 0 ? NULL : &both;
}

static int runtimes(void)
{
    pthread_t other;
    void *failed;
    int r = 0;

    for (int i = 0; i < 3 && r == 0; i++)
        r = run(alone);
    pthread_barrier_init(&both, NULL, 2);
    if (r < 0 || pthread_create(&other, NULL, run_other, NULL) != 0)
        return -1;
    r = run(meet);
    pthread_join(other, &failed);
    return failed ? -1 : r;
}

/* --- for a while --- */

static int old_hand(void *arg)
{
    char byte;
    ssize_t n;

    (void)arg;
    if (rv_task_rename("old hand") < 0)
        return -EPROTO;
    while ((n = rv_read(ends[0], &byte, 1, RV_NEVER)) == 1)
        ;
    return (int)n;
}

static int serve(void *arg)
{
    int err = rv_pipe(ends);
    char byte;

    (void)arg;
    if (err < 0)
        return err;
    RV_SCOPE(s, err) {
        err = rv_go(s, old_hand, NULL);
        rv_yield();
        say_ready();
        while (rv_read(STDIN_FILENO, &byte, 1, rv_after(2 * RV_MILLISECOND)) == -ETIME) {
            if (rv_write(ends[1], "x", 1, RV_NEVER) != 1)
                err = -EPROTO;
        }
        (void)rv_close(ends[1]);
    }
    return err;
}

static int rest(void *arg)
{
    (void)arg;
    say_ready();
    return rv_sleep(60 * RV_MINUTE);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        rv_fn *fn;
    } modes[] = {{"calls", calls}, {"locks", locks}, {"things", things}, {"jobs", jobs},
                 {"away", away},   {"serve", serve}, {"rest", rest}};
    const char *mode = argc > 1 ? argv[1] : "";

    if (strcmp(mode, "runtimes") == 0)
        return runtimes() == 0 ? 0 : 1;
    if (name_before() < 0)
        return 1;
    cluster = argc > 2 ? argv[2] : "";
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(mode, modes[i].name) == 0)
            return run(modes[i].fn) == 0 ? 0 : 1;
    }
    return 2;
}
