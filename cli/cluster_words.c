/* SPDX-License-Identifier: MIT */
/* cluster_words.c - sizes and times for people. */
#include "cli/cluster_words.h"

#include <stdio.h>
#include <time.h>

enum { BUILD_DIGITS = 8 };

const char *cluster_say_bytes(uint64_t bytes, char ret[static CLUSTER_WORD_BYTES])
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(ret, CLUSTER_WORD_BYTES, "%u B", (unsigned)bytes);
        return ret;
    }
    for (value /= 1000; value >= 999.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        value /= 1000;
    snprintf(ret, CLUSTER_WORD_BYTES, "%.1f %s", value, units[unit]);
    return ret;
}

const char *cluster_say_age(int64_t then, int64_t now, char ret[static CLUSTER_WORD_BYTES])
{
    int64_t seconds = now > then ? (now - then) / 1000000000 : 0;

    if (seconds < 120)
        snprintf(ret, CLUSTER_WORD_BYTES, "%lld s", (long long)seconds);
    else if (seconds < 120 * 60)
        snprintf(ret, CLUSTER_WORD_BYTES, "%lld min", (long long)seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(ret, CLUSTER_WORD_BYTES, "%lld h", (long long)seconds / 3600);
    else
        snprintf(ret, CLUSTER_WORD_BYTES, "%lld d", (long long)seconds / 86400);
    return ret;
}

int64_t cluster_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *cluster_say_build(const char *build, char ret[static CLUSTER_WORD_BYTES])
{
    snprintf(ret, CLUSTER_WORD_BYTES, "%.*s", BUILD_DIGITS, build);
    return ret;
}
