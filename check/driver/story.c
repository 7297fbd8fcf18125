/* SPDX-License-Identifier: MIT */
/* story.c - from thousands of events to the steps that matter.
 *
 * Each event gets a weight; the heaviest are kept, in order:
 *   - those of the report's own parties, and the last one of each
 *   - operations on the objects that the report is about: those that it names, and those that its
 *     threads used last and others change
 *   - a step that was put off for others' though it could have been taken, and the one before it: a
 *     bug is between them. What they are on is what the report is about, if there are few of them;
 *     if it is a lock, what is done under it
 *   - the step before and after each change of threads, if it is on something that several threads
 *     use and at least one changes
 * Later steps weigh a little more than earlier ones. Neighbours that repeat the same place are one
 * step with a count. The minimiser has made the schedule plain before, so that little is dropped.
 *
 * What an object is called: a variable of the program; or what the program calls it in the source
 * of a call on it ("&queue->lock"); or the block of the heap that it lies in.
 *
 * Checked by: tests/unit/check/test_reports.c */
#include "check/driver/story.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/words.h"
#include "check/runtime/op.h"

enum {
    WEIGHT_PARTY = 1000,
    WEIGHT_LAST = 800,
    WEIGHT_ABOUT = 400,
    WEIGHT_CHANGE = 200,
    WEIGHT_THREAD = 20, /* a thread begins, ends, is joined */
    LITTLE = 4,
    CLUES = 12,          /* objects that a party was last at, when the report names none */
    WEIGHT_SPLIT = 600,  /* put off, and the one before */
    SPLITS = 6,          /* that tell what it is about; more: the schedule is not minimal */
    WEIGHT_RECENT = 100, /* of the last event; less before */
};

struct user { /* of an object: who, and does somebody change it */
    uint64_t object;
    uint32_t thread;
    bool is_shared, is_changed;
};

/* What the report is about. */
struct clues {
    uint64_t objects[CK_PARTIES_MOST + CLUES + 2 * SPLITS];
    size_t count;
};

struct telling {
    struct clues clues;
    const struct ck_shared *shared;
    const struct ck_report *report;
    struct ck_symbols *symbols;
    struct ck_story *story;
    const struct ck_event *events;
    uint32_t count;
    uint32_t *weights;
    struct user *users; /* open addressing; twice the events, a power of two */
    uint32_t user_room;
    bool tells_threads;
};

/* --- names --- */

void ck_story_thread_name(uint32_t thread, char *to, size_t room)
{
    if (thread == 0)
        snprintf(to, room, "main");
    else
        snprintf(to, room, "thread %" PRIu32, thread);
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Behind the bracket of a call on an object, or NULL. */
static const char *find_call(const char *text)
{
    static const struct {
        const char *begin;
        bool is_guard; /* of C++: a type and a name stand before the bracket */
    } calls[] = {
        {"pthread_", false},  {"sem_", false},       {"mtx_", false},       {"cnd_", false},
        {"atomic_", false},   {"__atomic_", false},  {"__sync_", false},    {"call_once", false},
        {"lock_guard", true}, {"unique_lock", true}, {"scoped_lock", true},
    };

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const char *at = strstr(text, calls[i].begin);
        if (at && calls[i].is_guard)
            at = strpbrk(at, "({");
        while (at && !calls[i].is_guard && is_word(*at))
            at++;
        if (at && (*at == '(' || (calls[i].is_guard && *at == '{')))
            return at + 1;
    }
    return NULL;
}

/* The first argument: "queue->lock" of "pthread_mutex_lock(&queue->lock);". */
static bool argument_of(const char *text, char *to, size_t room)
{
    int depth = 0;
    size_t count = 0;
    const char *at = find_call(text);

    while (at && (*at == '&' || *at == ' '))
        at++;
    for (; at && *at && (depth > 0 || (*at != ',' && *at != ')' && *at != '}')); at++) {
        depth += (*at == '(' || *at == '[') - (*at == ')' || *at == ']');
        if (count + 1 < room)
            to[count++] = *at;
    }
    to[count] = '\0';
    return count > 0 && at && *at;
}

