/* SPDX-License-Identifier: MIT */
/* stress_io_chaos.c - tasks that do anything to connections at any time, beside peers that end them
 * at every step; others that do anything to files and children; scopes that are cancelled and
 * deadlines that pass in the middle. What is checked is what is left: the bytes that arrived are
 * those that were sent, up to where it broke off, files are whole, and nothing stays open,
 * allocated or alive. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "io.h"

enum {
    ROUNDS = 60,
    TASKS = 24, /* of a round */
    MOST_OPS = 30,
    MOST_BYTES = 3000,
    PEER_ROUNDS = 12,
    FILE_ROUNDS = 40,
    NAMES = 4, /* of files */
};

static struct server server;
static _Atomic(uint64_t) next_seed;

static struct rvi_rng own_rng(void)
{
    struct rvi_rng rng;
    rvi_rng_seed(&rng, rvi_fetch_add_relaxed(&next_seed, 1));
    return rng;
}

static bool may_come_up(ssize_t r)
{
    return r >= 0 || r == -ECANCELED || is_of_the_peer(r);
}

/* Some time soon, or never. */
static rv_time soon(struct rvi_rng *rng)
{
    if (rvi_rng_below(rng, 4) == 0)
        return RV_NEVER;
    return rv_now() + (rv_time)rvi_rng_below(rng, 2 * RV_MILLISECOND);
}

/* ---- anything at any time ---- */

/* A stream between two tasks: both count from 0, so that a byte says where it belongs. */
struct stream {
    int fds[2];
    rv_scope *scope; /* of the two */
};

static ssize_t send_some(int fd, uint64_t *sent, struct rvi_rng *rng)
{
    unsigned char bytes[MOST_BYTES];
    size_t count = 1 + (size_t)rvi_rng_below(rng, sizeof bytes), done = 0;
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)(*sent + i);
    ssize_t r = rvi_rng_below(rng, 2) ? rv_write_all(fd, bytes, count, &done, soon(rng))
                                      : rv_send_all(fd, bytes, count, &done, soon(rng));
    *sent += done;
    return r == -ENOTSOCK ? 0 : r;
}

static ssize_t receive_some(int fd, uint64_t *got, struct rvi_rng *rng)
{
    unsigned char bytes[MOST_BYTES];
    size_t count = 1 + (size_t)rvi_rng_below(rng, sizeof bytes);
    ssize_t n = rv_read(fd, bytes, count, soon(rng));
    for (ssize_t i = 0; i < n; i++)
        RV_CHECK(bytes[i] == (unsigned char)((*got)++));
    return n;
}

static ssize_t do_anything(struct stream *s, int fd, uint64_t *count, bool sends,
                           struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 12)) {
    case 0:
        return rv_poll(fd, POLLIN | POLLOUT, soon(rng));
    case 1:
        rv_yield();
        return 0;
    case 2:
        return rv_sleep((rv_time)rvi_rng_below(rng, 100 * RV_MICROSECOND));
    case 3:
        if (rvi_rng_below(rng, 16) == 0)
            rv_scope_cancel(s->scope, -ECANCELED);
        return 0;
    default:
        return sends ? send_some(fd, count, rng) : receive_some(fd, count, rng);
    }
}

static int one_end(struct stream *s, bool sends)
{
    struct rvi_rng rng = own_rng();
    uint64_t count = 0, ops = 1 + rvi_rng_below(&rng, MOST_OPS);
    int fd = s->fds[sends];
    ssize_t r = 0;
    for (uint64_t i = 0; i < ops && (r >= 0 || r == -ETIME); i++) {
        r = do_anything(s, fd, &count, sends, &rng);
        RV_CHECK(may_come_up(r));
    }
    RV_CHECK(rv_close(fd) == 0);
    return r < 0 && r != -ETIME ? (int)r : 0;
}

static int send_end(void *stream)
{
    return one_end(stream, true);
}

static int receive_end(void *stream)
{
    return one_end(stream, false);
}

/* [0] is read, [1] written. */
static int open_stream(int fds[2], struct rvi_rng *rng)
{
    switch (rvi_rng_below(rng, 3)) {
    case 0:
        return rv_pipe(fds);
    case 1:
        return rv_socketpair(SOCK_STREAM, fds);
    default:
        fds[1] = rv_dial("tcp", server.at, RV_NEVER);
        if (fds[1] < 0)
            return fds[1];
        fds[0] = rv_accept(server.listener, NULL, RV_NEVER);
        if (fds[0] < 0)
            RV_CHECK(rv_close(fds[1]) == 0);
        return fds[0] < 0 ? fds[0] : 0;
    }
}

