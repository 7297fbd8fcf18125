/* SPDX-License-Identifier: MIT */
/* test_topology.c - quotas read from a fake tree, affinity from the real one. */
#include "sys/topology.h"

#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "sys_test.h"

static char root[64];

#define V2_MOUNT "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                                   \
    "30 31 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"                            \
    "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:1 master:2 - cgroup cgroup rw,cpu,cpuacct\n"

static int make_root(void **state)
{
    (void)state;
    strcpy(root, "/tmp/ravel-topology-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *ftw)
{
    (void)info, (void)kind, (void)ftw;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file below the fake root, with its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof(full), "%s%s", root, path);
    for (char *slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        mkdir(full, 0755);
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void nothing_to_read_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
}

static void v2_quota_is_rounded_up(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user/job\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/sys/fs/cgroup/user/job/cpu.max", "150000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 2);
    put("/sys/fs/cgroup/user/job/cpu.max", "200000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 2);
    put("/sys/fs/cgroup/user/job/cpu.max", "1000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 1);
}

static void v2_max_is_no_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/user/job\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
}

static void the_least_quota_of_all_levels_counts(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/a/b/c\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/sys/fs/cgroup/a/b/c/cpu.max", "800000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    put("/sys/fs/cgroup/a/cpu.max", "300000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 3);
    put("/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 1);
}

static void v1_quota_is_found_among_many_controllers(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "9:name=systemd:/\n8:cpuset:/x\n4:cpuacct,cpu:/job\n4:memory:/m\n");
    put("/proc/self/mountinfo", V1_MOUNT);
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "250000\n");
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 3);
    put("/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
}

static void a_container_that_sees_a_part_of_the_tree_finds_itself(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpu:/docker/77aa/inner\n");
    put("/proc/self/mountinfo",
        "32 31 0:29 /docker/77aa /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 4);
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "200000\n");
    put("/sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 2);
}

static void a_group_outside_of_the_mount_is_the_mount_point(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "0::/../elsewhere\n");
    put("/proc/self/mountinfo", "31 23 0:28 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu.max", "500000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 5);
}

static void both_versions_are_asked(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpu:/one\n0::/two\n");
    put("/proc/self/mountinfo",
        V1_MOUNT "40 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put("/sys/fs/cgroup/cpu/one/cpu.cfs_quota_us", "600000\n");
    put("/sys/fs/cgroup/cpu/one/cpu.cfs_period_us", "100000\n");
    put("/sys/fs/cgroup/unified/two/cpu.max", "700000 100000\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), 6);
}

static void nonsense_is_no_limit(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "\n:\n0:\n0::/job\nno colons here\n");
    put("/proc/self/mountinfo", "\n - \n31 23\n31 23 0:28 / /sys - cgroup2\n" V2_MOUNT);
    put("/sys/fs/cgroup/job/cpu.max", "0 0\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
    put("/sys/fs/cgroup/job/cpu.max", "garbage\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
    put("/sys/fs/cgroup/job/cpu.max", "9223372036854775807 1\n");
    assert_int_equal(rvi_cgroup_quota_cores(root), INT_MAX);
}

static void affinity_limits_the_cores(void **state)
{
    (void)state;
    cpu_set_t all, one;
    assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
    assert_int_equal(rvi_affinity_cores(), CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    }
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(rvi_affinity_cores(), 1);
    assert_int_equal(rvi_usable_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void at_least_one_core_is_usable(void **state)
{
    (void)state;
    assert_in_range(rvi_usable_cores(), 1, rvi_affinity_cores());
}

#define IN_FAKE_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FAKE_TREE(nothing_to_read_is_no_limit),
        IN_FAKE_TREE(v2_quota_is_rounded_up),
        IN_FAKE_TREE(v2_max_is_no_limit),
        IN_FAKE_TREE(the_least_quota_of_all_levels_counts),
        IN_FAKE_TREE(v1_quota_is_found_among_many_controllers),
        IN_FAKE_TREE(a_container_that_sees_a_part_of_the_tree_finds_itself),
        IN_FAKE_TREE(a_group_outside_of_the_mount_is_the_mount_point),
        IN_FAKE_TREE(both_versions_are_asked),
        IN_FAKE_TREE(nonsense_is_no_limit),
        cmocka_unit_test(affinity_limits_the_cores),
        cmocka_unit_test(at_least_one_core_is_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
