/* SPDX-License-Identifier: MIT */
/* search.h - all schedules with few preemptions, one after the other. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/wire.h"

enum { CK_PREEMPTIONS_MOST = 15 };

struct ck_search;

/** Schedules with none, then with one preemption, and so on.
 *
 * @param preemptions_most  of a schedule
 * Errors: -ENOMEM */
int ck_search_new(uint32_t preemptions_most, struct ck_search **ret)
    __attribute__((warn_unused_result));
void ck_search_free(struct ck_search *search);

/** The next schedule, as switches of a CK_FOLLOW plan with CK_MUST_FOLLOW and CK_LOG_DECISIONS.
 *
 * @param switches   room for CK_SWITCHES_MOST
 * @param ret_token  for ck_search_feed()
 * @return how many switches; -ENOENT there is none (now: one that runs may have others) */
long ck_search_next(struct ck_search *search, struct ck_switch *switches, uint64_t *ret_token)
    __attribute__((warn_unused_result));

/** What the execution could have decided otherwise.
 * Errors: -ENOMEM some schedules will be missing */
int ck_search_feed(struct ck_search *search, uint64_t token, const struct ck_shared *from)
    __attribute__((warn_unused_result));

/** Begin again: there are more points than there were. */
void ck_search_restart(struct ck_search *search);

/** Nothing waits, and nothing runs. */
bool ck_search_is_over(const struct ck_search *search);

/** The most preemptions with which all schedules were tried, and nothing about them is unknown;
 * -1: not even those with none. */
int ck_search_done(const struct ck_search *search);
