/* SPDX-License-Identifier: MIT */
/* out.h - the output of each file, printed in the order of the files, whoever is done first.
 *
 * Each file in turn has an `out` in the line of those to be printed. Its searcher fills it, chunk
 * by chunk, and waits when the printer, who may be at an earlier file, is some chunks behind: so
 * the memory is bounded by the length of the line and the size of an `out`, whatever is found. */
#pragma once

#include <ravel.h>
#include <stddef.h>

struct out;

/* Belongs to its searcher, and to its printer: each lets go of it. */
int out_new(struct out **ret);
void out_unref(struct out *o);

/* ---- the searcher ---- */

int out_add(struct out *o, const void *bytes, size_t count);

/* There is no more: let go of it. */
int out_finish(struct out *o);

/* ---- the printer ---- */

/* Print all of it, and let go of it. */
int out_print(struct out *o, struct rv_writer *to);
