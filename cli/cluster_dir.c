/* SPDX-License-Identifier: MIT */
/* cluster_dir.c - the folder of a local server, and whether one runs there.
 *
 * Checked by: tests/cli/test_cluster.py */
#include "cli/cluster_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long it is asked nicely: JetStream writes what it has in memory. */
enum { GRACE_MS = 10000, DEATH_MS = 5000 };

/* --- names --- */

static int say_too_long(void)
{
    return cli_unable("the folder's name is too long");
}

/* Absolute: the server is told names, and has another working folder. */
static int make_absolute(const char *name, char ret[static CLUSTER_PATH_BYTES])
{
    char folder[CLUSTER_PATH_BYTES];

    if (name[0] == '/')
        return snprintf(ret, CLUSTER_PATH_BYTES, "%s", name) < CLUSTER_PATH_BYTES ? 0
                                                                                  : say_too_long();
    if (!getcwd(folder, sizeof folder))
        return cli_unable("the current folder has no name: %s", strerror(errno));
    return snprintf(ret, CLUSTER_PATH_BYTES, "%s/%s", folder, name) < CLUSTER_PATH_BYTES
               ? 0
               : say_too_long();
}

int cluster_dir_name(const char *given, char ret[static CLUSTER_PATH_BYTES])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length;

    if (given && given[0])
        return make_absolute(given, ret);
    if (state && state[0] == '/') /* the specification has others ignored */
        length = snprintf(ret, CLUSTER_PATH_BYTES, "%s/ravel/cluster", state);
    else if (home && home[0] == '/')
        length = snprintf(ret, CLUSTER_PATH_BYTES, "%s/.local/state/ravel/cluster", home);
    else
        return cli_unable("neither XDG_STATE_HOME nor HOME says where; name a folder by --dir");
    return length < CLUSTER_PATH_BYTES ? 0 : say_too_long();
}

bool cluster_dir_file(const char *dir, const char *name, char ret[static CLUSTER_PATH_BYTES])
{
    return snprintf(ret, CLUSTER_PATH_BYTES, "%s/%s", dir, name) < CLUSTER_PATH_BYTES;
}

/* --- the folder --- */

static bool make_all(const char *dir)
{
    char part[CLUSTER_PATH_BYTES];

    for (const char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof part, "%.*s", (int)(slash - dir), dir);
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return false;
    }
    return mkdir(dir, 0700) == 0 || errno == EEXIST;
}

/* Who may write there could have the server read another configuration. */
int cluster_dir_make(const char *dir)
{
    struct stat is;

    if (!make_all(dir))
        return cli_unable("cannot make %s: %s", dir, strerror(errno));
    if (stat(dir, &is) != 0)
        return cli_unable("cannot use %s: %s", dir, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return cli_unable("%s is no folder", dir);
    if (is.st_uid != geteuid())
        return cli_unable("%s belongs to somebody else", dir);
    if (is.st_mode & (S_IWGRP | S_IWOTH))
        return cli_unable("others may write into %s: chmod go-w it, or choose another", dir);
    if (access(dir, W_OK | X_OK) != 0)
        return cli_unable("cannot write into %s: %s", dir, strerror(errno));
    return 0;
}

int cluster_dir_lock(const char *dir)
{
    char path[CLUSTER_PATH_BYTES];
    int fd;

    if (!cluster_dir_file(dir, "lock", path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600); /* inherited on purpose */
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

/* --- processes --- */

static bool read_boot(char ret[static 40])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool is_read = file && fscanf(file, "%39s", ret) == 1;

    if (file)
        fclose(file);
    return is_read;
}

/* The 22nd field of /proc/PID/stat; the second, a name in brackets, may hold anything. */
static bool read_start(pid_t pid, unsigned long long *ret)
{
    char path[64], line[1024];
    FILE *file;
    size_t count;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    count = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[count] = '\0';
    const char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%llu", ret) == 1;
}

bool cluster_dir_identify(pid_t pid, struct cluster_state *ret)
{
    ret->pid = pid;
    return read_start(pid, &ret->started) && read_boot(ret->boot);
}

bool cluster_dir_has_ended(int pidfd, int within_ms)
{
    struct pollfd end = {.fd = pidfd, .events = POLLIN};
    int r;

    do
        r = poll(&end, 1, within_ms);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

static bool tell(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 || errno == ESRCH;
}

int cluster_dir_end(int pidfd)
{
    if (!tell(pidfd, SIGTERM))
        return -errno;
    if (cluster_dir_has_ended(pidfd, GRACE_MS))
        return 0;
    if (!tell(pidfd, SIGKILL))
        return -errno;
    return cluster_dir_has_ended(pidfd, DEATH_MS) ? 0 : -ETIME;
}

/* One that nobody has buried has ended as well. */
int cluster_dir_find(const struct cluster_state *state)
{
    struct cluster_state now;
    int fd = (int)syscall(SYS_pidfd_open, state->pid, 0);

    if (fd < 0)
        return -errno;
    if (cluster_dir_identify(state->pid, &now) && now.started == state->started &&
        strcmp(now.boot, state->boot) == 0 && !cluster_dir_has_ended(fd, 0))
        return fd;
    close(fd);
    return -ESRCH;
}

/* --- the state --- */

bool cluster_dir_read(const char *dir, struct cluster_state *ret)
{
    char path[CLUSTER_PATH_BYTES], word[8];
    int pid = 0;
    FILE *file = cluster_dir_file(dir, "state", path) ? fopen(path, "re") : NULL;

    if (!file)
        return false;
    *ret = (struct cluster_state){0};
    int fields = fscanf(file, "pid %d started %llu boot %39s port %u security %7s", &pid,
                        &ret->started, ret->boot, &ret->port, word);
    fclose(file);
    ret->pid = pid;
    ret->is_secure = fields == 5 && strcmp(word, "tls") == 0;
    return fields == 5 && pid > 0 && ret->port <= 65535;
}

int cluster_dir_write(const char *dir, const struct cluster_state *state)
{
    char path[CLUSTER_PATH_BYTES], beside[CLUSTER_PATH_BYTES];
    FILE *file;
    int error = 0;

    if (!cluster_dir_file(dir, "state", path) || !cluster_dir_file(dir, "state.new", beside))
        return -ENAMETOOLONG;
    file = fopen(beside, "we");
    if (!file)
        return -errno;
    fprintf(file, "pid %d\nstarted %llu\nboot %s\nport %u\nsecurity %s\n", (int)state->pid,
            state->started, state->boot, state->port, state->is_secure ? "tls" : "none");
    if (fflush(file) != 0 || fsync(fileno(file)) != 0)
        error = errno;
    if (fclose(file) != 0 && error == 0)
        error = errno;
    if (error == 0 && rename(beside, path) != 0)
        error = errno;
    return -error;
}

void cluster_dir_url(const struct cluster_state *state, char ret[static CLUSTER_URL_BYTES])
{
    snprintf(ret, CLUSTER_URL_BYTES, "%s://127.0.0.1:%u", state->is_secure ? "tls" : "nats",
             state->port);
}
