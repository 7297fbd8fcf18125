/* SPDX-License-Identifier: MIT */
/* replay.c - a failure as a file.
 *
 * The file is text, a fact a line, so that it can be read, compared and kept with a bug report. The
 * first line names the format, the last one counts the lines: what was cut is refused.
 *
 * Which build it was is the linker's identity of each module, or a hash of a file that has none.
 * The checker's own runtime is left out; of another version than this one the file is refused.
 *
 * Locations are written by the module's index in the file. In another process the same module may
 * come at another index, so they are translated by path when they are loaded, and sorted again.
 *
 * Checked by: tests/unit/check/test_replay.c */
#include "check/driver/replay.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "check/driver/elf_file.h"

static const char first_line[] = "ravel-check-replay 1 " RVI_VERSION;

enum { ARGS_MOST = 65536 };

/* --- taking --- */

static char *copy(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *to = rvi_alloc(bytes);

    if (to)
        memcpy(to, text, bytes);
    return to;
}

static int copy_args(struct ck_replay *replay, const char *const *argv)
{
    size_t count = 0;

    while (argv[count])
        count++;
    replay->argv = rvi_calloc(count + 1, sizeof *replay->argv);
    for (size_t i = 0; replay->argv && i < count; i++) {
        replay->argv[i] = copy(argv[i]);
        if (!replay->argv[i])
            return -ENOMEM;
    }
    return replay->argv ? 0 : -ENOMEM;
}

int ck_replay_command(struct ck_replay *replay, const char *program, const char *const *argv,
                      const char *folder)
{
    replay->program = copy(program);
    replay->folder = copy(folder);
    int err = copy_args(replay, argv);
    return replay->program && replay->folder ? err : -ENOMEM;
}

static void put_hex(char *to, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

static void identify(const struct ck_module *module, struct ck_build *build)
{
    struct ck_elf *elf = NULL;
    uint8_t id[sizeof module->build_id];
    size_t count = module->build_id_bytes;

    snprintf(build->path, sizeof build->path, "%s", module->path);
    memcpy(id, module->build_id, sizeof id);
    ck_elf_open(module->path, &elf);
    if (count == 0 && elf)
        count = ck_elf_build_id(elf, id, sizeof id);
    put_hex(build->id, id, count);
    if (count == 0)
        snprintf(build->id, sizeof build->id, "=%016" PRIx64, elf ? ck_elf_contents(elf) : 0);
    ck_elf_close(elf);
}

static void *duplicate(const void *from, size_t count, size_t bytes)
{
    void *to = rvi_calloc(count + 1, bytes);

    if (to)
        memcpy(to, from, count * bytes);
    return to;
}

int ck_replay_take(struct ck_replay *replay, const struct ck_shared *shared)
{
    replay->kind = shared->result.failure.kind;
    replay->hash = shared->result.hash;
    replay->steps = shared->result.steps;
    replay->plan = shared->plan;
    replay->plan.mode = CK_FOLLOW;
    replay->plan.flags = CK_MUST_FOLLOW | (shared->plan.flags & CK_FIND_RACES);
    replay->plan.switch_count = shared->result.switch_count;
    replay->build_count = shared->module_count;
    replay->switches =
        duplicate(shared->trace, replay->plan.switch_count, sizeof *replay->switches);
    replay->locations =
        duplicate(shared->locations, replay->plan.location_count, sizeof *replay->locations);
    replay->builds = rvi_calloc(shared->module_count + 1, sizeof *replay->builds);
    if (!replay->switches || !replay->locations || !replay->builds)
        return -ENOMEM;
    for (uint32_t i = 0; i < replay->build_count; i++)
        identify(&shared->modules[i], &replay->builds[i]);
    return 0;
}

void ck_replay_fini(struct ck_replay *replay)
{
    for (size_t i = 0; replay->argv && replay->argv[i]; i++)
        rvi_free(replay->argv[i]);
    rvi_free(replay->argv);
    rvi_free(replay->program);
    rvi_free(replay->folder);
    rvi_free(replay->switches);
    rvi_free(replay->locations);
    rvi_free(replay->builds);
    *replay = (struct ck_replay){0};
}

/* --- writing --- */

static void put_string(FILE *file, const char *word, const char *text)
{
    fprintf(file, "%s \"", word);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        if (*at == '"' || *at == '\\' || *at < ' ')
            fprintf(file, "\\%03o", *at);
        else
            putc(*at, file);
    }
    fputs("\"\n", file);
}

