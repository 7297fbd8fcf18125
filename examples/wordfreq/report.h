/* SPDX-License-Identifier: MIT */
/* report.h - what has been measured: for people, and for programs. */
#pragma once

#include "measure.h"
#include "picture.h"

/* The table with what stands above and below it. */
void report_table(FILE *out, const char *directory, const struct results *results);

/* One JSON document; `results` or `picture` NULL: that part is left out. */
void report_json(FILE *out, const char *directory, const struct results *results,
                 const struct picture *picture);
