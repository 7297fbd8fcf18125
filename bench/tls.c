/* SPDX-License-Identifier: MIT */
/* tls.c - both ends of a TLS 1.3 connection on one worker, over a pair of sockets. */
#include "bench.h"

#include <sys/socket.h>
#include <unistd.h>

#include <ravel.h>

#include "tls_cert.h"
#include "tls_game.h"

static rv_tls_config *server_config, *client_config;
static char session[BENCH_TLS_SESSION];
static struct bench_tls_game game;
static struct rv_tls_opts client_opts = {.size = sizeof client_opts};

static void pem_of(BIO *bio, char *text, size_t room)
{
    int n = BIO_read(bio, text, (int)room - 1);
    bench_require(n > 0, "no PEM");
    text[n] = '\0';
    BIO_free(bio);
}

static void make_configs(void)
{
    struct bench_cert c = bench_make_cert();
    char cert[4096], key[4096];
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, c.cert);
    pem_of(bio, cert, sizeof cert);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, c.key, NULL, NULL, 0, NULL, NULL);
    pem_of(bio, key, sizeof key);
    const struct rv_tls_config_opts server = {
        .size = sizeof server, .cert_pem = cert, .key_pem = key};
    const struct rv_tls_config_opts client = {.size = sizeof client, .ca_pem = cert};
    bench_must(rv_tls_config_new(&server_config, &server, NULL), "rv_tls_config_new");
    bench_must(rv_tls_config_new(&client_config, &client, NULL), "rv_tls_config_new");
}

static void write_all(void *tls, const char *data, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = rv_tls_write(tls, data + done, count - done, RV_NEVER);
        bench_require(n > 0, "rv_tls_write");
        done += (size_t)n;
    }
}

static void read_all(void *tls, char *data, size_t count)
{
    for (size_t done = 0; done < count;) {
        ssize_t n = rv_tls_read(tls, data + done, count - done, RV_NEVER);
        bench_require(n > 0, "rv_tls_read");
        done += (size_t)n;
    }
}

static int serve(void *fd)
{
    rv_tls *tls;
    bench_must(rv_tls_server(&tls, *(int *)fd, server_config, NULL, RV_NEVER), "rv_tls_server");
    bench_tls_serve(&game, &(struct bench_tls_end){tls, write_all, read_all});
    rv_tls_free(tls);
    return 0;
}

static void connect_once(void)
{
    int ends[2];
    rv_tls *tls;
    rv_scope *s;
    bench_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
                  "socketpair");
    bench_must(rv_scope_open(&s, NULL), "rv_scope_open");
    bench_must(rv_go(s, serve, &ends[1]), "rv_go");
    bench_must(rv_tls_client(&tls, ends[0], client_config, BENCH_TLS_HOST, &client_opts, RV_NEVER),
               "rv_tls_client");
    bench_tls_use(&game, &(struct bench_tls_end){tls, write_all, read_all});
    if (bench_tls_is(&game, "resume")) {
        ssize_t n = rv_tls_session(tls, session, sizeof session);
        bench_require(n > 0, "no session");
        client_opts.session = session;
        client_opts.session_bytes = (size_t)n;
    }
    bench_must(rv_scope_close(s), "rv_scope_close");
    rv_tls_free(tls);
    rv_close(ends[0]);
    rv_close(ends[1]);
}

static int measure(void *unused)
{
    (void)unused;
    make_configs();
    bench_tls_measure(&game, connect_once);
    rv_tls_config_free(client_config);
    rv_tls_config_free(server_config);
    return 0;
}

int main(int argc, char **argv)
{
    bench_begin("tls", "ravel", argc, argv);
    game.what = bench_param_text("what", "handshake");
    struct rv_run_opts opts = {.size = sizeof opts, .workers = 1};
    bench_must(rv_run(measure, NULL, &opts), "rv_run");
}
