/* SPDX-License-Identifier: MIT */
/* backtrace.c - unwinding with elfutils' libdw, which is loaded when it is first needed.
 *
 * libdw is asked to unwind a "thread" of this process whose registers and memory come from the view
 * (dwfl_attach_state). Modules are reported from dl_iterate_phdr() rather than from
 * /proc/self/maps, which has a line or two for each of a million stacks.
 *
 * Which frames are this library's own: those of its module, if that is a shared library; linked
 * statically, those whose source lies in the same folder above the rooms as this file's.
 *
 * The guess without libdw: words of the stack whose target follows a call instruction.
 *
 * Invariants
 *   B1  memory is read inside the view's bounds only.
 *   B2  no network: libdw's own search for separate debug information may ask servers of the
 *       distribution, so it is given a search that finds nothing.
 *
 * Rejected: linking libdw (each program would load it and four more libraries at its start);
 * _Unwind_Backtrace (begins at its caller and nowhere else); following frame pointers (they are
 * left out at -O2); libunwind (no lines).
 *
 * Checked by: tests/unit/sys/test_backtrace.c */
#include "sys/backtrace.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifdef RVI_HAVE_LIBDW
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#endif

#include "base/alloc.h"
#include "base/check.h"
#include "sys/fiber_hooks.h"

enum { SCAN_BYTES = 8192, PATH_PARTS = 2, CODE_MOST = 128, LONGEST_CALL = 8 };

#if defined(__x86_64__)
enum { CALL_BYTES = 1 };
#elif defined(__aarch64__)
enum { CALL_BYTES = 4 };
#endif

struct code {
    uintptr_t start, end;
};

struct rvi_backtracer {
    void *session;                     /* libdw's; NULL: guess */
    const void *own_code;              /* where this library's is: ours, or the other program's */
    bool is_foreign;                   /* of another program */
    const struct rvi_stack_view *view; /* what is being unwound, and where its frames go */
    const void **pcs;
    size_t count, most;
    const char *own_folder; /* of the library's sources, as its debug information has it */
    size_t own_folder_length;
    struct code code[CODE_MOST]; /* of all modules */
    size_t code_count;
};

static bool is_in_view(const struct rvi_stack_view *view, uintptr_t address)
{
    return address >= view->low && address + sizeof(uintptr_t) <= view->high &&
           address % sizeof(uintptr_t) == 0;
}

/* Words of frames that have ended lie among live ones: no sanitizer is to mind. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static uintptr_t word_at(
    const struct rvi_stack_view *view, uintptr_t address)
{
    uintptr_t word = *(const volatile uintptr_t *)(const void *)(view->bytes + address - view->low);
    rvi_hooks_word_read(&word);
    return word;
}

__attribute__((no_sanitize("address", "thread", "undefined"))) void rvi_stack_copy(char *to,
                                                                                   const char *from,
                                                                                   size_t bytes)
{
    const volatile char *source = from;

    for (size_t i = 0; i < bytes; i++)
        to[i] = source[i];
}

void rvi_stack_view_parked(const struct rvi_stack *stack, const void *ctx,
                           struct rvi_stack_view *ret)
{
    rvi_ctx_regs(ctx, &ret->regs);
    ret->low = ret->regs.sp;
    ret->high = (uintptr_t)stack->high;
    ret->bytes = ((const struct rvi_ctx *)ctx)->sp;
}

/* Of a frame that is left by a call; lines are looked up inside the call, not after it. */
static void add_return_address(struct rvi_backtracer *backtracer, uintptr_t address)
{
    if (backtracer->count < backtracer->most)
        backtracer->pcs[backtracer->count++] = (const void *)(address - CALL_BYTES);
}

/* --- libdw --- */

#ifdef RVI_HAVE_LIBDW

