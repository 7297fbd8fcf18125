/* SPDX-License-Identifier: MIT */
/* before_main.c - how a worker gets from its constructors to its role, without main(); and an agent
 * to being one.
 *
 * A worker is this executable with RAVEL_WORKER in its environment: the numbers of its control
 * socket and of the pipe whose life it shares, and its depth, as workers may have workers, and a
 * constructor may open an executor. Our constructor takes that out of the environment, so that
 * nobody whom the worker starts takes it for himself. The role may begin only after all
 * constructors, which register jobs and set up what those use. There are two ways there:
 *
 *   - libravel.so: it exports __libc_start_main, which the program's first instructions call to
 *     have the remaining constructors run, then main(). Ours calls the C library's with another
 *     main. (The name is given in the link of the shared library alone.)
 *   - libravel.a: the constructor is one of the program's own. It runs those behind it in the
 *     program's list itself, then the role, and exits. So it needs nothing of the C library's
 *     insides, and works in programs that are static as a whole, where there would be two
 *     __libc_start_main.
 *
 * An agent is the same executable with RAVEL_AGENT in its environment. Nobody has to hold anything
 * for it; it goes the same two ways, to the room `cluster`. With RAVEL_ADVISE it is to measure one
 * of its jobs, which the room `exec` does.
 *
 * Either way the same happens in a process that is neither: it has been noted that the way was
 * there. Where it was not, because libravel came by dlopen() or is a part of another shared
 * library, no worker is ever started: it would come to main().
 *
 *   W1  a process in whose environment a variable was never comes to main(), whatever is wrong
 *   W2  a privileged one (set-user-id) ends at once: whoever starts it could make it run any role
 *       with any message
 *
 * Rejected: posix_spawn of argv[0]; main() calling us first, which every program would have to
 * remember; changing the last entry of the program's list of constructors, which lies in memory
 * that was made read-only, and may be sealed.
 *
 * Checked by: tests/unit/proc/test_proc.c (libravel.a), tests/examples (libravel.so) */
#include "proc/before_main.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proc/inside.h"
#include "sys/self.h"

typedef int main_fn(int argc, char **argv, char **env);
typedef int start_main_fn(main_fn *main, int argc, char **argv, void (*init)(void),
                          void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

/* The program's constructors, by the linker; NULL inside a shared library. */
typedef void constructor_fn(int argc, char **argv, char **env);
extern constructor_fn *const __init_array_start[] __attribute__((weak, visibility("hidden")));
extern constructor_fn *const __init_array_end[] __attribute__((weak, visibility("hidden")));

/* In a program's own file this note says that it has libravel.a in it, stripped or not: it is how
 * `ravel worker` knows that it will not come to main(). */
__asm__(".pushsection .note.ravel, \"a\", %note\n"
        ".balign 4\n"
        ".long 6, 4, 1\n"
        ".asciz \"Ravel\"\n"
        ".balign 4\n"
        ".long 1\n"
        ".popsection\n");

static bool way_is_there;
static int depth; /* of a worker; else 0 */
static int control = -1, life = -1;

/* What else is done in place of main(), if its variable is there. */
static const struct part {
    const char *variable;
    int (*play)(char *words);
} parts[] = {
    {RVI_AGENT_VARIABLE, rvi_agent_main},
    {RVI_ADVISE_VARIABLE, rvi_advise_main},
};

static const struct part *part; /* NULL: none of them */
static char *words;             /* what the variable says */

const char *rvi_before_main_lacks(void)
{
    if (rvi_self_is_privileged())
        return "the program has privileges by its file, and its workers could not trust who starts "
               "them";
    return way_is_there ? NULL
                        : "libravel was not linked to the program, but loaded or brought along by "
                          "another library: its workers would come to main()";
}

int rvi_before_main_depth(void)
{
    return depth;
}

static _Noreturn void refuse(const char *variable, const char *why)
{
    fprintf(stderr, "ravel: %s is for Ravel's own use: %s\n", variable, why);
    _exit(EXIT_FAILURE);
}

/* W1, W2. The pipe's end may be there already: then nobody waits for us. */
static void claim(const char *text)
{
    int end = 0;

    if (rvi_self_is_privileged())
        refuse(RVI_WORKER_VARIABLE, "this program has privileges by its file");
    if (sscanf(text, "%d,%d,%d%n", &control, &life, &depth, &end) != 3 || text[end] || depth < 1 ||
        !rvi_self_is_control(control))
        refuse(RVI_WORKER_VARIABLE, "no program has started this one as a worker");
    unsetenv(RVI_WORKER_VARIABLE);
    if (rvi_self_share_life(life) == -EPIPE)
        rvi_self_kill_group();
}

/* The words stay where they are, in the memory that the process was started with. */
static void claim_part(const struct part *one, char *said)
{
    if (rvi_self_is_privileged())
        refuse(one->variable, "this program has privileges by its file");
    unsetenv(one->variable);
    if (depth > 0)
        return;
    part = one;
    words = said;
}

static bool has_a_part(void)
{
    return depth > 0 || part;
}

static int play(int argc, char **argv, char **env)
{
    (void)argc, (void)argv, (void)env;
    return part ? part->play(words) : rvi_proc_be(control, life);
}

/* --- libravel.so --- */

__attribute__((visibility("default"))) start_main_fn rvi_start_main;

int rvi_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                   void (*rtld_fini)(void), void *stack_end)
{
    start_main_fn *next = (start_main_fn *)dlsym(RTLD_NEXT, "__libc_start_main");

    way_is_there = true;
    return next(has_a_part() ? play : main, argc, argv, init, fini, rtld_fini, stack_end);
}

/* --- libravel.a --- */

/* The program comes first. A linker may define the two names in a shared library as well. */
static int is_in_program(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes, (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t offset = (uintptr_t)is_in_program - info->dlpi_addr - segment->p_vaddr;
        if (segment->p_type == PT_LOAD && offset < segment->p_memsz)
            return 1;
    }
    return -1;
}

static constructor_fn at_start;

static constructor_fn *const *own_place(void)
{
    if (!__init_array_start || dl_iterate_phdr(is_in_program, NULL) != 1)
        return NULL;
    for (constructor_fn *const *one = __init_array_start; one < __init_array_end; one++) {
        if (*one == at_start)
            return one;
    }
    return NULL;
}

__attribute__((constructor)) static void at_start(int argc, char **argv, char **env)
{
    const char *worker = getenv(RVI_WORKER_VARIABLE);
    constructor_fn *const *place = own_place();

    rvi_self_note();
    way_is_there |= place != NULL;
    if (worker)
        claim(worker);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        char *said = getenv(parts[i].variable);
        if (said)
            claim_part(&parts[i], said);
    }
    if (!has_a_part() || !place)
        return;
    while (++place < __init_array_end)
        (*place)(argc, argv, env);
    exit(play(argc, argv, env));
}
