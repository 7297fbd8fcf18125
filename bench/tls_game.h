/* SPDX-License-Identifier: MIT */
/* tls_game.h - what both ends of a measured TLS connection do, whoever makes it:
 *
 *   what=handshake  keys agreed on, chain and host verified
 *   what=resume     the same with a session resumed
 *   what=stream     16 KiB from one end to the other
 *   what=pingpong   64 bytes there and back */
#pragma once

#include "bench.h"

#include <stdbool.h>
#include <string.h>

enum { BENCH_TLS_RECORD = 16384, BENCH_TLS_BALL = 64, BENCH_TLS_SESSION = 16384 };

struct bench_tls_game {
    const char *what;
    void (*connect_once)(void);
    long rounds; /* of data, for each connection */
};

struct bench_tls_end {
    void *tls;
    void (*write_all)(void *tls, const char *data, size_t count);
    void (*read_all)(void *tls, char *data, size_t count);
};

static inline bool bench_tls_is(const struct bench_tls_game *game, const char *what)
{
    return strcmp(game->what, what) == 0;
}

/* The server sends one byte first, so that the client has its tickets. */
static inline void bench_tls_serve(const struct bench_tls_game *game,
                                   const struct bench_tls_end *end)
{
    char data[BENCH_TLS_RECORD] = "";
    end->write_all(end->tls, data, 1);
    for (long i = 0; bench_tls_is(game, "stream") && i < game->rounds; i++)
        end->read_all(end->tls, data, BENCH_TLS_RECORD);
    for (long i = 0; bench_tls_is(game, "pingpong") && i < game->rounds; i++) {
        end->read_all(end->tls, data, BENCH_TLS_BALL);
        end->write_all(end->tls, data, BENCH_TLS_BALL);
    }
}

static inline void bench_tls_use(const struct bench_tls_game *game, const struct bench_tls_end *end)
{
    char data[BENCH_TLS_RECORD] = "";
    end->read_all(end->tls, data, 1);
    for (long i = 0; bench_tls_is(game, "stream") && i < game->rounds; i++)
        end->write_all(end->tls, data, BENCH_TLS_RECORD);
    for (long i = 0; bench_tls_is(game, "pingpong") && i < game->rounds; i++) {
        end->write_all(end->tls, data, BENCH_TLS_BALL);
        end->read_all(end->tls, data, BENCH_TLS_BALL);
    }
}

static inline void bench_tls_run(void *arg, long ops)
{
    struct bench_tls_game *game = arg;
    bool is_of_data = bench_tls_is(game, "stream") || bench_tls_is(game, "pingpong");
    game->rounds = ops;
    for (long i = 0; i < (is_of_data ? 1 : ops); i++)
        game->connect_once();
}

/* Some 50 ms of it at a time; connect_once() makes a connection whose ends play, and ends it. */
static inline void bench_tls_measure(struct bench_tls_game *game, void (*connect_once)(void))
{
    game->connect_once = connect_once;
    bench_batches(bench_tls_run, game,
                  bench_tls_is(game, "stream")     ? 4000
                  : bench_tls_is(game, "pingpong") ? 5000
                                                   : 50);
}
