/* SPDX-License-Identifier: MIT */
/* words.h - what the numbers of wire.h are called, in one place for all reports. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "check/wire.h"

/** "data race"; also what is not known. */
const char *ck_words_kind(uint32_t kind);

/** "data-race": in JSON, and in a file of suppressions. */
const char *ck_words_kind_id(uint32_t kind);

/** The kind of that name. False: there is none. */
bool ck_words_kind_of(const char *id, uint32_t *ret);

/** One sentence that says what the kind is to somebody who never met it. */
const char *ck_words_explain(uint32_t kind);

/** Whether an execution that came to it is a failure: neither fine, nor without a verdict. */
bool ck_words_is_failure(uint32_t kind);

/** "lock": what a thread does. */
const char *ck_words_op(uint32_t op);

/** "mutex": what an operation is done to; "" for none in particular. */
const char *ck_words_object(uint32_t op);

/** "walk". */
const char *ck_words_strategy(uint32_t kind);

/** The strategy of that name. False: there is none. */
bool ck_words_strategy_of(const char *name, uint32_t *ret);

/** "learned". */
const char *ck_words_granularity(uint32_t granularity);

/** The granularity of that name. False: there is none. */
bool ck_words_granularity_of(const char *name, uint32_t *ret);
