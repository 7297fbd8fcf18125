/* SPDX-License-Identifier: MIT */
/* cmd_advise.c - `ravel advise`: measures one job of a program on each tier, or a command, and says
 * where it should run.
 *
 * A program is started with RAVEL_ADVISE in its environment, and plays its part in place of main()
 * (src/exec/advise_main.c); its lines come through a pipe. A program that is not of Ravel would run
 * its main() instead, so it is looked at first: the variable's name has to be in it, or
 * libravel.so among what it needs.
 *
 * Checked by: tests/cli/test_advise.py */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/driver/elf_file.h"
#include "cli/cli.h"
#include "lab/advise.h"
#include "lab/bench.h"
#include "lab/page.h"
#include "lab/table.h"

extern char **environ;

enum { SAMPLES_MOST = 32, MOST_USUAL = 64, LINE = 512, COMMAND_SAMPLES = 5 };

enum { FIRST = 256, JOB, INPUT, JOBS, MOST, QUICK, JSON, HTML, HELP };

static const struct option names[] = {
    {"job", required_argument, NULL, JOB},
    {"input", required_argument, NULL, INPUT},
    {"jobs", no_argument, NULL, JOBS},
    {"most", required_argument, NULL, MOST},
    {"quick", no_argument, NULL, QUICK},
    {"json", no_argument, NULL, JSON},
    {"html", required_argument, NULL, HTML},
    {"help", no_argument, NULL, HELP},
    {0},
};

static const char usage[] =
    "usage: ravel advise [options] --job NAME --input FILE PROGRAM\n"
    "       ravel advise --jobs PROGRAM\n"
    "       ravel advise [options] -- COMMAND [ARGS]\n"
    "\n"
    "Runs a job of a program of Ravel's on each tier, or a command several times at once, and "
    "says\n"
    "where it should run, with how many workers, and why.\n"
    "\n"
    "  --job NAME     as in RV_JOB(NAME, ...)\n"
    "  --input FILE   sample inputs: as many of the job's input structure as one likes, as bytes\n"
    "  --jobs         the jobs that the program has registered, and the bytes of input and result\n"
    "  --most N       try no more workers than N (64; of a command, four a processor)\n"
    "  --quick        fewer and shorter samples\n"
    "  --json         figures and advice as JSON\n"
    "  --html FILE    figures and advice as a page with plots; works without a network\n"
    "\n"
    "With RAVEL_CLUSTER in the environment a job goes to that cluster too; its workers are to run\n"
    "the program: ravel worker PROGRAM.\n"
    "The job and the command are really run, many times. A command's output is thrown away.\n"
    "\n"
    "Exit status: 0 there is advice, 1 it is not known, 2 it could not be measured.\n"
    "Manual page: ravel-advise(1).\n";

struct advise_opts {
    const char *job, *input, *program, *html;
    char **command; /* NULL: a program's job */
    unsigned most;
    bool is_listing, is_quick, json;
};

/* --- figures --- */

static int add(struct lab_result *to, const char *tier, double workers, const char *unit,
               double *samples, size_t count)
{
    struct lab_figure f = {.at = workers, .value = lab_summarise(samples, count)};

    snprintf(f.name, sizeof f.name, "%s", tier);
    snprintf(f.unit, sizeof f.unit, "%s", unit);
    return lab_result_add(to, &f);
}

static int add_one(struct lab_result *to, const char *tier, double workers, const char *unit,
                   double value)
{
    return add(to, tier, workers, unit, &value, 1);
}

/* --- a program's job --- */

/* Samples that come one by one, until something else does. */
struct samples {
    char tier[16];
    double values[SAMPLES_MOST];
    size_t count;
};

static void take_sample(struct samples *s, double value)
{
    if (s->count < SAMPLES_MOST)
        s->values[s->count++] = value;
}

struct line_reader {
    struct lab_result *result, *alone;
    bool is_listing, has_begun, has_ended;
    struct samples rates, waits;
    double job_bytes;
    char failure[LINE];
};

