/* SPDX-License-Identifier: MIT */
/* elf_file.c - reading ELF files of this machine: sections, symbols, notes.
 *
 * The file is mapped and read where it lies. Nothing in it is believed: each offset is held against
 * the end of the file, and what does not fit is not there.
 *
 * Symbols are searched one by one: reports ask for some dozens.
 *
 * Rejected: libelf, which may be missing, and is no shorter for this.
 *
 * Checked by: tests/cli */
#include "check/driver/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#endif

struct ck_elf {
    const uint8_t *bytes;
    size_t count;
};

/* `bytes` at an offset, or NULL if they are not all in the file. */
static const void *at(const struct ck_elf *elf, uint64_t offset, uint64_t bytes)
{
    if (offset > elf->count || bytes > elf->count - offset)
        return NULL;
    return elf->bytes + offset;
}

/* The same, of what is read as numbers and so has to lie at a multiple. */
static const void *aligned(const struct ck_elf *elf, uint64_t offset, uint64_t bytes,
                           unsigned alignment)
{
    return offset % alignment == 0 ? at(elf, offset, bytes) : NULL;
}

static const Elf64_Ehdr *header(const struct ck_elf *elf)
{
    return (const void *)elf->bytes;
}

static const Elf64_Shdr *section(const struct ck_elf *elf, unsigned index)
{
    const Elf64_Ehdr *head = header(elf);

    if (index >= head->e_shnum || head->e_shentsize != sizeof(Elf64_Shdr))
        return NULL;
    return aligned(elf, head->e_shoff + (uint64_t)index * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr),
                   _Alignof(Elf64_Shdr));
}

static const Elf64_Shdr *section_of_type(const struct ck_elf *elf, uint32_t type)
{
    for (unsigned i = 0; i < header(elf)->e_shnum; i++) {
        const Elf64_Shdr *found = section(elf, i);
        if (found && found->sh_type == type && at(elf, found->sh_offset, found->sh_size))
            return found;
    }
    return NULL;
}

/* A string in a section of strings; "" for one that is not whole. */
static const char *string(const struct ck_elf *elf, unsigned index, uint64_t offset)
{
    const Elf64_Shdr *strings = section(elf, index);
    const char *all = strings ? at(elf, strings->sh_offset, strings->sh_size) : NULL;

    if (!all || offset >= strings->sh_size || !memchr(all + offset, 0, strings->sh_size - offset))
        return "";
    return all + offset;
}

/* --- opening --- */

static bool is_ours(const struct ck_elf *elf)
{
    const Elf64_Ehdr *head = at(elf, 0, sizeof *head);

    return head && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == ELFCLASS64 && head->e_machine == OUR_MACHINE &&
           (head->e_type == ET_EXEC || head->e_type == ET_DYN);
}

static bool has_segment(const struct ck_elf *elf, uint32_t type)
{
    const Elf64_Ehdr *head = header(elf);

    for (unsigned i = 0; i < head->e_phnum; i++) {
        const Elf64_Phdr *segment = aligned(elf, head->e_phoff + i * sizeof(Elf64_Phdr),
                                            sizeof(Elf64_Phdr), _Alignof(Elf64_Phdr));
        if (segment && segment->p_type == type)
            return true;
    }
    return false;
}

static enum ck_elf_sort sort_of(const struct ck_elf *elf)
{
    if (elf->count >= 2 && elf->bytes[0] == '#' && elf->bytes[1] == '!')
        return CK_ELF_SCRIPT;
    if (!is_ours(elf))
        return CK_ELF_OTHER;
    return has_segment(elf, PT_DYNAMIC) &&
                   (has_segment(elf, PT_INTERP) || header(elf)->e_type == ET_DYN)
               ? CK_ELF_DYNAMIC
               : CK_ELF_STATIC;
}

static bool map_file(const char *path, struct ck_elf *elf)
{
    struct stat is;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    bool is_file = fstat(fd, &is) == 0 && S_ISREG(is.st_mode) && is.st_size > 0;
    void *bytes =
        is_file ? mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (bytes == MAP_FAILED)
        return false;
    *elf = (struct ck_elf){.bytes = bytes, .count = (size_t)is.st_size};
    return true;
}

enum ck_elf_sort ck_elf_open(const char *path, struct ck_elf **ret)
{
    struct ck_elf found, *elf;

    *ret = NULL;
    if (!map_file(path, &found))
        return CK_ELF_NONE;
    enum ck_elf_sort sort = sort_of(&found);
    if (sort >= CK_ELF_STATIC && (elf = rvi_alloc(sizeof *elf)) != NULL) {
        *elf = found;
        *ret = elf;
        return sort;
    }
    munmap((void *)(uintptr_t)found.bytes, found.count);
    return sort >= CK_ELF_STATIC ? CK_ELF_NONE : sort;
}

void ck_elf_close(struct ck_elf *elf)
{
    if (!elf)
        return;
    munmap((void *)(uintptr_t)elf->bytes, elf->count);
    rvi_free(elf);
}

