/* SPDX-License-Identifier: MIT */
/* cluster_up.c - `ravel cluster up`: a server of one's own, on this machine.
 *
 * The server is started in a session of its own, and holds the folder's lock through a descriptor
 * that it inherits: it alone decides how long the folder is taken, whatever becomes of us. Who it
 * is stands written before it is waited for, so that `down` finds it also if we are interrupted.
 *
 * It chooses its port, unless one is named, and says which in a file of its own; without a name it
 * is given the last one again if that is free, so that addresses stay good. It is ready when it
 * greets a client and has JetStream; and if this build has a client, when that was let in.
 *
 * Rejected: choosing a free port for it, which may be gone when it comes to it.
 *
 * Checked by: tests/cli/test_cluster.py, tests/cluster */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check/driver/json.h"
#include "cli/cluster_certs.h"
#include "cli/cluster_dir.h"
#include "cli/cluster_keys.h"
#include "cli/cluster_link.h"
#include "cli/cluster_server.h"
#include "engine/address.h"

static const char usage[] =
    "usage: ravel cluster up [options]\n"
    "\n"
    "Starts a NATS server with JetStream for this user, on 127.0.0.1, and waits until it is "
    "ready.\n"
    "Standard output has the lines to export: eval \"$(ravel cluster up)\"\n"
    "\n"
    "  --dir DIR       its folder ($XDG_STATE_HOME/ravel/cluster, or\n"
    "                  ~/.local/state/ravel/cluster)\n"
    "  --port N        its port (the one it had last if that is free, else any)\n"
    "  --limit BYTES   of what it stores, with K, M, G or T (8G, at most half of what is free)\n"
    "  --secure        TLS by an authority of its own, and nkeys; once for a folder, then always\n"
    "  --server FILE   nats-server (RAVEL_NATS_SERVER, or as the shell finds it, or in sbin)\n"
    "  --timeout S     seconds until it has to be ready (60)\n"
    "  --json          what was started, as JSON, rather than lines to export\n"
    "\n"
    "Exit status: 0 it is ready, 2 it is not, and none was left running.\n";

enum { SECONDS_USUAL = 60, LOOK_MS = 5, PORT_MOST = 65535 };

struct up {
    const char *given_dir, *given_server;
    unsigned port; /* 0: any */
    bool is_port_given, is_secure, is_json;
    uint64_t limit; /* 0: not said */
    unsigned seconds;
    char dir[CLUSTER_PATH_BYTES], server[CLUSTER_PATH_BYTES], log[CLUSTER_PATH_BYTES];
    off_t log_start; /* where this server's words begin */
    struct cluster_state state;
    int lock, pidfd;
};

/* --- what it is told --- */

/* Half of what is free, 8 GB at most. */
static uint64_t usual_limit(const char *dir)
{
    const uint64_t most = UINT64_C(8000000000);
    struct statvfs fs;

    if (statvfs(dir, &fs) != 0)
        return most;
    uint64_t half = (uint64_t)fs.f_bavail * fs.f_frsize / 2;
    return half < most ? half : most;
}

/* A string of the configuration's. */
static void put_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void put_path(FILE *file, const char *name, const char *dir, const char *path)
{
    char whole[CLUSTER_PATH_BYTES + 64];

    snprintf(whole, sizeof whole, "%s/%s", dir, path);
    fprintf(file, "%s: ", name);
    put_string(file, whole);
    fputc('\n', file);
}

static void put_config(FILE *file, const struct up *up)
{
    fprintf(file,
            "# By `ravel cluster up`, which writes it anew each time.\n"
            "server_name: ravel-local\n"
            "host: 127.0.0.1\n"
            "port: %d\n"
            "max_payload: 8MB\n"
            "jetstream {\n"
            "  max_mem: 64MB\n"
            "  max_file: %llu\n  ",
            up->port ? (int)up->port : -1, (unsigned long long)up->limit);
    put_path(file, "store_dir", up->dir, "store");
    fputs("}\n", file);
    put_path(file, "ports_file_dir", up->dir, "ports");
    if (!up->is_secure)
        return;
    fputs("tls {\n  ", file);
    put_path(file, "cert_file", up->dir, "keys/server.pem");
    fputs("  ", file);
    put_path(file, "key_file", up->dir, "keys/server.key");
    fputs("  timeout: 5\n}\n"
          "authorization {\n"
          "  timeout: 5\n"
          "  include keys/users.conf\n"
          "}\n",
          file);
}

