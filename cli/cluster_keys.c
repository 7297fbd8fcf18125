/* SPDX-License-Identifier: MIT */
/* cluster_keys.c - `ravel cluster keys`: who may connect, and which servers are believed. Debian
 * has no program of NATS's that makes nkeys.
 *
 * Checked by: tests/cli/test_cluster.py */
#include "cli/cluster_keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster_certs.h"
#include "cli/cluster_dir.h"
#include "engine/engine.h"

static const char usage[] =
    "usage: ravel cluster keys [options]\n"
    "\n"
    "Makes what a server with TLS and nkeys needs, and what its users need. What is there is "
    "kept,\n"
    "but certificates of servers are made anew.\n"
    "\n"
    "  --dir DIR              where (ravel-keys)\n"
    "  --user NAME            a user: a seed, NAME.nk, which is a secret; may be repeated (ravel)\n"
    "  --server HOST[,ALSO]   a server, with all its names and addresses: HOST.pem and HOST.key,\n"
    "                         signed by ca.key; may be repeated (none)\n"
    "\n"
    "Standard output has a line for each user, its name and its public key; users.conf has them\n"
    "all, to be included in the server's configuration. Users are given NAME.nk and ca.pem:\n"
    "  RAVEL_NKEY_FILE=NAME.nk RAVEL_CA_FILE=ca.pem\n"
    "\n"
    "Exit status: 0, or 2 if something could not be made.\n";

/* --- seeds --- */

static bool put_seed(int fd, const char *seed)
{
    size_t count = strlen(seed);

    return write(fd, seed, count) == (ssize_t)count && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

/* Beside, and linked into its place: who comes second finds the first one's. */
static int write_seed(const char *path, const char *seed)
{
    char beside[CLUSTER_PATH_BYTES + 8];

    snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
    if (fd < 0)
        return -errno;
    int error = put_seed(fd, seed) ? 0 : errno ? errno : ENOSPC;
    close(fd);
    if (error == 0 && link(beside, path) != 0)
        error = errno;
    unlink(beside);
    return -error;
}

static int read_public(const char *path, char public[static RVI_NKEY_PUBLIC_BYTES])
{
    int r = rvi_nkey_public_of(path, public);

    return r == 0         ? 0
           : r == -EINVAL ? cli_unable("%s has no seed of a user", path)
           : r == -ENOSYS ? cli_unable("this build has no OpenSSL, and so no keys")
                          : cli_unable("cannot read %s: %s", path, strerror(-r));
}

int cluster_keys_user(const char *dir, const char *name, char public[static RVI_NKEY_PUBLIC_BYTES])
{
    char path[CLUSTER_PATH_BYTES], file[RVI_ENGINE_NAME_BYTES + 4], seed[RVI_NKEY_SEED_BYTES];

    if (!rvi_engine_is_name(name))
        return cli_unable("\"%s\" cannot name a user: 1 to 63 letters, digits, - and _", name);
    snprintf(file, sizeof file, "%s.nk", name);
    if (!cluster_dir_file(dir, file, path))
        return cli_unable("%s: the name is too long", dir);
    if (access(path, F_OK) == 0)
        return read_public(path, public);
    int r = rvi_nkey_make(seed, public);
    if (r == 0)
        r = write_seed(path, seed);
    explicit_bzero(seed, sizeof seed);
    if (r == 0 || r == -EEXIST)
        return read_public(path, public);
    return r == -ENOSYS ? cli_unable("this build has no OpenSSL, and so no keys")
                        : cli_unable("cannot make %s: %s", path, strerror(-r));
}

/* --- users.conf --- */

static int is_seed_file(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);

    return length > 3 && strcmp(entry->d_name + length - 3, ".nk") == 0;
}

static int put_users(FILE *file, const char *dir, struct dirent **list, int count)
{
    char path[CLUSTER_PATH_BYTES], public[RVI_NKEY_PUBLIC_BYTES];

    fputs("# Who may connect, by `ravel cluster keys`: to be included in `authorization`.\n"
          "users = [\n",
          file);
    for (int i = 0; i < count; i++) {
        if (!cluster_dir_file(dir, list[i]->d_name, path))
            return cli_unable("%s: the name is too long", dir);
        int status = read_public(path, public);
        if (status != 0)
            return status;
        fprintf(file, "  { nkey: %s } # %.*s\n", public, (int)strlen(list[i]->d_name) - 3,
                list[i]->d_name);
    }
    fputs("]\n", file);
    return 0;
}