static void put_number(FILE *file, const char *word, uint64_t number)
{
    fprintf(file, "%s %" PRIu64 "\n", word, number);
}

static void put_plan(FILE *file, const struct ck_plan *plan)
{
    put_number(file, "seed", plan->strategy.seed);
    put_number(file, "strategy", plan->strategy.kind);
    put_number(file, "depth", plan->strategy.depth);
    put_number(file, "length", plan->strategy.length);
    put_number(file, "granularity", plan->granularity);
    put_number(file, "flags", plan->flags);
    put_number(file, "step-limit", plan->step_limit);
    put_number(file, "quiet-limit", plan->quiet_limit);
}

static uint64_t put_all(FILE *file, const struct ck_replay *replay)
{
    uint64_t args = 0;

    fprintf(file, "%s\n", first_line);
    put_string(file, "program", replay->program);
    put_string(file, "folder", replay->folder);
    for (; replay->argv[args]; args++)
        put_string(file, "argument", replay->argv[args]);
    put_number(file, "preloaded", replay->is_preloaded);
    put_number(file, "kind", replay->kind);
    put_number(file, "hash", replay->hash);
    put_number(file, "steps", replay->steps);
    put_plan(file, &replay->plan);
    for (uint32_t i = 0; i < replay->build_count; i++) {
        fprintf(file, "module %s", replay->builds[i].id);
        put_string(file, "", replay->builds[i].path);
    }
    for (uint32_t i = 0; i < replay->plan.location_count; i++)
        fprintf(file, "location %" PRIu32 " %" PRIu32 "\n", replay->locations[i].module,
                replay->locations[i].offset);
    for (uint32_t i = 0; i < replay->plan.switch_count; i++)
        fprintf(file, "switch %" PRIu32 " %" PRIu32 " %" PRIu32 "\n", replay->switches[i].thread,
                replay->switches[i].nth, replay->switches[i].value);
    return args + replay->build_count + replay->plan.location_count + replay->plan.switch_count;
}

int ck_replay_write(const struct ck_replay *replay, const char *path)
{
    struct rvi_text part = {0};

    rvi_text_add(&part, "%s.part", path);
    FILE *file = part.is_cut ? NULL : fopen(part.bytes, "we");
    if (!file) {
        rvi_text_fini(&part);
        return -errno;
    }
    put_number(file, "end", put_all(file, replay));
    bool is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    int err = is_whole && rename(part.bytes, path) == 0 ? 0 : -(errno ? errno : EIO);
    if (err < 0)
        unlink(part.bytes);
    rvi_text_fini(&part);
    return err;
}

/* --- reading --- */

struct reader {
    struct ck_replay *replay;
    uint32_t arg_count;
    uint64_t end;
    bool is_ended;
};

/* Room for one more, doubling. */
static bool grow(void **array, uint32_t count, size_t bytes)
{
    if (count && (count & (count - 1)))
        return true;
    void *more = rvi_realloc(*array, (size_t)(count ? count * 2 : 1) * bytes);
    if (more)
        *array = more;
    return more != NULL;
}

