/* SPDX-License-Identifier: MIT */
/* tls_test.h - certificates made for a test, as texts, and two ends of a connection. */
#pragma once

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ravel.h>

#include "../sched/sched_test.h"

enum { PEM_BYTES = 4096, DAY = 24 * 3600 };

/* A certificate and its key. */
struct identity {
    X509 *cert;
    EVP_PKEY *key;
    char cert_pem[PEM_BYTES], key_pem[PEM_BYTES];
};

static inline void to_text(BIO *bio, char *text)
{
    int n = BIO_read(bio, text, PEM_BYTES - 1);
    RV_CHECK(n > 0);
    text[n] = '\0';
    BIO_free(bio);
}

static inline void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    RV_CHECK(extension && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

/* `issuer` NULL: signed by itself. `names` such as "DNS:a.test,IP:127.0.0.1"; NULL: an authority.
 * Valid from `from` to `until`, days from now. */
static inline struct identity make_identity(const struct identity *issuer, const char *name,
                                            const char *names, long from, long until)
{
    static long serial;
    struct identity id = {.cert = X509_new(), .key = EVP_EC_gen("P-256")};

    RV_CHECK(id.cert && id.key);
    X509_set_version(id.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), until * DAY);
    X509_NAME *subject = X509_get_subject_name(id.cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_issuer_name(id.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
    X509_set_pubkey(id.cert, id.key);
    add_extension(id.cert, NID_basic_constraints, names ? "CA:FALSE" : "critical,CA:TRUE");
    if (names)
        add_extension(id.cert, NID_subject_alt_name, names);
    RV_CHECK(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));

    BIO *bio = BIO_new(BIO_s_mem());
    RV_CHECK(PEM_write_bio_X509(bio, id.cert));
    to_text(bio, id.cert_pem);
    bio = BIO_new(BIO_s_mem());
    RV_CHECK(PEM_write_bio_PrivateKey(bio, id.key, NULL, NULL, 0, NULL, NULL));
    to_text(bio, id.key_pem);
    return id;
}

static inline void free_identity(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

static inline rv_tls_config *make_config(const struct rv_tls_config_opts *opts)
{
    struct rv_tls_flaw flaw;
    rv_tls_config *config;
    int r = rv_tls_config_new(&config, opts, &flaw);
    if (r < 0)
        rvi_panic("no configuration: %d, %s", r, flaw.text);
    return config;
}

/* The two ends of a connected pair that never block. */
static inline void make_pair(int ends[2])
{
    RV_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
}
