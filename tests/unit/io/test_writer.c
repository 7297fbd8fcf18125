/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../support/every_point.h"
#include "../sched/sched_test.h"
#include "stream_test.h"

enum { BUFFER = 16 };

/* A writer with a small buffer to a stream that takes pieces. */
struct writing {
    struct rv_writer writer;
    struct dribble to;
    char buffer[BUFFER];
};

static struct rv_writer *begin(struct writing *w, size_t piece)
{
    w->to = dribble_of(NULL, 0, piece);
    rv_writer_init(&w->writer, dribble_stream(&w->to), w->buffer, sizeof(w->buffer));
    return &w->writer;
}

static void assert_taken(const struct writing *w, const char *text)
{
    assert_int_equal(w->to.count, strlen(text));
    assert_memory_equal(w->to.taken, text, w->to.count);
}

static int write_text(struct rv_writer *out, const char *text)
{
    return rv_writer_write(out, text, strlen(text), RV_NEVER);
}

static void what_fits_is_kept_until_it_is_flushed(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 5);
    assert_int_equal(write_text(out, "0123456789"), 0);
    assert_int_equal(write_text(out, "abcdef"), 0);
    assert_int_equal(w.to.calls, 0);
    assert_int_equal(rv_writer_buffered(out), 16);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
    assert_taken(&w, "0123456789abcdef");
    assert_int_equal(rv_writer_buffered(out), 0);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
    assert_int_equal(w.to.calls, 4);
}

static void a_full_buffer_goes_on_to_the_stream(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 100);
    assert_int_equal(write_text(out, "0123456789"), 0);
    assert_int_equal(write_text(out, "abcdefg"), 0);
    assert_taken(&w, "0123456789");
    assert_int_equal(rv_writer_buffered(out), 7);
    assert_int_equal(rv_writer_total(out), 17);
}

static void what_is_large_leaves_with_what_was_buffered_in_one_call(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 100);
    assert_int_equal(write_text(out, "head:"), 0);
    assert_int_equal(write_text(out, "a body that is longer than it"), 0);
    assert_taken(&w, "head:a body that is longer than it");
    assert_int_equal(w.to.writev_calls, 1);
    assert_int_equal(rv_writer_total(out), w.to.count);
    assert_int_equal(rv_writer_buffered(out), 0);
}

static void nothing_is_lost_however_little_the_stream_takes(void **state)
{
    char all[1000];
    struct writing w;
    (void)state;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)('a' + i % 26);
    for (size_t piece = 1; piece < 40; piece += 3) {
        struct rv_writer *out = begin(&w, piece);
        size_t at = 0;
        for (size_t n = 1; at + n <= sizeof(all); at += n, n = n % 37 + 1)
            assert_int_equal(rv_writer_write(out, all + at, n, RV_NEVER), 0);
        assert_int_equal(rv_writer_total(out), at);
        assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
        assert_int_equal(w.to.count, at);
        assert_memory_equal(w.to.taken, all, at);
    }
}

static void a_stream_without_writev_gets_one_place_at_a_time(void **state)
{
    static const struct rv_stream_ops plain = {.size = sizeof(plain), .write = dribble_write};
    struct writing w;
    (void)state;
    w.to = dribble_of(NULL, 0, 100);
    rv_writer_init(&w.writer, (struct rv_stream){&plain, &w.to}, w.buffer, sizeof(w.buffer));
    assert_int_equal(write_text(&w.writer, "head:"), 0);
    assert_int_equal(write_text(&w.writer, "a body that is longer than it"), 0);
    assert_taken(&w, "head:a body that is longer than it");
}

static void formatted_text_of_any_length_arrives(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 7);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "%d-", 12), 0);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "%s", "123456789012"), 0);
    assert_int_equal(rv_writer_buffered(out), 15); /* with the NUL behind it, it just fits */
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "%s", ""), 0);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "[%15s]", "far too long"), 0);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "%c%c", 'x', 'y'), 0);
    assert_int_equal(rv_writer_total(out), 34);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
    assert_taken(&w, "12-123456789012[   far too long]xy");
}

static void printing_without_memory_writes_nothing(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 7);
    rvi_alloc_fail_after(1);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "%40d", 1), -ENOMEM);
    assert_int_equal(rv_writer_total(out), 0);
}

