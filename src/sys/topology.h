/* SPDX-License-Identifier: MIT */
/* topology.h - how many cores this process may really use. */
#pragma once

/* The cores of the affinity mask, no more than the cgroup CPU quota (v1 or v2, every level up to
 * the root) rounded up; at least 1. Reads files: ask once, at start. */
int rvi_usable_cores(void);

/* The parts, for tests. The quota is INT_MAX when there is none; root is "" for the real machine or
 * a folder under which a fake /proc/self/cgroup, /proc/self/mountinfo and /sys/fs/cgroup lie. */
int rvi_affinity_cores(void);
int rvi_cgroup_quota_cores(const char *root);
