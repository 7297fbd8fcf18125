/* SPDX-License-Identifier: MIT */
/* test_address.c - where a cluster is, and who one is there. */
#include "engine/address.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"

static void assert_means(const char *address, const char *url, const char *pool)
{
    struct rvi_engine_opts opts = {0};
    char words[RVI_ENGINE_WORDS], *memory;

    assert_int_equal(rvi_engine_address_take(&opts, &memory, address, words), 0);
    assert_string_equal(opts.url, url);
    assert_string_equal(opts.pool, pool);
    rvi_free(memory);
}

static void a_pool_follows_the_servers(void **state)
{
    (void)state;
    assert_means("nats://host:4222/web", "nats://host:4222", "web");
    assert_means("cluster:tls://a:1,tls://b:2/web", "tls://a:1,tls://b:2", "web");
    assert_means("nats://[::1]:4222/web", "nats://[::1]:4222", "web");
}

static void an_address_without_a_pool_has_the_usual_one(void **state)
{
    (void)state;
    assert_means("nats://host:4222", "nats://host:4222", RVI_ENGINE_POOL_USUAL);
    assert_means("nats://host:4222/", "nats://host:4222", RVI_ENGINE_POOL_USUAL);
    assert_means("nats://a:1,nats://b", "nats://a:1,nats://b", RVI_ENGINE_POOL_USUAL);
}

static void assert_refused(const char *address, const char *says)
{
    struct rvi_engine_opts opts = {0};
    char words[RVI_ENGINE_WORDS] = "", *memory = NULL;

    assert_int_equal(rvi_engine_address_take(&opts, &memory, address, words), -EINVAL);
    assert_non_null(strstr(words, says));
    assert_null(opts.url);
    assert_null(memory);
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const no_addresses[] = {
        "", "host", "host:4222", "host/pool", "nats://", "nats:///pool", "://host", "cluster:",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(no_addresses) / sizeof(no_addresses[0]); i++)
        assert_refused(no_addresses[i], "nats://host:4222/pool");
}

static void a_user_in_an_address_is_refused_and_not_repeated(void **state)
{
    struct rvi_engine_opts opts = {0};
    char words[RVI_ENGINE_WORDS], *memory;

    (void)state;
    assert_refused("nats://me:secret@host/pool", "a file");
    assert_int_equal(rvi_engine_address_take(&opts, &memory, "nats://me:secret@host", words),
                     -EINVAL);
    assert_null(strstr(words, "secret@"));
    assert_null(strstr(words, "me:"));
}

static void an_address_needs_memory(void **state)
{
    struct rvi_engine_opts opts = {0};
    char words[RVI_ENGINE_WORDS], *memory;

    (void)state;
    rvi_alloc_fail_after(1);
    assert_int_equal(rvi_engine_address_take(&opts, &memory, "nats://host", words), -ENOMEM);
    rvi_alloc_fail_after(-1);
}

static void the_environment_fills_in_what_options_leave_open(void **state)
{
    struct rvi_engine_opts opts = {.nkey_file = "mine"};

    (void)state;
    setenv("RAVEL_NKEY_FILE", "theirs", 1);
    setenv("RAVEL_CA_FILE", "ca.pem", 1);
    setenv("RAVEL_CERT_FILE", "", 1);
    rvi_engine_credentials_take(&opts);
    assert_string_equal(opts.nkey_file, "mine");
    assert_string_equal(opts.ca_file, "ca.pem");
    assert_null(opts.cert_file);
    assert_null(opts.key_file);
    unsetenv("RAVEL_NKEY_FILE");
    unsetenv("RAVEL_CA_FILE");
    unsetenv("RAVEL_CERT_FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pool_follows_the_servers),
        cmocka_unit_test(an_address_without_a_pool_has_the_usual_one),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(a_user_in_an_address_is_refused_and_not_repeated),
        cmocka_unit_test(an_address_needs_memory),
        cmocka_unit_test(the_environment_fills_in_what_options_leave_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
