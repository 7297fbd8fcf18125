/* SPDX-License-Identifier: MIT */
/* probe_pass.c - eight bytes there and eight back: between tasks, threads, processes, machines.
 *
 * Whoever answers does nothing else, so the figure is the latency of two messages: where both share
 * a processor it is made of switches, where they do not of waking the other one. "looking" never
 * sleeps; it needs a processor for each side.
 *
 * A cluster is asked when RAVEL_CLUSTER names one, by a job as the program's other tiers are.
 *
 * Checked by: tests/cli/test_lab.py */
#include <errno.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/bench.h"
#include "lab/report.h"

static const long over = -1; /* the message that ends whoever answers */

/* --- Ravel's own, inside a process --- */

struct channels {
    struct lab_bench *b;
    const char *name;
    rv_chan *there, *back;
    unsigned answerer; /* its worker */
};

static int answer_channel(void *arg)
{
    struct channels *c = arg;
    long ball = 0;
    int r = rv_migrate(c->answerer);

    while (r == 0 && (r = rv_chan_recv(c->there, &ball, RV_NEVER)) == 0)
        r = rv_chan_send(c->back, &ball, RV_NEVER);
    return r == -EPIPE ? 0 : r;
}

static int ask_channel(void *arg, long ops)
{
    struct channels *c = arg;
    int r = 0;

    for (long ball = ops; ops > 0 && r == 0; ops--) {
        r = rv_chan_send(c->there, &ball, RV_NEVER);
        r = r < 0 ? r : rv_chan_recv(c->back, &ball, RV_NEVER);
    }
    return r;
}

static int time_channel(void *arg)
{
    struct channels *c = arg;
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);

    if (r < 0)
        return r;
    r = rv_go(s, answer_channel, c);
    r = r < 0 ? r : lab_time(c->b, c->name, LAB_NOWHERE, ask_channel, c, 1);
    rv_chan_close(c->there);
    int closed = rv_scope_close(s);
    return r < 0 ? r : closed;
}

static int pass_channel(struct lab_bench *b, const char *name, unsigned workers)
{
    struct rv_run_opts opts = {.size = sizeof opts, .workers = workers};
    struct channels c = {.b = b, .name = name, .answerer = workers - 1};
    int r = rv_chan_new(&c.there, sizeof(long), 1);

    if (r < 0)
        return r;
    r = rv_chan_new(&c.back, sizeof(long), 1);
    if (r == 0)
        r = rv_run(time_channel, &c, &opts);
    rv_chan_free(c.there);
    rv_chan_free(c.back);
    return r;
}

struct queues {
    rv_queue *there, *back;
};

static void *answer_queue(void *arg)
{
    struct queues *q = arg;
    long ball;

    while (rv_queue_get(q->there, &ball, RV_NEVER) == 0) {
        if (rv_queue_done(q->there) < 0 || rv_queue_put(q->back, &ball, RV_NEVER) < 0)
            break;
    }
    return NULL;
}

static int ask_queue(void *arg, long ops)
{
    struct queues *q = arg;
    int r = 0;

    for (long ball = ops; ops > 0 && r == 0; ops--) {
        r = rv_queue_put(q->there, &ball, RV_NEVER);
        r = r < 0 ? r : rv_queue_get(q->back, &ball, RV_NEVER);
        r = r < 0 ? r : rv_queue_done(q->back);
    }
    return r;
}

static int pass_queue(struct lab_bench *b)
{
    struct queues q = {0};
    pthread_t other;
    int r = rv_queue_new(&q.there, sizeof(long), 1);

    if (r == 0)
        r = rv_queue_new(&q.back, sizeof(long), 1);
    if (r == 0)
        r = -pthread_create(&other, NULL, answer_queue, &q);
    if (r == 0) {
        r = lab_time(b, "queue, two threads", LAB_NOWHERE, ask_queue, &q, 1);
        rv_queue_close(q.there);
        pthread_join(other, NULL);
    }
    rv_queue_free(q.there);
    rv_queue_free(q.back);
    return r;
}

