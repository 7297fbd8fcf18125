/* SPDX-License-Identifier: MIT */
/* raw.h - system calls by number. */
#pragma once

#include <stdint.h>

/** futex(2) with its six arguments, from between ck_enter() and ck_leave().
 * @return what the kernel would, -errno for errors; -ENOSYS: not modelled */
long ck_futex(const long *args, uintptr_t pc);
