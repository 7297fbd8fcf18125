/* SPDX-License-Identifier: MIT */
/* main.c - tlscat: standard input and output through TLS, and a server that answers by a file.
 *
 * As a client two tasks share one connection: one reads standard input and writes to the server,
 * the other one the reverse. As a server each connection is a task. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ravel.h>

enum { BUFFER_BYTES = 16 << 10, SESSION_BYTES = 16 << 10 };

static struct {
    struct rv_tls_config_opts config;
    const char *name;    /* who the server has to be; NULL: the host */
    const char *session; /* a file to resume from and to remember in */
    const char *address;
    const char *answer; /* of the server: a file */
} options = {.config = {.size = sizeof(options.config)}};

static int complain(const char *what, int err, const struct rv_tls_flaw *flaw)
{
    fprintf(stderr, "tlscat: %s: %s\n", what, flaw && *flaw->text ? flaw->text : strerror(-err));
    return err;
}

/* --- the client --- */

static int send_input(void *tls)
{
    char buf[BUFFER_BYTES];
    ssize_t n;
    while ((n = rv_read(STDIN_FILENO, buf, sizeof(buf), RV_NEVER)) > 0) {
        struct rv_writer out;
        rv_writer_init(&out, rv_tls_stream(tls), NULL, 0);
        int r = rv_writer_write(&out, buf, (size_t)n, RV_NEVER);
        if (r >= 0)
            r = rv_writer_flush(&out, RV_NEVER);
        rv_writer_fini(&out);
        if (r < 0)
            return r;
    }
    return n < 0 ? (int)n : rv_tls_shutdown(tls, RV_NEVER);
}

static int print_output(void *tls)
{
    char buf[BUFFER_BYTES];
    ssize_t n;
    while ((n = rv_tls_read(tls, buf, sizeof(buf), RV_NEVER)) > 0) {
        int r = rv_write_all(STDOUT_FILENO, buf, (size_t)n, NULL, RV_NEVER);
        if (r < 0)
            return r;
    }
    return (int)n;
}

static void say_what_was_agreed_on(rv_tls *tls)
{
    struct rv_tls_info info = {.size = sizeof(info)};
    if (rv_tls_info_read(tls, &info) == 0)
        fprintf(stderr, "tlscat: %s, %s, alpn '%s', %s, %s\n",
                info.version == RV_TLS_1_3 ? "TLS 1.3" : "TLS 1.2", info.cipher, info.alpn,
                info.is_resumed ? "resumed" : "new", info.subject);
}

static size_t recall_session(char *session)
{
    FILE *file = options.session ? fopen(options.session, "re") : NULL;
    size_t count = file ? fread(session, 1, SESSION_BYTES, file) : 0;
    if (file)
        fclose(file);
    return count;
}

static void remember_session(rv_tls *tls)
{
    char session[SESSION_BYTES];
    ssize_t count = rv_tls_session(tls, session, sizeof(session));
    FILE *file = options.session && count > 0 ? fopen(options.session, "we") : NULL;
    if (!file)
        return;
    if (fwrite(session, 1, (size_t)count, file) != (size_t)count)
        complain(options.session, -errno, NULL);
    fclose(file);
}

/* The end of what the server says ends the connection, whatever is still to be read from standard
 * input. */
static int converse(rv_tls *tls)
{
    rv_scope *s;
    int r = rv_scope_open(&s, NULL);
    if (r < 0)
        return r;
    r = rv_go(s, send_input, tls);
    int heard = r < 0 ? r : print_output(tls);
    rv_scope_cancel(s, heard < 0 ? heard : -ECANCELED);
    r = rv_scope_close(s);
    return heard < 0 ? heard : r == -ECANCELED ? 0 : r;
}

static int talk_to_server(int fd, rv_tls_config *config, const char *host)
{
    char session[SESSION_BYTES];
    struct rv_tls_flaw flaw = {""};
    struct rv_tls_opts opts = {.size = sizeof(opts), .ret_flaw = &flaw};
    rv_tls *tls;

    opts.session_bytes = recall_session(session);
    opts.session = opts.session_bytes ? session : NULL;
    int r = rv_tls_client(&tls, fd, config, options.name ? options.name : host, &opts,
                          rv_after(10 * RV_SECOND));
    if (r < 0)
        return complain("handshake", r, &flaw);
    say_what_was_agreed_on(tls);
    r = converse(tls);
    if (r < 0) {
        snprintf(flaw.text, sizeof(flaw.text), "%s", rv_tls_error(tls));
        complain(options.address, r, &flaw);
    }
    remember_session(tls);
    rv_tls_free(tls);
    return r;
}

static int run_client(rv_tls_config *config)
{
    char host[256];
    snprintf(host, sizeof(host), "%.*s", (int)strcspn(options.address, ":"), options.address);
    int fd = rv_dial("tcp", options.address, rv_after(10 * RV_SECOND));
    if (fd < 0)
        return complain(options.address, fd, NULL);
    int r = talk_to_server(fd, config, host);
    rv_close(fd);
    return r;
}

/* --- the server --- */

