/* SPDX-License-Identifier: MIT */
/* resolve_cares.c - the questions are asked by c-ares, which is driven from the task that wants to
 * know.
 *
 *   L1  A look-up has a channel of its own, in its frame. Only its task touches it.
 *   L2  c-ares makes no socket, and reads or writes none, but by the functions below: they never
 *       block, and closing the channel closes them all.
 *   L3  While a look-up waits it is in poll(2)'s place, for at most as long as c-ares wants to be
 *       asked again. Whatever ends the wait ends the look-up, at any point.
 *
 * c-ares calls back from within its own functions only, and for the last time from ares_destroy().
 *
 * Several sockets are open at a time only after a server has been silent or has had to cut its
 * answer short. Then one descriptor of epoll stands for them, for one wait. All of them are tried
 * after it: whichever was not ready says so.
 *
 * Rejected: a channel for each worker, shared by its look-ups. It saves the 73 KiB of tables that a
 * channel has, and reading /etc each time; but c-ares 1.18 cannot cancel one question of a channel,
 * so a look-up that was cancelled would leave its questions and sockets behind for half a minute;
 * and somebody has to drive it who outlives those who ask.
 * Rejected: getaddrinfo() on a helper thread, which nothing can cancel.
 * Checked by: tests/unit/io/test_resolve_dns.c, tests/fuzz/fuzz_resolve.c */
#include "io/resolve.h"

#include <ares.h>
#include <netdb.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>

#include <ravel/io.h>

#include "base/check.h"
#include "io/call.h"
#include "sys/clock.h"
#include "sys/sock.h"

struct lookup {
    ares_channel channel;
    bool is_over;
    int status;  /* once it is over: ARES_... */
    bool heard;  /* some server has said something */
    int trouble; /* of a socket not made or connected, -errno: c-ares keeps it to itself */
    struct ares_addrinfo *found;
    char *name; /* of a reverse look-up, where it goes; it has room for name_room bytes */
    size_t name_room, name_len;
};

/* --- the sockets of c-ares --- */

static int with_errno(int64_t result)
{
    if (result >= 0)
        return (int)result;
    errno = (int)-result;
    return -1;
}

static int with_trouble(struct lookup *l, int64_t result)
{
    if (result < 0 && result != -EAGAIN)
        l->trouble = (int)result;
    return with_errno(result);
}

static ares_socket_t make_socket(int family, int type, int protocol, void *l)
{
    return with_trouble(l, rvi_sock_open(family, type, protocol));
}

static int close_socket(ares_socket_t fd, void *l)
{
    (void)l;
    return rv_close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len,
                          void *l)
{
    struct rvi_op op = rvi_op_connect(fd, addr, len);
    return with_trouble(l, rvi_op_try(&op));
}

static ares_ssize_t receive(ares_socket_t fd, void *data, size_t len, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
    struct lookup *l = arg;
    struct iovec part = {data, len};
    struct msghdr msg = {.msg_name = from,
                         .msg_namelen = from_len ? *from_len : 0,
                         .msg_iov = &part,
                         .msg_iovlen = 1};
    struct rvi_op op = {.kind = RVI_OP_RECVMSG, .fd = fd, .flags = flags, .msg = &msg};
    int n = with_errno(rvi_op_try(&op));

    if (n > 0)
        l->heard = true;
    if (n >= 0 && from_len)
        *from_len = msg.msg_namelen;
    return n;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *l)
{
    (void)l;
    struct msghdr msg = {.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)count};
    struct rvi_op op = {.kind = RVI_OP_SENDMSG, .fd = fd, .msg = &msg};
    return with_errno(rvi_op_try(&op));
}

static const struct ares_socket_functions own_sockets = {
    .asocket = make_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive,
    .asendv = send_parts,
};

/* --- what it comes to --- */

/* c-ares says "refused" for every end of all attempts that is not silence. */
static int why_none_answers(const struct lookup *l)
{
    if (l->trouble < 0 && l->trouble != -ECONNREFUSED)
        return l->trouble;
    return l->heard ? -EAGAIN : -ECONNREFUSED;
}

static int error_of(const struct lookup *l)
{
    switch (l->status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENOTFOUND:
        return -ENOENT;
    case ARES_ENODATA:
        return -ENODATA;
    case ARES_ECONNREFUSED:
        return why_none_answers(l);
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    case ARES_EFORMERR:
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
    case ARES_EREFUSED:
        return -EAGAIN;
    case ARES_EBADRESP:
        return -EBADMSG;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_EFILE: /* errno is still that of the open */
        return errno ? -errno : -EIO;
    default: /* EBADNAME, EBADSTR, EBADQUERY */
        return -EINVAL;
    }
}

static void addresses_found(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct lookup *l = arg;

    (void)timeouts;
    l->is_over = true;
    l->status = status;
    l->found = found;
}

static void name_found(void *arg, int status, int timeouts, struct hostent *host)
{
    struct lookup *l = arg;

    (void)timeouts;
    l->is_over = true;
    l->status = status;
    if (status != ARES_SUCCESS)
        return;
    l->name_len = strlen(host->h_name);
    if (l->name_len < l->name_room)
        memcpy(l->name, host->h_name, l->name_len + 1);
}

