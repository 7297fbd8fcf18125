/* SPDX-License-Identifier: MIT */
/* stream.c - the driver's end of wire.h.
 *
 * The program is started with two more descriptors, the mapping and a socket, whose numbers are the
 * same each time and stand in its environment; with the runtime preloaded; and in a process group
 * of its own, so that an interrupt from the terminal ends the driver, and the driver ends the
 * program.
 *
 * Standard output and error are memory that is emptied before each execution: an execution that
 * prints does not wait for a reader, and its last words can be shown. Standard input is a file from
 * its beginning each time, or else nothing: a pipe or a terminal can be read only once.
 *
 * Invariants
 *   S1  nothing in the mapping is believed: mend() judges each count before anybody else sees it.
 *   S2  when the driver dies, the server does (PR_SET_PDEATHSIG), and an execution with its server.
 *
 * Rejected: posix_spawn (no personality(), no PR_SET_PDEATHSIG); a thread of the driver for each
 * stream (one thread hands out 100,000 schedules a second, and needs no lock).
 *
 * Checked by: tests/cli, tests/cli */
#include "check/driver/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "sys/memfd.h"

enum {
    MAPPING_FD = 200, /* CK_STREAM_NUMBERS */
    SOCKET_FD = 201,
    PATIENCE_MS = 60000, /* without a step; the server's own watch is far below */
    SLICE_MS = 500,
    LAST_WORDS = 2048,
    OUTPUTS = 2,
};

struct ck_stream {
    struct ck_shared *shared;
    size_t bytes;
    int mapping, socket, input; /* input: -1 when it is /dev/null */
    int output[OUTPUTS];        /* of descriptors 1 and 2 */
    off_t input_start;
    pid_t pid;
    bool is_debugged; /* a person may take any time */
    uint64_t progress;
    int64_t progress_ms; /* when it was last seen to rise */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- starting --- */

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

static size_t mapping_bytes(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (sizeof(struct ck_shared) + page - 1) / page * page;
}

static int open_mapping(struct ck_stream *stream)
{
    void *memory;

    stream->bytes = mapping_bytes();
    stream->mapping = rvi_memfd_make("ravel-check", stream->bytes);
    if (stream->mapping < 0)
        return stream->mapping;
    int err = rvi_memfd_map(stream->mapping, stream->bytes, &memory);
    if (err < 0)
        return err;
    stream->shared = memory;
    stream->shared->protocol = CK_PROTOCOL;
    return 0;
}

/* Each execution inherits one offset from the server, and appends all the same. */
static int open_output(int *ret)
{
    *ret = memfd_create("ravel-check-output", MFD_CLOEXEC);
    return *ret < 0 || fcntl(*ret, F_SETFL, O_APPEND) < 0 ? -errno : 0;
}

/* A description of our own, as several streams rewind theirs. */
static void open_input(struct ck_stream *stream)
{
    struct stat is;

    stream->input = -1;
    if (fstat(STDIN_FILENO, &is) != 0 || !S_ISREG(is.st_mode))
        return;
    stream->input_start = lseek(STDIN_FILENO, 0, SEEK_CUR);
    stream->input = open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);
}

/* The child's side. What fails is said by a number in the pipe, which execve closes. */
struct start {
    const struct ck_stream_opts *opts;
    const struct ck_stream *stream;
    char *const *env;
    const char *const *argv; /* with the debugger's before it */
    const char *file;
    int socket, pipe;
};

static _Noreturn void child_fails(const struct start *start)
{
    int err = errno;

    if (write(start->pipe, &err, sizeof err) != (ssize_t)sizeof err)
        _exit(126);
    _exit(127);
}

static void child_move(const struct start *start, int from, int to)
{
    if (dup2(from, to) < 0)
        child_fails(start);
}

