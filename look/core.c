/* SPDX-License-Identifier: MIT */
/* core.c - the memory that a process had when it ended, from its core file (elf(5), core(5)).
 *
 * What was mapped from files and never written to is usually not in a core: code and constants,
 * the names of tasks among them. It is read from those files, whose names the core has (NT_FILE).
 * One that has been built anew since is not what was loaded: where the core has its first page (it
 * has, unless its filter was changed), which holds the linker's build-id, that has to be the
 * same.
 *
 * Read by pread(2), not mapped: a core that is cut short gives an error, not a signal. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "look/target.h"

enum {
    NOTES_MOST = 256 << 20,
    SEGMENTS_MOST = 1 << 22,
    PAGE = 4096,
};

/* Memory that is in a file: the core, or one that was loaded. */
struct piece {
    uint64_t start, end, offset;
    int file; /* index, or IN_CORE */
};

enum { IN_CORE = -1, NOT_OPENED = -1, NOT_THE_SAME = -2 };

struct loaded {
    const char *path; /* in `notes` */
    int fd;           /* or NOT_OPENED, NOT_THE_SAME */
    uint64_t start;   /* where its first page lies; 0: nowhere */
};

struct core {
    struct look_target target;
    int fd;
    struct piece *pieces, *mappings; /* of the core, by address; of files */
    size_t piece_count, mapping_count;
    struct loaded *loaded;
    size_t loaded_count;
    struct look_thread *threads;
    char *notes;
    size_t note_bytes;
};

static struct core *core_of(struct look_target *target)
{
    return (struct core *)target; /* its first member */
}

static int read_file(int fd, void *to, size_t bytes, uint64_t offset)
{
    size_t done = 0;

    while (done < bytes) {
        ssize_t count = pread(fd, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count < 0 ? -errno : -EFAULT;
        done += (size_t)count;
    }
    return 0;
}

/* --- memory --- */

static int by_address(const void *a, const void *b)
{
    const struct piece *one = a, *other = b;

    return one->start < other->start ? -1 : one->start > other->start;
}

static const struct piece *piece_at(const struct piece *pieces, size_t count, uint64_t address)
{
    size_t low = 0;

    while (low < count) {
        size_t middle = low + (count - low) / 2;
        if (pieces[middle].end <= address)
            low = middle + 1;
        else
            count = middle;
    }
    return pieces && pieces[low].start <= address && address < pieces[low].end ? &pieces[low]
                                                                               : NULL;
}

/* Of its first page, as much as the core has. */
static bool is_what_was_loaded(const struct core *core, int fd, uint64_t start)
{
    char now[PAGE], then[PAGE];
    const struct piece *piece = start ? piece_at(core->pieces, core->piece_count, start) : NULL;

    if (!piece || piece->end - start < PAGE)
        return true;
    return read_file(core->fd, then, PAGE, piece->offset + (start - piece->start)) == 0 &&
           read_file(fd, now, PAGE, 0) == 0 && memcmp(now, then, PAGE) == 0;
}

static int open_loaded(const struct core *core, struct loaded *loaded)
{
    if (loaded->fd != NOT_OPENED)
        return loaded->fd;
    int fd = open(loaded->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd >= 0 && !is_what_was_loaded(core, fd, loaded->start)) {
        close(fd);
        fd = -1;
    }
    loaded->fd = fd < 0 ? NOT_THE_SAME : fd;
    return loaded->fd;
}

/* As much as lies in one piece. Returns how much, or -EFAULT. */
static ssize_t read_piece(struct core *core, uint64_t address, void *to, size_t bytes)
{
    const struct piece *piece = piece_at(core->pieces, core->piece_count, address);
    int fd = core->fd;

    if (!piece) {
        piece = piece_at(core->mappings, core->mapping_count, address);
        fd = piece ? open_loaded(core, &core->loaded[piece->file]) : -1;
    }
    if (fd < 0)
        return -EFAULT;
    if (bytes > piece->end - address)
        bytes = (size_t)(piece->end - address);
    int r = read_file(fd, to, bytes, piece->offset + (address - piece->start));
    return r < 0 ? -EFAULT : (ssize_t)bytes;
}

static int read_core(struct look_target *target, uint64_t address, void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t count =
            read_piece(core_of(target), address + done, (char *)to + done, bytes - done);
        if (count < 0)
            return -EFAULT;
        done += (size_t)count;
    }
    return 0;
}

static void close_core(struct look_target *target)
{
    struct core *core = core_of(target);

    for (size_t i = 0; i < core->loaded_count; i++) {
        if (core->loaded[i].fd >= 0)
            close(core->loaded[i].fd);
    }
    if (core->fd >= 0)
        close(core->fd);
    rvi_free(core->pieces);
    rvi_free(core->mappings);
    rvi_free(core->loaded);
    rvi_free(core->threads);
    rvi_free(core->notes);
    rvi_free(core);
}

