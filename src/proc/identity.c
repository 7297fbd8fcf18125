/* SPDX-License-Identifier: MIT */
/* identity.c - the program is the first module that dl_iterate_phdr(3) tells of, the library the
 * one that this code lies in: one and the same, if it is linked statically.
 *
 * Without a build-id all that is mapped of a module's file and not writable is hashed. A debugger's
 * breakpoints are changes of that.
 *
 * Checked by: tests/unit/proc/test_proc.c */
#include "proc/identity.h"

#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/atomic.h"

/* What one module is, and where to look for it. */
struct search {
    uintptr_t address; /* inside the module; 0: the program, which comes first */
    uint64_t *hash;    /* two words */
};

static struct rvi_identity own;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic(bool) is_forged;

/* Two multiplicative hashes side by side: names a build, does not withstand anybody's effort. */
static void mix(uint64_t hash[2], uint64_t word)
{
    hash[0] = (hash[0] ^ word) * 0x9e3779b97f4a7c15u;
    hash[1] = (hash[1] ^ (hash[0] >> 32) ^ word) * 0xd6e8feb86659fd93u;
    hash[0] ^= hash[0] >> 29;
}

__attribute__((no_sanitize("address", "thread"))) static void mix_bytes(uint64_t hash[2],
                                                                        const char *bytes,
                                                                        size_t count)
{
    const volatile char *from = bytes;

    for (size_t at = 0; at < count; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        for (size_t i = 0; i < sizeof word && at + i < count; i++)
            word |= (uint64_t)(unsigned char)from[at + i] << (8 * i);
        mix(hash, word);
    }
    mix(hash, count);
}

static const char *at(const struct dl_phdr_info *info, const ElfW(Phdr) * part)
{
    return (const char *)(info->dlpi_addr + part->p_vaddr); /* NOLINT: an address */
}

/* Notes have their names and descriptions at multiples of four bytes. */
static size_t padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

static bool find_build_id(const char *notes, size_t bytes, uint64_t hash[2])
{
    ElfW(Nhdr) note;

    for (size_t offset = 0; offset + sizeof note <= bytes;) {
        memcpy(&note, notes + offset, sizeof note);
        const char *name = notes + offset + sizeof note;
        const char *what = name + padded(note.n_namesz);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(name, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0) {
            mix_bytes(hash, what, note.n_descsz);
            return true;
        }
        offset += sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    }
    return false;
}

static bool has_build_id(const struct dl_phdr_info *info, uint64_t hash[2])
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE && find_build_id(at(info, part), part->p_memsz, hash))
            return true;
    }
    return false;
}

static void hash_contents(const struct dl_phdr_info *info, uint64_t hash[2])
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_R) && !(part->p_flags & PF_W))
            mix_bytes(hash, at(info, part), part->p_filesz);
    }
}

static bool contains(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t low = (uintptr_t)at(info, part);
        if (part->p_type == PT_LOAD && address >= low && address < low + part->p_memsz)
            return true;
    }
    return false;
}

static int look(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    const struct search *search = arg;

    (void)bytes;
    if (search->address && !contains(info, search->address))
        return 0;
    if (!has_build_id(info, search->hash))
        hash_contents(info, search->hash);
    return 1;
}

static void find_own(void)
{
    struct search program = {.hash = own.program};
    struct search ravel = {.address = (uintptr_t)find_own, .hash = own.ravel};

    dl_iterate_phdr(look, &program);
    dl_iterate_phdr(look, &ravel);
}

void rvi_identity_own(struct rvi_identity *ret)
{
    pthread_once(&once, find_own);
    *ret = own;
    if (rvi_load_relaxed(&is_forged))
        ret->program[0]++;
}

bool rvi_identity_is_same(const struct rvi_identity *a, const struct rvi_identity *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

void rvi_identity_build(char ret[static RVI_BUILD_BYTES])
{
    struct rvi_identity identity;
    uint64_t hash[2] = {0};

    rvi_identity_own(&identity);
    mix_bytes(hash, (const char *)&identity, sizeof(identity));
    snprintf(ret, RVI_BUILD_BYTES, "%016" PRIx64 "%016" PRIx64, hash[0], hash[1]);
}

void rvi_identity_forge(bool forges)
{
    rvi_store_relaxed(&is_forged, forges);
}
