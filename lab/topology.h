/* SPDX-License-Identifier: MIT */
/* topology.h - which processors are threads of one core. */
#pragma once

#include <stdbool.h>

/** Whether the kernel says that two processors are threads of one core.
 *
 * @param root  the kernel's folder of them, "/sys/devices/system/cpu" */
bool lab_are_siblings(const char *root, int a, int b);
