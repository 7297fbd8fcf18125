/* SPDX-License-Identifier: MIT */
/* show.h - what people get to see. */
#pragma once

#include "work.h"

/* A line about a picture that was not converted. */
void show_failure(const char *name, const struct rv_outcome *outcome, rv_future *f);

/* A line about all of them. */
void show_tally(const struct tally *tally);
