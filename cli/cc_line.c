/* SPDX-License-Identifier: MIT */
/* cc_line.c - what a compiler's command line asks for: gcc's and clang's grammar, as far as it
 * matters which words are sources and which step is the last.
 *
 * Checked by: tests/cli/test_cc.py */
#include "cli/cc_line.h"

#include <stdlib.h>
#include <string.h>

/* Options whose value is the next word, always. */
static const char *const with_value[] = {
    "-I",
    "-D",
    "-U",
    "-L",
    "-l",
    "-T",
    "-u",
    "-z",
    "-A",
    "-e",
    "-B",
    "-h",
    "-G",
    "-include",
    "-imacros",
    "-isystem",
    "-idirafter",
    "-iquote",
    "-iprefix",
    "-iwithprefix",
    "-iwithprefixbefore",
    "-isysroot",
    "-imultilib",
    "-Xlinker",
    "-Xpreprocessor",
    "-Xassembler",
    "-Xclang",
    "-mllvm",
    "-target",
    "-arch",
    "--param",
    "-aux-info",
    "-dumpbase",
    "-dumpbase-ext",
    "-dumpdir",
    "-wrapper",
    "-framework",
    "-rpath",
    "-soname",
    "-specs",
    "--sysroot",
    "-gcc-toolchain",
};

/* With these the compiler answers and does nothing. */
static const char *const asks[] = {
    "--version",  "--help", "-dumpversion", "-dumpfullversion", "-dumpmachine",
    "-dumpspecs", "-###",   "-V",           "-qversion",        "--target-help",
};

static const char *const source_ends[] = {
    ".c", ".i", ".ii", ".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C", ".s", ".S", ".sx",
};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, list[i]) == 0)
            return true;
    }
    return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof(list)[0])

static bool begins(const char *word, const char *with)
{
    return strncmp(word, with, strlen(with)) == 0;
}

static bool is_source(const char *word, const char *language)
{
    const char *end = strrchr(word, '.'), *slash = strrchr(word, '/');

    if (language)
        return true;
    return end && (!slash || end > slash) && IS_ONE_OF(end, source_ends);
}

/* A step that ends earlier wins: -E over -S and -c over linking. */
static void ends_at(struct cc_line *line, enum cc_step step)
{
    if (line->step > step)
        line->step = step;
}

/* Classifies an option; *takes: its value is the next word, of the same class. */
static enum cc_word option(struct cc_line *line, const char *word, bool *takes)
{
    *takes = false;
    if (strcmp(word, "-E") == 0 || strcmp(word, "-M") == 0 || strcmp(word, "-MM") == 0)
        ends_at(line, CC_PREPROCESS);
    else if (strcmp(word, "-c") == 0 || strcmp(word, "-S") == 0 ||
             strcmp(word, "-fsyntax-only") == 0)
        ends_at(line, CC_COMPILE);
    else if (strcmp(word, "-r") == 0 && line->step == CC_LINK)
        line->step = CC_RELOCATE;
    else if (IS_ONE_OF(word, asks) || begins(word, "-print-") || begins(word, "--help=") ||
             begins(word, "--print-"))
        ends_at(line, CC_ASK);
    else if (strcmp(word, "-static") == 0 || strcmp(word, "-static-pie") == 0)
        line->is_static = true;
    else if (strcmp(word, "-fsanitize=thread") == 0 || strcmp(word, "-static-libtsan") == 0)
        return CC_DROPPED;
    else if (strcmp(word, "-MD") == 0 || strcmp(word, "-MMD") == 0) {
        line->writes_depends = true;
        return CC_DEPENDS;
    } else if (strcmp(word, "-MP") == 0 || strcmp(word, "-MG") == 0)
        return CC_DEPENDS;
    else if (begins(word, "-MF") || begins(word, "-MT") || begins(word, "-MQ")) {
        line->names_depends |= word[2] == 'F';
        *takes = word[3] == '\0';
        return CC_DEPENDS;
    }
    return CC_OPTION;
}

/* How it goes on behind an -o or an -x: glued to it or the next word. */
static const char *value_of(char **args, int i, int count, const char *word)
{
    if (word[2])
        return word + 2;
    return i + 1 < count ? args[i + 1] : NULL;
}

static void mark(struct cc_line *line, int i, int count, enum cc_word word, bool with_next)
{
    line->words[i] = word;
    if (with_next && i + 1 < count)
        line->words[i + 1] = word == CC_OPTION ? CC_VALUE : word;
}

static void read_file(struct cc_line *line, int i, const char *word, const char *language)
{
    bool compiles = is_source(word, language);

    line->words[i] = compiles ? CC_SOURCE : CC_OBJECT;
    line->languages[i] = compiles ? language : NULL;
    line->source_count += compiles;
}

static void read_words(struct cc_line *line, int count, char **args)
{
    const char *language = NULL;
    bool takes;

    for (int i = 0; i < count; i += takes ? 2 : 1) {
        const char *word = args[i];
        takes = false;
        if (word[0] != '-' || word[1] == '\0') {
            read_file(line, i, word, language);
        } else if (begins(word, "-x")) {
            takes = word[2] == '\0';
            language = value_of(args, i, count, word);
            if (language && strcmp(language, "none") == 0)
                language = NULL;
            mark(line, i, count, CC_LANGUAGE, takes);
        } else if (begins(word, "-o") && !begins(word, "-objc")) {
            takes = word[2] == '\0';
            mark(line, i, count, CC_OUTPUT, takes);
        } else if (IS_ONE_OF(word, with_value)) {
            takes = true;
            mark(line, i, count, CC_OPTION, takes);
        } else {
            enum cc_word sort = option(line, word, &takes);
            mark(line, i, count, sort, takes);
        }
    }
}

static size_t files(const struct cc_line *line, int count)
{
    size_t found = 0;

    for (int i = 0; i < count; i++)
        found += line->words[i] == CC_SOURCE || line->words[i] == CC_OBJECT;
    return found;
}

bool cc_line_init(struct cc_line *line, int count, char **args)
{
    *line = (struct cc_line){.step = CC_LINK};
    line->words = calloc((size_t)count + 1, sizeof *line->words);
    line->languages = calloc((size_t)count + 1, sizeof *line->languages);
    if (!line->words || !line->languages) {
        cc_line_fini(line);
        return false;
    }
    read_words(line, count, args);
    if (files(line, count) == 0)
        line->step = CC_ASK;
    return true;
}

void cc_line_fini(struct cc_line *line)
{
    free(line->words);
    free(line->languages);
    *line = (struct cc_line){0};
}
