/* SPDX-License-Identifier: MIT */
/* rewind.c - rewinding an execution in place, which costs a tenth of a fork.
 *
 * An execution is a copy of the server: its pages are the server's until it writes to them. So
 * those that are its alone when it is over (pagemap's "exclusively mapped") are the ones it has
 * written to. Put back what they held, and the execution is where it began.
 *
 *   W1  what is rewound is memory. A system call that changes anything else taints the execution,
 *       and a tainted one ends and is forked anew. Each system call from outside of this library
 *       is seen: the kernel turns it into a signal (syscall user dispatch, Linux 5.11)
 *   W2  before the first run all pages that exist, and those of files that may be written, are
 *       copied; a page that came into being later was zero
 *   W3  pages once written to are put back after every run; the rest is looked for only if there
 *       were page faults. In the steady state there are none
 *   W4  the rewinder's stack, its copies and its lists lie in a shared mapping: not rewound, and
 *       no page of it is anybody's alone. It calls nothing of libc, whose memory is in motion
 *   W5  a crash is not rewound: who knows what was overwritten
 *
 * Rejected: soft-dirty bits and write protection by userfaultfd, which not every kernel has or lets
 * a program use, and which cost a fault a page in each run.
 *
 * Checked by: tests/check/runtime.py */
#include "check/runtime/rewind.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "check/runtime/carrier_inside.h"
#include "check/runtime/places.h"
#include "check/runtime/sched.h"
#include "sys/ctx.h"

struct ck_rewind *ck_rewind;

bool ck_rewind_is_wanted(void)
{
    return (ck_shared->plan.flags & (CK_FORK | CK_BATON)) == 0;
}

#if defined(__x86_64__)

enum {
    PAGE = 4096,
    STACK_BYTES = 256 << 10,
    SLOTS = 1 << 14, /* pages that are known; a power of two */
    PAGES_MOST = SLOTS / 2,
    MAPS_BYTES = 256 << 10,
    REGIONS_MOST = 4096,
    ENTRIES = 512,
};

/* The kernel's, newer than some headers. */
struct region {
    uint64_t start, end, categories;
};

struct scan {
    uint64_t size, flags, start, end, walk_end, regions, region_count, pages_most;
    uint64_t inverted, mask, any_of, returned;
};

enum { IS_FILE = 1 << 2, IS_PRESENT = 1 << 3, IS_ZERO = 1 << 5 };
#define SCAN _IOWR('f', 16, struct scan)
#define EXCLUSIVE (UINT64_C(1) << 56)
#define ADDRESSES UINT64_C(0x7ffffffff000)

enum { DISPATCH = 59, DISPATCH_ON = 1, DISPATCHED = 2 };

struct page {
    uintptr_t address; /* 0: none */
    bool is_dirty;
    char *copy; /* NULL: it was zero */
};

struct own {
    struct ck_rewind public;
    uintptr_t main_thread;
    void (*run)(void);
    int socket_fd, pagemap;
    int64_t faults;
    bool has_dispatch;
    uintptr_t code_low, code_high;
    uint32_t page_count, dirty_count;
    struct page pages[SLOTS];
    struct page *dirty[PAGES_MOST];
    struct region regions[REGIONS_MOST];
    uint64_t entries[ENTRIES];
    char maps[MAPS_BYTES];
    _Alignas(PAGE) char stack[STACK_BYTES];
    _Alignas(PAGE) char copies[PAGES_MOST][PAGE];
};

static struct own *own;

/* --- the kernel, without libc --- */

