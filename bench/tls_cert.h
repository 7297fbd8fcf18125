/* SPDX-License-Identifier: MIT */
/* tls_cert.h - a certificate that signs itself and its key, for both ends of a measured
 * connection: P-256, which is what most servers show today. */
#pragma once

#include "bench.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define BENCH_TLS_HOST "bench.test"

struct bench_cert {
    X509 *cert;
    EVP_PKEY *key;
};

static inline struct bench_cert bench_make_cert(void)
{
    struct bench_cert c = {X509_new(), EVP_EC_gen("P-256")};
    bench_require(c.cert && c.key, "no certificate");
    X509_set_version(c.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(c.cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.cert), 24 * 3600);
    X509_NAME *name = X509_get_subject_name(c.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)BENCH_TLS_HOST, -1,
                               -1, 0);
    X509_set_issuer_name(c.cert, name);
    X509_set_pubkey(c.cert, c.key);
    X509_EXTENSION *alt =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" BENCH_TLS_HOST);
    X509_add_ext(c.cert, alt, -1);
    X509_EXTENSION_free(alt);
    bench_require(X509_sign(c.cert, c.key, EVP_sha256()) > 0, "not signed");
    return c;
}
