/* SPDX-License-Identifier: MIT */
/* held.h - what of the kernel's this process holds. */
#pragma once

#include <dirent.h>
#include <stddef.h>

#include "base/check.h"

/* "." and ".." are counted, and in /proc/self/fd the descriptor of the look itself. */
static inline size_t count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t count = 0;
    RV_CHECK(dir != NULL);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static inline size_t open_descriptors(void)
{
    return count_entries("/proc/self/fd");
}
