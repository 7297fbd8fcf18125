/* SPDX-License-Identifier: MIT */
/* What is said of an execution: words, steps that matter, columns, JSON; names from ELF files. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "check/driver/elf_file.h"
#include "check/driver/json.h"
#include "check/driver/report.h"
#include "check/driver/suppress.h"
#include "check/driver/words.h"
#include "check/runtime/op.h"

/* --- words --- */

static void every_kind_has_words_and_an_id_of_its_own(void **state)
{
    (void)state;
    for (uint32_t kind = 0; kind < CK_KINDS; kind++) {
        uint32_t found;
        assert_string_not_equal(ck_words_kind(kind), "");
        assert_true(ck_words_kind_of(ck_words_kind_id(kind), &found));
        assert_int_equal(found, kind);
        if (ck_words_is_failure(kind))
            assert_string_not_equal(ck_words_explain(kind), "");
    }
    assert_string_equal(ck_words_kind(CK_KINDS), "unknown");
    assert_false(ck_words_is_failure(CK_KINDS));
}

static void every_operation_strategy_and_granularity_has_a_word(void **state)
{
    uint32_t found;

    (void)state;
    for (uint32_t op = 0; op < CK_OP_KINDS; op++)
        assert_string_not_equal(ck_words_op(op), "");
    for (uint32_t i = 0; i < RVI_STRATEGY_KINDS; i++) {
        assert_true(ck_words_strategy_of(ck_words_strategy(i), &found));
        assert_int_equal(found, i);
    }
    for (uint32_t i = CK_SYNC; i <= CK_ALL; i++) {
        assert_true(ck_words_granularity_of(ck_words_granularity(i), &found));
        assert_int_equal(found, i);
    }
    assert_string_equal(ck_words_op(CK_OP_KINDS), "?");
}

/* --- texts --- */

static void expect_put(void (*put)(FILE *, const char *), const char *text, const char *expected)
{
    char *written = NULL;
    size_t count;
    FILE *file = open_memstream(&written, &count);

    assert_non_null(file);
    put(file, text);
    fclose(file);
    assert_string_equal(written, expected);
    free(written);
}

static void any_bytes_become_json_and_html(void **state)
{
    (void)state;
    expect_put(ck_put_json, "a\"b\\c\n\x01", "\"a\\\"b\\\\c\\u000a\\u0001\"");
    expect_put(ck_put_json, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
               "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    expect_put(ck_put_json, "\xc0\xaf\xed\xa0\x80\xff\xe2\x82",
               "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf"
               "\xbd\xef\xbf\xbd\"");
    expect_put(ck_put_html, "<a href='\"&\x02", "&#60;a href=&#39;&#34;&#38;\xef\xbf\xbd");
}

/* --- files --- */

static int marked_variable[4] = {1};

__attribute__((noinline)) static int marked_function(int n)
{
    return n + marked_variable[n & 3];
}

/* Where this program was loaded: what its symbols are counted from. */
extern const char __executable_start;

static void an_elf_file_names_its_functions_and_variables(void **state)
{
    struct ck_elf *elf;
    uint64_t within = 0;
    uintptr_t base = (uintptr_t)&__executable_start;

    (void)state;
    assert_int_equal(marked_function(1), 1);
    assert_int_equal(ck_elf_open("/proc/self/exe", &elf), CK_ELF_DYNAMIC);
    const char *name = ck_elf_symbol(elf, (uintptr_t)marked_function - base, &within);
    assert_non_null(name);
    assert_string_equal(name, "marked_function");
    name = ck_elf_symbol(elf, (uintptr_t)&marked_variable[2] - base, &within);
    assert_non_null(name);
    assert_string_equal(name, "marked_variable");
    assert_int_equal(within, 2 * sizeof(int));
    assert_null(ck_elf_symbol(elf, UINT64_MAX, &within));
    assert_true(ck_elf_needs(elf, "libc.so"));
    assert_false(ck_elf_needs(elf, "libtsan.so"));
    ck_elf_close(elf);
}

static enum ck_elf_sort sort_of_text(const char *text, size_t count)
{
    char path[] = "/tmp/ravel-elf-XXXXXX";
    struct ck_elf *elf;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, count), count);
    close(fd);
    enum ck_elf_sort sort = ck_elf_open(path, &elf);
    assert_null(elf);
    unlink(path);
    return sort;
}

static void other_files_are_told_apart(void **state)
{
    struct ck_elf *elf;

    (void)state;
    assert_int_equal(sort_of_text("#!/bin/sh\n", 10), CK_ELF_SCRIPT);
    assert_int_equal(sort_of_text("\177ELF", 4), CK_ELF_OTHER);
    assert_int_equal(ck_elf_open("/", &elf), CK_ELF_NONE);
    assert_int_equal(ck_elf_open("/nowhere", &elf), CK_ELF_NONE);
}

/* What is cut or damaged is answered with less, never with a read outside of it. */
static void a_damaged_elf_file_is_survived(void **state)
{
    char path[] = "/tmp/ravel-elf-XXXXXX";
    static unsigned char bytes[1 << 16];
    uint64_t within;
    uint8_t id[20];
    struct ck_elf *elf;
    FILE *file = fopen("/proc/self/exe", "re");

    (void)state;
    assert_non_null(file);
    size_t count = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    srand(1);
    for (int i = 0; i < 300; i++) {
        size_t cut = i < 100 ? count * (size_t)i / 100 + 1 : count;
        unsigned char was = bytes[20 + i % 44];
        if (i >= 100)
            bytes[20 + i % 44] = (unsigned char)rand();
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, bytes, cut, 0), cut);
        bytes[20 + i % 44] = was;
        if (ck_elf_open(path, &elf) >= CK_ELF_STATIC) {
            ck_elf_symbol(elf, 0x1000, &within);
            ck_elf_is_instrumented(elf);
            ck_elf_needs(elf, "libc");
            ck_elf_build_id(elf, id, sizeof id);
        }
        ck_elf_close(elf);
    }
    close(fd);
    unlink(path);
}

