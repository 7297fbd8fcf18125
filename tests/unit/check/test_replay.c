/* SPDX-License-Identifier: MIT */
/* A failure survives as a file, and a file that is not whole is refused. */
#include "check/driver/replay.h"

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

static const char *const argv[] = {"./a \"b\"", "line\nbreak", "back\\slash", "", NULL};

static char path[] = "/tmp/ravel-replay-XXXXXX";
static struct ck_shared *shared;

static int setup(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    shared = calloc(1, sizeof *shared);
    if (fd < 0 || !shared)
        return -1;
    close(fd);
    shared->module_count = 2;
    strcpy(shared->modules[0].path, "/proc/self/exe");
    strcpy(shared->modules[1].path, "/nowhere/libravel_check.so");
    shared->plan.strategy =
        (struct rvi_strategy_opts){.kind = RVI_STRATEGY_SURW, .seed = UINT64_MAX};
    shared->plan.granularity = CK_LEARNED;
    shared->plan.flags = CK_FIND_RACES | CK_LEARN;
    shared->plan.location_count = 2;
    shared->locations[0] = (struct ck_place){0, 10};
    shared->locations[1] = (struct ck_place){1, 5};
    shared->result.failure.kind = CK_DEADLOCK;
    shared->result.switch_count = 3;
    for (uint32_t i = 0; i < 3; i++)
        shared->trace[i] = (struct ck_switch){i, 7 * i, UINT32_MAX - i};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    free(shared);
    return 0;
}

static void write_one(void)
{
    struct ck_replay replay = {0};

    assert_int_equal(ck_replay_command(&replay, "/bin/a b", argv, "/some where"), 0);
    assert_int_equal(ck_replay_take(&replay, shared), 0);
    assert_int_equal(ck_replay_write(&replay, path), 0);
    ck_replay_fini(&replay);
}

static void what_is_written_is_read(void **state)
{
    struct ck_replay replay;
    struct rvi_text why = {0};

    (void)state;
    write_one();
    assert_int_equal(ck_replay_read(&replay, path, &why), 0);
    assert_string_equal(replay.program, "/bin/a b");
    assert_string_equal(replay.folder, "/some where");
    for (int i = 0; argv[i]; i++)
        assert_string_equal(replay.argv[i], argv[i]);
    assert_null(replay.argv[4]);
    assert_int_equal(replay.kind, CK_DEADLOCK);
    assert_int_equal(replay.plan.mode, CK_FOLLOW);
    assert_int_equal(replay.plan.flags, CK_FIND_RACES | CK_MUST_FOLLOW);
    assert_true(replay.plan.strategy.seed == UINT64_MAX);
    assert_int_equal(replay.plan.switch_count, 3);
    assert_memory_equal(replay.switches, shared->trace, 3 * sizeof(struct ck_switch));
    ck_replay_fini(&replay);
    assert_true(rvi_alloc_live() <= 0);
}

static void locations_follow_their_module(void **state)
{
    struct ck_replay replay;
    struct rvi_text why = {0};
    struct ck_module first = shared->modules[0];

    (void)state;
    write_one();
    assert_int_equal(ck_replay_read(&replay, path, &why), 0);
    shared->modules[0] = shared->modules[1];
    shared->modules[1] = first;
    assert_int_equal(ck_replay_load(&replay, shared, &why), 0);
    assert_int_equal(shared->locations[0].module, 0);
    assert_int_equal(shared->locations[0].offset, 5);
    assert_int_equal(shared->locations[1].module, 1);
    assert_int_equal(shared->locations[1].offset, 10);
    shared->modules[1] = shared->modules[0];
    shared->modules[0] = first;
    ck_replay_fini(&replay);
}

static void another_build_is_refused(void **state)
{
    struct ck_replay replay;
    struct rvi_text why = {0};

    (void)state;
    write_one();
    assert_int_equal(ck_replay_read(&replay, path, &why), 0);
    replay.builds[0].id[0] ^= 1;
    assert_int_equal(ck_replay_load(&replay, shared, &why), -EINVAL);
    assert_non_null(strstr(why.bytes, "/proc/self/exe"));
    rvi_text_fini(&why);
    ck_replay_fini(&replay);
}

static void every_shorter_file_is_refused(void **state)
{
    char text[4096];
    struct ck_replay replay;

    (void)state;
    write_one();
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t count = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_in_range(count, 100, sizeof text - 1);
    for (size_t cut = 0; cut + 2 < count; cut++) {
        struct rvi_text why = {0};
        file = fopen(path, "we");
        assert_non_null(file);
        fwrite(text, 1, cut, file);
        fclose(file);
        assert_int_equal(ck_replay_read(&replay, path, &why), -EINVAL);
        assert_true(why.count > 0);
        rvi_text_fini(&why);
    }
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (long n = 1;; n++) {
        struct ck_replay replay = {0};
        struct rvi_text why = {0};
        rvi_alloc_fail_after(n);
        int err = ck_replay_command(&replay, "/bin/a", argv, "/");
        if (err == 0)
            err = ck_replay_take(&replay, shared);
        if (err == 0)
            err = ck_replay_write(&replay, path);
        ck_replay_fini(&replay);
        if (err == 0)
            err = ck_replay_read(&replay, path, &why);
        bool is_done = rvi_alloc_fail_pending();
        rvi_alloc_fail_after(-1);
        rvi_text_fini(&why);
        ck_replay_fini(&replay);
        assert_true(rvi_alloc_live() <= 0);
        assert_true(is_done ? err == 0 : true);
        if (is_done)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(locations_follow_their_module),
        cmocka_unit_test(another_build_is_refused),
        cmocka_unit_test(every_shorter_file_is_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
