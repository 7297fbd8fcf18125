/* SPDX-License-Identifier: MIT */
#include "base/seam.h"

_Thread_local struct rvi_seam *rvi_seam;

void rvi_seam_point(enum rvi_point what)
{
    rvi_point(what);
}
