/* SPDX-License-Identifier: MIT */
/* net.h - sockets: dialling, listening, sending and receiving.
 *
 *     int fd = rv_dial("tcp", "example.org:7", rv_after(5 * RV_SECOND));
 *     if (fd < 0)
 *         return fd;
 *     int err = rv_send_all(fd, "hello\n", 6, NULL, rv_after(RV_SECOND));
 *     int closed = rv_close(fd);
 *     return err < 0 ? err : closed;
 *
 * Sockets are plain descriptors, closed by rv_close(); rv_read(), rv_write() and rv_poll() know
 * them too. The calls here work on any socket, whether its O_NONBLOCK is set or not, and leave that
 * flag alone. Sockets that they make are closed on exec, never block, and send small packets at
 * once (TCP_NODELAY).
 *
 * A network is named by one of these words:
 *
 * - tcp, tcp4, tcp6: connections, by whatever IP or by that version
 * - udp, udp4, udp6: datagrams
 * - unix: connections on this machine
 * - unixgram: datagrams on this machine
 * - unixpacket: connections that keep the borders between messages
 *
 * An address in it is "host:port" (addr.h), for Unix sockets a path or "@" and an abstract name,
 * with "unix:" before it or without. */
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <ravel/addr.h>
#include <ravel/def.h>
#include <ravel/time.h>

RV_BEGIN_DECLS

/* --- connecting --- */

/** Connect to an address.
 *
 * A host of several addresses is tried as RFC 8305 (Happy Eyeballs 2) says: the families take
 * turns, an attempt that takes longer than 250 ms gets company by the next one, the first to
 * connect is taken and the others are closed. A Unix socket whose queue is full is tried again each
 * millisecond: the kernel does not tell when there is room.
 *
 * @param network   one of the words above
 * @param address   "host:port"; "localhost" is this machine whatever the files say (RFC 6761);
 *                  without a host this machine too; or a Unix socket's path
 * @param deadline  absolute nanoseconds, or RV_NEVER, which leaves the kernel's own patience
 * @return a connected socket; rv_close it. Datagram sockets then send to that address, and receive
 *         from there only
 * Errors:  -EINVAL no such word, or no address of that network; -ETIME deadline; -ECANCELED scope
 *          cancelled; -ECONNREFUSED nobody listens there; -ENETUNREACH, -EHOSTUNREACH, -ETIMEDOUT,
 *          -EMFILE and others of connect(2): where all addresses failed that which tells most;
 *          those of rv_resolve; -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_dial(const char *network, const char *address, rv_time deadline);

/** How rv_dial_addrs() connects. Zeroed fields mean the default. */
struct rv_dial_opts {
    size_t size;           /* sizeof(struct rv_dial_opts); 0: the first release's fields */
    int type;              /* SOCK_DGRAM, SOCK_SEQPACKET; 0: SOCK_STREAM */
    rv_time attempt_delay; /* after which an attempt gets company, at least 10 ms; 0: 250 ms */
    const struct rv_addr *local; /* bind to it first; NULL: the kernel chooses */
    int nagle;                   /* TCP: let small packets wait for the one before */
};

/** Connect to the first that answers of several addresses, as rv_dial().
 *
 * @param addrs     best first; they are reordered so that families take turns
 * @param count     of them, at least 1
 * @param opts      NULL for the defaults; read before return
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return a connected socket
 * Errors:  as rv_dial; -EINVAL no address, unknown type; -E2BIG unknown fields
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: addrs until return */
RV_API RV_NODISCARD int rv_dial_addrs(const struct rv_addr *addrs, size_t count,
                                      const struct rv_dial_opts *opts, rv_time deadline);

/* --- listening --- */

/** How a socket listens. Zeroed fields mean the default. */
struct rv_listen_opts {
    size_t size;    /* sizeof(struct rv_listen_opts); 0: the first release's fields */
    int backlog;    /* connections that wait to be accepted; 0: as many as the system allows */
    int reuse_port; /* others that ask for it too may have the same address (SO_REUSEPORT): each
                       has a queue of its own, and the kernel spreads connections over them */
    int v6_only;    /* an IPv6 address that means any does not mean IPv4's as well */
    int nagle;      /* TCP: let small packets wait for the one before */
    int replace;    /* a Unix path whose owner has gone is taken over */
};

