/* SPDX-License-Identifier: MIT */
/* test_json.c - what is read is what was written, and what is wrong is told with its place. */
#include "lab/json.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "near.h"

static struct lab_json *read_fine(const char *text)
{
    struct lab_json *value = NULL;
    char why[200] = "";

    if (lab_json_read(text, &value, why, sizeof why) != 0)
        fail_msg("%s: %s", text, why);
    return value;
}

static void values_of_all_kinds_are_read(void **state)
{
    struct lab_json *v = read_fine(" {\"a\": [1, -2.5e3, true, false, null, \"x\"],\n \"b\": {}} ");
    const struct lab_json *m = lab_json_member(v, "a");
    static const enum lab_json_kind kinds[] = {LAB_NUMBER, LAB_NUMBER, LAB_TRUE,
                                               LAB_FALSE,  LAB_NULL,   LAB_STRING};

    (void)state;
    assert_int_equal(m->kind, LAB_ARRAY);
    m = m->inside;
    for (size_t i = 0; i < 6; i++, m = m->next)
        assert_int_equal(m->kind, kinds[i]);
    assert_null(m);
    assert_near(lab_json_member(v, "a")->inside->next->number, -2500, 0);
    assert_int_equal(lab_json_member(v, "b")->kind, LAB_OBJECT);
    assert_int_equal(lab_json_member(v, "b")->line, 2);
    assert_int_equal(lab_json_member(v, "b")->column, 7);
    assert_null(lab_json_member(v, "c"));
    lab_json_free(v);
}

static void escapes_become_characters(void **state)
{
    struct lab_json *v = read_fine("\"a\\n\\\"\\u00b5\\u20AC\\ud83d\\ude00\\/\"");

    (void)state;
    assert_string_equal(v->text, "a\n\"\xc2\xb5\xe2\x82\xac\xf0\x9f\x98\x80/");
    lab_json_free(v);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    static const struct {
        const char *text, *why;
    } wrongs[] = {
        {"", "line 1, column 1: a value is expected"},
        {"{\"a\": 1,\n  b: 2}", "line 2, column 3: a name in quotation marks is expected"},
        {"[1, 2", "line 1, column 6: a comma or ] is expected"},
        {"{\"a\" 1}", "line 1, column 6: a colon is expected"},
        {"[1] 2", "line 1, column 5: the end is expected"},
        {"[01]", "line 1, column 2: a value is expected"},
        {"[1.]", "line 1, column 3: a comma or ] is expected"},
        {"[+1]", "line 1, column 2: a value is expected"},
        {"[nan]", "line 1, column 2: a value is expected"},
        {"[1e999]", "line 1, column 2: this number is too large"},
        {"[tru]", "line 1, column 2: a value is expected"},
        {"\"a", "line 1, column 3: the end of a text is expected, a quotation mark"},
        {"\"a\n\"", "line 1, column 3: the end of a text is expected, a quotation mark"},
        {"\"\\x\"", "line 1, column 3: no such escape"},
        {"\"\\u12g4\"", "line 1, column 6: four hexadecimal digits are expected"},
        {"\"\\ud800x\"", "line 1, column 8: the second half of a character is expected"},
        {"\"\\udc00\"", "line 1, column 8: this is no character"},
        {"\"\\u0000\"", "line 1, column 8: this is no character"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct lab_json *v = NULL;
        char why[200] = "";
        assert_int_equal(lab_json_read(wrongs[i].text, &v, why, sizeof why), -EINVAL);
        assert_string_equal(why, wrongs[i].why);
        assert_null(v);
    }
}

static void depth_is_bounded(void **state)
{
    char text[1000], why[200];
    struct lab_json *v = NULL;

    (void)state;
    memset(text, '[', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(lab_json_read(text, &v, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "too deeply"));
}

static struct lab_json *written_and_read(const char *text)
{
    char *out = NULL;
    size_t bytes;
    FILE *to = open_memstream(&out, &bytes);

    lab_json_put(to, text);
    fclose(to);
    struct lab_json *v = read_fine(out);
    free(out);
    return v;
}

static void texts_come_back_as_they_were(void **state)
{
    static const char *const texts[] = {"", "plain", "quo\"te \\ </script>", "\t\n\x01\x7f", "µ€😀"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct lab_json *v = written_and_read(texts[i]);
        assert_string_equal(v->text, texts[i]);
        lab_json_free(v);
    }
}

static void what_is_no_utf8_is_replaced(void **state)
{
    static const char *const texts[] = {"a\xff", "a\xc3", "a\xe2\x82", "a\xed\xa0\x80",
                                        "a\xc0\xaf"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct lab_json *v = written_and_read(texts[i]);
        assert_memory_equal(v->text, "a\xef\xbf\xbd", 4);
        lab_json_free(v);
    }
}

static void numbers_come_back_as_they_were(void **state)
{
    static const double numbers[] = {0, -1, 0.1, 1.0 / 3, 123456789, 1e300, 5e-324, 2.55};

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char *out = NULL;
        size_t bytes;
        FILE *to = open_memstream(&out, &bytes);
        lab_json_put_number(to, numbers[i]);
        fclose(to);
        struct lab_json *v = read_fine(out);
        assert_true(v->number == numbers[i]);
        lab_json_free(v);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_of_all_kinds_are_read),
        cmocka_unit_test(escapes_become_characters),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(texts_come_back_as_they_were),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
        cmocka_unit_test(numbers_come_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
