/* SPDX-License-Identifier: MIT */
/* test_json.c - looks into texts, whole and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/json.h"

static struct rvi_json whole(const char *text)
{
    return rvi_json_whole(text, strlen(text));
}

static void members_are_found_by_name_behind_others(void **state)
{
    struct rvi_json json =
        whole(" {\"a\" : [1, {\"seq\": 2}], \"b\":\"}\\\"\", \"seq\":42 , \"ok\":true} ");
    uint64_t number;

    (void)state;
    assert_true(rvi_json_number(rvi_json_member(json, "seq"), &number));
    assert_int_equal(number, 42);
    assert_true(rvi_json_is_true(rvi_json_member(json, "ok")));
    assert_int_equal(rvi_json_member(json, "se").count, 0);
    assert_int_equal(rvi_json_member(json, "seq2").count, 0);
    assert_int_equal(rvi_json_member(rvi_json_member(json, "no"), "thing").count, 0);
}

static void arrays_are_walked(void **state)
{
    struct rvi_json rest = whole("[ 1, \"two\" ,[3] ]"), value;
    char text[8];

    (void)state;
    assert_true(rvi_json_next(&rest, &value));
    assert_true(rvi_json_next(&rest, &value));
    assert_true(rvi_json_text(value, text, sizeof(text)));
    assert_string_equal(text, "two");
    assert_true(rvi_json_next(&rest, &value));
    assert_false(rvi_json_next(&rest, &value));
    rest = whole("[]");
    assert_false(rvi_json_next(&rest, &value));
}

static void texts_are_unescaped_and_not_cut(void **state)
{
    char text[6];

    (void)state;
    assert_true(rvi_json_text(whole("\"a\\n\\\"\\\\\""), text, sizeof(text)));
    assert_string_equal(text, "a\n\"\\");
    assert_true(rvi_json_text(whole("\"\\u003e1\""), text, sizeof(text)));
    assert_string_equal(text, "?1");
    assert_true(rvi_json_text(whole("\"12345\""), text, sizeof(text)));
    assert_false(rvi_json_text(whole("\"123456\""), text, sizeof(text)));
    assert_string_equal(text, "");
    assert_false(rvi_json_text(whole("12"), text, sizeof(text)));
}

static void bytes_are_base64_and_not_cut(void **state)
{
    char bytes[5];

    (void)state;
    assert_int_equal(rvi_json_bytes(whole("\"AGZvbw==\""), bytes, sizeof(bytes)), 4);
    assert_memory_equal(bytes, "\0foo", 4);
    assert_int_equal(rvi_json_bytes(whole("\"+/8=\""), bytes, sizeof(bytes)), 2);
    assert_memory_equal(bytes, "\xfb\xff", 2);
    assert_int_equal(rvi_json_bytes(whole("\"Zm9vYmE=\""), bytes, sizeof(bytes)), 5);
    assert_int_equal(rvi_json_bytes(whole("\"Zm9vYmFy\""), bytes, sizeof(bytes)), 0);
    assert_int_equal(rvi_json_bytes(whole("\"\""), bytes, sizeof(bytes)), 0);
    assert_int_equal(rvi_json_bytes(whole("\"Zm9 v\""), bytes, sizeof(bytes)), 0);
    assert_int_equal(rvi_json_bytes(whole("12"), bytes, sizeof(bytes)), 0);
    assert_int_equal(rvi_json_bytes((struct rvi_json){0}, bytes, sizeof(bytes)), 0);
}

static void numbers_are_whole_and_fit(void **state)
{
    uint64_t number;

    (void)state;
    assert_true(rvi_json_number(whole("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
    assert_false(rvi_json_number(whole("18446744073709551616"), &number));
    assert_false(rvi_json_number(whole("-1"), &number));
    assert_false(rvi_json_number(whole("1.5"), &number));
    assert_false(rvi_json_number(whole("\"1\""), &number));
}

static void what_is_broken_is_none(void **state)
{
    static const char *const broken[] = {"",          "{",     "{\"a\"", "{\"a\":", "{\"a\":1",
                                         "{\"a\" 1}", "[1 2]", "\"open", "\"\\",    "[1,",
                                         "}",         ",",     "{1:2}"};
    char deep[128];

    (void)state;
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        assert_int_equal(whole(broken[i]).count, 0);
    memset(deep, '[', sizeof(deep));
    assert_int_equal(rvi_json_whole(deep, sizeof(deep)).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_name_behind_others),
        cmocka_unit_test(arrays_are_walked),
        cmocka_unit_test(texts_are_unescaped_and_not_cut),
        cmocka_unit_test(bytes_are_base64_and_not_cut),
        cmocka_unit_test(numbers_are_whole_and_fit),
        cmocka_unit_test(what_is_broken_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