/** Listen at an address; datagram sockets are bound there.
 *
 * Addresses that a past connection still lingers on can be had at once (SO_REUSEADDR).
 *
 * @param network  one of the words above
 * @param address  numeric, or "localhost"; without a host any address of this machine, IPv4's too
 *                 with "tcp" and "udp"; port 0 lets the kernel choose: ask rv_addr_local()
 * @param opts     NULL for the defaults; read before return
 * @return a socket for rv_accept(), or for datagrams; rv_close it. A Unix path stays in its folder
 *         until somebody removes it
 * Errors:  -EINVAL no such word, or no address of that network; -EADDRINUSE somebody else has it;
 *          -EADDRNOTAVAIL not this machine's; -EACCES; -EMFILE and others of socket(2), bind(2) and
 *          listen(2); -E2BIG unknown fields
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_listen(const char *network, const char *address,
                                  const struct rv_listen_opts *opts);

/** Listen at one address with several sockets, each with a queue of its own, so that each worker
 * may accept by itself (SO_REUSEPORT).
 *
 * @param network  "tcp", "tcp4", "tcp6", or a "udp" one
 * @param address  as rv_listen(); port 0 is one port for all of them
 * @param opts     NULL for the defaults; reuse_port is set
 * @param ret      receives the sockets
 * @param count    of them, at least 1
 * @return 0
 * Errors:  as rv_listen, and then none is open; -EINVAL a count of 0, a Unix socket
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_listen_group(const char *network, const char *address,
                                        const struct rv_listen_opts *opts, int *ret, size_t count);

/** Accept a connection.
 *
 * Connections that end before they are accepted are passed over. While the process or the system
 * has no descriptor, or no memory, for another one, the call waits and tries again, at intervals of
 * 1 ms to 100 ms; the connections stay in their queue.
 *
 * @param fd        listens; one that was inherited had better have O_NONBLOCK, or a helper thread
 *                  accepts from it
 * @param ret_peer  receives the other end's address; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return a connected socket; rv_close it
 * Errors:  -ETIME deadline; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM, -ENOSPC the same, when that was
 *          what it waited for; -ECANCELED scope cancelled; -EBADF, -ENOTSOCK; -EINVAL it does not
 *          listen
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_accept(int fd, struct rv_addr *ret_peer, rv_time deadline);

/** A socket's own address.
 *
 * @param fd   any socket
 * @param ret  the address
 * @return 0
 * Errors:  -EBADF, -ENOTSOCK
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_addr_local(int fd, struct rv_addr *ret);

/** The address at the other end of a connected socket.
 *
 * @param fd   any socket
 * @param ret  the address
 * @return 0
 * Errors:  -ENOTCONN; -EBADF, -ENOTSOCK
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_addr_peer(int fd, struct rv_addr *ret);

/* --- receiving and sending --- */