/* Of one job alone on a tier all are there. */
static int end_alone(struct line_reader *l)
{
    int r = l->waits.count == 0
                ? 0
                : add(l->alone, l->waits.tier, (double)NAN, "ns", l->waits.values, l->waits.count);

    l->waits.count = 0;
    return r;
}

static int take_spent(struct line_reader *l, const char *line)
{
    char tier[16];
    double workers, jobs, ns, voluntary, forced, bytes;

    if (sscanf(line, "spent %15s %lf %lf %lf %lf %lf %lf", tier, &workers, &jobs, &ns, &voluntary,
               &forced, &bytes) != 7 ||
        l->rates.count == 0)
        return 0;
    int r = add(l->result, tier, workers, "1/s", l->rates.values, l->rates.count);
    l->rates.count = 0;
    r = r < 0 ? r : add_one(l->result, tier, workers, "ns", ns / jobs);
    r = r < 0 ? r : add_one(l->result, tier, workers, "switches", (voluntary + forced) / jobs);
    return r < 0 ? r : add_one(l->result, tier, workers, "bytes", bytes);
}

static const char *words_of_error(const char *tier, int error)
{
    if (error == EBADMSG && strcmp(tier, "input") == 0)
        return "the file holds no whole inputs of this job";
    if ((error == EHOSTDOWN || error == ESTALE) && strcmp(tier, "cluster") == 0)
        return "no worker of this program is there (ravel worker PROGRAM)";
    return strerror(error);
}

static void take_failure(struct line_reader *l, const char *line)
{
    char tier[16], words[256] = "";
    double workers;
    int error;

    if (l->failure[0] ||
        sscanf(line, "failed %15s %lf %d %255[^\n]", tier, &workers, &error, words) < 3)
        return;
    snprintf(l->failure, sizeof l->failure, "%s, %.0f workers: %s", tier, workers,
             words[0] ? words : words_of_error(tier, error));
}

static int take_line(struct line_reader *l, const char *line)
{
    double workers, jobs, ns, in, out;

    l->has_begun |= strcmp(line, "program\n") == 0;
    l->has_ended |= strcmp(line, "end\n") == 0;
    if (l->is_listing && strncmp(line, "job ", 4) == 0)
        return fputs(line + 4, stdout) < 0 ? -EIO : 0;
    if (sscanf(line, "job %*s %lf %lf", &in, &out) == 2)
        l->job_bytes = in + out;
    if (sscanf(line, "alone %15s %lf", l->waits.tier, &ns) == 2)
        return take_sample(&l->waits, ns), 0;
    int r = end_alone(l);
    if (sscanf(line, "sample %*s %lf %lf %lf", &workers, &jobs, &ns) == 3)
        take_sample(&l->rates, jobs / fmax(ns, 1) * 1e9);
    take_failure(l, line);
    return r < 0 ? r : take_spent(l, line);
}

static bool has_text(const char *path, const char *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat is;
    void *all = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &is) == 0 && is.st_size > 0)
        all = mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (all == MAP_FAILED)
        return false;
    bool found = memmem(all, (size_t)is.st_size, text, strlen(text) + 1) != NULL;
    munmap(all, (size_t)is.st_size);
    return found;
}

static int judge_program(const char *program)
{
    struct ck_elf *elf;
    enum ck_elf_sort sort = ck_elf_open(program, &elf);
    bool is_ours = elf && (ck_elf_needs(elf, "libravel.so") || has_text(program, "RAVEL_ADVISE"));

    ck_elf_close(elf);
    if (sort == CK_ELF_NONE)
        return cli_unable("cannot read %s", program);
    if (sort == CK_ELF_SCRIPT || sort == CK_ELF_OTHER)
        return cli_unable("%s is no program for this machine", program);
    return is_ours ? 0
                   : cli_unable("%s is not linked with libravel, so it has no jobs (of a command: "
                                "ravel advise -- %s)",
                                program, program);
}

