/* SPDX-License-Identifier: MIT */
#include "exec/layout.h"

#include <stddef.h>

#include "exec/processes.h"

_Static_assert(offsetof(struct rvi_processes, ex) == 0, "an executor is a pool's first member");

RVI_LAYOUT_PART(rvi_executor_layout, RVI_EXECUTOR, RVI_EXECUTOR_LAYOUT);