#define LIBDW_FUNCTIONS(F)                                                                         \
    F(dwarf_attr)                                                                                  \
    F(dwarf_filesrc)                                                                               \
    F(dwarf_formudata)                                                                             \
    F(dwarf_getscopes)                                                                             \
    F(dwarf_getscopes_die)                                                                         \
    F(dwarf_getsrc_die)                                                                            \
    F(dwarf_getsrcfiles)                                                                           \
    F(dwarf_haspc)                                                                                 \
    F(dwarf_lineno)                                                                                \
    F(dwarf_linesrc)                                                                               \
    F(dwarf_tag)                                                                                   \
    F(dwfl_addrmodule)                                                                             \
    F(dwfl_attach_state)                                                                           \
    F(dwfl_begin)                                                                                  \
    F(dwfl_end)                                                                                    \
    F(dwfl_frame_pc)                                                                               \
    F(dwfl_getthread_frames)                                                                       \
    F(dwfl_module_addrdie)                                                                         \
    F(dwfl_module_addrinfo)                                                                        \
    F(dwfl_module_info)                                                                            \
    F(dwfl_module_nextcu)                                                                          \
    F(dwfl_report_elf)                                                                             \
    F(dwfl_report_end)                                                                             \
    F(dwfl_thread_state_register_pc)                                                               \
    F(dwfl_thread_state_registers)

#define MEMBER(name) __typeof__(&name) name;
static struct {
    LIBDW_FUNCTIONS(MEMBER)
    bool is_there;
} libdw;
#undef MEMBER

/* A program that is static as a whole has no loader, and brings no C library that others could
 * use. */
