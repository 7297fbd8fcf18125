/* SPDX-License-Identifier: MIT */
/* uring.c - what somebody writes by hand who knows his io_uring, in the ways that there are: one
 * thread, and one ring that hands over and waits in a single call.
 *
 *   io-echo receive=oneshot    a receive into the connection's own buffer, submitted for each one
 *                   pollfirst  the same, without the attempt that would be in vain
 *                   multishot  one receive a connection for all of its life, into buffers of a
 *                              common pool, which are given back when they have been answered
 *   io-accept accept=oneshot   an accept submitted for each connection
 *                    multishot one for all
 *                    try       accept4() until there is no more, then an accept submitted: as
 *                              Ravel does
 *
 * An accept's figure contains the close of what was accepted. Answers are written by write(2), as
 * Ravel does what it can do at once; only the other half differs. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../echo.h"

enum { ENTRIES = 256, COMPLETIONS = 4096, POOL = 1024, GROUP = 0, BATCH = 64 };

enum how { ONESHOT, POLL_FIRST, MULTISHOT, TRY };

static struct io_uring ring;
static enum how how;
static long message;
static struct io_uring_buf_ring *pool;
static char *pool_bytes;
static char **own_bytes; /* by descriptor */

static void open_ring(void)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };

    if (io_uring_queue_init_params(ENTRIES, &ring, &params) < 0)
        bench_not_here();
    bench_require(io_uring_register_ring_fd(&ring) == 1, "io_uring_register_ring_fd");
}

static struct io_uring_sqe *next_entry(int token)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

    if (!sqe) {
        bench_must(io_uring_submit(&ring), "io_uring_submit");
        sqe = io_uring_get_sqe(&ring);
    }
    io_uring_sqe_set_data64(sqe, (uint64_t)(int64_t)token);
    return sqe;
}

/* --- the pool --- */

static char *pooled(int index)
{
    return pool_bytes + (size_t)index * (size_t)message;
}

static void open_pool(void)
{
    struct io_uring_buf_reg reg = {.ring_entries = POOL, .bgid = GROUP};
    size_t bytes = POOL * sizeof(struct io_uring_buf);

    pool = aligned_alloc(4096, bytes);
    memset(pool, 0, bytes);
    pool_bytes = malloc(POOL * (size_t)message);
    reg.ring_addr = (uintptr_t)pool;
    if (io_uring_register_buf_ring(&ring, &reg, 0) < 0)
        bench_not_here();
    io_uring_buf_ring_init(pool);
    for (int i = 0; i < POOL; i++)
        io_uring_buf_ring_add(pool, pooled(i), (unsigned)message, (unsigned short)i, POOL - 1, i);
    io_uring_buf_ring_advance(pool, POOL);
}

static void give_back(int index)
{
    io_uring_buf_ring_add(pool, pooled(index), (unsigned)message, (unsigned short)index, POOL - 1,
                          0);
    io_uring_buf_ring_advance(pool, 1);
}

/* --- io-echo --- */

static void receive(int fd)
{
    struct io_uring_sqe *sqe = next_entry(fd);

    if (how == MULTISHOT) {
        io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = GROUP;
    } else
        io_uring_prep_recv(sqe, fd, own_bytes[fd], (size_t)message, 0);
    if (how == POLL_FIRST)
        sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    io_uring_sqe_set_data64(sqe, (uint64_t)fd);
}

static void answer(int fd, const char *bytes, int n)
{
    bench_require(write(fd, bytes, (size_t)n) == n, "write");
}

/* Returns whether the connection is over. */
static int take_received(const struct io_uring_cqe *cqe)
{
    int fd = (int)cqe->user_data;
    int index = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

    if (cqe->res == 0) {
        close(fd);
        return 1;
    }
    bench_require(cqe->res > 0 || cqe->res == -ENOBUFS, "recv");
    if (cqe->res > 0)
        answer(fd, how == MULTISHOT ? pooled(index) : own_bytes[fd], cqe->res);
    if (cqe->flags & IORING_CQE_F_BUFFER)
        give_back(index);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        receive(fd);
    return 0;
}

