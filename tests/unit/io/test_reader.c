/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../support/every_point.h"
#include "../sched/sched_test.h"
#include "stream_test.h"

enum { BUFFER = 64 };

/* A reader with a small buffer over a text that comes in pieces. */
struct reading {
    struct rv_reader reader;
    struct dribble from;
    char buffer[BUFFER];
};

static struct rv_reader *begin_bytes(struct reading *r, const char *text, size_t bytes,
                                     size_t piece)
{
    r->from = dribble_of(text, bytes, piece);
    rv_reader_init(&r->reader, dribble_stream(&r->from), r->buffer, sizeof(r->buffer));
    return &r->reader;
}

static struct rv_reader *begin(struct reading *r, const char *text, size_t piece)
{
    return begin_bytes(r, text, strlen(text), piece);
}

static void assert_line(struct rv_reader *in, const char *text, int is_ended)
{
    struct rv_line line;
    assert_int_equal(rv_reader_line(in, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, strlen(text));
    assert_memory_equal(line.text, text, line.bytes);
    assert_int_equal(line.is_ended, is_ended);
}

static void assert_end(struct rv_reader *in)
{
    struct rv_line line;
    assert_int_equal(rv_reader_line(in, &line, RV_NEVER), 0);
}

static void lines_come_whole_however_the_bytes_arrive(void **state)
{
    struct reading r;
    (void)state;
    for (size_t piece = 1; piece <= 2 * BUFFER; piece++) {
        struct rv_reader *in = begin(&r, "one\n\nthree and a half\n  four\n", piece);
        assert_line(in, "one", 1);
        assert_line(in, "", 1);
        assert_line(in, "three and a half", 1);
        assert_line(in, "  four", 1);
        assert_end(in);
        rv_reader_fini(in);
    }
}

static void a_last_line_without_newline_is_told_apart(void **state)
{
    struct reading r;
    (void)state;
    struct rv_reader *in = begin(&r, "one\ntwo", 2);
    assert_line(in, "one", 1);
    assert_line(in, "two", 0);
    assert_end(in);
}

static void a_stream_that_ends_with_a_newline_has_no_empty_line_behind_it(void **state)
{
    struct reading r;
    (void)state;
    struct rv_reader *in = begin(&r, "\n", 9);
    assert_line(in, "", 1);
    assert_end(in);
    assert_end(begin(&r, "", 9));
}

static void the_end_is_told_once_and_then_the_stream_is_asked_anew(void **state)
{
    struct reading r;
    char c;
    (void)state;
    struct rv_reader *in = begin(&r, "abcdef", 100);
    r.from.bytes = 3;
    assert_line(in, "abc", 0);
    r.from.bytes = 6;
    assert_end(in);
    assert_line(in, "def", 0);
    assert_int_equal(rv_reader_read(in, &c, 1, RV_NEVER), 0);
    assert_int_equal(r.from.calls, 4);
}

static void bytes_of_any_value_are_part_of_a_line(void **state)
{
    static const char text[] = "a\0b\xff\n\0\n\r\n";
    struct reading r;
    struct rv_line line;
    (void)state;
    struct rv_reader *in = begin_bytes(&r, text, sizeof(text) - 1, 1);
    assert_int_equal(rv_reader_line(in, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, 4);
    assert_memory_equal(line.text, text, 4);
    assert_int_equal(rv_reader_line(in, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, 1);
    assert_line(in, "\r", 1);
    assert_end(in);
}

static void a_delimiter_may_be_any_byte(void **state)
{
    struct reading r;
    struct rv_line line;
    (void)state;
    struct rv_reader *in = begin_bytes(&r, "x\xff\0y\0", 5, 3);
    assert_int_equal(rv_reader_until(in, '\xff', 10, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, 1);
    assert_int_equal(rv_reader_until(in, '\0', 10, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, 0);
    assert_int_equal(rv_reader_until(in, '\0', 10, &line, RV_NEVER), 1);
    assert_int_equal(line.bytes, 1);
}

static void a_line_that_just_fits_is_given(void **state)
{
    char text[2 * BUFFER];
    struct reading r;
    (void)state;
    memset(text, 'x', sizeof(text));
    text[BUFFER - 1] = '\n';
    for (size_t piece = 1; piece <= BUFFER; piece++) {
        struct rv_reader *in = begin_bytes(&r, text, BUFFER, piece);
        struct rv_line line;
        assert_int_equal(rv_reader_line(in, &line, RV_NEVER), 1);
        assert_int_equal(line.bytes, BUFFER - 1);
        assert_end(in);
    }
}

static void a_line_that_is_too_long_stays_and_can_be_taken_in_parts(void **state)
{
    char text[BUFFER + 10];
    struct reading r;
    struct rv_line line = {0};
    const char *view;
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + BUFFER + 3, "\nnext\n", 6);
    struct rv_reader *in = begin_bytes(&r, text, BUFFER + 9, 7);
    for (int again = 0; again < 2; again++)
        assert_int_equal(rv_reader_line(in, &line, RV_NEVER), -EMSGSIZE);
    assert_null(line.text);
    assert_int_equal(rv_reader_peek(in, 0, &view, RV_NEVER), BUFFER);
    rv_reader_consume(in, BUFFER);
    assert_line(in, "xxx", 1);
    assert_line(in, "next", 1);
    assert_end(in);
}

static void a_line_that_is_too_long_can_be_dropped(void **state)
{
    char text[10 * BUFFER];
    struct reading r;
    struct rv_line line;
    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + 9 * BUFFER, "\nnext\n", 6);
    struct rv_reader *in = begin_bytes(&r, text, 9 * BUFFER + 6, 50);
    assert_int_equal(rv_reader_line(in, &line, RV_NEVER), -EMSGSIZE);
    assert_int_equal(rv_reader_skip_until(in, '\n', RV_NEVER), 1);
    assert_line(in, "next", 1);
    assert_int_equal(rv_reader_skip_until(in, '\n', RV_NEVER), 0);
}

static void a_line_longer_than_asked_for_is_refused(void **state)
{
    struct reading r;
    struct rv_line line;
    (void)state;
    for (size_t piece = 1; piece < 20; piece++) {
        struct rv_reader *in = begin(&r, "12345\n123456", piece);
        assert_int_equal(rv_reader_until(in, '\n', 4, &line, RV_NEVER), -EMSGSIZE);
        assert_int_equal(rv_reader_until(in, '\n', 5, &line, RV_NEVER), 1);
        assert_int_equal(rv_reader_until(in, '\n', 5, &line, RV_NEVER), -EMSGSIZE);
        assert_int_equal(rv_reader_until(in, '\n', 6, &line, RV_NEVER), 1);
        assert_int_equal(line.is_ended, 0);
    }
}

static void a_read_gives_what_is_there(void **state)
{
    struct reading r;
    char got[200];
    (void)state;
    struct rv_reader *in = begin(&r, "0123456789", 4);
    assert_int_equal(rv_reader_read(in, got, 0, RV_NEVER), 0);
    assert_int_equal(r.from.calls, 0);
    assert_int_equal(rv_reader_read(in, got, 3, RV_NEVER), 3);
    assert_int_equal(rv_reader_buffered(in), 1);
    assert_int_equal(rv_reader_read(in, got + 3, 100, RV_NEVER), 1);
    assert_int_equal(rv_reader_read(in, got + 4, 100, RV_NEVER), 4);
    assert_int_equal(rv_reader_buffered(in), 0);
    assert_int_equal(rv_reader_read(in, got + 8, 100, RV_NEVER), 2);
    assert_memory_equal(got, "0123456789", 10);
    assert_int_equal(rv_reader_read(in, got, 100, RV_NEVER), 0);
}

static void read_all_gives_exactly_so_many(void **state)
{
    struct reading r;
    char got[300], text[300];
    size_t done;
    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    for (size_t piece = 1; piece < 150; piece += 7) {
        struct rv_reader *in = begin_bytes(&r, text, sizeof(text), piece);
        assert_int_equal(rv_reader_read_all(in, got, 10, NULL, RV_NEVER), 0);
        assert_int_equal(rv_reader_read_all(in, got + 10, 200, &done, RV_NEVER), 0);
        assert_int_equal(done, 200);
        assert_int_equal(rv_reader_read_all(in, got + 210, 100, &done, RV_NEVER), -ENODATA);
        assert_int_equal(done, 90);
        assert_memory_equal(got, text, sizeof(text));
        assert_int_equal(rv_reader_read_all(in, got, 0, &done, RV_NEVER), 0);
    }
}

static void peek_waits_for_so_many_and_takes_nothing(void **state)
{
    struct reading r;
    const char *view;
    (void)state;
    struct rv_reader *in = begin(&r, "GET / HTTP/1.1", 2);
    assert_int_equal(rv_reader_peek(in, 0, &view, RV_NEVER), 0);
    assert_int_equal(rv_reader_peek(in, 3, &view, RV_NEVER), 4);
    assert_memory_equal(view, "GET ", 4);
    rv_reader_consume(in, 4);
    assert_memory_equal(view, "GET ", 4);
    assert_int_equal(rv_reader_peek(in, 10, &view, RV_NEVER), 10);
    assert_memory_equal(view, "/ HTTP/1.1", 10);
    assert_int_equal(rv_reader_peek(in, 11, &view, RV_NEVER), 10); /* the end, not told */
    assert_int_equal(rv_reader_peek(in, 11, &view, RV_NEVER), 10);
    rv_reader_consume(in, 10);
    assert_int_equal(rv_reader_peek(in, 1, &view, RV_NEVER), 0);
    assert_int_equal(rv_reader_peek(in, BUFFER + 1, &view, RV_NEVER), -EMSGSIZE);
}

static void an_error_loses_nothing_and_is_not_remembered(void **state)
{
    static const char text[] = "first line\nsecond\nlast";
    struct reading r;
    (void)state;
    for (long at = 1; at < 30; at++) {
        struct rv_reader *in = begin(&r, text, 1);
        struct rv_line line;
        int lines = 0, failed = 0, n;
        r.from.fail_at = at;
        r.from.error = -ETIME;
        while ((n = rv_reader_line(in, &line, RV_NEVER)) != 0) {
            lines += n > 0;
            failed += n < 0;
            assert_true(n > 0 || n == -ETIME);
        }
        assert_int_equal(lines, 3);
        assert_int_equal(failed, at <= (long)sizeof(text));
    }
}

static void read_all_tells_how_far_it_came_before_an_error(void **state)
{
    struct reading r;
    char got[8];
    size_t done;
    (void)state;
    struct rv_reader *in = begin(&r, "12345678", 3);
    r.from.fail_at = 2;
    r.from.error = -EIO;
    assert_int_equal(rv_reader_read_all(in, got, 8, &done, RV_NEVER), -EIO);
    assert_int_equal(done, 3);
    assert_int_equal(rv_reader_read_all(in, got + done, 8 - done, &done, RV_NEVER), 0);
    assert_memory_equal(got, "12345678", 8);
}

static void an_allocated_buffer_is_there_only_while_it_is_needed(void **state)
{
    struct dribble from = dribble_of("a\nb\n", 4, 100);
    struct rv_reader in;
    long before = rvi_alloc_live();
    bool counts = before >= 0;
    (void)state;
    rv_reader_init(&in, dribble_stream(&from), NULL, 0);
    assert_int_equal(rvi_alloc_live(), before);
    assert_line(&in, "a", 1);
    rv_reader_rest(&in); /* something is in it */
    assert_int_equal(rvi_alloc_live(), before + counts);
    assert_line(&in, "b", 1);
    rv_reader_rest(&in);
    assert_int_equal(rvi_alloc_live(), before);
    from.at = 0;
    assert_line(&in, "a", 1);
    rv_reader_fini(&in);
    assert_int_equal(rvi_alloc_live(), before);
}

static void without_memory_for_a_buffer_nothing_is_read(void **state)
{
    struct dribble from = dribble_of("a\n", 2, 100);
    struct rv_reader in;
    struct rv_line line;
    (void)state;
    rv_reader_init(&in, dribble_stream(&from), NULL, 100);
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_reader_line(&in, &line, RV_NEVER), -ENOMEM);
    assert_int_equal(from.calls, 0);
    assert_line(&in, "a", 1);
    rv_reader_fini(&in);
}

static void a_stream_that_cannot_be_read_says_so(void **state)
{
    static const struct rv_stream_ops none = {.size = sizeof(none)};
    struct rv_reader in;
    struct rv_line line;
    (void)state;
    rv_reader_init(&in, (struct rv_stream){&none, NULL}, NULL, 0);
    assert_int_equal(rv_reader_line(&in, &line, RV_NEVER), -EBADF);
    rv_reader_fini(&in);
}

static void memory_is_read_to_its_end(void **state)
{
    char text[] = "x\ny";
    struct rv_memory memory = {.data = text, .bytes = 3};
    struct rv_reader in;
    (void)state;
    rv_reader_init(&in, rv_stream_memory(&memory), NULL, 0);
    assert_line(&in, "x", 1);
    assert_line(&in, "y", 0);
    assert_end(&in);
    rv_reader_fini(&in);
}

/* --- over a descriptor --- */

static int write_slowly(void *arg)
{
    static const char text[] = "one\ntwo\nthree\n";
    int *fd = arg, r = 0;
    for (size_t i = 0; r == 0 && i + 1 < sizeof(text); i++) {
        r = rv_write_all(*fd, text + i, 1, NULL, RV_NEVER);
        rv_yield();
    }
    rv_close(*fd);
    *fd = -1;
    return r;
}

static int count_lines(int fd)
{
    struct rv_reader in;
    struct rv_line line;
    int n, lines = 0;
    rv_reader_init(&in, rv_stream_fd(fd), NULL, 32);
    while ((n = rv_reader_line(&in, &line, RV_NEVER)) > 0)
        lines++;
    rv_reader_fini(&in);
    RV_CHECK(n < 0 || lines == 3 || rv_cancelled()); /* so may the writer have been */
    return n;
}

static int read_lines_from_a_pipe(void *arg)
{
    int ends[2], err;
    (void)arg;
    RV_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    RV_SCOPE(s, err) {
        int r = rv_go(s, write_slowly, &ends[1]);
        if (r == 0)
            r = count_lines(ends[0]);
        if (r < 0)
            rv_scope_cancel(s, r);
    }
    RV_CHECK(rv_close(ends[0]) == 0);
    rv_close(ends[1]); /* where the writer has never begun */
    return err;
}

static void lines_of_a_pipe_come_as_they_are_written(void **state)
{
    (void)state;
    assert_int_equal(run_on(1, read_lines_from_a_pipe, NULL), 0);
    assert_int_equal(run_on(2, read_lines_from_a_pipe, NULL), 0);
}

static void a_reader_can_be_cancelled_at_every_point(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    cancel_at_every_point(read_lines_from_a_pipe, 1);
    assert_no_more_is_held(&before);
}

static void a_reader_survives_every_allocation_that_fails(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    fail_every_allocation(read_lines_from_a_pipe, 1);
    assert_no_more_is_held(&before);
}

static int meet_a_deadline(void *arg)
{
    struct rv_reader in;
    struct rv_line line;
    int ends[2];
    (void)arg;
    RV_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    RV_CHECK(write(ends[1], "half a ", 7) == 7);
    rv_reader_init(&in, rv_stream_fd(ends[0]), NULL, 0);
    for (rv_time patience = RV_MILLISECOND; rv_reader_buffered(&in) == 0; patience *= 2)
        RV_CHECK(rv_reader_line(&in, &line, rv_after(patience)) == -ETIME);
    RV_CHECK(rv_reader_buffered(&in) == 7);
    RV_CHECK(write(ends[1], "line\nand more\n", 14) == 14);
    RV_CHECK(rv_reader_line(&in, &line, RV_NEVER) == 1 && line.bytes == 11);
    RV_CHECK(rv_reader_line(&in, &line, 0) == 1 && line.bytes == 8); /* it is there already */
    rv_reader_fini(&in);
    rv_close(ends[0]);
    rv_close(ends[1]);
    return 0;
}

static void a_deadline_leaves_half_a_line_for_later(void **state)
{
    (void)state;
    assert_int_equal(meet_a_deadline(NULL), 0);
    assert_int_equal(run_on(1, meet_a_deadline, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_whole_however_the_bytes_arrive),
        cmocka_unit_test(a_last_line_without_newline_is_told_apart),
        cmocka_unit_test(a_stream_that_ends_with_a_newline_has_no_empty_line_behind_it),
        cmocka_unit_test(the_end_is_told_once_and_then_the_stream_is_asked_anew),
        cmocka_unit_test(bytes_of_any_value_are_part_of_a_line),
        cmocka_unit_test(a_delimiter_may_be_any_byte),
        cmocka_unit_test(a_line_that_just_fits_is_given),
        cmocka_unit_test(a_line_that_is_too_long_stays_and_can_be_taken_in_parts),
        cmocka_unit_test(a_line_that_is_too_long_can_be_dropped),
        cmocka_unit_test(a_line_longer_than_asked_for_is_refused),
        cmocka_unit_test(a_read_gives_what_is_there),
        cmocka_unit_test(read_all_gives_exactly_so_many),
        cmocka_unit_test(peek_waits_for_so_many_and_takes_nothing),
        cmocka_unit_test(an_error_loses_nothing_and_is_not_remembered),
        cmocka_unit_test(read_all_tells_how_far_it_came_before_an_error),
        cmocka_unit_test(an_allocated_buffer_is_there_only_while_it_is_needed),
        cmocka_unit_test(without_memory_for_a_buffer_nothing_is_read),
        cmocka_unit_test(a_stream_that_cannot_be_read_says_so),
        cmocka_unit_test(memory_is_read_to_its_end),
        cmocka_unit_test(lines_of_a_pipe_come_as_they_are_written),
        cmocka_unit_test(a_reader_can_be_cancelled_at_every_point),
        cmocka_unit_test(a_reader_survives_every_allocation_that_fails),
        cmocka_unit_test(a_deadline_leaves_half_a_line_for_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
