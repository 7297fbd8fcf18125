/* SPDX-License-Identifier: MIT */
/* date.h - dates as HTTP writes them: RFC 9110, 5.6.7. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { DATE_BYTES = 29 }; /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Write DATE_BYTES bytes, and no NUL. */
void date_format(char *out, time_t when);

/* Read any of the three forms that there ever were. */
bool date_parse(time_t *ret, const char *text, size_t len);
