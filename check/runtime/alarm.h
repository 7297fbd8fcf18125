/* SPDX-License-Identifier: MIT */
/* alarm.h - SIGALRM on the virtual clock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

extern int64_t ck_alarm_at; /* CK_NEVER: not set */

/** The moment has come. */
void ck_alarm_ring(void);

/** No thread can run: let time pass until the next one. False: none is set, or nobody would
 * hear. */
bool ck_alarm_wait(void);
