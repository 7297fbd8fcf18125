/* SPDX-License-Identifier: MIT */
/* op.h - an input or output call as a value, so that it can be made now, or once its descriptor is
 * ready, or by a ring, or by another thread.
 *
 * Whoever makes one keeps everything that it points to until it has its result. Results are those
 * of the system call, with -errno for errors. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

struct statx;

enum rvi_op_kind {
    RVI_OP_POLL, /* -> events that are there, as poll(2) */
    RVI_OP_READ,
    RVI_OP_WRITE,
    RVI_OP_READV,
    RVI_OP_WRITEV,
    RVI_OP_RECV,
    RVI_OP_SEND,
    RVI_OP_RECVMSG,
    RVI_OP_SENDMSG,
    RVI_OP_ACCEPT,
    RVI_OP_CONNECT,
    RVI_OP_STAT,
    RVI_OP_SYNC,
    RVI_OP_RENAME,
    RVI_OP_UNLINK,
    RVI_OP_MKDIR,
    RVI_OP_TRUNCATE,
    RVI_OP_RECVMMSG, /* -> how many */
    RVI_OP_SENDMMSG, /* -> how many */
    RVI_OP_SENDFILE,
    RVI_OP_SPLICE_IN,  /* from the descriptor, which is waited for, into a pipe with room */
    RVI_OP_SPLICE_OUT, /* from a pipe with bytes into the descriptor */
    RVI_OP_LAST = RVI_OP_SPLICE_OUT,
};

/** An offset that means the descriptor's own position. */
#define RVI_OP_AT_POSITION (-1)

struct rvi_op {
    uint8_t kind;        /* enum rvi_op_kind */
    bool is_nonblocking; /* the descriptor is known to have O_NONBLOCK */
    uint8_t why;         /* what its task waits for, as others are told; 0: what its kind says */
    int fd;              /* or the folder that a path starts from */
    int flags; /* of the call: MSG_, AT_, SOCK_, RENAME_; SYNC: 1 data only; POLL: events */
    union {
        struct {
            void *data; /* WRITE and SEND only read it */
            size_t len;
            int64_t offset; /* READ, WRITE */
        } buf;
        struct {
            const struct iovec *iov;
            int count;
            int64_t offset;
        } vec;
        struct msghdr *msg;
        struct {
            struct mmsghdr *list;
            unsigned count;
        } batch;
        struct {
            struct sockaddr *addr; /* ACCEPT writes it, NULL: not asked for */
            socklen_t *len;        /* ACCEPT: room in, size out */
            socklen_t size;        /* CONNECT */
        } peer;
        struct {
            const char *name;
            const char *new_name; /* RENAME */
            int new_fd;
            mode_t mode;        /* MKDIR */
            unsigned mask;      /* STAT */
            struct statx *stat; /* STAT */
        } path;
        struct {
            int other; /* SENDFILE: the file; SPLICE: the pipe */
            size_t len;
            int64_t offset; /* SENDFILE */
        } transfer;
        int64_t size; /* TRUNCATE */
    };
};

static inline struct rvi_op rvi_op_poll(int fd, short events)
{
    return (struct rvi_op){.kind = RVI_OP_POLL, .fd = fd, .flags = events};
}

static inline struct rvi_op rvi_op_read(int fd, void *data, size_t len, int64_t offset)
{
    return (struct rvi_op){.kind = RVI_OP_READ, .fd = fd, .buf = {data, len, offset}};
}

static inline struct rvi_op rvi_op_write(int fd, const void *data, size_t len, int64_t offset)
{
    return (struct rvi_op){
        .kind = RVI_OP_WRITE, .fd = fd, .buf = {(void *)(uintptr_t)data, len, offset}};
}

static inline struct rvi_op rvi_op_readv(int fd, const struct iovec *iov, int count, int64_t offset)
{
    return (struct rvi_op){.kind = RVI_OP_READV, .fd = fd, .vec = {iov, count, offset}};
}

static inline struct rvi_op rvi_op_writev(int fd, const struct iovec *iov, int count,
                                          int64_t offset)
{
    return (struct rvi_op){.kind = RVI_OP_WRITEV, .fd = fd, .vec = {iov, count, offset}};
}

static inline struct rvi_op rvi_op_recv(int fd, void *data, size_t len, int flags)
{
    return (struct rvi_op){.kind = RVI_OP_RECV, .fd = fd, .flags = flags, .buf = {data, len, 0}};
}

static inline struct rvi_op rvi_op_send(int fd, const void *data, size_t len, int flags)
{
    return (struct rvi_op){
        .kind = RVI_OP_SEND, .fd = fd, .flags = flags, .buf = {(void *)(uintptr_t)data, len, 0}};
}

static inline struct rvi_op rvi_op_recvmsg(int fd, struct msghdr *msg, int flags)
{
    return (struct rvi_op){.kind = RVI_OP_RECVMSG, .fd = fd, .flags = flags, .msg = msg};
}

