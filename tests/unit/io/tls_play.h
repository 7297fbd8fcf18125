/* SPDX-License-Identifier: MIT */
/* tls_play.h - a client and a server on the two ends of a pair, each a task: what they say is a
 * test's, and what has become of them. */
#pragma once

#include <openssl/crypto.h>
#include <signal.h>

#include "tls_test.h"

#define HOST "server.test"

/* Made by start_tls(): an authority and the server's certificate of it; a server's configuration, a
 * client's that trusts the authority, and one's that trusts anyone. */
static struct identity ca, leaf;
static rv_tls_config *serving, *trusting, *credulous;

/* --- one connection, and what becomes of its ends --- */

typedef int talk_fn(rv_tls *tls);

struct end {
    rv_tls_config *config;
    const char *host; /* NULL: this is the server */
    talk_fn *talk;
    struct rv_tls_opts opts;
    int fd, result;
    struct rv_tls_flaw flaw;
    rv_time deadline;
};

/* The socket is closed when the end has failed, so that the other one hears of it. */
static inline int play_end(void *arg)
{
    struct end *e = arg;
    rv_tls *tls = NULL;

    e->opts.size = sizeof(e->opts);
    e->opts.ret_flaw = &e->flaw;
    e->result = e->host ? rv_tls_client(&tls, e->fd, e->config, e->host, &e->opts, e->deadline)
                        : rv_tls_server(&tls, e->fd, e->config, &e->opts, e->deadline);
    if (e->result == 0 && e->talk) {
        e->result = e->talk(tls);
        snprintf(e->flaw.text, sizeof(e->flaw.text), "%s", rv_tls_error(tls));
    }
    rv_tls_free(tls);
    rv_close(e->fd);
    return e->result == -ECANCELED || e->result == -ENOMEM ? e->result : 0;
}

struct play {
    struct end client, server;
};

static inline struct play default_play(talk_fn *client, talk_fn *server)
{
    return (struct play){
        .client = {.config = trusting, .host = HOST, .talk = client, .deadline = RV_NEVER},
        .server = {.config = serving, .talk = server, .deadline = RV_NEVER},
    };
}

static inline int play_both(void *arg)
{
    struct play *p = arg;
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);

    if (r < 0)
        return r;
    r = rv_go(s, play_end, &p->server);
    if (r < 0)
        rv_close(p->server.fd);
    int q = rv_go(s, play_end, &p->client);
    if (q < 0)
        rv_close(p->client.fd);
    if (r < 0 || q < 0)
        rv_scope_cancel(s, r < 0 ? r : q);
    return rv_scope_close(s);
}

static inline int play_connected(struct play *p)
{
    int ends[2];
    make_pair(ends);
    p->client.fd = ends[0];
    p->server.fd = ends[1];
    return play_both(p);
}

static inline int play_connected_task(void *p)
{
    return play_connected(p);
}

static inline void play(struct play *p)
{
    assert_int_equal(run_on(2, play_connected_task, p), 0);
}

static inline void assert_played(struct play *p, int client, int server)
{
    play(p);
    if (p->client.result != client || p->server.result != server)
        print_message("client: %s; server: %s\n", p->client.flaw.text, p->server.flaw.text);
    assert_int_equal(p->client.result, client);
    assert_int_equal(p->server.result, server);
}

/* --- what they say --- */

static inline int say(rv_tls *tls, const char *text)
{
    ssize_t n = rv_tls_write(tls, text, strlen(text), RV_NEVER);
    return n < 0 ? (int)n : (size_t)n == strlen(text) ? 0 : -EIO;
}

static inline int hear(rv_tls *tls, const char *text)
{
    char heard[64];
    size_t count = 0;
    while (count < strlen(text)) {
        ssize_t n = rv_tls_read(tls, heard + count, sizeof(heard) - count, RV_NEVER);
        if (n <= 0)
            return n < 0 ? (int)n : -ENODATA;
        count += (size_t)n;
    }
    return count == strlen(text) && memcmp(heard, text, count) == 0 ? 0 : -EIO;
}

static inline int ask_and_leave(rv_tls *tls)
{
    int r = say(tls, "question");
    if (r == 0)
        r = hear(tls, "answer");
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static inline int answer_and_leave(rv_tls *tls)
{
    char more;
    int r = hear(tls, "question");
    if (r == 0)
        r = say(tls, "answer");
    if (r == 0)
        r = (int)rv_tls_read(tls, &more, 1, RV_NEVER);
    return r < 0 ? r : rv_tls_close(tls, RV_NEVER);
}

static inline struct rv_tls_info info_of(rv_tls *tls)
{
    struct rv_tls_info info = {.size = sizeof(info)};
    RV_CHECK(rv_tls_info_read(tls, &info) == 0);
    return info;
}

/* --- what all of them need --- */

static inline void *crypto_alloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return size ? rvi_alloc(size) : NULL;
}

static inline void *crypto_realloc(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (size)
        return rvi_realloc(memory, size);
    rvi_free(memory);
    return NULL;
}

static inline void crypto_free(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    rvi_free(memory);
}

static inline int start_tls(void **state)
{
    const struct rv_tls_config_opts server = {
        .size = sizeof(server), .cert_pem = leaf.cert_pem, .key_pem = leaf.key_pem};
    const struct rv_tls_config_opts client = {.size = sizeof(client), .ca_pem = ca.cert_pem};
    const struct rv_tls_config_opts anyone = {.size = sizeof(anyone),
                                              .trust = RV_TLS_VERIFY_NO_ONE_INSECURE};
    (void)state;
    RV_CHECK(CRYPTO_set_mem_functions(crypto_alloc, crypto_realloc, crypto_free));
    signal(SIGPIPE, SIG_DFL); /* nothing here may raise it */
    ca = make_identity(NULL, "authority", NULL, -1, 30);
    leaf = make_identity(&ca, HOST, "DNS:" HOST, -1, 30);
    serving = make_config(&server);
    trusting = make_config(&client);
    credulous = make_config(&anyone);
    return 0;
}

static inline int stop_tls(void **state)
{
    (void)state;
    rv_tls_config_free(serving);
    rv_tls_config_free(trusting);
    rv_tls_config_free(credulous);
    free_identity(&leaf);
    free_identity(&ca);
    return 0;
}
