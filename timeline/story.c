/* SPDX-License-Identifier: MIT */
/* story.c - reading the Trace Event Format (JSON, RFC 8259) into tables.
 *
 * Of a million events there are a hundred megabytes of text, so nothing is kept of it but numbers:
 * each different text is stored once, and a name that ends with a number is a text and that number.
 * The whole of the file is in memory while it is read, and read once, from its begin to its end.
 * Nothing is known here of what there may be events of.
 *
 * Phases without a place in a picture (metadata but names, counters) are passed over.
 *
 * Checked by: tests/unit/timeline/test_story.c, tests/look/test_trace_page.py */
#include "timeline/story.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"
#include "lab/lexer.h"

struct reader {
    struct lab_lexer in;
    struct tl_story *story;
    uint32_t last_lane;
};

/* --- tables --- */

/* `array` is the address of a pointer, of whatever type. */
static int grow(void *array, size_t *room, size_t wanted, size_t bytes)
{
    void *before, *larger;
    size_t count = *room ? *room : 64;

    if (wanted <= *room)
        return 0;
    while (count < wanted)
        count *= 2;
    memcpy(&before, array, sizeof before);
    larger = rvi_realloc(before, count * bytes);
    if (!larger)
        return -ENOMEM;
    memcpy(array, &larger, sizeof larger);
    *room = count;
    return 0;
}

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
    return hash;
}

static uint32_t *place_of(struct tl_story *s, uint64_t hash, const char *text, size_t bytes)
{
    size_t i = hash & (s->place_count - 1);

    for (; s->places[i]; i = (i + 1) & (s->place_count - 1)) {
        const struct tl_text *there = &s->texts[s->places[i] - 1];
        if (there->hash == hash && memcmp(s->bytes + there->at, text, bytes) == 0 &&
            s->bytes[there->at + bytes] == 0)
            break;
    }
    return &s->places[i];
}

static int make_places(struct tl_story *s)
{
    size_t count = s->place_count ? s->place_count * 2 : 1024;
    uint32_t *places;

    if ((s->text_count + 1) * 2 <= s->place_count)
        return 0;
    places = rvi_calloc(count, sizeof *places);
    if (!places)
        return -ENOMEM;
    for (uint32_t i = 0; i < s->text_count; i++) {
        size_t at = s->texts[i].hash & (count - 1);
        while (places[at])
            at = (at + 1) & (count - 1);
        places[at] = i + 1;
    }
    rvi_free(s->places);
    s->places = places;
    s->place_count = count;
    return 0;
}

/* The number of a text, which holds no zero. */
static int intern(struct tl_story *s, const char *text, size_t bytes, uint32_t *ret)
{
    uint64_t hash = hash_of(text, bytes);
    /* A zero behind it is what place_of() may look at past the last text. */
    int r = grow(&s->bytes, &s->byte_room, s->byte_count + 2 * bytes + 2, 1);

    r = r < 0 ? r : grow(&s->texts, &s->text_room, s->text_count + 1, sizeof *s->texts);
    r = r < 0 ? r : make_places(s);
    if (r < 0)
        return r;
    memset(s->bytes + s->byte_count, 0, bytes + 1);
    uint32_t *place = place_of(s, hash, text, bytes);
    if (*place == 0) {
        s->texts[s->text_count] = (struct tl_text){s->byte_count, hash};
        memcpy(s->bytes + s->byte_count, text, bytes);
        s->byte_count += bytes;
        s->bytes[s->byte_count++] = 0;
        *place = (uint32_t)++s->text_count;
    }
    *ret = *place - 1;
    return 0;
}

const char *tl_story_text(const struct tl_story *story, uint32_t text)
{
    return story->bytes + story->texts[text].at;
}

const struct tl_value *tl_story_value(const struct tl_story *story, const struct tl_event *event,
                                      const char *key)
{
    for (uint32_t i = 0; i < event->value_count; i++) {
        const struct tl_value *value = &story->values[event->values + i];
        if (strcmp(tl_story_text(story, value->key), key) == 0)
            return value;
    }
    return NULL;
}

