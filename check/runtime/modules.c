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

enum { MODULES_MOST = 64 };

struct range {
    uintptr_t low, high;
};

static struct range modules[MODULES_MOST];
static unsigned module_count;

bool ck_module_is_instrumented(uintptr_t address)
{
    for (unsigned i = 0; i < module_count; i++) {
        if (address >= modules[i].low && address < modules[i].high)
            return true;
    }
    return false;
}

static struct range range_of(const struct dl_phdr_info *info)
{
    struct range range = {UINTPTR_MAX, 0};

    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + part->p_vaddr;
        if (part->p_type != PT_LOAD)
            continue;
        range.low = low < range.low ? low : range.low;
        range.high = low + part->p_memsz > range.high ? low + part->p_memsz : range.high;
    }
    return range;
}

static int note(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct range range = range_of(info);
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
