/* SPDX-License-Identifier: MIT */
/* target.c - finding Ravel in a program's memory.
 *
 * Each module's ELF header lies where its file was mapped from its beginning; it leads to the
 * module's notes, one of which leads to struct rvi_layout (task/layout.h). All of it is read from
 * the program's memory: files may have been replaced or lie in another mount namespace.
 *
 * Everything that is read may be nonsense, as any program may be asked about: nothing is believed
 * before it is compared, no length taken without a bound.
 *
 * Checked by: tests/look */
#include "look/target.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sched/task.h"
#include "sched/why.h"

enum {
    SEGMENTS_MOST = 64,
    NOTE_BYTES_MOST = 64 << 10,
    MODULES_MOST = 4096,
    PAGE = 4096,
};

int look_say(struct look_trouble *trouble, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(trouble->text, sizeof trouble->text, format, args);
    va_end(args);
    return error;
}

void look_close(struct look_target *target)
{
    if (!target)
        return;
    for (size_t i = 0; i < target->module_count; i++)
        rvi_free((char *)(uintptr_t)target->modules[i].path);
    rvi_free(target->modules);
    target->close(target);
}

static char *copy_of(const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = rvi_alloc(bytes);

    return copy ? memcpy(copy, text, bytes) : NULL;
}

int look_add_mapping(struct look_target *target, uint64_t start, uint64_t end, uint64_t offset,
                     const char *path)
{
    struct look_module *last =
        target->module_count ? &target->modules[target->module_count - 1] : NULL;

    if (last && offset != 0 && strcmp(last->path, path) == 0)
        last->end = end;
    if (offset != 0 || target->module_count == MODULES_MOST)
        return 0;
    struct look_module *modules =
        rvi_realloc(target->modules, (target->module_count + 1) * sizeof *modules);
    if (!modules)
        return -ENOMEM;
    target->modules = modules;
    modules[target->module_count] = (struct look_module){start, end, start, copy_of(path)};
    if (!modules[target->module_count].path)
        return -ENOMEM;
    target->module_count++;
    return 0;
}

static bool is_printable(unsigned char c)
{
    return c >= ' ' && c != 0x7f;
}

/* In pieces that end with a page: the next one may not be there. */
int look_read_text(struct look_target *target, uint64_t address, char *to, size_t room)
{
    size_t count = 0;

    while (count + 1 < room) {
        size_t piece = PAGE - (size_t)((address + count) % PAGE);
        if (piece > room - 1 - count)
            piece = room - 1 - count;
        int r = target->read(target, address + count, to + count, piece);
        if (r < 0)
            return r;
        for (size_t i = 0; i < piece; i++, count++) {
            if (!to[count])
                return 0;
            if (!is_printable((unsigned char)to[count]))
                to[count] = '?';
        }
    }
    to[count] = '\0';
    return 0;
}

/* --- files --- */

/* A process may see other files by those names than we do; one that was deleted is still to be had
 * as the program that it runs. */
static int open_path(const struct look_target *target, const struct look_module *module)
{
    char path[4352];
    int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

    if (target->core)
        return open(module->path, flags);
    snprintf(path, sizeof path, "/proc/%d/root%s", (int)target->pid, module->path);
    int fd = open(path, flags);
    if (fd >= 0 || module != target->modules)
        return fd;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)target->pid);
    return open(path, flags);
}

int look_open_module(struct look_target *target, const struct look_module *module)
{
    char loaded[PAGE], there[PAGE];
    int fd = open_path(target, module);

    if (fd < 0)
        return -errno;
    if (target->read(target, module->start, loaded, PAGE) < 0 ||
        (pread(fd, there, PAGE, 0) == PAGE && memcmp(loaded, there, PAGE) == 0))
        return fd;
    close(fd);
    return -ESTALE;
}

/* --- notes --- */

static int refuse_version(const struct look_target *target, const struct rvi_layout *found,
                          struct look_trouble *trouble)
{
    return look_say(
        trouble, -EPROTONOSUPPORT,
        "%s has libravel %.*s (layout %u) in it, and this command is of %s (layout %u): "
        "use the command that was built with that library",
        target->program, (int)sizeof found->version - 1, found->version, found->revision,
        RVI_VERSION, (unsigned)RVI_LAYOUT_REVISION);
}

static bool is_same_version(const struct rvi_layout *found)
{
    return found->revision == RVI_LAYOUT_REVISION && found->bytes == sizeof *found &&
           strncmp(found->version, RVI_VERSION, sizeof found->version) == 0 &&
           found->enumerators == RVI_LAYOUT_ENUMERATORS;
}

/* Whether each field lies in its record, and is a number of a length that there is. */
static bool is_sound(const struct rvi_layout *found)
{
#define RECORD_OF(record, member, name) RVI_RECORD_##record,
    static const uint8_t records[] = {RVI_LAYOUT(RVI_LAYOUT_NO_RECORD, RECORD_OF)};

    for (unsigned i = 0; i < RVI_LAYOUT_FIELDS; i++) {
        unsigned bytes = found->fields[i].bytes;
        if ((bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) ||
            found->fields[i].offset + bytes > found->records[records[i]])
            return false;
    }
    return true;
}

