/* SPDX-License-Identifier: MIT */
/* array.h - arrays that grow while a program is looked at. */
#pragma once

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

/** One more element, zeroed, behind the `count` that there are; NULL: no memory.
 *
 * @param array  the address of a pointer, of whatever type
 * @param room   for so many there is room */
static inline void *look_one_more(void *array, size_t *room, size_t count, size_t bytes)
{
    char *elements;

    memcpy(&elements, array, sizeof elements);
    if (count == *room) {
        size_t larger = *room ? *room * 2 : 16;
        elements = rvi_realloc(elements, larger * bytes);
        if (!elements)
            return NULL;
        memcpy(array, &elements, sizeof elements);
        *room = larger;
    }
    return memset(elements + count * bytes, 0, bytes);
}