static int write_users(const char *dir, struct dirent **list, int count)
{
    char path[CLUSTER_PATH_BYTES], beside[CLUSTER_PATH_BYTES];

    if (!cluster_dir_file(dir, "users.conf", path) ||
        !cluster_dir_file(dir, "users.conf.new", beside))
        return cli_unable("%s: the name is too long", dir);
    FILE *file = fopen(beside, "we");
    if (!file)
        return cli_unable("cannot write %s: %s", beside, strerror(errno));
    int status = put_users(file, dir, list, count);
    bool is_whole = fflush(file) == 0 && !ferror(file);
    is_whole &= fclose(file) == 0;
    if (status == 0 && (!is_whole || rename(beside, path) != 0))
        status = cli_unable("cannot write %s: %s", path, strerror(errno));
    if (status != 0)
        unlink(beside);
    return status;
}

int cluster_keys_list(const char *dir)
{
    struct dirent **list;
    int count = scandir(dir, &list, is_seed_file, alphasort);

    if (count < 0)
        return cli_unable("cannot read %s: %s", dir, strerror(errno));
    int status = write_users(dir, list, count);
    while (count-- > 0)
        free(list[count]);
    free(list);
    return status;
}

/* --- servers --- */

int cluster_keys_server(const char *dir, const char *names)
{
    char words[CERTS_WORDS], name[256];
    const char *comma = strchr(names, ',');
    int length = comma ? (int)(comma - names) : (int)strlen(names);

    if (snprintf(name, sizeof name, "%.*s", length, names) >= (int)sizeof name)
        return cli_unable("a server's name has 255 letters at most");
    if (strcmp(name, "ca") == 0)
        return cli_unable("a server cannot be called \"ca\": that is the authority's file");
    if (certs_make_authority(dir, words) < 0 ||
        certs_make_server(dir, name, comma ? comma + 1 : NULL, words) < 0)
        return cli_unable("%s", words);
    return 0;
}

/* --- the verb --- */

struct wanted {
    const char *dir;
    const char **users, **servers; /* each ended by NULL */
};

static int make_users(const struct wanted *wanted, const char *dir)
{
    char public[RVI_NKEY_PUBLIC_BYTES];
    int status = 0;

    for (const char **user = wanted->users; *user && status == 0; user++) {
        status = cluster_keys_user(dir, *user, public);
        if (status == 0)
            printf("%s %s\n", *user, public);
    }
    return status ? status : cluster_keys_list(dir);
}

static int make_keys(const struct wanted *wanted)
{
    char dir[CLUSTER_PATH_BYTES];
    int status = cluster_dir_name(wanted->dir, dir);

    if (status == 0)
        status = cluster_dir_make(dir);
    for (const char **server = wanted->servers; status == 0 && *server; server++)
        status = cluster_keys_server(dir, *server);
    if (status == 0)
        status = make_users(wanted, dir);
    if (status == 0 && fflush(stdout) != 0)
        status = cli_unable("cannot write: %s", strerror(errno));
    return status;
}

static int read_wanted(struct wanted *wanted, int argc, char **argv)
{
    static const struct option names[] = {{"dir", required_argument, NULL, 'd'},
                                          {"user", required_argument, NULL, 'u'},
                                          {"server", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int option, users = 0, servers = 0;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
        if (option == 'd')
            wanted->dir = optarg;
        else if (option == 'u')
            wanted->users[users++] = optarg;
        else if (option == 's')
            wanted->servers[servers++] = optarg;
        else
            return cluster_see_help("keys");
    }
    if (users == 0)
        wanted->users[0] = "ravel";
    return optind < argc ? cli_unable("%s: `ravel cluster keys` takes no names", argv[optind]) : -1;
}

int cluster_keys(int argc, char **argv)
{
    size_t room = (size_t)argc + 1;
    struct wanted wanted = {.dir = "ravel-keys",
                            .users = calloc(room, sizeof(char *)),
                            .servers = calloc(room, sizeof(char *))};
    int status = CLI_UNABLE;

    if (!wanted.users || !wanted.servers)
        cli_unable("no memory");
    else
        status = read_wanted(&wanted, argc, argv);
    if (status < 0)
        status = make_keys(&wanted);
    free(wanted.users);
    free(wanted.servers);
    return status;
}