static void load_libdw(void)
{
    void *handle = getauxval(AT_BASE) ? dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;

    libdw.is_there = handle != NULL;
#define LOOK_UP(name)                                                                              \
    libdw.name = handle ? (__typeof__(&name))dlsym(handle, #name) : NULL;                          \
    libdw.is_there &= libdw.name != NULL;
    LIBDW_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
}

static pthread_once_t libdw_once = PTHREAD_ONCE_INIT;

static int find_no_debuginfo(Dwfl_Module *module, void **userdata, const char *name,
                             Dwarf_Addr base, const char *file, const char *link, GElf_Word crc,
                             char **ret)
{
    (void)module, (void)userdata, (void)name, (void)base, (void)file, (void)link, (void)crc;
    (void)ret;
    return -1;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **ret_thread_arg)
{
    (void)dwfl, (void)tid;
    *ret_thread_arg = arg;
    return true;
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg)
{
    (void)dwfl, (void)arg, (void)thread_arg;
    return 0;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret, void *arg)
{
    const struct rvi_stack_view *view = ((struct rvi_backtracer *)arg)->view;

    (void)dwfl;
    if (!is_in_view(view, address))
        return false;
    *ret = word_at(view, address);
    return true;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
    const struct rvi_regs *regs = &((struct rvi_backtracer *)arg)->view->regs;
    bool is_set = true;

    for (unsigned i = 0; i < sizeof regs->value / sizeof regs->value[0]; i++) {
        Dwarf_Word value = regs->value[i];
        if (regs->known >> i & 1)
            is_set &= libdw.dwfl_thread_state_registers(thread, (int)i, 1, &value);
    }
    libdw.dwfl_thread_state_register_pc(thread, regs->pc);
    return is_set;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

/* The program itself is the one whose name is empty. What cannot be read (the kernel's vdso has no
 * file) stays unknown. */
static int report_module(struct dl_phdr_info *info, size_t bytes, void *dwfl)
{
    const char *path = info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe";

    (void)bytes;
    if (path[0] == '/')
        libdw.dwfl_report_elf(dwfl, path, path, -1, info->dlpi_addr, true);
    return 0;
}

/* The outermost of the calls that were inlined into the function at `pc`. False: none was.
 * dwarf_getscopes() goes on from an inlined function to where that was written; only
 * dwarf_getscopes_die() leads out to where it is. Both give malloc's memory, innermost first. */
static bool find_inlined(Dwarf_Die *unit, Dwarf_Addr pc, Dwarf_Die *ret)
{
    Dwarf_Die *at = NULL, *scopes = NULL;
    int count =
        libdw.dwarf_getscopes(unit, pc, &at) > 0 ? libdw.dwarf_getscopes_die(at, &scopes) : 0;
    bool is_found = false;

    for (int i = 0; i < count && libdw.dwarf_tag(&scopes[i]) != DW_TAG_subprogram; i++) {
        if (libdw.dwarf_tag(&scopes[i]) == DW_TAG_inlined_subroutine) {
            *ret = scopes[i];
            is_found = true;
        }
    }
    free(at);
    free(scopes);
    return is_found;
}

static Dwarf_Word number_of(Dwarf_Die *die, unsigned attribute)
{
    Dwarf_Attribute found;
    Dwarf_Word number = 0;

    if (libdw.dwarf_attr(die, attribute, &found))
        libdw.dwarf_formudata(&found, &number);
    return number;
}

/* The unit that `pc` was compiled in. Compilers that leave .debug_aranges out (clang does) make
 * libdw find none by itself. */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr pc, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = libdw.dwfl_module_addrdie(module, pc, bias);

    if (unit)
        return unit;
    do
        unit = libdw.dwfl_module_nextcu(module, unit, bias);
    while (unit && libdw.dwarf_haspc(unit, pc - *bias) != 1);
    return unit;
}

/* Where the function's own text calls what was inlined into it. */
static const char *source_of_inlined(Dwarf_Die *unit, Dwarf_Die *inlined, int *line)
{
    Dwarf_Files *files;
    size_t count;

    if (libdw.dwarf_getsrcfiles(unit, &files, &count) != 0)
        return NULL;
    *line = (int)number_of(inlined, DW_AT_call_line);
    return libdw.dwarf_filesrc(files, number_of(inlined, DW_AT_call_file), NULL, NULL);
}

/* The place in the text of the function that `pc` lies in. */
static const char *source_of(Dwfl *dwfl, const void *address, int *line)
{
    Dwarf_Addr bias, pc = (uintptr_t)address;
    Dwarf_Die inlined;
    Dwfl_Module *module = libdw.dwfl_addrmodule(dwfl, pc);
    Dwarf_Die *unit = module ? unit_of(module, pc, &bias) : NULL;

    if (!unit)
        return NULL;
    if (find_inlined(unit, pc - bias, &inlined))
        return source_of_inlined(unit, &inlined, line);
    Dwarf_Line *at = libdw.dwarf_getsrc_die(unit, pc - bias);
    if (!at)
        return NULL;
    libdw.dwarf_lineno(at, line);
    return libdw.dwarf_linesrc(at, NULL, NULL);
}

/* ".../src/" of ".../src/sys/backtrace.c". */
static void learn_own_folder(struct rvi_backtracer *backtracer)
{
    static const char own[] = "sys/backtrace.c";
    int line;
    const char *file = source_of(backtracer->session, backtracer->own_code, &line);
    size_t length = file ? strlen(file) : 0;

    if (length > sizeof own && strcmp(file + length - (sizeof own - 1), own) == 0) {
        backtracer->own_folder = file;
        backtracer->own_folder_length = length - (sizeof own - 1);
    }
}

static int report_other(Dwfl *dwfl, const struct rvi_other_module *module)
{
    int fd = dup(module->fd); /* libdw's, if it takes the module */

    if (fd >= 0 &&
        !libdw.dwfl_report_elf(dwfl, module->path, module->path, fd, (GElf_Addr)module->bias, true))
        close(fd);
    return 0;
}

static void report_modules(Dwfl *dwfl, const struct rvi_other_program *other)
{
    if (!other)
        dl_iterate_phdr(report_module, dwfl);
    for (size_t i = 0; other && i < other->count; i++)
        report_other(dwfl, &other->modules[i]);
}

static void open_session(struct rvi_backtracer *backtracer, const struct rvi_other_program *other)
{
    static const Dwfl_Callbacks callbacks = {.find_debuginfo = find_no_debuginfo};

    pthread_once(&libdw_once, load_libdw);
    Dwfl *dwfl = libdw.is_there ? libdw.dwfl_begin(&callbacks) : NULL;
    if (!dwfl)
        return;
    report_modules(dwfl, other);
    if (libdw.dwfl_report_end(dwfl, NULL, NULL) != 0 ||
        !libdw.dwfl_attach_state(dwfl, NULL, getpid(), &thread_callbacks, backtracer)) {
        libdw.dwfl_end(dwfl);
        return;
    }
    backtracer->session = dwfl;
    learn_own_folder(backtracer);
}

static void close_session(struct rvi_backtracer *backtracer)
{
    if (backtracer->session)
        libdw.dwfl_end(backtracer->session);
}

static int add_frame(Dwfl_Frame *frame, void *arg)
{
    struct rvi_backtracer *backtracer = arg;
    bool is_activation;
    Dwarf_Addr pc;

    if (!libdw.dwfl_frame_pc(frame, &pc, &is_activation) || pc == 0)
        return DWARF_CB_ABORT;
    if (is_activation && backtracer->count < backtracer->most)
        backtracer->pcs[backtracer->count++] = (const void *)pc;
    else
        add_return_address(backtracer, pc);
    return backtracer->count < backtracer->most ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static void unwind(struct rvi_backtracer *backtracer)
{
    libdw.dwfl_getthread_frames(backtracer->session, getpid(), add_frame, backtracer);
}

static const char *last_parts(const char *path)
{
    const char *at = path + strlen(path);

    for (int slashes = 0; at > path; at--) {
        if (at[-1] == '/' && ++slashes == PATH_PARTS)
            break;
    }
    return at;
}

static bool is_own_source(const struct rvi_backtracer *backtracer, const char *file)
{
    return file && backtracer->own_folder &&
           strncmp(file, backtracer->own_folder, backtracer->own_folder_length) == 0;
}

static void ask_libdw(struct rvi_backtracer *backtracer, struct rvi_frame *frame)
{
    Dwfl_Module *module = libdw.dwfl_addrmodule(backtracer->session, (uintptr_t)frame->pc);
    const char *file = source_of(backtracer->session, frame->pc, &frame->line);
    GElf_Off offset;
    GElf_Sym symbol;

    if (module) {
        const char *name = libdw.dwfl_module_addrinfo(module, (uintptr_t)frame->pc, &offset,
                                                      &symbol, NULL, NULL, NULL);
        frame->function = name ? name : frame->function;
    }
    frame->file = file ? last_parts(file) : NULL;
    frame->is_ours |= is_own_source(backtracer, file);
}

/* What dladdr() says of our own. */
static void ask_for_module(struct rvi_backtracer *backtracer, struct rvi_frame *frame)
{
    Dwfl_Module *module = libdw.dwfl_addrmodule(backtracer->session, (uintptr_t)frame->pc);
    Dwarf_Addr start;

    if (!module)
        return;
    frame->module = libdw.dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    frame->offset = (uintptr_t)frame->pc - start;
    frame->is_ours =
        module == libdw.dwfl_addrmodule(backtracer->session, (uintptr_t)backtracer->own_code) &&
        frame->module && strstr(frame->module, ".so");
}

#else

static void open_session(struct rvi_backtracer *backtracer, const struct rvi_other_program *other)
{
    (void)backtracer;
    (void)other;
}

static void ask_for_module(struct rvi_backtracer *backtracer, struct rvi_frame *frame)
{
    (void)backtracer;
    (void)frame;
}

static void close_session(struct rvi_backtracer *backtracer)
{
    (void)backtracer;
}

static void unwind(struct rvi_backtracer *backtracer)
{
    (void)backtracer;
}

static void ask_libdw(struct rvi_backtracer *backtracer, struct rvi_frame *frame)
{
    (void)backtracer;
    (void)frame;
}

#endif

/* --- the guess --- */

/* More modules than that go unnoticed. */
static int learn_code(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct rvi_backtracer *backtracer = arg;

    (void)bytes;
    for (unsigned i = 0; i < info->dlpi_phnum && backtracer->code_count < CODE_MOST; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) && (part->p_flags & PF_R))
            backtracer->code[backtracer->code_count++] =
                (struct code){start, start + part->p_memsz};
    }
    return 0;
}

