/* SPDX-License-Identifier: MIT */
/* trace.c - decisions, written down and looked up.
 *
 * A schedule is its deviations from "run until blocked" (struct ck_switch). Following looks each
 * decision up by thread and number in a table, since a minimised schedule is a subset, whose
 * decisions may come in another order than they were recorded.
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/trace.h"

#include "base/rng.h"
#include "check/runtime/arena.h"
#include "check/runtime/fail.h"
#include "check/runtime/sched.h"

struct slot {
    uint64_t key; /* 0: empty */
    uint32_t value;
};

static struct slot *table;
static uint64_t table_mask;
static struct rvi_rng chance;

static uint64_t key_of(uint32_t thread, uint32_t nth)
{
    return ((uint64_t)thread << 32 | nth) + 1;
}

static struct slot *slot_of(uint64_t key)
{
    uint64_t i = (key * 0x9e3779b97f4a7c15) >> 20 & table_mask;

    while (table[i].key && table[i].key != key)
        i = (i + 1) & table_mask;
    return &table[i];
}

void ck_trace_begin(void)
{
    const struct ck_plan *plan = &ck_shared->plan;
    uint32_t slots = 16;

    rvi_rng_seed(&chance, plan->strategy.seed ^ 0x6368616e6365);
    if (plan->mode != CK_FOLLOW)
        return;
    if (plan->switch_count > CK_SWITCHES_MOST)
        ck_unable("the plan has too many switches");
    while (slots < 2 * plan->switch_count)
        slots *= 2;
    table = ck_alloc(slots * sizeof *table);
    table_mask = slots - 1;
    for (uint32_t i = 0; i < plan->switch_count; i++) {
        const struct ck_switch *s = &ck_shared->switches[i];
        *slot_of(key_of(s->thread, s->nth)) = (struct slot){key_of(s->thread, s->nth), s->value};
    }
}

bool ck_trace_find(uint32_t thread, uint32_t nth, uint32_t *ret_value)
{
    const struct slot *slot = slot_of(key_of(thread, nth));

    *ret_value = slot->value;
    return slot->key != 0;
}

void ck_trace_record(uint32_t thread, uint32_t nth, uint32_t value)
{
    struct ck_result *result = &ck_shared->result;

    if (result->switch_count == CK_SWITCHES_MOST)
        ck_report_fail(ck_report_begin(CK_STEPS, "more decisions than can be written down"));
    ck_shared->trace[result->switch_count++] = (struct ck_switch){thread, nth, value};
}

uint64_t ck_trace_random(void)
{
    return rvi_rng_next(&chance);
}

void ck_trace_decision(const struct ck_decision *decision)
{
    struct ck_result *result = &ck_shared->result;

    if (result->decision_count == CK_DECISIONS_MOST)
        ck_trace_is_partial();
    else
        ck_shared->decisions[result->decision_count++] = *decision;
}

void ck_trace_is_partial(void)
{
    ck_shared->result.is_partial = 1;
}
