/* SPDX-License-Identifier: MIT */
/* json.h - look into a JSON text (RFC 8259) that came from the network, without making anything of
 * it.
 *
 * A value is the bytes that it takes, inside the text; one of no bytes is "there is none", so looks
 * can follow each other without a question between. Only what is passed over is judged: a text may
 * be broken behind what was found.
 *
 * Checked by: tests/unit/engine/test_json.c, tests/fuzz/fuzz_engine.c */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rvi_json {
    const char *bytes;
    size_t count; /* 0: there is none */
};

/** The value of a text. None if it is none, or nested too deeply. */
struct rvi_json rvi_json_whole(const char *bytes, size_t count);

/** A member of an object, the first of that name; `name` has nothing to escape. */
struct rvi_json rvi_json_member(struct rvi_json object, const char *name);

/** Take the first of what is left of an array; `rest` begins as the array. False: no more. */
bool rvi_json_next(struct rvi_json *rest, struct rvi_json *ret);

/** A string, with a zero. False: it is none, or longer; nothing is written but an empty string. */
bool rvi_json_text(struct rvi_json value, char *ret, size_t room);

/** A string that is base64 (RFC 4648), as bytes; how many of them, 0 if it is none, or longer. */
size_t rvi_json_bytes(struct rvi_json value, void *ret, size_t room);

/** A whole number of 0 and more. False: it is none, or too large. */
bool rvi_json_number(struct rvi_json value, uint64_t *ret);

bool rvi_json_is_true(struct rvi_json value);
