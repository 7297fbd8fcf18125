/* SPDX-License-Identifier: MIT */
/* test_wire.c - messages are read as they were written; those of others are judged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ravel/future.h>

#include "engine/wire.h"

#define ID "0123456789abcdefABCDEF"
#define OTHER "zzzzzzzzzzzzzzzzzzzzzz"
#define BUILD "0123456789abcdef0123456789abcdef"

static struct rvi_wire_task a_task(void)
{
    return (struct rvi_wire_task){.task = {.id = ID,
                                           .job = "add",
                                           .flags = 3,
                                           .lane = RVI_LANE_HIGH,
                                           .not_before = 5,
                                           .deadline = 6,
                                           .limit_ns = 7,
                                           .attempts = 8,
                                           .in = "input",
                                           .in_bytes = 5},
                                  .client = OTHER,
                                  .build = BUILD};
}

static char *written(const struct rvi_wire_task *task, size_t *ret_count)
{
    *ret_count = rvi_wire_task_bytes(task);
    char *bytes = malloc(*ret_count);
    assert_non_null(bytes);
    rvi_wire_task_write(task, bytes);
    return bytes;
}

static void a_task_is_read_as_it_was_written(void **state)
{
    struct rvi_wire_task task = a_task(), read;
    size_t count;
    char *bytes = written(&task, &count);

    (void)state;
    assert_true(rvi_wire_task_read(&read, bytes, count));
    assert_string_equal(read.task.id, ID);
    assert_string_equal(read.task.job, "add");
    assert_string_equal(read.client, OTHER);
    assert_string_equal(read.build, BUILD);
    assert_int_equal(read.task.flags, 3);
    assert_int_equal(read.task.lane, RVI_LANE_HIGH);
    assert_int_equal(read.task.not_before, 5);
    assert_int_equal(read.task.deadline, 6);
    assert_int_equal(read.task.limit_ns, 7);
    assert_int_equal(read.task.attempts, 8);
    assert_int_equal(read.task.in_bytes, 5);
    assert_memory_equal(read.task.in, "input", 5);
    free(bytes);
}

static void a_task_in_pieces_has_no_input(void **state)
{
    struct rvi_wire_task task = a_task(), read;
    size_t count;

    (void)state;
    task.task.in_bytes = 1 << 20;
    memcpy(task.pieces.name, OTHER, sizeof(OTHER));
    task.pieces.hash = 99;
    char *bytes = written(&task, &count);
    assert_true(rvi_wire_task_read(&read, bytes, count));
    assert_null(read.task.in);
    assert_int_equal(read.task.in_bytes, 1 << 20);
    assert_string_equal(read.pieces.name, OTHER);
    assert_int_equal(read.pieces.hash, 99);
    free(bytes);
}

/* Every cut, every byte that is too many; and each byte of the head made another one, which may
 * still be a task, but is never read beyond its end. */
static void a_task_that_is_cut_or_spoilt_is_none(void **state)
{
    struct rvi_wire_task task = a_task(), read;
    size_t count;
    char *bytes = written(&task, &count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char *cut = malloc(i + 1);
        assert_non_null(cut);
        memcpy(cut, bytes, i);
        assert_false(rvi_wire_task_read(&read, cut, i));
        free(cut);
    }
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (char)~bytes[i];
        if (rvi_wire_task_read(&read, bytes, count))
            assert_int_equal(rvi_wire_task_bytes(&read), count);
        bytes[i] = (char)~bytes[i];
    }
    bytes[0] = 'X';
    assert_false(rvi_wire_task_read(&read, bytes, count));
    free(bytes);
}

static void names_of_a_task_are_judged(void **state)
{
    struct rvi_wire_task read, bad[4] = {a_task(), a_task(), a_task(), a_task()};
    size_t count;

    (void)state;
    bad[0].task.id[3] = '.';
    bad[1].client[0] = '*';
    bad[2].build[0] = 'g';
    bad[3].task.not_before = -1;
    for (int i = 0; i < 4; i++) {
        char *bytes = written(&bad[i], &count);
        assert_false(rvi_wire_task_read(&read, bytes, count));
        free(bytes);
    }
}

