/* SPDX-License-Identifier: MIT */
/* wire.h - tasks and results as bytes, and the judge of such bytes from the network.
 *
 * What is read points into the bytes, and nothing of it is believed before it was looked at: sizes
 * against each other, names by their letters, numbers by their range (E5).
 *
 * Checked by: tests/unit/engine/test_wire.c, tests/fuzz/fuzz_engine.c */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

enum {
    RVI_WIRE_JOB_MOST = 1024,   /* bytes of a job's name, with its zero */
    RVI_WIRE_WORDS_MOST = 8192, /* of a process's last words */
};

#define RVI_WIRE_PIECES_MOST (UINT64_C(4) << 30) /* bytes */

/* Where an input or a value lies that does not fit its message. */
struct rvi_wire_pieces {
    char name[RVI_ENGINE_ID_BYTES]; /* "": in the message */
    uint64_t hash;                  /* of all the bytes; 0 in the message */
};

struct rvi_wire_task {
    struct rvi_engine_task task; /* in: NULL if it is in pieces; attempt: 0 */
    struct rvi_wire_pieces pieces;
    char client[RVI_ENGINE_ID_BYTES], build[33];
};

struct rvi_wire_result {
    struct rvi_engine_result result;
    struct rvi_wire_pieces pieces;
    size_t zeros; /* the last of out_bytes, which are not sent; 0 of a value in pieces */
};

size_t rvi_wire_task_bytes(const struct rvi_wire_task *task);
void rvi_wire_task_write(const struct rvi_wire_task *task, char *to);

/** False: it is none. */
bool rvi_wire_task_read(struct rvi_wire_task *ret, const char *bytes, size_t count);

/** How many bytes at the end are zero; 0 if they are too few to be worth the trouble. Structures
 * are made for the most that they may have to hold. */
size_t rvi_wire_zeros(const void *bytes, size_t count);

size_t rvi_wire_result_bytes(const struct rvi_wire_result *result);
void rvi_wire_result_write(const struct rvi_wire_result *result, char *to);

/** False: it is none. */
bool rvi_wire_result_read(struct rvi_wire_result *ret, const char *bytes, size_t count);

/** Whether it could be an identity: 22 digits and letters. */
bool rvi_wire_is_id(const char *text, size_t length);

/** Whether it could be a build: 1 to 32 digits of hex. */
bool rvi_wire_is_build(const char *text);

/** A hash of bytes, begun with a number. Finds what the network or a disk has spoilt; withstands
 * nobody's effort. */
uint64_t rvi_wire_hash(uint64_t hash, const void *bytes, size_t count);