static bool is_code(const struct rvi_backtracer *backtracer, uintptr_t address)
{
    for (size_t i = 0; i < backtracer->code_count; i++) {
        const struct code *code = &backtracer->code[i];
        if (address >= code->start + LONGEST_CALL && address < code->end)
            return true;
    }
    return false;
}

/* The instruction before the address, in code, is a call: e8 with an offset, or ff /2 with an
 * operand of 0, 1 or 4 bytes; bl or blr. */
static bool follows_a_call(const struct rvi_backtracer *backtracer, uintptr_t address)
{
    if (!is_code(backtracer, address))
        return false;
    const unsigned char *at = (const unsigned char *)address; /* NOLINT: an address */
#if defined(__x86_64__)
    static const unsigned char lengths[] = {2, 3, 4, 6, 7};
    bool is_call = at[-5] == 0xe8;
    for (size_t i = 0; i < sizeof lengths; i++)
        is_call |= at[-lengths[i]] == 0xff && (at[1 - lengths[i]] >> 3 & 7) == 2;
    return is_call;
#elif defined(__aarch64__)
    uint32_t before;
    memcpy(&before, at - 4, sizeof before);
    return address % 4 == 0 && (before >> 26 == 0x25 || (before & 0xfffffc1f) == 0xd63f0000);
#endif
}