static void zeros_at_the_end_of_a_result_are_counted_and_not_sent(void **state)
{
    static char value[3000] = {1, 2, 3};
    struct rvi_wire_result result = {
        .result = {.id = ID, .kind = RV_OUTCOME_VALUE, .out = value, .out_bytes = sizeof(value)}};
    struct rvi_wire_result read;
    char bytes[256];

    (void)state;
    assert_int_equal(rvi_wire_zeros(value, 0), 0);
    assert_int_equal(rvi_wire_zeros(value, 1000), 0);
    assert_int_equal(rvi_wire_zeros(value + 3, 2000), 2000);
    value[2000] = 1;
    assert_int_equal(rvi_wire_zeros(value, sizeof(value)), 0);
    value[2000] = 0;
    result.zeros = rvi_wire_zeros(value, sizeof(value));
    assert_in_range(result.zeros, sizeof(value) - 10, sizeof(value) - 3);
    size_t count = rvi_wire_result_bytes(&result);
    assert_true(count <= sizeof(bytes));
    rvi_wire_result_write(&result, bytes);
    assert_true(rvi_wire_result_read(&read, bytes, count));
    assert_int_equal(read.result.out_bytes, sizeof(value));
    assert_int_equal(read.zeros, result.zeros);
    assert_memory_equal(read.result.out, value, sizeof(value) - read.zeros);
    assert_false(rvi_wire_result_read(&read, bytes, count - 1));
    result.zeros = sizeof(value);
    rvi_wire_result_write(&result, bytes);
    assert_false(rvi_wire_result_read(&read, bytes, count));
    result.zeros++;
    rvi_wire_result_write(&result, bytes);
    assert_false(rvi_wire_result_read(&read, bytes, count));
}

static void a_result_is_read_as_it_was_written_and_judged(void **state)
{
    struct rvi_wire_result result = {.result = {.id = ID,
                                                .kind = RV_OUTCOME_SIGNAL,
                                                .signal = 11,
                                                .deaths = 2,
                                                .queued_ns = 3,
                                                .run_ns = 4,
                                                .out = "xy",
                                                .out_bytes = 2,
                                                .words = "it fell"}},
                           read;
    char bytes[512];
    size_t count = rvi_wire_result_bytes(&result);

    (void)state;
    assert_true(count <= sizeof(bytes));
    rvi_wire_result_write(&result, bytes);
    assert_true(rvi_wire_result_read(&read, bytes, count));
    assert_int_equal(read.result.kind, RV_OUTCOME_SIGNAL);
    assert_int_equal(read.result.signal, 11);
    assert_int_equal(read.result.deaths, 2);
    assert_string_equal(read.result.words, "it fell");
    assert_memory_equal(read.result.out, "xy", 2);
    for (size_t i = 0; i < count; i++)
        assert_false(rvi_wire_result_read(&read, bytes, i));
    result.result.kind = RV_OUTCOME_MEMORY + 1;
    rvi_wire_result_write(&result, bytes);
    assert_false(rvi_wire_result_read(&read, bytes, count));
    result.result.kind = RV_OUTCOME_ERROR;
    result.result.error = 1;
    rvi_wire_result_write(&result, bytes);
    assert_false(rvi_wire_result_read(&read, bytes, count));
    result.result.error = -EIO;
    rvi_wire_result_write(&result, bytes);
    assert_true(rvi_wire_result_read(&read, bytes, count));
}

static void hashes_differ_by_bytes_length_and_place(void **state)
{
    (void)state;
    assert_true(rvi_wire_hash(0, "abcdefgh", 8) != rvi_wire_hash(0, "abcdefgi", 8));
    assert_true(rvi_wire_hash(0, "a\0", 1) != rvi_wire_hash(0, "a\0", 2));
    assert_true(rvi_wire_hash(0, "a", 1) != rvi_wire_hash(1, "a", 1));
    assert_true(rvi_wire_hash(0, "a", 1) == rvi_wire_hash(0, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_read_as_it_was_written),
        cmocka_unit_test(a_task_in_pieces_has_no_input),
        cmocka_unit_test(a_task_that_is_cut_or_spoilt_is_none),
        cmocka_unit_test(names_of_a_task_are_judged),
        cmocka_unit_test(zeros_at_the_end_of_a_result_are_counted_and_not_sent),
        cmocka_unit_test(a_result_is_read_as_it_was_written_and_judged),
        cmocka_unit_test(hashes_differ_by_bytes_length_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
