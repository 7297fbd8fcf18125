/* SPDX-License-Identifier: MIT */
/* sample.c - asking the kernel's sampling, perf_event_open(2), about a thread that runs.
 *
 * An event counts the thread's time on a processor; when some of it has passed, the kernel writes
 * the thread's registers and the top of its stack into a ring that lies in this process. That takes
 * the thread a few microseconds, as a timer's tick does, and nothing is left in it. The first
 * sample whose stack pointer lies on the stack in question is the answer, and the event ends.
 *
 * Only time in user mode is counted, which is all that an unprivileged user may see of his own
 * processes (kernel.perf_event_paranoid up to 2). A stack that is larger than a sample is cut.
 *
 * Rejected: ptrace(2), which stops the thread; reading a running stack twice and hoping, which
 * gives no registers.
 *
 * Checked by: tests/look/test_bt.py */
#include "look/sample.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"

enum {
    RING_PAGES = 32, /* a power of two; of one sample at least */
    PERIOD_NS = 200000,
    POLL_MS = 5,
};

/* The place of a register in the kernel's order, to its number in DWARF's. */
#if defined(__x86_64__)
enum { NOT_ASKED = 0xff, PC = 0xfe };
static const uint8_t order[PERF_REG_X86_64_MAX] = {
    [PERF_REG_X86_AX] = 0,         [PERF_REG_X86_BX] = 3,
    [PERF_REG_X86_CX] = 2,         [PERF_REG_X86_DX] = 1,
    [PERF_REG_X86_SI] = 4,         [PERF_REG_X86_DI] = 5,
    [PERF_REG_X86_BP] = 6,         [PERF_REG_X86_SP] = 7,
    [PERF_REG_X86_IP] = PC,        [PERF_REG_X86_FLAGS] = NOT_ASKED,
    [PERF_REG_X86_CS] = NOT_ASKED, [PERF_REG_X86_SS] = NOT_ASKED,
    [PERF_REG_X86_DS] = NOT_ASKED, [PERF_REG_X86_ES] = NOT_ASKED,
    [PERF_REG_X86_FS] = NOT_ASKED, [PERF_REG_X86_GS] = NOT_ASKED,
    [PERF_REG_X86_R8] = 8,         [PERF_REG_X86_R9] = 9,
    [PERF_REG_X86_R10] = 10,       [PERF_REG_X86_R11] = 11,
    [PERF_REG_X86_R12] = 12,       [PERF_REG_X86_R13] = 13,
    [PERF_REG_X86_R14] = 14,       [PERF_REG_X86_R15] = 15,
};
enum { SP_REGISTER = 7 };
#elif defined(__aarch64__)
enum { NOT_ASKED = 0xff, PC = 0xfe };
static const uint8_t order[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, PC};
enum { SP_REGISTER = 31 };
#endif

struct ring {
    int fd;
    struct perf_event_mmap_page *page;
    const char *data;
    size_t bytes, page_bytes;
};

static uint64_t registers_asked(void)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++)
        mask |= (uint64_t)(order[i] != NOT_ASKED) << i;
    return mask;
}

static int open_event(int thread)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = PERIOD_NS,
        .sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .wakeup_events = 1,
        .sample_regs_user = registers_asked(),
        .sample_stack_user = LOOK_SAMPLE_BYTES_MOST,
    };
    long fd = syscall(SYS_perf_event_open, &attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);

    return fd < 0 ? -errno : (int)fd;
}

