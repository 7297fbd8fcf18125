/* SPDX-License-Identifier: MIT */
/* log.h - a line for each answer, in the common log format. */
#pragma once

#include "reply.h"
#include "wire.h"

/* `err` < 0: the answer did not leave whole. */
void log_answer(const struct wire *w, const struct request *r, const char *bytes,
                const struct reply *reply, int err);
