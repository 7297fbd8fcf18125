/* SPDX-License-Identifier: MIT */
/* test_child_talk.c - talking to a child: much to and from it at once, one that does not listen or
 * says too much, and runs from beginning to end that are cut short.
 *
 * This program is its own child: by `--child` it writes PLENTY. */
#include <ravel/child.h>

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child_test.h"

enum { MEBIBYTE = 1 << 20, PLENTY = 10 * MEBIBYTE };

/* In turn to either of its outputs. */
static int write_plenty(void)
{
    static char block[65536];
    for (size_t done = 0; done < PLENTY; done += sizeof block) {
        int fd = 1 + (int)(done / sizeof block % 2);
        for (size_t at = 0; at < sizeof block;) {
            ssize_t n = write(fd, block + at, sizeof block - at);
            if (n < 0)
                return 1;
            at += (size_t)n;
        }
    }
    return 0;
}

static char *plenty_of(size_t bytes)
{
    char *text = malloc(bytes);
    RV_CHECK(text != NULL);
    for (size_t i = 0; i < bytes; i++)
        text[i] = (char)('a' + i % 23);
    return text;
}

static int talk_plenty(void *arg)
{
    size_t bytes = scaled(PLENTY, MEBIBYTE);
    char *text = plenty_of(bytes);
    struct rv_child_io io = {.in = text, .in_bytes = bytes};
    (void)arg;
    struct rv_child_status status = ran(COMMAND("cat"), NULL, &io);
    RV_CHECK(status.code == 0 && io.out_bytes == bytes && memcmp(io.out, text, bytes) == 0);
    RV_CHECK(io.out[bytes] == '\0' && io.err_bytes == 0);
    rv_child_io_fini(&io);
    status = ran(COMMAND("tee", "/dev/stderr"), NULL, &io);
    RV_CHECK(io.out_bytes == bytes && io.err_bytes == bytes);
    rv_child_io_fini(&io);
    free(text);
    return 0;
}
PLAYS(much_is_said_both_ways_without_a_deadlock, talk_plenty)

/* Of its own accord, in blocks to either; and it never reads. */
static int listen_to_plenty(void *arg)
{
    char *text = plenty_of(MEBIBYTE);
    struct rv_child_io io = {.in = text, .in_bytes = MEBIBYTE};
    (void)arg;
    struct rv_child_status status = ran(SELF("plenty"), NULL, &io);
    RV_CHECK(status.code == 0 && io.out_bytes == PLENTY / 2 && io.err_bytes == PLENTY / 2);
    rv_child_io_fini(&io);
    status = ran(COMMAND("true"), NULL, &io);
    RV_CHECK(status.kind == RV_CHILD_EXITED && io.out_bytes == 0 && io.out[0] == '\0');
    rv_child_io_fini(&io);
    free(text);
    return 0;
}
PLAYS(a_child_that_does_not_listen_is_no_failure, listen_to_plenty)

static int hear_too_much(void *arg)
{
    struct rv_child_io io = {.max_bytes = 100};
    struct rv_child_status status;
    (void)arg;
    RV_CHECK(rv_child_run(COMMAND("yes"), NULL, &io, &status, SOON) == -EMSGSIZE);
    RV_CHECK(io.out_bytes == 100 && memcmp(io.out, "y\ny\n", 4) == 0 && io.out[100] == '\0');
    rv_child_io_fini(&io);
    RV_CHECK(rv_child_run(SHELL("yes >&2"), NULL, &io, &status, SOON) == -EMSGSIZE);
    RV_CHECK(io.err_bytes == 100 && io.out_bytes == 0);
    rv_child_io_fini(&io);
    RV_CHECK(rv_child_run(SHELL("yes | head -n 50"), NULL, &io, &status, SOON) == 0);
    RV_CHECK(io.out_bytes == 100);
    rv_child_io_fini(&io);
    return 0;
}
PLAYS(no_more_is_kept_than_was_asked_for, hear_too_much)

static int hear_too_late(void *arg)
{
    struct rv_child_io io = {0};
    struct rv_child_status status = {.code = 99};
    (void)arg;
    RV_CHECK(rv_child_run(COMMAND("sleep", "1000"), NULL, &io, &status, rv_after(0)) == -ETIME);
    rv_child_io_fini(&io);
    RV_CHECK(rv_child_run(COMMAND("sleep", "1000"), NULL, NULL, NULL, rv_after(RV_MILLISECOND)) ==
             -ETIME);
    RV_CHECK(rv_child_run(COMMAND("/no-such-program"), NULL, &io, &status, SOON) == -ENOENT);
    RV_CHECK(status.code == 99 && io.out == NULL);
    return 0;
}
PLAYS(a_run_that_is_late_leaves_nothing_running, hear_too_late)

/* --- at any point --- */

static int scene(void *arg)
{
    struct rv_child_io io = {.in = "hello", .in_bytes = 5};
    struct rv_child_status status;
    (void)arg;
    int r = rv_child_run(COMMAND("cat"), NULL, &io, &status, RV_NEVER);
    RV_CHECK(r < 0 || (io.out_bytes == 5 && status.code == 0));
    rv_child_io_fini(&io);
    return r;
}

static void it_can_be_cancelled_at_every_point(void **state)
{
    (void)state;
    play_cancelled(scene);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    play_starved(scene);
}

static int start_with_few_descriptors(void *arg)
{
    struct rlimit before, now;
    int r = -EMFILE;
    (void)arg;
    RV_CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(lowest);
    for (rlim_t room = 0; r == -EMFILE; room++) {
        struct rv_child_io io = {.in = "hello", .in_bytes = 5};
        struct rv_child_status status;
        now = before;
        now.rlim_cur = (rlim_t)lowest + room;
        RV_CHECK(setrlimit(RLIMIT_NOFILE, &now) == 0);
        r = rv_child_run(COMMAND("cat"), NULL, &io, &status, SOON);
        RV_CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
        RV_CHECK(r == -EMFILE || r == -EINVAL || (r == 0 && io.out_bytes == 5));
        rv_child_io_fini(&io);
        RV_CHECK(room < 20);
    }
    return r;
}
PLAYS(every_descriptor_may_be_the_last, start_with_few_descriptors)

/* The first run and the first thread map what stays. */
static int warm_up(void **state)
{
    (void)state;
    return is_under_valgrind() ? 0 : run_on(2, scene, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(much_is_said_both_ways_without_a_deadlock),
        cmocka_unit_test(a_child_that_does_not_listen_is_no_failure),
        cmocka_unit_test(no_more_is_kept_than_was_asked_for),
        cmocka_unit_test(a_run_that_is_late_leaves_nothing_running),
        cmocka_unit_test(it_can_be_cancelled_at_every_point),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_descriptor_may_be_the_last),
    };
    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return write_plenty();
    know_self();
    return cmocka_run_group_tests(tests, warm_up, NULL);
}
