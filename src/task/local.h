/* SPDX-License-Identifier: MIT */
/* local.h - how tasks inherit task-local values: by sharing a list that nobody changes. */
#pragma once

struct rvi_local;

/** One more task holds the list; NULL is the empty list and costs nothing. Any thread. */
struct rvi_local *rvi_local_ref(struct rvi_local *list);

/** One task less. Any thread. */
void rvi_local_unref(struct rvi_local *list);