static inline struct rvi_op rvi_op_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    return (struct rvi_op){
        .kind = RVI_OP_SENDMSG, .fd = fd, .flags = flags, .msg = (struct msghdr *)(uintptr_t)msg};
}

static inline struct rvi_op rvi_op_recvmmsg(int fd, struct mmsghdr *list, unsigned count)
{
    return (struct rvi_op){.kind = RVI_OP_RECVMMSG, .fd = fd, .batch = {list, count}};
}

static inline struct rvi_op rvi_op_sendmmsg(int fd, struct mmsghdr *list, unsigned count)
{
    return (struct rvi_op){.kind = RVI_OP_SENDMMSG, .fd = fd, .batch = {list, count}};
}

static inline struct rvi_op rvi_op_sendfile(int fd, int file, int64_t offset, size_t len)
{
    return (struct rvi_op){.kind = RVI_OP_SENDFILE, .fd = fd, .transfer = {file, len, offset}};
}

static inline struct rvi_op rvi_op_splice_in(int fd, int pipe, size_t len)
{
    return (struct rvi_op){.kind = RVI_OP_SPLICE_IN, .fd = fd, .transfer = {pipe, len, 0}};
}

static inline struct rvi_op rvi_op_splice_out(int fd, int pipe, size_t len)
{
    return (struct rvi_op){.kind = RVI_OP_SPLICE_OUT, .fd = fd, .transfer = {pipe, len, 0}};
}

static inline struct rvi_op rvi_op_accept(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    return (struct rvi_op){
        .kind = RVI_OP_ACCEPT, .fd = fd, .flags = flags, .peer = {.addr = addr, .len = len}};
}

static inline struct rvi_op rvi_op_connect(int fd, const struct sockaddr *addr, socklen_t size)
{
    return (struct rvi_op){.kind = RVI_OP_CONNECT,
                           .fd = fd,
                           .peer = {.addr = (struct sockaddr *)(uintptr_t)addr, .size = size}};
}

static inline struct rvi_op rvi_op_stat(int dir, const char *path, int flags, unsigned mask,
                                        struct statx *ret)
{
    return (struct rvi_op){.kind = RVI_OP_STAT,
                           .fd = dir,
                           .flags = flags,
                           .path = {.name = path, .mask = mask, .stat = ret}};
}

static inline struct rvi_op rvi_op_sync(int fd, bool data_only)
{
    return (struct rvi_op){.kind = RVI_OP_SYNC, .fd = fd, .flags = data_only};
}

static inline struct rvi_op rvi_op_rename(int dir, const char *path, int new_dir,
                                          const char *new_path, unsigned flags)
{
    return (struct rvi_op){.kind = RVI_OP_RENAME,
                           .fd = dir,
                           .flags = (int)flags,
                           .path = {.name = path, .new_name = new_path, .new_fd = new_dir}};
}

static inline struct rvi_op rvi_op_unlink(int dir, const char *path, int flags)
{
    return (struct rvi_op){
        .kind = RVI_OP_UNLINK, .fd = dir, .flags = flags, .path = {.name = path}};
}

static inline struct rvi_op rvi_op_mkdir(int dir, const char *path, mode_t mode)
{
    return (struct rvi_op){.kind = RVI_OP_MKDIR, .fd = dir, .path = {.name = path, .mode = mode}};
}

static inline struct rvi_op rvi_op_truncate(int fd, int64_t size)
{
    return (struct rvi_op){.kind = RVI_OP_TRUNCATE, .fd = fd, .size = size};
}

/** What its descriptor has to be ready for, as poll(2) says it; 0 when no descriptor is waited for
 * (a path is looked up, a file is synced). */
short rvi_op_readiness(const struct rvi_op *op);

/** Whether it takes bytes into one buffer: one that gets fewer than fit has most likely got all
 * that there were. */
static inline bool rvi_op_reads(const struct rvi_op *op)
{
    return op->kind == RVI_OP_READ || op->kind == RVI_OP_RECV;
}

/** What no call results in: there was no way to find out whether it would block but to make it. */
#define RVI_OP_UNTRIED INT64_MIN

/** Make the call now if it does not block: -EAGAIN when it would. Calls that are never ready
 * (rvi_op_readiness() is 0) always would. UNTRIED: on a terminal, a file of some file systems, a
 * descriptor without O_NONBLOCK. */
int64_t rvi_op_try(struct rvi_op *op);

/** Make the call, however long it takes its thread. -EINTR is not given. */
int64_t rvi_op_perform(struct rvi_op *op);

/** Whether it is about a file: there is nothing to wait for, it only takes its time. */
bool rvi_op_is_of_file(const struct rvi_op *op);

/** Let the calling thread wait until the descriptor looks ready, or a deadline. Returns 1: it does;
 * 0: the wait was cut short. Errors: -ETIME; -ENOMEM. */
int64_t rvi_op_await(const struct rvi_op *op, int64_t deadline_ns)
    __attribute__((warn_unused_result));

/** What a kind of call is called: that of the system call, mostly; static. "call" for none. */
const char *rvi_op_word(unsigned kind);
