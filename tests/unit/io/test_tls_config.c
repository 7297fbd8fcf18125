/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdlib.h>

#include "tls_test.h"

static struct identity ca, leaf;
static char folder[] = "/tmp/ravel-tls-XXXXXX";

static const char *in_folder(const char *name)
{
    static char paths[8][64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* What is wrong, in `flaw`. */
static int try_config(struct rv_tls_config_opts opts, struct rv_tls_flaw *flaw)
{
    rv_tls_config *config = NULL;
    opts.size = sizeof(opts);
    int r = rv_tls_config_new(&config, &opts, flaw);
    assert_true((r == 0) == (config != NULL));
    assert_null(rv_tls_config_free(config));
    return r;
}

static void assert_refused(struct rv_tls_config_opts opts, int err, const char *words)
{
    struct rv_tls_flaw flaw = {""};
    assert_int_equal(try_config(opts, &flaw), err);
    if (!strstr(flaw.text, words))
        print_message("it says: %s\n", flaw.text);
    assert_non_null(strstr(flaw.text, words));
    assert_int_equal(try_config(opts, NULL), err);
}

#define OPTS(...) ((struct rv_tls_config_opts){__VA_ARGS__})

static void texts_and_files_are_equal(void **state)
{
    struct rv_tls_flaw flaw;
    char both[2 * PEM_BYTES];
    (void)state;
    snprintf(both, sizeof(both), "%s%s", leaf.cert_pem, ca.cert_pem);
    write_file("ca", ca.cert_pem);
    write_file("cert", both);
    write_file("key", leaf.key_pem);
    assert_int_equal(try_config(OPTS(0), &flaw), 0);
    assert_int_equal(try_config(OPTS(.ca_file = in_folder("ca"), .cert_file = in_folder("cert"),
                                     .key_file = in_folder("key")),
                                &flaw),
                     0);
    assert_int_equal(
        try_config(OPTS(.ca_pem = both, .cert_pem = both, .key_pem = leaf.key_pem), &flaw), 0);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    write_file("text", "no certificate at all\n");
    assert_refused(OPTS(.ca_file = in_folder("none")), -ENOENT, "No such file");
    assert_refused(OPTS(.cert_file = in_folder("none"), .key_pem = leaf.key_pem), -ENOENT, "none");
    assert_refused(OPTS(.ca_pem = "nothing"), -EINVAL, "no start line");
    assert_refused(OPTS(.cert_pem = "nothing", .key_pem = leaf.key_pem), -EINVAL,
                   "the certificate");
    assert_refused(OPTS(.cert_pem = leaf.cert_pem, .key_pem = "nothing"), -EINVAL, "the key");
    assert_refused(OPTS(.cert_pem = leaf.cert_pem, .key_file = in_folder("text")), -EINVAL, "text");
    assert_refused(OPTS(.cert_pem = leaf.cert_pem, .key_pem = ca.key_pem), -EKEYREJECTED, "key");
    assert_refused(OPTS(.cert_pem = leaf.cert_pem), -EINVAL, "wants its key");
    assert_refused(OPTS(.key_pem = leaf.key_pem), -EINVAL, "wants its key");
    assert_refused(OPTS(.ca_pem = ca.cert_pem, .ca_file = "x"), -EINVAL, "one of them");
    assert_refused(OPTS(.alpn = "h2,"), -EINVAL, "alpn");
    assert_refused(OPTS(.alpn = ",h2"), -EINVAL, "alpn");
    assert_refused(OPTS(.min_version = (enum rv_tls_version)0x301), -EINVAL, "min_version");
    assert_refused(OPTS(.trust = (enum rv_tls_trust)9), -EINVAL, "trust");
}

static int make_in_task(void *arg)
{
    struct rv_tls_flaw flaw;
    (void)arg;
    return try_config(OPTS(.cert_pem = leaf.cert_pem, .key_pem = leaf.key_pem), &flaw);
}

static void a_task_may_make_one(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, make_in_task, NULL), 0);
}

static int start(void **state)
{
    (void)state;
    ca = make_identity(NULL, "authority", NULL, -1, 30);
    leaf = make_identity(&ca, "server.test", "DNS:server.test", -1, 30);
    return mkdtemp(folder) ? 0 : -1;
}

static int stop(void **state)
{
    const char *const names[] = {"ca", "cert", "key", "text"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        unlink(in_folder(names[i]));
    free_identity(&leaf);
    free_identity(&ca);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_and_files_are_equal),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(a_task_may_make_one),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
