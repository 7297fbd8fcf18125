/* SPDX-License-Identifier: MIT */
/* entry.h - whether this process is under check. */
#pragma once

#include <stdbool.h>

/** Look for a driver, the first time. False: there is none, and everything is libc's. */
bool ck_attach_first(void);

extern int ck_attached; /* 0: not known */

static inline bool ck_attach(void)
{
    return __builtin_expect(ck_attached != 0, 1) ? ck_attached > 0 : ck_attach_first();
}