static void an_error_stays_until_it_is_cleared(void **state)
{
    struct writing w;
    (void)state;
    struct rv_writer *out = begin(&w, 3);
    w.to.fail_at = 3;
    w.to.error = -EPIPE;
    assert_int_equal(write_text(out, "0123456789"), 0);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), -EPIPE);
    assert_int_equal(write_text(out, "x"), -EPIPE);
    assert_int_equal(rv_writer_printf(out, RV_NEVER, "x"), -EPIPE);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), -EPIPE);
    assert_int_equal(rv_writer_write(out, "", 0, RV_NEVER), -EPIPE);
    assert_int_equal(w.to.calls, 3);
    assert_int_equal(rv_writer_clear(out), -EPIPE);
    assert_int_equal(rv_writer_clear(out), 0);
    assert_int_equal(rv_writer_buffered(out), 4);
    assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
    assert_taken(&w, "0123456789");
}

static void of_a_failed_call_that_fits_nothing_is_taken(void **state)
{
    struct writing w;
    (void)state;
    for (long at = 1; at <= 4; at++) {
        struct rv_writer *out = begin(&w, 3);
        w.to.fail_at = at;
        w.to.error = -ETIME;
        assert_int_equal(write_text(out, "0123456789"), 0);
        assert_int_equal(write_text(out, "abcdefg"), -ETIME);
        assert_int_equal(rv_writer_total(out), 10);
        rv_writer_clear(out);
        assert_int_equal(write_text(out, "abcdefg"), 0);
        assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
        assert_taken(&w, "0123456789abcdefg");
    }
}

static void of_a_failed_call_that_is_large_the_total_tells_how_much_was_taken(void **state)
{
    static const char large[] = "abcdefghijklmnopqrstuvwxyz";
    struct writing w;
    (void)state;
    for (long at = 1; at <= 9; at++) {
        struct rv_writer *out = begin(&w, 4);
        assert_int_equal(write_text(out, "0123456789"), 0);
        w.to.fail_at = at;
        w.to.error = -EIO;
        assert_int_equal(write_text(out, large), -EIO);
        size_t done = (size_t)rv_writer_total(out) - 10;
        rv_writer_clear(out);
        assert_int_equal(write_text(out, large + done), 0);
        assert_int_equal(rv_writer_flush(out, RV_NEVER), 0);
        assert_taken(&w, "0123456789abcdefghijklmnopqrstuvwxyz");
    }
}

static ssize_t takes_nothing(void *object, const void *buf, size_t count, rv_time deadline)
{
    (void)object;
    (void)buf;
    (void)count;
    (void)deadline;
    return 0;
}

static void a_stream_that_takes_nothing_is_an_error(void **state)
{
    static const struct rv_stream_ops stuck = {.size = sizeof(stuck), .write = takes_nothing};
    static const struct rv_stream_ops none = {.size = sizeof(none)};
    struct rv_writer out;
    (void)state;
    rv_writer_init(&out, (struct rv_stream){&stuck, NULL}, NULL, 0);
    assert_int_equal(write_text(&out, "x"), 0);
    assert_int_equal(rv_writer_flush(&out, RV_NEVER), -EIO);
    rv_writer_fini(&out);
    rv_writer_init(&out, (struct rv_stream){&none, NULL}, NULL, 0);
    assert_int_equal(write_text(&out, "x"), 0);
    assert_int_equal(rv_writer_flush(&out, RV_NEVER), -EBADF);
    rv_writer_fini(&out);
}

static void memory_takes_what_it_has_room_for(void **state)
{
    char room[6];
    struct rv_memory memory = {.data = room, .room = sizeof(room)};
    struct rv_writer out;
    (void)state;
    rv_writer_init(&out, rv_stream_memory(&memory), NULL, 4);
    assert_int_equal(write_text(&out, "abc"), 0);
    assert_int_equal(write_text(&out, "defghijk"), -ENOSPC);
    assert_int_equal(rv_writer_total(&out), 6);
    assert_int_equal(memory.bytes, 6);
    assert_memory_equal(room, "abcdef", 6);
    rv_writer_fini(&out);
}