static int write_config(const struct up *up)
{
    char path[CLUSTER_PATH_BYTES];
    FILE *file = cluster_dir_file(up->dir, "server.conf", path) ? fopen(path, "we") : NULL;

    if (!file)
        return cli_unable("cannot write %s: %s", path, strerror(errno));
    put_config(file, up);
    bool is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    return is_whole ? 0 : cli_unable("cannot write %s", path);
}

static int make_keys(const char *dir)
{
    char keys[CLUSTER_PATH_BYTES], public[RVI_NKEY_PUBLIC_BYTES];
    int status = cluster_dir_file(dir, "keys", keys) ? cluster_dir_make(keys)
                                                     : cli_unable("%s is too long", dir);

    if (status == 0)
        status = cluster_keys_server(keys, "server,localhost,127.0.0.1,::1");
    if (status == 0)
        status = cluster_keys_user(keys, "ravel", public);
    return status ? status : cluster_keys_list(keys);
}

/* --- the port --- */

static int choose_port(struct up *up, const struct cluster_state *last)
{
    int r;

    if (!up->is_port_given)
        up->port = last && last->port && cluster_server_try_port(last->port) == 0 ? last->port : 0;
    else if ((r = cluster_server_try_port(up->port)) < 0)
        return cli_unable("port %u of 127.0.0.1 cannot be used: %s", up->port, strerror(-r));
    return 0;
}

/* --- starting it --- */

static int open_log(struct up *up)
{
    struct stat is;

    if (!cluster_dir_file(up->dir, "server.log", up->log))
        return -ENAMETOOLONG;
    int fd = open(up->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && fstat(fd, &is) == 0)
        up->log_start = is.st_size;
    return fd >= 0 ? fd : -errno;
}

/* What our caller has open is not for a server that outlives it: somebody may wait for its end. */
static void keep_only(int fd)
{
    if (fd > 3)
        close_range(3, (unsigned)fd - 1, 0);
    close_range((unsigned)fd + 1, ~0U, 0);
}

