/* SPDX-License-Identifier: MIT */
/* memory.c - memset, memcpy, str*: accesses that the compiler leaves to libc.
 *
 * Called from an instrumented module they are reads and writes of ranges, each at most one
 * scheduling point; called from anywhere else, and under no control, they are libc's. What is read
 * is what is there after the point: how long a string is, is looked at then.
 *
 *   Y1  what is called while libc's own are looked up, by that or by the runtime, has a way without
 *       them
 *
 * Checked by: tests/check */
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "check/runtime/access.h"
#include "check/runtime/modules.h"
#include "check/runtime/next.h"
#include "check/runtime/sched.h"

#define REAL(function) CK_NEXT(function)

/* --- Y1. The compiler must not know these loops for what they are --- */

/* clang is told by -fno-builtin. */
#ifdef __clang__
#define BY_HAND __attribute__((noinline))
#else
#define BY_HAND __attribute__((noinline, optimize("no-tree-loop-distribute-patterns")))
#endif

BY_HAND static void *memset_by_hand(void *to, int byte, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((unsigned char *)to)[i] = (unsigned char)byte;
    return to;
}

BY_HAND static void *memmove_by_hand(void *to, const void *from, size_t bytes)
{
    const unsigned char *source = from;
    unsigned char *target = to;

    if ((uintptr_t)to - (uintptr_t)from >= bytes) {
        for (size_t i = 0; i < bytes; i++)
            target[i] = source[i];
    } else {
        while (bytes-- > 0)
            target[bytes] = source[bytes];
    }
    return to;
}

BY_HAND static int memcmp_by_hand(const void *one, const void *other, size_t bytes)
{
    const unsigned char *a = one, *b = other;

    for (size_t i = 0; i < bytes; i++) {
        if (a[i] != b[i])
            return a[i] - b[i];
    }
    return 0;
}

BY_HAND static size_t strlen_by_hand(const char *text)
{
    size_t length = 0;

    while (text[length])
        length++;
    return length;
}

BY_HAND static int strncmp_by_hand(const char *one, const char *other, size_t most)
{
    size_t i = 0;

    while (i + 1 < most && one[i] && one[i] == other[i])
        i++;
    return most ? (unsigned char)one[i] - (unsigned char)other[i] : 0;
}

static struct {
    __typeof__(memset) *memset;
    __typeof__(memcpy) *memcpy;
    __typeof__(memmove) *memmove;
    __typeof__(memcmp) *memcmp;
    __typeof__(strlen) *strlen;
    __typeof__(strncmp) *strncmp;
} real;

static enum { NOT_LOOKED_UP, LOOKING_UP, LOOKED_UP } readiness;

static void look_up(void)
{
    readiness = LOOKING_UP;
    real.memset = REAL(memset);
    real.memcpy = REAL(memcpy);
    real.memmove = REAL(memmove);
    real.memcmp = REAL(memcmp);
    real.strlen = REAL(strlen);
    real.strncmp = REAL(strncmp);
    readiness = LOOKED_UP;
}

static inline bool is_ready(void)
{
    if (rvi_likely(readiness == LOOKED_UP))
        return true;
    if (readiness == NOT_LOOKED_UP)
        look_up();
    return readiness == LOOKED_UP;
}

/* --- what is told --- */

static bool is_seen(uintptr_t pc)
{
    return ck_self && !ck_self->inside && ck_access_is_on() && ck_module_is_instrumented(pc);
}

static void point(const void *at, size_t bytes, bool is_write, uintptr_t pc)
{
    if (bytes > 0)
        ck_access_point((uintptr_t)at, bytes, is_write, pc);
}

/* Points are over: what is recorded now is what happens now. */
static void record(const void *at, size_t bytes, bool is_write, uintptr_t pc)
{
    ck_self->inside++;
    ck_access_range((uintptr_t)at, bytes, is_write, pc);
    ck_self->inside--;
}

static void reads(const void *at, size_t bytes, uintptr_t pc)
{
    if (!is_seen(pc))
        return;
    point(at, bytes, false, pc);
    record(at, bytes, false, pc);
}

static void reads_two(const void *one, const void *other, size_t bytes, uintptr_t pc)
{
    reads(one, bytes, pc);
    reads(other, bytes, pc);
}

static void writes(const void *at, size_t bytes, uintptr_t pc)
{
    if (!is_seen(pc))
        return;
    point(at, bytes, true, pc);
    record(at, bytes, true, pc);
}

static void copies(const void *to, const void *from, size_t bytes, uintptr_t pc)
{
    if (!is_seen(pc))
        return;
    point(from, bytes, false, pc);
    point(to, bytes, true, pc);
    record(from, bytes, false, pc);
    record(to, bytes, true, pc);
}

