/* SPDX-License-Identifier: MIT */
/* under_tool.h - whether a tool watches that needs address space, time or signals of its own. */
#pragma once

#include <stdbool.h>

#include "base/check.h"
#include "sys/stack.h"

#ifdef RVI_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

static inline bool is_under_valgrind(void)
{
#ifdef RVI_HAVE_VALGRIND
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

static inline bool is_under_a_tool(void)
{
    return RVI_ASAN || RVI_TSAN || is_under_valgrind();
}