/* --- what the notes say --- */

/* A file is listed once a mapping, its mappings behind one another. */
static int take_mapping(struct core *core, uint64_t start, uint64_t end, uint64_t offset,
                        const char *path)
{
    struct loaded *last = core->loaded_count ? &core->loaded[core->loaded_count - 1] : NULL;

    if (!last || strcmp(last->path, path) != 0)
        core->loaded[core->loaded_count++] = (struct loaded){path, NOT_OPENED, 0};
    last = &core->loaded[core->loaded_count - 1];
    if (offset == 0 && !last->start)
        last->start = start;
    core->mappings[core->mapping_count++] =
        (struct piece){start, end, offset, (int)core->loaded_count - 1};
    return look_add_mapping(&core->target, start, end, offset, path);
}

/* NT_FILE: how many, the size of a page, three numbers each, then their names. */
static int take_files(struct core *core, const char *at, size_t bytes)
{
    uint64_t head[2], three[3];
    const char *end = at + bytes;

    if (bytes < sizeof head || core->mappings)
        return 0;
    memcpy(head, at, sizeof head);
    if (head[0] > (bytes - sizeof head) / sizeof three)
        return -EINVAL;
    core->mappings = rvi_calloc(head[0] + 1, sizeof *core->mappings);
    core->loaded = rvi_calloc(head[0] + 1, sizeof *core->loaded);
    if (!core->mappings || !core->loaded)
        return -ENOMEM;
    const char *numbers = at + sizeof head, *name = numbers + head[0] * sizeof three;
    int r = 0;
    for (uint64_t i = 0; i < head[0] && r == 0; i++) {
        size_t length = strnlen(name, (size_t)(end - name));
        if (name + length == end)
            return -EINVAL;
        memcpy(three, numbers + i * sizeof three, sizeof three);
        r = take_mapping(core, three[0], three[1], three[2] * head[1], name);
        name += length + 1;
    }
    return r;
}

static void know(struct rvi_regs *regs, unsigned number, uint64_t value)
{
    regs->value[number] = value;
    regs->known |= (uint32_t)1 << number;
}

/* The kernel's order of registers, struct user_regs_struct, to that of DWARF. */
static void take_registers(const struct elf_prstatus *status, struct rvi_regs *regs)
{
    uint64_t values[sizeof status->pr_reg / sizeof(uint64_t)];

    *regs = (struct rvi_regs){0};
    memcpy(values, &status->pr_reg, sizeof status->pr_reg);
#if defined(__x86_64__)
    static const uint8_t place_of[16] = {10, 12, 11, 5, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0};
    for (unsigned i = 0; i < 16; i++)
        know(regs, i, values[place_of[i]]);
    regs->pc = values[16];
    regs->sp = values[19];
#elif defined(__aarch64__)
    for (unsigned i = 0; i < 32; i++)
        know(regs, i, values[i]);
    regs->sp = values[31];
    regs->pc = values[32];
#endif
}

static int take_thread(struct core *core, const char *at, size_t bytes)
{
    struct elf_prstatus status;
    size_t count = core->target.thread_count;

    if (bytes < sizeof status)
        return 0;
    struct look_thread *threads = rvi_realloc(core->threads, (count + 1) * sizeof *threads);
    if (!threads)
        return -ENOMEM;
    core->threads = threads;
    core->target.threads = threads;
    memcpy(&status, at, sizeof status);
    threads[count].id = status.pr_pid;
    take_registers(&status, &threads[count].regs);
    core->target.thread_count++;
    return 0;
}

static void take_program(struct core *core, const char *at, size_t bytes)
{
    struct elf_prpsinfo info;

    if (bytes < sizeof info)
        return;
    memcpy(&info, at, sizeof info);
    core->target.pid = info.pr_pid;
    snprintf(core->target.program, sizeof core->target.program, "process %d (%.*s)", info.pr_pid,
             (int)sizeof info.pr_fname, info.pr_fname);
}