/* The place that allocated the block in which the address lies. */
static const struct ck_event *find_block(const struct telling *telling, uint64_t address)
{
    const struct ck_event *found = NULL;

    for (uint32_t i = 0; i < telling->count; i++) {
        const struct ck_event *event = &telling->events[i];
        if (event->op == CK_OP_ALLOC && address - event->object < event->value)
            found = event;
    }
    return found;
}

static void name_of_block(struct telling *telling, const struct ck_event *block, uint64_t address,
                          char *to, size_t room)
{
    struct ck_source source;
    uint64_t offset = address - block->object;

    ck_symbols_source(telling->symbols, block->place, &source);
    int count = snprintf(to, room, "block of %" PRIu64 " bytes", block->value);
    if (source.line && count > 0 && (size_t)count < room)
        count += snprintf(to + count, room - (size_t)count, " of %s:%u", source.file, source.line);
    if (offset && count > 0 && (size_t)count < room)
        snprintf(to + count, room - (size_t)count, ", byte %" PRIu64, offset);
}

/* The source of the first call on it that names it. */
static bool name_by_source(struct telling *telling, uint64_t address, char *to, size_t room)
{
    struct ck_source source;
    unsigned tried = 0;

    for (uint32_t i = 0; i < telling->count && tried < 8; i++) {
        const struct ck_event *event = &telling->events[i];
        if (event->object != address || event->op == CK_OP_READ || event->op == CK_OP_WRITE)
            continue;
        tried++;
        ck_symbols_source(telling->symbols, event->place, &source);
        if (argument_of(source.text, to, room))
            return true;
    }
    return false;
}

static void name_object(struct telling *telling, uint64_t address, char *to, size_t room)
{
    const struct ck_event *block;

    to[0] = '\0';
    if (address == 0 || ck_symbols_variable(telling->symbols, address, to, room) ||
        name_by_source(telling, address, to, room))
        return;
    block = find_block(telling, address);
    if (block)
        name_of_block(telling, block, address, to, room);
    else
        snprintf(to, room, "%#" PRIx64, address);
}

/* The thread that an operation on threads is on: its creation says its number. 0: not known. */
static uint32_t thread_of(const struct telling *telling, uint64_t object)
{
    for (uint32_t i = 0; object && i < telling->count; i++) {
        const struct ck_event *event = &telling->events[i];
        if (event->op == CK_OP_CREATE && event->object == object)
            return (uint32_t)event->value;
    }
    return 0;
}

static bool is_on_thread(uint32_t op)
{
    return strcmp(ck_words_object(op), "thread") == 0;
}

static void name_of_step(struct telling *telling, const struct ck_event *event, char *to,
                         size_t room)
{
    to[0] = '\0';
    if (ck_words_object(event->op)[0] == '\0')
        return;
    if (!is_on_thread(event->op))
        name_object(telling, event->object, to, room);
    else if (thread_of(telling, event->object))
        ck_story_thread_name(thread_of(telling, event->object), to, room);
}

/* --- weights --- */

static struct user *user_of(struct telling *telling, uint64_t object)
{
    uint32_t at = (uint32_t)(object * UINT64_C(0x9e3779b97f4a7c15) >> 32);

    for (;; at++) {
        struct user *user = &telling->users[at & (telling->user_room - 1)];
        if (user->object == 0 || user->object == object)
            return user;
    }
}

static bool changes(uint32_t op)
{
    return op != CK_OP_READ && op != CK_OP_ATOMIC_LOAD;
}

static void note_user(struct telling *telling, const struct ck_event *event)
{
    if (event->object == 0)
        return;
    struct user *user = user_of(telling, event->object);
    if (user->object == 0)
        *user = (struct user){.object = event->object, .thread = event->thread};
    user->is_shared |= user->thread != event->thread;
    user->is_changed |= changes(event->op);
}

static bool is_about_threads(uint32_t op)
{
    return op == CK_OP_START || op == CK_OP_END || op == CK_OP_CREATE || op == CK_OP_JOIN ||
           op == CK_OP_DETACH;
}

