/* SPDX-License-Identifier: MIT */
/* tls_words.c - what has gone wrong with TLS, in words and as an error number.
 *
 * OpenSSL queues its errors for each thread: they are taken off right behind the call that made
 * them, before anybody else can run. */
#include "io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void rvi_tls_say(struct rv_tls_flaw *flaw, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(flaw->text, sizeof(flaw->text), format, args);
    va_end(args);
}

static int errno_of(unsigned long error)
{
    int reason = ERR_GET_REASON(error);

    if (ERR_SYSTEM_ERROR(error))
        return -reason;
    if (reason == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(error) == ERR_LIB_PEM || ERR_GET_LIB(error) == ERR_LIB_ASN1)
        return -EINVAL;
    return ERR_GET_LIB(error) == ERR_LIB_X509 ? -EKEYREJECTED : -EPROTO;
}

/* What was queued first is nearest to the cause, but for memory, which may end anywhere. */
static unsigned long take_cause(void)
{
    unsigned long cause = ERR_get_error(), next;

    while ((next = ERR_get_error())) {
        if (ERR_GET_REASON(next) == ERR_R_MALLOC_FAILURE)
            cause = next;
    }
    return cause;
}

int rvi_tls_say_why(struct rv_tls_flaw *flaw, const char *what)
{
    unsigned long cause = take_cause();
    const char *reason = ERR_reason_error_string(cause);
    int err = errno_of(cause);

    if (ERR_GET_LIB(cause) == ERR_LIB_SSL && ERR_GET_REASON(cause) >= SSL_AD_REASON_OFFSET)
        rvi_tls_say(flaw, "%s: the other side says: %s", what, reason ? reason : "unknown alert");
    else if (ERR_SYSTEM_ERROR(cause))
        rvi_tls_say(flaw, "%s: %s", what, strerrordesc_np(-err));
    else
        rvi_tls_say(flaw, "%s: %s", what, reason ? reason : "unknown error");
    return err;
}

/* --- certificates --- */

/* Whom it is for: its common name, or else all of its subject. */
static void name_of(X509 *cert, char *name, size_t room)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    if (X509_NAME_get_text_by_NID(subject, NID_commonName, name, (int)room) <= 0)
        X509_NAME_oneline(subject, name, (int)room);
}

static void date_of(const ASN1_TIME *time, char *text, size_t room)
{
    struct tm tm;

    if (!ASN1_TIME_to_tm(time, &tm) || strftime(text, room, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(text, room, "a date that cannot be read");
}

/* The names that it carries, as many as fit. */
static void append_names(X509 *cert, char *text, size_t room)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        int n = snprintf(text + used, room - used, "%s%.*s", used ? ", " : "",
                         ASN1_STRING_length(name->d.dNSName),
                         (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        if (n < 0 || (size_t)n >= room - used)
            break;
        used += (size_t)n;
    }
    GENERAL_NAMES_free(names);
}

static void say_mismatch(struct rv_tls_flaw *flaw, X509 *cert, const char *name, const char *host)
{
    char names[128];

    append_names(cert, names, sizeof(names));
    rvi_tls_say(flaw, "the certificate is for %s, not for %s", *names ? names : name, host);
}

int rvi_tls_say_refusal(struct rv_tls_flaw *flaw, X509 *cert, int error, const char *host)
{
    char name[80] = "the other side", date[40];

    if (cert)
        name_of(cert, name, sizeof(name));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        date_of(X509_get0_notAfter(cert), date, sizeof(date));
        rvi_tls_say(flaw, "the certificate of %s has expired on %s", name, date);
        return -EKEYEXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        date_of(X509_get0_notBefore(cert), date, sizeof(date));
        rvi_tls_say(flaw, "the certificate of %s is not valid before %s", name, date);
        return -EKEYREJECTED;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        rvi_tls_say(flaw, "the certificate of %s is signed by itself, and not trusted", name);
        return -EKEYREJECTED;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        rvi_tls_say(flaw, "the certificate of %s comes from an authority that is not trusted",
                    name);
        return -EKEYREJECTED;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_mismatch(flaw, cert, name, host);
        return -EKEYREJECTED;
    default:
        rvi_tls_say(flaw, "the certificate of %s is refused: %s", name,
                    X509_verify_cert_error_string(error));
        return error == X509_V_ERR_OUT_OF_MEM ? -ENOMEM : -EKEYREJECTED;
    }
}

static int64_t seconds_of(const ASN1_TIME *time)
{
    struct tm tm;

    return ASN1_TIME_to_tm(time, &tm) ? timegm(&tm) : 0;
}

/* RFC 2253, cut to what fits. */
static void write_name(const X509_NAME *name, char *text, size_t room)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n = 0;

    if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0)
        n = BIO_read(bio, text, (int)room - 1);
    text[n > 0 ? n : 0] = '\0';
    BIO_free(bio);
}

void rvi_tls_tell_of_cert(struct rv_tls_info *info, X509 *cert)
{
    write_name(X509_get_subject_name(cert), info->subject, sizeof(info->subject));
    write_name(X509_get_issuer_name(cert), info->issuer, sizeof(info->issuer));
    info->not_before = seconds_of(X509_get0_notBefore(cert));
    info->not_after = seconds_of(X509_get0_notAfter(cert));
    X509_digest(cert, EVP_sha256(), info->sha256, NULL);
}