const char *tl_story_title(const struct tl_story *story)
{
    const char *words = story->lane_count ? tl_story_text(story, story->lanes[0].process_name) : "";
    const char *end = words + strcspn(words, " "), *at = end;

    while (at > words && at[-1] != '/')
        at--;
    at = at < end ? at : words;
    return at[0] ? at : "a trace";
}

/* --- JSON --- */

static struct reader *reader_of(struct lab_lexer *l)
{
    return rvi_container_of(l, struct reader, in);
}

static bool fail(struct reader *r, const char *expected)
{
    return lab_lexer_fail(&r->in, -EINVAL, expected);
}

static bool check(struct reader *r, int err)
{
    return err == 0 || lab_lexer_fail(&r->in, err, "no memory");
}

/* Hands each member to `read`, which takes its value. */
static bool read_object(struct reader *r, bool (*read)(struct lab_lexer *l, void *arg), void *arg)
{
    if (lab_lexer_peek(&r->in) != '{')
        return fail(r, "an object is expected");
    return lab_lexer_inside(&r->in, read, arg);
}

static bool read_number(struct reader *r, double *ret)
{
    if (!lab_lexer_number(&r->in, ret))
        return false;
    return fabs(*ret) <= 9e15 || fail(r, "this number is too large");
}

static bool read_integer(struct reader *r, int64_t *ret)
{
    double number;

    if (!read_number(r, &number))
        return false;
    *ret = (int64_t)number;
    return true;
}

/* The format counts in microseconds. */
static bool read_time(struct reader *r, int64_t *ret)
{
    double number;

    if (!read_number(r, &number))
        return false;
    *ret = llround(number * 1e3);
    return true;
}

static bool read_text(struct reader *r, uint32_t *ret)
{
    return lab_lexer_string(&r->in) &&
           check(r, intern(r->story, r->in.text, r->in.text_bytes, ret));
}

/* --- events --- */

/* An event while its members are read: they come in any order. */
struct draft {
    struct tl_event event;
    int64_t process, thread;
    uint32_t inside; /* of metadata: the name in its arguments */
    int64_t rank;
    bool has_rank;
};

/* A number from 0 to 10^15 - 1 behind a blank, without leading zeros. @return where the blank is */
static size_t number_behind(const char *text, size_t bytes, uint64_t *ret)
{
    size_t at = bytes;
    uint64_t number = 0, times = 1;

    for (; at > 0 && text[at - 1] >= '0' && text[at - 1] <= '9' && bytes - at < 15; times *= 10)
        number += (uint64_t)(text[--at] - '0') * times;
    bool is_one =
        at < bytes && at >= 2 && text[at - 1] == ' ' && (text[at] != '0' || at == bytes - 1);
    *ret = is_one ? number : TL_NO_NUMBER;
    return is_one ? at - 1 : bytes;
}

static bool read_name(struct reader *r, struct tl_event *event)
{
    if (!lab_lexer_string(&r->in))
        return false;
    size_t bytes = number_behind(r->in.text, r->in.text_bytes, &event->name_number);
    return check(r, intern(r->story, r->in.text, bytes, &event->name));
}

static bool read_id(struct reader *r, uint64_t *ret)
{
    int64_t number;

    if (lab_lexer_peek(&r->in) == '"') {
        if (!lab_lexer_string(&r->in))
            return false;
        *ret = hash_of(r->in.text, r->in.text_bytes) | (uint64_t)1 << 63;
        return true;
    }
    if (!read_integer(r, &number))
        return false;
    *ret = (uint64_t)number;
    return true;
}

/* Whole numbers stay numbers, as far as a script knows them exactly. */
static bool is_whole(const char *text, size_t bytes)
{
    size_t sign = text[0] == '-';

    return bytes > sign && bytes - sign < 16 && strspn(text + sign, "0123456789") >= bytes - sign;
}

static bool read_value(struct reader *r, struct tl_value *value)
{
    if (lab_lexer_peek(&r->in) == '"')
        return read_text(r, &value->text);
    const char *from = r->in.at;
    if (!lab_lexer_skip(&r->in))
        return false;
    size_t bytes = (size_t)(r->in.at - from);
    if (is_whole(from, bytes))
        return value->number = strtoll(from, NULL, 10), true;
    return check(r, intern(r->story, from, bytes, &value->text));
}