static bool is_contended(struct telling *telling, const struct ck_event *event)
{
    if (event->op == CK_OP_ALLOC || event->object == 0 || is_about_threads(event->op))
        return false;
    const struct user *user = user_of(telling, event->object);
    return user->is_shared && user->is_changed;
}

static bool is_about(const struct telling *telling, uint64_t object)
{
    for (size_t i = 0; object && i < telling->clues.count; i++) {
        if (telling->clues.objects[i] == object)
            return true;
    }
    return false;
}

static void add_clue(struct clues *clues, uint64_t object)
{
    if (clues->count < sizeof clues->objects / sizeof clues->objects[0])
        clues->objects[clues->count++] = object;
}

static bool is_party(const struct ck_report *report, uint32_t thread)
{
    for (uint32_t i = 0; i < report->party_count; i++) {
        if (report->parties[i].thread == thread)
            return true;
    }
    return false;
}

static bool is_put_off(const struct ck_event *event)
{
    return event->flags & CK_EVENT_SWITCHED;
}

static bool is_about_locks(uint32_t op)
{
    return op == CK_OP_LOCK || op == CK_OP_TRYLOCK || op == CK_OP_UNLOCK || op == CK_OP_WOKEN ||
           op == CK_OP_RDLOCK || op == CK_OP_WRLOCK || op == CK_OP_RWUNLOCK ||
           op == CK_OP_SPIN_LOCK || op == CK_OP_SPIN_UNLOCK;
}

/* What is done under a lock says more than the lock. */
static bool is_work(struct telling *telling, uint32_t i)
{
    const struct ck_event *event = &telling->events[i];

    return is_contended(telling, event) && !is_about_locks(event->op);
}

/* The thread's nearest work before the one that was put off, or the first from it on; or itself. */
static uint32_t work_before(struct telling *telling, uint32_t at)
{
    for (uint32_t i = at; i-- > 0;) {
        if (telling->events[i].thread == telling->events[at].thread && is_work(telling, i))
            return i;
    }
    return at;
}

static uint32_t work_after(struct telling *telling, uint32_t at)
{
    for (uint32_t i = at; i < telling->count; i++) {
        if (telling->events[i].thread == telling->events[at].thread && is_work(telling, i))
            return i;
    }
    return at;
}

static uint32_t count_splits(const struct telling *telling)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < telling->count; i++)
        count += is_put_off(&telling->events[i]);
    return count;
}

static void weigh_split(struct telling *telling, uint32_t at)
{
    uint32_t around[] = {work_before(telling, at), work_after(telling, at)};

    for (size_t i = 0; i < 2; i++) {
        const struct ck_event *event = &telling->events[around[i]];
        telling->weights[around[i]] += WEIGHT_SPLIT;
        if (is_contended(telling, event) && !is_about(telling, event->object))
            add_clue(&telling->clues, event->object);
    }
}

static void weigh_splits(struct telling *telling)
{
    if (count_splits(telling) > SPLITS)
        return;
    for (uint32_t i = 0; i < telling->count; i++) {
        if (is_put_off(&telling->events[i]))
            weigh_split(telling, i);
    }
}

static void add_last_clues(struct telling *telling, bool is_work_only)
{
    const struct ck_report *report = telling->report;
    unsigned seen = 0;

    for (uint32_t i = telling->count; i-- > 0 && seen < CLUES;) {
        const struct ck_event *event = &telling->events[i];
        if (!is_contended(telling, event) || (is_work_only && !is_work(telling, i)) ||
            (report->party_count > 0 && !is_party(report, event->thread)))
            continue;
        seen++;
        if (!is_about(telling, event->object))
            add_clue(&telling->clues, event->object);
    }
}

static void find_clues(struct telling *telling)
{
    const struct ck_report *report = telling->report;
    struct clues *clues = &telling->clues;

    weigh_splits(telling);
    for (uint32_t i = 0; i < report->party_count; i++) {
        if (report->parties[i].address)
            add_clue(clues, report->parties[i].address);
    }
    if (clues->count > 0)
        return;
    add_last_clues(telling, true);
    if (clues->count == 0)
        add_last_clues(telling, false);
}