/* Completions of one look, of which `take` says how many it has counted. */
static long look(int (*take)(const struct io_uring_cqe *cqe))
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;
    long counted = 0;

    bench_must(io_uring_submit_and_wait(&ring, 1), "io_uring_submit_and_wait");
    io_uring_for_each_cqe(&ring, head, cqe)
    {
        counted += take(cqe);
        if (++n == BATCH)
            break;
    }
    io_uring_cq_advance(&ring, n);
    return counted;
}

static enum how choose_how(const char *key)
{
    static const char *const words[] = {"oneshot", "pollfirst", "multishot", "try"};
    const char *word = bench_param_text(key, "multishot");

    for (int i = 0; i < 4; i++) {
        if (strcmp(word, words[i]) == 0)
            return (enum how)i;
    }
    bench_not_here();
}

static void accept_in_thread(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    bench_require(fd >= 0, "accept");
    own_bytes = realloc(own_bytes, (size_t)(fd + 1) * sizeof *own_bytes);
    own_bytes[fd] = malloc((size_t)message * 2);
    receive(fd);
}

static void bench_io_echo(void)
{
    int listener;
    long conns;

    (void)bench_param_text("by", "uring"); /* which is Ravel's */
    how = choose_how("receive");
    open_ring();
    struct bench_echo *echo = bench_echo_start(&listener, &conns, &message);
    open_pool();
    bench_require(fcntl(listener, F_SETFL, 0) == 0, "fcntl");
    for (long i = 0; i < conns; i++)
        accept_in_thread(listener);
    while (conns > 0)
        conns -= look(take_received);
    bench_echo_end(echo);
    io_uring_queue_exit(&ring);
    close(listener);
}

/* --- io-accept --- */

struct client {
    struct sockaddr_in at;
    long conns, wave;
};

/* Connect a wave, end it, and so on. */
static void *connect_and_end(void *arg)
{
    const struct client *client = arg;
    int *fds = calloc((size_t)client->wave, sizeof *fds);
    const struct linger at_once = {1, 0};

    bench_bind_to_core(1);
    for (long done = 0; done < client->conns;) {
        long n = 0;
        for (; n < client->wave && done < client->conns; n++, done++) {
            fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
            setsockopt(fds[n], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
            bench_require(connect(fds[n], (const void *)&client->at, sizeof client->at) == 0,
                          "connect");
        }
        while (n > 0)
            close(fds[--n]);
    }
    free(fds);
    return NULL;
}

static int listen_for(struct client *client)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    socklen_t size = sizeof client->at;

    client->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    bench_require(bind(listener, (struct sockaddr *)&client->at, size) == 0, "bind");
    bench_require(listen(listener, 4096) == 0, "listen");
    bench_require(getsockname(listener, (struct sockaddr *)&client->at, &size) == 0, "name");
    return listener;
}

static void submit_accept(int listener)
{
    struct io_uring_sqe *sqe = next_entry(listener);

    if (how == MULTISHOT)
        io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    else
        io_uring_prep_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    io_uring_sqe_set_data64(sqe, (uint64_t)listener);
}

static int take_accepted(const struct io_uring_cqe *cqe)
{
    int listener = (int)cqe->user_data, fd = cqe->res, n = 0;

    bench_must(fd, "accept");
    do {
        close(fd);
        n++;
    } while (how == TRY && (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0);
    if (!(cqe->flags & IORING_CQE_F_MORE))
        submit_accept(listener);
    return n;
}

static void bench_io_accept(void)
{
    struct client client = {.wave = bench_param("wave", 64), .conns = bench_param("ops", 50000)};
    int listener = listen_for(&client);
    pthread_t thread;
    int64_t began;

    how = choose_how("accept");
    open_ring();
    bench_bind_to_core(0);
    bench_require(pthread_create(&thread, NULL, connect_and_end, &client) == 0, "pthread_create");
    began = bench_cpu_of_thread();
    submit_accept(listener);
    for (long left = client.conns; left > 0;)
        left -= look(take_accepted);
    began = bench_cpu_of_thread() - began;
    pthread_join(thread, NULL);
    bench_result(NULL, (double)began / (double)client.conns, "ns");
    io_uring_queue_exit(&ring);
    close(listener);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {
        {"io-echo", bench_io_echo}, {"io-accept", bench_io_accept}, {NULL, NULL}};
    bench_choose(benches, "uring", argc, argv);
}