/* --- symbols --- */

static const Elf64_Sym *symbols(const struct ck_elf *elf, const Elf64_Shdr *table, size_t *count)
{
    const Elf64_Sym *all =
        table ? aligned(elf, table->sh_offset, table->sh_size, _Alignof(Elf64_Sym)) : NULL;

    *count = all ? table->sh_size / sizeof(Elf64_Sym) : 0;
    return all;
}

bool ck_elf_is_instrumented(const struct ck_elf *elf)
{
    size_t count;
    const Elf64_Shdr *table = section_of_type(elf, SHT_DYNSYM);
    const Elf64_Sym *all = symbols(elf, table, &count);

    for (size_t i = 0; i < count; i++) {
        if (all[i].st_shndx == SHN_UNDEF &&
            strncmp(string(elf, table->sh_link, all[i].st_name), "__tsan_", 7) == 0)
            return true;
    }
    return false;
}

/* How well a symbol of this kind names a place: what has a size, and functions and variables, not
 * the linker's marks. */
static bool is_named_thing(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);

    return symbol->st_shndx != SHN_UNDEF &&
           (type == STT_FUNC || type == STT_OBJECT || type == STT_GNU_IFUNC);
}

static const char *search(const struct ck_elf *elf, uint32_t type, uint64_t offset,
                          uint64_t *within)
{
    size_t count;
    const Elf64_Shdr *table = section_of_type(elf, type);
    const Elf64_Sym *all = symbols(elf, table, &count);

    for (size_t i = 0; i < count; i++) {
        if (is_named_thing(&all[i]) && offset - all[i].st_value < all[i].st_size) {
            *within = offset - all[i].st_value;
            return string(elf, table->sh_link, all[i].st_name);
        }
    }
    return NULL;
}

const char *ck_elf_symbol(const struct ck_elf *elf, uint64_t offset, uint64_t *within)
{
    const char *name = search(elf, SHT_SYMTAB, offset, within);

    return name ? name : search(elf, SHT_DYNSYM, offset, within);
}

/* --- what it needs, who it is --- */

bool ck_elf_needs(const struct ck_elf *elf, const char *prefix)
{
    const Elf64_Shdr *table = section_of_type(elf, SHT_DYNAMIC);
    const Elf64_Dyn *all =
        table ? aligned(elf, table->sh_offset, table->sh_size, _Alignof(Elf64_Dyn)) : NULL;

    for (size_t i = 0; all && i < table->sh_size / sizeof *all && all[i].d_tag != DT_NULL; i++) {
        if (all[i].d_tag == DT_NEEDED &&
            strncmp(string(elf, table->sh_link, all[i].d_un.d_val), prefix, strlen(prefix)) == 0)
            return true;
    }
    return false;
}

static uint64_t padded(uint32_t bytes)
{
    return ((uint64_t)bytes + 3) / 4 * 4;
}

/* What a note says, in one section of them. */
static const uint8_t *find_note(const struct ck_elf *elf, const Elf64_Shdr *notes,
                                const char *owner, uint32_t type, size_t *count)
{
    uint64_t offset = notes->sh_offset, end = notes->sh_offset + notes->sh_size;

    while (offset + sizeof(Elf64_Nhdr) <= end) {
        const Elf64_Nhdr *note = aligned(elf, offset, sizeof *note, _Alignof(Elf64_Nhdr));
        if (!note)
            return NULL;
        uint64_t name = offset + sizeof *note, value = name + padded(note->n_namesz);
        const char *whose = at(elf, name, note->n_namesz);
        *count = note->n_descsz;
        if (note->n_type == type && note->n_namesz == strlen(owner) + 1 && whose &&
            memcmp(whose, owner, note->n_namesz) == 0)
            return at(elf, value, note->n_descsz);
        offset = value + padded(note->n_descsz);
    }
    return NULL;
}

/* In all sections. */
static const uint8_t *search_notes(const struct ck_elf *elf, const char *owner, uint32_t type,
                                   size_t *count)
{
    for (unsigned i = 0; i < header(elf)->e_shnum; i++) {
        const Elf64_Shdr *notes = section(elf, i);
        const uint8_t *found =
            notes && notes->sh_type == SHT_NOTE ? find_note(elf, notes, owner, type, count) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

bool ck_elf_has_note(const struct ck_elf *elf, const char *owner, uint32_t type)
{
    size_t count;

    return search_notes(elf, owner, type, &count) != NULL;
}

size_t ck_elf_build_id(const struct ck_elf *elf, uint8_t *to, size_t room)
{
    size_t count;
    const uint8_t *id = search_notes(elf, ELF_NOTE_GNU, NT_GNU_BUILD_ID, &count);

    if (!id || count > room)
        return 0;
    memcpy(to, id, count);
    return count;
}

/* FNV-1a (Fowler, Noll, Vo). */
uint64_t ck_elf_contents(const struct ck_elf *elf)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < elf->count; i++)
        hash = (hash ^ elf->bytes[i]) * 0x100000001b3;
    return hash;
}
