/* SPDX-License-Identifier: MIT */
/* test_engine.c - names, identities, and which engine a URL means. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"

static void a_name_has_letters_digits_dashes_and_underscores(void **state)
{
    char longest[RVI_ENGINE_NAME_BYTES], longer[RVI_ENGINE_NAME_BYTES + 1];

    (void)state;
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_true(rvi_engine_is_name("images-2_Large"));
    assert_true(rvi_engine_is_name(longest));
    assert_false(rvi_engine_is_name(longer));
    assert_false(rvi_engine_is_name(""));
    assert_false(rvi_engine_is_name("a.b"));
    assert_false(rvi_engine_is_name("a*"));
    assert_false(rvi_engine_is_name("\xe4"));
}

static void identities_are_22_digits_and_differ(void **state)
{
    char a[RVI_ENGINE_ID_BYTES], b[RVI_ENGINE_ID_BYTES];

    (void)state;
    assert_int_equal(rvi_engine_make_id(a), 0);
    assert_int_equal(rvi_engine_make_id(b), 0);
    assert_int_equal(strlen(a), RVI_ENGINE_ID_BYTES - 1);
    assert_true(rvi_engine_is_name(a));
    assert_string_not_equal(a, b);
}

static void a_url_without_an_engine_is_refused_in_words(void **state)
{
    struct rvi_engine_opts opts = {.url = "carrier-pigeon://attic", .pool = "p"};
    struct rvi_engine_events events = {0};
    char words[RVI_ENGINE_WORDS];
    struct rvi_engine *e = NULL;

    (void)state;
    assert_int_equal(rvi_engine_open(&e, &opts, &events, NULL, words), -EPROTONOSUPPORT);
    assert_non_null(strstr(words, "carrier-pigeon://attic"));
    assert_null(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_letters_digits_dashes_and_underscores),
        cmocka_unit_test(identities_are_22_digits_and_differ),
        cmocka_unit_test(a_url_without_an_engine_is_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
