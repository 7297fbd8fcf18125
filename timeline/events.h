/* SPDX-License-Identifier: MIT */
/* events.h - a recorded run as Perfetto and Chrome's about:tracing load it. */
#pragma once

#include <stdio.h>

#include "look/recording.h"

/** Write the "JSON Object Format" of Google's "Trace Event Format": a lane a worker, a bar a run,
 * an arrow from who started or woke to who ran then, scopes as bands.
 *
 * @param program  its name
 * @return 0
 * Errors:  -ENOMEM */
int tl_put_events(FILE *file, const struct look_recording *recording, const char *program)
    __attribute__((warn_unused_result));
