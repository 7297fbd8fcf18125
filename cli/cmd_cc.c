/* SPDX-License-Identifier: MIT */
/* cmd_cc.c - `ravel cc`, `ravel c++`: the compiler, with what a program needs to be checked.
 *
 * Compiling adds the compiler's own instrumentation of accesses to memory (-fsanitize=thread), and
 * linking the checker's runtime in the place of the compiler's. As -fsanitize=thread at a link adds
 * the compiler's, a call that compiles and links is taken apart: each source into an object in a
 * folder of its own that is removed, then the link of those. Everything else is one exec.
 *
 * The runtime comes first among the libraries, so that its functions win over those of the C
 * library also where pthreads are a library of their own.
 *
 * Rejected: -nodefaultlibs with all libraries by hand (which ones differ by language and target);
 * a specs file (clang has none).
 *
 * Checked by: tests/cli/test_cc.py */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cc_line.h"
#include "cli/cli.h"

enum { OURS_MOST = 24, PATH_BYTES = 4096, OBJECT_BYTES = 96 };

/* What is done: the compiler's words, the user's, what they mean. */
struct cc {
    char *compiler[8]; /* "ccache gcc" is two words */
    int compiler_count;
    char **args;
    int count;
    struct cc_line line;
    char runtime[PATH_BYTES], library_option[PATH_BYTES + 8], rpath_option[PATH_BYTES + 16];
    char folder[64]; /* of objects */
};

/* A command under construction; room for all that there may be. */
struct command {
    char **words;
    size_t count;
};

static bool command_init(struct command *command, const struct cc *cc)
{
    size_t room = (size_t)cc->compiler_count + (size_t)cc->count * 2 + OURS_MOST;

    *command = (struct command){.words = calloc(room, sizeof *command->words)};
    for (int i = 0; command->words && i < cc->compiler_count; i++)
        command->words[command->count++] = cc->compiler[i];
    return command->words != NULL;
}

static void add(struct command *command, const char *word)
{
    command->words[command->count++] = (char *)(uintptr_t)word;
}

/* Before the user's words: what they may overrule. */
static void add_compiling_first(struct command *command, const struct cc *cc)
{
    add(command, "-g");
    /* gcc warns that its own runtime does not see fences; this one does. clang knows no such
       word. */
    if (!strstr(cc->compiler[cc->compiler_count - 1], "clang"))
        add(command, "-Wno-tsan");
}

/* After them: what they may not. */
static void add_compiling_last(struct command *command)
{
    add(command, "-fsanitize=thread");
    add(command, "-fno-omit-frame-pointer");
    add(command, "-fno-lto"); /* the instrumentation would come, or not, with the link */
}

static void add_linking_first(struct command *command, const struct cc *cc)
{
    add(command, "-Wl,--push-state,--no-as-needed");
    add(command, cc->library_option);
    add(command, "-lravel_check");
    add(command, "-Wl,--pop-state");
    add(command, cc->rpath_option);
}

static void add_linking_last(struct command *command)
{
    add(command, "-fno-lto");
    add(command, "-Wl,--build-id"); /* a replay is of one build */
}

static void name_object(const struct cc *cc, int i, char *to, size_t room)
{
    snprintf(to, room, "%s/%d.o", cc->folder, i);
}

/* --- running --- */

static int exec_command(const struct command *command)
{
    execvp(command->words[0], command->words);
    return cli_unable("cannot run %s: %s", command->words[0], strerror(errno));
}

/* Its exit status. Interrupts are for the compiler; what it leaves is removed then as well. */
static int run_command(const struct command *command)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGINT, SIG_DFL);
        _exit(exec_command(command));
    }
    if (child < 0)
        return cli_unable("cannot start a process: %s", strerror(errno));
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return CLI_UNABLE;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the steps --- */

/* Everything as it was said, and ours around it. */
static int pass_on(const struct cc *cc)
{
    struct command command;

    if (!command_init(&command, cc))
        return cli_unable("no memory");
    if (cc->line.step == CC_COMPILE)
        add_compiling_first(&command, cc);
    if (cc->line.step == CC_LINK)
        add_linking_first(&command, cc);
    for (int i = 0; i < cc->count; i++) {
        if (cc->line.words[i] != CC_DROPPED)
            add(&command, cc->args[i]);
    }
    if (cc->line.step == CC_COMPILE)
        add_compiling_last(&command);
    if (cc->line.step == CC_LINK)
        add_linking_last(&command);
    int status = exec_command(&command);
    free(command.words);
    return status;
}

/* "prog.d", as gcc names what -MD writes: by the output, or else by the source. */
static void add_depends(struct command *command, const struct cc *cc, int source, char *name,
                        size_t room)
{
    const char *file = strrchr(cc->args[source], '/');

    file = file ? file + 1 : cc->args[source];
    int length = (int)(strrchr(file, '.') ? strrchr(file, '.') - file : (long)strlen(file));
    snprintf(name, room, "%.*s.d", length, file);
    add(command, "-MF");
    add(command, name);
}

