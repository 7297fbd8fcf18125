/* SPDX-License-Identifier: MIT */
/* watch.c - spinning on a plain flag.
 *
 * `while (!flag);` comes to no scheduling point where plain accesses are none, and so would never
 * end. From time to time some accesses of a thread are watched: if it does nothing but read the
 * same places at the same addresses, finding the same values, round and round, it gives way. Which
 * accesses are watched is by their count, the same in every run of the same plan.
 *
 * What a program computes from a few locations that do not change looks the same. It gives way now
 * and then, and nothing else happens to it.
 *
 * Checked by: tests/unit/check/test_watch.c */
#include "check/runtime/watch.h"

#include <string.h>

#include "base/check.h"
#include "check/runtime/sched.h"

enum { READS_MOST = 24, ROUNDS = 3 };

struct read {
    uintptr_t pc, address;
    uint64_t value;
    unsigned times;
};

static struct read reads[READS_MOST];
static unsigned read_count;
static unsigned rounds_left; /* reads that have not been made ROUNDS times */
static const struct ck_thread *watched;

void ck_watch_open(void)
{
    read_count = 0;
    rounds_left = 0;
    watched = ck_self;
}

static uint64_t value_at(uintptr_t address, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)address, bytes < sizeof value ? bytes : sizeof value);
    return value;
}

static struct read *find(uintptr_t address, uintptr_t pc)
{
    for (unsigned i = 0; i < read_count; i++) {
        if (reads[i].address == address && reads[i].pc == pc)
            return &reads[i];
    }
    return NULL;
}

/* Whether it is what a spinner does. */
static bool take(uintptr_t address, unsigned bytes, uintptr_t pc)
{
    struct read *read = find(address, pc);
    uint64_t value = value_at(address, bytes);

    if (!read && read_count == READS_MOST)
        return false;
    if (!read) {
        read = &reads[read_count++];
        *read = (struct read){pc, address, value, 0};
        rounds_left++;
    }
    if (++read->times == ROUNDS)
        rounds_left--;
    return read->value == value;
}

bool ck_watch(uintptr_t address, unsigned bytes, bool is_write, uintptr_t pc, bool *ret_spins)
{
    *ret_spins = false;
    if (is_write || watched != ck_self || !take(address, bytes, pc))
        return false;
    if (rounds_left > 0)
        return true;
    *ret_spins = true;
    ck_watch_open();
    return true;
}