/* --- stories --- */

static struct ck_shared *shared;

static void add_event(uint32_t thread, uint32_t op, uint64_t object, unsigned flags)
{
    uint32_t at = shared->result.event_count++;

    shared->events[at] = (struct ck_event){.step = at + 1,
                                           .object = object,
                                           .thread = thread,
                                           .op = (uint16_t)op,
                                           .flags = (uint16_t)flags};
}

static int setup(void **state)
{
    (void)state;
    shared = calloc(1, sizeof *shared);
    return shared ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    free(shared);
    return 0;
}

/* Thousands of steps of a thread on its own, and two threads that meet on 0x10. */
static struct ck_story *make_story(struct ck_symbols **symbols)
{
    struct ck_report *failure = &shared->result.failure;

    shared->result.event_count = 0;
    for (int i = 0; i < 5000; i++)
        add_event(3, CK_OP_ATOMIC_RMW, 0x99, 0);
    add_event(1, CK_OP_LOCK, 0x10, 0);
    for (int i = 0; i < 5000; i++)
        add_event(3, CK_OP_ATOMIC_RMW, 0x99, 0);
    add_event(2, CK_OP_LOCK, 0x10, CK_EVENT_BLOCKED);
    *failure = (struct ck_report){.kind = CK_DEADLOCK, .party_count = 1};
    strcpy(failure->text, "thread 0 and thread 01 wait for thread 0");
    failure->parties[0] =
        (struct ck_party){.thread = 2, .address = 0x10, .waits_for_thread = 1, .event = 10002};
    *symbols = ck_symbols_new(shared);
    assert_non_null(*symbols);
    return ck_story_new(shared, failure, *symbols);
}

static void the_steps_that_matter_are_kept(void **state)
{
    struct ck_symbols *symbols;
    struct ck_story *story = make_story(&symbols);
    bool has_first = false, has_last = false;
    uint64_t all = story->skipped_after;

    (void)state;
    for (size_t i = 0; i < story->step_count; i++) {
        has_first |= story->steps[i].thread == 1 && story->steps[i].op == CK_OP_LOCK;
        has_last |= story->steps[i].thread == 2 && story->steps[i].is_blocked;
        all += story->steps[i].skipped + story->steps[i].times;
    }
    assert_true(has_first && has_last);
    assert_int_equal(all, 10002);
    assert_string_equal(story->text, "main and thread 01 wait for main");
    assert_non_null(strstr(story->lines[0].words, "which thread 1 has"));
    ck_story_free(story);
    ck_symbols_free(symbols);
}

static void no_line_is_wider_than_the_terminal(void **state)
{
    struct ck_symbols *symbols;
    struct ck_story *story = make_story(&symbols);
    const char *const command[] = {"prog", NULL};
    struct ck_findings found = {
        .command = command, .failure = story, .unseen = -1, .is_replay = true};

    (void)state;
    for (unsigned width = 50; width <= 200; width += 50) {
        char *written = NULL;
        size_t count;
        FILE *file = open_memstream(&written, &count);
        assert_non_null(file);
        ck_report_text(file, &found, width, false);
        fclose(file);
        char *columns = strstr(written, "\n\n  thread");
        assert_non_null(columns);
        columns[strcspn(columns + 2, "R")] = '\0';
        for (char *line = strtok(columns, "\n"); line; line = strtok(NULL, "\n"))
            assert_true(strlen(line) <= width + 2);
        free(written);
    }
    ck_story_free(story);
    ck_symbols_free(symbols);
}

/* --- suppressions --- */

static void suppressions_name_a_kind_and_a_pattern(void **state)
{
    char path[] = "/tmp/ravel-known-XXXXXX";
    static const char text[] = "# of ours\n\n data-race : *worker* \n*:queue.c\n";
    struct ck_suppressions known = {0};
    struct rvi_text why = {0};
    int fd = mkstemp(path);

    (void)state;
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(ck_suppressions_read(&known, path, &why), 0);
    assert_int_equal(known.count, 2);
    assert_int_equal(known.list[0].kind, CK_RACE);
    assert_string_equal(known.list[0].pattern, "*worker*");
    assert_int_equal(known.list[1].kind, CK_KINDS);
    assert_int_equal(write(fd, "weather:rain\n", 13), 13);
    close(fd);
    assert_int_equal(ck_suppressions_read(&known, path, &why), -EINVAL);
    assert_non_null(strstr(why.bytes, ":5:"));
    rvi_text_fini(&why);
    ck_suppressions_fini(&known);
    unlink(path);
    assert_int_equal(ck_suppressions_read(&known, path, &why), -ENOENT);
    rvi_text_fini(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_words_and_an_id_of_its_own),
        cmocka_unit_test(every_operation_strategy_and_granularity_has_a_word),
        cmocka_unit_test(any_bytes_become_json_and_html),
        cmocka_unit_test(an_elf_file_names_its_functions_and_variables),
        cmocka_unit_test(other_files_are_told_apart),
        cmocka_unit_test(a_damaged_elf_file_is_survived),
        cmocka_unit_test(the_steps_that_matter_are_kept),
        cmocka_unit_test(no_line_is_wider_than_the_terminal),
        cmocka_unit_test(suppressions_name_a_kind_and_a_pattern),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
