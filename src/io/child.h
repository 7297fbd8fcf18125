/* SPDX-License-Identifier: MIT */
/* child.h - what rooms above may know of a child that programs may not. */
#pragma once

struct rv_child;

/** Readable once the child has ended; the child's own. */
int rvi_child_pidfd(const struct rv_child *child);