/* The party's own step: the one it names, or else the latest of its thread at its place. */
static uint32_t find_party(const struct telling *telling, const struct ck_party *party)
{
    uint32_t found = UINT32_MAX, last = UINT32_MAX;

    for (uint32_t i = 0; i < telling->count; i++) {
        const struct ck_event *event = &telling->events[i];
        if (event->thread != party->thread)
            continue;
        last = i;
        for (uint32_t k = 0; k < party->frame_count; k++) {
            if (memcmp(&event->place, &party->frames[k], sizeof event->place) == 0)
                found = i;
        }
        if (party->event && event->step == party->event)
            return i;
    }
    return found != UINT32_MAX ? found : last;
}

static void weigh_parties(struct telling *telling)
{
    for (uint32_t i = 0; i < telling->report->party_count; i++) {
        uint32_t at = find_party(telling, &telling->report->parties[i]);
        if (at != UINT32_MAX)
            telling->weights[at] += WEIGHT_PARTY;
    }
}

static bool is_at_change(const struct telling *telling, uint32_t i)
{
    uint32_t thread = telling->events[i].thread;

    return (i > 0 && telling->events[i - 1].thread != thread) ||
           (i + 1 < telling->count && telling->events[i + 1].thread != thread);
}

static uint32_t weight_of(struct telling *telling, uint32_t i)
{
    const struct ck_event *event = &telling->events[i];
    bool is_change = is_at_change(telling, i);
    uint32_t weight = 0;

    if (is_about(telling, event->object))
        weight += WEIGHT_ABOUT + (is_party(telling->report, event->thread) ? WEIGHT_CHANGE : 0);
    if (is_contended(telling, event))
        weight += is_change ? WEIGHT_CHANGE : WEIGHT_CHANGE / 4;
    if (telling->tells_threads && is_change && is_about_threads(event->op))
        weight += WEIGHT_THREAD;
    if (event->flags & CK_EVENT_TIMED_OUT)
        weight += WEIGHT_CHANGE;
    return weight;
}

/* Where little else is to be told, when threads begin and end may be what matters. */
static bool is_little_else(struct telling *telling)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < telling->count && count < LITTLE; i++)
        count += weight_of(telling, i) > 0;
    return count < LITTLE;
}

static void weigh_each(struct telling *telling)
{
    telling->tells_threads = is_little_else(telling);
    for (uint32_t i = 0; i < telling->count; i++) {
        telling->weights[i] += weight_of(telling, i);
        if (telling->weights[i] > 0)
            telling->weights[i] += (uint32_t)((uint64_t)WEIGHT_RECENT * i / telling->count);
    }
    for (uint32_t i = telling->count; i-- > 0;) {
        if (telling->events[i].op != CK_OP_ALLOC) {
            telling->weights[i] += WEIGHT_LAST;
            break;
        }
    }
}

/* --- choosing --- */

static int descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

/* What an event has to weigh to be among the `most` heaviest. */
static uint32_t threshold(const struct telling *telling, uint32_t most)
{
    uint32_t *sorted = rvi_alloc((telling->count + 1) * sizeof *sorted), found = UINT32_MAX;

    if (!sorted)
        return found;
    memcpy(sorted, telling->weights, telling->count * sizeof *sorted);
    qsort(sorted, telling->count, sizeof *sorted, descending);
    found = telling->count > most ? sorted[most] + 1 : 1;
    rvi_free(sorted);
    return found;
}

static bool repeats(const struct ck_story_step *last, const struct ck_event *event,
                    const struct ck_source *source, const char *object)
{
    return last->thread == event->thread && last->op == event->op &&
           last->source.line == source->line && strcmp(last->object, object) == 0;
}

