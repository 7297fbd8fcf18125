/* SPDX-License-Identifier: MIT */
/* target.h - a program that is looked at: a live process, or the core file of one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/ctx.h"
#include "task/layout.h"

enum { LOOK_TROUBLE_BYTES = 640, LOOK_LIBRARIES = 4 };

/** Why something could not be done: a sentence or two for whoever asked. */
struct look_trouble {
    char text[LOOK_TROUBLE_BYTES];
};

/** A program or library that is loaded. */
struct look_module {
    uint64_t start, end; /* of all its mappings; `start` holds its ELF header */
    uint64_t bias;       /* what is added to the addresses in the file */
    const char *path;
};

/** A thread, of a core file alone: a live process is not stopped. */
struct look_thread {
    int id;
    struct rvi_regs regs;
};

struct look_target {
    /** All of the bytes, or -errno: -EFAULT none or not all are there, -ESRCH the process has
     * ended. */
    int (*read)(struct look_target *target, uint64_t address, void *to, size_t bytes);
    void (*close)(struct look_target *target);

    pid_t pid;
    const char *core;  /* the file; NULL: a live process */
    char program[256]; /* its name */
    bool has_our_time; /* its clock is the one that we would ask: not that of a core file */
    struct look_module *modules;
    size_t module_count;
    const struct look_thread *threads;
    size_t thread_count;
    struct rvi_layout layouts[LOOK_LIBRARIES]; /* of each libravel that it contains */
    size_t layout_count;
};

/** Open a live process. It is neither stopped nor changed.
 *
 * @param ret  look_close() it
 * @return 0
 * Errors:  -ESRCH; -EPERM it may not be read by us; -ENOEXEC no Ravel is in it;
 *          -EPROTONOSUPPORT a Ravel of another version; -EAGAIN it is just being loaded;
 *          -ENOMEM; others of opening files. In words: *trouble */
int look_open_process(struct look_target **ret, pid_t pid, struct look_trouble *trouble)
    __attribute__((warn_unused_result));

/** The same for a core file. What is not in it, because it could not change, is read from the files
 * that were loaded, if those are still the same. */
int look_open_core(struct look_target **ret, const char *path, struct look_trouble *trouble)
    __attribute__((warn_unused_result));

/** NULL does nothing. */
void look_close(struct look_target *target);

/** A text of the target's, with what is not printable replaced: as much as fits.
 *
 * @return 0, or as target->read() */
int look_read_text(struct look_target *target, uint64_t address, char *to, size_t room)
    __attribute__((warn_unused_result));

/** The file of a module, if it is still what was loaded: a descriptor that is the caller's.
 * Errors: -ENOENT, -ESTALE it is not; others of open(2) */
int look_open_module(struct look_target *target, const struct look_module *module)
    __attribute__((warn_unused_result));

/* --- for those who make targets: process.c, core.c --- */

/** Say why. @return error */
int look_say(struct look_trouble *trouble, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Find each libravel in the target's modules. Errors: as opening has them. */
int look_find_layouts(struct look_target *target, struct look_trouble *trouble)
    __attribute__((warn_unused_result));

/** A mapping of a file, in ascending order of addresses: a new module, or more of the last one.
 * Errors: -ENOMEM. */
int look_add_mapping(struct look_target *target, uint64_t start, uint64_t end, uint64_t offset,
                     const char *path) __attribute__((warn_unused_result));
