/* SPDX-License-Identifier: MIT */
/* objects.c - from addresses to names.
 *
 * An address is one within its process. What was given a name has it from then on until that is
 * gone, and what lies there afterwards is something else. What never had one is numbered when
 * somebody first waits for it; of that nobody hears when another comes to lie there, which then has
 * the same number.
 *
 * Without memory things go without names.
 *
 * Checked by: tests/look/test_deeds.py */
#include "timeline/objects.h"

#include <stdio.h>

#include "base/alloc.h"
#include "look/snapshot.h"

enum { ADDRESS_BITS = 48 };

/* What lies at an address, or did. */
struct tl_thing {
    uint64_t number; /* from 1; 0: nobody has waited for it while it had no name */
    uint64_t text;   /* its name; 0: none */
    uint64_t name;   /* the number of that name */
};

static struct tl_thing *thing_at(struct tl_objects *objects, pid_t pid, uint64_t address)
{
    uint64_t key = address ^ (uint64_t)pid << ADDRESS_BITS;
    int64_t index = look_index_get(&objects->at, key);

    if (index != LOOK_NONE)
        return &objects->things[index];
    if (objects->count == objects->room) {
        size_t room = objects->room ? objects->room * 2 : 64;
        struct tl_thing *larger = rvi_realloc(objects->things, room * sizeof *larger);
        if (!larger)
            return NULL;
        objects->things = larger;
        objects->room = room;
    }
    if (look_index_put(&objects->at, key, (int64_t)objects->count) < 0)
        return NULL;
    objects->things[objects->count] = (struct tl_thing){0};
    return &objects->things[objects->count++];
}

/* The end of a name that another has followed is none. */
void tl_objects_learn(struct tl_objects *objects, pid_t pid, const struct rvi_trace_event *event)
{
    struct tl_thing *thing = thing_at(objects, pid, event->task);
    uint64_t text = rvi_trace_thing_text(event), name = rvi_trace_thing_number(event);

    if (thing && (text || thing->name == name))
        *thing = (struct tl_thing){.text = text, .name = name};
}

struct tl_object tl_objects_of(struct tl_objects *objects, pid_t pid,
                               const struct rvi_trace_event *event)
{
    uint64_t told = rvi_trace_object(event);

    if (rvi_trace_low(event) == RVI_WHY_FUTURE)
        return (struct tl_object){.text = told};
    struct tl_thing *thing = told ? thing_at(objects, pid, told) : NULL;
    if (!thing)
        return (struct tl_object){0};
    if (!thing->text && !thing->number)
        thing->number = ++objects->numbered;
    return (struct tl_object){.text = thing->text, .number = thing->number, .address = told};
}

const char *tl_object_words(const struct tl_objects *objects, const struct tl_object *object,
                            const char *before, char *room)
{
    const struct rvi_trace_text *text = rvi_trace_shared_find(objects->texts, object->text);
    const char *gap = *before ? " " : "";

    if (text)
        snprintf(room, TL_OBJECT_BYTES, "%s%s%s", before, gap, text->name);
    else if (object->number)
        snprintf(room, TL_OBJECT_BYTES, "%s%s#%llu", before, gap,
                 (unsigned long long)object->number);
    else
        snprintf(room, TL_OBJECT_BYTES, "%s", before);
    return room;
}

void tl_objects_fini(struct tl_objects *objects)
{
    rvi_free(objects->things);
    look_index_fini(&objects->at);
}
