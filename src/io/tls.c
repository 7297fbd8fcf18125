/* SPDX-License-Identifier: MIT */
/* tls.c - one TLS connection.
 *
 *   T1  Nothing waits inside OpenSSL. Its BIO tries the socket: reading takes what is there, and
 *       writing always succeeds, because what the socket does not take is kept in `out`.
 *   T2  Every call into OpenSSL, and every look at `out`, is made under the connection's lock, and
 *       no task is suspended under it. So a reader and a writer take turns call by call.
 *   T3  While something is in `out`, a writer encrypts no more than one record: so there is never
 *       more in it than that, and what the protocol itself has to say.
 *   T4  A record that OpenSSL has made is sent, whole and in its order, or nothing more is.
 *   T5  A socket that refuses to send swallows what OpenSSL wants to say, and writers are told.
 *       Reading goes on: the other side's last words, such as why it refuses us, are still to come.
 *
 * T1 is what makes an interrupted write harmless. With OpenSSL's own retries a write whose deadline
 * passes leaves half a record behind, and nothing but the same call again is allowed: other
 * libraries declare such connections broken. Here the data counts as written, and whoever comes
 * next sends the rest. It is also why a reader never needs to write by itself: what the protocol
 * makes it say (tickets, key updates, alerts) goes to `out`, and it waits for both directions then.
 *
 * The error queue of OpenSSL belongs to the thread: it is emptied before each call and read right
 * behind it, under the lock.
 *
 * Rejected: a pair of memory BIOs; each byte is copied once more in each direction, and the amount
 * has to be watched. Rejected: SSL_set_fd(), which raises SIGPIPE, and whose plain reads and writes
 * may block.
 * Checked by: tests/unit/io/test_tls*.c, tests/examples/test_tls_peers.py */
#include "io/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <ravel/io.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/opts.h"
#include "io/call.h"
#include "sched/wait.h"

enum { RECORD_BYTES = 16384 }; /* of user's data at the most in one */

/* --- the socket, as OpenSSL sees it --- */

static int bio_read(BIO *bio, char *buf, int count)
{
    struct rv_tls *tls = BIO_get_data(bio);
    struct rvi_op op = rvi_op_recv(tls->fd, buf, (size_t)count, 0);
    int64_t n = rvi_op_try(&op);

    BIO_clear_retry_flags(bio);
    if (n == 0)
        tls->is_at_end = true;
    if (n >= 0)
        return (int)n;
    if (n == -EAGAIN)
        BIO_set_retry_read(bio);
    else
        tls->bio_error = (int)n;
    return -1;
}

/* Bytes that the socket takes now. It takes all when it is broken: see T5. */
static size_t send_some(struct rv_tls *tls, const void *data, size_t count)
{
    struct rvi_op op = rvi_op_send(tls->fd, data, count, 0);
    int64_t n = tls->write_error ? (int64_t)count : rvi_op_try(&op);

    if (n >= 0 || n == -EAGAIN)
        return n < 0 ? 0 : (size_t)n;
    tls->write_error = (int)n;
    if (!*tls->flaw.text)
        rvi_tls_say(&tls->flaw, "sending: %s", strerrordesc_np((int)-n));
    return count;
}

static bool keep(struct rv_tls *tls, const char *data, size_t count)
{
    size_t wanted = tls->bytes + count;

    if (wanted > tls->out_room) {
        size_t room = wanted < 2 * tls->out_room ? 2 * tls->out_room : wanted;
        unsigned char *out = rvi_realloc(tls->out, room);
        if (!out)
            return false;
        tls->out = out;
        tls->out_room = room;
    }
    memcpy(tls->out + tls->bytes, data, count);
    tls->bytes = wanted;
    return true;
}

static int bio_write(BIO *bio, const char *data, int count)
{
    struct rv_tls *tls = BIO_get_data(bio);
    size_t n = tls->bytes > 0 ? 0 : send_some(tls, data, (size_t)count);

    BIO_clear_retry_flags(bio);
    if (n == (size_t)count || keep(tls, data + n, (size_t)count - n))
        return count;
    tls->bio_error = -ENOMEM;
    return -1;
}

