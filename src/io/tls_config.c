/* SPDX-License-Identifier: MIT */
/* tls_config.c - what many TLS connections have in common: one SSL_CTX, which serves clients and
 * servers alike.
 *
 * OpenSSL reads files with blocking calls, and parsing a system's authorities takes longer than a
 * task should hold its worker: a helper thread makes the configuration. Authorities of the system
 * that lie in a folder by their hashes are looked up there during handshakes, each a small file.
 *
 * Servers keep no sessions: they put them into tickets, sealed by a key that each configuration
 * draws (RFC 5077; RFC 8446, 2.2). Clients are given each new session, and keep the last.
 * Checked by: tests/unit/io/test_tls_config.c */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/alloc.h"
#include "base/opts.h"
#include "io/call.h"
#include "sched/wait.h"

struct making {
    struct rv_tls_config *config;
    struct rv_tls_config_opts opts;
    struct rv_tls_flaw flaw;
};

static int complain(struct making *m, int err, const char *what)
{
    rvi_tls_say(&m->flaw, "%s", what);
    return err;
}

static int fail(struct making *m, const char *what)
{
    int err = rvi_tls_say_why(&m->flaw, what);

    return err == -EPROTO ? -EINVAL : err; /* no other side is at fault */
}

/* --- certificates from a text --- */

typedef int use_fn(SSL_CTX *ctx, X509 *cert);

static int believe(SSL_CTX *ctx, X509 *cert)
{
    return X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert);
}

static int use_next(SSL_CTX *ctx, X509 *cert)
{
    return SSL_CTX_add1_chain_cert(ctx, cert);
}

/* All certificates of a text: the first by one function, the rest by another. */
static int use_texts(struct making *m, const char *text, use_fn *first, use_fn *rest,
                     const char *what)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    bool is_used = bio, is_first = true;
    X509 *cert;

    while (is_used && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        is_used = (is_first ? first : rest)(m->config->ctx, cert);
        is_first = false;
        X509_free(cert);
    }
    BIO_free(bio);
    if (!is_used || is_first || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return fail(m, what);
    ERR_clear_error(); /* it says that there are no more */
    return 0;
}

static int use_key_text(struct making *m)
{
    BIO *bio = BIO_new_mem_buf(m->opts.key_pem, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    int ok = key ? SSL_CTX_use_PrivateKey(m->config->ctx, key) : 0;

    EVP_PKEY_free(key);
    BIO_free(bio);
    return ok ? 0 : fail(m, "the key");
}

/* --- the parts --- */

static int set_trust(struct making *m)
{
    SSL_CTX *ctx = m->config->ctx;

    if (m->opts.ca_file && !SSL_CTX_load_verify_file(ctx, m->opts.ca_file))
        return fail(m, m->opts.ca_file);
    if (m->opts.ca_pem)
        return use_texts(m, m->opts.ca_pem, believe, believe, "the authorities");
    if (!m->opts.ca_file && !SSL_CTX_set_default_verify_paths(ctx))
        return fail(m, "the authorities of the system");
    return 0;
}

static int set_identity(struct making *m)
{
    SSL_CTX *ctx = m->config->ctx;
    int r = 0;

    if (m->opts.cert_file && SSL_CTX_use_certificate_chain_file(ctx, m->opts.cert_file) != 1)
        return fail(m, m->opts.cert_file);
    if (m->opts.cert_pem)
        r = use_texts(m, m->opts.cert_pem, SSL_CTX_use_certificate, use_next, "the certificate");
    if (r == 0 && m->opts.key_file &&
        SSL_CTX_use_PrivateKey_file(ctx, m->opts.key_file, SSL_FILETYPE_PEM) != 1)
        return fail(m, m->opts.key_file);
    if (r == 0 && m->opts.key_pem)
        r = use_key_text(m);
    if (r == 0 && m->config->has_cert && SSL_CTX_check_private_key(ctx) != 1) {
        fail(m, "the certificate and the key");
        return -EKEYREJECTED;
    }
    return r;
}

/* "h2,http/1.1" becomes "\2h2\10http/1.1" (RFC 7301, 3.1). */
static int set_alpn(struct making *m)
{
    struct rv_tls_config *config = m->config;
    const char *name = m->opts.alpn;

    while (name && *name) {
        size_t len = strcspn(name, ",");
        if (len == 0 || config->alpn_bytes + 1 + len > sizeof(config->alpn))
            return complain(m, -EINVAL, "alpn: an empty name, or too many");
        config->alpn[config->alpn_bytes++] = (unsigned char)len;
        memcpy(config->alpn + config->alpn_bytes, name, len);
        config->alpn_bytes += (unsigned)len;
        name += len;
        if (*name == ',' && *++name == '\0')
            return complain(m, -EINVAL, "alpn: nothing behind the last comma");
    }
    return 0;
}

/* The first of ours that the client speaks too; without one it is told so (RFC 7301, 3.2). */
static int choose_alpn(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
                       const unsigned char *theirs, unsigned theirs_len, void *arg)
{
    const struct rv_tls_config *config = arg;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_len, config->alpn, config->alpn_bytes, theirs,
                              theirs_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct rv_tls *tls = rvi_tls_of(ssl);

    SSL_SESSION_free(tls->session);
    tls->session = session;
    return 1; /* the reference is ours */
}

static void set_sessions(struct making *m)
{
    SSL_CTX *ctx = m->config->ctx;

    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
    SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"ravel", 5);
    if (m->opts.no_resumption) {
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
    }
}