static void child_descriptors(const struct start *start)
{
    const struct ck_stream *stream = start->stream;

    if (stream->is_debugged) {
        child_move(start, stream->mapping, MAPPING_FD);
        child_move(start, start->socket, SOCKET_FD);
        return;
    }
    int input = stream->input >= 0 ? stream->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (input < 0)
        child_fails(start);
    child_move(start, input, STDIN_FILENO);
    child_move(start, stream->output[0], STDOUT_FILENO);
    child_move(start, stream->output[1], STDERR_FILENO);
    child_move(start, stream->mapping, MAPPING_FD);
    child_move(start, start->socket, SOCKET_FD);
}

/* A container may refuse that addresses are the same each time; nothing depends on it but programs
 * that order things by address. */
static void child_addresses(const struct start *start)
{
    int persona = personality(0xffffffff);

    if (!start->opts->is_randomised && persona >= 0)
        personality((unsigned long)persona | ADDR_NO_RANDOMIZE);
}

static _Noreturn void child(const struct start *start, pid_t parent)
{
    sigset_t none;

    if (!start->stream->is_debugged)
        setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    child_addresses(start);
    child_descriptors(start);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execvpe(start->file, (char *const *)(uintptr_t)start->argv, start->env);
    child_fails(start);
}

static int spawn(struct ck_stream *stream, struct start *start)
{
    int ends[2], err = 0;
    pid_t parent = getpid();

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    start->pipe = ends[1];
    stream->pid = fork();
    if (stream->pid == 0)
        child(start, parent);
    if (stream->pid < 0)
        err = errno;
    close(ends[1]);
    if (stream->pid > 0 && read(ends[0], &err, sizeof err) != (ssize_t)sizeof err)
        err = 0;
    close(ends[0]);
    return -err;
}

/* --- its environment --- */

static bool is_ours(const char *entry)
{
    return strncmp(entry, CK_ENV "=", sizeof CK_ENV) == 0 ||
           strncmp(entry, "LD_PRELOAD=", sizeof "LD_PRELOAD") == 0;
}

static void free_env(char **env)
{
    for (size_t i = 0; env && i < 2; i++)
        rvi_free(env[i]);
    rvi_free(env);
}

/* "first between second", without memory NULL. */
static char *joined(const char *first, const char *between, const char *second)
{
    struct rvi_text text = {0};

    rvi_text_add(&text, "%s%s%s", first, between, second);
    if (!text.is_cut)
        return text.bytes;
    rvi_text_fini(&text);
    return NULL;
}

/* What the user preloads comes after ours. */
static char *preload_entry(const char *library)
{
    const char *users = getenv("LD_PRELOAD");
    char *list = joined(library, users && users[0] ? ":" : "", users ? users : "");
    char *entry = list ? joined("LD_PRELOAD", "=", list) : NULL;

    rvi_free(list);
    return entry;
}

static char **make_env(const char *library)
{
    size_t count = 0;

    while (environ[count])
        count++;
    char **env = rvi_calloc(count + 3, sizeof *env);
    if (!env)
        return NULL;
    env[0] = joined(CK_ENV, "=", CK_STREAM_NUMBERS);
    env[1] = preload_entry(library);
    for (size_t i = 0, n = 2; i < count; i++) {
        if (!is_ours(environ[i]))
            env[n++] = environ[i];
    }
    return env;
}

/* A debugger itself goes uncontrolled: its program gets the library, not it. */
static const char **make_argv(const struct ck_stream_opts *opts)
{
    size_t before = 0, count = 0;

    while (opts->debugger && opts->debugger[before])
        before++;
    while (opts->argv[count])
        count++;
    const char **argv = rvi_calloc(before + count + 1, sizeof *argv);
    if (!argv)
        return NULL;
    for (size_t i = 0; i < before; i++)
        argv[i] = opts->debugger[i];
    for (size_t i = 0; i < count; i++)
        argv[before + i] = opts->argv[i];
    return argv;
}

/* --- opening --- */

static void say_last_words(struct ck_stream *stream, struct rvi_text *why)
{
    char words[LAST_WORDS + 1];
    size_t count = ck_stream_output(stream, STDERR_FILENO, words, LAST_WORDS);

    words[count] = '\0';
    if (count > 0)
        rvi_text_add(why, "\nits last words: %s", words);
}

