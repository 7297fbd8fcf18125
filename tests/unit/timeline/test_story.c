/* SPDX-License-Identifier: MIT */
/* test_story.c - a trace is read as it was written, or refused with its place; a diagram of
 * it is whole or an error. */
#include "timeline/story.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "timeline/sequence.h"

static const char whole[] =
    "{\"displayTimeUnit\": \"ns\", \"otherData\": {\"events\": 9, \"lost\": 3},\n"
    "\"traceEvents\": [\n"
    "{\"ph\": \"M\", \"pid\": 1, \"tid\": 1, \"name\": \"process_name\", \"args\": {\"name\": "
    "\"/a/b/program /c\"}},\n"
    "{\"ph\": \"M\", \"pid\": 1, \"tid\": 2, \"name\": \"thread_name\", \"args\": {\"name\": "
    "\"worker 1\"}},\n"
    "{\"ph\": \"X\", \"cat\": \"run\", \"pid\": 1, \"tid\": 1, \"ts\": 0.001, \"dur\": 2.5, "
    "\"name\": "
    "\"asks 7\", \"args\": {\"task\": 7, \"end\": \"waits for read\"}},\n"
    "{\"ph\": \"s\", \"cat\": \"wake\", \"id\": 4, \"pid\": 1, \"tid\": 1, \"ts\": 1, \"name\": "
    "\"wakes\"},\n"
    "{\"ph\": \"f\", \"cat\": \"wake\", \"id\": 4, \"pid\": 1, \"tid\": 2, \"ts\": 2, \"name\": "
    "\"wakes\"},\n"
    "{\"ph\": \"X\", \"cat\": \"run\", \"pid\": 1, \"tid\": 2, \"ts\": 2, \"dur\": 1, \"name\": "
    "\"is woken 07\", \"args\": {\"task\": 8, \"end\": \"ends\"}},\n"
    "{\"ph\": \"C\", \"name\": \"counted\", \"ts\": 3, \"args\": {\"many\": 1}},\n"
    "{\"ph\": \"X\", \"cat\": \"run\", \"pid\": 1, \"tid\": 1, \"ts\": 4, \"dur\": 1, \"name\": "
    "\"asks 7\", \"args\": {\"task\": 7, \"end\": \"ends\", \"odd\": [1.5, {\"a\": null}], "
    "\"less\": "
    "-3}}\n"
    "]}";

static int read_text(const char *text, size_t bytes, struct tl_story **ret, char *why)
{
    FILE *file = fmemopen((void *)(uintptr_t)text, bytes, "r");

    assert_non_null(file);
    int r = tl_story_read(file, ret, why, 200);
    fclose(file);
    return r;
}

static struct tl_story *read_fine(const char *text)
{
    struct tl_story *story = NULL;
    char why[200] = "";

    if (read_text(text, strlen(text), &story, why) != 0)
        fail_msg("%s", why);
    return story;
}

static void assert_text(const struct tl_story *story, uint32_t text, const char *wanted)
{
    assert_string_equal(tl_story_text(story, text), wanted);
}

static void events_are_read_as_they_were_written(void **state)
{
    struct tl_story *story = read_fine(whole);
    const struct tl_event *run = &story->events[0], *last = &story->events[4];

    (void)state;
    assert_int_equal(story->count, 5);
    assert_int_equal(story->lost, 3);
    assert_int_equal(story->ends_ns, 5000);
    assert_int_equal(run->phase, 'X');
    assert_int_equal(run->at_ns, 1);
    assert_int_equal(run->lasts_ns, 2500);
    assert_text(story, run->category, "run");
    assert_int_equal(tl_story_value(story, run, "task")->number, 7);
    assert_text(story, tl_story_value(story, run, "end")->text, "waits for read");
    assert_null(tl_story_value(story, run, "odd"));
    assert_text(story, tl_story_value(story, last, "odd")->text, "[1.5, {\"a\": null}]");
    assert_int_equal(tl_story_value(story, last, "less")->number, -3);
    assert_int_equal(story->events[1].id, story->events[2].id);
    tl_story_free(story);
}