/* Its words, which name descriptors that it inherits. */
static int start_program(const struct advise_opts *opts, int fd, int input, pid_t *ret)
{
    char words[LINE], *program = strdup(opts->program), *argv[] = {program, NULL};

    if (!program)
        return -ENOMEM;
    snprintf(words, sizeof words, "fd=%d ms=%d samples=%d most=%u patience_ms=%d", fd,
             opts->is_quick ? 4 : 60, opts->is_quick ? 5 : 9, opts->most,
             opts->is_quick ? 1000 : 5000);
    size_t had = strlen(words);
    if (opts->job)
        snprintf(words + had, sizeof words - had, " input=%d job=%s", input, opts->job);
    setenv("RAVEL_ADVISE", words, 1);
    int r = -posix_spawn(ret, program, NULL, NULL, argv, environ);
    unsetenv("RAVEL_ADVISE");
    free(program);
    return r;
}

static int judge_end(const struct advise_opts *opts, const struct line_reader *l, int status)
{
    if (WIFSIGNALED(status))
        return cli_unable("%s was killed by signal %d, %s", opts->program, WTERMSIG(status),
                          strsignal(WTERMSIG(status)));
    if (!l->has_begun)
        return cli_unable(opts->job ? "%s has no job %s: ravel advise --jobs names them"
                                    : "%s has not answered%s",
                          opts->program, opts->job ? opts->job : "");
    if (!l->has_ended || WEXITSTATUS(status) != 0)
        return cli_unable("%s ended before it was measured", opts->program);
    if (l->failure[0] && l->result->count == 0)
        return cli_unable("%s", l->failure);
    return -1;
}

/* -1: go on. */
static int measure_job(const struct advise_opts *opts, struct lab_result *result,
                       struct lab_result *alone, double *ret_bytes)
{
    struct line_reader l = {.result = result, .alone = alone, .is_listing = opts->is_listing};
    int ends[2], status = 0, r, input = opts->input ? open(opts->input, O_RDONLY) : -1;
    char line[LINE];
    pid_t pid;

    if (opts->input && input < 0)
        return cli_unable("cannot read %s: %s", opts->input, strerror(errno));
    if (pipe(ends) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) < 0)
        return cli_unable("no pipe: %s", strerror(errno));
    r = start_program(opts, ends[1], input, &pid);
    close(ends[1]);
    if (r < 0)
        return cli_unable("cannot start %s: %s", opts->program, strerror(-r));
    FILE *in = fdopen(ends[0], "r");
    while (in && r == 0 && fgets(line, sizeof line, in))
        r = take_line(&l, line);
    if (in)
        fclose(in);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (r < 0)
        return cli_unable("%s", strerror(-r));
    snprintf(result->why_not, sizeof result->why_not, "%.190s", l.failure);
    *ret_bytes = l.job_bytes;
    return judge_end(opts, &l, status);
}

/* --- a command --- */

struct run {
    double wall_ns, cpu_ns, switches, bytes;
    unsigned failed;
};

