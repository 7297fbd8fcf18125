/* SPDX-License-Identifier: MIT */
/* stress_io_net.c - servers under clients on all workers that ask, leave early, reset, give up and
 * are cancelled, while their servers come, drain and go. Nothing may be left: no descriptor, no
 * byte. */
#include <errno.h>
#include <string.h>

#include "../support/held.h"
#include "base/alloc.h"
#include "stress.h"

enum { CLIENTS = 24, MESSAGE = 600 };

/* Each party's random numbers are its own. */
static void seed_next(struct rvi_rng *rng)
{
    static _Atomic(uint64_t) seed;
    rvi_rng_seed(rng, rvi_fetch_add_relaxed(&seed, 1));
}

static rv_time some_deadline(struct rvi_rng *rng)
{
    return rv_after((rv_time)rvi_rng_below(rng, 500) * RV_MICROSECOND);
}

struct scene {
    char at[RV_ADDR_TEXT];
    size_t rounds; /* of each client, each with a connection of its own */
    _Atomic(size_t) answered;
    size_t lives;
};

/* --- servers --- */

static int echo(struct rv_conn *conn, void *arg)
{
    char buf[MESSAGE];
    int r;
    (void)arg;
    while ((r = rv_conn_idle(conn)) == 0) {
        ssize_t n = rv_recv(conn->fd, buf, sizeof buf, 0, RV_NEVER);
        if (rv_conn_busy(conn) == -ESHUTDOWN && n == -ECANCELED)
            n = rv_recv(conn->fd, buf, sizeof buf, 0, 0);
        if (n <= 0)
            return (int)n;
        r = rv_send_all(conn->fd, buf, (size_t)n, NULL, RV_NEVER);
        if (r < 0)
            return r;
    }
    return r;
}

/* --- clients --- */

/* Whatever may become of a connection whose server drains, or that is given up. */
static void check_ending(int r)
{
    RV_CHECK(r >= 0 || r == -ECONNREFUSED || r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN ||
             r == -ETIME || r == -ECANCELED);
}

static int ask(struct scene *scene, int fd, rv_time deadline)
{
    char out[MESSAGE], in[MESSAGE];
    size_t got = 0;
    memset(out, 'x', sizeof out);
    int r = rv_send_all(fd, out, sizeof out, NULL, deadline);
    while (r == 0 && got < sizeof in) {
        ssize_t n = rv_recv(fd, in + got, sizeof in - got, 0, deadline);
        if (n <= 0)
            return n == 0 ? -ECONNRESET : (int)n;
        got += (size_t)n;
    }
    if (r == 0) {
        RV_CHECK(memcmp(in, out, sizeof in) == 0);
        rvi_fetch_add_relaxed(&scene->answered, 1);
    }
    return r;
}

static int converse(struct scene *scene, int fd, struct rvi_rng *rng)
{
    int r = 0;
    for (uint64_t i = rvi_rng_below(rng, 4); i > 0 && r == 0; i--)
        r = ask(scene, fd, rvi_rng_below(rng, 8) == 0 ? some_deadline(rng) : RV_NEVER);
    return r;
}

static int visit(struct scene *scene, struct rvi_rng *rng)
{
    int fd = rv_dial("tcp", scene->at, RV_NEVER);
    if (fd < 0)
        return fd;
    int r = converse(scene, fd, rng);
    if (rvi_rng_below(rng, 4) == 0)
        RV_CHECK(rv_sock_set(fd, RV_SOCK_LINGER, 0) == 0);
    if (rvi_rng_below(rng, 4) == 0)
        check_ending(rv_close_gracefully(fd, some_deadline(rng)));
    else
        RV_CHECK(rv_close(fd) == 0);
    return r;
}

static int client(void *arg)
{
    struct scene *scene = arg;
    struct rvi_rng rng;
    int r = 0;
    seed_next(&rng);
    for (size_t i = 0; i < scene->rounds && r != -ECANCELED; i++)
        check_ending(r = visit(scene, &rng));
    return 0;
}

/* --- a server's life --- */

static int open_server(struct scene *scene, rv_server **ret)
{
    struct rv_server_opts opts = {.size = sizeof opts, .limit = 16};
    struct rv_addr addr;
    int fds[2];
    RV_CHECK(rv_listen_group("tcp", "127.0.0.1:0", NULL, fds, 2) == 0);
    RV_CHECK(rv_addr_local(fds[0], &addr) == 0);
    rv_addr_format(&addr, scene->at, sizeof scene->at);
    return rv_server_open(ret, fds, 2, echo, NULL, &opts);
}

/* The server goes first in some rounds, the clients in others; some clients are cancelled, which
 * may be before any has its answer: in the first round none are. */
static int one_life(void *arg)
{
    struct scene *scene = arg;
    struct rvi_rng rng;
    rv_server *server;
    int err;
    seed_next(&rng);
    RV_CHECK(open_server(scene, &server) == 0);
    bool is_cut_short = scene->lives++ > 0 && rvi_rng_below(&rng, 3) == 0;
    int drained = 0;
    RV_SCOPE(clients, err, .policy = RV_COLLECT_ALL) {
        for (int i = 0; i < CLIENTS; i++)
            RV_CHECK(rv_go(clients, client, scene) == 0);
        if (is_cut_short) {
            RV_CHECK(rv_sleep((rv_time)rvi_rng_below(&rng, 3000) * RV_MICROSECOND) == 0);
            rv_scope_cancel(clients, -ECANCELED);
        }
    }
    RV_CHECK(err == 0 || err == -ECANCELED);
    drained = rv_server_drain(server, RV_NEVER);
    RV_CHECK(drained == 0);
    return 0;
}

/* Most ask with all the time there is. */
static void wait_for_an_answer(struct scene *scene)
{
    size_t before = rvi_load_relaxed(&scene->answered);
    while (rvi_load_relaxed(&scene->answered) == before)
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
}

/* Clients that are still at it when their server drains: it is in a scope inside theirs. */
static int drain_under_clients(void *arg)
{
    struct scene *scene = arg;
    rv_server *server;
    int err;
    RV_SCOPE(clients, err, .policy = RV_COLLECT_ALL) {
        RV_CHECK(open_server(scene, &server) == 0);
        for (int i = 0; i < CLIENTS; i++)
            RV_CHECK(rv_go(clients, client, scene) == 0);
        wait_for_an_answer(scene);
        int r = rv_server_drain(server, rv_after(5 * RV_MILLISECOND));
        RV_CHECK(r == 0 || r == -ETIME);
    }
    return err;
}

static void play(rv_fn *life, size_t lives)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        size_t before = open_descriptors();
        long memory = rvi_alloc_live();
        struct scene scene = {.rounds = scaled(40, 5)};
        for (size_t i = 0; i < lives; i++)
            run_on(workers, life, &scene);
        assert_true(rvi_load_relaxed(&scene.answered) > 0);
        assert_int_equal(open_descriptors(), before);
        assert_int_equal(rvi_alloc_live(), memory);
    }
}

static void servers_outlive_whatever_their_clients_do(void **state)
{
    (void)state;
    play(one_life, scaled(3, 2));
}

static void servers_drain_under_their_clients(void **state)
{
    (void)state;
    play(drain_under_clients, scaled(8, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_outlive_whatever_their_clients_do),
        cmocka_unit_test(servers_drain_under_their_clients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