static int open_ring(struct ring *ring, int thread)
{
    ring->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    ring->bytes = RING_PAGES * ring->page_bytes;
    ring->fd = open_event(thread);
    if (ring->fd < 0)
        return ring->fd;
    void *memory =
        mmap(NULL, ring->page_bytes + ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (memory == MAP_FAILED) {
        int r = -errno;
        close(ring->fd);
        return r;
    }
    ring->page = memory;
    ring->data = (const char *)memory + ring->page_bytes;
    return 0;
}

static void close_ring(struct ring *ring)
{
    munmap(ring->page, ring->page_bytes + ring->bytes);
    close(ring->fd);
}

/* A record may lie around the ring's end. */
static void copy_out(const struct ring *ring, uint64_t at, void *to, size_t bytes)
{
    size_t place = (size_t)(at % ring->bytes);
    size_t first = bytes < ring->bytes - place ? bytes : ring->bytes - place;

    memcpy(to, ring->data + place, first);
    memcpy((char *)to + first, ring->data, bytes - first);
}

static void take_registers(const uint64_t *values, struct rvi_regs *regs)
{
    *regs = (struct rvi_regs){0};
    for (unsigned i = 0; i < sizeof order / sizeof order[0]; i++) {
        if (order[i] == NOT_ASKED)
            continue;
        if (order[i] == PC) {
            regs->pc = *values++;
            continue;
        }
        regs->value[order[i]] = *values++;
        regs->known |= (uint32_t)1 << order[i];
    }
    regs->sp = regs->value[SP_REGISTER];
}

/* The ABI, registers, the size of the stack's part, that, and how much of it is there.
 * -EAGAIN: it is of somewhere else. */
static int take_record(const char *record, size_t bytes, uint64_t low, uint64_t high,
                       struct look_sample *ret)
{
    uint64_t abi, size, there, values[sizeof order];
    size_t count = (size_t)__builtin_popcountll(registers_asked()) * sizeof(uint64_t);

    if (bytes < sizeof abi)
        return -EAGAIN;
    memcpy(&abi, record, sizeof abi);
    if (abi != PERF_SAMPLE_REGS_ABI_64 || bytes < 2 * sizeof abi + count)
        return -EAGAIN;
    memcpy(values, record + sizeof abi, count);
    take_registers(values, &ret->regs);
    record += sizeof abi + count;
    bytes -= sizeof abi + count;
    memcpy(&size, record, sizeof size);
    if (size == 0 || size > bytes - 2 * sizeof size || bytes < 2 * sizeof size)
        return -EAGAIN;
    memcpy(&there, record + sizeof size + size, sizeof there);
    if (ret->regs.sp < low || ret->regs.sp >= high || there > size)
        return -EAGAIN;
    ret->count = there < high - ret->regs.sp ? (size_t)there : (size_t)(high - ret->regs.sp);
    ret->stack = rvi_alloc(ret->count + 1);
    if (!ret->stack)
        return -ENOMEM;
    memcpy(ret->stack, record + sizeof size, ret->count);
    return 0;
}

/* What has come since; -EAGAIN: nothing that is wanted. */
static int take_new(struct ring *ring, char *room, uint64_t low, uint64_t high,
                    struct look_sample *ret)
{
    struct perf_event_header header;
    uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
    uint64_t at = ring->page->data_tail;
    int r = -EAGAIN;

    for (; r == -EAGAIN && head - at >= sizeof header; at += header.size) {
        copy_out(ring, at, &header, sizeof header);
        if (header.size < sizeof header || header.size > head - at)
            break;
        if (header.type != PERF_RECORD_SAMPLE)
            continue;
        copy_out(ring, at + sizeof header, room, header.size - sizeof header);
        r = take_record(room, header.size - sizeof header, low, high, ret);
    }
    __atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
    return r;
}

static rv_time time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * RV_SECOND + now.tv_nsec;
}

int look_sample(int thread, uint64_t low, uint64_t high, rv_time time_ns, struct look_sample *ret)
{
    struct ring ring = {0};
    char *room = rvi_alloc(UINT16_MAX + 1); /* the largest record */
    int r = room ? open_ring(&ring, thread) : -ENOMEM;

    if (r < 0) {
        rvi_free(room);
        return r;
    }
    rv_time until = time_now() + time_ns;
    do {
        struct pollfd ready = {ring.fd, POLLIN, 0};
        (void)poll(&ready, 1, POLL_MS);
        r = take_new(&ring, room, low, high, ret);
        if (r == -EAGAIN && ready.revents & POLLHUP)
            r = -ESRCH;
    } while (r == -EAGAIN && time_now() < until);
    close_ring(&ring);
    rvi_free(room);
    return r;
}