/* --- one conversation --- */

static void init_library(void)
{
    RV_CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS); /* it only counts, on Linux */
}

static int milliseconds(rv_time ns)
{
    return ns >= INT32_MAX * RV_MILLISECOND ? INT32_MAX : (int)((ns - 1) / RV_MILLISECOND + 1);
}

static int begin(struct lookup *l, const struct rv_resolve_opts *opts)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct ares_options wanted = {.tries = (int)opts->tries};
    int mask = opts->tries ? ARES_OPT_TRIES : 0;

    pthread_once(&once, init_library);
    if (opts->patience_ns < 0 || opts->tries > INT32_MAX)
        return -EINVAL;
    if (opts->patience_ns > 0) {
        wanted.timeout = milliseconds(opts->patience_ns);
        mask |= ARES_OPT_TIMEOUTMS;
    }
    errno = 0;
    l->status = ares_init_options(&l->channel, &wanted, mask);
    if (l->status != ARES_SUCCESS)
        return error_of(l);
    ares_set_socket_functions(l->channel, &own_sockets, l);
    if (opts->servers) {
        l->status = ares_set_servers_ports_csv(l->channel, opts->servers);
        if (l->status != ARES_SUCCESS)
            ares_destroy(l->channel);
    }
    return error_of(l);
}

static void end(struct lookup *l)
{
    ares_destroy(l->channel);
    if (l->found)
        ares_freeaddrinfo(l->found);
}

static size_t list_sockets(struct lookup *l, struct pollfd *fds)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    unsigned wanted = (unsigned)ares_getsock(l->channel, sockets, ARES_GETSOCK_MAXNUM);
    size_t count = 0;

    /* c-ares's macros for this shift into the sign. */
    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        int events = (wanted >> i & 1 ? POLLIN : 0) |
                     (wanted >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0);
        if (events)
            fds[count++] = (struct pollfd){.fd = sockets[i], .events = (short)events};
    }
    return count;
}

/* When c-ares wants to try again. */
static rv_time next_try(struct lookup *l)
{
    struct timeval left;

    if (!ares_timeout(l->channel, NULL, &left))
        return RV_NEVER;
    return rv_after(left.tv_sec * RV_SECOND + left.tv_usec * RV_MICROSECOND);
}

static void go_on(struct lookup *l, const struct pollfd *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ares_process_fd(l->channel, fds[i].fd, fds[i].fd);
    ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* what is due */
}

static int converse(struct lookup *l, rv_time deadline)
{
    while (!l->is_over) {
        struct pollfd fds[ARES_GETSOCK_MAXNUM];
        size_t count = list_sockets(l, fds);
        rv_time again = next_try(l);
        int r = rvi_io_poll_any(fds, count, RVI_WHY_NAME, again < deadline ? again : deadline);
        if (r < 0 && (r != -ETIME || again >= deadline))
            return r;
        go_on(l, fds, count);
    }
    return error_of(l);
}

/* --- the two questions --- */

static int take_address(const struct ares_addrinfo_node *node, uint16_t port, struct rv_addr *ret)
{
    struct rv_addr addr = {.len = node->ai_addrlen};

    memcpy(&addr.storage, node->ai_addr, node->ai_addrlen);
    *ret = addr;
    return rv_addr_set_port(ret, port);
}

static int take_addresses(const struct ares_addrinfo *found, uint16_t port, struct rv_addr *addrs,
                          size_t room)
{
    size_t count = 0;
    int r = 0;

    for (struct ares_addrinfo_node *n = found->nodes; n && count < room && r == 0; n = n->ai_next)
        r = take_address(n, port, &addrs[count++]);
    return r < 0 ? r : count > 0 ? (int)count : -ENODATA;
}

int rvi_resolve_ask(const char *host, uint16_t port, struct rv_addr *addrs, size_t room,
                    const struct rv_resolve_opts *opts, rv_time deadline)
{
    const struct ares_addrinfo_hints hints = {.ai_family = opts->family};
    struct lookup l = {0};
    int r = begin(&l, opts);

    if (r < 0)
        return r;
    ares_getaddrinfo(l.channel, host, NULL, &hints, addresses_found, &l);
    r = converse(&l, deadline);
    if (r == 0)
        r = take_addresses(l.found, port, addrs, room);
    end(&l);
    return r;
}

int rvi_resolve_ask_name(const struct rv_addr *addr, char *name, size_t room,
                         const struct rv_resolve_opts *opts, rv_time deadline)
{
    struct lookup l = {.name = name, .name_room = room};
    const void *bytes = &addr->in.sin_addr;
    int r = begin(&l, opts), size = sizeof(addr->in.sin_addr);

    if (r < 0)
        return r;
    if (addr->sa.sa_family == AF_INET6) {
        bytes = &addr->in6.sin6_addr;
        size = sizeof(addr->in6.sin6_addr);
    }
    ares_gethostbyaddr(l.channel, bytes, size, addr->sa.sa_family, name_found, &l);
    r = converse(&l, deadline);
    end(&l);
    return r < 0 ? r : l.name_len < room ? (int)l.name_len : -ERANGE;
}