/* What stands between quotes, in place. */
static bool unquote(char *text, char **ret)
{
    char *from = strchr(text, '"'), *to;

    if (!from)
        return false;
    *ret = to = ++from;
    for (; *from && *from != '"'; to++) {
        if (*from == '\\' && isdigit((unsigned char)from[1]) && isdigit((unsigned char)from[2]) &&
            isdigit((unsigned char)from[3])) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    bool is_ended = *from == '"';
    *to = '\0';
    return is_ended;
}

static bool read_string(char **field, char *rest)
{
    char *text;

    if (*field || !unquote(rest, &text))
        return false;
    *field = copy(text);
    return *field != NULL;
}

/* One more, and NULL behind it. */
static bool read_argument(struct reader *reader, char *rest)
{
    char *text, **argv = reader->replay->argv;
    size_t count = reader->arg_count;

    if (!unquote(rest, &text) || count == ARGS_MOST)
        return false;
    argv = rvi_realloc(argv, (count + 2) * sizeof *argv);
    if (!argv)
        return false;
    reader->replay->argv = argv;
    argv[count] = copy(text);
    argv[count + 1] = NULL;
    reader->arg_count += argv[count] != NULL;
    return argv[count] != NULL;
}

static bool read_module(struct ck_replay *replay, char *rest)
{
    char *path;

    if (replay->build_count == CK_MODULES_MOST ||
        !grow((void **)&replay->builds, replay->build_count, sizeof *replay->builds))
        return false;
    struct ck_build *build = &replay->builds[replay->build_count];
    *build = (struct ck_build){0};
    if (sscanf(rest, "%47s", build->id) != 1 || !unquote(rest, &path) ||
        strlen(path) >= sizeof build->path)
        return false;
    strcpy(build->path, path);
    replay->build_count++;
    return true;
}

static bool read_location(struct ck_replay *replay, const char *rest)
{
    struct ck_place place;
    uint32_t *count = &replay->plan.location_count;

    if (sscanf(rest, "%" SCNu32 " %" SCNu32, &place.module, &place.offset) != 2 ||
        *count == CK_LOCATIONS_MOST || place.module >= CK_MODULES_MOST ||
        !grow((void **)&replay->locations, *count, sizeof place))
        return false;
    replay->locations[(*count)++] = place;
    return true;
}

static bool read_switch(struct ck_replay *replay, const char *rest)
{
    struct ck_switch one;
    uint32_t *count = &replay->plan.switch_count;

    if (sscanf(rest, "%" SCNu32 " %" SCNu32 " %" SCNu32, &one.thread, &one.nth, &one.value) != 3 ||
        *count == CK_SWITCHES_MOST || !grow((void **)&replay->switches, *count, sizeof one))
        return false;
    replay->switches[(*count)++] = one;
    return true;
}

static bool read_number(struct reader *reader, const char *word, const char *rest)
{
    struct ck_replay *replay = reader->replay;
    struct ck_plan *plan = &replay->plan;
    char *end;
    uint64_t number = strtoull(rest, &end, 10);

    if (end == rest)
        return false;
    if (strcmp(word, "preloaded") == 0)
        replay->is_preloaded = number != 0;
    else if (strcmp(word, "kind") == 0)
        replay->kind = (uint32_t)number;
    else if (strcmp(word, "hash") == 0)
        replay->hash = number;
    else if (strcmp(word, "steps") == 0)
        replay->steps = number;
    else if (strcmp(word, "seed") == 0)
        plan->strategy.seed = number;
    else if (strcmp(word, "strategy") == 0)
        plan->strategy.kind = (enum rvi_strategy_kind)number;
    else if (strcmp(word, "depth") == 0)
        plan->strategy.depth = (unsigned)number;
    else if (strcmp(word, "length") == 0)
        plan->strategy.length = number;
    else if (strcmp(word, "granularity") == 0)
        plan->granularity = (uint32_t)number;
    else if (strcmp(word, "flags") == 0)
        plan->flags = (uint32_t)number;
    else if (strcmp(word, "step-limit") == 0)
        plan->step_limit = number;
    else if (strcmp(word, "quiet-limit") == 0)
        plan->quiet_limit = number;
    else if (strcmp(word, "end") == 0) {
        reader->end = number;
        reader->is_ended = true;
    } else {
        return false;
    }
    return true;
}

static bool read_line(struct reader *reader, char *line)
{
    char *rest = strchr(line, ' ');

    if (!rest || reader->is_ended)
        return false;
    *rest++ = '\0';
    if (strcmp(line, "program") == 0)
        return read_string(&reader->replay->program, rest);
    if (strcmp(line, "folder") == 0)
        return read_string(&reader->replay->folder, rest);
    if (strcmp(line, "argument") == 0)
        return read_argument(reader, rest);
    if (strcmp(line, "module") == 0)
        return read_module(reader->replay, rest);
    if (strcmp(line, "location") == 0)
        return read_location(reader->replay, rest);
    if (strcmp(line, "switch") == 0)
        return read_switch(reader->replay, rest);
    return read_number(reader, line, rest);
}

static bool is_whole(const struct reader *reader)
{
    const struct ck_replay *replay = reader->replay;

    return reader->is_ended && replay->program && replay->folder && reader->arg_count > 0 &&
           reader->end == (uint64_t)reader->arg_count + replay->build_count +
                              replay->plan.location_count + replay->plan.switch_count;
}

static bool read_lines(struct reader *reader, FILE *file, unsigned *number)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t count;
    bool is_good = true;

    for (*number = 1; is_good && (count = getline(&line, &room, file)) >= 0; ++*number) {
        if (count > 0 && line[count - 1] == '\n')
            line[count - 1] = '\0';
        is_good = *number == 1 ? strcmp(line, first_line) == 0 : read_line(reader, line);
    }
    free(line);
    *number -= 1;
    return is_good;
}

