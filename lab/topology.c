/* SPDX-License-Identifier: MIT */
/* topology.c - which processors are threads of one core, by what the kernel says.
 *
 * A virtual machine need not say so: its processors may be threads of one core and be shown as a
 * core each. Who asks has to measure as well.
 *
 * Checked by: tests/unit/lab/test_topology.c */
#include "lab/topology.h"

#include <stdio.h>
#include <stdlib.h>

/* As "0,4" or "0-1" or "0-3,8-11". */
static bool is_listed(char *at, int wanted)
{
    while (*at >= '0' && *at <= '9') {
        long first = strtol(at, &at, 10), last = first;
        if (*at == '-')
            last = strtol(at + 1, &at, 10);
        if (wanted >= first && wanted <= last)
            return true;
        at += *at == ',';
    }
    return false;
}

bool lab_are_siblings(const char *root, int a, int b)
{
    char path[512], list[256] = "";

    snprintf(path, sizeof path, "%s/cpu%d/topology/thread_siblings_list", root, a);
    FILE *in = fopen(path, "re");
    bool found = in && fgets(list, sizeof list, in) && is_listed(list, b);
    if (in)
        fclose(in);
    return found;
}