static void add_step(struct telling *telling, const struct ck_event *event, uint32_t skipped)
{
    struct ck_story *story = telling->story;
    struct ck_story_step *step = &story->steps[story->step_count];
    struct ck_source source;
    char object[CK_NAME_BYTES];

    ck_symbols_source(telling->symbols, event->place, &source);
    name_of_step(telling, event, object, sizeof object);
    if (story->step_count > 0 && repeats(step - 1, event, &source, object)) {
        step[-1].times++;
        return;
    }
    *step = (struct ck_story_step){
        .source = source,
        .step = event->step,
        .thread = event->thread,
        .op = event->op,
        .skipped = skipped,
        .times = 1,
        .is_blocked = event->flags & CK_EVENT_BLOCKED,
        .is_timed_out = event->flags & CK_EVENT_TIMED_OUT,
    };
    memcpy(step->object, object, sizeof object);
    story->step_count++;
}

static void choose_steps(struct telling *telling)
{
    uint32_t least = threshold(telling, CK_STORY_STEPS), skipped = 0;

    for (uint32_t i = 0; i < telling->count; i++) {
        if (telling->weights[i] >= least && telling->story->step_count < CK_STORY_STEPS) {
            add_step(telling, &telling->events[i], skipped);
            skipped = 0;
        } else {
            skipped++;
        }
    }
    telling->story->skipped_after = skipped;
}

/* --- threads --- */

/* The function that a thread began with. */
static const char *function_of(struct telling *telling, uint32_t thread)
{
    struct ck_source source;

    for (uint32_t i = 0; thread > 0 && i < telling->count; i++) {
        if (telling->events[i].thread == thread && telling->events[i].op == CK_OP_START) {
            ck_symbols_source(telling->symbols, telling->events[i].place, &source);
            return source.is_users ? source.function : "";
        }
    }
    return "";
}

static void add_thread(struct telling *telling, uint32_t id)
{
    struct ck_story *story = telling->story;
    char number[32];
    size_t at = 0;

    while (at < story->thread_count && story->threads[at].id < id)
        at++;
    if (at < story->thread_count && story->threads[at].id == id)
        return;
    if (story->thread_count == CK_STORY_THREADS)
        return;
    memmove(&story->threads[at + 1], &story->threads[at],
            (story->thread_count - at) * sizeof story->threads[0]);
    story->thread_count++;
    story->threads[at].id = id;
    ck_story_thread_name(id, number, sizeof number);
    const char *function = function_of(telling, id);
    snprintf(story->threads[at].name, CK_NAME_BYTES, "%s%s%.80s", number, function[0] ? " " : "",
             function);
}

/* --- the lines --- */

/* "waits for mutex `b`, which thread 2 has", "waits for the end of thread 2". */
static void say_wait(const struct ck_party *party, uint32_t op, const char *object, char *to,
                     size_t room)
{
    char holder[32] = "";
    const char *what = ck_words_object(op);
    bool has_holder = party->waits_for_thread != UINT32_MAX;

    if (has_holder)
        ck_story_thread_name(party->waits_for_thread, holder, sizeof holder);
    if (op == CK_OP_JOIN)
        snprintf(to, room, "waits for the end of %s", holder);
    else
        snprintf(to, room, "waits %s %s%s`%s`%s%s%s", op == CK_OP_BARRIER ? "at" : "for", what,
                 what[0] ? " " : "", object, has_holder ? ", which " : "", holder,
                 has_holder ? " has" : "");
}

static void say_access(const struct ck_party *party, const char *object, char *to, size_t room)
{
    snprintf(to, room, "%s `%s`", party->is_write ? "writes" : "reads", object);
}

