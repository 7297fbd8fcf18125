/* SPDX-License-Identifier: MIT */
/* tls.h - what the three files of TLS share: the configuration, the connection, the words. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>

#include <ravel/tls.h>

#include "sys/lock.h"

struct rv_tls_config {
    SSL_CTX *ctx;
    enum rv_tls_trust trust;
    bool has_cert;
    unsigned alpn_bytes;
    unsigned char alpn[256]; /* as on the wire: each name behind its length */
};

struct rv_tls {
    struct rvi_lock
        lock; /* around each call into OpenSSL: guards what follows, but fd and config */
    SSL *ssl;
    int fd;
    rv_tls_config *config;

    /* What the socket would not take yet: bytes [sent, bytes) of out. */
    unsigned char *out;
    size_t out_room, bytes, sent;

    bool is_at_end;       /* the socket has no more to read */
    bool is_shut;         /* our close_notify is written; the writer's alone */
    int bio_error;        /* why the BIO has failed, -errno */
    int write_error;      /* why nothing can be sent any more, -errno; reading may go on */
    int broken;           /* -errno of every further call; 0: none */
    int verify_error;     /* of the certificate that was refused, -errno */
    SSL_SESSION *session; /* the last that the server gave */
    char host[256];       /* "" where there is none */
    struct rv_tls_flaw flaw;
};

/* --- tls_words.c --- */

void rvi_tls_say(struct rv_tls_flaw *flaw, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** What OpenSSL has queued for this thread last, in words; its queue is empty afterwards. Returns
 * its -errno. */
int rvi_tls_say_why(struct rv_tls_flaw *flaw, const char *what);

/** Why a certificate is refused: `error` is X509_V_ERR_. Returns -EKEYEXPIRED or -EKEYREJECTED. */
int rvi_tls_say_refusal(struct rv_tls_flaw *flaw, X509 *cert, int error, const char *host);

/** Whom a certificate is for, by whom, and for how long. */
void rvi_tls_tell_of_cert(struct rv_tls_info *info, X509 *cert);

/** An SSL knows its connection as its app data. */
static inline struct rv_tls *rvi_tls_of(const SSL *ssl)
{
    return SSL_get_app_data(ssl);
}