/* In the child: what cannot be done stands in the log. */
__attribute__((noreturn)) static void run_server(const struct up *up, int log)
{
    char *argv[] = {(char *)(uintptr_t)up->server, (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "server.conf", NULL};
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);

    setsid();
    signal(SIGPIPE, SIG_DFL);
    if (nothing < 0 || dup2(nothing, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(CLI_UNABLE);
    keep_only(up->lock);
    if (chdir(up->dir) == 0)
        execv(up->server, argv);
    dprintf(2, "cannot run %s: %s\n", up->server, strerror(errno));
    _exit(CLI_UNABLE);
}

static int start_server(struct up *up)
{
    int log = open_log(up);

    if (log < 0)
        return cli_unable("cannot write %s: %s", up->log, strerror(-log));
    pid_t pid = fork();
    if (pid == 0)
        run_server(up, log);
    int error = errno;
    close(log);
    if (pid < 0)
        return cli_unable("cannot start a process: %s", strerror(error));
    up->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (up->pidfd < 0 || !cluster_dir_identify(pid, &up->state)) {
        error = errno;
        kill(pid, SIGKILL); /* our own child, whom nobody has waited for */
        return cli_unable("cannot watch the server: %s", strerror(error));
    }
    return 0;
}

/* --- whether it is ready --- */

/* As any client would come; where there is none, by the server's word. */
static int be_let_in(const struct up *up)
{
    struct cluster_link link;
    struct rvi_engine *e = NULL;
    char words[RVI_ENGINE_WORDS] = "";
    int status;

    cluster_link_init(&link);
    link.dir = up->dir;
    status = cluster_link_find(&link);
    if (status == 0) {
        link.opts.pool = NULL;
        link.opts.connect_timeout = link.timeout;
        int r = rvi_engine_open(&e, &link.opts, &(const struct rvi_engine_events){0}, NULL, words);
        if (r < 0 && r != -EPROTONOSUPPORT && r != -ENOSYS)
            status =
                cli_unable("the server does not let us in: %s", words[0] ? words : strerror(-r));
        if (r == 0)
            rvi_engine_close(e, cluster_link_deadline(&link));
    }
    cluster_link_fini(&link);
    return status;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int wait_until_ready(struct up *up)
{
    int64_t end = now_ms() + (int64_t)up->seconds * 1000;

    while (!cluster_dir_has_ended(up->pidfd, LOOK_MS)) {
        if (up->state.port == 0)
            up->state.port = cluster_server_port(up->dir, up->state.pid);
        if (up->state.port != 0 && cluster_server_greets(up->state.port))
            return 0;
        if (now_ms() >= end)
            return cli_unable("the server is not ready after %u s (its log: %s)", up->seconds,
                              up->log);
    }
    cluster_server_say_last_words(up->log, up->log_start);
    return CLI_UNABLE;
}

static int write_state(const struct up *up)
{
    int r = cluster_dir_write(up->dir, &up->state);

    return r < 0 ? cli_unable("cannot write into %s: %s", up->dir, strerror(-r)) : 0;
}

static int bring_up(struct up *up)
{
    int status = start_server(up);

    if (status != 0)
        return status;
    status = write_state(up);
    if (status == 0)
        status = wait_until_ready(up);
    if (status == 0)
        status = write_state(up);
    if (status == 0)
        status = be_let_in(up);
    if (status != 0)
        cluster_dir_end(up->pidfd);
    close(up->pidfd);
    return status;
}

/* --- what is said --- */

/* For a shell, inside of single quotes. */
static void put_export(const char *name, const char *value)
{
    printf("export %s='", name);
    for (; *value; value++) {
        if (*value == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*value);
    }
    puts("'");
}

static void put_field(const char *name, const char *value)
{
    printf("\"%s\":", name);
    ck_put_json(stdout, value);
    putchar(',');
}

static void say_json(const struct up *up, const char *url, const char *nkey, const char *ca)
{
    putchar('{');
    put_field("url", url);
    put_field("dir", up->dir);
    put_field("log", up->log);
    if (up->is_secure) {
        put_field("nkey_file", nkey);
        put_field("ca_file", ca);
    }
    printf("\"pid\":%d,\"port\":%u}\n", (int)up->state.pid, up->state.port);
}

static int say(const struct up *up)
{
    char url[CLUSTER_URL_BYTES], nkey[CLUSTER_PATH_BYTES + 16], ca[CLUSTER_PATH_BYTES + 16];

    cluster_dir_url(&up->state, url);
    snprintf(nkey, sizeof nkey, "%s/keys/ravel.nk", up->dir);
    snprintf(ca, sizeof ca, "%s/keys/ca.pem", up->dir);
    if (up->is_json) {
        say_json(up, url, nkey, ca);
    } else {
        fprintf(stderr, "A server runs on 127.0.0.1:%u, process %d, with its data in %s.\n",
                up->state.port, (int)up->state.pid, up->dir);
        put_export(RVI_CLUSTER_VARIABLE, url);
        if (up->is_secure) {
            put_export("RAVEL_NKEY_FILE", nkey);
            put_export("RAVEL_CA_FILE", ca);
        }
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? CLI_FINE : CLI_UNABLE;
}

static int refuse_second(const struct up *up)
{
    struct cluster_state state;
    char url[CLUSTER_URL_BYTES];
    int pidfd = cluster_dir_read(up->dir, &state) ? cluster_dir_find(&state) : -ESRCH;

    if (pidfd < 0)
        return cli_unable("a server is just being started in %s, or ended", up->dir);
    close(pidfd);
    cluster_dir_url(&state, url);
    return cli_unable("a server runs there already: %s, process %d; `ravel cluster down` ends it",
                      url, (int)state.pid);
}

/* --- the verb --- */

/* Under the folder's lock. */
static int prepare(struct up *up)
{
    struct cluster_state last;
    char ca[CLUSTER_PATH_BYTES];
    bool has_last = cluster_dir_read(up->dir, &last);

    if (!cluster_dir_file(up->dir, "keys/ca.pem", ca))
        return cli_unable("%s is too long", up->dir);
    up->is_secure |= access(ca, F_OK) == 0;
    up->state.is_secure = up->is_secure;
    if (up->limit == 0)
        up->limit = usual_limit(up->dir);
    int status = choose_port(up, has_last ? &last : NULL);
    if (status == 0)
        status = cluster_server_clear_ports(up->dir);
    if (status == 0 && up->is_secure)
        status = make_keys(up->dir);
    return status ? status : write_config(up);
}

static int start(struct up *up)
{
    int status = cluster_dir_name(up->given_dir, up->dir);

    if (status == 0)
        status = cluster_server_find(up->given_server, up->server);
    if (status == 0)
        status = cluster_dir_make(up->dir);
    if (status != 0)
        return status;
    up->lock = cluster_dir_lock(up->dir);
    if (up->lock == -EWOULDBLOCK)
        return refuse_second(up);
    if (up->lock < 0)
        return cli_unable("cannot lock %s: %s", up->dir, strerror(-up->lock));
    status = prepare(up);
    if (status == 0)
        status = bring_up(up);
    close(up->lock); /* the server has it still */
    return status ? status : say(up);
}

static bool read_number(const char *text, unsigned most, unsigned *ret)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *ret = (unsigned)number;
    return end != text && *end == '\0' && text[0] != '-' && number >= 1 && number <= most;
}

static bool read_bytes(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    char *end;
    double value = strtod(text, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;

    for (const char *u = units; unit && u <= unit; u++)
        value *= 1000;
    end += unit ? 1 : 0;
    end += *end == 'B';
    *ret = value >= 1 && value < 1e18 ? (uint64_t)value : 0;
    return end != text && *end == '\0' && *ret > 0;
}

enum { DIR_OPTION = 256, PORT, LIMIT, SECURE, SERVER, TIMEOUT, JSON, HELP };

static int take_option(struct up *up, int option, const char *value)
{
    switch (option) {
    case DIR_OPTION:
        up->given_dir = value;
        return -1;
    case PORT:
        up->is_port_given = true;
        return read_number(value, PORT_MOST, &up->port)
                   ? -1
                   : cli_unable("--port %s: a number from 1 to 65535 is expected", value);
    case LIMIT:
        return read_bytes(value, &up->limit)
                   ? -1
                   : cli_unable("--limit %s: a number of bytes, as 500M or 20G, is expected",
                                value);
    case SECURE:
        up->is_secure = true;
        return -1;
    case SERVER:
        up->given_server = value;
        return -1;
    case TIMEOUT:
        return read_number(value, 86400, &up->seconds)
                   ? -1
                   : cli_unable("--timeout %s: seconds from 1 to 86400 are expected", value);
    case JSON:
        up->is_json = true;
        return -1;
    case HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        return cluster_see_help("up");
    }
}

int cluster_up(int argc, char **argv)
{
    static const struct option names[] = {{"dir", required_argument, NULL, DIR_OPTION},
                                          {"port", required_argument, NULL, PORT},
                                          {"limit", required_argument, NULL, LIMIT},
                                          {"secure", no_argument, NULL, SECURE},
                                          {"server", required_argument, NULL, SERVER},
                                          {"timeout", required_argument, NULL, TIMEOUT},
                                          {"json", no_argument, NULL, JSON},
                                          {"help", no_argument, NULL, HELP},
                                          {0}};
    struct up up = {.seconds = SECONDS_USUAL};
    int option, status = -1;

    while (status < 0 && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
        status = take_option(&up, option, optarg);
    if (status >= 0)
        return status;
    if (optind < argc)
        return cli_unable("%s: `ravel cluster up` takes no names", argv[optind]);
    return start(&up);
}
