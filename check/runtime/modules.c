/* SPDX-License-Identifier: MIT */
/* modules.c - ranges of instrumented modules, from the constructors that the compiler adds to each
 * object file.
 *
 * What an uninstrumented library does to memory by memcpy() is not looked at: its synchronisation
 * is not seen either, and so everything would race.
 *
 * Checked by: tests/check */
#include "check/runtime/modules.h"

#include <link.h>

#include "check/runtime/places.h"

enum { MODULES_MOST = 64 };

static struct ck_range modules[MODULES_MOST];
static unsigned module_count;

bool ck_module_is_instrumented(uintptr_t address)
{
    for (unsigned i = 0; i < module_count; i++) {
        if (address >= modules[i].low && address < modules[i].high)
            return true;
    }
    return false;
}

static int note(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct ck_range range = ck_module_range(info);
    uintptr_t pc = *(uintptr_t *)arg;

    (void)bytes;
    if (pc < range.low || pc >= range.high)
        return 0;
    modules[module_count++] = range;
    return 1;
}

void ck_module_note(uintptr_t pc)
{
    if (!ck_module_is_instrumented(pc) && module_count < MODULES_MOST)
        dl_iterate_phdr(note, &pc);
}
