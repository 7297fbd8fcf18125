/* SPDX-License-Identifier: MIT */
/* answer.h - how calls of libc tell of an error. */
#pragma once

#include <errno.h>

/** 0, or -1 with errno. */
static inline int ck_answer(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