static void say_end(struct ck_stream *stream, struct rvi_text *why)
{
    int status = 0;

    if (waitpid(stream->pid, &status, 0) == stream->pid)
        stream->pid = 0;
    if (WIFSIGNALED(status))
        rvi_text_add(why, "the program was killed by signal %d (%s) before its main() began",
                     WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        rvi_text_add(why, "the program ended with status %d before its main() began",
                     WEXITSTATUS(status));
    say_last_words(stream, why);
}

static int wait_until_ready(struct ck_stream *stream, struct rvi_text *why)
{
    struct pollfd ready = {.fd = stream->socket, .events = POLLIN};
    int n;
    char byte;

    do
        n = poll(&ready, 1, stream->is_debugged ? -1 : PATIENCE_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0) {
        rvi_text_add(why, "the program does not come to its main()");
        return -ETIME;
    }
    if (read(stream->socket, &byte, 1) == 1 && byte == CK_READY &&
        stream->shared->protocol == CK_PROTOCOL)
        return 0;
    if (!stream->is_debugged)
        say_end(stream, why);
    return -ENOEXEC;
}

static int start(struct ck_stream *stream, const struct ck_stream_opts *opts, struct rvi_text *why)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    stream->socket = ends[0];
    char **env = make_env(opts->runtime);
    const char **argv = make_argv(opts);
    int err = -ENOMEM;
    if (env && env[0] && env[1] && argv) {
        struct start begin = {.opts = opts, .stream = stream, .argv = argv, .socket = ends[1]};
        begin.env = opts->debugger ? environ : env;
        begin.file = opts->debugger ? opts->debugger[0] : opts->program;
        err = spawn(stream, &begin);
    }
    if (err < 0)
        rvi_text_add(why, "cannot start %s: %s", opts->program, strerror(-err));
    rvi_free(argv);
    free_env(env);
    close(ends[1]);
    return err < 0 ? err : wait_until_ready(stream, why);
}

int ck_stream_open(const struct ck_stream_opts *opts, struct ck_stream **ret, struct rvi_text *why)
{
    struct ck_stream *stream = rvi_calloc(1, sizeof *stream);

    if (!stream)
        return -ENOMEM;
    stream->mapping = stream->socket = stream->output[0] = stream->output[1] = -1;
    stream->is_debugged = opts->debugger != NULL;
    open_input(stream);
    int err = open_mapping(stream);
    for (int i = 0; i < OUTPUTS && err == 0; i++)
        err = open_output(&stream->output[i]);
    if (err < 0)
        rvi_text_add(why, "cannot get memory to share: %s", strerror(-err));
    else
        err = start(stream, opts, why);
    if (err < 0) {
        ck_stream_close(stream);
        return err;
    }
    *ret = stream;
    return 0;
}