/* Whoever begins after the scope was cancelled closes its end all the same. */
static void go_or_close(rv_scope *scope, rv_fn *fn, struct stream *s, int end)
{
    if (rv_go(scope, fn, s) < 0)
        RV_CHECK(rv_close(s->fds[end]) == 0);
}

static int play_a_stream(void *arg)
{
    struct rvi_rng rng = own_rng();
    struct stream s;
    int err;
    (void)arg;
    RV_SCOPE(scope, err, .deadline = rvi_rng_below(&rng, 3) ? 0 : soon(&rng)) {
        s.scope = scope;
        if (open_stream(s.fds, &rng) < 0)
            continue;
        go_or_close(scope, receive_end, &s, 0);
        go_or_close(scope, send_end, &s, 1);
    }
    RV_CHECK(may_come_up(err));
    return 0;
}

static int rounds_of_chaos(void *rounds)
{
    struct rvi_rng rng = own_rng();
    int err;
    server.network = "tcp";
    for (size_t i = 0; i < *(size_t *)rounds; i++) {
        open_server(&server, "tcp", "127.0.0.1:0");
        RV_SCOPE(s, err, .policy = RV_COLLECT_ALL) {
            for (int t = 0; t < TASKS; t++)
                RV_CHECK(rv_go(s, play_a_stream, NULL) == 0);
            if (rvi_rng_below(&rng, 4) == 0) {
                (void)!rv_sleep((rv_time)rvi_rng_below(&rng, RV_MILLISECOND));
                rv_scope_cancel(s, -ECANCELED);
            }
        }
        RV_CHECK(may_come_up(err));
        RV_CHECK(rv_close(server.listener) == 0);
    }
    return 0;
}

static int a_round_of_chaos(void *arg)
{
    size_t one = 1;
    (void)arg;
    return rounds_of_chaos(&one);
}

static void chaos_leaves_nothing(void **state)
{
    size_t rounds = scaled(ROUNDS, 4);
    (void)state;
    leave_nothing(2, rounds_of_chaos, &rounds, a_round_of_chaos);
}

/* ---- files and children ---- */

/* In memory where that can be had: what is written is synced. */
static char folder[] = "/dev/shm/ravel-chaos-XXXXXX";

