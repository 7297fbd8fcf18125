/* SPDX-License-Identifier: MIT */
/* memfd.c - memfd_create(2).
 *
 * Since 6.3 a kernel complains in its log about memory that could be executed, unless told;
 * MFD_NOEXEC_SEAL tells, and forbids it. Earlier ones do not know the flag. F_SEAL_SEAL comes last:
 * with it nobody adds F_SEAL_WRITE behind the back of who maps it later.
 *
 * fallocate(2) can be ended by a signal, having kept nothing: it is made again.
 *
 * Checked by: tests/unit/sys/test_memfd.c */
#include "sys/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/call.h"
#include "sys/fd.h"

/* Debian 12's headers come from before it. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static int make(const char *name)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = RVI_CALL(MAKE_MEMORY_NOEXEC, memfd_create(name, flags | MFD_NOEXEC_SEAL));

    if (fd < 0)
        fd = RVI_CALL(MAKE_MEMORY, memfd_create(name, flags));
    return fd < 0 ? -errno : fd;
}

int rvi_memfd_make(const char *name, size_t bytes)
{
    int r, fd = make(name);

    if (fd < 0)
        return fd;
    if (RVI_CALL(SIZE_MEMORY, ftruncate(fd, (off_t)bytes)) < 0 ||
        RVI_CALL(SEAL_MEMORY, fcntl(fd, F_ADD_SEALS, SEALS)) < 0) {
        r = -errno;
        rvi_fd_close(fd);
        return r;
    }
    return fd;
}

int rvi_memfd_fill(int fd, size_t bytes)
{
    int r;

    do
        r = RVI_CALL(FILL_MEMORY, fallocate(fd, 0, 0, (off_t)bytes));
    while (r < 0 && errno == EINTR);
    if (r < 0 && errno == ENOSPC)
        return -ENOMEM;
    return r < 0 ? -errno : 0;
}

/* Ended by a signal it has dropped nothing; then the pages go with the last mapping. */
void rvi_memfd_drop(int fd, size_t bytes)
{
    (void)RVI_CALL(DROP_MEMORY,
                   fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes));
}

int rvi_memfd_bytes(int fd, size_t *ret)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || fstat(fd, &status) < 0)
        return -errno;
    if ((seals & SEALS) != SEALS)
        return -EINVAL;
    *ret = (size_t)status.st_size;
    return 0;
}

int rvi_memfd_map(int fd, size_t bytes, void **ret)
{
    void *memory =
        RVI_CALL(MAP_MEMORY, mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

    if (memory == MAP_FAILED)
        return -errno;
    *ret = memory;
    return 0;
}

void rvi_memfd_touch(void *memory, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)memory & ~(page - 1);
    size_t whole = (uintptr_t)memory + bytes - start;

    (void)RVI_CALL(TOUCH_MEMORY, madvise((char *)memory - ((uintptr_t)memory - start), whole,
                                         MADV_POPULATE_WRITE));
}

void rvi_memfd_unmap(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes);
}

int rvi_memfd_claim(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    if (fcntl(fd, F_OFD_SETLK, &whole) == 0)
        return 0;
    return errno == EACCES ? -EAGAIN : -errno;
}

bool rvi_memfd_is_claimed(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}
