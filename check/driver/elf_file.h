/* SPDX-License-Identifier: MIT */
/* elf_file.h - what a program's or library's file says of itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ck_elf;

enum ck_elf_sort {
    CK_ELF_NONE,   /* no such file, or none that can be read */
    CK_ELF_SCRIPT, /* begins with "#!" */
    CK_ELF_OTHER,  /* anything else, or a program for another machine */
    CK_ELF_STATIC, /* a program without a loader: nothing can be preloaded */
    CK_ELF_DYNAMIC,
};

/** Look at a file.
 *
 * @param ret  for CK_ELF_STATIC and CK_ELF_DYNAMIC; otherwise NULL */
enum ck_elf_sort ck_elf_open(const char *path, struct ck_elf **ret);

/** NULL does nothing. */
void ck_elf_close(struct ck_elf *elf);

/** Whether some of it was compiled with -fsanitize=thread, and leaves the runtime to others. */
bool ck_elf_is_instrumented(const struct ck_elf *elf);

/** Whether it asks for a library whose name begins so: "libtsan.so". */
bool ck_elf_needs(const struct ck_elf *elf, const char *prefix);

/** Whether it has a note of that owner and number. */
bool ck_elf_has_note(const struct ck_elf *elf, const char *owner, uint32_t type);

/** The identity that the linker gave it; 0 bytes: none. */
size_t ck_elf_build_id(const struct ck_elf *elf, uint8_t *to, size_t room);

/** A number that files of other contents do not have, most probably: for those without an
 * identity. */
uint64_t ck_elf_contents(const struct ck_elf *elf);

/** The function or variable that an address belongs to.
 *
 * @param offset      from the load address
 * @param ret_offset  within it
 * @return its name, until ck_elf_close(); NULL: none is known */
const char *ck_elf_symbol(const struct ck_elf *elf, uint64_t offset, uint64_t *ret_offset);