/* Buffers of an idle connection are given back: they are most of what it occupies. The certificates
 * that are sent are those that were given: none is looked for in the system's files during a
 * handshake. */
static int set_protocol(struct making *m)
{
    SSL_CTX *ctx = m->config->ctx;
    int version = m->opts.min_version ? m->opts.min_version : RV_TLS_1_2;

    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_read_ahead(ctx, 1);
    if (version < RV_TLS_1_2 || !SSL_CTX_set_min_proto_version(ctx, version))
        return complain(m, -EINVAL, "min_version: not a version that is spoken");
    if (m->config->alpn_bytes == 0)
        return 0;
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, m->config);
    return SSL_CTX_set_alpn_protos(ctx, m->config->alpn, m->config->alpn_bytes) ? fail(m, "alpn")
                                                                                : 0;
}

static int check_opts(struct making *m)
{
    const struct rv_tls_config_opts *o = &m->opts;

    if (o->ca_file && o->ca_pem)
        return complain(m, -EINVAL, "ca_file and ca_pem: one of them");
    if ((o->cert_file && o->cert_pem) || (o->key_file && o->key_pem))
        return complain(m, -EINVAL, "certificate and key: each as a file or as a text");
    if (!(o->cert_file || o->cert_pem) != !(o->key_file || o->key_pem))
        return complain(m, -EINVAL, "a certificate wants its key, and a key its certificate");
    if (o->trust > RV_TLS_VERIFY_NO_ONE_INSECURE)
        return complain(m, -EINVAL, "trust: none of its values");
    return 0;
}

/* --- all of it --- */

/* On a helper thread. */
static int make(void *arg)
{
    struct making *m = arg;
    int r;

    ERR_clear_error();
    m->config->ctx = SSL_CTX_new(TLS_method());
    if (!m->config->ctx)
        return fail(m, "OpenSSL");
    m->config->trust = m->opts.trust;
    m->config->has_cert = m->opts.cert_file || m->opts.cert_pem;
    if ((r = set_alpn(m)) < 0 || (r = set_protocol(m)) < 0 || (r = set_identity(m)) < 0)
        return r;
    set_sessions(m);
    return m->opts.trust == RV_TLS_VERIFY_NO_ONE_INSECURE ? 0 : set_trust(m);
}

int rv_tls_config_new(rv_tls_config **ret, const struct rv_tls_config_opts *opts,
                      struct rv_tls_flaw *ret_flaw)
{
    struct making m = {.flaw = {"no memory, or no thread"}};
    int r = rvi_wait_allowed();

    if (r < 0 || (r = rvi_opts_copy(&m.opts, sizeof(m.opts), opts, opts ? opts->size : 0)) < 0)
        return r;
    m.config = rvi_calloc(1, sizeof(*m.config));
    r = m.config ? check_opts(&m) : -ENOMEM;
    if (r == 0)
        r = rvi_io_blocking(make, &m, RV_NEVER);
    if (r == 0) {
        *ret = m.config;
        return 0;
    }
    rv_tls_config_free(m.config);
    if (ret_flaw)
        *ret_flaw = m.flaw;
    return r;
}

rv_tls_config *rv_tls_config_free(rv_tls_config *config)
{
    if (config)
        SSL_CTX_free(config->ctx);
    rvi_free(config);
    return NULL;
}
