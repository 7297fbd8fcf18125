/* SPDX-License-Identifier: MIT */
/* lines.c - debug information by elfutils' libdw.
 *
 * A relative path is completed by the folder that its unit was compiled in. Paths are kept in a
 * list of the session's own, as libdw's live as long as their unit.
 *
 * A variable is looked up by its address among those with a fixed one; what lies at an offset
 * within is found by walking down its type: members of structs, elements of arrays.
 *
 * Checked by: tests/cli */
#include "check/driver/lines.h"

#ifdef CK_HAVE_LIBDW

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { TYPES_DEEP = 32 };

struct path {
    struct path *next;
    char text[];
};

struct ck_lines {
    Dwfl *dwfl;
    struct path *paths;
};

/* By build identity on this machine; the standard way asks servers after that. */
static const Dwfl_Callbacks callbacks = {.find_debuginfo = dwfl_build_id_find_debuginfo};

struct ck_lines *ck_lines_new(void)
{
    struct ck_lines *lines = rvi_calloc(1, sizeof *lines);

    if (!lines)
        return NULL;
    lines->dwfl = dwfl_begin(&callbacks);
    if (lines->dwfl)
        return lines;
    rvi_free(lines);
    return NULL;
}

void ck_lines_add(struct ck_lines *lines, const char *path, uint64_t base)
{
    dwfl_report_elf(lines->dwfl, path, path, -1, base, true);
}

void ck_lines_ready(struct ck_lines *lines)
{
    dwfl_report_end(lines->dwfl, NULL, NULL);
}

void ck_lines_free(struct ck_lines *lines)
{
    if (!lines)
        return;
    while (lines->paths) {
        struct path *first = lines->paths;
        lines->paths = first->next;
        rvi_free(first);
    }
    dwfl_end(lines->dwfl);
    rvi_free(lines);
}

/* --- lines --- */

static const char *keep(struct ck_lines *lines, const char *folder, const char *file)
{
    bool is_whole = file[0] == '/' || !folder;
    size_t bytes = strlen(file) + (is_whole ? 0 : strlen(folder) + 1) + 1;

    for (struct path *p = lines->paths; p; p = p->next) {
        if (is_whole && strcmp(p->text, file) == 0)
            return p->text;
    }
    struct path *kept = rvi_alloc(sizeof *kept + bytes);
    if (!kept)
        return NULL;
    if (is_whole)
        snprintf(kept->text, bytes, "%s", file);
    else
        snprintf(kept->text, bytes, "%s/%s", folder, file);
    kept->next = lines->paths;
    lines->paths = kept;
    return kept->text;
}

/* Compilers that leave .debug_aranges out (clang does) make libdw find no unit by itself. */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

    if (unit)
        return unit;
    do
        unit = dwfl_module_nextcu(module, unit, bias);
    while (unit && dwarf_haspc(unit, address - *bias) != 1);
    return unit;
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute found;
    Dwarf_Word number = 0;

    if (dwarf_attr(die, attribute, &found))
        dwarf_formudata(&found, &number);
    return number;
}

/* Where what was inlined is called: the innermost such place that is wanted, or NULL.
 * dwarf_getscopes() goes on from an inlined function to where that was written; only
 * dwarf_getscopes_die() leads out to where it is. Both give malloc's memory, innermost first. */
static const char *wanted_call(Dwarf_Die *unit, Dwarf_Addr address,
                               bool (*is_wanted)(const char *path), int *line)
{
    Dwarf_Die *at = NULL, *scopes = NULL;
    Dwarf_Files *files;
    size_t file_count;
    const char *found = NULL;
    int count = dwarf_getscopes(unit, address, &at) > 0 ? dwarf_getscopes_die(at, &scopes) : 0;

    if (dwarf_getsrcfiles(unit, &files, &file_count) != 0)
        count = 0;
    for (int i = 0; i < count && !found && dwarf_tag(&scopes[i]) != DW_TAG_subprogram; i++) {
        if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine)
            continue;
        const char *path = dwarf_filesrc(files, number_of(&scopes[i], DW_AT_call_file), NULL, NULL);
        if (path && is_wanted(path)) {
            found = path;
            *line = (int)number_of(&scopes[i], DW_AT_call_line);
        }
    }
    free(at);
    free(scopes);
    return found;
}