static int compile_one(const struct cc *cc, int source)
{
    struct command command;
    char object[OBJECT_BYTES], depends[PATH_BYTES];

    if (!command_init(&command, cc))
        return cli_unable("no memory");
    add_compiling_first(&command, cc);
    for (int i = 0; i < cc->count; i++) {
        enum cc_word word = cc->line.words[i];
        if (word == CC_OPTION || word == CC_VALUE || word == CC_DEPENDS)
            add(&command, cc->args[i]);
    }
    add_compiling_last(&command);
    if (cc->line.writes_depends && !cc->line.names_depends)
        add_depends(&command, cc, source, depends, sizeof depends);
    name_object(cc, source, object, sizeof object);
    add(&command, "-c");
    add(&command, "-o");
    add(&command, object);
    if (cc->line.languages[source]) {
        add(&command, "-x");
        add(&command, cc->line.languages[source]);
    }
    add(&command, cc->args[source]);
    int status = run_command(&command);
    free(command.words);
    return status;
}

static int link_all(const struct cc *cc)
{
    struct command command;
    char(*objects)[OBJECT_BYTES] = calloc(cc->line.source_count, sizeof *objects);
    size_t named = 0;

    if (!objects || !command_init(&command, cc)) {
        free(objects);
        return cli_unable("no memory");
    }
    add_linking_first(&command, cc);
    for (int i = 0; i < cc->count; i++) {
        enum cc_word word = cc->line.words[i];
        if (word == CC_SOURCE) {
            name_object(cc, i, objects[named], sizeof objects[named]);
            add(&command, objects[named++]);
        } else if (word == CC_OPTION || word == CC_VALUE || word == CC_OBJECT ||
                   word == CC_OUTPUT) {
            add(&command, cc->args[i]);
        }
    }
    add_linking_last(&command);
    int status = run_command(&command);
    free(command.words);
    free(objects);
    return status;
}

static void remove_objects(const struct cc *cc)
{
    char object[OBJECT_BYTES];

    for (int i = 0; i < cc->count; i++) {
        name_object(cc, i, object, sizeof object);
        if (cc->line.words[i] == CC_SOURCE)
            unlink(object);
    }
    rmdir(cc->folder);
}

static int compile_and_link(struct cc *cc)
{
    int status = 0;
    const char *base = getenv("TMPDIR");

    snprintf(cc->folder, sizeof cc->folder, "%.40s/ravel-cc-XXXXXX",
             base && base[0] ? base : "/tmp");
    if (!mkdtemp(cc->folder))
        return cli_unable("cannot make a folder for objects: %s", strerror(errno));
    signal(SIGINT, SIG_IGN);
    for (int i = 0; i < cc->count && status == 0; i++) {
        if (cc->line.words[i] == CC_SOURCE)
            status = compile_one(cc, i);
    }
    if (status == 0)
        status = link_all(cc);
    remove_objects(cc);
    return status;
}

/* --- the compiler --- */

static void split(struct cc *cc, const char *words)
{
    char *rest = NULL, *copy = strdup(words); /* lives as long as the process */

    for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL;
         word && cc->compiler_count < (int)(sizeof cc->compiler / sizeof cc->compiler[0]);
         word = strtok_r(NULL, " ", &rest))
        cc->compiler[cc->compiler_count++] = word;
}

static void choose_compiler(struct cc *cc, const char *verb)
{
    bool is_cxx = strcmp(verb, "c++") == 0;
    const char *named = getenv(is_cxx ? "RAVEL_CXX" : "RAVEL_CC");

    if (cc->count >= 2 && strcmp(cc->args[0], "--with") == 0) {
        named = cc->args[1];
        cc->args += 2;
        cc->count -= 2;
    }
    split(cc, named ? named : "");
    if (cc->compiler_count == 0)
        split(cc, is_cxx ? "g++" : "gcc");
}

static bool find_library(struct cc *cc)
{
    if (!cli_find_runtime(cc->runtime, sizeof cc->runtime))
        return false;
    *strrchr(cc->runtime, '/') = '\0';
    snprintf(cc->library_option, sizeof cc->library_option, "-L%s", cc->runtime);
    snprintf(cc->rpath_option, sizeof cc->rpath_option, "-Wl,-rpath,%s", cc->runtime);
    return true;
}

static int compile(struct cc *cc)
{
    if (cc->line.step == CC_LINK && cc->line.is_static)
        return cli_unable("a static program cannot be checked: leave -static out");
    if (cc->line.step == CC_LINK && !find_library(cc))
        return CLI_UNABLE;
    if (cc->line.step == CC_LINK && cc->line.source_count > 0)
        return compile_and_link(cc);
    return pass_on(cc);
}

int cli_cc(int argc, char **argv)
{
    struct cc cc = {.args = argv + 1, .count = argc - 1};

    choose_compiler(&cc, argv[0]);
    if (!cc_line_init(&cc.line, cc.count, cc.args))
        return cli_unable("no memory");
    int status = compile(&cc);
    cc_line_fini(&cc.line);
    return status;
}