static long call6(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long call(long number, long a, long b, long c, long d, long e)
{
    return call6(number, a, b, c, d, e, 0);
}

static void copy_page(void *to, const void *from)
{
    size_t words = PAGE / 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static void clear_page(void *to)
{
    size_t words = PAGE / 8;

    __asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(0) : "memory");
}

/* --- W1 --- */

/* Those that change nothing that a later execution sees. */
static bool is_harmless(long number, const greg_t *regs)
{
    switch (number) {
    case SYS_write:
    case SYS_writev:
        return regs[REG_RDI] == STDOUT_FILENO || regs[REG_RDI] == STDERR_FILENO;
    case SYS_futex:
        return (regs[REG_RSI] & FUTEX_CMD_MASK) == FUTEX_WAKE;
    case SYS_fstat:
    case SYS_newfstatat:
    case SYS_stat:
    case SYS_access:
    case SYS_readlink:
    case SYS_getpid:
    case SYS_gettid:
    case SYS_getppid:
    case SYS_getuid:
    case SYS_geteuid:
    case SYS_getrusage:
    case SYS_clock_gettime:
    case SYS_clock_getres:
    case SYS_getrlimit:
    case SYS_prlimit64:
    case SYS_sched_yield:
    case SYS_sched_getaffinity:
    case SYS_uname:
    case SYS_sysinfo:
    case SYS_exit_group:
        return true;
    case SYS_ioctl:
        return regs[REG_RSI] == TCGETS;
    default:
        return false;
    }
}

static void on_system_call(int signal_number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    long number = info->si_syscall;

    (void)signal_number;
    if (info->si_code == DISPATCHED && is_harmless(number, regs)) {
        regs[REG_RAX] = call6(number, regs[REG_RDI], regs[REG_RSI], regs[REG_RDX], regs[REG_R10],
                              regs[REG_R8], regs[REG_R9]);
        return;
    }
    own->public.is_tainted = 1;
    own->public.selector = 0;
    regs[REG_RAX] = number; /* it is made again */
    regs[REG_RIP] -= 2;
}

/* The kernel's own structure: the way back must lie in this library as well. */
extern const char ck_rewind_restore[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
        "ck_rewind_restore:\n\t"
        "movl $15, %eax\n\t"
        "syscall\n"
        ".popsection");

static bool catch_system_calls(void)
{
    enum { RESTORER = 0x04000000, SET_BYTES = 8 };
    struct {
        void (*handler)(int, siginfo_t *, void *);
        unsigned long flags;
        const char *restorer;
        uint64_t mask;
    } action = {on_system_call, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | RESTORER, ck_rewind_restore,
                0};

    return call(SYS_rt_sigaction, SIGSYS, (long)&action, 0, SET_BYTES, 0) == 0;
}

bool ck_rewind_prepare(void)
{
    void *mapping = mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (mapping == MAP_FAILED || !catch_system_calls())
        return false;
    own = mapping;
    ck_rewind = &own->public;
    ck_place_own(&own->code_low, &own->code_high);
    return true;
}

/* --- pages --- */

static struct page *page_at(uintptr_t address)
{
    size_t i = (address / PAGE * 0x9e3779b97f4a7c15) >> 40 & (SLOTS - 1);

    while (own->pages[i].address && own->pages[i].address != address)
        i = (i + 1) & (SLOTS - 1);
    return &own->pages[i];
}

/* NULL: too many. */
static struct page *know(uintptr_t address)
{
    struct page *page = page_at(address);

    if (page->address)
        return page;
    if (own->page_count == PAGES_MOST)
        return NULL;
    own->page_count++;
    page->address = address;
    return page;
}

static bool save(uintptr_t address)
{
    struct page *page = know(address);

    if (!page)
        return false;
    if (page->copy)
        return true;
    page->copy = own->copies[own->page_count - 1];
    copy_page(page->copy, (const void *)address);
    return true;
}

/* Each range of pages that exist and are of no file; false: `take` said so, or the kernel did. */
static bool each_private(bool (*take)(uintptr_t from, uintptr_t to))
{
    struct scan scan = {.size = sizeof scan,
                        .end = ADDRESSES,
                        .regions = (uintptr_t)own->regions,
                        .region_count = REGIONS_MOST,
                        .inverted = IS_FILE | IS_ZERO,
                        .mask = IS_PRESENT | IS_FILE | IS_ZERO,
                        .returned = IS_PRESENT};
    long count;

    do {
        count = call(SYS_ioctl, own->pagemap, SCAN, (long)&scan, 0, 0);
        for (long i = 0; i < count; i++) {
            if (!take(own->regions[i].start, own->regions[i].end))
                return false;
        }
        scan.start = scan.walk_end;
    } while (count == REGIONS_MOST && scan.start < ADDRESSES);
    return count >= 0;
}

static bool save_range(uintptr_t from, uintptr_t to)
{
    for (; from < to; from += PAGE) {
        if (!save(from))
            return false;
    }
    return true;
}

static uintptr_t number_at(const char **at)
{
    uintptr_t value = 0;

    for (;; (*at)++) {
        char c = **at;
        if (c >= '0' && c <= '9')
            value = value * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return value;
    }
}

/* "from-to rw-p offset device inode path": a writable private mapping of a file. */
static bool save_line(const char *at)
{
    uintptr_t from = number_at(&at);
    at++;
    uintptr_t to = number_at(&at);

    if (at[2] != 'w' || at[4] != 'p')
        return true;
    at += 6;
    number_at(&at);
    at++;
    number_at(&at);
    at++;
    number_at(&at);
    return (at[1] == '0' && at[2] == ' ') || save_range(from, to);
}

static bool save_files(void)
{
    long file = call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0);
    long length = 0, got;

    while (file >= 0 && length < MAPS_BYTES - 1 &&
           (got = call(SYS_read, file, (long)own->maps + length, MAPS_BYTES - 1 - length, 0, 0)) >
               0)
        length += got;
    call(SYS_close, file, 0, 0, 0, 0);
    own->maps[length] = 0;
    if (length == 0 || length == MAPS_BYTES - 1)
        return false;
    for (const char *line = own->maps; *line;) {
        if (!save_line(line))
            return false;
        while (*line && *line != '\n')
            line++;
        line += *line == '\n';
    }
    return true;
}

/* --- putting back --- */