/** Receive what there is, at least one byte; of a datagram as much as there is room for.
 *
 * @param fd        any connected or datagram socket
 * @param buf       room for `count` bytes
 * @param count     bytes wanted at most
 * @param flags     MSG_PEEK, MSG_TRUNC, MSG_OOB or 0; MSG_WAITALL does not wait for all
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes received; 0 when the other end has said all, or an empty datagram came
 * Errors:  -ECONNRESET the other end is gone; -ECONNREFUSED, for a datagram sent before, nobody is
 *          there; -ETIME deadline; -ECANCELED scope cancelled; others of recv(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_recv(int fd, void *buf, size_t count, int flags, rv_time deadline);

/** Send some of a buffer, or one datagram.
 *
 * @param fd        any connected socket
 * @param buf       `count` bytes
 * @param count     bytes to send at most
 * @param flags     MSG_MORE, MSG_OOB or 0
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes that the kernel has taken, fewer than count where it has no room for more just now
 * Errors:  -EPIPE this end has been shut, or the other is gone (no signal is raised); -ECONNRESET;
 *          -EMSGSIZE too long for a datagram; -ETIME deadline; -ECANCELED scope cancelled; others
 *          of send(2)
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_send(int fd, const void *buf, size_t count, int flags,
                                    rv_time deadline);

/** Send all of a buffer, in as many pieces as it takes.
 *
 * @param fd        a connected stream socket
 * @param buf       `count` bytes
 * @param count     bytes to send
 * @param ret_done  how many of them the kernel has taken, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all of them
 * Errors:  as rv_send; some bytes may have been sent, see ret_done
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD int rv_send_all(int fd, const void *buf, size_t count, size_t *ret_done,
                                    rv_time deadline);

/** As recvmsg(2).
 *
 * @param fd        any socket
 * @param msg       where to put what comes; its lengths and flags are set as recvmsg(2) does
 * @param flags     as rv_recv(), and MSG_CMSG_CLOEXEC
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes received
 * Errors:  as rv_recv
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: msg, all that it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_recvmsg(int fd, struct msghdr *msg, int flags, rv_time deadline);

/** As sendmsg(2).
 *
 * @param fd        any socket
 * @param msg       what to send, and where to
 * @param flags     as rv_send()
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes that the kernel has taken
 * Errors:  as rv_send
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: msg, all that it points to, and fd until return */
RV_API RV_NODISCARD ssize_t rv_sendmsg(int fd, const struct msghdr *msg, int flags,
                                       rv_time deadline);

/* --- from descriptor to descriptor --- */

/** Send a part of a file, by the kernel alone where it can (sendfile(2)).
 *
 * What of the file is not in memory is waited for as other reading is, before it is sent.
 *
 * @param out       a stream socket, or any descriptor that rv_write_all() takes
 * @param in        a file that rv_pread() takes; its position is neither used nor changed
 * @param offset    where in the file to begin
 * @param count     bytes to send; fewer are there where the file ends
 * @param ret_done  how many the kernel has taken, whatever the result; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: all of them, or all up to the end of the file
 * Errors:  as rv_send and rv_read; -ESPIPE in has no positions; -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: in and out until return */
RV_API RV_NODISCARD int rv_sendfile(int out, int in, int64_t offset, uint64_t count,
                                    uint64_t *ret_done, rv_time deadline);

/** Move bytes from one descriptor to another until the first one ends, inside the kernel where it
 * can (splice(2)).
 *
 * @param out       any descriptor that rv_write_all() takes
 * @param in        any descriptor that rv_read() takes
 * @param count     bytes to move at most; UINT64_MAX: until the end
 * @param ret_done  how many out has taken, whatever the result; NULL: not asked for. After an error
 *                  some more may have been read and be lost
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return 0: count bytes, or all up to the end
 * Errors:  as rv_read and rv_write_all; -ENOMEM
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: in and out until return */
RV_API RV_NODISCARD int rv_splice(int out, int in, uint64_t count, uint64_t *ret_done,
                                  rv_time deadline);

/* --- datagrams --- */

/** Receive one datagram, and who sent it.
 *
 * @param fd        a datagram socket
 * @param buf       room for `count` bytes; what is longer is cut
 * @param count     bytes of room
 * @param ret_from  receives the sender's address
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes received; an empty datagram is 0
 * Errors:  as rv_recv
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_recv_from(int fd, void *buf, size_t count, struct rv_addr *ret_from,
                                         rv_time deadline);

/** Send one datagram to an address.
 *
 * @param fd        a datagram socket
 * @param buf       `count` bytes
 * @param count     bytes to send
 * @param to        where to
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return count
 * Errors:  as rv_send
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf and fd until return */
RV_API RV_NODISCARD ssize_t rv_send_to(int fd, const void *buf, size_t count,
                                       const struct rv_addr *to, rv_time deadline);

/** One of many datagrams. */
struct rv_datagram {
    void *data;          /* the bytes; sending only reads them */
    size_t room;         /* receiving: bytes of room at data */
    size_t len;          /* bytes that it has */
    struct rv_addr addr; /* receiving: who sent it. Sending: where to; len 0: where the socket is
                            connected to */
    int flags;           /* receiving: MSG_TRUNC when it was longer than its room */
};