/* Where a module lies in memory. */
struct extent {
    uint64_t start, end, bias;
};

/* The start is the same in all versions. Addresses are right once the loader has been there. */
static int take_layout(struct look_target *target, uint64_t address, const struct extent *extent,
                       struct look_trouble *trouble)
{
    struct rvi_layout found = {0};
    const size_t head = offsetof(struct rvi_layout, records);

    if (target->read(target, address, &found, head) < 0 || found.magic != RVI_LAYOUT_MAGIC)
        return 0;
    if (!is_same_version(&found))
        return refuse_version(target, &found, trouble);
    int r = target->read(target, address, &found, sizeof found);
    if (r < 0 || !is_sound(&found))
        return look_say(trouble, r < 0 ? r : -EPROTONOSUPPORT,
                        "the description of libravel in %s cannot be read", target->program);
    if ((uintptr_t)found.scheds - extent->start >= extent->end - extent->start ||
        (uintptr_t)found.roll - extent->start >= extent->end - extent->start)
        return look_say(trouble, -EAGAIN, "%s is just being loaded: try again", target->program);
    if (target->layout_count < LOOK_LIBRARIES)
        target->layouts[target->layout_count++] = found;
    return 0;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

/* `notes` were read from `address`. */
static int look_through(struct look_target *target, const char *notes, size_t bytes,
                        uint64_t address, const struct extent *extent, struct look_trouble *trouble)
{
    Elf64_Nhdr note;
    int r = 0;

    for (size_t at = 0; at + sizeof note <= bytes && r == 0;) {
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note, content = name + aligned(note.n_namesz);
        if (note.n_namesz > bytes || note.n_descsz > bytes || content + note.n_descsz > bytes)
            break;
        at = content + aligned(note.n_descsz);
        if (note.n_type != RVI_LAYOUT_NOTE || note.n_namesz != sizeof RVI_LAYOUT_OWNER ||
            note.n_descsz != sizeof(int32_t) ||
            memcmp(notes + name, RVI_LAYOUT_OWNER, sizeof RVI_LAYOUT_OWNER) != 0)
            continue;
        int32_t distance;
        memcpy(&distance, notes + content, sizeof distance);
        r = take_layout(target, address + content + (uint64_t)(int64_t)distance, extent, trouble);
    }
    return r;
}

static int look_at_notes(struct look_target *target, const Elf64_Phdr *segment,
                         const struct extent *extent, struct look_trouble *trouble)
{
    uint64_t address = extent->bias + segment->p_vaddr, bytes = segment->p_filesz;
    char *notes = bytes <= NOTE_BYTES_MOST ? rvi_alloc(bytes + 1) : NULL;
    int r = 0;

    if (!notes)
        return bytes <= NOTE_BYTES_MOST ? look_say(trouble, -ENOMEM, "no memory") : 0;
    if (target->read(target, address, notes, bytes) == 0)
        r = look_through(target, notes, bytes, address, extent, trouble);
    rvi_free(notes);
    return r;
}

static void measure(const Elf64_Phdr *segments, unsigned count, struct extent *extent)
{
    for (unsigned i = 0; i < count; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_offset == 0)
            extent->bias = extent->start - segments[i].p_vaddr;
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t end = extent->bias + segments[i].p_vaddr + segments[i].p_memsz;
        if (segments[i].p_type == PT_LOAD && end > extent->end)
            extent->end = end;
    }
}

/* A module that cannot be read, or is no ELF file for us, has no Ravel in it. */
static int look_at_module(struct look_target *target, struct look_module *module,
                          struct look_trouble *trouble)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS_MOST];
    struct extent extent = {module->start, module->end, module->start};
    int r = 0;

    if (target->read(target, module->start, &header, sizeof header) < 0 ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_phentsize != sizeof *segments || header.e_phnum > SEGMENTS_MOST ||
        target->read(target, module->start + header.e_phoff, segments,
                     header.e_phnum * sizeof *segments) < 0)
        return 0;
    measure(segments, header.e_phnum, &extent);
    module->bias = extent.bias;
    for (unsigned i = 0; i < header.e_phnum && r == 0; i++) {
        if (segments[i].p_type == PT_NOTE)
            r = look_at_notes(target, &segments[i], &extent, trouble);
    }
    return r;
}

int look_find_layouts(struct look_target *target, struct look_trouble *trouble)
{
    int r = 0;

    for (size_t i = 0; i < target->module_count && r == 0; i++)
        r = look_at_module(target, &target->modules[i], trouble);
    if (r == 0 && target->layout_count == 0)
        r = look_say(trouble, -ENOEXEC,
                     "%s has no Ravel in it: neither libravel.so is loaded, nor "
                     "is it a part of the program",
                     target->program);
    return r;
}