void ck_stream_close(struct ck_stream *stream)
{
    if (!stream)
        return;
    close_fd(stream->socket);
    if (stream->pid > 0) {
        if (!stream->is_debugged) {
            kill(-stream->pid, SIGKILL);
            kill(stream->pid, SIGKILL);
        }
        while (waitpid(stream->pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    if (stream->shared)
        rvi_memfd_unmap(stream->shared, stream->bytes);
    close_fd(stream->mapping);
    close_fd(stream->input);
    for (int i = 0; i < OUTPUTS; i++)
        close_fd(stream->output[i]);
    rvi_free(stream);
}

struct ck_shared *ck_stream_shared(struct ck_stream *stream)
{
    return stream->shared;
}

void ck_stream_wait(struct ck_stream *stream)
{
    while (stream->pid > 0 && waitpid(stream->pid, NULL, 0) < 0 && errno == EINTR) {}
    stream->pid = 0;
}

/* --- executions --- */

static void at_most(uint32_t *count, uint32_t most)
{
    if (*count > most)
        *count = most;
}

static void mend_report(struct ck_report *report)
{
    if (report->kind >= CK_KINDS)
        report->kind = CK_UNABLE;
    at_most(&report->party_count, CK_PARTIES_MOST);
    report->text[CK_TEXT_BYTES - 1] = '\0';
    for (uint32_t i = 0; i < report->party_count; i++) {
        struct ck_party *party = &report->parties[i];
        at_most(&party->frame_count, CK_FRAMES);
        for (uint32_t k = 0; k < party->frame_count; k++) {
            if (party->frames[k].module >= CK_MODULES_MOST)
                party->frames[k] = (struct ck_place){0, 0};
        }
    }
}

static void mend(struct ck_shared *shared)
{
    struct ck_result *result = &shared->result;

    at_most(&shared->module_count, CK_MODULES_MOST);
    for (uint32_t i = 0; i < shared->module_count; i++) {
        struct ck_module *module = &shared->modules[i];
        module->path[sizeof module->path - 1] = '\0';
        at_most(&module->build_id_bytes, sizeof module->build_id);
    }
    at_most(&result->thread_count, CK_THREADS_MOST);
    at_most(&result->switch_count, CK_SWITCHES_MOST);
    at_most(&result->event_count, CK_EVENTS_MOST);
    at_most(&result->seen_count, CK_LOCATIONS_MOST);
    at_most(&result->report_count, CK_REPORTS_MOST);
    mend_report(&result->failure);
    for (uint32_t i = 0; i < result->report_count; i++)
        mend_report(&result->reports[i]);
}

static void rewind_files(struct ck_stream *stream)
{
    if (stream->input >= 0)
        lseek(stream->input, stream->input_start, SEEK_SET);
    for (int i = 0; i < OUTPUTS; i++) {
        if (ck_stream_output_bytes(stream, i + 1) > 0 && ftruncate(stream->output[i], 0) < 0)
            continue; /* then its last words have older ones before them */
    }
}

int ck_stream_start(struct ck_stream *stream)
{
    char byte = CK_RUN;

    rewind_files(stream);
    stream->progress = stream->shared->result.progress;
    stream->progress_ms = now_ms();
    return send(stream->socket, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : -EPIPE;
}

/* Whether a step was made within the time that we are patient for. */
static bool is_alive(struct ck_stream *stream)
{
    uint64_t progress = *(volatile uint64_t *)&stream->shared->result.progress;

    if (progress != stream->progress || stream->is_debugged) {
        stream->progress = progress;
        stream->progress_ms = now_ms();
    }
    return now_ms() - stream->progress_ms < PATIENCE_MS;
}

static int take_end(struct ck_stream *stream)
{
    char byte;
    ssize_t count = read(stream->socket, &byte, 1);

    if (count < 0 && errno == EINTR)
        return -EINTR;
    if (count != 1 || byte != CK_DONE)
        return -EPIPE;
    mend(stream->shared);
    return 0;
}

int ck_stream_finish(struct ck_stream *const *streams, size_t count, size_t *ret_which)
{
    struct pollfd polled[CK_STREAMS_MOST];

    for (size_t i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = streams[i]->socket, .events = POLLIN};
    for (;;) {
        int n = poll(polled, count, SLICE_MS);
        if (n < 0 && errno != EAGAIN)
            return -errno;
        for (size_t i = 0; i < count; i++) {
            *ret_which = i;
            if (n > 0 && polled[i].revents)
                return take_end(streams[i]);
            if (n == 0 && !is_alive(streams[i]))
                return -ETIME;
        }
    }
}

int ck_stream_run(struct ck_stream *stream)
{
    size_t which;
    int err = ck_stream_start(stream);

    while (err == 0) {
        err = ck_stream_finish(&stream, 1, &which);
        if (err != -EINTR)
            return err;
        err = 0;
    }
    return err;
}

/* --- what it said --- */

size_t ck_stream_output_bytes(struct ck_stream *stream, int fd)
{
    struct stat is;

    return fstat(stream->output[fd - 1], &is) == 0 ? (size_t)is.st_size : 0;
}

size_t ck_stream_output(struct ck_stream *stream, int fd, char *to, size_t room)
{
    size_t all = ck_stream_output_bytes(stream, fd);
    off_t from = all > room ? (off_t)(all - room) : 0;
    ssize_t count = pread(stream->output[fd - 1], to, room, from);

    return count > 0 ? (size_t)count : 0;
}