/** Receive several datagrams, as many as there are but 64 at most, in one system call.
 *
 * @param fd         a datagram socket
 * @param datagrams  data and room set; the rest is filled in
 * @param count      of them, at least 1
 * @param deadline   absolute nanoseconds, or RV_NEVER, for the first one
 * @return how many were received, at least 1
 * Errors:  as rv_recv; -EINVAL a count of 0
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: datagrams, their data and fd until return */
RV_API RV_NODISCARD int rv_recv_batch(int fd, struct rv_datagram *datagrams, size_t count,
                                      rv_time deadline);

/** Send several datagrams, as many as there is room for but 64 at most, in one system call.
 *
 * @param fd         a datagram socket
 * @param datagrams  data, len and addr set
 * @param count      of them, at least 1
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return how many were sent, at least 1: those before one that failed or had no room
 * Errors:  as rv_send, of the first one; -EINVAL a count of 0
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: datagrams, their data and fd until return */
RV_API RV_NODISCARD int rv_send_batch(int fd, const struct rv_datagram *datagrams, size_t count,
                                      rv_time deadline);

/* --- on this machine --- */

/** Make two Unix sockets that are connected to each other.
 *
 * @param type  SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET
 * @param ret   receives the two
 * @return 0
 * Errors:  -EMFILE, -ENFILE, -ENOMEM; -ESOCKTNOSUPPORT another type
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_socketpair(int type, int ret[2]);

/** The most descriptors that can be passed at one time. */
#define RV_PASSED_MAX 253

/** Send bytes with descriptors: the receiver gets descriptors of its own for the same files.
 *
 * @param fd        a connected Unix socket
 * @param buf       `count` bytes, at least one
 * @param count     bytes to send at most
 * @param fds       the descriptors; the caller keeps its own
 * @param fd_count  of them, at most RV_PASSED_MAX
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return bytes that the kernel has taken; the descriptors go with the first of them
 * Errors:  as rv_send; -EINVAL no bytes, or too many descriptors; -ETOOMANYREFS too many under way
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf, fds and fd until return */
RV_API RV_NODISCARD ssize_t rv_send_fds(int fd, const void *buf, size_t count, const int *fds,
                                        size_t fd_count, rv_time deadline);

/** Receive bytes, and the descriptors that came with them; these are closed on exec.
 *
 * @param fd         a connected Unix socket
 * @param buf        room for `count` bytes
 * @param count      bytes wanted at most
 * @param fds        room for descriptors
 * @param room       for how many, at most RV_PASSED_MAX
 * @param ret_count  how many came; rv_close each
 * @param deadline   absolute nanoseconds, or RV_NEVER
 * @return bytes received; 0 when the other end has said all
 * Errors:  as rv_recv; -EMSGSIZE more descriptors came than there was room for, or -EMFILE than
 *          this process may have: then none is left open, and the bytes they came with are gone;
 *          -EINVAL too much room
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: buf, fds and fd until return */
RV_API RV_NODISCARD ssize_t rv_recv_fds(int fd, void *buf, size_t count, int *fds, size_t room,
                                        size_t *ret_count, rv_time deadline);

/** Who is at the other end of a Unix socket. */
struct rv_peer {
    pid_t pid; /* the process that connected, listened or made the pair; it may be gone */
    uid_t uid; /* its effective user then */
    gid_t gid; /* and group */
};

/** Ask who is at the other end of a Unix socket, of a stream or of sequenced packets.
 *
 * @param fd   a connected Unix socket
 * @param ret  the answer
 * @return 0
 * Errors:  -ENOTCONN not connected; -EINVAL no Unix socket; -EBADF, -ENOTSOCK
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_peer_of(int fd, struct rv_peer *ret);

/* --- options --- */

/** What can be set on a socket by rv_sock_set(). */
enum rv_sock_opt {
    RV_SOCK_NODELAY,      /* TCP: send small packets at once: 0 or 1 */
    RV_SOCK_CORK,         /* TCP: send full packets only, for 200 ms at most: 0 or 1 */
    RV_SOCK_KEEPALIVE,    /* TCP: ask a silent peer after so many seconds; 0: never */
    RV_SOCK_USER_TIMEOUT, /* TCP: milliseconds until what is not acknowledged breaks the connection;
                             0: the system's */
    RV_SOCK_LINGER,       /* seconds that a close holds its thread until all is sent; 0: a close
                             resets the connection; -1: neither, the usual */
    RV_SOCK_SEND_BYTES,   /* the send buffer; the kernel doubles it */
    RV_SOCK_RECV_BYTES,   /* the receive buffer; the kernel doubles it */
    RV_SOCK_BROADCAST,    /* datagrams: may go to broadcast addresses: 0 or 1 */
};