static void guess(struct rvi_backtracer *backtracer)
{
    const struct rvi_stack_view *view = backtracer->view;
    uintptr_t end = view->high - view->low > SCAN_BYTES ? view->low + SCAN_BYTES : view->high;

    if (backtracer->most)
        backtracer->pcs[backtracer->count++] = (const void *)view->regs.pc;
    for (uintptr_t at = view->regs.sp; is_in_view(view, at) && at < end; at += sizeof(uintptr_t)) {
        if (follows_a_call(backtracer, word_at(view, at)))
            add_return_address(backtracer, word_at(view, at));
    }
}

/* --- both --- */

struct rvi_backtracer *rvi_backtracer_new(bool exact)
{
    struct rvi_backtracer *backtracer = rvi_calloc(1, sizeof *backtracer);

    if (!backtracer)
        return NULL;
    backtracer->own_code = (const void *)(uintptr_t)rvi_backtracer_new;
    dl_iterate_phdr(learn_code, backtracer);
    if (exact)
        open_session(backtracer, NULL);
    return backtracer;
}

struct rvi_backtracer *rvi_backtracer_new_other(const struct rvi_other_program *other)
{
    struct rvi_backtracer *backtracer = rvi_calloc(1, sizeof *backtracer);

    if (!backtracer)
        return NULL;
    backtracer->own_code = other->own_code;
    backtracer->is_foreign = true;
    open_session(backtracer, other);
    return backtracer;
}

void *rvi_backtracer_free(struct rvi_backtracer *backtracer)
{
    if (backtracer)
        close_session(backtracer);
    rvi_free(backtracer);
    return NULL;
}

bool rvi_backtracer_is_exact(const struct rvi_backtracer *backtracer)
{
    return backtracer->session != NULL;
}

size_t rvi_backtrace(struct rvi_backtracer *backtracer, const struct rvi_stack_view *view,
                     const void **ret_pcs, size_t most)
{
    backtracer->view = view;
    backtracer->pcs = ret_pcs;
    backtracer->most = most;
    backtracer->count = 0;
    if (backtracer->session)
        unwind(backtracer);
    else
        guess(backtracer);
    return backtracer->count;
}

/* A shared library that has this function in it. */
static bool is_own_library(const Dl_info *module)
{
    Dl_info own;

    return dladdr((const void *)(uintptr_t)rvi_backtracer_new, &own) != 0 &&
           own.dli_fbase == module->dli_fbase && strstr(own.dli_fname, ".so") != NULL;
}

static void ask_loader(struct rvi_frame *frame)
{
    Dl_info info;

    if (dladdr(frame->pc, &info) == 0)
        return;
    frame->function = info.dli_sname;
    frame->module = info.dli_fname;
    frame->offset = (uintptr_t)frame->pc - (uintptr_t)info.dli_fbase;
    frame->is_ours = is_own_library(&info);
}

void rvi_backtrace_frame(struct rvi_backtracer *backtracer, const void *pc, struct rvi_frame *ret)
{
    *ret = (struct rvi_frame){.pc = pc};
    if (!backtracer->is_foreign)
        ask_loader(ret);
    else if (backtracer->session)
        ask_for_module(backtracer, ret);
    if (backtracer->session)
        ask_libdw(backtracer, ret);
}

/* --- whom a call instruction calls --- */

#if defined(__x86_64__)

static const unsigned char *relative(const unsigned char *end)
{
    int32_t offset;

    memcpy(&offset, end - sizeof offset, sizeof offset);
    return end + offset;
}