/* With its end, or `most` bytes. */
static size_t string_bytes(const char *text, size_t most)
{
    size_t length = REAL(strnlen)(text, most);

    return length < most ? length + 1 : most;
}

static void reads_text(const char *text, size_t most, uintptr_t pc)
{
    if (!is_seen(pc) || most == 0)
        return;
    point(text, 1, false, pc);
    record(text, string_bytes(text, most), false, pc);
}

/* Up to where they differ: what is behind that is not read. */
static void reads_both(const char *one, const char *other, size_t most, uintptr_t pc)
{
    size_t same = 0;

    if (!is_seen(pc) || most == 0)
        return;
    point(one, 1, false, pc);
    point(other, 1, false, pc);
    while (same + 1 < most && one[same] && one[same] == other[same])
        same++;
    record(one, same + 1, false, pc);
    record(other, same + 1, false, pc);
}

static void copies_text(char *to, const char *from, uintptr_t pc)
{
    if (!is_seen(pc))
        return;
    point(from, 1, false, pc);
    point(to, 1, true, pc);
    record(from, string_bytes(from, SIZE_MAX), false, pc);
    record(to, string_bytes(from, SIZE_MAX), true, pc);
}

static void appends_text(char *to, const char *from, size_t most, uintptr_t pc)
{
    size_t length, bytes;

    if (!is_seen(pc))
        return;
    point(from, 1, false, pc);
    point(to, 1, true, pc);
    length = REAL(strlen)(to);
    bytes = string_bytes(from, most);
    record(to, length + 1, false, pc);
    record(from, bytes, false, pc);
    record(to + length, bytes, true, pc);
}

/* --- bytes --- */

CK_EXPORT void *memset(void *to, int byte, size_t bytes)
{
    if (!is_ready())
        return memset_by_hand(to, byte, bytes);
    writes(to, bytes, CK_CALLER);
    return real.memset(to, byte, bytes);
}

CK_EXPORT void bzero(void *to, size_t bytes)
{
    writes(to, bytes, CK_CALLER);
    REAL(bzero)(to, bytes);
}

CK_EXPORT void explicit_bzero(void *to, size_t bytes)
{
    writes(to, bytes, CK_CALLER);
    REAL(explicit_bzero)(to, bytes);
}

CK_EXPORT void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    if (!is_ready())
        return memmove_by_hand(to, from, bytes);
    copies(to, from, bytes, CK_CALLER);
    return real.memcpy(to, from, bytes);
}

CK_EXPORT void *mempcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    copies(to, from, bytes, CK_CALLER);
    return REAL(mempcpy)(to, from, bytes);
}

CK_EXPORT void *memmove(void *to, const void *from, size_t bytes)
{
    if (!is_ready())
        return memmove_by_hand(to, from, bytes);
    copies(to, from, bytes, CK_CALLER);
    return real.memmove(to, from, bytes);
}

CK_EXPORT void bcopy(const void *from, void *to, size_t bytes)
{
    copies(to, from, bytes, CK_CALLER);
    REAL(bcopy)(from, to, bytes);
}

CK_EXPORT int memcmp(const void *one, const void *other, size_t bytes)
{
    if (!is_ready())
        return memcmp_by_hand(one, other, bytes);
    reads_two(one, other, bytes, CK_CALLER);
    return real.memcmp(one, other, bytes);
}

CK_EXPORT int bcmp(const void *one, const void *other, size_t bytes)
{
    reads_two(one, other, bytes, CK_CALLER);
    return REAL(bcmp)(one, other, bytes);
}

CK_EXPORT void *memchr(const void *at, int byte, size_t bytes)
{
    void *found;

    if (!is_seen(CK_CALLER))
        return REAL(memchr)(at, byte, bytes);
    point(at, bytes, false, CK_CALLER);
    found = REAL(memchr)(at, byte, bytes);
    record(at, found ? (size_t)((char *)found - (const char *)at) + 1 : bytes, false, CK_CALLER);
    return found;
}

/* --- texts --- */

CK_EXPORT size_t strlen(const char *text)
{
    if (!is_ready())
        return strlen_by_hand(text);
    reads_text(text, SIZE_MAX, CK_CALLER);
    return real.strlen(text);
}

CK_EXPORT size_t strnlen(const char *text, size_t most)
{
    reads_text(text, most, CK_CALLER);
    return REAL(strnlen)(text, most);
}

CK_EXPORT int strcmp(const char *one, const char *other)
{
    reads_both(one, other, SIZE_MAX, CK_CALLER);
    return REAL(strcmp)(one, other);
}

