/* SPDX-License-Identifier: MIT */
/* net.h - sockets: dialling, listening, sending and receiving.
 *
 *     int fd = rv_dial("tcp", "example.org:80", rv_after(5 * RV_SECOND));
 *     if (fd >= 0)
 *         err = rv_send_all(fd, request, request_bytes, NULL, rv_after(RV_SECOND));
 *
 * Sockets are plain descriptors, closed by rv_close(); rv_read(), rv_write() and rv_poll() know
 * them too. The calls here work on any socket, whether its O_NONBLOCK is set or not, and leave that
 * flag alone; only rv_accept() and rv_sendfile() say what they ask for. Sockets that they make are
 * closed on exec, never block, and send small packets at once (TCP_NODELAY).
 *
 * A network is named by one of these words:
 *
 *     tcp  tcp4  tcp6     connections, by whatever IP or by that version
 *     udp  udp4  udp6     datagrams
 *     unix                connections on this machine
 *     unixgram            datagrams on this machine
 *     unixpacket          connections that keep the borders between messages
 *
 * and an address in it by "host:port" (addr.h), for Unix sockets by a path or "@" and an abstract
 * name, with "unix:" before it or without. */
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
 * connect is taken and the others are closed. A Unix socket whose queue is full is tried again, at
 * growing intervals of 10 ms at most: the kernel does not tell when there is room.
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
 * @param fd        listens, and does not block: rv_listen() makes such, and one that was inherited
 *                  needs its O_NONBLOCK set
 * @param ret_peer  receives the other end's address; NULL: not asked for
 * @param deadline  absolute nanoseconds, or RV_NEVER
 * @return a connected socket; rv_close it
 * Errors:  -ETIME deadline; -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM the same, when that was what it
 *          waited for; -ECANCELED scope cancelled; -EBADF, -ENOTSOCK; -EINVAL it does not listen
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
 *          -EMSGSIZE too long for a datagram; -ETIME deadline; -ECANCELED scope cancelled; others of
 *          send(2)
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
 * Errors:  -ETIME deadline; -ECANCELED scope cancelled; -ECONNRESET and others of rv_recv,
 *          rv_shutdown and rv_close
 * Blocks:  the task, never its thread
 * Threads: any task of any worker, plain threads
 * Lifetime: ends that of fd */
RV_API int rv_close_gracefully(int fd, rv_time deadline);

RV_END_DECLS
