/* SPDX-License-Identifier: MIT */
/* cluster_certs.c - certificates by OpenSSL: keys on P-256, which every TLS library knows.
 *
 * A key is written before the certificate that it belongs to, and each file is whole or not there:
 * made beside, by its owner alone to be read, and moved into its place.
 *
 * Checked by: tests/cli/test_cluster.py, tests/cluster */
#include "cli/cluster_certs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, SAN_BYTES = 2048, AUTHORITY_DAYS = 3650, SERVER_DAYS = 825 };
enum { SERIAL_BITS = 127, CLOCK_SLACK_S = 300 };

/* A certificate, its key, and why there is none. */
struct identity {
    X509 *cert;
    EVP_PKEY *key;
};

static void identity_fini(struct identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
}

__attribute__((format(printf, 3, 4))) static int fail(char *words, int error, const char *format,
                                                      ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(words, CERTS_WORDS, format, args);
    va_end(args);
    return error;
}

/* What OpenSSL says has no errno. */
static int fail_openssl(char *words, const char *what)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return fail(words, -EIO, "%s: %s", what, reason ? reason : "OpenSSL does not say why");
}

/* --- files --- */

static bool name_file(const char *dir, const char *name, const char *ending,
                      char ret[static PATH_BYTES])
{
    return snprintf(ret, PATH_BYTES, "%s/%s%s", dir, name, ending) < PATH_BYTES;
}

typedef bool write_fn(FILE *file, const struct identity *identity);

static bool write_cert(FILE *file, const struct identity *identity)
{
    return PEM_write_X509(file, identity->cert) == 1;
}

static bool write_key(FILE *file, const struct identity *identity)
{
    return PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) == 1;
}

static int put_file(const char *path, mode_t mode, write_fn *write, const struct identity *identity)
{
    char beside[PATH_BYTES + 8];
    bool is_whole = false;

    snprintf(beside, sizeof beside, "%s.new", path);
    unlink(beside);
    int fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (file) {
        is_whole = write(file, identity) && fflush(file) == 0 && fsync(fd) == 0;
        is_whole &= fclose(file) == 0;
    } else if (fd >= 0) {
        close(fd);
    }
    return is_whole && rename(beside, path) == 0 ? 0 : errno ? -errno : -EIO;
}

static int put_identity(const char *dir, const char *name, const struct identity *identity,
                        char *words)
{
    char cert[PATH_BYTES], key[PATH_BYTES];

    if (!name_file(dir, name, ".pem", cert) || !name_file(dir, name, ".key", key))
        return fail(words, -ENAMETOOLONG, "%s: the name is too long", name);
    int r = put_file(key, 0600, write_key, identity);
    if (r < 0)
        return fail(words, r, "cannot write %s: %s", key, strerror(-r));
    r = put_file(cert, 0644, write_cert, identity);
    return r < 0 ? fail(words, r, "cannot write %s: %s", cert, strerror(-r)) : 0;
}

static int get_identity(const char *dir, const char *name, struct identity *ret, char *words)
{
    char cert[PATH_BYTES], key[PATH_BYTES];
    FILE *file;

    if (!name_file(dir, name, ".pem", cert) || !name_file(dir, name, ".key", key))
        return fail(words, -ENAMETOOLONG, "%s: the name is too long", name);
    file = fopen(cert, "re");
    if (!file)
        return fail(words, -errno, "cannot read %s: %s", cert, strerror(errno));
    ret->cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    file = fopen(key, "re");
    if (!file)
        return fail(words, -errno, "cannot read %s: %s", key, strerror(errno));
    ret->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    if (!ret->cert || !ret->key || X509_check_private_key(ret->cert, ret->key) != 1)
        return fail(words, -EINVAL, "%s and %s are no certificate and its key", cert, key);
    return 0;
}

/* --- certificates --- */

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    bool is_set = number && BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
                  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));

    BN_free(number);
    return is_set;
}

static bool set_extension(X509 *cert, X509 *issuer, int kind, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool is_set = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_set;
}