static bool take_exclusive(uintptr_t from, uintptr_t to)
{
    for (; from < to; from += ENTRIES * (uintptr_t)PAGE) {
        size_t count = (to - from) / PAGE < ENTRIES ? (to - from) / PAGE : ENTRIES;
        if (call(SYS_pread64, own->pagemap, (long)own->entries, (long)(count * 8),
                 (long)(from / PAGE * 8), 0) != (long)(count * 8))
            return false;
        for (size_t i = 0; i < count; i++) {
            struct page *page;
            if (!(own->entries[i] & EXCLUSIVE))
                continue;
            if (!(page = know(from + i * PAGE)) || own->dirty_count == PAGES_MOST)
                return false;
            if (!page->is_dirty)
                own->dirty[own->dirty_count++] = page;
            page->is_dirty = true;
        }
    }
    return true;
}

static int64_t faults_so_far(void)
{
    struct rusage usage;

    call(SYS_getrusage, RUSAGE_SELF, (long)&usage, 0, 0, 0);
    return usage.ru_minflt;
}

static bool put_back(void)
{
    if (faults_so_far() != own->faults && !each_private(take_exclusive))
        return false;
    for (uint32_t i = 0; i < own->dirty_count; i++) {
        const struct page *page = own->dirty[i];
        if (page->copy)
            copy_page((void *)page->address, page->copy);
        else
            clear_page((void *)page->address);
    }
    own->faults = faults_so_far();
    return true;
}

/* --- runs --- */

_Noreturn static void leave(void)
{
    for (;;)
        call(SYS_exit_group, 0, 0, 0, 0, 0);
}

_Noreturn static void run(void)
{
    own->public.is_tainted = !own->has_dispatch;
    own->public.selector = 1;
    own->run();
    __builtin_unreachable();
}

static void await_order(void)
{
    char byte = CK_DONE;

    own->public.in_run = 0;
    call(SYS_write, own->socket_fd, (long)&byte, 1, 0, 0);
    while (call(SYS_read, own->socket_fd, (long)&byte, 1, 0, 0) == -EINTR)
        continue;
    if (byte != CK_RUN)
        leave();
    own->public.in_run = 1;
    own->public.hand_over = !ck_rewind_is_wanted();
    if (own->public.hand_over)
        leave();
}

/* On the own stack, from here to the next run. */
static void start_again(void *status)
{
    ck_thread_pointer_set(own->main_thread);
    if (!put_back()) {
        own->public.is_tainted = 1; /* it touches too much: the next ones are forked */
        leave();
    }
    ck_shared->result.exit_status = (uint32_t)(uintptr_t)status;
    await_order();
    ck_result_reset();
    run();
}

static void start_first(void *unused)
{
    (void)unused;
    own->public.is_resident = each_private(save_range) && save_files();
    own->faults = -1;
    run();
}

static void *stack_for(void (*entry)(void *))
{
    return rvi_ctx_make(own->stack + STACK_BYTES, entry);
}

/* Out of the way of the program's own descriptors. */
static int open_pagemap(void)
{
    long file = call(SYS_openat, AT_FDCWD, (long)"/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0, 0);
    long moved = file < 0 ? -1 : call(SYS_fcntl, file, F_DUPFD_CLOEXEC, own->socket_fd, 0, 0);

    if (file >= 0)
        call(SYS_close, file, 0, 0, 0, 0);
    return (int)moved;
}

void ck_rewind_begin(bool is_resident, int socket_fd, void (*function)(void))
{
    own->run = function;
    own->socket_fd = socket_fd;
    own->main_thread = ck_thread_pointer();
    own->public.is_resident = 0;
    own->page_count = own->dirty_count = 0;
    own->has_dispatch =
        call(SYS_prctl, DISPATCH, DISPATCH_ON, (long)own->code_low,
             (long)(own->code_high - own->code_low), (long)&own->public.selector) == 0;
    if (!is_resident)
        run();
    own->pagemap = open_pagemap();
    if (own->pagemap < 0)
        run();
    memset(own->pages, 0, sizeof own->pages);
    rvi_ctx_jump(stack_for(start_first), NULL);
}

/* W5 */
static bool is_wreck(void)
{
    uint32_t kind = ck_shared->result.failure.kind;

    return kind == CK_CRASH || kind == CK_HEAP || kind == CK_STUCK || kind == CK_UNABLE;
}

void ck_rewind_end(int exit_status)
{
    if (!own || !ck_self) /* the server's own end */
        return;
    own->public.selector = 0;
    if (!own->public.is_resident || own->public.is_tainted || is_wreck())
        return;
    rvi_ctx_jump(stack_for(start_again), (void *)(uintptr_t)(exit_status << 8));
}

#else

bool ck_rewind_prepare(void)
{
    return false;
}

void ck_rewind_begin(bool is_resident, int socket_fd, void (*function)(void))
{
    (void)is_resident, (void)socket_fd;
    function();
    __builtin_unreachable();
}

void ck_rewind_end(int exit_status)
{
    (void)exit_status;
}

#endif
