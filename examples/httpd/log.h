/* SPDX-License-Identifier: MIT */
/* log.h - a line for each answer, in the common log format. */
#pragma once

#include "reply.h"

void log_answer(int fd, const struct request *r, const char *bytes, const struct reply *reply,
                int err);