static void make_folder(void)
{
    if (mkdtemp(folder))
        return;
    strcpy(folder, "/tmp/ravel-chaos-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

/* What has one name may be a file or a folder, or gone; folders are not copied (-EINVAL). */
static bool may_come_up_of_files(int r)
{
    return may_come_up(r) || r == -ENOENT || r == -EISDIR || r == -ENOTDIR || r == -EEXIST ||
           r == -ENOTEMPTY || r == -EINVAL;
}

static const char *some_path(char path[64], struct rvi_rng *rng)
{
    snprintf(path, 64, "%s/%d", folder, (int)rvi_rng_below(rng, NAMES));
    return path;
}

/* Of a length that each of its bytes tells. */
static int write_a_file(const char *path, struct rvi_rng *rng)
{
    char bytes[MOST_BYTES];
    size_t count = (size_t)rvi_rng_below(rng, sizeof bytes + 1);
    memset(bytes, (unsigned char)count, count);
    return rv_file_write(AT_FDCWD, path, bytes, count, 0600, soon(rng));
}

static int read_a_file(const char *path, struct rvi_rng *rng)
{
    char *text;
    size_t count;
    int r = rv_file_load(&text, &count, AT_FDCWD, path, MOST_BYTES, soon(rng));
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        RV_CHECK((unsigned char)text[i] == (unsigned char)count);
    rv_file_free(text);
    return 0;
}

static int talk_to_a_child(struct rvi_rng *rng)
{
    static const char *const cat[] = {"cat", NULL};
    char bytes[MOST_BYTES];
    struct rv_child_io io = {.in = bytes, .in_bytes = 1 + rvi_rng_below(rng, sizeof bytes)};
    struct rv_child_status status;
    memset(bytes, 'x', sizeof bytes);
    int r = rv_child_run(cat, NULL, &io, &status, soon(rng));
    RV_CHECK(r < 0 || (status.code == 0 && io.out_bytes == io.in_bytes));
    RV_CHECK(r < 0 || memcmp(io.out, bytes, io.in_bytes) == 0);
    rv_child_io_fini(&io);
    return r;
}

static int do_anything_to_files(rv_scope *scope, struct rvi_rng *rng)
{
    char path[64], other[64];
    some_path(path, rng);
    switch (rvi_rng_below(rng, 16)) {
    case 0:
        return talk_to_a_child(rng);
    case 1:
        if (rvi_rng_below(rng, 8) == 0)
            rv_scope_cancel(scope, -ECANCELED);
        return 0;
    case 2:
        return rv_remove_all(AT_FDCWD, path, soon(rng));
    case 3:
        return rv_mkdir_all(AT_FDCWD, path, 0700, soon(rng));
    case 4:
    case 5:
        return rv_rename(path, some_path(other, rng), soon(rng));
    case 6:
    case 7:
        return rv_file_copy(AT_FDCWD, path, AT_FDCWD, some_path(other, rng), soon(rng));
    default:
        return rvi_rng_below(rng, 2) ? write_a_file(path, rng) : read_a_file(path, rng);
    }
}

static int play_with_files(void *scope)
{
    struct rvi_rng rng = own_rng();
    uint64_t ops = 1 + rvi_rng_below(&rng, MOST_OPS);
    int r = 0;
    for (uint64_t i = 0; i < ops && r != -ECANCELED; i++) {
        r = do_anything_to_files(scope, &rng);
        RV_CHECK(may_come_up_of_files(r));
    }
    return 0;
}

static int rounds_of_files(void *rounds)
{
    struct rvi_rng rng = own_rng();
    int err;
    for (size_t i = 0; i < *(size_t *)rounds; i++) {
        RV_SCOPE(s, err, .deadline = rvi_rng_below(&rng, 3) ? 0 : soon(&rng)) {
            for (int t = 0; t < TASKS / 4; t++) {
                if (rv_go(s, play_with_files, s) < 0)
                    break;
            }
        }
        RV_CHECK(may_come_up(err));
        RV_CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    }
    return 0;
}

static int a_round_of_files(void *arg)
{
    size_t one = 1;
    (void)arg;
    return rounds_of_files(&one);
}

static void chaos_leaves_files_whole_and_no_child(void **state)
{
    size_t rounds = scaled(FILE_ROUNDS, 4);
    (void)state;
    make_folder();
    leave_nothing(2, rounds_of_files, &rounds, a_round_of_files);
    assert_in_range(count_entries(folder), 2, 2 + NAMES);
    assert_int_equal(rv_remove_all(AT_FDCWD, folder, RV_NEVER), 0);
}

/* ---- peers that end it at each step ---- */

enum end { RESETS, CLOSES, HALF_CLOSES, STAYS_SILENT, ENDS };
enum { STEPS = 6 };

static void take_leave(int fd, enum end how)
{
    struct linger at_once = {.l_onoff = 1};
    char bytes[256];
    if (how == RESETS)
        RV_CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    if (how == HALF_CLOSES) {
        RV_CHECK(rv_shutdown(fd, SHUT_WR) == 0);
        while (rv_read(fd, bytes, sizeof bytes, RV_NEVER) > 0)
            ;
    }
    if (how == STAYS_SILENT)
        RV_CHECK(rv_sleep(RV_MILLISECOND) == 0);
    RV_CHECK(rv_close(fd) == 0);
}

/* Connect, send a part, send more, read a part, read it all, send what nobody asked for. */
static void take_steps(int fd, int steps)
{
    char text[400] = "", got[400];
    for (int i = 0; i < steps; i++) {
        ssize_t r = i < 2    ? rv_send_all(fd, text, 150, NULL, RV_NEVER)
                    : i == 2 ? rv_read(fd, got, 100, RV_NEVER)
                    : i == 3 ? rv_read_full(fd, got, 200, NULL, RV_NEVER)
                             : rv_send_all(fd, text, sizeof text, NULL, RV_NEVER);
        RV_CHECK(r >= 0);
    }
}

static int be_a_bad_peer(void *arg)
{
    int which = (int)(intptr_t)arg;
    int fd = rv_dial("tcp", server.at, RV_NEVER);
    RV_CHECK(fd >= 0);
    take_steps(fd, which / ENDS);
    take_leave(fd, (enum end)(which % ENDS));
    return 0;
}

static int all_bad_peers(void *rounds)
{
    int err = 0;
    for (size_t i = 0; i < *(size_t *)rounds && err == 0; i++) {
        RV_SCOPE(s, err) {
            for (intptr_t which = 0; which < STEPS * ENDS; which++)
                RV_CHECK(rv_go(s, be_a_bad_peer, (void *)which) == 0);
        }
    }
    return err;
}

static int serve_bad_peers(void *rounds)
{
    open_server(&server, "tcp", "127.0.0.1:0");
    return with_server(&server, all_bad_peers, rounds);
}

static int serve_them_once(void *arg)
{
    size_t one = 1;
    (void)arg;
    return serve_bad_peers(&one);
}

static void peers_may_end_it_at_any_step(void **state)
{
    size_t rounds = scaled(PEER_ROUNDS, 1);
    (void)state;
    leave_nothing(2, serve_bad_peers, &rounds, serve_them_once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chaos_leaves_nothing),
        cmocka_unit_test(chaos_leaves_files_whole_and_no_child),
        cmocka_unit_test(peers_may_end_it_at_any_step),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