static long bio_ctrl(BIO *bio, int what, long number, void *pointer)
{
    const struct rv_tls *tls = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    if (what == BIO_CTRL_EOF)
        return tls->is_at_end;
    return what == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ravel");
    if (method) {
        BIO_meth_set_read(method, bio_read);
        BIO_meth_set_write(method, bio_write);
        BIO_meth_set_ctrl(method, bio_ctrl);
        BIO_meth_set_create(method, bio_create);
    }
}

/* --- under the lock --- */

/* Sends what is kept. Returns 0, -EAGAIN while the socket takes no more, or why it never will. */
static int push(struct rv_tls *tls)
{
    while (tls->sent < tls->bytes) {
        size_t n = send_some(tls, tls->out + tls->sent, tls->bytes - tls->sent);
        if (n == 0)
            return -EAGAIN;
        tls->sent += n;
    }
    rvi_free(tls->out);
    tls->out = NULL;
    tls->out_room = tls->bytes = tls->sent = 0;
    return tls->write_error;
}

/* The socket's trouble, or a stream that ends without a word. */
static int say_socket_error(struct rv_tls *tls)
{
    if (tls->bio_error < 0) {
        rvi_tls_say(&tls->flaw, "the connection: %s", strerrordesc_np(-tls->bio_error));
        return tls->bio_error;
    }
    rvi_tls_say(&tls->flaw, "the other side has cut the connection off");
    return -ECONNABORTED;
}

static int why_broken(struct rv_tls *tls, int ssl_error)
{
    if (tls->bio_error < 0 || ssl_error == SSL_ERROR_SYSCALL || tls->is_at_end)
        return say_socket_error(tls);
    if (tls->verify_error < 0)
        return tls->verify_error;
    return rvi_tls_say_why(&tls->flaw, "TLS");
}

/* What a call into OpenSSL has come to: -EAGAIN when it wants more from the socket; 0 at the
 * orderly end of the stream. What it still has to tell the other side is sent if that is possible
 * at once. */
static int outcome(struct rv_tls *tls, int result)
{
    int ssl_error = SSL_get_error(tls->ssl, result);

    if (ssl_error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (ssl_error == SSL_ERROR_WANT_READ)
        return -EAGAIN;
    int err = why_broken(tls, ssl_error);
    ERR_clear_error();
    (void)push(tls);
    return tls->broken = err;
}

/* User's data on its way, for those that have some. */
struct piece {
    char *data;
    size_t count, done;
};

/* A call into OpenSSL that gives 1 when all is well. */
typedef int step_fn(struct rv_tls *tls, struct piece *piece);

static int step(struct rv_tls *tls, step_fn *fn, struct piece *piece)
{
    if (tls->broken)
        return tls->broken;
    ERR_clear_error();
    int result = fn(tls, piece);
    return result == 1 ? 1 : outcome(tls, result);
}

/* Until the socket may have more to read, or may take more of what is kept. */
static int wait_for_more(struct rv_tls *tls, bool is_holding, rv_time deadline)
{
    int r = rv_poll(tls->fd, (short)(POLLIN | (is_holding ? POLLOUT : 0)), deadline);

    return r < 0 ? r : 0;
}

/* Make a step, waiting until it needs nothing more from the other side: 1, 0 at the end of the
 * stream, or why not. */
static int step_through(struct rv_tls *tls, step_fn *fn, struct piece *piece, rv_time deadline)
{
    for (;;) {
        rvi_lock_acquire(&tls->lock);
        (void)push(tls);
        int r = step(tls, fn, piece);
        bool is_holding = tls->bytes > 0;
        rvi_lock_release(&tls->lock);
        if (r != -EAGAIN)
            return r;
        r = wait_for_more(tls, is_holding, deadline);
        if (r < 0)
            return r;
    }
}

/* Send all that is kept. */
static int drain(struct rv_tls *tls, rv_time deadline)
{
    for (;;) {
        rvi_lock_acquire(&tls->lock);
        int r = tls->broken ? tls->broken : push(tls);
        rvi_lock_release(&tls->lock);
        if (r != -EAGAIN)
            return r;
        r = rv_poll(tls->fd, POLLOUT, deadline);
        if (r < 0)
            return r;
    }
}

/* --- making and freeing --- */

/* OpenSSL asks once for each certificate of the chain that it finds wanting. */
static int judge(int is_fine, X509_STORE_CTX *store)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rv_tls *tls = rvi_tls_of(ssl);

    if (!is_fine) {
        tls->verify_error = rvi_tls_say_refusal(&tls->flaw, X509_STORE_CTX_get_current_cert(store),
                                                X509_STORE_CTX_get_error(store), tls->host);
    }
    return is_fine;
}

