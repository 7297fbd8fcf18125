/* SPDX-License-Identifier: MIT */
/* options.c - what the command line of the servers says. */
#include "options.h"

#include "files.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { GO_ON = -1, BAD_USAGE = 2, MOST_WORKERS = 1024 };

static const char help[] =
    "usage: %s [options] [DIRECTORY]\n"
    "\n"
    "Serve the files below DIRECTORY (here) by HTTP/1.1. Names that begin with a dot\n"
    "are not served, nor is anything outside, whatever links say.\n"
    "\n"
    "  --listen ADDR    default: 127.0.0.1:8080; port 0 lets the kernel choose\n"
    "%s"
    "  --max N          connections at a time, others are told 503; default: 100000\n"
    "  --head-ms N      time for a client to send a request; default: 10000\n"
    "  --idle-ms N      time until it begins its next one; default: 60000\n"
    "  --send-ms N      time for it to take 256 KiB of an answer; default: 30000\n"
    "  --drain-ms N     time for answers to end after SIGTERM; default: 30000\n"
    "  --hello          answer /hello from memory\n"
    "  --log            a line on standard output for each answer\n"
    "  --help, --version\n"
    "\n"
    "It prints the address it listens on. SIGTERM and SIGINT let the answers on the\n"
    "way end, and then it ends with 0; 1 means failure, 2 bad usage.\n";

static const char help_tasks[] =
    "  --cert FILE      serve https by this certificate and those behind it, in PEM\n"
    "  --key FILE       its private key\n"
    "  --workers N      threads; default: the usable cores\n";

static const struct option long_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"workers", required_argument, NULL, 'w'},
    {"cert", required_argument, NULL, 'c'},
    {"key", required_argument, NULL, 'k'},
    {"max", required_argument, NULL, 'm'},
    {"head-ms", required_argument, NULL, 'H'},
    {"idle-ms", required_argument, NULL, 'I'},
    {"send-ms", required_argument, NULL, 'S'},
    {"drain-ms", required_argument, NULL, 'D'},
    {"hello", no_argument, NULL, 'e'},
    {"log", no_argument, NULL, 'g'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int take_number(unsigned *ret, const char *program, const char *option, unsigned most)
{
    char *end;
    unsigned long value = strtoul(optarg, &end, 10);
    if (optarg[0] >= '0' && optarg[0] <= '9' && !*end && value >= 1 && value <= most) {
        *ret = (unsigned)value;
        return GO_ON;
    }
    fprintf(stderr, "%s: --%s takes a number from 1 to %u, not '%s'\n", program, option, most,
            optarg);
    return BAD_USAGE;
}

static int take_time(rv_time *ret, const char *program, const char *option)
{
    unsigned ms = 0;
    int status = take_number(&ms, program, option, 86400000);
    *ret = ms * RV_MILLISECOND;
    return status;
}

static int parse_one(struct options *o, int option, const char *name)
{
    switch (option) {
    case 'l':
        o->listen = optarg;
        return GO_ON;
    case 'w':
        return take_number(&o->workers, o->program, name, MOST_WORKERS);
    case 'c':
        o->cert = optarg;
        return GO_ON;
    case 'k':
        o->key = optarg;
        return GO_ON;
    case 'm':
        return take_number(&o->site.most, o->program, name, 1 << 30);
    case 'H':
        return take_time(&o->site.head_ns, o->program, name);
    case 'I':
        return take_time(&o->site.idle_ns, o->program, name);
    case 'S':
        return take_time(&o->site.send_ns, o->program, name);
    case 'D':
        return take_time(&o->drain_ns, o->program, name);
    case 'e':
        o->site.hello = "Hello, World!\n";
        return GO_ON;
    case 'g':
        o->site.log = true;
        return GO_ON;
    case 'v':
        printf("%s, an example of Ravel %s\n", o->program, rv_version());
        return 0;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

int options_parse(struct options *o, int argc, char **argv, bool threads)
{
    int option, index = 0, status = GO_ON;

    *o = (struct options){
        .program = threads ? "httpd_threads" : "httpd",
        .listen = "127.0.0.1:8080",
        .root = ".",
        .drain_ns = 30 * RV_SECOND,
        .site = SITE_DEFAULTS,
    };
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == 'h') {
            printf(help, o->program, threads ? "" : help_tasks);
            return 0;
        }
        status = parse_one(o, option, long_options[index].name);
    }
    if (status != GO_ON)
        return status;
    if (!o->cert != !o->key || (o->cert && threads)) {
        fprintf(stderr, "%s: --cert and --key go together%s\n", o->program,
                threads ? ", and not with threads" : "");
        return BAD_USAGE;
    }
    if (optind < argc)
        o->root = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "%s: one directory at a time; what is '%s'?\n", o->program, argv[optind]);
        return BAD_USAGE;
    }
    return GO_ON;
}

/* Each connection is a descriptor, and may have a file open besides. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int take_signals(rv_signals **ret)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    return rv_signals_open(ret, &ends);
}

static int complain(const struct options *o, const char *what, int err)
{
    fprintf(stderr, "%s: %s: %s\n", o->program, what, strerror(-err));
    return err;
}

static int take_certificate(struct options *o)
{
    struct rv_tls_config_opts opts = {
        .size = sizeof opts,
        .cert_file = o->cert,
        .key_file = o->key,
        .alpn = "http/1.1",
    };
    struct rv_tls_flaw flaw = {"no TLS in this build"};
    int err = rv_tls_config_new(&o->tls, &opts, &flaw);
    if (err < 0)
        fprintf(stderr, "%s: %s: %s\n", o->program, o->cert, flaw.text);
    return err;
}

int options_prepare(struct options *o)
{
    raise_descriptors();
    o->site.root = files_open_root(o->root);
    if (o->site.root < 0)
        return complain(o, o->root, o->site.root);
    int err = take_signals(&o->ends);
    if (err < 0)
        return complain(o, "signals", err);
    return o->cert ? take_certificate(o) : 0;
}

void options_say_where(const struct options *o, int listener)
{
    char text[RV_ADDR_TEXT];
    struct rv_addr addr;
    if (rv_addr_local(listener, &addr) == 0 && rv_addr_format(&addr, text, sizeof text) >= 0) {
        printf("http%s://%s/\n", o->tls ? "s" : "", text);
        fflush(stdout);
    }
}
