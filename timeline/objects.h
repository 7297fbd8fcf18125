/* SPDX-License-Identifier: MIT */
/* objects.h - what tasks wait for, by the names that it has while they do. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "look/index.h"
#include "trace/event.h"
#include "trace/shared.h"

struct tl_thing;

/** What is known of all of them while events go by; zeroed: of none. */
struct tl_objects {
    const struct rvi_trace_shared *texts;
    struct tl_thing *things;
    size_t count, room;
    struct look_index at;
    uint64_t numbered;
};

void tl_objects_fini(struct tl_objects *objects);

/** A THING event of a process. */
void tl_objects_learn(struct tl_objects *objects, pid_t pid, const struct rvi_trace_event *event);

/** One of them: by its name or its number, both 0: not told. */
struct tl_object {
    uint64_t text, number;
    uint64_t address; /* 0: it has none */
};

static inline bool tl_object_is_told(const struct tl_object *object)
{
    return object->text || object->number;
}

/** What is waited for by a PARK event. */
struct tl_object tl_objects_of(struct tl_objects *objects, pid_t pid,
                               const struct rvi_trace_event *event);

enum { TL_OBJECT_BYTES = RVI_TRACE_NAME_BYTES + 64 };

/** `before` and what it is called; that alone if it is not told. Returns `room`, of
 * TL_OBJECT_BYTES. */
const char *tl_object_words(const struct tl_objects *objects, const struct tl_object *object,
                            const char *before, char *room);