const char *ck_lines_find(struct ck_lines *lines, uint64_t address,
                          bool (*is_wanted)(const char *path), unsigned *ret_line)
{
    Dwarf_Addr bias;
    Dwarf_Attribute found;
    int number = 0;
    Dwfl_Module *module = dwfl_addrmodule(lines->dwfl, address);
    Dwarf_Die *unit = module ? unit_of(module, address, &bias) : NULL;
    Dwarf_Line *line = unit ? dwarf_getsrc_die(unit, address - bias) : NULL;
    const char *file = line ? dwarf_linesrc(line, NULL, NULL) : NULL;

    if (!file || dwarf_lineno(line, &number) != 0 || number <= 0)
        return NULL;
    const char *caller =
        is_wanted(file) ? NULL : wanted_call(unit, address - bias, is_wanted, &number);
    *ret_line = (unsigned)number;
    return keep(lines, dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &found)),
                caller ? caller : file);
}

/* --- variables --- */

struct name {
    char *text;
    size_t room, count;
};

static void say(struct name *name, const char *before, const char *text)
{
    int count = snprintf(name->text + name->count, name->room - name->count, "%s%s", before, text);

    if (count > 0)
        name->count += (size_t)count;
    if (name->count >= name->room)
        name->count = name->room - 1;
}

/* Through typedefs and qualifiers. */
static bool type_of(Dwarf_Die *die, Dwarf_Die *ret)
{
    Dwarf_Attribute found;

    return dwarf_attr_integrate(die, DW_AT_type, &found) && dwarf_formref_die(&found, ret) &&
           dwarf_peel_type(ret, ret) == 0;
}

static bool member_at(Dwarf_Die *type, uint64_t offset, Dwarf_Die *ret, uint64_t *start)
{
    Dwarf_Attribute found;
    Dwarf_Word at, bytes;
    Dwarf_Die inner;
    int more = dwarf_child(type, ret);

    for (; more == 0; more = dwarf_siblingof(ret, ret)) {
        if (dwarf_tag(ret) != DW_TAG_member || !type_of(ret, &inner))
            continue;
        at = 0;
        if (dwarf_attr(ret, DW_AT_data_member_location, &found) &&
            dwarf_formudata(&found, &at) != 0)
            continue;
        if (dwarf_aggregate_size(&inner, &bytes) == 0 && offset >= at && offset - at < bytes) {
            *start = at;
            return true;
        }
    }
    return false;
}

/* A lock, a condition: names of what the C library has inside help nobody. */
static bool is_opaque(const char *member)
{
    return member && member[0] == '_' && member[1] == '_';
}

static bool step_into_member(Dwarf_Die *type, uint64_t *offset, struct name *name)
{
    Dwarf_Die member;
    uint64_t start;

    if (!member_at(type, *offset, &member, &start))
        return false;
    const char *text = dwarf_diename(&member);
    if (is_opaque(text))
        return false;
    if (text)
        say(name, ".", text);
    *offset -= start;
    return type_of(&member, type);
}

/* One dimension at a time would need each one's extent; several are counted as one. */
static bool step_into_element(Dwarf_Die *type, uint64_t *offset, struct name *name)
{
    Dwarf_Die element;
    Dwarf_Word bytes;
    char index[32];

    if (!type_of(type, &element) || dwarf_aggregate_size(&element, &bytes) != 0 || bytes == 0)
        return false;
    snprintf(index, sizeof index, "[%llu]", (unsigned long long)(*offset / bytes));
    say(name, "", index);
    *offset %= bytes;
    *type = element;
    return true;
}

