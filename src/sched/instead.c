/* SPDX-License-Identifier: MIT */
/* instead.c - the table.
 *
 * Checked by: tests/unit/sched/test_instead.c, which makes the calls */
#include "sched/instead.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define HELPER "rv_blocking(), with the call inside,"

/* By groups; a name may have prefixes in a symbol table, which are not told here. */
static const struct {
    const char *instead;
    const char *functions; /* each between blanks */
} table[] = {
    {"rv_sleep()", " sleep usleep nanosleep clock_nanosleep thrd_sleep "},
    {"rv_read()",
     " read readv fread fread_unlocked fgets fgetc getc getchar ungetc getline getdelim "
     "scanf fscanf "},
    {"rv_pread()", " pread pread64 preadv preadv2 preadv64 "},
    {"rv_write()", " write writev fwrite fwrite_unlocked fflush fclose "},
    {"rv_pwrite()", " pwrite pwrite64 pwritev pwritev2 pwritev64 "},
    {"rv_print()", " puts putchar fputs fputc putc printf fprintf vprintf vfprintf dprintf "
                   "vdprintf perror "},
    {"rv_poll()", " poll ppoll select pselect epoll_wait epoll_pwait epoll_pwait2 "},
    {"rv_accept()", " accept accept4 "},
    {"rv_dial()", " connect "},
    {"rv_recv()", " recv recvfrom recvmsg recvmmsg "},
    {"rv_send()", " send sendto sendmsg sendmmsg "},
    {"rv_sendfile()", " sendfile sendfile64 "},
    {"rv_resolve()", " getaddrinfo getnameinfo gethostbyname gethostbyname2 gethostbyaddr "
                     "gethostbyname_r gethostbyname2_r gethostbyaddr_r res_query res_search "
                     "res_nquery res_nsearch getaddrinfo_a gai_suspend "},
    {"rv_open()", " open open64 openat openat64 creat creat64 fopen fopen64 freopen "},
    {"rv_stat()", " stat stat64 lstat lstat64 fstat fstat64 fstatat fstatat64 statx access "},
    {"rv_dir_next()", " opendir readdir readdir64 scandir scandir64 glob glob64 getdents64 "},
    {"rv_fsync()", " fsync fdatasync sync syncfs msync sync_file_range "},
    {"rv_rename(), rv_unlink() or rv_mkdir()",
     " rename renameat renameat2 unlink unlinkat remove mkdir mkdirat rmdir "},
    {"rv_ftruncate()", " truncate truncate64 ftruncate ftruncate64 "},
    {"rv_child_wait()", " wait waitpid waitid wait3 wait4 "},
    {"rv_child_run()", " system popen pclose "},
    {"rv_child_start()", " fork vfork posix_spawn posix_spawnp "},
    {"rv_signal_wait()", " sigwait sigwaitinfo sigtimedwait sigsuspend pause "},
    {"rv_mutex_lock()", " pthread_mutex_lock pthread_mutex_timedlock pthread_mutex_clocklock "
                        "pthread_spin_lock mtx_lock mtx_timedlock "},
    {"rv_rwlock_read_lock() or rv_rwlock_write_lock()",
     " pthread_rwlock_rdlock pthread_rwlock_wrlock pthread_rwlock_timedrdlock "
     "pthread_rwlock_timedwrlock pthread_rwlock_clockrdlock pthread_rwlock_clockwrlock "},
    {"rv_cond_wait()", " pthread_cond_wait pthread_cond_timedwait pthread_cond_clockwait cnd_wait "
                       "cnd_timedwait "},
    {"rv_sem_wait()", " sem_wait sem_timedwait sem_clockwait semop semtimedop "},
    {"rv_barrier_wait()", " pthread_barrier_wait "},
    {"a scope of tasks, or " HELPER, " pthread_join thrd_join pthread_timedjoin_np "
                                     "pthread_clockjoin_np "},
    {HELPER, " flock lockf lockf64 fcntl fcntl64 mq_receive mq_timedreceive mq_send mq_timedsend "
             "msgrcv msgsnd tcdrain dlopen getpwnam getpwnam_r getpwuid getpwuid_r getgrnam "
             "getgrnam_r getgrgid getgrgid_r getspnam getservbyname getservbyname_r aio_suspend "
             "lio_listio getrandom getentropy ioctl "},
};

enum { ROWS = sizeof table / sizeof table[0], LONGEST = 64 };

/* Of the names that one function has in a library, the plain one. */
static const char *without_prefixes(const char *name)
{
    static const char *const prefixes[] = {"__interceptor_", "___interceptor_", "__GI_",
                                           "__libc_",        "__new_",          "__old_"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return without_prefixes(name + strlen(prefixes[i]));
    }
    while (*name == '_')
        name++;
    return name;
}

/* Up to a version, "@@GLIBC_2.17", or a part of it that the compiler has split off, ".part.0". */
static bool word_of(const char *function, char word[LONGEST])
{
    const char *name = without_prefixes(function);
    size_t bytes = strcspn(name, "@.");

    if (bytes == 0 || bytes > LONGEST - 3)
        return false;
    word[0] = word[bytes + 1] = ' ';
    memcpy(word + 1, name, bytes);
    word[bytes + 2] = '\0';
    return true;
}

const char *rvi_instead_of(const char *function)
{
    char word[LONGEST];

    if (!word_of(function, word))
        return NULL;
    for (size_t i = 0; i < ROWS; i++) {
        if (strstr(table[i].functions, word))
            return table[i].instead;
    }
    return NULL;
}