static int refuse(const char *path, unsigned line, bool is_good, struct rvi_text *why)
{
    if (line == 1 && !is_good)
        rvi_text_add(why, "%s is no replay file of this version (it begins otherwise than \"%s\")",
                     path, first_line);
    else if (!is_good)
        rvi_text_add(why, "%s:%u: this line is not understood", path, line);
    else
        rvi_text_add(why, "%s is not whole", path);
    return -EINVAL;
}

int ck_replay_read(struct ck_replay *replay, const char *path, struct rvi_text *why)
{
    unsigned line;
    FILE *file = fopen(path, "re");
    struct reader reader = {.replay = replay};

    *replay = (struct ck_replay){0};
    if (!file) {
        int err = errno;
        rvi_text_add(why, "cannot read %s: %s", path, strerror(err));
        return -err;
    }
    bool is_good = read_lines(&reader, file, &line);
    fclose(file);
    if (is_good && is_whole(&reader)) {
        replay->plan.mode = CK_FOLLOW;
        return 0;
    }
    ck_replay_fini(replay);
    return refuse(path, line, is_good, why);
}

/* --- loading --- */

static bool is_runtime(const char *path)
{
    return strstr(path, "libravel_check.so") != NULL;
}

/* The same path; a program that was moved is found by its identity. */
static bool is_same(const struct ck_build *wanted, const struct ck_build *found)
{
    return strcmp(wanted->path, found->path) == 0 || strcmp(wanted->id, found->id) == 0;
}

/* Where a module of the file is now. UINT32_MAX: not loaded yet, as far as is known. */
static uint32_t find_module(const struct ck_build *wanted, const struct ck_build *there,
                            uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (is_same(wanted, &there[i]))
            return i;
    }
    return UINT32_MAX;
}

static int match(const struct ck_build *wanted, const struct ck_build *there, uint32_t count,
                 uint32_t *ret_index, struct rvi_text *why)
{
    *ret_index = find_module(wanted, there, count);
    if (*ret_index == UINT32_MAX || is_runtime(wanted->path) ||
        strcmp(wanted->id, there[*ret_index].id) == 0)
        return 0;
    rvi_text_add(why,
                 "%s is not the build that failed (it was %s, it is %s): a schedule belongs to one "
                 "build; run `ravel check` again on this one",
                 wanted->path, wanted->id, there[*ret_index].id);
    return -EINVAL;
}

static int by_place(const void *a, const void *b)
{
    const struct ck_place *x = a, *y = b;

    if (x->module != y->module)
        return x->module < y->module ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void load_plan(const struct ck_replay *replay, const uint32_t *index,
                      struct ck_shared *shared)
{
    shared->plan = replay->plan;
    for (uint32_t i = 0; i < replay->plan.location_count; i++) {
        struct ck_place place = replay->locations[i];
        if (place.module < replay->build_count && index[place.module] != UINT32_MAX)
            place.module = index[place.module];
        shared->locations[i] = place;
    }
    qsort(shared->locations, replay->plan.location_count, sizeof(struct ck_place), by_place);
    memcpy(shared->switches, replay->switches,
           replay->plan.switch_count * sizeof *replay->switches);
}

int ck_replay_load(const struct ck_replay *replay, struct ck_shared *shared, struct rvi_text *why)
{
    uint32_t index[CK_MODULES_MOST], count = shared->module_count;
    struct ck_build *there = rvi_calloc(CK_MODULES_MOST, sizeof *there);
    int err = there ? 0 : -ENOMEM;

    for (uint32_t i = 0; err == 0 && i < count && i < CK_MODULES_MOST; i++)
        identify(&shared->modules[i], &there[i]);
    for (uint32_t i = 0; err == 0 && i < replay->build_count; i++)
        err = match(&replay->builds[i], there, count, &index[i], why);
    if (err == 0)
        load_plan(replay, index, shared);
    rvi_free(there);
    return err;
}