static void a_number_behind_a_name_is_kept_as_one_if_that_loses_nothing(void **state)
{
    struct tl_story *story = read_fine(whole);

    (void)state;
    assert_text(story, story->events[0].name, "asks");
    assert_int_equal(story->events[0].name_number, 7);
    assert_text(story, story->events[3].name, "is woken 07");
    assert_true(story->events[3].name_number == TL_NO_NUMBER);
    tl_story_free(story);
}

static void lanes_have_their_names(void **state)
{
    struct tl_story *story = read_fine(whole);

    (void)state;
    assert_int_equal(story->lane_count, 2);
    assert_text(story, story->lanes[1].name, "worker 1");
    assert_text(story, story->lanes[1].process_name, "/a/b/program /c");
    assert_string_equal(tl_story_title(story), "program /c");
    tl_story_free(story);
}

static void escapes_become_characters(void **state)
{
    struct tl_story *story =
        read_fine("{\"traceEvents\": [{\"ph\": \"i\", \"name\": "
                  "\"a\\n\\\"\\u00b5\\u20AC\\ud83d\\ude00\\/\\u0000\\ud800!\"}]}");

    (void)state;
    assert_text(story, story->events[0].name,
                "a\n\"\xc2\xb5\xe2\x82\xac\xf0\x9f\x98\x80/\xef\xbf\xbd\xef\xbf\xbd!");
    tl_story_free(story);
}

static void what_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t bytes = 1; bytes < sizeof whole - 1; bytes++) {
        struct tl_story *story;
        char why[200] = "";
        assert_int_equal(read_text(whole, bytes, &story, why), -EINVAL);
        assert_non_null(strstr(why, "this is no trace: line "));
    }
}

static int draw(struct tl_story *story, char **ret)
{
    size_t bytes;
    FILE *file = open_memstream(ret, &bytes);

    assert_non_null(file);
    int r = tl_put_sequence(file, &story, 1, &(struct tl_choice){0});
    fclose(file);
    return r;
}

static unsigned count(const char *text, const char *word)
{
    unsigned found = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        found++;
    }
    return found;
}

static void a_diagram_has_the_runs_the_wait_and_the_arrow(void **state)
{
    struct tl_story *story = read_fine(whole);
    char *svg;

    (void)state;
    assert_int_equal(draw(story, &svg), 0);
    assert_int_equal(count(svg, "\"run c0\""), 2 * 2 + 1); /* and the legend's */
    assert_int_equal(count(svg, "\"run c1\""), 2);
    assert_int_equal(count(svg, "\"op c0\""), 1 + 1);
    assert_int_equal(count(svg, ">wakes<") + count(svg, ">starts<"), 1);
    free(svg);
    tl_story_free(story);
}

static void without_memory_it_says_so_and_keeps_nothing(void **state)
{
    long before = rvi_alloc_live();
    bool is_pending = false;

    (void)state;
    for (long n = 1; !is_pending; n++) {
        struct tl_story *story = NULL;
        char why[200] = "", *svg = NULL;
        rvi_alloc_fail_after(n);
        int r = read_text(whole, sizeof whole - 1, &story, why);
        if (r == 0)
            r = draw(story, &svg);
        is_pending = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        assert_int_equal(r, is_pending ? 0 : -ENOMEM);
        tl_story_free(story);
        free(svg);
        assert_int_equal(rvi_alloc_live(), before);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_read_as_they_were_written),
        cmocka_unit_test(a_number_behind_a_name_is_kept_as_one_if_that_loses_nothing),
        cmocka_unit_test(lanes_have_their_names),
        cmocka_unit_test(escapes_become_characters),
        cmocka_unit_test(what_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(a_diagram_has_the_runs_the_wait_and_the_arrow),
        cmocka_unit_test(without_memory_it_says_so_and_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
