/* SPDX-License-Identifier: MIT */
/* check_debug.h - a replay in gdb. */
#pragma once

#include "check/driver/replay.h"
#include "check/driver/stream.h"

/** Run it there, stopped where it fails, until the user leaves.
 *
 * @return exit status */
int check_debug(const struct ck_stream_opts *stream, const struct ck_replay *replay);
