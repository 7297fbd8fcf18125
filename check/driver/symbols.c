/* SPDX-License-Identifier: MIT */
/* symbols.c - names from the symbol tables, lines from the debug information, text from the
 * sources.
 *
 * Lines are elfutils' business; a build without it, or a program without debug information, has the
 * names alone. Debug information that lies apart is looked for on this machine by build identity,
 * never asked of a server.
 *
 * Names of C++ are made readable by libstdc++, if there is one to load.
 *
 * Rejected: running addr2line (a process each, and one more thing to be installed).
 *
 * Checked by: tests/cli */
#include "check/driver/symbols.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check/driver/elf_file.h"
#include "check/driver/lines.h"

enum { NAMES_MOST = 4096 };

struct module {
    uint64_t base;
    char path[sizeof((struct ck_module *)0)->path];
    struct ck_elf *elf;
    bool is_users;
};

struct ck_symbols {
    struct module *modules;
    uint32_t count;
    struct ck_lines *lines; /* NULL: no debug information can be read */
    char *(*demangle)(const char *, char *, size_t *, int *);
    void *cxx;
    char *names[NAMES_MOST]; /* that were demangled */
    size_t name_count;
};

/* --- modules --- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where distributions put what is not the user's. /usr/local is. */
static bool is_of_system(const char *path)
{
    static const char *const folders[] = {"/lib/",       "/lib64/",       "/usr/lib/",
                                          "/usr/lib64/", "/usr/include/", "/nix/store/"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (begins(path, folders[i]))
            return true;
    }
    return strstr(path, "libravel_check.so") != NULL || strstr(path, "/include/c++/") != NULL;
}

static bool is_not_of_system(const char *path)
{
    return !is_of_system(path);
}

static void open_module(struct ck_symbols *symbols, const struct ck_module *from, struct module *to)
{
    to->base = from->base;
    memcpy(to->path, from->path, sizeof to->path);
    to->path[sizeof to->path - 1] = '\0';
    to->is_users = to->path[0] == '/' && !is_of_system(to->path);
    if (to->path[0] != '/')
        return;
    ck_elf_open(to->path, &to->elf);
    if (symbols->lines)
        ck_lines_add(symbols->lines, to->path, to->base);
}

struct ck_symbols *ck_symbols_new(const struct ck_shared *shared)
{
    struct ck_symbols *symbols = rvi_calloc(1, sizeof *symbols);
    struct module *modules = rvi_calloc(CK_MODULES_MOST, sizeof *modules);

    if (!symbols || !modules) {
        rvi_free(symbols);
        rvi_free(modules);
        return NULL;
    }
    symbols->modules = modules;
    symbols->count =
        shared->module_count < CK_MODULES_MOST ? shared->module_count : CK_MODULES_MOST;
    symbols->lines = ck_lines_new();
    for (uint32_t i = 0; i < symbols->count; i++)
        open_module(symbols, &shared->modules[i], &modules[i]);
    if (symbols->lines)
        ck_lines_ready(symbols->lines);
    return symbols;
}

void ck_symbols_free(struct ck_symbols *symbols)
{
    if (!symbols)
        return;
    for (uint32_t i = 0; i < symbols->count; i++)
        ck_elf_close(symbols->modules[i].elf);
    for (size_t i = 0; i < symbols->name_count; i++)
        free(symbols->names[i]); /* libstdc++ has them of malloc */
    ck_lines_free(symbols->lines);
    if (symbols->cxx)
        dlclose(symbols->cxx);
    rvi_free(symbols->modules);
    rvi_free(symbols);
}

/* --- names --- */

static void load_demangler(struct ck_symbols *symbols)
{
    if (symbols->cxx)
        return;
    symbols->cxx = dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
    if (symbols->cxx)
        symbols->demangle = (__typeof__(symbols->demangle))dlsym(symbols->cxx, "__cxa_demangle");
}

/* "_ZN4bank4moveEi" as "bank::move(int)". */
static const char *readable(struct ck_symbols *symbols, const char *name)
{
    int status;

    if (!begins(name, "_Z") || symbols->name_count == NAMES_MOST)
        return name;
    load_demangler(symbols);
    char *known = symbols->demangle ? symbols->demangle(name, NULL, NULL, &status) : NULL;
    if (!known)
        return name;
    symbols->names[symbols->name_count++] = known;
    return known;
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

struct ck_place ck_symbols_place(const struct ck_symbols *symbols, uint64_t address)
{
    struct ck_place place = {0, 0};
    uint64_t nearest = UINT32_MAX;

    for (uint32_t i = 0; i < symbols->count; i++) {
        uint64_t offset = address - symbols->modules[i].base;
        if (symbols->modules[i].elf && address >= symbols->modules[i].base && offset < nearest) {
            nearest = offset;
            place = (struct ck_place){i, (uint32_t)offset};
        }
    }
    return place;
}

bool ck_symbols_variable(struct ck_symbols *symbols, uint64_t address, char *to, size_t room)
{
    uint64_t within;
    struct ck_place place = ck_symbols_place(symbols, address);
    const struct ck_elf *elf = place.offset ? symbols->modules[place.module].elf : NULL;
    const char *name = elf ? ck_elf_symbol(elf, place.offset, &within) : NULL;

    if (!name)
        return false;
    if (symbols->lines && ck_lines_variable(symbols->lines, address, to, room))
        return true;
    name = readable(symbols, name);
    if (within)
        snprintf(to, room, "%s+%llu", name, (unsigned long long)within);
    else
        snprintf(to, room, "%s", name);
    return true;
}

/* --- sources --- */

/* Without its margin and its end. */
static void take_text(char *to, const char *line)
{
    size_t count;

    while (isspace((unsigned char)*line))
        line++;
    snprintf(to, CK_LINE_BYTES, "%s", line);
    count = strlen(to);
    while (count > 0 && isspace((unsigned char)to[count - 1]))
        to[--count] = '\0';
}

static void read_text(const char *path, unsigned number, char *to)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;

    for (unsigned i = 0; file && i < number && getline(&line, &room, file) >= 0; i++) {
        if (i + 1 == number)
            take_text(to, line);
    }
    free(line);
    if (file)
        fclose(file);
}

void ck_symbols_source(struct ck_symbols *symbols, struct ck_place place, struct ck_source *ret)
{
    uint64_t within;

    *ret = (struct ck_source){.function = "", .path = "", .file = ""};
    if (place.module >= symbols->count || place.offset == 0)
        return;
    const struct module *module = &symbols->modules[place.module];
    const char *name = module->elf ? ck_elf_symbol(module->elf, place.offset, &within) : NULL;
    ret->function = name ? readable(symbols, name) : "";
    ret->file = last_part(module->path);
    ret->is_users = module->is_users;
    const char *path = symbols->lines ? ck_lines_find(symbols->lines, module->base + place.offset,
                                                      is_not_of_system, &ret->line)
                                      : NULL;
    if (!path)
        return;
    ret->path = path;
    ret->file = last_part(path);
    ret->is_users &= !is_of_system(path);
    read_text(path, ret->line, ret->text);
}

void ck_symbols_frame(struct ck_symbols *symbols, const struct ck_party *party,
                      struct ck_source *ret)
{
    struct ck_source first;

    ck_symbols_source(symbols, (struct ck_place){0, 0}, &first);
    for (uint32_t i = 0; i < party->frame_count; i++) {
        ck_symbols_source(symbols, party->frames[i], ret);
        if (ret->is_users && ret->line)
            return;
        if (i == 0 || (!first.is_users && ret->is_users))
            first = *ret;
    }
    *ret = first;
}
