/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "loop/loop.h"

int rvi_loop_open_uring(struct rvi_loop **ret, int call)
{
    (void)ret;
    (void)call;
    return -ENOSYS;
}
