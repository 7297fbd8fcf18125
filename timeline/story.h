/* SPDX-License-Identifier: MIT */
/* story.h - a trace in memory, as `ravel trace` writes it and as pictures are made of it:
 * Google's Trace Event Format, whatever categories and arguments it has. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TL_NO_TEXT = 0 }; /* the empty one */

#define TL_NO_NUMBER UINT64_MAX

/* An argument: a number, or a text; what is neither is kept as the text that stands there. */
struct tl_value {
    uint32_t key, text;
    int64_t number; /* where text is TL_NO_TEXT */
};

/* Texts are numbers, for struct tl_story. A name is a text and a number behind it: "task 7". */
struct tl_event {
    char phase; /* 'X', 'b', 'e', 's', 'f', 'i' */
    uint32_t category, name;
    uint64_t name_number; /* or TL_NO_NUMBER */
    uint32_t lane;
    int64_t at_ns;    /* from the begin of the trace */
    int64_t lasts_ns; /* of 'X' */
    uint64_t id;      /* of 'b' and 'e', 's' and 'f' */
    size_t values;    /* the first of them */
    uint32_t value_count;
};

/* A worker, or what else events are of. */
struct tl_lane {
    int64_t process, thread;
    uint32_t name, process_name;
    int64_t rank; /* among lanes; those that have none are ordered by their numbers */
    bool has_rank;
};

struct tl_story {
    struct tl_event *events; /* in the order of the file */
    size_t count, room;
    struct tl_value *values;
    size_t value_count, value_room;
    struct tl_lane *lanes;
    size_t lane_count, lane_room;
    struct tl_text {
        size_t at; /* in bytes */
        uint64_t hash;
    } * texts;
    size_t text_count, text_room;
    char *bytes;
    size_t byte_count, byte_room;
    uint32_t *places; /* of texts by their hash */
    size_t place_count;
    int64_t lost;    /* events that were overwritten before they were read */
    int64_t ends_ns; /* the last that is known */
};

/** Read a trace.
 *
 * @param ret       tl_story_free() it
 * @param why       on failure a sentence
 * @return 0; -EINVAL: it is none; -ENOMEM; what reading failed with */
int tl_story_read(FILE *from, struct tl_story **ret, char *why, size_t why_room)
    __attribute__((warn_unused_result));

/** NULL does nothing. */
void tl_story_free(struct tl_story *story);

const char *tl_story_text(const struct tl_story *story, uint32_t text);

/** What was typed to run it, without the folder that the program is in. */
const char *tl_story_title(const struct tl_story *story);

/** A value of an event by its name; NULL: it has none. */
const struct tl_value *tl_story_value(const struct tl_story *story, const struct tl_event *event,
                                      const char *key);
