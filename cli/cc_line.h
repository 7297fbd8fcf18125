/* SPDX-License-Identifier: MIT */
/* cc_line.h - what a compiler's command line asks for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum cc_step {
    CC_ASK,        /* --version, -print-…, nothing at all: neither compiles nor links */
    CC_PREPROCESS, /* -E, -M */
    CC_COMPILE,    /* -c, -S: no linking */
    CC_LINK,       /* a program or a shared library; also what it is made of */
    CC_RELOCATE,   /* -r: objects into an object */
};

enum cc_word {
    CC_OPTION,
    CC_VALUE,    /* of the option before it */
    CC_SOURCE,   /* a file that is compiled */
    CC_OBJECT,   /* one that is not: objects, archives, what the linker knows */
    CC_LANGUAGE, /* -x, -xc; its value is a CC_LANGUAGE too */
    CC_DEPENDS,  /* of the preprocessor's side outputs, and their values: -MD, -MF file */
    CC_OUTPUT,   /* -o, and its value */
    CC_DROPPED,  /* of a thread sanitizer: ours takes its place */
};

struct cc_line {
    enum cc_step step;
    bool is_static, writes_depends, names_depends;
    size_t source_count;
    enum cc_word *words;    /* one for each argument */
    const char **languages; /* for a source: what an -x before it said, or NULL */
};

/** Understand the arguments, without the compiler's name.
 * @return whether there was memory */
bool cc_line_init(struct cc_line *line, int count, char **args);

void cc_line_fini(struct cc_line *line);