static void say_party(struct telling *telling, uint32_t i, char *to, size_t room)
{
    const struct ck_party *party = &telling->report->parties[i];
    uint32_t at = find_party(telling, party);
    uint32_t op = at == UINT32_MAX ? CK_OP_NONE : telling->events[at].op;
    char object[CK_NAME_BYTES];

    to[0] = '\0';
    if (is_on_thread(op) && party->waits_for_thread != UINT32_MAX)
        ck_story_thread_name(party->waits_for_thread, object, sizeof object);
    else
        name_object(telling, party->address, object, sizeof object);
    switch (telling->report->kind) {
    case CK_RACE:
        say_access(party, object, to, room);
        break;
    case CK_HEAP:
        if (i == 0 && op == CK_OP_FREE)
            snprintf(to, room, "frees `%s`", object);
        else if (i == 0 || party->is_access)
            say_access(party, object, to, room);
        else
            snprintf(to, room, "%s here",
                     i + 1 < telling->report->party_count ? "freed it" : "allocated it");
        break;
    case CK_DEADLOCK:
    case CK_LOST_WAKEUP:
        if (op == CK_OP_SIGNAL || op == CK_OP_BROADCAST || op == CK_OP_FUTEX_WAKE)
            snprintf(to, room, "signals `%s`, and nobody waits yet", object);
        else if (object[0])
            say_wait(party, op, object, to, room);
        break;
    case CK_LOCK_ORDER:
        snprintf(to, room, "takes `%s`", object);
        break;
    default:
        if (object[0] && (op == CK_OP_READ || op == CK_OP_WRITE || op == CK_OP_ATOMIC_LOAD))
            snprintf(to, room, "%s `%s`", op == CK_OP_WRITE ? "writes" : "reads", object);
        else if (op == CK_OP_JOIN && party->waits_for_thread != UINT32_MAX)
            say_wait(party, op, object, to, room);
        break;
    }
}

/* That main() returned has no place in the program, and nothing to say. */
static bool says_something(const struct ck_story_line *line)
{
    return line->source.line || line->source.function[0] || line->source.file[0] || line->words[0];
}

static void tell_lines(struct telling *telling)
{
    struct ck_story *story = telling->story;

    for (uint32_t i = 0; i < telling->report->party_count && i < CK_STORY_LINES; i++) {
        struct ck_story_line *line = &story->lines[story->line_count];
        line->thread = telling->report->parties[i].thread;
        ck_symbols_frame(telling->symbols, &telling->report->parties[i], &line->source);
        say_party(telling, i, line->words, sizeof line->words);
        story->line_count += says_something(line);
    }
}

/* The runtime numbers threads; people call the first one main. */
static void take_text(struct ck_story *story, const char *text)
{
    static const char first[] = "thread 0";
    size_t count = 0, room = sizeof story->text - sizeof "main";

    while (*text && count < room) {
        bool is_first = strncmp(text, first, sizeof first - 1) == 0 &&
                        !isdigit((unsigned char)text[sizeof first - 1]);
        if (is_first)
            count += (size_t)sprintf(story->text + count, "main");
        else
            story->text[count++] = *text;
        text += is_first ? sizeof first - 1 : 1;
    }
}

static bool prepare(struct telling *telling)
{
    uint32_t room = 64;

    while (room < telling->count * 2)
        room *= 2;
    telling->user_room = room;
    telling->users = rvi_calloc(room, sizeof *telling->users);
    telling->weights = rvi_calloc(telling->count + 1, sizeof *telling->weights);
    return telling->users && telling->weights;
}

static void tell(struct telling *telling)
{
    struct ck_story *story = telling->story;

    for (uint32_t i = 0; i < telling->count; i++)
        note_user(telling, &telling->events[i]);
    find_clues(telling);
    weigh_parties(telling);
    weigh_each(telling);
    tell_lines(telling);
    choose_steps(telling);
    for (size_t i = 0; i < story->step_count; i++)
        add_thread(telling, story->steps[i].thread);
    for (size_t i = 0; i < story->line_count; i++)
        add_thread(telling, story->lines[i].thread);
}

struct ck_story *ck_story_new(const struct ck_shared *shared, const struct ck_report *report,
                              struct ck_symbols *symbols)
{
    struct ck_story *story = rvi_calloc(1, sizeof *story);
    struct telling telling = {
        .shared = shared,
        .report = report,
        .symbols = symbols,
        .story = story,
        .events = shared->events,
        .count = shared->result.event_count,
    };

    if (story && prepare(&telling)) {
        story->kind = report->kind;
        story->signal_or_status = report->signal_or_status;
        take_text(story, report->text);
        tell(&telling);
    }
    rvi_free(telling.users);
    rvi_free(telling.weights);
    return story;
}

void ck_story_free(struct ck_story *story)
{
    rvi_free(story);
}
