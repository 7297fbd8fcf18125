/* SPDX-License-Identifier: MIT */
/* topology.c - affinity and CPU quota.
 *
 * A container that may use two cores' worth of time on a machine of 64 still sees 64 cores; as many
 * workers would burn the quota in the first part of each period and then all stand still. So the
 * quota counts as cores, rounded up.
 *
 *     v2  <mount>/<group>/cpu.max            "max 100000" or "150000 100000" (quota, period)
 *     v1  <mount>/<group>/cpu.cfs_quota_us   -1 or the quota, period in cpu.cfs_period_us
 *
 * The group's path comes from /proc/self/cgroup, the mount point from /proc/self/mountinfo. A quota
 * binds all groups below it, so every level up to the mount point is read. Where a container sees
 * only a part of the tree, the mount's own root is cut from the path; a path outside of it means
 * that the mount point itself is our group. Both versions are asked, since they may be mixed.
 *
 * What cannot be read is no limit. Cpusets need no reading: the affinity mask contains them. */
#include "sys/topology.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/seam.h"
#include "sys/call.h"

enum { PATH_BYTES = 4096 };

/* One of the two hierarchies: where it is mounted and where in it we are. */
struct hierarchy {
    const char *fstype;
    const char *controller; /* that v1 names; v2 has one tree for all */
    char group[PATH_BYTES];
    char mount_root[PATH_BYTES];
    char mount_point[PATH_BYTES];
};

static FILE *open_under(const char *root, const char *path)
{
    char full[2 * PATH_BYTES];
    int n = snprintf(full, sizeof(full), "%s%s", root, path);
    bool fits = n > 0 && (size_t)n < sizeof(full);
    return fits && !rvi_call_fails(RVI_CALL_READ_CGROUP) ? fopen(full, "re") : NULL;
}

/* Call each(line, into) for every line until it returns true. */
static bool find_line(const char *root, const char *path,
                      bool (*each)(char *line, struct hierarchy *into), struct hierarchy *into)
{
    FILE *file = open_under(root, path);
    if (!file)
        return false;
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (!found && getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        found = each(line, into);
    }
    free(line);
    fclose(file);
    return found;
}

/* Is the word among those separated by commas? */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        if (len == n && strncmp(at, word, n) == 0)
            return true;
        at += len + (at[len] == ',');
    }
    return false;
}

static bool copy_path(char into[PATH_BYTES], const char *path)
{
    size_t n = strlen(path);
    if (n >= PATH_BYTES)
        return false;
    memcpy(into, path, n + 1);
    return true;
}

/* "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static bool group_line(char *line, struct hierarchy *into)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return false;
    *path++ = '\0';
    controllers++;
    bool ours = into->controller ? has_word(controllers, into->controller) : *controllers == '\0';
    return ours && copy_path(into->group, path);
}

/* "33 32 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw": root and mount point are
 * the fourth and fifth word, and after the lone dash come type, source and options. */
static bool mount_line(char *line, struct hierarchy *into)
{
    char root[PATH_BYTES], point[PATH_BYTES], fstype[64], options[1024];
    char *tail = strstr(line, " - ");
    if (!tail || sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2)
        return false;
    if (sscanf(tail, " - %63s %*s %1023s", fstype, options) != 2)
        return false;
    if (strcmp(fstype, into->fstype) != 0)
        return false;
    if (into->controller && !has_word(options, into->controller))
        return false;
    return copy_path(into->mount_root, root) && copy_path(into->mount_point, point);
}

/* The group's path below the mount point: "" or "/a/b". */
static const char *group_below_mount(const struct hierarchy *tree)
{
    const char *root = strcmp(tree->mount_root, "/") == 0 ? "" : tree->mount_root;
    size_t n = strlen(root);
    if (strncmp(tree->group, root, n) != 0)
        return "";
    const char *rest = tree->group + n;
    return *rest == '/' && rest[1] ? rest : "";
}

static int cores_of(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return INT_MAX;
    long long cores = quota / period + (quota % period != 0);
    return cores < INT_MAX ? (int)cores : INT_MAX;
}

static bool read_number(const char *root, const char *folder, const char *name, long long *ret)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = n > 0 && (size_t)n < sizeof(path) ? open_under(root, path) : NULL;
    if (!file)
        return false;
    bool found = fscanf(file, "%lld", ret) == 1;
    fclose(file);
    return found;
}

static int quota_v1(const char *root, const char *folder)
{
    long long quota, period;
    if (!read_number(root, folder, "cpu.cfs_quota_us", &quota) ||
        !read_number(root, folder, "cpu.cfs_period_us", &period))
        return INT_MAX;
    return cores_of(quota, period);
}

static int quota_v2(const char *root, const char *folder)
{
    char path[PATH_BYTES];
    long long quota, period;
    int n = snprintf(path, sizeof(path), "%s/cpu.max", folder);
    FILE *file = n > 0 && (size_t)n < sizeof(path) ? open_under(root, path) : NULL;
    if (!file)
        return INT_MAX;
    int found = fscanf(file, "%lld %lld", &quota, &period); /* 0 for "max" */
    fclose(file);
    return found == 2 ? cores_of(quota, period) : INT_MAX;
}

/* The least quota from the group up to the mount point. */
static int least_quota(const char *root, const struct hierarchy *tree)
{
    char folder[2 * PATH_BYTES];
    size_t top = strlen(tree->mount_point);
    snprintf(folder, sizeof(folder), "%s%s", tree->mount_point, group_below_mount(tree));
    int least = INT_MAX;
    for (;;) {
        int cores = tree->controller ? quota_v1(root, folder) : quota_v2(root, folder);
        least = cores < least ? cores : least;
        if (strlen(folder) <= top)
            return least;
        *strrchr(folder, '/') = '\0';
    }
}

static int hierarchy_quota(const char *root, const char *fstype, const char *controller)
{
    struct hierarchy tree = {.fstype = fstype, .controller = controller};
    if (!find_line(root, "/proc/self/cgroup", group_line, &tree) ||
        !find_line(root, "/proc/self/mountinfo", mount_line, &tree))
        return INT_MAX;
    return least_quota(root, &tree);
}

int rvi_cgroup_quota_cores(const char *root)
{
    int v1 = hierarchy_quota(root, "cgroup", "cpu");
    int v2 = hierarchy_quota(root, "cgroup2", NULL);
    return v1 < v2 ? v1 : v2;
}

/* The kernel refuses a mask smaller than its own, whose size it does not tell: double until it
 * fits. */
int rvi_affinity_cores(void)
{
    for (int cores = CPU_SETSIZE; cores <= 1 << 20; cores *= 2) {
        cpu_set_t *mask = CPU_ALLOC((size_t)cores);
        size_t bytes = CPU_ALLOC_SIZE((size_t)cores);
        if (!mask)
            return 1;
        int rc = RVI_CALL(READ_AFFINITY, sched_getaffinity(0, bytes, mask));
        int error = errno;
        int count = rc == 0 ? CPU_COUNT_S(bytes, mask) : 0;
        CPU_FREE(mask);
        if (rc == 0 || error != EINVAL)
            return count > 0 ? count : 1;
    }
    return 1;
}

int rvi_usable_cores(void)
{
    if (rvi_seam)
        return rvi_seam->cores;
    int affinity = rvi_affinity_cores();
    int quota = rvi_cgroup_quota_cores("");
    return quota < affinity ? quota : affinity;
}