static void an_allocated_buffer_is_there_only_while_it_is_needed(void **state)
{
    struct dribble to = dribble_of(NULL, 0, 100);
    struct rv_writer out;
    long before = rvi_alloc_live();
    bool counts = before >= 0;
    (void)state;
    rv_writer_init(&out, dribble_stream(&to), NULL, 0);
    rvi_alloc_fail_after(1);
    assert_int_equal(write_text(&out, "a"), -ENOMEM);
    assert_int_equal(rv_writer_clear(&out), -ENOMEM);
    assert_int_equal(write_text(&out, "a"), 0);
    rv_writer_rest(&out); /* something is in it */
    assert_int_equal(rvi_alloc_live(), before + counts);
    assert_int_equal(rv_writer_flush(&out, RV_NEVER), 0);
    rv_writer_rest(&out);
    assert_int_equal(rvi_alloc_live(), before);
    assert_int_equal(write_text(&out, "b"), 0);
    rv_writer_fini(&out);
    assert_int_equal(rvi_alloc_live(), before);
    assert_int_equal(to.count, 1);
}

/* --- over a descriptor --- */

enum { MUCH = 300000 };

static int write_much(void *arg)
{
    struct rv_writer out;
    int fd = *(int *)arg, r = 0;
    rv_writer_init(&out, rv_stream_fd(fd), NULL, 512);
    for (unsigned i = 0; r == 0 && i < MUCH / 10; i++)
        r = rv_writer_printf(&out, RV_NEVER, "%9u\n", i);
    if (r == 0)
        r = rv_writer_flush(&out, RV_NEVER);
    rv_writer_fini(&out);
    rv_close(fd);
    return r;
}

static int read_it_all(int fd)
{
    char some[70000];
    size_t sum = 0;
    ssize_t n;
    while ((n = rv_read(fd, some, sizeof(some), RV_NEVER)) > 0)
        sum += (size_t)n;
    RV_CHECK(n < 0 || sum == MUCH);
    return (int)n;
}

static int write_into_a_pipe(void *arg)
{
    int ends[2], err;
    (void)arg;
    RV_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    RV_SCOPE(s, err) {
        RV_CHECK(rv_go(s, write_much, &ends[1]) == 0);
        RV_CHECK(read_it_all(ends[0]) == 0);
    }
    RV_CHECK(rv_close(ends[0]) == 0);
    return err;
}

static int write_to_nobody(void *arg)
{
    struct rv_writer out;
    int ends[2];
    char much[1000] = {0};
    (void)arg;
    RV_CHECK(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    rv_writer_init(&out, rv_stream_fd(ends[1]), NULL, 0);
    int r = 0;
    while (r == 0)
        r = rv_writer_write(&out, much, sizeof(much), rv_after(RV_MILLISECOND));
    RV_CHECK(r == -ETIME && rv_writer_buffered(&out) > 0);
    rv_writer_fini(&out);
    rv_close(ends[0]);
    rv_close(ends[1]);
    return 0;
}

static void a_slow_receiver_holds_up_its_sender(void **state)
{
    const struct rv_run_opts opts = {.size = sizeof(opts), .workers = 1, .stack_bytes = 256 << 10};
    (void)state;
    assert_int_equal(rv_run(write_into_a_pipe, NULL, &opts), 0);
    assert_int_equal(run_on(1, write_to_nobody, NULL), 0);
    assert_int_equal(write_to_nobody(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_kept_until_it_is_flushed),
        cmocka_unit_test(a_full_buffer_goes_on_to_the_stream),
        cmocka_unit_test(what_is_large_leaves_with_what_was_buffered_in_one_call),
        cmocka_unit_test(nothing_is_lost_however_little_the_stream_takes),
        cmocka_unit_test(a_stream_without_writev_gets_one_place_at_a_time),
        cmocka_unit_test(formatted_text_of_any_length_arrives),
        cmocka_unit_test(printing_without_memory_writes_nothing),
        cmocka_unit_test(an_error_stays_until_it_is_cleared),
        cmocka_unit_test(of_a_failed_call_that_fits_nothing_is_taken),
        cmocka_unit_test(of_a_failed_call_that_is_large_the_total_tells_how_much_was_taken),
        cmocka_unit_test(a_stream_that_takes_nothing_is_an_error),
        cmocka_unit_test(memory_takes_what_it_has_room_for),
        cmocka_unit_test(an_allocated_buffer_is_there_only_while_it_is_needed),
        cmocka_unit_test(a_slow_receiver_holds_up_its_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