static void walk_down(Dwarf_Die *type, uint64_t offset, struct name *name)
{
    bool goes_on = true;

    for (int depth = 0; goes_on && depth < TYPES_DEEP; depth++) {
        switch (dwarf_tag(type)) {
        case DW_TAG_structure_type:
        case DW_TAG_class_type:
            goes_on = step_into_member(type, &offset, name);
            break;
        case DW_TAG_array_type:
            goes_on = step_into_element(type, &offset, name);
            break;
        default:
            return;
        }
    }
}

/* Where a variable lies whose address is a constant. */
static bool address_of(Dwarf_Die *variable, uint64_t *ret)
{
    Dwarf_Attribute found;
    Dwarf_Op *ops;
    size_t count;

    if (!dwarf_attr(variable, DW_AT_location, &found) ||
        dwarf_getlocation(&found, &ops, &count) != 0 || count != 1)
        return false;
    if (ops[0].atom == DW_OP_addr) {
        *ret = ops[0].number;
        return true;
    }
    Dwarf_Attribute indexed;
    return (ops[0].atom == DW_OP_addrx || ops[0].atom == DW_OP_GNU_addr_index) &&
           dwarf_getlocation_attr(&found, &ops[0], &indexed) == 0 &&
           dwarf_formaddr(&indexed, ret) == 0;
}

struct search {
    uint64_t address; /* as the file has it */
    struct name *name;
    bool is_found;
};

/* The name may stand at the declaration that a definition completes. */
static void try_variable(Dwarf_Die *variable, struct search *search)
{
    Dwarf_Attribute found;
    Dwarf_Die type;
    Dwarf_Word bytes;
    uint64_t start;
    const char *name = dwarf_formstring(dwarf_attr_integrate(variable, DW_AT_name, &found));

    if (!name || !address_of(variable, &start) || !type_of(variable, &type) ||
        dwarf_aggregate_size(&type, &bytes) != 0 || search->address - start >= bytes)
        return;
    search->is_found = true;
    say(search->name, "", name);
    walk_down(&type, search->address - start, search->name);
}

/* Also those that are static within functions. */
static void search_below(Dwarf_Die *parent, struct search *search, int depth)
{
    Dwarf_Die child;
    int more = depth < TYPES_DEEP ? dwarf_child(parent, &child) : 1;

    for (; more == 0 && !search->is_found; more = dwarf_siblingof(&child, &child)) {
        switch (dwarf_tag(&child)) {
        case DW_TAG_variable:
            try_variable(&child, search);
            break;
        case DW_TAG_subprogram:
        case DW_TAG_lexical_block:
        case DW_TAG_namespace:
            search_below(&child, search, depth + 1);
            break;
        default:
            break;
        }
    }
}

bool ck_lines_variable(struct ck_lines *lines, uint64_t address, char *to, size_t room)
{
    Dwarf_Addr bias;
    Dwarf_Die *unit = NULL;
    struct name name = {.text = to, .room = room};
    struct search search = {.name = &name};
    Dwfl_Module *module = dwfl_addrmodule(lines->dwfl, address);

    while (module && !search.is_found && (unit = dwfl_module_nextcu(module, unit, &bias))) {
        search.address = address - bias;
        search_below(unit, &search, 0);
    }
    return search.is_found;
}

#else

struct ck_lines *ck_lines_new(void)
{
    return NULL;
}

void ck_lines_add(struct ck_lines *lines, const char *path, uint64_t base)
{
    (void)lines, (void)path, (void)base;
}

void ck_lines_ready(struct ck_lines *lines)
{
    (void)lines;
}

const char *ck_lines_find(struct ck_lines *lines, uint64_t address,
                          bool (*is_wanted)(const char *path), unsigned *ret_line)
{
    (void)lines, (void)address, (void)is_wanted, (void)ret_line;
    return NULL;
}

bool ck_lines_variable(struct ck_lines *lines, uint64_t address, char *to, size_t room)
{
    (void)lines, (void)address, (void)to, (void)room;
    return false;
}

void ck_lines_free(struct ck_lines *lines)
{
    (void)lines;
}

#endif