/** Set an option of a socket.
 *
 * @param fd      any socket that has the option
 * @param option  which
 * @param value   as its comment says
 * @return 0
 * Errors:  -EINVAL no such option or value; -EOPNOTSUPP, -ENOPROTOOPT not of this kind of socket;
 *          -EBADF, -ENOTSOCK
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_sock_set(int fd, enum rv_sock_opt option, int value);

/** Ask for an option of a socket.
 *
 * @param fd         any socket that has the option
 * @param option     which
 * @param ret_value  as its comment says
 * @return 0
 * Errors:  as rv_sock_set
 * Blocks:  no
 * Threads: any
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_sock_get(int fd, enum rv_sock_opt option, int *ret_value);

/* --- ending --- */

/** Say that nothing more will be sent, or that nothing is wanted any more.
 *
 * @param fd   a connected socket
 * @param how  SHUT_WR: the other end reads an end after what was sent before; SHUT_RD; SHUT_RDWR:
 *             whoever waits in a call on this socket comes back
 * @return 0
 * Errors:  -ENOTCONN; -EBADF, -ENOTSOCK, -EINVAL
 * Blocks:  no
 * Threads: any
 * Lifetime: fd until return */
RV_API RV_NODISCARD int rv_shutdown(int fd, int how);

/** Close a connection so that the other end gets everything: say that nothing more will be sent,
 * wait until the other end says so too, then close.
 *
 * A plain close with bytes unread makes the kernel reset the connection, and what was sent last may
 * never be seen. What comes meanwhile is dropped.
 *
 * @param fd        a connected stream socket; it is closed whatever the result
 * @param deadline  absolute nanoseconds; RV_NEVER lets the other end keep it open
 * @return 0: the other end has said all, too
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ECONNRESET, or -ENOTCONN when that had
 *          happened before; others of rv_recv, rv_shutdown and rv_close
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: ends that of fd */
RV_API int rv_close_gracefully(int fd, rv_time deadline);

/* --- serving --- */

/** Accepts connections and runs a task for each. */
typedef struct rv_server rv_server;

/** A connection that a server has accepted. */
struct rv_conn {
    int fd;              /* closed when the handler has returned; -1 when that has done so itself */
    struct rv_addr peer; /* the other end */
};

/** What serves one connection, in a task of its own.
 *
 * @param conn  until return
 * @param arg   whatever was given to rv_server_open()
 * @return 0, or -errno, which is counted and stops nothing */
typedef int rv_conn_fn(struct rv_conn *conn, void *arg);

/** How a server behaves. Zeroed fields mean the default. */
struct rv_server_opts {
    size_t size;  /* sizeof(struct rv_server_opts); 0: the first release's fields */
    size_t limit; /* connections at one time, beyond which none is accepted; 0: no limit */
};

/** Serve what connects to some listening sockets: rv_server_open_at() with this line and the
 * handler's text as the place and the name of the tasks.
 *
 *     rv_server *server;
 *     int fd = rv_listen("tcp", ":8080", NULL);
 *     if (fd < 0)
 *         return fd;
 *     int r = rv_server_open(&server, &fd, 1, greet, NULL, NULL);
 *     if (r < 0) {
 *         rv_close(fd);
 *         return r;
 *     }
 *     r = rv_event_wait(&stop, RV_NEVER);
 *     int drained = rv_server_drain(server, rv_after(10 * RV_SECOND));
 *     return r < 0 ? r : drained; */
