/* SPDX-License-Identifier: MIT */
/* random.h - random bytes by the plan's seed. */
#pragma once

/** A descriptor that reads like /dev/urandom for a while; -1 with errno. */
int ck_random_device(void);