/* --- descriptors, between processes --- */

struct line {
    int ours[2], theirs[2]; /* to read from, to write to */
};

static bool move_whole(int fd, void *bytes, bool is_read)
{
    size_t done = 0;

    while (done < sizeof(long)) {
        char *at = (char *)bytes + done;
        ssize_t n =
            is_read ? read(fd, at, sizeof(long) - done) : write(fd, at, sizeof(long) - done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static int answer_line(void *arg)
{
    struct line *l = arg;
    long ball;

    while (move_whole(l->theirs[0], &ball, true) && ball != over) {
        if (!move_whole(l->theirs[1], &ball, false))
            return -EIO;
    }
    return 0;
}

static int ask_line(void *arg, long ops)
{
    struct line *l = arg;

    for (long ball = ops; ops > 0; ops--) {
        if (!move_whole(l->ours[1], &ball, false) || !move_whole(l->ours[0], &ball, true))
            return -EIO;
    }
    return 0;
}

static int pass_line(struct lab_bench *b, const char *name, struct line *l)
{
    long last = over;
    int pid = lab_fork(answer_line, l);

    if (pid < 0)
        return pid;
    int r = lab_time(b, name, LAB_NOWHERE, ask_line, l, 1);
    if (!move_whole(l->ours[1], &last, false))
        kill(pid, SIGKILL);
    int reaped = lab_reap(pid);
    return r < 0 ? r : reaped;
}

static int pass_pipe(struct lab_bench *b)
{
    struct line l;
    int there[2], back[2];

    if (pipe(there) < 0)
        return -errno;
    if (pipe(back) < 0)
        return -errno;
    l = (struct line){{back[0], there[1]}, {there[0], back[1]}};
    int r = pass_line(b, "pipes, two processes", &l);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
    return r;
}

static int pass_pair(struct lab_bench *b, const char *name, const int pair[2])
{
    struct line l = {{pair[0], pair[0]}, {pair[1], pair[1]}};
    int r = pass_line(b, name, &l);

    close(pair[0]);
    close(pair[1]);
    return r;
}

static int tcp_pair(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || pair[0] < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &bytes) < 0 ||
        connect(pair[0], (struct sockaddr *)&at, sizeof at) < 0)
        return -errno;
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
    for (int i = 0; i < 2; i++) {
        if (pair[i] < 0 || setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
            return -errno;
    }
    return 0;
}

static int pass_sockets(struct lab_bench *b)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        return -errno;
    int r = pass_pair(b, "Unix socket, two processes", pair);
    if (r < 0)
        return r;
    r = tcp_pair(pair);
    return r < 0 ? lab_missing(b, "no TCP on loopback: %s", strerror(-r))
                 : pass_pair(b, "TCP on loopback, two processes", pair);
}

/* --- shared memory, between processes --- */

struct board {
    _Alignas(128) _Atomic long there;
    _Alignas(128) _Atomic long back;
    bool is_looking; /* or sleeping */
};

/* The low half is the word that a futex knows. */
static void wait_for_other(struct board *board, _Atomic long *place, long value)
{
    while (atomic_load(place) == value) {
        if (!board->is_looking)
            syscall(SYS_futex, place, FUTEX_WAIT, (int)value, NULL, NULL, 0);
    }
}

static void put_there(struct board *board, _Atomic long *place, long value)
{
    atomic_store(place, value);
    if (!board->is_looking)
        syscall(SYS_futex, place, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int answer_board(void *arg)
{
    struct board *board = arg;
    long seen = 0;

    if (board->is_looking)
        (void)lab_stay_on(1);
    for (;;) {
        wait_for_other(board, &board->there, seen);
        seen = atomic_load(&board->there);
        put_there(board, &board->back, seen);
        if (seen == over)
            return 0;
    }
}

static int ask_board(void *arg, long ops)
{
    struct board *board = arg;

    for (; ops > 0; ops--) {
        long next = (atomic_load(&board->back) + 1) & 0xffffff;
        put_there(board, &board->there, next);
        while (atomic_load(&board->back) != next)
            wait_for_other(board, &board->back, (next + 0xffffff) & 0xffffff);
    }
    return 0;
}

static int pass_board(struct lab_bench *b, const char *name, bool is_looking)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (board == MAP_FAILED)
        return -errno;
    *board = (struct board){.is_looking = is_looking};
    int pid = lab_fork(answer_board, board);
    if (pid < 0)
        return pid;
    int r = is_looking ? lab_stay_on(0) : 0;
    r = r < 0 ? r : lab_time(b, name, LAB_NOWHERE, ask_board, board, 1);
    put_there(board, &board->there, over);
    int reaped = lab_reap(pid);
    munmap(board, sizeof *board);
    if (r == 0)
        r = lab_stay_anywhere();
    return r < 0 ? r : reaped;
}

/* --- a job, to another process or machine --- */

struct ball {
    long bytes;
};

static int lab_throw_back(const struct ball *in, struct ball *out)
{
    *out = *in;
    return 0;
}
RV_JOB(lab_throw_back, struct ball, struct ball);

static int ask_executor(void *ex, long ops)
{
    int r = 0;

    for (; ops > 0 && r == 0; ops--) {
        struct ball in = {ops}, out;
        r = rv_map(ex, lab_throw_back, &in, 1, &out, NULL, rv_after(RV_MINUTE));
    }
    return r;
}

static int pass_job(struct lab_bench *b, const char *name, const char *tier,
                    const struct rv_executor_opts *opts)
{
    rv_executor *ex;
    int r = rv_executor_open(&ex, tier, opts);

    if (r < 0)
        return r;
    r = ask_executor(ex, 1);
    r = r < 0 ? r : lab_time(b, name, LAB_NOWHERE, ask_executor, ex, 1);
    int closed = rv_executor_close(ex, RV_CLOSE_CANCEL, rv_after(RV_MINUTE));
    return r < 0 ? r : closed;
}

/* Its workers are to be this command: `ravel worker` starts them. */
static int pass_cluster(struct lab_bench *b)
{
    char words[LAB_WHY / 2] = "";
    struct rv_cluster_opts cluster = {.size = sizeof cluster,
                                      .worker_wait = lab_pick(b, 1, 5) * RV_SECOND,
                                      .link_wait = 5 * RV_SECOND,
                                      .words = words,
                                      .words_bytes = sizeof words};
    struct rv_executor_opts opts = {.size = sizeof opts, .cluster = &cluster};
    const char *said = getenv("RAVEL_CLUSTER");

    if (!said || !said[0])
        return lab_missing(b, "no cluster was asked: RAVEL_CLUSTER names none");
    int r = pass_job(b, "job to the cluster", "cluster", &opts);
    if (r == -EHOSTDOWN || r == -ESTALE)
        return lab_missing(b, "the cluster has no worker of this command: ravel worker %s",
                           program_invocation_name);
    return r < 0 ? lab_missing(b, "the cluster: %s", words[0] ? words : strerror(-r)) : 0;
}

int lab_pass(struct lab_bench *b)
{
    bool has_two = lab_processors() > 1;
    int r = pass_channel(b, "channel, two tasks of one worker", 1);

    r = r < 0 ? r : pass_channel(b, "channel, tasks of two workers", 2);
    r = r < 0 ? r : pass_queue(b);
    r = r < 0 ? r : pass_pipe(b);
    r = r < 0 ? r : pass_sockets(b);
    if (r == 0 && has_two)
        r = pass_board(b, "shared memory, two processes looking", true);
    r = r < 0 ? r : pass_board(b, "shared memory, two processes sleeping", false);
    r = r < 0 ? r : pass_job(b, "job to a worker process", "processes:1", NULL);
    return r < 0 ? r : pass_cluster(b);
}
