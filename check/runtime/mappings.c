/* SPDX-License-Identifier: MIT */
/* mappings.c - mmap() and its kin: memory that comes and goes without the heap.
 *
 *   G1  memory that is mapped is fresh: what was done before at its addresses is forgotten
 *   G2  where the program leaves the choice to the kernel, it gets the same addresses in every
 *       process, one after the other and none twice: what is used after munmap() crashes
 *
 * Checked by: tests/check/must_pass/mapped_again.c */
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>

#include "check/runtime/clocks.h"
#include "check/runtime/layout.h"
#include "check/runtime/next.h"
#include "check/runtime/sched.h"

enum { PAGE = 4096 };

static uint64_t given; /* from CK_AT_MAPPINGS on */

/* A hint: the kernel takes another place if this one is taken. A page stays free behind each. */
static void *place(size_t bytes)
{
    uint64_t needed = ((uint64_t)bytes + 2 * PAGE - 1) / PAGE * PAGE, at = CK_AT_MAPPINGS + given;

    if (needed > CK_MAPPINGS_BYTES - given)
        return NULL;
    given += needed;
    return (void *)at;
}

/* G1 */
static void *fresh(void *at, size_t bytes)
{
    if (at != MAP_FAILED)
        ck_hb_forget((uintptr_t)at, bytes);
    return at;
}

/* The header may give mmap() the other name; the two are one where off_t has 64 bits. */
CK_EXPORT void *map(void *at, size_t bytes, int protection, int flags, int fd,
                    off_t offset) __asm__("mmap");
CK_EXPORT void *map64(void *at, size_t bytes, int protection, int flags, int fd,
                      off_t offset) __asm__("mmap64") __attribute__((alias("mmap")));

void *map(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (!ck_enter())
        return CK_NEXT(mmap)(at, bytes, protection, flags, fd, offset);
    if (!at)
        at = place(bytes);
    at = fresh(CK_NEXT(mmap)(at, bytes, protection, flags, fd, offset), bytes);
    ck_leave();
    return at;
}

CK_EXPORT int munmap(void *at, size_t bytes)
{
    int result;

    if (!ck_enter())
        return CK_NEXT(munmap)(at, bytes);
    result = CK_NEXT(munmap)(at, bytes);
    if (result == 0)
        ck_hb_forget((uintptr_t)at, bytes);
    ck_leave();
    return result;
}

CK_EXPORT void *mremap(void *at, size_t bytes, size_t new_bytes, int flags, ...)
{
    void *to = NULL, *result;
    va_list args;

    va_start(args, flags);
    if (flags & MREMAP_FIXED)
        to = va_arg(args, void *);
    va_end(args);
    result = CK_NEXT(mremap)(at, bytes, new_bytes, flags, to);
    return ck_self && result != at ? fresh(result, new_bytes) : result;
}