static bool read_argument(struct lab_lexer *l, void *arg)
{
    struct reader *r = reader_of(l);
    struct draft *draft = arg;
    struct tl_story *s = r->story;
    struct tl_value value = {0};
    bool is_name = strcmp(r->in.text, "name") == 0, is_rank = strcmp(r->in.text, "sort_index") == 0;

    if (!check(r, intern(s, r->in.text, r->in.text_bytes, &value.key)) || !read_value(r, &value) ||
        !check(r, grow(&s->values, &s->value_room, s->value_count + 1, sizeof *s->values)))
        return false;
    if (is_name)
        draft->inside = value.text;
    if (is_rank) {
        draft->rank = value.number;
        draft->has_rank = true;
    }
    s->values[s->value_count++] = value;
    draft->event.value_count++;
    return true;
}

static bool read_event_member(struct lab_lexer *l, void *arg)
{
    struct reader *r = reader_of(l);
    struct draft *draft = arg;
    struct tl_event *event = &draft->event;

    if (strcmp(r->in.text, "ph") == 0) {
        if (!lab_lexer_string(&r->in))
            return false;
        event->phase = r->in.text[0];
        return true;
    }
    if (strcmp(r->in.text, "name") == 0)
        return read_name(r, event);
    if (strcmp(r->in.text, "cat") == 0)
        return read_text(r, &event->category);
    if (strcmp(r->in.text, "ts") == 0)
        return read_time(r, &event->at_ns);
    if (strcmp(r->in.text, "dur") == 0)
        return read_time(r, &event->lasts_ns);
    if (strcmp(r->in.text, "pid") == 0)
        return read_integer(r, &draft->process);
    if (strcmp(r->in.text, "tid") == 0)
        return read_integer(r, &draft->thread);
    if (strcmp(r->in.text, "id") == 0)
        return read_id(r, &event->id);
    if (strcmp(r->in.text, "args") == 0)
        return read_object(r, read_argument, draft);
    return lab_lexer_skip(&r->in);
}

static uint32_t name_of_process(const struct tl_story *s, int64_t process)
{
    for (size_t i = 0; i < s->lane_count; i++) {
        if (s->lanes[i].process == process)
            return s->lanes[i].process_name;
    }
    return TL_NO_TEXT;
}

static bool find_lane(struct reader *r, int64_t process, int64_t thread, uint32_t *ret)
{
    struct tl_story *s = r->story;

    for (size_t i = 0; i < s->lane_count; i++) {
        uint32_t lane = (uint32_t)((i + r->last_lane) % s->lane_count);
        if (s->lanes[lane].thread == thread && s->lanes[lane].process == process)
            return *ret = r->last_lane = lane, true;
    }
    if (!check(r, grow(&s->lanes, &s->lane_room, s->lane_count + 1, sizeof *s->lanes)))
        return false;
    s->lanes[s->lane_count] = (struct tl_lane){
        .process = process, .thread = thread, .process_name = name_of_process(s, process)};
    *ret = r->last_lane = (uint32_t)s->lane_count++;
    return true;
}

static void name_process(struct tl_story *s, const struct draft *draft)
{
    for (size_t i = 0; i < s->lane_count; i++) {
        if (s->lanes[i].process == draft->process)
            s->lanes[i].process_name = draft->inside;
    }
}

/* Names are said of lanes that have had no event yet, too. */
static bool keep_metadata(struct reader *r, const struct draft *draft)
{
    struct tl_story *s = r->story;
    const char *what = tl_story_text(s, draft->event.name);
    uint32_t lane;

    if (!find_lane(r, draft->process, draft->thread, &lane))
        return false;
    if (strcmp(what, "process_name") == 0)
        name_process(s, draft);
    if (strcmp(what, "thread_name") == 0)
        s->lanes[lane].name = draft->inside;
    if (strcmp(what, "thread_sort_index") == 0) {
        s->lanes[lane].rank = draft->rank;
        s->lanes[lane].has_rank = draft->has_rank;
    }
    return true;
}

