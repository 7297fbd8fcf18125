/* SPDX-License-Identifier: MIT */
/* process.c - the memory of a live process, by process_vm_readv(2): it goes on meanwhile.
 *
 * Rejected: ptrace(2) and /proc/PID/mem, which can stop or change what they look at. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "look/target.h"

static int read_process(struct look_target *target, uint64_t address, void *to, size_t bytes)
{
    struct iovec here = {to, bytes};
    struct iovec there = {(void *)(uintptr_t)address, bytes}; /* NOLINT: an address */

    if (bytes == 0)
        return 0;
    ssize_t count = process_vm_readv(target->pid, &here, 1, &there, 1, 0);
    if (count < 0)
        return -errno;
    return (size_t)count == bytes ? 0 : -EFAULT;
}

static void close_process(struct look_target *target)
{
    rvi_free(target);
}

/* --- who may not, and why --- */

static int yama_scope(void)
{
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "r");
    int scope = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%d", &scope) != 1)
        scope = 0;
    fclose(file);
    return scope;
}

static const char *name_of(uid_t user, char *room, size_t bytes)
{
    const struct passwd *entry = getpwuid(user); /* until the next call */

    if (entry)
        snprintf(room, bytes, "%s", entry->pw_name);
    else
        snprintf(room, bytes, "user %u", (unsigned)user);
    return room;
}

static int refuse_permission(const struct look_target *target, struct look_trouble *trouble)
{
    char path[64], owner[32], self[32];
    struct stat stat_of;
    int scope = yama_scope();

    snprintf(path, sizeof path, "/proc/%d", (int)target->pid);
    if (stat(path, &stat_of) < 0)
        return look_say(trouble, -ESRCH, "process %d has ended", (int)target->pid);
    if (scope == 3)
        return look_say(trouble, -EPERM,
                        "process %d may not be read: this kernel allows nobody to read another "
                        "process until it is started again (kernel.yama.ptrace_scope is 3)",
                        (int)target->pid);
    if (stat_of.st_uid != geteuid()) {
        const char *whose = name_of(stat_of.st_uid, owner, sizeof owner);
        return look_say(trouble, -EPERM,
                        "process %d belongs to %s and may not be read by %s: run this command as "
                        "root, or as %s",
                        (int)target->pid, whose, name_of(geteuid(), self, sizeof self), whose);
    }
    if (scope > 0)
        return look_say(trouble, -EPERM,
                        "process %d may not be read: kernel.yama.ptrace_scope is %d, which leaves "
                        "that to root%s. Run this command as root, or set it to 0: "
                        "sysctl kernel.yama.ptrace_scope=0",
                        (int)target->pid, scope, scope == 1 ? " and to a process's parents" : "");
    return look_say(trouble, -EPERM,
                    "process %d may not be read: it has privileges that this command has not "
                    "(set-user-ID or capabilities), has made itself unreadable, or a container "
                    "forbids it (allow CAP_SYS_PTRACE and process_vm_readv). Run this command as "
                    "root",
                    (int)target->pid);
}

static int refuse(const struct look_target *target, int error, struct look_trouble *trouble)
{
    if (error == -EPERM || error == -EACCES)
        return refuse_permission(target, trouble);
    if (error == -ESRCH || error == -ENOENT)
        return look_say(trouble, -ESRCH, "there is no process %d", (int)target->pid);
    if (error == -ENOSYS)
        return look_say(trouble, error, "this kernel has no process_vm_readv(2)");
    return look_say(trouble, error, "process %d cannot be read: %s", (int)target->pid,
                    strerror(-error));
}

/* --- what is loaded --- */

/* "start-end perms offset device inode   path"; a path may hold blanks. */
static int take_line(struct look_target *target, char *line)
{
    unsigned long long start, end, offset, inode;
    int path = 0;

    if (sscanf(line, "%llx-%llx r%*3s %llx %*s %llu %n", &start, &end, &offset, &inode, &path) <
            4 ||
        path == 0 || inode == 0 || line[path] != '/')
        return 0;
    line[strcspn(line, "\n")] = '\0';
    return look_add_mapping(target, start, end, offset, line + path);
}

static int read_maps(struct look_target *target)
{
    char path[64], *line = NULL;
    size_t room = 0;
    int r = 0;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)target->pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return -errno;
    errno = 0;
    while (r == 0 && getline(&line, &room, maps) > 0)
        r = take_line(target, line);
    if (r == 0 && ferror(maps))
        r = -errno;
    free(line);
    fclose(maps);
    return r;
}

static void read_name(struct look_target *target)
{
    char path[64], name[64] = "";

    snprintf(path, sizeof path, "/proc/%d/comm", (int)target->pid);
    FILE *comm = fopen(path, "re");
    if (comm && !fgets(name, sizeof name, comm))
        name[0] = '\0';
    if (comm)
        fclose(comm);
    name[strcspn(name, "\n")] = '\0';
    snprintf(target->program, sizeof target->program, "process %d (%s)", (int)target->pid, name);
}

/* Another time namespace has another monotonic clock. */
static bool shares_our_time(pid_t pid)
{
    char path[64];
    struct stat ours, theirs;

    snprintf(path, sizeof path, "/proc/%d/ns/time", (int)pid);
    if (stat("/proc/self/ns/time", &ours) < 0 || stat(path, &theirs) < 0)
        return true;
    return ours.st_ino == theirs.st_ino;
}

/* A process that is about to end has no memory any more, and a kernel thread never had. One that
 * may not be read, or has ended meanwhile, looks as if there were no Ravel in it: that is asked at
 * last. */
static int open_modules(struct look_target *target, struct look_trouble *trouble)
{
    int r = read_maps(target);

    if (r < 0)
        return refuse(target, r, trouble);
    if (target->module_count == 0)
        return look_say(trouble, -ESRCH,
                        "%s has no memory: it has ended, or is a thread of the kernel",
                        target->program);
    r = look_find_layouts(target, trouble);
    if (r < 0) {
        char first;
        int there = read_process(target, target->modules[0].start, &first, sizeof first);
        r = there < 0 && there != -EFAULT ? refuse(target, there, trouble) : r;
    }
    return r;
}

int look_open_process(struct look_target **ret, pid_t pid, struct look_trouble *trouble)
{
    struct look_target *target = rvi_calloc(1, sizeof *target);

    if (!target)
        return look_say(trouble, -ENOMEM, "no memory");
    target->read = read_process;
    target->close = close_process;
    target->pid = pid;
    target->has_our_time = shares_our_time(pid);
    read_name(target);
    int r = open_modules(target, trouble);
    if (r < 0) {
        look_close(target);
        return r;
    }
    *ret = target;
    return 0;
}
