/* SPDX-License-Identifier: MIT */
/* test_topology.c - threads of one core are told from cores, as any machine may describe them. */
#include "lab/topology.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/ravel-topology-XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void describe(int processor, const char *list)
{
    char path[128];

    snprintf(path, sizeof path, "%s/cpu%d", root, processor);
    mkdir(path, 0700);
    strcat(path, "/topology");
    mkdir(path, 0700);
    strcat(path, "/thread_siblings_list");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(list, file);
    fclose(file);
}

static void neighbours_in_a_range_are_siblings(void **state)
{
    (void)state;
    describe(0, "0-1\n");
    assert_true(lab_are_siblings(root, 0, 1));
    assert_false(lab_are_siblings(root, 0, 2));
}

static void those_in_a_list_are_siblings(void **state)
{
    (void)state;
    describe(3, "3,35\n");
    assert_true(lab_are_siblings(root, 3, 35));
    assert_false(lab_are_siblings(root, 3, 4));
    assert_false(lab_are_siblings(root, 3, 5));
}

static void four_threads_a_core_in_two_ranges(void **state)
{
    (void)state;
    describe(8, "8-9,40-41");
    for (int other = 0; other < 64; other++)
        assert_int_equal(lab_are_siblings(root, 8, other),
                         other == 8 || other == 9 || other == 40 || other == 41);
}

static void a_core_of_one_thread_has_no_other(void **state)
{
    (void)state;
    describe(1, "1\n");
    assert_false(lab_are_siblings(root, 1, 0));
    assert_false(lab_are_siblings(root, 1, 11));
}

static void what_is_not_described_is_no_sibling(void **state)
{
    (void)state;
    assert_false(lab_are_siblings(root, 77, 78));
    describe(5, "");
    assert_false(lab_are_siblings(root, 5, 6));
    describe(6, "none, 7\n");
    assert_false(lab_are_siblings(root, 6, 7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_in_a_range_are_siblings),
        cmocka_unit_test(those_in_a_list_are_siblings),
        cmocka_unit_test(four_threads_a_core_in_two_ranges),
        cmocka_unit_test(a_core_of_one_thread_has_no_other),
        cmocka_unit_test(what_is_not_described_is_no_sibling),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
