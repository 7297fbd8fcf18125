/* SPDX-License-Identifier: MIT */
#include "supervise/layout.h"

#include <stddef.h>

#include "supervise/inside.h"

_Static_assert(offsetof(struct rv_supervisor, services) == sizeof(struct rv_supervisor),
               "services lie behind their supervisor");
_Static_assert(offsetof(struct rvi_kept, above) == 0, "an array of them begins with the first");

RVI_LAYOUT_PART(rvi_supervisor_layout, RVI_SUPERVISOR, RVI_SUPERVISOR_LAYOUT);
