/* SPDX-License-Identifier: MIT */
/* floor.c - no peer but what the machine and the kernel allow: the least that each thing can cost
 * here, for the distance to it. Nothing in this file could take the place of a runtime.
 *
 *     switch       inlined, with a clobber list instead of saved registers
 *     fork         fib as plain calls; skynet-fork: the tree as plain calls
 *     chan         a ring for one producer and one consumer, both spinning
 *     lock         a word and a counter in one line, two threads spinning; read: a counter of
 *                  readers
 *     parked       one page touched for the first time, no guard
 *     lateness     clock_nanosleep() with the least timer slack
 *     shm-ring     a word in shared memory between two processes, both spinning or both by futex
 *     executor     inline: a call through a pointer, both copies, a malloc() for the future */
#include "bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- switch --------------------------------------------------------------------------------- */

#if defined(__x86_64__)
struct ctx {
    void *sp, *pc, *fp;
};
static struct ctx here, there;

/* Nothing is pushed: the red zone stays as it is. */
static inline __attribute__((always_inline)) void swap(struct ctx *save, struct ctx *to)
{
    __asm__ volatile("movq %%rsp, 0(%0)\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rax, 8(%0)\n\t"
                     "movq %%rbp, 16(%0)\n\t"
                     "movq 0(%1), %%rsp\n\t"
                     "movq 16(%1), %%rbp\n\t"
                     "jmpq *8(%1)\n"
                     "1:"
                     : "+D"(save), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "cc",
                       "memory");
}

static void swap_back(void)
{
    for (;;)
        swap(&there, &here);
}

static void run_switch(void *arg, long ops)
{
    (void)arg;
    for (; ops > 1; ops -= 2)
        swap(&here, &there);
}

static void bench_switch(void)
{
    static char stack[16384] __attribute__((aligned(64)));
    if (strcmp(bench_param_text("what", "switch"), "switch") != 0 || bench_param("fibers", 2) != 2)
        bench_not_here();
    there = (struct ctx){stack + sizeof stack - 8, (void *)swap_back, NULL};
    bench_batches(run_switch, NULL, 10000000);
}
#else
static void bench_switch(void)
{
    bench_not_here();
}
#endif

/* ---- fork ----------------------------------------------------------------------------------- */

/* Not unrolled into itself by the compiler: a call is what is counted. */
__attribute__((noinline, noclone)) static long fib(long n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static void bench_fork(void)
{
    (void)bench_param_text("form", "typed");
    if (bench_param("workers", 1) != 1)
        bench_not_here();
    bench_fib(fib);
}

static long sum_of_node(long first, long leaves)
{
    long sum = 0, share = leaves / 10;
    if (leaves == 1)
        return first;
    for (long i = 0; i < 10; i++)
        sum += sum_of_node(first + i * share, share);
    return sum;
}

static long sum_of_tree(long leaves)
{
    return sum_of_node(0, leaves);
}

static void bench_skynet_fork(void)
{
    if (bench_param("workers", 1) != 1)
        bench_not_here();
    bench_sum_of_leaves(sum_of_tree);
}

/* ---- chan ----------------------------------------------------------------------------------- */

enum { RING = 128 };

/* Each side reads the other's end only when its copy of it says full or empty. */
static struct {
    _Alignas(64) atomic_long sent;
    long seen_received;
    _Alignas(64) atomic_long received;
    long seen_sent;
    _Alignas(64) long items[RING];
} ring;

static void *produce(void *arg)
{
    long ops = *(long *)arg;
    for (long i = 0; i < ops; i++) {
        while (i - ring.seen_received == RING)
            ring.seen_received = atomic_load_explicit(&ring.received, memory_order_acquire);
        ring.items[i % RING] = i;
        atomic_store_explicit(&ring.sent, i + 1, memory_order_release);
    }
    return NULL;
}

static void consume(long ops)
{
    for (long i = 0; i < ops; i++) {
        while (i == ring.seen_sent)
            ring.seen_sent = atomic_load_explicit(&ring.sent, memory_order_acquire);
        bench_require(ring.items[i % RING] == i, "a message is out of order");
        atomic_store_explicit(&ring.received, i + 1, memory_order_release);
    }
}

static void run_chan(void *arg, long ops)
{
    pthread_t other;
    (void)arg;
    memset(&ring, 0, sizeof ring);
    bench_must(-pthread_create(&other, NULL, produce, &ops), "pthread_create");
    consume(ops);
    pthread_join(other, NULL);
}

static void bench_chan(void)
{
    if (bench_param("workers", 1) != 2 || bench_param("pairs", 1) != 1)
        bench_not_here();
    (void)bench_param_upto("capacity", RING, RING);
    bench_batches(run_chan, NULL, 5000000);
}

/* ---- lock ----------------------------------------------------------------------------------- */

static struct {
    _Alignas(128) _Atomic(int) word;
    volatile long count;
    bool reads;
} spun;

static void *take_turns(void *arg)
{
    for (long left = *(long *)arg; left > 0; left--) {
        if (spun.reads) {
            atomic_fetch_add_explicit(&spun.word, 1, memory_order_acquire);
            (void)spun.count;
            atomic_fetch_sub_explicit(&spun.word, 1, memory_order_release);
            continue;
        }
        while (atomic_exchange_explicit(&spun.word, 1, memory_order_acquire))
            while (atomic_load_explicit(&spun.word, memory_order_relaxed))
                ;
        spun.count = spun.count + 1;
        atomic_store_explicit(&spun.word, 0, memory_order_release);
    }
    return NULL;
}

static void run_lock(void *arg, long ops)
{
    pthread_t other;
    long each = ops / 2;

    (void)arg;
    bench_must(-pthread_create(&other, NULL, take_turns, &each), "pthread_create");
    take_turns(&each);
    pthread_join(other, NULL);
}

static void bench_lock(void)
{
    const char *kind = bench_param_text("kind", "mutex");
    if (bench_param("workers", 2) != 2 || bench_param("tasks", 2) != 2 || strcmp(kind, "cond") == 0)
        bench_not_here();
    spun.reads = strcmp(kind, "read") == 0;
    bench_batches(run_lock, NULL, 1000000);
}

/* ---- parked --------------------------------------------------------------------------------- */

static void bench_parked(void)
{
    enum { PAGE = 4096 };
    size_t pages = (size_t)bench_param("tasks", 1000000);
    double each = (double)pages;
    char *memory =
        mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bench_require(pages > 0 && memory != MAP_FAILED, "no memory");
    bench_require(madvise(memory, pages * PAGE, MADV_NOHUGEPAGE) == 0, "madvise");
    struct bench_memory a = bench_memory_now();
    int64_t begin = bench_now();
    for (size_t i = 0; i < pages; i++)
        memory[i * PAGE] = 1;
    double ns = (double)(bench_now() - begin);
    struct bench_memory b = bench_memory_now();
    bench_result("resident", (double)(b.resident_bytes - a.resident_bytes) / each, "bytes");
    bench_result("first creation", ns / each, "ns");
}

/* ---- lateness ------------------------------------------------------------------------------- */

static void sleep_until(int64_t when)
{
    struct timespec t = {when / 1000000000, when % 1000000000};
    bench_must(-clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), "clock_nanosleep");
}

