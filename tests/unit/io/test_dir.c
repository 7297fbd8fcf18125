/* SPDX-License-Identifier: MIT */
#include "file_test.h"

#include "../../support/every_point.h"
#include "sys/call.h"

enum { MANY = 1200 }; /* names: more than one filling of the room */

static void put_many(int dir, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%05zu-with-a-name-of-some-length", i);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        RV_CHECK(fd >= 0);
        close(fd);
    }
}

static int list_many(void *unused)
{
    static bool seen[MANY];
    struct rv_dir_entry entry;
    rv_dir *list;
    size_t count = 0;
    int r;
    (void)unused;
    memset(seen, 0, sizeof(seen));
    RV_CHECK(rv_mkdirat(folder, "many", 0700, RV_NEVER) == 0);
    RV_CHECK(rv_dir_open(&list, folder, "many", 0, RV_NEVER) == 0);
    put_many(rv_dir_fd(list), MANY);
    while ((r = rv_dir_next(list, &entry, RV_NEVER)) > 0) {
        size_t i = strtoul(entry.name, NULL, 10);
        RV_CHECK(i < MANY && !seen[i] && entry.type == S_IFREG);
        seen[i] = true;
        count++;
    }
    RV_CHECK(r == 0 && count == MANY);
    RV_CHECK(rv_dir_next(list, &entry, RV_NEVER) == 0);
    RV_CHECK(!rv_dir_close(list));
    return rv_remove_all(folder, "many", RV_NEVER);
}

static void every_name_is_listed_once(void **state)
{
    (void)state;
    run_everywhere(list_many);
    assert_int_equal(count_names(), 0);
}

static int list_kinds(void *unused)
{
    struct rv_dir_entry entry;
    struct stat status;
    rv_dir *list;
    int r, count = 0;
    (void)unused;
    put("file", "", 0);
    RV_CHECK(mkdirat(folder, "folder", 0700) == 0 && mkfifoat(folder, "fifo", 0600) == 0);
    RV_CHECK(symlinkat("nowhere", folder, "link") == 0);
    RV_CHECK(rv_dir_open(&list, folder, ".", 0, RV_NEVER) == 0);
    for (; (r = rv_dir_next(list, &entry, RV_NEVER)) > 0; count++) {
        RV_CHECK(fstatat(folder, entry.name, &status, AT_SYMLINK_NOFOLLOW) == 0);
        RV_CHECK(entry.type == (status.st_mode & S_IFMT) && entry.inode == status.st_ino);
    }
    RV_CHECK(r == 0 && count == 4);
    rv_dir_close(list);
    for (const char *const *name = (const char *const[]){"file", "folder", "fifo", "link", NULL};
         *name; name++)
        RV_CHECK(rv_remove_all(folder, *name, RV_NEVER) == 0);
    return 0;
}

static void names_come_with_their_type(void **state)
{
    (void)state;
    run_everywhere(list_kinds);
    assert_int_equal(count_names(), 0);
}

static int refuse_no_folders(void *unused)
{
    rv_dir *list = NULL;
    (void)unused;
    put("file", "", 0);
    RV_CHECK(symlinkat(".", folder, "link") == 0);
    RV_CHECK(rv_dir_open(&list, folder, "file", 0, RV_NEVER) == -ENOTDIR);
    RV_CHECK(rv_dir_open(&list, folder, "nothing", 0, RV_NEVER) == -ENOENT);
    RV_CHECK(rv_dir_open(&list, folder, "link", O_NOFOLLOW, RV_NEVER) == -ENOTDIR);
    RV_CHECK(!list && !rv_dir_close(NULL));
    RV_CHECK(rv_dir_open(&list, folder, "link", 0, RV_NEVER) == 0);
    rv_dir_close(list);
    RV_CHECK(rv_unlinkat(folder, "link", 0, RV_NEVER) == 0);
    return rv_unlinkat(folder, "file", 0, RV_NEVER);
}

static void what_is_no_folder_is_not_listed(void **state)
{
    (void)state;
    run_everywhere(refuse_no_folders);
}

