/* SPDX-License-Identifier: MIT */
/* note.h - the newest of what one process says to another, in memory that both map.
 *
 * One writes as often as it likes and waits for nobody; one reads what is newest, when it likes.
 * What was overtaken is never seen. There are two pages: the newest note stands in one of them
 * while the next is written into the other, so what a reader copies is whole unless the writer was
 * quicker by two notes meanwhile, which it then sees.
 *
 *     writer                                reader
 *     fence; write page (told + 1) % 2      is_awaited = 1; fence
 *     told++                     (release)  t = told                         (acquire)
 *     fence; is_awaited? call the reader    copy page t % 2; fence; told == t? it is whole
 *
 *   N1  a note that was written after the reader's last look finds is_awaited set, or somebody has
 *       found it set before and calls (the fences "note-awaited")
 *
 * The reader believes nothing: a count is cut to what fits, and one who writes without end makes it
 * give up until it is called again.
 *
 * Rejected: a socket. It keeps all notes, or refuses the last one when it is full. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

enum { RVI_NOTE_BYTES = 1024 };

struct rvi_note_page {
    uint64_t count;
    unsigned char bytes[RVI_NOTE_BYTES];
};

/* Zeroed memory is a note that says nothing. */
struct rvi_note {
    _Atomic(uint64_t) told; /* notes that were written, so far; the writer's */
    _Atomic(uint32_t) is_awaited;
    struct rvi_note_page pages[2];
};

/** Say something: at most RVI_NOTE_BYTES. One at a time. */
void rvi_note_write(struct rvi_note *note, const void *bytes, size_t count);

/** After that, and after whatever else the reader is to see: whether it is to be called. */
bool rvi_note_calls(struct rvi_note *note);

/** Ask to be called at the next one; then look once more. */
void rvi_note_await(struct rvi_note *note);

/** Copy what is newest.
 *
 * @param seen       what this returned before; 0: nothing was seen
 * @param ret_bytes  RVI_NOTE_BYTES of room
 * @return which it is; `seen`: there is none newer, or it is being overtaken */
uint64_t rvi_note_read(const struct rvi_note *note, uint64_t seen, void *ret_bytes,
                       size_t *ret_count);