static int send_answer(rv_tls *tls)
{
    char buf[BUFFER_BYTES];
    FILE *file = fopen(options.answer, "re");
    size_t count;
    ssize_t n = 0;

    if (!file)
        return -errno;
    while (n >= 0 && (count = fread(buf, 1, sizeof(buf), file)) > 0) {
        for (size_t done = 0; n >= 0 && done<count; done += n> 0 ? (size_t)n : 0)
            n = rv_tls_write(tls, buf + done, count - done, rv_after(RV_MINUTE));
    }
    fclose(file);
    return n < 0 ? (int)n : 0;
}

/* Lines up to an empty one are a question. */
static int answer_question(rv_tls *tls)
{
    struct rv_reader in;
    struct rv_line line;
    int r;

    rv_reader_init(&in, rv_tls_stream(tls), NULL, 0);
    while ((r = rv_reader_line(&in, &line, rv_after(RV_MINUTE))) > 0) {
        if (line.bytes == 0 || line.text[0] == '\r')
            break;
    }
    rv_reader_fini(&in);
    if (r > 0)
        r = send_answer(tls);
    return r < 0 ? r : rv_tls_close(tls, rv_after(RV_MINUTE));
}

static int serve(struct rv_conn *conn, void *config)
{
    struct rv_tls_flaw flaw = {""};
    const struct rv_tls_opts opts = {.size = sizeof(opts), .ret_flaw = &flaw};
    rv_tls *tls;
    int r = rv_tls_server(&tls, conn->fd, config, &opts, rv_after(10 * RV_SECOND));
    if (r < 0) {
        complain("handshake", r, &flaw);
        return 0;
    }
    r = answer_question(tls);
    if (r < 0) {
        snprintf(flaw.text, sizeof(flaw.text), "%s", rv_tls_error(tls));
        complain("connection", r, &flaw);
    } else {
        say_what_was_agreed_on(tls);
    }
    rv_tls_free(tls);
    return 0;
}

static int run_server(rv_tls_config *config)
{
    struct rv_addr addr;
    char text[RV_ADDR_TEXT];
    rv_server *server;
    int fd = rv_listen("tcp", options.address, NULL);
    if (fd < 0)
        return complain(options.address, fd, NULL);
    int r = rv_addr_local(fd, &addr);
    if (r == 0)
        r = rv_server_open(&server, &fd, 1, serve, config, NULL);
    if (r < 0) {
        rv_close(fd);
        return complain("serving", r, NULL);
    }
    rv_addr_format(&addr, text, sizeof(text));
    printf("tlscat: %s\n", text);
    fflush(stdout);
    return rv_sleep_until(RV_NEVER); /* a signal ends it */
}

/* --- the whole --- */

static int run(void *unused)
{
    struct rv_tls_flaw flaw = {""};
    rv_tls_config *config;
    (void)unused;
    int r = rv_tls_config_new(&config, &options.config, &flaw);
    if (r < 0)
        return complain("configuration", r, &flaw);
    r = options.answer ? run_server(config) : run_client(config);
    rv_tls_config_free(config);
    return r;
}

static int usage(FILE *to)
{
    fputs("usage: tlscat [options] HOST:PORT\n"
          "       tlscat [options] --cert FILE --key FILE --answer FILE ADDRESS:PORT\n"
          "Standard input to a TLS server, and what it says to standard output; or, with an\n"
          "answer, a server that sends it after each question, which ends with an empty line.\n"
          "  --ca FILE       authorities to believe, instead of the system's\n"
          "  --cert, --key   one's own certificate, with those behind it, and its key\n"
          "  --name NAME     who the server has to be, instead of HOST\n"
          "  --alpn LIST     protocols, best first: h2,http/1.1\n"
          "  --session FILE  resume from there if there is one, and remember there\n"
          "  --demand        the server demands certificates of its clients\n"
          "  --insecure      believe anyone: for tests\n",
          to);
    return to == stdout ? 0 : 2;
}

static bool take_option(int which)
{
    switch (which) {
    case 'a':
        options.config.ca_file = optarg;
        return true;
    case 'c':
        options.config.cert_file = optarg;
        return true;
    case 'k':
        options.config.key_file = optarg;
        return true;
    case 'n':
        options.name = optarg;
        return true;
    case 'p':
        options.config.alpn = optarg;
        return true;
    case 's':
        options.session = optarg;
        return true;
    case 'r':
        options.answer = optarg;
        return true;
    case 'd':
        options.config.trust = RV_TLS_VERIFY_BOTH;
        return true;
    case 'i':
        options.config.trust = RV_TLS_VERIFY_NO_ONE_INSECURE;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"ca", 1, NULL, 'a'},     {"cert", 1, NULL, 'c'},   {"key", 1, NULL, 'k'},
        {"name", 1, NULL, 'n'},   {"alpn", 1, NULL, 'p'},   {"session", 1, NULL, 's'},
        {"answer", 1, NULL, 'r'}, {"demand", 0, NULL, 'd'}, {"insecure", 0, NULL, 'i'},
        {"help", 0, NULL, 'h'},   {NULL, 0, NULL, 0},
    };
    int which;

    while ((which = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        if (which == 'h')
            return usage(stdout);
        if (!take_option(which))
            return usage(stderr);
    }
    if (optind != argc - 1)
        return usage(stderr);
    options.address = argv[optind];
    return rv_run(run, NULL, NULL) == 0 ? 0 : 1;
}
