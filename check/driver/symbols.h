/* SPDX-License-Identifier: MIT */
/* symbols.h - places and addresses of a checked program, as its author knows them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check/wire.h"

struct ck_symbols;

enum { CK_LINE_BYTES = 200 };

/* What is known of a place; what is not is "" or 0. The texts live as long as the symbols. */
struct ck_source {
    const char *function;
    const char *path; /* as the compiler was given it */
    const char *file; /* the last part of path, or the module's when there is no line */
    unsigned line;
    char text[CK_LINE_BYTES]; /* the line itself, without its margin */
    bool is_users;            /* neither of the system's libraries nor of their headers */
};

/** For the modules of one process, as they are now in the mapping. NULL: no memory. */
struct ck_symbols *ck_symbols_new(const struct ck_shared *shared);

/** NULL does nothing. */
void ck_symbols_free(struct ck_symbols *symbols);

/** The source of a place. */
void ck_symbols_source(struct ck_symbols *symbols, struct ck_place place, struct ck_source *ret);

/** The frame of a party that its author wrote: the innermost, when none is. */
void ck_symbols_frame(struct ck_symbols *symbols, const struct ck_party *party,
                      struct ck_source *ret);

/** Write the name of a variable of the program: "counter", "accounts[1].lock", "buffer+12".
 * False: the address belongs to none. */
bool ck_symbols_variable(struct ck_symbols *symbols, uint64_t address, char *to, size_t room);

/** The place of an address in code, or of a variable. Offset 0 of module 0: of none. */
struct ck_place ck_symbols_place(const struct ck_symbols *symbols, uint64_t address);