#define rv_server_open(ret, listeners, count, fn, arg, opts)                                       \
    rv_server_open_at((ret), (listeners), (count), (fn), (arg), (opts), RV_SITE(#fn))

/** Serve what connects to some listening sockets. Each is accepted from on a worker of its own, in
 * turn, and a connection's task begins there, if no other worker is out of work.
 *
 * The server is a pair of scopes inside the calling task: when a listening socket breaks, the
 * task's blocking calls fail with -ECANCELED, and rv_server_drain() says why.
 *
 * @param ret        the server; its owner is the calling task
 * @param listeners  the server's from now on; it closes them when it drains
 * @param count      of them, at least 1
 * @param fn         runs for each connection
 * @param arg        handed to fn
 * @param opts       NULL for the defaults; read before return
 * @param site       names the tasks; static
 * @return 0
 * Errors:  -EPERM the caller is no task; -EINVAL a count of 0; -E2BIG unknown fields; -ECANCELED
 *          scope cancelled; -EMFILE, -ENFILE, -ENOMEM. The sockets are still the caller's then
 * Blocks:  the task, until each worker is ready to serve
 * Threads: any task of any worker
 * Lifetime: until rv_server_drain, which the owner must call before it returns; arg until then */
RV_API RV_NODISCARD int rv_server_open_at(rv_server **ret, const int *listeners, size_t count,
                                          rv_conn_fn *fn, void *arg,
                                          const struct rv_server_opts *opts,
                                          const struct rv_site *site);

/** End a server gracefully: close its listening sockets, let connections finish, those in the
 * queues too, and cancel those that have not at the deadline.
 *
 * @param server    gone afterwards, whatever is returned
 * @param deadline  absolute nanoseconds; RV_NEVER waits for all connections to finish
 * @return 0: every connection has finished by itself
 * Errors:  -ETIME some were cancelled at the deadline; -ECANCELED at once, because the caller's
 *          scope is cancelled; whatever made a listening socket fail before; -ENOMEM a connection
 *          was closed for want of a stack
 * Blocks:  the task, never its thread
 * Threads: the owner
 * Lifetime: ends the server */
RV_API int rv_server_drain(rv_server *server, rv_time deadline);

/** Say that a connection is between two requests: a server that drains ends its wait.
 *
 * From this call until rv_conn_busy() the handler is inside a scope, which is cancelled when the
 * server begins to drain: calls that wait fail with -ECANCELED, nothing happens to the connection.
 *
 * @param conn  the handler's
 * @return 0
 * Errors:  -ESHUTDOWN the server drains already: finish. What has come can still be read with a
 *          deadline of 0, and be answered; -ENOMEM
 * Blocks:  no
 * Threads: the handler's task
 * Lifetime: until rv_conn_busy, or the handler returns; scopes opened inside end before */
RV_API RV_NODISCARD int rv_conn_idle(struct rv_conn *conn);

/** Say that a connection is at work on a request: a server that drains lets it finish.
 *
 * @param conn  the handler's; it is at work from its beginning
 * @return 0
 * Errors:  -ESHUTDOWN a drain has begun since it was idle. What had come before can be read with a
 *          deadline of 0, and be answered
 * Blocks:  no
 * Threads: the handler's task
 * Lifetime: nothing is held */
RV_API int rv_conn_busy(struct rv_conn *conn);

/** Whether a connection's server drains, so that a handler can tell the other end.
 *
 * @param conn  the handler's
 * @return 1 or 0
 * Errors:  none
 * Blocks:  no
 * Threads: the handler's task
 * Lifetime: nothing is held */
RV_API int rv_conn_is_draining(const struct rv_conn *conn);

/** What a server has done so far. */
struct rv_server_stats {
    size_t size;       /* sizeof(struct rv_server_stats); in: what the caller knows */
    uint64_t accepted; /* connections so far */
    uint64_t failed;   /* of those, the ones whose handler returned < 0 */
    uint64_t refused;  /* of those, the ones closed at once for want of memory */
    size_t open;       /* being served now */
};

/** Count a server's connections.
 *
 * @param server  open
 * @param stats   size set by the caller; the rest is filled in
 * @return 0
 * Errors:  -EINVAL stats->size is too small
 * Blocks:  no
 * Threads: any, while the server is open
 * Lifetime: nothing is held */
RV_API RV_NODISCARD int rv_server_stats_read(const rv_server *server,
                                             struct rv_server_stats *stats);

RV_END_DECLS
