/* SPDX-License-Identifier: MIT */
/* arena.c - the runtime's own memory: a pointer that rises, and lists of what was given back.
 *
 *   A1  a piece is of its class's size: multiples of 16 up to SMALL_BYTES, powers of two above
 *   A2  memory above the pointer has never been touched, so it is zero; what comes from a list is
 *       cleared when it is given out
 *
 * The server makes no use of it between executions, so each starts from the same state, and the
 * pages that it touches are its own copies, which end with it.
 *
 * Rejected: src/base/heap.c, which is for shared memory and checks what it is given. */
#include "check/runtime/arena.h"

#include <string.h>
#include <sys/mman.h>

#include "base/check.h"
#include "check/runtime/fail.h"
#include "check/runtime/layout.h"

enum { UNIT = 16, SMALL_BYTES = 1024, SMALL_CLASSES = SMALL_BYTES / UNIT, CLASSES = 64 + 64 };

struct piece {
    struct piece *next;
};

static struct piece *spare[CLASSES];
static char *next_free, *end;

void *ck_map_at(uint64_t address, uint64_t bytes, int protection)
{
    void *wanted = (void *)(uintptr_t)address;
    void *got = mmap(wanted, bytes, protection,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

    if (got != wanted)
        rvi_panic("check: the address space is taken at %p", wanted);
    return got;
}

/* Its number, and its size in *bytes. */
static unsigned class_of(size_t *bytes)
{
    if (*bytes <= SMALL_BYTES) {
        unsigned units = *bytes ? (unsigned)((*bytes + UNIT - 1) / UNIT) : 1;
        *bytes = (size_t)units * UNIT;
        return units - 1;
    }
    unsigned power = 64 - (unsigned)__builtin_clzll(*bytes - 1);
    *bytes = (size_t)1 << power;
    return SMALL_CLASSES + power;
}

static void *take_fresh(size_t bytes)
{
    if (!next_free) {
        next_free = ck_map_at(CK_AT_ARENA, CK_ARENA_BYTES, PROT_READ | PROT_WRITE);
        end = next_free + CK_ARENA_BYTES;
    }
    if (bytes > (size_t)(end - next_free))
        ck_unable("the checker needs more than %zu MiB for itself", (size_t)(CK_ARENA_BYTES >> 20));
    void *piece = next_free;
    next_free += bytes;
    return piece;
}

void *ck_alloc(size_t bytes)
{
    unsigned class = class_of(&bytes);
    struct piece *piece = spare[class];

    if (!piece)
        return take_fresh(bytes);
    spare[class] = piece->next;
    memset(piece, 0, bytes);
    return piece;
}

void ck_free(void *memory, size_t bytes)
{
    struct piece *piece = memory;

    if (!piece)
        return;
    unsigned class = class_of(&bytes);
    piece->next = spare[class];
    spare[class] = piece;
}