/* Common to all, but the signature. */
static bool start_cert(struct identity *made, const char *name, int days)
{
    X509_NAME *subject;

    made->key = EVP_EC_gen("P-256");
    made->cert = X509_new();
    if (!made->key || !made->cert)
        return false;
    subject = X509_get_subject_name(made->cert);
    return X509_set_version(made->cert, X509_VERSION_3) == 1 && set_serial(made->cert) &&
           X509_gmtime_adj(X509_getm_notBefore(made->cert), -CLOCK_SLACK_S) &&
           X509_gmtime_adj(X509_getm_notAfter(made->cert), 86400L * days) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                      -1, 0) == 1 &&
           X509_set_pubkey(made->cert, made->key) == 1;
}

static bool sign_authority(struct identity *made)
{
    if (!start_cert(made, "Ravel cluster", AUTHORITY_DAYS))
        return false;
    X509 *cert = made->cert;
    return X509_set_issuer_name(cert, X509_get_subject_name(cert)) == 1 &&
           set_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           set_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
           set_extension(cert, cert, NID_subject_key_identifier, "hash") &&
           X509_sign(cert, made->key, EVP_sha256()) > 0;
}

static bool sign_server(struct identity *made, const struct identity *authority, const char *name,
                        const char *names)
{
    if (!start_cert(made, name, SERVER_DAYS))
        return false;
    X509 *cert = made->cert, *by = authority->cert;
    return X509_set_issuer_name(cert, X509_get_subject_name(by)) == 1 &&
           set_extension(cert, by, NID_basic_constraints, "critical,CA:FALSE") &&
           set_extension(cert, by, NID_key_usage, "critical,digitalSignature") &&
           set_extension(cert, by, NID_ext_key_usage, "serverAuth,clientAuth") &&
           set_extension(cert, by, NID_subject_key_identifier, "hash") &&
           set_extension(cert, by, NID_authority_key_identifier, "keyid") &&
           set_extension(cert, by, NID_subject_alt_name, names) &&
           X509_sign(cert, authority->key, EVP_sha256()) > 0;
}

/* --- names --- */

static bool is_address(const char *name)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The list goes through a parser of OpenSSL's, to which commas and colons mean something. */
static bool is_host(const char *name)
{
    return name[0] && strlen(name) <= 253 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
               strlen(name) &&
           name[0] != '.' && name[0] != '-';
}

static int add_name(char names[static SAN_BYTES], const char *name, char *words)
{
    size_t used = strlen(names), room = SAN_BYTES - used;
    bool is_number = is_address(name);

    if (!is_number && !is_host(name))
        return fail(words, -EINVAL, "\"%s\" is neither a host's name nor an address", name);
    if ((size_t)snprintf(names + used, room, "%s%s:%s", used ? "," : "", is_number ? "IP" : "DNS",
                         name) >= room)
        return fail(words, -EINVAL, "too many names");
    return 0;
}

static int list_names(const char *name, const char *also, char names[static SAN_BYTES], char *words)
{
    char *copy = strdup(also ? also : ""), *rest = NULL;
    int r = copy ? add_name(names, name, words) : fail(words, -ENOMEM, "no memory");

    for (char *next = copy ? strtok_r(copy, ",", &rest) : NULL; next && r == 0;
         next = strtok_r(NULL, ",", &rest))
        r = add_name(names, next, words);
    free(copy);
    return r;
}

/* --- what is asked for --- */

/* Its certificate is written last: one without a key is an authority whose key lies elsewhere, and
 * is not made anew. */
int certs_make_authority(const char *dir, char words[static CERTS_WORDS])
{
    struct identity made = {0};
    char cert[PATH_BYTES];
    int r;

    if (!name_file(dir, "ca", ".pem", cert))
        return fail(words, -ENAMETOOLONG, "%s: the name is too long", dir);
    if (access(cert, F_OK) == 0)
        r = get_identity(dir, "ca", &made, words);
    else if (sign_authority(&made))
        r = put_identity(dir, "ca", &made, words);
    else
        r = fail_openssl(words, "cannot make an authority");
    identity_fini(&made);
    return r;
}

int certs_make_server(const char *dir, const char *name, const char *also,
                      char words[static CERTS_WORDS])
{
    struct identity authority = {0}, made = {0};
    char names[SAN_BYTES] = "";
    int r = list_names(name, also, names, words);

    if (r == 0)
        r = get_identity(dir, "ca", &authority, words);
    if (r == 0 && !sign_server(&made, &authority, name, names))
        r = fail_openssl(words, "cannot make a certificate");
    if (r == 0)
        r = put_identity(dir, name, &made, words);
    identity_fini(&authority);
    identity_fini(&made);
    return r;
}
