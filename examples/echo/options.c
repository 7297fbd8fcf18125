/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { GO_ON = -1, BAD_USAGE = 2, MOST_WORKERS = 1024 };

static const char help[] =
    "usage: echo [options]\n"
    "\n"
    "Send back whatever comes.\n"
    "\n"
    "  --listen ADDR   host:port, [v6]:port or unix:PATH; several times for several;\n"
    "                  default: 127.0.0.1:7777; port 0 lets the kernel choose\n"
    "  --workers N     threads; default: the usable cores\n"
    "  --max N         connections at a time, others wait; default: no limit\n"
    "  --idle-ms N     a connection that is silent for longer ends; default: 300000\n"
    "  --send-ms N     time for a client to take what it sent; default: 30000\n"
    "  --drain-ms N    time for connections to end after SIGTERM; default: 10000\n"
    "  --help, --version\n"
    "\n"
    "It prints the addresses it listens at. SIGTERM and SIGINT let what is on its way\n"
    "back arrive, and then it ends with 0; 1 means failure, 2 bad usage.\n";

static const struct option long_options[] = {
    {"listen", required_argument, NULL, 'l'},
    {"workers", required_argument, NULL, 'w'},
    {"max", required_argument, NULL, 'm'},
    {"idle-ms", required_argument, NULL, 'I'},
    {"send-ms", required_argument, NULL, 'S'},
    {"drain-ms", required_argument, NULL, 'D'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'v'},
    {NULL, 0, NULL, 0},
};

static int take_number(unsigned *ret, const char *name, unsigned most)
{
    char *end;
    unsigned long value = strtoul(optarg, &end, 10);
    if (optarg[0] >= '0' && optarg[0] <= '9' && !*end && value >= 1 && value <= most) {
        *ret = (unsigned)value;
        return GO_ON;
    }
    fprintf(stderr, "echo: --%s takes a number from 1 to %u, not '%s'\n", name, most, optarg);
    return BAD_USAGE;
}

static int take_time(rv_time *ret, const char *name)
{
    unsigned ms = 0;
    int status = take_number(&ms, name, 86400000);
    *ret = ms * RV_MILLISECOND;
    return status;
}

static int take_place(struct options *o)
{
    if (o->place_count == MOST_PLACES) {
        fprintf(stderr, "echo: %d addresses at most; '%s' is one more\n", MOST_PLACES, optarg);
        return BAD_USAGE;
    }
    o->places[o->place_count++] = optarg;
    return GO_ON;
}

static int parse_one(struct options *o, int option, const char *name)
{
    switch (option) {
    case 'l':
        return take_place(o);
    case 'w':
        return take_number(&o->workers, name, MOST_WORKERS);
    case 'm':
        return take_number(&o->limit, name, 1 << 30);
    case 'I':
        return take_time(&o->idle_ns, name);
    case 'S':
        return take_time(&o->send_ns, name);
    case 'D':
        return take_time(&o->drain_ns, name);
    case 'h':
        fputs(help, stdout);
        return 0;
    case 'v':
        printf("echo, an example of Ravel %s\n", rv_version());
        return 0;
    default: /* getopt has complained */
        fputs("Try --help.\n", stderr);
        return BAD_USAGE;
    }
}

int options_parse(struct options *o, int argc, char **argv)
{
    int option, index = 0, status = GO_ON;

    *o = (struct options){
        .idle_ns = 300 * RV_SECOND, .send_ns = 30 * RV_SECOND, .drain_ns = 10 * RV_SECOND};
    while (status == GO_ON && (option = getopt_long(argc, argv, "", long_options, &index)) != -1)
        status = parse_one(o, option, long_options[index].name);
    if (status != GO_ON)
        return status;
    if (optind < argc) {
        fprintf(stderr, "echo: what is '%s'?\n", argv[optind]);
        return BAD_USAGE;
    }
    if (o->place_count == 0)
        o->places[o->place_count++] = "127.0.0.1:7777";
    return GO_ON;
}
