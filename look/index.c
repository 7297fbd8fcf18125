/* SPDX-License-Identifier: MIT */
/* index.c - open addressing, at most half full; nothing is ever taken out. */
#include "look/index.h"

#include <errno.h>

#include "base/alloc.h"

enum { FIRST_SIZE = 64 };

/* Multiplication spreads the upper bits (Knuth, The Art of Computer Programming 3, 6.4). */
static struct look_index_place *place_of(const struct look_index *index, uint64_t address)
{
    size_t at = (size_t)((address * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (index->size - 1);

    while (index->places[at].address && index->places[at].address != address)
        at = (at + 1) & (index->size - 1);
    return &index->places[at];
}

static int grow(struct look_index *index)
{
    struct look_index larger = {.size = index->size ? index->size * 2 : FIRST_SIZE};

    larger.places = rvi_calloc(larger.size, sizeof *larger.places);
    if (!larger.places)
        return -ENOMEM;
    for (size_t i = 0; i < index->size; i++) {
        if (index->places[i].address)
            *place_of(&larger, index->places[i].address) = index->places[i];
    }
    larger.count = index->count;
    rvi_free(index->places);
    *index = larger;
    return 0;
}

int look_index_put(struct look_index *index, uint64_t address, int64_t number)
{
    if (index->count * 2 >= index->size && grow(index) < 0)
        return -ENOMEM;
    struct look_index_place *place = place_of(index, address);
    index->count += place->address == 0;
    *place = (struct look_index_place){address, number};
    return 0;
}

int64_t look_index_get(const struct look_index *index, uint64_t address)
{
    const struct look_index_place *place = index->size && address ? place_of(index, address) : NULL;

    return place && place->address ? place->number : LOOK_NONE;
}

void look_index_fini(struct look_index *index)
{
    rvi_free(index->places);
    *index = (struct look_index){0};
}
