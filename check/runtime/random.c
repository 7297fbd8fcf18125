/* SPDX-License-Identifier: MIT */
/* random.c - what the kernel and libc give out as random comes from the plan's seed.
 *
 * rand(), random() and their kin repeat by themselves. C++'s std::random_device asks the processor,
 * so its one function is ours. /dev/urandom and /dev/random become a pipe's worth of such bytes in
 * memory when they are opened by name (io.c has open()); a program that reads more meets its end.
 *
 * Numbers follow from the seed and from how many were asked for before, so equal schedules see
 * equal ones.
 *
 * Checked by: tests/check */
#include <stdlib.h>

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/rng.h"
#include "check/runtime/locks.h"
#include "check/runtime/next.h"
#include "check/runtime/random.h"

enum { DEVICE_BYTES = 1 << 16, CHUNK = 4096 };

static struct rvi_rng rng;
static bool is_seeded;

static uint64_t next(void)
{
    if (!is_seeded) {
        rvi_rng_seed(&rng, ck_shared->plan.strategy.seed ^ UINT64_C(0x72616e646f6d));
        is_seeded = true;
    }
    return rvi_rng_next(&rng);
}

static void fill(void *to, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += sizeof(uint64_t)) {
        uint64_t value = next();
        size_t left = bytes - done;

        memcpy((char *)to + done, &value, left < sizeof value ? left : sizeof value);
    }
}

int ck_random_device(void)
{
    char bytes[CHUNK];
    int fd = memfd_create("random", MFD_CLOEXEC);

    for (unsigned done = 0; fd >= 0 && done < DEVICE_BYTES; done += CHUNK) {
        fill(bytes, sizeof bytes);
        if (CK_NEXT(write)(fd, bytes, sizeof bytes) != CHUNK)
            break;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

CK_EXPORT ssize_t getrandom(void *to, size_t bytes, unsigned flags)
{
    if (!ck_enter())
        return CK_NEXT(getrandom)(to, bytes, flags);
    fill(to, bytes);
    ck_leave();
    return (ssize_t)bytes;
}

CK_EXPORT int getentropy(void *to, size_t bytes)
{
    if (!ck_enter())
        return CK_NEXT(getentropy)(to, bytes);
    fill(to, bytes <= 256 ? bytes : 0);
    ck_leave();
    if (bytes <= 256)
        return 0;
    errno = EIO;
    return -1;
}

/* Since glibc 2.36; older ones do not declare them. */
CK_EXPORT uint32_t arc4random(void);
CK_EXPORT void arc4random_buf(void *to, size_t bytes);
CK_EXPORT uint32_t arc4random_uniform(uint32_t below);

CK_EXPORT void arc4random_buf(void *to, size_t bytes)
{
    if (ck_enter()) {
        fill(to, bytes);
        ck_leave();
    } else {
        CK_NEXT(arc4random_buf)(to, bytes);
    }
}

CK_EXPORT uint32_t arc4random(void)
{
    uint32_t value;

    arc4random_buf(&value, sizeof value);
    return value;
}

CK_EXPORT uint32_t arc4random_uniform(uint32_t below)
{
    uint64_t value;

    arc4random_buf(&value, sizeof value);
    return below < 2 ? 0 : (uint32_t)(value % below);
}

/* std::random_device::_M_getval() */
CK_EXPORT unsigned _ZNSt13random_device9_M_getvalEv(void *device);
CK_EXPORT unsigned _ZNSt13random_device9_M_getvalEv(void *device)
{
    if (!ck_enter())
        return CK_NEXT(_ZNSt13random_device9_M_getvalEv)(device);
    unsigned value = (unsigned)next();
    ck_leave();
    return value;
}