static void bury(pid_t pid, struct run *run)
{
    struct rusage used;
    int status;

    while (wait4(pid, &status, 0, &used) < 0 && errno == EINTR) {}
    run->cpu_ns += (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e9 +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e3;
    run->switches += (double)(used.ru_nvcsw + used.ru_nivcsw);
    run->bytes = fmax(run->bytes, (double)used.ru_maxrss * 1024);
    run->failed += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int run_at_once(char **command, const posix_spawn_file_actions_t *quiet, unsigned workers,
                       struct run *ret)
{
    pid_t pids[1024];
    unsigned started = 0;
    int r = 0;
    int64_t begin = lab_now();

    *ret = (struct run){0};
    for (; started < workers && r == 0; started += r == 0)
        r = -posix_spawnp(&pids[started], command[0], quiet, NULL, command, environ);
    for (unsigned i = 0; i < started; i++)
        bury(pids[i], ret);
    ret->wall_ns = (double)(lab_now() - begin);
    return r;
}

static int measure_workers(const struct advise_opts *opts, const posix_spawn_file_actions_t *quiet,
                           unsigned workers, struct lab_result *result, double *ret_rate)
{
    double rates[COMMAND_SAMPLES], cpu[COMMAND_SAMPLES], switches[COMMAND_SAMPLES], bytes = 0;
    struct run run;
    int r = 0;

    for (int i = 0; i < COMMAND_SAMPLES; i++) {
        r = run_at_once(opts->command, quiet, workers, &run);
        if (r < 0)
            return cli_unable("cannot start %s: %s", opts->command[0], strerror(-r));
        if (run.failed)
            return cli_unable("%s failed, run %u at once", opts->command[0], workers);
        rates[i] = workers / run.wall_ns * 1e9;
        cpu[i] = run.cpu_ns / workers;
        switches[i] = run.switches / workers;
        bytes = fmax(bytes, run.bytes);
    }
    r = add(result, "processes", workers, "1/s", rates, COMMAND_SAMPLES);
    *ret_rate = lab_quantile(rates, COMMAND_SAMPLES, 0.5);
    r = r < 0 ? r : add(result, "processes", workers, "ns", cpu, COMMAND_SAMPLES);
    r = r < 0 ? r : add(result, "processes", workers, "switches", switches, COMMAND_SAMPLES);
    r = r < 0 ? r : add_one(result, "processes", workers, "bytes", bytes);
    return r < 0 ? cli_unable("%s", strerror(-r)) : -1;
}

/* As with tiers: two doublings that give little are the last. */
static int measure_command(const struct advise_opts *opts, struct lab_result *result)
{
    posix_spawn_file_actions_t quiet;
    unsigned in_vain = 0;
    double best = 0, rate = 0;
    int status = -1;

    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
    for (unsigned workers = 1; status < 0 && workers <= opts->most && in_vain < 2; workers *= 2) {
        status = measure_workers(opts, &quiet, workers, result, &rate);
        in_vain = rate > 1.1 * best ? 0 : in_vain + 1;
        best = fmax(best, rate);
    }
    posix_spawn_file_actions_destroy(&quiet);
    return status;
}

/* --- what is said --- */

static void put_advice(FILE *to, const struct advise_opts *opts, const struct lab_advice *a)
{
    char line[LINE];

    lab_advice_line(a, opts->command != NULL, line, sizeof line);
    fprintf(to, "\n%s\n", line);
    for (unsigned i = 0; i < a->count; i++)
        fprintf(to, "  %s\n", a->reasons[i]);
}

static int write_page(const struct advise_opts *opts, const struct lab_report *report,
                      const struct lab_advice *advice)
{
    FILE *file = fopen(opts->html, "we");

    if (!file)
        return cli_unable("cannot write %s: %s", opts->html, strerror(errno));
    lab_put_advice_page(file, report, advice, opts->command != NULL);
    bool is_whole = !ferror(file);
    is_whole &= fclose(file) == 0;
    return is_whole ? CLI_FINE : cli_unable("cannot write %s", opts->html);
}

static int say(const struct advise_opts *opts, const struct lab_report *report,
               const struct lab_advice *advice)
{
    if (opts->json) {
        lab_advice_put_json(stdout, report, advice);
    } else {
        lab_put_rates(stdout, report);
        put_advice(stdout, opts, advice);
    }
    if (opts->html && write_page(opts, report, advice) != CLI_FINE)
        return CLI_UNABLE;
    if (fflush(stdout) != 0)
        return cli_unable("cannot write: %s", strerror(errno));
    return advice->is_known ? CLI_FINE : CLI_FOUND;
}

static int advise(const struct advise_opts *opts, struct lab_report *report)
{
    struct lab_result *result = &report->results[0], *alone = opts->command ? NULL : result + 1;
    struct lab_surroundings here = {.processors = report->machine.processors,
                                    .memory_bytes = report->machine.memory_bytes,
                                    .is_command = opts->command != NULL};
    struct lab_advice advice;
    int64_t began = lab_now();

    if (getloadavg(&here.load, 1) != 1)
        here.load = 0;
    int status = opts->command ? measure_command(opts, result)
                               : measure_job(opts, result, alone, &here.job_bytes);
    if (status >= 0)
        return status;
    if (opts->is_listing)
        return fflush(stdout) == 0 ? CLI_FINE : CLI_UNABLE;
    report->seconds = (double)(lab_now() - began) / 1e9;
    lab_advise(result, alone, &here, &advice);
    return say(opts, report, &advice);
}

/* What was measured over the workers, and of a job also how long one alone takes. */
static int begin_report(const struct advise_opts *opts, struct lab_report *report)
{
    char title[LINE];

    snprintf(title, sizeof title, "%s%s%s", opts->command ? opts->command[0] : opts->program,
             opts->job ? ", job " : "", opts->job ? opts->job : "");
    lab_report_begin(report, opts->is_quick);
    int r = lab_report_add(report, "advise", title,
                           "Jobs a second, processor time and switches of a job with its "
                           "hand-over, and the largest process, by workers; of a cluster what is "
                           "spent here.",
                           "workers");
    if (r < 0 || opts->command)
        return r;
    return lab_report_add(report, "alone", "One job alone",
                          "From its hand-over until its result is there, nothing else being under "
                          "way: what is more than of a call is communication.",
                          NULL);
}

static int measure(const struct advise_opts *opts)
{
    struct lab_report report;
    int r = begin_report(opts, &report);
    int status = r < 0 ? cli_unable("%s", strerror(-r)) : advise(opts, &report);
    lab_report_fini(&report);
    return status;
}

/* --- options --- */

static int read_most(struct advise_opts *opts, const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end || number < 1 || number > 1024)
        return cli_unable("--most %s: a number from 1 to 1024 is expected", text);
    opts->most = (unsigned)number;
    return -1;
}

/* -1: go on. */
static int read_option(struct advise_opts *opts, int option, const char *value)
{
    switch (option) {
    case JOB:
        opts->job = value;
        return -1;
    case INPUT:
        opts->input = value;
        return -1;
    case JOBS:
        opts->is_listing = true;
        return -1;
    case MOST:
        return read_most(opts, value);
    case QUICK:
        opts->is_quick = true;
        return -1;
    case JSON:
        opts->json = true;
        return -1;
    case HTML:
        opts->html = value;
        return -1;
    case HELP:
        return fputs(usage, stdout) < 0 ? CLI_UNABLE : CLI_FINE;
    default:
        fputs("(ravel advise --help lists all options)\n", stderr);
        return CLI_UNABLE;
    }
}

static int take_rest(struct advise_opts *opts, int argc, char **argv)
{
    bool is_job = opts->job || opts->input || opts->is_listing;

    if (argc == 0)
        return cli_unable("nothing was named: ravel advise --help");
    if (!is_job) {
        opts->command = argv;
        return -1;
    }
    opts->program = argv[0];
    if (argc > 1)
        return cli_unable("%s: a job needs no arguments of its program", argv[1]);
    if (!opts->is_listing && (!opts->job || !opts->input))
        return cli_unable("--job NAME and --input FILE go together");
    if (opts->job && strpbrk(opts->job, " ="))
        return cli_unable("--job %s: no job has such a name", opts->job);
    return judge_program(opts->program) == 0 ? -1 : CLI_UNABLE;
}

int cli_advise(int argc, char **argv)
{
    struct advise_opts opts = {0};
    int status = -1, option;

    while (status < 0 && (option = getopt_long(argc, argv, "+", names, NULL)) != -1)
        status = read_option(&opts, option, optarg);
    if (status < 0)
        status = take_rest(&opts, argc - optind, argv + optind);
    if (status >= 0)
        return status;
    if (opts.most == 0)
        opts.most = opts.command ? 4 * (unsigned)sysconf(_SC_NPROCESSORS_ONLN) : MOST_USUAL;
    return measure(&opts);
}