static bool is_address(const char *host)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* Who the server has to be. An address is not told to it: SNI has names only (RFC 6066, 3). */
static bool expect_host(struct rv_tls *tls)
{
    if (is_address(tls->host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), tls->host);
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(tls->ssl, tls->host) && SSL_set_tlsext_host_name(tls->ssl, tls->host);
}

/* What rv_tls_session() has written: the host, a NUL, and the session. Whoever resumes is not shown
 * the certificate again, so a session is good for the host that it was made with. */
static int offer_session(struct rv_tls *tls, const struct rv_tls_opts *opts)
{
    size_t host_bytes = strlen(tls->host) + 1;
    const unsigned char *bytes = opts->session;
    SSL_SESSION *session = NULL;

    if (opts->session_bytes > host_bytes && memcmp(bytes, tls->host, host_bytes) == 0) {
        bytes += host_bytes;
        session = d2i_SSL_SESSION(NULL, &bytes, (long)(opts->session_bytes - host_bytes));
    }
    int ok = session ? SSL_set_session(tls->ssl, session) : 0;
    SSL_SESSION_free(session);
    if (ok)
        return 0;
    rvi_tls_say(&tls->flaw, "the session to be resumed is none, or another host's");
    return -EINVAL;
}

static int set_client(struct rv_tls *tls, const struct rv_tls_opts *opts)
{
    bool verifies = tls->config->trust != RV_TLS_VERIFY_NO_ONE_INSECURE;

    SSL_set_connect_state(tls->ssl);
    SSL_set_verify(tls->ssl, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, verifies ? judge : NULL);
    if (*tls->host && !expect_host(tls))
        return rvi_tls_say_why(&tls->flaw, tls->host);
    return opts->session ? offer_session(tls, opts) : 0;
}

static int set_server(struct rv_tls *tls, const struct rv_tls_opts *opts)
{
    bool verifies = tls->config->trust == RV_TLS_VERIFY_BOTH;

    (void)opts;
    SSL_set_accept_state(tls->ssl);
    SSL_set_verify(tls->ssl,
                   verifies ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE,
                   verifies ? judge : NULL);
    return 0;
}

static int set_bio(struct rv_tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (!bio)
        return -ENOMEM;
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    return 0;
}

static struct rv_tls *make(int fd, rv_tls_config *config, const char *host)
{
    struct rv_tls *tls = rvi_calloc(1, sizeof(*tls));

    if (!tls)
        return NULL;
    tls->fd = fd;
    tls->config = config;
    if (host)
        memcpy(tls->host, host, strlen(host));
    tls->ssl = SSL_new(config->ctx);
    if (!tls->ssl || !SSL_set_app_data(tls->ssl, tls) || set_bio(tls) < 0)
        return rv_tls_free(tls);
    return tls;
}

rv_tls *rv_tls_free(rv_tls *tls)
{
    if (!tls)
        return NULL;
    SSL_free(tls->ssl);
    SSL_SESSION_free(tls->session);
    rvi_free(tls->out);
    rvi_free(tls);
    ERR_clear_error();
    return NULL;
}

/* --- the handshake --- */

static int shake_hands(struct rv_tls *tls, struct piece *none)
{
    (void)none;
    return SSL_do_handshake(tls->ssl);
}

/* A session that was resumed has brought its verdict along: one that was made by a configuration
 * that believes anyone is not good for one that does not. */
static int check_verdict(struct rv_tls *tls)
{
    long verdict = SSL_get_verify_result(tls->ssl);

    if (!(SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER) || verdict == X509_V_OK)
        return 0;
    return rvi_tls_say_refusal(&tls->flaw, SSL_get0_peer_certificate(tls->ssl), (int)verdict,
                               tls->host);
}

typedef int set_side_fn(struct rv_tls *tls, const struct rv_tls_opts *opts);