static int take_note(struct core *core, unsigned type, const char *at, size_t bytes)
{
    switch (type) {
    case NT_FILE:
        return take_files(core, at, bytes);
    case NT_PRSTATUS:
        return take_thread(core, at, bytes);
    case NT_PRPSINFO:
        take_program(core, at, bytes);
    }
    return 0;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

static int take_notes(struct core *core)
{
    Elf64_Nhdr note;
    int r = 0;

    for (size_t at = 0; at + sizeof note <= core->note_bytes && r == 0;) {
        memcpy(&note, core->notes + at, sizeof note);
        const char *name = core->notes + at + sizeof note;
        size_t content = at + sizeof note + aligned(note.n_namesz);
        if (content > core->note_bytes || note.n_descsz > core->note_bytes - content)
            break;
        at = content + aligned(note.n_descsz);
        if (note.n_namesz == sizeof "CORE" && memcmp(name, "CORE", sizeof "CORE") == 0)
            r = take_note(core, note.n_type, core->notes + content, note.n_descsz);
    }
    return r;
}

/* --- the file --- */

static int read_notes(struct core *core, const Elf64_Phdr *segment)
{
    if (core->notes || segment->p_filesz > NOTES_MOST)
        return 0;
    core->notes = rvi_alloc(segment->p_filesz + 1);
    if (!core->notes)
        return -ENOMEM;
    core->note_bytes = segment->p_filesz;
    core->notes[core->note_bytes] = '\0';
    return read_file(core->fd, core->notes, core->note_bytes, segment->p_offset);
}

static int take_segments(struct core *core, const Elf64_Phdr *segments, size_t count)
{
    int r = 0;

    core->pieces = rvi_calloc(count + 1, sizeof *core->pieces);
    if (!core->pieces)
        return -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++) {
        const Elf64_Phdr *at = &segments[i];
        if (at->p_type == PT_NOTE)
            r = read_notes(core, at);
        else if (at->p_type == PT_LOAD && at->p_filesz)
            core->pieces[core->piece_count++] =
                (struct piece){at->p_vaddr, at->p_vaddr + at->p_filesz, at->p_offset, IN_CORE};
    }
    qsort(core->pieces, core->piece_count, sizeof *core->pieces, by_address);
    return r;
}

/* More segments than a header can say are counted in the first section's. */
static int count_segments(const struct core *core, const Elf64_Ehdr *header, size_t *ret)
{
    Elf64_Shdr first;

    *ret = header->e_phnum;
    if (header->e_phnum != PN_XNUM)
        return 0;
    int r = read_file(core->fd, &first, sizeof first, header->e_shoff);
    *ret = first.sh_info;
    return r;
}

static int read_segments(struct core *core, const Elf64_Ehdr *header)
{
    size_t count = 0;
    int r = count_segments(core, header, &count);

    if (r < 0 || count > SEGMENTS_MOST || header->e_phentsize != sizeof(Elf64_Phdr))
        return r < 0 ? r : -EINVAL;
    Elf64_Phdr *segments = rvi_calloc(count + 1, sizeof *segments);
    r = segments ? read_file(core->fd, segments, count * sizeof *segments, header->e_phoff)
                 : -ENOMEM;
    if (r == 0)
        r = take_segments(core, segments, count);
    rvi_free(segments);
    if (r == 0)
        r = take_notes(core);
    qsort(core->mappings, core->mapping_count, sizeof *core->mappings, by_address);
    return r;
}

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#endif

static int open_file(struct core *core, const char *path, struct look_trouble *trouble)
{
    Elf64_Ehdr header;

    core->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (core->fd < 0)
        return look_say(trouble, -errno, "%s: %s", path, strerror(errno));
    int r = read_file(core->fd, &header, sizeof header, 0);
    if (r < 0 || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_CORE)
        return look_say(trouble, r < 0 && r != -EFAULT ? r : -ENOEXEC, "%s is no core file", path);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != OUR_MACHINE)
        return look_say(trouble, -ENOEXEC, "%s is the core file of a program for another machine",
                        path);
    r = read_segments(core, &header);
    return r < 0 ? look_say(trouble, r, "%s cannot be read: %s", path,
                            r == -EFAULT ? "it is cut short" : strerror(-r))
                 : 0;
}

/* Who has no Ravel in it may have lost it: tell of a program that is not what it was. */
static int find_ravel(struct core *core, struct look_trouble *trouble)
{
    int r = look_find_layouts(&core->target, trouble);

    for (size_t i = 0; r == -ENOEXEC && i < core->loaded_count; i++) {
        if (core->loaded[i].fd == NOT_THE_SAME && core->loaded[i].start)
            return look_say(
                trouble, r,
                "no Ravel is found in %s, and %s is not there any more as it was loaded",
                core->target.core, core->loaded[i].path);
    }
    return r;
}

int look_open_core(struct look_target **ret, const char *path, struct look_trouble *trouble)
{
    struct core *core = rvi_calloc(1, sizeof *core);

    if (!core)
        return look_say(trouble, -ENOMEM, "no memory");
    core->target.read = read_core;
    core->target.close = close_core;
    core->target.core = path;
    snprintf(core->target.program, sizeof core->target.program, "the program of %s", path);
    int r = open_file(core, path, trouble);
    if (r == 0)
        r = find_ravel(core, trouble);
    if (r < 0) {
        look_close(&core->target);
        return r;
    }
    *ret = &core->target;
    return 0;
}