/* A stub jumps to where its slot says, behind a mark that it may be jumped to itself. */
static const void *jump_target(const unsigned char *stub)
{
    static const unsigned char endbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
    const void *target;

    if (memcmp(stub, endbr, sizeof endbr) == 0)
        stub += sizeof endbr;
    if (*stub == 0xf2) /* bnd */
        stub++;
    if (stub[0] != 0xff || stub[1] != 0x25)
        return NULL;
    memcpy(&target, relative(stub + 6), sizeof target);
    return target;
}

/* `call stub`, or `call *slot`. */
static const void *call_target(const unsigned char *end)
{
    const void *target;

    if (end[-5] == 0xe8)
        return jump_target(relative(end));
    if (end[-6] != 0xff || end[-5] != 0x15)
        return NULL;
    memcpy(&target, relative(end), sizeof target);
    return target;
}

#else

static const void *call_target(const unsigned char *end)
{
    (void)end;
    return NULL;
}

#endif

const char *rvi_backtrace_callee(const void *pc)
{
    const void *target = call_target((const unsigned char *)pc + 1);
    Dl_info info;

    return target && dladdr(target, &info) && info.dli_saddr == target ? info.dli_sname : NULL;
}

/* Of all that unwinding may read, what it makes use of: where it begins, words that lead into code,
 * and words that lead elsewhere on the same stack, by how far (FNV-1a). */
uint64_t rvi_stack_view_key(struct rvi_backtracer *backtracer, const struct rvi_stack_view *view)
{
    const uint64_t prime = 0x100000001b3;
    uint64_t key = (0xcbf29ce484222325 ^ view->regs.pc) * prime;
    uintptr_t end = view->high - view->low > SCAN_BYTES ? view->low + SCAN_BYTES : view->high;

    for (uintptr_t at = view->regs.sp; is_in_view(view, at) && at < end; at += sizeof(uintptr_t)) {
        uintptr_t word = word_at(view, at);
        uint64_t mark = 0;
        if (word >= view->low && word < view->high)
            mark = word - view->low;
        else if (is_code(backtracer, word))
            mark = word;
        key = (key ^ mark) * prime;
    }
    return key;
}

/* --- in words --- */

bool rvi_backtrace_site(struct rvi_backtracer *backtracer, const void *const *pcs, size_t count,
                        struct rvi_frame *ret)
{
    for (size_t i = 0; i < count; i++) {
        rvi_backtrace_frame(backtracer, pcs[i], ret);
        if (!ret->is_ours)
            return true;
    }
    return false;
}

void rvi_frame_add(struct rvi_text *text, const struct rvi_frame *frame)
{
    const char *slash = frame->module ? strrchr(frame->module, '/') : NULL;
    const char *module = slash ? slash + 1 : frame->module;

    if (frame->function)
        rvi_text_add(text, "%s", frame->function);
    else if (module)
        rvi_text_add(text, "%s+0x%llx", module, (unsigned long long)frame->offset);
    else
        rvi_text_add(text, "%p", frame->pc);
    if (frame->file)
        rvi_text_add(text, " at %s:%d", frame->file, frame->line);
    else if (frame->function && module)
        rvi_text_add(text, " in %s+0x%llx", module, (unsigned long long)frame->offset);
}

static bool is_ours(struct rvi_backtracer *backtracer, const void *pc)
{
    struct rvi_frame frame;

    rvi_backtrace_frame(backtracer, pc, &frame);
    return frame.is_ours;
}

void rvi_backtrace_add(struct rvi_text *text, struct rvi_backtracer *backtracer,
                       const void *const *pcs, size_t count, int indent)
{
    size_t first = 0;
    struct rvi_frame frame;

    while (count > 0 && is_ours(backtracer, pcs[count - 1]))
        count--;
    while (first + 1 < count && is_ours(backtracer, pcs[first + 1]))
        first++;
    for (size_t i = first; i < count; i++) {
        rvi_backtrace_frame(backtracer, pcs[i], &frame);
        rvi_text_add(text, "%*s", indent, "");
        rvi_frame_add(text, &frame);
        rvi_text_add(text, "\n");
    }
}