static int handshake(struct rv_tls *tls, set_side_fn *set_side, const struct rv_tls_opts *opts,
                     rv_time deadline)
{
    ERR_clear_error();
    int r = set_side(tls, opts);

    if (r == 0)
        r = step_through(tls, shake_hands, NULL, deadline);
    if (r == 0) /* a close_notify in the middle of it */
        r = say_socket_error(tls);
    if (r > 0)
        r = check_verdict(tls);
    return r < 0 ? r : drain(tls, deadline);
}

static void say_why_not(struct rv_tls_flaw *ret, const struct rv_tls *tls, int err)
{
    if (!ret)
        return;
    *ret = tls ? tls->flaw : (struct rv_tls_flaw){""};
    if (!*ret->text)
        rvi_tls_say(ret, "the handshake: %s",
                    err == -ETIME ? "its deadline has passed" : strerrordesc_np(-err));
}

static int begin(rv_tls **ret, int fd, rv_tls_config *config, const char *host,
                 set_side_fn *set_side, const struct rv_tls_opts *opts, rv_time deadline)
{
    struct rv_tls_opts known;
    int r = rvi_wait_allowed();

    if (r < 0 || (r = rvi_opts_copy(&known, sizeof(known), opts, opts ? opts->size : 0)) < 0)
        return r;
    struct rv_tls *tls = make(fd, config, host);
    r = tls ? handshake(tls, set_side, &known, deadline) : -ENOMEM;
    if (r == 0) {
        *ret = tls;
        return 0;
    }
    say_why_not(known.ret_flaw, tls, r);
    rv_tls_free(tls);
    return r;
}

int rv_tls_client(rv_tls **ret, int fd, rv_tls_config *config, const char *host,
                  const struct rv_tls_opts *opts, rv_time deadline)
{
    bool verifies = config->trust != RV_TLS_VERIFY_NO_ONE_INSECURE;

    if ((verifies && !(host && *host)) || (host && strlen(host) >= sizeof((*ret)->host)))
        return -EINVAL;
    return begin(ret, fd, config, host, set_client, opts, deadline);
}

int rv_tls_server(rv_tls **ret, int fd, rv_tls_config *config, const struct rv_tls_opts *opts,
                  rv_time deadline)
{
    if (!config->has_cert)
        return -EINVAL;
    return begin(ret, fd, config, NULL, set_server, opts, deadline);
}

/* --- data --- */

static int read_some(struct rv_tls *tls, struct piece *piece)
{
    return SSL_read_ex(tls->ssl, piece->data, piece->count, &piece->done);
}

ssize_t rv_tls_read(rv_tls *tls, void *buf, size_t count, rv_time deadline)
{
    struct piece piece = {.data = buf, .count = count};
    int r = rvi_wait_allowed();

    if (r < 0 || count == 0)
        return r;
    r = step_through(tls, read_some, &piece, deadline);
    rvi_io_turn();
    return r <= 0 ? r : (ssize_t)piece.done;
}

/* Records as long as the socket takes them. What goes wrong behind the first shows again in the
 * next call. */
static int write_some(struct rv_tls *tls, struct piece *piece)
{
    int result;

    do {
        size_t left = piece->count - piece->done, n = 0;
        result = SSL_write_ex(tls->ssl, piece->data + piece->done,
                              left < RECORD_BYTES ? left : RECORD_BYTES, &n);
        piece->done += n;
    } while (result == 1 && piece->done < piece->count && tls->bytes == 0);
    return piece->done > 0 ? 1 : result;
}

ssize_t rv_tls_write(rv_tls *tls, const void *buf, size_t count, rv_time deadline)
{
    struct piece piece = {.data = (char *)(uintptr_t)buf, .count = count};
    int r = rvi_wait_allowed();

    if (r < 0 || count == 0)
        return r;
    if (tls->is_shut)
        return -EPIPE;
    r = drain(tls, deadline);
    if (r == 0)
        r = step_through(tls, write_some, &piece, deadline);
    if (r <= 0)
        return r;
    (void)drain(tls, deadline); /* it is taken; what cannot be sent now is sent by the next call */
    rvi_io_turn();
    return (ssize_t)piece.done;
}

/* --- the end --- */