static void bench_lateness(void)
{
    bench_require(prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL) == 0, "PR_SET_TIMERSLACK");
    bench_late_sleeps(sleep_until);
}

/* ---- shm-ring ------------------------------------------------------------------------------- */

/* Odd: it is the other's turn. Both sides sleep on it, or look. */
static struct {
    _Alignas(64) atomic_uint turn;
    bool sleeps;
    long bytes;
} * word;

static char *there_and_back; /* in shared memory: two of so many bytes */
static char *own;

static void await_turn(unsigned turn)
{
    unsigned now;
    while ((now = atomic_load_explicit(&word->turn, memory_order_acquire)) != turn)
        if (word->sleeps)
            (void)syscall(SYS_futex, &word->turn, FUTEX_WAIT, now, NULL, NULL, 0);
}

static void give_turn(unsigned turn)
{
    atomic_store_explicit(&word->turn, turn, memory_order_release);
    if (word->sleeps)
        (void)syscall(SYS_futex, &word->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void run_word(void *arg, long ops)
{
    unsigned turn = atomic_load(&word->turn);
    (void)arg;
    while (ops-- > 0) {
        memcpy(there_and_back, own, (size_t)word->bytes);
        give_turn(turn + 1);
        await_turn(turn += 2);
        memcpy(own, there_and_back + word->bytes, (size_t)word->bytes);
    }
}

static void bench_shm_ring(void)
{
    bool spins = strcmp(bench_param_text("wait", "both"), "sleep") != 0;
    long cores = bench_param_upto("cores", 2, 2), bytes = bench_param("bytes", 0);
    if (bench_param("in_flight", 1) != 1)
        bench_not_here();
    word = mmap(NULL, 4096 + 2 * (size_t)bytes, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    own = calloc(1, (size_t)bytes + 1);
    bench_require(word != MAP_FAILED && own != NULL, "no memory");
    there_and_back = (char *)word + 4096;
    word->sleeps = !spins;
    word->bytes = bytes;
    bench_stay_on(cores - 1);
    pid_t child = fork();
    bench_require(child >= 0, "fork");
    for (unsigned turn = 1; child == 0; turn += 2) {
        await_turn(turn);
        give_turn(turn + 1);
    }
    bench_stay_on(0);
    bench_batches(run_word, NULL, bytes > 0 ? 500 : spins ? 200000 : 10000);
    kill(child, SIGKILL);
    bench_require(waitpid(child, NULL, 0) == child, "waitpid");
}

/* ---- executor ------------------------------------------------------------------------------- */

struct future {
    long in, out;
};

static int echo(const void *in, void *out)
{
    memcpy(out, in, sizeof(long));
    return 0;
}

/* Volatile, so that the compiler cannot know what it calls, nor leave the future out. */
static int (*volatile job)(const void *in, void *out) = echo;

static void run_inline(void *arg, long ops)
{
    (void)arg;
    for (long i = 0; i < ops; i++) {
        struct future *f = malloc(sizeof *f);
        bench_require(f != NULL, "no memory");
        f->in = i;
        bench_must(job(&f->in, &f->out), "the job");
        long value = f->out;
        free(f);
        bench_require(value == i, "the wrong result");
    }
}

static void bench_executor(void)
{
    if (strcmp(bench_param_text("tier", "threads"), "inline") != 0 ||
        bench_param("in_flight", 1) != 1)
        bench_not_here();
    bench_batches(run_inline, NULL, 500000);
}

int main(int argc, char **argv)
{
    static const struct bench_choice benches[] = {
        {"switch", bench_switch},
        {"fork", bench_fork},
        {"skynet-fork", bench_skynet_fork},
        {"chan", bench_chan},
        {"lock", bench_lock},
        {"parked", bench_parked},
        {"lateness", bench_lateness},
        {"executor", bench_executor},
        {"shm-ring", bench_shm_ring},
        {NULL, NULL},
    };
    bench_choose(benches, "floor", argc, argv);
}
