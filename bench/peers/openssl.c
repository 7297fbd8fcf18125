/* SPDX-License-Identifier: MIT */
/* openssl.c - the same with OpenSSL's blocking calls in two threads on one core. */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "tls_cert.h"

static SSL_CTX *server_ctx, *client_ctx;
static SSL_SESSION *session;
static const char *what;
static long rounds;

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

static void write_all(SSL *ssl, const char *data, size_t count)
{
    bench_require(SSL_write(ssl, data, (int)count) == (int)count, "SSL_write");
}

static void read_all(SSL *ssl, char *data, size_t count)
{
    for (size_t done = 0; done < count;) {
        int n = SSL_read(ssl, data + done, (int)(count - done));
        bench_require(n > 0, "SSL_read");
        done += (size_t)n;
    }
}

static void *serve(void *fd)
{
    char data[BENCH_TLS_RECORD] = "";
    SSL *ssl = SSL_new(server_ctx);
    SSL_set_fd(ssl, *(int *)fd);
    bench_require(SSL_accept(ssl) == 1, "SSL_accept");
    write_all(ssl, data, 1);
    for (long i = 0; strcmp(what, "stream") == 0 && i < rounds; i++)
        read_all(ssl, data, BENCH_TLS_RECORD);
    for (long i = 0; strcmp(what, "pingpong") == 0 && i < rounds; i++) {
        read_all(ssl, data, BENCH_TLS_BALL);
        write_all(ssl, data, BENCH_TLS_BALL);
    }
    SSL_free(ssl);
    return NULL;
}

static void use(SSL *ssl)
{
    char data[BENCH_TLS_RECORD] = "";
    read_all(ssl, data, 1);
    for (long i = 0; strcmp(what, "stream") == 0 && i < rounds; i++)
        write_all(ssl, data, BENCH_TLS_RECORD);
    for (long i = 0; strcmp(what, "pingpong") == 0 && i < rounds; i++) {
        write_all(ssl, data, BENCH_TLS_BALL);
        read_all(ssl, data, BENCH_TLS_BALL);
    }
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
    if (strcmp(what, "resume") == 0 && session)
        SSL_set_session(ssl, session);
    bench_require(SSL_connect(ssl) == 1, "SSL_connect");
    use(ssl);
    pthread_join(server, NULL);
    SSL_free(ssl);
    close(ends[0]);
    close(ends[1]);
}

static void run(void *unused, long ops)
{
    (void)unused;
    bool is_of_data = strcmp(what, "stream") == 0 || strcmp(what, "pingpong") == 0;
    rounds = ops;
    for (long i = 0; i < (is_of_data ? 1 : ops); i++)
        connect_once();
}

static void bench_tls(void)
{
    cpu_set_t set;
    what = bench_param_text("what", "handshake");
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    bench_must(-pthread_setaffinity_np(pthread_self(), sizeof set, &set), "pthread_setaffinity_np");
    make_contexts();
    bench_batches(run, NULL, bench_tls_ops(what));
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {{"tls", bench_tls}, {NULL, NULL}};
    bench_choose(benches, "openssl", argc, argv);
}