static bool keep_event(struct reader *r, struct draft *draft)
{
    struct tl_story *s = r->story;
    int64_t ends = draft->event.at_ns + draft->event.lasts_ns;

    if (draft->event.at_ns < 0 || draft->event.lasts_ns < 0)
        return fail(r, "an event is before the begin of the trace");
    if (!find_lane(r, draft->process, draft->thread, &draft->event.lane) ||
        !check(r, grow(&s->events, &s->room, s->count + 1, sizeof *s->events)))
        return false;
    s->events[s->count++] = draft->event;
    s->ends_ns = ends > s->ends_ns ? ends : s->ends_ns;
    return true;
}

static bool read_event(struct lab_lexer *l, void *arg)
{
    struct reader *r = reader_of(l);
    struct draft draft = {.event.values = r->story->value_count, .event.name_number = TL_NO_NUMBER};

    (void)arg;
    if (!read_object(r, read_event_member, &draft))
        return false;
    if (draft.event.phase == 'M')
        return keep_metadata(r, &draft);
    if (draft.event.phase && strchr("Xbesfi", draft.event.phase))
        return keep_event(r, &draft);
    r->story->value_count = draft.event.values;
    return true;
}

static bool read_events(struct reader *r)
{
    if (lab_lexer_peek(&r->in) != '[')
        return fail(r, "an array of events is expected");
    return lab_lexer_inside(&r->in, read_event, NULL);
}

static bool read_other(struct lab_lexer *l, void *arg)
{
    struct reader *r = reader_of(l);
    (void)arg;
    return strcmp(r->in.text, "lost") == 0 ? read_integer(r, &r->story->lost)
                                           : lab_lexer_skip(&r->in);
}

static bool read_part(struct lab_lexer *l, void *arg)
{
    struct reader *r = reader_of(l);
    bool *ret_has_events = arg;

    if (strcmp(r->in.text, "otherData") == 0)
        return read_object(r, read_other, NULL);
    if (strcmp(r->in.text, "traceEvents") != 0)
        return lab_lexer_skip(&r->in);
    *ret_has_events = true;
    return read_events(r);
}

static bool read_trace(struct reader *r)
{
    uint32_t empty;
    bool has_events = false;

    if (!check(r, intern(r->story, "", 0, &empty)) || !read_object(r, read_part, &has_events))
        return false;
    if (!has_events)
        return fail(r, "it has no \"traceEvents\"");
    return lab_lexer_peek(&r->in) == 0 || fail(r, "the end is expected");
}

/* --- the file --- */

static int read_file(FILE *from, char **ret)
{
    size_t room = 0, bytes = 0, more;
    int r = grow(ret, &room, 1 << 16, 1);

    while (r == 0 && (more = fread(*ret + bytes, 1, room - bytes - 1, from)) > 0) {
        bytes += more;
        if (bytes + 1 == room)
            r = grow(ret, &room, room + 1, 1);
    }
    if (r == 0 && ferror(from))
        r = errno ? -errno : -EIO;
    if (r == 0)
        (*ret)[bytes] = 0;
    return r;
}

int tl_story_read(FILE *from, struct tl_story **ret, char *why, size_t why_room)
{
    char *whole = NULL;
    struct reader r = {.in = {.line = 1, .mends = true, .resize = rvi_realloc},
                       .story = rvi_calloc(1, sizeof *r.story)};

    errno = 0;
    r.in.err = r.story ? read_file(from, &whole) : -ENOMEM;
    if (r.in.err == 0) {
        r.in.at = r.in.line_begin = whole;
        (void)read_trace(&r);
        if (r.in.err == -EINVAL) {
            char place[160];
            lab_lexer_why(&r.in, place, sizeof place);
            snprintf(why, why_room, "this is no trace: %s", place);
        }
    }
    if (r.in.err < 0 && r.in.err != -EINVAL)
        snprintf(why, why_room, "%s", strerror(-r.in.err));
    rvi_free(whole);
    rvi_free(r.in.text);
    if (r.in.err < 0)
        tl_story_free(r.story);
    else
        *ret = r.story;
    return r.in.err;
}

void tl_story_free(struct tl_story *story)
{
    if (!story)
        return;
    rvi_free(story->events);
    rvi_free(story->values);
    rvi_free(story->lanes);
    rvi_free(story->texts);
    rvi_free(story->bytes);
    rvi_free(story->places);
    rvi_free(story);
}
