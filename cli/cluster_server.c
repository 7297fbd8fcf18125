/* SPDX-License-Identifier: MIT */
/* cluster_server.c - nats-server as a program: where it is found, what it says of itself.
 *
 * Checked by: tests/cli/test_cluster.py */
#include "cli/cluster_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/cluster_dir.h"

enum { LINE_BYTES = 4096, PORT_MOST = 65535 };

/* --- the program --- */

/* By its whole path: it is started from another folder. */
static bool is_program(const char *path, char ret[static CLUSTER_PATH_BYTES])
{
    struct stat is;
    char *whole = realpath(path, NULL);
    bool can_run = whole && stat(whole, &is) == 0 && S_ISREG(is.st_mode) &&
                   access(whole, X_OK) == 0 &&
                   snprintf(ret, CLUSTER_PATH_BYTES, "%s", whole) < CLUSTER_PATH_BYTES;

    free(whole);
    return can_run;
}

/* As a shell does; then where Debian has it, which users' PATH leaves out. */
static bool find_in(const char *list, const char *name, char ret[static CLUSTER_PATH_BYTES])
{
    char path[CLUSTER_PATH_BYTES];

    while (list && *list) {
        int count = (int)strcspn(list, ":");
        if (snprintf(path, sizeof path, "%.*s/%s", count, list, name) < (int)sizeof path &&
            is_program(path, ret))
            return true;
        list += count + (list[count] == ':');
    }
    return false;
}

int cluster_server_find(const char *given, char ret[static CLUSTER_PATH_BYTES])
{
    const char *named = given ? given : getenv("RAVEL_NATS_SERVER");

    if (named && named[0])
        return is_program(named, ret) ? 0 : cli_unable("%s cannot be run as nats-server", named);
    if (find_in(getenv("PATH"), "nats-server", ret) ||
        find_in("/usr/sbin:/usr/local/sbin:/usr/local/bin", "nats-server", ret))
        return 0;
    return cli_unable("there is no nats-server: apt-get install nats-server (Debian, Ubuntu), or a "
                      "release of github.com/nats-io/nats-server, named by --server or "
                      "RAVEL_NATS_SERVER");
}

/* --- its port --- */

int cluster_server_try_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
        error = errno;
    close(fd);
    return -error;
}

/* The server's file, NAME_PID.ports: {"nats":["nats://127.0.0.1:4222"]}. */
static unsigned read_port(const char *path)
{
    char text[LINE_BYTES];
    FILE *file = fopen(path, "re");
    size_t count = file ? fread(text, 1, sizeof text - 1, file) : 0;

    if (file)
        fclose(file);
    text[count] = '\0';
    const char *at = strstr(text, "://127.0.0.1:");
    unsigned long port = at ? strtoul(at + strlen("://127.0.0.1:"), NULL, 10) : 0;
    return port <= PORT_MOST ? (unsigned)port : 0;
}

/* Its name begins with that of the program. @return 0: it has not been said yet */
unsigned cluster_server_port(const char *dir, pid_t pid)
{
    char ports[CLUSTER_PATH_BYTES], path[CLUSTER_PATH_BYTES + 256], ending[32];
    unsigned port = 0;
    DIR *list = cluster_dir_file(dir, "ports", ports) ? opendir(ports) : NULL;

    snprintf(ending, sizeof ending, "_%d.ports", (int)pid);
    for (struct dirent *entry; list && port == 0 && (entry = readdir(list));) {
        size_t length = strlen(entry->d_name);
        if (length < strlen(ending) || strcmp(entry->d_name + length - strlen(ending), ending) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", ports, entry->d_name);
        port = read_port(path);
    }
    if (list)
        closedir(list);
    return port;
}

/* Those of servers that were killed stay behind; a process of the same number may come. */
int cluster_server_clear_ports(const char *dir)
{
    char ports[CLUSTER_PATH_BYTES], path[CLUSTER_PATH_BYTES + 256];
    int status = cluster_dir_file(dir, "ports", ports) ? cluster_dir_make(ports)
                                                       : cli_unable("%s is too long", dir);
    DIR *list = status == 0 ? opendir(ports) : NULL;

    for (struct dirent *entry; list && (entry = readdir(list));) {
        snprintf(path, sizeof path, "%s/%s", ports, entry->d_name);
        if (strstr(entry->d_name, ".ports"))
            unlink(path);
    }
    if (list)
        closedir(list);
    return status;
}

/* --- what it says --- */

/* Behind "[pid] date time [FTL] ", if it looks like that. */
static const char *without_stamp(const char *line)
{
    const char *level = line[0] == '[' ? strchr(line + 1, '[') : NULL;
    const char *end = level ? strchr(level, ']') : NULL;

    return end ? end + 1 + strspn(end + 1, " ") : line;
}

/* The last line that it has written. */
void cluster_server_say_last_words(const char *log, off_t from)
{
    char line[LINE_BYTES], last[LINE_BYTES] = "";
    FILE *file = fopen(log, "re");

    if (file && fseeko(file, from, SEEK_SET) == 0) {
        while (fgets(line, sizeof line, file)) {
            line[strcspn(line, "\n")] = '\0';
            if (line[0])
                snprintf(last, sizeof last, "%s", without_stamp(line));
        }
    }
    if (file)
        fclose(file);
    cli_unable("the server has ended: %s (its log: %s)", last[0] ? last : "without a word", log);
}

/* What it says first, to anybody: INFO and JSON, a line. */
bool cluster_server_greets(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 1};
    char line[LINE_BYTES];
    size_t count = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        ssize_t more = 1;
        while (more > 0 && count < sizeof line - 1 && !memchr(line, '\n', count)) {
            more = recv(fd, line + count, sizeof line - 1 - count, 0);
            count += more > 0 ? (size_t)more : 0;
        }
    }
    if (fd >= 0)
        close(fd);
    line[count] = '\0';
    return strncmp(line, "INFO {", 6) == 0 && strstr(line, "\"jetstream\":true");
}
