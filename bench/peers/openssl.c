/* SPDX-License-Identifier: MIT */
/* openssl.c - the same with OpenSSL's blocking calls in two threads on one core. */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "tls_cert.h"
#include "tls_game.h"

static SSL_CTX *server_ctx, *client_ctx;
static SSL_SESSION *session;
static struct bench_tls_game game;

static int keep_session(SSL *ssl, SSL_SESSION *new_one)
{
    (void)ssl;
    SSL_SESSION_free(session);
    session = new_one;
    return 1;
}

static void make_contexts(void)
{
    struct bench_cert c = bench_make_cert();
    server_ctx = SSL_CTX_new(TLS_method());
    client_ctx = SSL_CTX_new(TLS_method());
    SSL_CTX_use_certificate(server_ctx, c.cert);
    SSL_CTX_use_PrivateKey(server_ctx, c.key);
    SSL_CTX_set_session_id_context(server_ctx, (const unsigned char *)"bench", 5);
    SSL_CTX_set_session_cache_mode(server_ctx, SSL_SESS_CACHE_OFF);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client_ctx), c.cert);
    SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_ctx, keep_session);
    SSL_CTX_set_verify(client_ctx, SSL_VERIFY_PEER, NULL);
}

static void write_all(void *ssl, const char *data, size_t count)
{
    bench_require(SSL_write(ssl, data, (int)count) == (int)count, "SSL_write");
}

static void read_all(void *ssl, char *data, size_t count)
{
    for (size_t done = 0; done < count;) {
        int n = SSL_read(ssl, data + done, (int)(count - done));
        bench_require(n > 0, "SSL_read");
        done += (size_t)n;
    }
}

static void *serve(void *fd)
{
    SSL *ssl = SSL_new(server_ctx);
    SSL_set_fd(ssl, *(int *)fd);
    bench_require(SSL_accept(ssl) == 1, "SSL_accept");
    bench_tls_serve(&game, &(struct bench_tls_end){ssl, write_all, read_all});
    SSL_free(ssl);
    return NULL;
}

static void connect_once(void)
{
    int ends[2];
    pthread_t server;
    SSL *ssl = SSL_new(client_ctx);
    bench_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
    bench_must(-pthread_create(&server, NULL, serve, &ends[1]), "pthread_create");
    SSL_set_fd(ssl, ends[0]);
    SSL_set1_host(ssl, BENCH_TLS_HOST);
    SSL_set_tlsext_host_name(ssl, BENCH_TLS_HOST);
    if (bench_tls_is(&game, "resume") && session)
        SSL_set_session(ssl, session);
    bench_require(SSL_connect(ssl) == 1, "SSL_connect");
    bench_tls_use(&game, &(struct bench_tls_end){ssl, write_all, read_all});
    pthread_join(server, NULL);
    SSL_free(ssl);
    close(ends[0]);
    close(ends[1]);
}

static void bench_tls(void)
{
    cpu_set_t set;
    game.what = bench_param_text("what", "handshake");
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    bench_must(-pthread_setaffinity_np(pthread_self(), sizeof set, &set), "pthread_setaffinity_np");
    make_contexts();
    bench_tls_measure(&game, connect_once);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {{"tls", bench_tls}, {NULL, NULL}};
    bench_choose(benches, "openssl", argc, argv);
}