static int say_goodbye(struct rv_tls *tls, struct piece *none)
{
    int result = tls->is_shut ? 1 : SSL_shutdown(tls->ssl);

    (void)none;
    tls->is_shut |= result >= 0;
    return result >= 0 ? 1 : result;
}

int rv_tls_shutdown(rv_tls *tls, rv_time deadline)
{
    int r = rvi_wait_allowed();

    if (r == 0)
        r = step_through(tls, say_goodbye, NULL, deadline);
    return r < 0 ? r : drain(tls, deadline);
}

static bool has_heard_goodbye(struct rv_tls *tls)
{
    rvi_lock_acquire(&tls->lock);
    bool has = SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN;
    rvi_lock_release(&tls->lock);
    return has;
}

int rv_tls_close(rv_tls *tls, rv_time deadline)
{
    char dropped[2048];
    ssize_t n = rv_tls_shutdown(tls, deadline);

    if (n < 0 && n != -ECANCELED && n != -ETIME && has_heard_goodbye(tls))
        return 0; /* it did not wait for ours, as it need not */
    if (n == 0) {
        while ((n = rv_tls_read(tls, dropped, sizeof(dropped), deadline)) > 0)
            continue;
    }
    return (int)n;
}

/* --- the stream --- */

static ssize_t stream_read(void *tls, void *buf, size_t count, rv_time deadline)
{
    return rv_tls_read(tls, buf, count, deadline);
}

static ssize_t stream_write(void *tls, const void *buf, size_t count, rv_time deadline)
{
    return rv_tls_write(tls, buf, count, deadline);
}

struct rv_stream rv_tls_stream(rv_tls *tls)
{
    static const struct rv_stream_ops ops = {
        .size = sizeof(ops), .read = stream_read, .write = stream_write};
    return (struct rv_stream){&ops, tls};
}

/* --- telling --- */

const char *rv_tls_error(const rv_tls *tls)
{
    return tls->flaw.text;
}

static void tell_of_peer(struct rv_tls_info *info, const struct rv_tls *tls)
{
    X509 *cert = SSL_get0_peer_certificate(tls->ssl);

    info->has_peer = cert != NULL;
    if (cert) {
        info->is_verified = (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER) &&
                            SSL_get_verify_result(tls->ssl) == X509_V_OK;
        rvi_tls_tell_of_cert(info, cert);
    }
}

int rv_tls_info_read(rv_tls *tls, struct rv_tls_info *info)
{
    struct rv_tls_info all = {.size = sizeof(all)};
    const unsigned char *alpn;
    unsigned alpn_bytes;

    rvi_lock_acquire(&tls->lock);
    ERR_clear_error();
    all.version = (enum rv_tls_version)SSL_version(tls->ssl);
    all.is_resumed = SSL_session_reused(tls->ssl);
    snprintf(all.cipher, sizeof(all.cipher), "%s", SSL_get_cipher_name(tls->ssl));
    SSL_get0_alpn_selected(tls->ssl, &alpn, &alpn_bytes);
    if (alpn_bytes < sizeof(all.alpn))
        snprintf(all.alpn, sizeof(all.alpn), "%.*s", (int)alpn_bytes, (const char *)alpn);
    tell_of_peer(&all, tls);
    rvi_lock_release(&tls->lock);
    return rvi_opts_give(info, &all, sizeof(all), sizeof(all));
}

/* Under the lock. */
static ssize_t write_session(const struct rv_tls *tls, unsigned char *buf, size_t room)
{
    size_t host_bytes = strlen(tls->host) + 1;
    int bytes = tls->session ? i2d_SSL_SESSION(tls->session, NULL) : 0;

    if (bytes <= 0)
        return -ENODATA;
    if ((size_t)bytes + host_bytes > room)
        return -ERANGE;
    memcpy(buf, tls->host, host_bytes);
    buf += host_bytes;
    i2d_SSL_SESSION(tls->session, &buf);
    return bytes + (ssize_t)host_bytes;
}

ssize_t rv_tls_session(rv_tls *tls, void *buf, size_t room)
{
    rvi_lock_acquire(&tls->lock);
    ssize_t r = write_session(tls, buf, room);
    rvi_lock_release(&tls->lock);
    return r;
}