CK_EXPORT int strncmp(const char *one, const char *other, size_t most)
{
    if (!is_ready())
        return strncmp_by_hand(one, other, most);
    reads_both(one, other, most, CK_CALLER);
    return real.strncmp(one, other, most);
}

CK_EXPORT char *strchr(const char *text, int byte)
{
    reads_text(text, SIZE_MAX, CK_CALLER);
    return REAL(strchr)(text, byte);
}

CK_EXPORT char *strrchr(const char *text, int byte)
{
    reads_text(text, SIZE_MAX, CK_CALLER);
    return REAL(strrchr)(text, byte);
}

CK_EXPORT char *strcpy(char *restrict to, const char *restrict from)
{
    copies_text(to, from, CK_CALLER);
    return REAL(strcpy)(to, from);
}

CK_EXPORT char *stpcpy(char *restrict to, const char *restrict from)
{
    copies_text(to, from, CK_CALLER);
    return REAL(stpcpy)(to, from);
}

/* All `bytes` of `to` are written. */
CK_EXPORT char *strncpy(char *restrict to, const char *restrict from, size_t bytes)
{
    reads_text(from, bytes, CK_CALLER);
    writes(to, bytes, CK_CALLER);
    return REAL(strncpy)(to, from, bytes);
}

CK_EXPORT char *strcat(char *restrict to, const char *restrict from)
{
    appends_text(to, from, SIZE_MAX, CK_CALLER);
    return REAL(strcat)(to, from);
}

CK_EXPORT char *strncat(char *restrict to, const char *restrict from, size_t most)
{
    appends_text(to, from, most, CK_CALLER);
    return REAL(strncat)(to, from, most);
}

CK_EXPORT char *strdup(const char *text)
{
    reads_text(text, SIZE_MAX, CK_CALLER);
    return REAL(strdup)(text);
}

CK_EXPORT char *strndup(const char *text, size_t most)
{
    reads_text(text, most, CK_CALLER);
    return REAL(strndup)(text, most);
}

/* --- the same, as _FORTIFY_SOURCE calls them --- */

CK_EXPORT void *__memset_chk(void *to, int byte, size_t bytes, size_t room);
CK_EXPORT void *__memcpy_chk(void *to, const void *from, size_t bytes, size_t room);
CK_EXPORT void *__memmove_chk(void *to, const void *from, size_t bytes, size_t room);
CK_EXPORT char *__strcpy_chk(char *to, const char *from, size_t room);
CK_EXPORT char *__strcat_chk(char *to, const char *from, size_t room);
CK_EXPORT char *__strncpy_chk(char *to, const char *from, size_t bytes, size_t room);

void *__memset_chk(void *to, int byte, size_t bytes, size_t room)
{
    writes(to, bytes < room ? bytes : room, CK_CALLER);
    return REAL(__memset_chk)(to, byte, bytes, room);
}

void *__memcpy_chk(void *to, const void *from, size_t bytes, size_t room)
{
    copies(to, from, bytes < room ? bytes : room, CK_CALLER);
    return REAL(__memcpy_chk)(to, from, bytes, room);
}

void *__memmove_chk(void *to, const void *from, size_t bytes, size_t room)
{
    copies(to, from, bytes < room ? bytes : room, CK_CALLER);
    return REAL(__memmove_chk)(to, from, bytes, room);
}

char *__strcpy_chk(char *to, const char *from, size_t room)
{
    copies_text(to, from, CK_CALLER);
    return REAL(__strcpy_chk)(to, from, room);
}

char *__strcat_chk(char *to, const char *from, size_t room)
{
    appends_text(to, from, SIZE_MAX, CK_CALLER);
    return REAL(__strcat_chk)(to, from, room);
}

char *__strncpy_chk(char *to, const char *from, size_t bytes, size_t room)
{
    reads_text(from, bytes, CK_CALLER);
    writes(to, bytes < room ? bytes : room, CK_CALLER);
    return REAL(__strncpy_chk)(to, from, bytes, room);
}

/* --- the same, as newer compilers call them --- */

CK_EXPORT void *__tsan_memset(void *to, int byte, size_t bytes);
CK_EXPORT void *__tsan_memcpy(void *to, const void *from, size_t bytes);
CK_EXPORT void *__tsan_memmove(void *to, const void *from, size_t bytes);

void *__tsan_memset(void *to, int byte, size_t bytes)
{
    writes(to, bytes, CK_CALLER);
    return REAL(memset)(to, byte, bytes);
}

void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    copies(to, from, bytes, CK_CALLER);
    return REAL(memcpy)(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
    copies(to, from, bytes, CK_CALLER);
    return REAL(memmove)(to, from, bytes);
}