static int make_a_way(void *unused)
{
    char too_long[PATH_MAX + 2];
    struct stat status;
    (void)unused;
    RV_CHECK(rv_mkdir_all(folder, "a/b//c/d/", 0700, RV_NEVER) == 0);
    RV_CHECK(fstatat(folder, "a/b/c/d", &status, 0) == 0 && S_ISDIR(status.st_mode));
    RV_CHECK(rv_mkdir_all(folder, "a/b/c/d", 0700, RV_NEVER) == 0);
    RV_CHECK(rv_mkdir_all(folder, "a", 0700, RV_NEVER) == 0);
    put("a/file", "", 0);
    RV_CHECK(rv_mkdir_all(folder, "a/file", 0700, RV_NEVER) == -ENOTDIR);
    RV_CHECK(rv_mkdir_all(folder, "a/file/b", 0700, RV_NEVER) == -ENOTDIR);
    RV_CHECK(rv_mkdir_all(folder, "", 0700, RV_NEVER) == -ENOENT);
    memset(too_long, 'x', sizeof(too_long));
    too_long[PATH_MAX + 1] = '\0';
    RV_CHECK(rv_mkdir_all(folder, too_long, 0700, RV_NEVER) == -ENAMETOOLONG);
    return rv_remove_all(folder, "a", RV_NEVER);
}

static void a_way_is_made_as_far_as_it_is_missing(void **state)
{
    (void)state;
    run_everywhere(make_a_way);
    assert_int_equal(count_names(), 0);
}

static int remove_a_tree(void *unused)
{
    char name[32], deep[400] = "tree";
    (void)unused;
    put("outside", "text", 4);
    for (int i = 0; i < 40; i++)
        strcat(deep, "/d");
    RV_CHECK(rv_mkdir_all(folder, deep, 0700, RV_NEVER) == 0);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof(name), "tree/d/d/%d", i);
        put(name, "", 0);
    }
    RV_CHECK(symlinkat("../outside", folder, "tree/link") == 0);
    RV_CHECK(symlinkat("..", folder, "tree/d/up") == 0);
    RV_CHECK(rv_remove_all(folder, "tree", RV_NEVER) == 0);
    RV_CHECK(!is_there("tree"));
    check_content("outside", "text", 4);
    RV_CHECK(rv_remove_all(folder, "tree", RV_NEVER) == 0);
    return rv_remove_all(folder, "outside", RV_NEVER);
}

static void a_tree_is_removed_and_no_link_is_followed(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    run_everywhere(remove_a_tree);
    assert_int_equal(count_names(), 0);
    assert_nothing_is_left(&before);
}

/* --- each way --- */

static int make_list_and_remove(void *unused)
{
    struct rv_dir_entry entry;
    rv_dir *list;
    (void)unused;
    int r = rv_mkdir_all(folder, "x/y/z", 0700, RV_NEVER);
    if (r == 0)
        r = rv_dir_open(&list, folder, "x", 0, RV_NEVER);
    if (r < 0)
        return r;
    while ((r = rv_dir_next(list, &entry, RV_NEVER)) > 0)
        continue;
    rv_dir_close(list);
    return r < 0 ? r : rv_remove_all(folder, "x", RV_NEVER);
}

static void listings_can_be_cancelled_at_every_point(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    cancel_at_every_point(make_list_and_remove, 1);
    assert_nothing_is_left(&before);
}

static void listings_survive_every_allocation_that_fails(void **state)
{
    struct holdings before = holdings_now();
    (void)state;
    fail_every_allocation(make_list_and_remove, 1);
    assert_nothing_is_left(&before);
}

static void listings_survive_every_call_that_fails(void **state)
{
    struct holdings before = holdings_now();
    bool all_tried = false;
    (void)state;
    for (long n = 1; !all_tried; n = next_point(n)) {
        rvi_call_fail_after(n, 0, false);
        int r = run_on(1, make_list_and_remove, NULL);
        all_tried = rvi_call_fail_pending();
        rvi_call_fail_after(-1, 0, false);
        assert_true(r <= 0 && (r == 0 || !all_tried));
        assert_int_equal(rv_remove_all(folder, "x", RV_NEVER), 0);
    }
    assert_nothing_is_left(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_listed_once),
        cmocka_unit_test(names_come_with_their_type),
        cmocka_unit_test(what_is_no_folder_is_not_listed),
        cmocka_unit_test(a_way_is_made_as_far_as_it_is_missing),
        cmocka_unit_test(a_tree_is_removed_and_no_link_is_followed),
        cmocka_unit_test(listings_can_be_cancelled_at_every_point),
        cmocka_unit_test(listings_survive_every_allocation_that_fails),
        cmocka_unit_test(listings_survive_every_call_that_fails),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
