/* SPDX-License-Identifier: MIT */
/* places.c - which module an address is in.
 *
 *   P1  module i of the mapping is range i here; both only grow
 *   P2  an address that is in none makes us look once more, if the dynamic linker has loaded more
 *       since: a program's dlopen() needs no interposing
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/places.h"

#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "check/runtime/sched.h"

struct range {
    uintptr_t low, high;
    uintptr_t bias; /* what is added to the addresses in its file */
};

static struct range ranges[CK_MODULES_MOST];
static uint32_t range_count;
static uint32_t last_hit;
static uint32_t own_module = UINT32_MAX;
static unsigned long long loads_seen;

struct ck_range ck_module_range(const struct dl_phdr_info *info)
{
    struct ck_range range = {UINTPTR_MAX, 0};

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

static void take_build_id(struct ck_module *module, const char *notes, size_t bytes)
{
    while (bytes >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const void *)notes;
        size_t name = (note->n_namesz + 3u) & ~3u, text = (note->n_descsz + 3u) & ~3u;
        size_t all = sizeof *note + name + text;
        if (all > bytes)
            return;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 &&
            memcmp(note + 1, "GNU", 4) == 0 && note->n_descsz <= sizeof module->build_id) {
            module->build_id_bytes = note->n_descsz;
            memcpy(module->build_id, (const char *)(note + 1) + name, note->n_descsz);
        }
        notes += all;
        bytes -= all;
    }
}

static void describe(struct ck_module *module, const struct dl_phdr_info *info)
{
    memset(module, 0, sizeof *module);
    module->base = info->dlpi_addr;
    if (info->dlpi_name)
        strncpy(module->path, info->dlpi_name, sizeof module->path - 1);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE)
            take_build_id(module, (const char *)(info->dlpi_addr + part->p_vaddr), part->p_memsz);
    }
}

static bool is_known(struct range range)
{
    for (uint32_t i = 0; i < range_count; i++) {
        if (ranges[i].low == range.low && ranges[i].high == range.high)
            return true;
    }
    return false;
}

static int learn_one(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct ck_range lies = ck_module_range(info);
    struct range range = {lies.low, lies.high, info->dlpi_addr};

    (void)bytes, (void)arg;
    loads_seen = info->dlpi_adds;
    if (range_count == CK_MODULES_MOST || range.low >= range.high || is_known(range))
        return 0;
    if (range.low <= (uintptr_t)learn_one && (uintptr_t)learn_one < range.high)
        own_module = range_count;
    if (ck_shared)
        describe(&ck_shared->modules[range_count], info);
    ranges[range_count++] = range;
    return 0;
}

/* The program itself has no name there. */
static void name_program(struct ck_module *module)
{
    extern char *program_invocation_name;
    ssize_t got =
        module->path[0] ? -1 : readlink("/proc/self/exe", module->path, sizeof module->path - 1);

    if (got < 0 && !module->path[0])
        strncpy(module->path, program_invocation_name, sizeof module->path - 1);
}

void ck_places_learn(void)
{
    dl_iterate_phdr(learn_one, NULL);
    if (!ck_shared)
        return;
    name_program(&ck_shared->modules[0]);
    ck_shared->module_count = range_count;
}

static int count_loads(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    *(unsigned long long *)arg = info->dlpi_adds;
    return 1;
}

static uint32_t find(uintptr_t address)
{
    for (uint32_t i = 0; i < range_count; i++) {
        if (ranges[i].low <= address && address < ranges[i].high)
            return last_hit = i;
    }
    return UINT32_MAX;
}

static uint32_t module_of_code(uintptr_t address)
{
    const struct range *last = &ranges[last_hit];
    unsigned long long loads;

    if (last->low <= address && address < last->high)
        return last_hit;
    uint32_t module = find(address);
    if (module != UINT32_MAX)
        return module;
    dl_iterate_phdr(count_loads, &loads);
    if (loads == loads_seen)
        return UINT32_MAX;
    ck_places_learn();
    return find(address);
}

struct ck_place ck_place_of(uintptr_t return_address)
{
    uintptr_t pc = return_address - 1;
    uint32_t module = return_address ? module_of_code(pc) : UINT32_MAX;

    if (module == UINT32_MAX)
        return (struct ck_place){0, 0};
    return (struct ck_place){module, (uint32_t)(pc - ranges[module].bias)};
}

uint64_t ck_place_number(uintptr_t return_address)
{
    uint32_t module = return_address ? module_of_code(return_address - 1) : UINT32_MAX;

    if (module == UINT32_MAX)
        return 0;
    return (uint64_t)(module + 1) << 32 | (uint32_t)(return_address - 1 - ranges[module].bias);
}

uint64_t ck_place_of_data(uintptr_t address)
{
    const struct range *last = &ranges[last_hit];

    if (last->low <= address && address < last->high)
        return (uint64_t)(last_hit + 1) << 48 | (address - last->bias);
    for (uint32_t i = 0; i < range_count; i++) {
        if (ranges[i].low <= address && address < ranges[i].high)
            return (uint64_t)(i + 1) << 48 | (address - ranges[i].bias);
    }
    return address;
}

bool ck_place_is_own(uintptr_t address)
{
    return own_module < range_count && ranges[own_module].low <= address &&
           address < ranges[own_module].high;
}

void ck_place_own(uintptr_t *low, uintptr_t *high)
{
    *low = ranges[own_module].low;
    *high = ranges[own_module].high;
}
