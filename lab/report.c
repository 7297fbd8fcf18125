/* SPDX-License-Identifier: MIT */
/* report.c - the report: built up, written as JSON, read again.
 *
 * A file that is read was perhaps edited, or is of another version: whatever is missing or of the
 * wrong kind is an error that names its line and column, and what is not known is passed over.
 *
 * Checked by: tests/unit/lab/test_report.c, tests/cli/test_lab.py */
#include "lab/report.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <ravel.h>

#include "lab/json.h"

enum { FORMAT = 1, LARGEST_FILE = 16 << 20 };

/* --- the machine --- */

static void find_cpu(char *to, size_t room)
{
    char line[256];
    FILE *in = fopen("/proc/cpuinfo", "re");

    snprintf(to, room, "unknown");
    while (in && fgets(line, sizeof line, in)) {
        char *value = strstr(line, ": ");
        if (strncmp(line, "model name", 10) != 0 || !value)
            continue;
        value[strcspn(value, "\n")] = '\0';
        snprintf(to, room, "%.*s", (int)room - 1, value + 2);
        break;
    }
    if (in)
        fclose(in);
}

static void look_at(struct lab_machine *machine)
{
    struct utsname name;
    cpu_set_t usable;

    if (gethostname(machine->host, sizeof machine->host - 1) != 0)
        snprintf(machine->host, sizeof machine->host, "unknown");
    find_cpu(machine->cpu, sizeof machine->cpu);
    if (uname(&name) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "%.20s %.40s %.20s", name.sysname,
                 name.release, name.machine);
    if (sched_getaffinity(0, sizeof usable, &usable) == 0)
        machine->processors = (unsigned)CPU_COUNT(&usable);
    machine->memory_bytes = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

void lab_report_begin(struct lab_report *report, bool is_quick)
{
    time_t now = time(NULL);
    struct tm utc;

    *report = (struct lab_report){.is_quick = is_quick};
    snprintf(report->version, sizeof report->version, "%s", rv_version());
    if (gmtime_r(&now, &utc))
        strftime(report->when, sizeof report->when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    look_at(&report->machine);
}

/* --- building --- */

void lab_report_fini(struct lab_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        struct lab_result *r = &report->results[i];
        free(r->name);
        free(r->title);
        free(r->method);
        free(r->axis);
        free(r->figures);
    }
    free(report->results);
    *report = (struct lab_report){0};
}

int lab_report_add(struct lab_report *report, const char *name, const char *title,
                   const char *method, const char *axis)
{
    struct lab_result *all =
        realloc(report->results, (report->count + 1) * sizeof(struct lab_result));

    if (!all)
        return -ENOMEM;
    report->results = all;
    struct lab_result *r = &all[report->count++];
    *r = (struct lab_result){strdup(name), strdup(title), strdup(method), NULL, .count = 0};
    r->axis = axis ? strdup(axis) : NULL;
    return r->name && r->title && r->method && (r->axis || !axis) ? 0 : -ENOMEM;
}

int lab_result_add(struct lab_result *result, const struct lab_figure *figure)
{
    if (result->count == result->room) {
        size_t room = result->room * 2 + 8;
        struct lab_figure *all = realloc(result->figures, room * sizeof *all);
        if (!all)
            return -ENOMEM;
        result->figures = all;
        result->room = room;
    }
    result->figures[result->count++] = *figure;
    return 0;
}

/* --- writing --- */

static void put_text(FILE *to, const char *key, const char *text)
{
    fprintf(to, "\"%s\": ", key);
    if (text)
        lab_json_put(to, text);
    else
        fputs("null", to);
}

static void put_number(FILE *to, const char *key, double number)
{
    fprintf(to, "\"%s\": ", key);
    lab_json_put_number(to, number);
}

static void put_figure(FILE *to, const struct lab_figure *f)
{
    const struct {
        const char *key;
        double number;
    } numbers[] = {
        {"at", f->at},
        {"samples", (double)f->value.count},
        {"median", f->value.median},
        {"low", f->value.low},
        {"high", f->value.high},
        {"confidence", f->value.confidence},
        {"q1", f->value.q1},
        {"q3", f->value.q3},
    };

    fputs("        {", to);
    put_text(to, "name", f->name);
    fputs(", ", to);
    put_text(to, "unit", f->unit);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fputs(", ", to);
        put_number(to, numbers[i].key, numbers[i].number);
    }
    fprintf(to, ", \"noisy\": %s, ", f->value.is_noisy ? "true" : "false");
    put_text(to, "note", f->note);
    putc('}', to);
}

static void put_result(FILE *to, const struct lab_result *r)
{
    const char *const texts[][2] = {
        {"name", r->name}, {"title", r->title},     {"method", r->method},
        {"axis", r->axis}, {"why_not", r->why_not},
    };

    fputs("    {\n", to);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fputs("      ", to);
        put_text(to, texts[i][0], texts[i][1]);
        fputs(",\n", to);
    }
    fputs("      ", to);
    fprintf(to, "\"failed\": %s,\n      ", r->has_failed ? "true" : "false");
    put_number(to, "seconds", r->seconds);
    fputs(",\n      \"figures\": [", to);
    for (size_t i = 0; i < r->count; i++) {
        fputs(i ? ",\n" : "\n", to);
        put_figure(to, &r->figures[i]);
    }
    fputs(r->count ? "\n      ]\n    }" : "]\n    }", to);
}

static void put_machine(FILE *to, const struct lab_machine *m)
{
    fputs("  \"machine\": {", to);
    put_text(to, "host", m->host);
    fputs(", ", to);
    put_text(to, "cpu", m->cpu);
    fputs(", ", to);
    put_text(to, "kernel", m->kernel);
    fprintf(to, ", \"processors\": %u, ", m->processors);
    put_number(to, "memory_bytes", m->memory_bytes);
    fputs("},\n", to);
}

void lab_report_put_json(FILE *to, const struct lab_report *report)
{
    fprintf(to, "{\n  \"ravel_lab\": %d,\n  ", FORMAT);
    put_text(to, "version", report->version);
    fputs(",\n  ", to);
    put_text(to, "when", report->when);
    fprintf(to, ",\n  \"quick\": %s,\n  ", report->is_quick ? "true" : "false");
    put_number(to, "seconds", report->seconds);
    fputs(",\n", to);
    put_machine(to, &report->machine);
    fputs("  \"probes\": [", to);
    for (size_t i = 0; i < report->count; i++) {
        fputs(i ? ",\n" : "\n", to);
        put_result(to, &report->results[i]);
    }
    fputs(report->count ? "\n  ]\n}\n" : "]\n}\n", to);
}

/* --- reading --- */

/* What a file lacks is noted once; all later looks then find nothing to do. */
struct look {
    const char *path;
    char *why;
    size_t why_room;
    int err;
};

static void lacks(struct look *l, const struct lab_json *where, const char *key, const char *kind)
{
    if (l->err == 0)
        snprintf(l->why, l->why_room, "%s: line %u, column %u: \"%s\" should be here, %s", l->path,
                 where->line, where->column, key, kind);
    l->err = l->err ? l->err : -EINVAL;
}

static const struct lab_json *find(struct look *l, const struct lab_json *in, const char *key,
                                   enum lab_json_kind kind)
{
    static const char *const names[] = {"null",   "true or false", "true or false", "a number",
                                        "a text", "a list",        "an object"};
    const struct lab_json *m = lab_json_member(in, key);

    if (m && m->kind == kind)
        return m;
    lacks(l, m ? m : in, key, names[kind]);
    return NULL;
}

static void take_text(struct look *l, const struct lab_json *in, const char *key, char *to,
                      size_t room)
{
    const struct lab_json *m = find(l, in, key, LAB_STRING);

    snprintf(to, room, "%s", m ? m->text : "");
}

static double take_number(struct look *l, const struct lab_json *in, const char *key)
{
    const struct lab_json *m = find(l, in, key, LAB_NUMBER);

    return m ? m->number : 0;
}

static bool take_bool(struct look *l, const struct lab_json *in, const char *key)
{
    const struct lab_json *m = lab_json_member(in, key);

    if (!m || (m->kind != LAB_TRUE && m->kind != LAB_FALSE))
        return lacks(l, m ? m : in, key, "true or false"), false;
    return m->kind == LAB_TRUE;
}

static void take_figure(struct look *l, const struct lab_json *in, struct lab_result *to)
{
    const struct lab_json *at = lab_json_member(in, "at");
    struct lab_figure f = {.at = at && at->kind == LAB_NUMBER ? at->number : (double)NAN};

    take_text(l, in, "name", f.name, sizeof f.name);
    take_text(l, in, "unit", f.unit, sizeof f.unit);
    take_text(l, in, "note", f.note, sizeof f.note);
    f.value.count = (size_t)take_number(l, in, "samples");
    f.value.median = take_number(l, in, "median");
    f.value.low = take_number(l, in, "low");
    f.value.high = take_number(l, in, "high");
    f.value.confidence = take_number(l, in, "confidence");
    f.value.q1 = take_number(l, in, "q1");
    f.value.q3 = take_number(l, in, "q3");
    f.value.is_noisy = take_bool(l, in, "noisy");
    if (l->err == 0)
        l->err = lab_result_add(to, &f);
}

static void take_result(struct look *l, const struct lab_json *in, struct lab_report *to)
{
    const struct lab_json *name = find(l, in, "name", LAB_STRING);
    const struct lab_json *title = find(l, in, "title", LAB_STRING);
    const struct lab_json *method = find(l, in, "method", LAB_STRING);
    const struct lab_json *axis = lab_json_member(in, "axis");
    const struct lab_json *figures = find(l, in, "figures", LAB_ARRAY);

    if (l->err == 0)
        l->err = lab_report_add(to, name->text, title->text, method->text,
                                axis && axis->kind == LAB_STRING ? axis->text : NULL);
    if (l->err < 0)
        return;
    struct lab_result *r = &to->results[to->count - 1];
    take_text(l, in, "why_not", r->why_not, sizeof r->why_not);
    r->has_failed = take_bool(l, in, "failed");
    r->seconds = take_number(l, in, "seconds");
    for (const struct lab_json *f = figures->inside; f && l->err == 0; f = f->next)
        take_figure(l, f, r);
}

static void take_report(struct look *l, const struct lab_json *in, struct lab_report *to)
{
    double format = take_number(l, in, "ravel_lab");
    const struct lab_json *machine = find(l, in, "machine", LAB_OBJECT);
    const struct lab_json *probes = find(l, in, "probes", LAB_ARRAY);

    if (l->err == 0 && format != FORMAT)
        lacks(l, lab_json_member(in, "ravel_lab"), "ravel_lab", "1: the only format known");
    take_text(l, in, "version", to->version, sizeof to->version);
    take_text(l, in, "when", to->when, sizeof to->when);
    to->is_quick = take_bool(l, in, "quick");
    to->seconds = take_number(l, in, "seconds");
    if (l->err < 0)
        return;
    take_text(l, machine, "host", to->machine.host, sizeof to->machine.host);
    take_text(l, machine, "cpu", to->machine.cpu, sizeof to->machine.cpu);
    take_text(l, machine, "kernel", to->machine.kernel, sizeof to->machine.kernel);
    to->machine.processors = (unsigned)take_number(l, machine, "processors");
    to->machine.memory_bytes = take_number(l, machine, "memory_bytes");
    for (const struct lab_json *p = probes->inside; p && l->err == 0; p = p->next)
        take_result(l, p, to);
}

static int read_whole(const char *path, char **ret)
{
    char block[4096];
    size_t count, bytes;
    FILE *in = fopen(path, "re");
    FILE *to = in ? open_memstream(ret, &bytes) : NULL;
    int err = to ? 0 : -errno;

    while (err == 0 && (count = fread(block, 1, sizeof block, in)) > 0) {
        fwrite(block, 1, count, to);
        if (memchr(block, 0, count) || ftell(to) > LARGEST_FILE)
            err = -EFBIG;
    }
    if (err == 0 && ferror(in))
        err = errno ? -errno : -EIO;
    if (in)
        fclose(in);
    if (to && fclose(to) != 0 && err == 0)
        err = -ENOMEM;
    return err;
}

int lab_report_read(const char *path, struct lab_report *ret, char *why, size_t why_room)
{
    struct look l = {path, why, why_room, 0};
    struct lab_json *root = NULL;
    char *text = NULL, place[LAB_WHY];
    int err = read_whole(path, &text);

    *ret = (struct lab_report){0};
    if (err < 0) {
        snprintf(why, why_room, "%s: %s", path,
                 err == -EFBIG ? "this is no report" : strerror(-err));
    } else {
        err = lab_json_read(text, &root, place, sizeof place);
        if (err < 0)
            snprintf(why, why_room, "%s: %s", path, place);
    }
    if (err == 0) {
        take_report(&l, root, ret);
        err = l.err;
    }
    if (err == -ENOMEM)
        snprintf(why, why_room, "no memory");
    if (err < 0)
        lab_report_fini(ret);
    lab_json_free(root);
    free(text);
    return err;
}

/* --- values for people --- */

int lab_unit_sense(const char *unit)
{
    static const struct {
        const char *unit;
        int sense;
    } senses[] = {{"ns", -1}, {"bytes", -1}, {"switches", -1}, {"1/s", 1}, {"x", 1}, {"", 1}};

    for (size_t i = 0; i < sizeof senses / sizeof senses[0]; i++) {
        if (strcmp(unit, senses[i].unit) == 0)
            return senses[i].sense;
    }
    return 0;
}

/* Three digits, or all of a whole number; those before the point in groups. */
static void put_digits(char *to, size_t room, double value, bool is_whole)
{
    char digits[64];
    size_t count, out = 0;
    double size = fabs(value);
    int behind = size >= 100 || size == 0 || is_whole ? 0 : size >= 10 ? 1 : 2;

    while (size > 0 && size < 0.0995 && behind < 8) { /* small ones have digits as well */
        size *= 10;
        behind++;
    }

    snprintf(digits, sizeof digits, "%.*f", behind, value);
    count = strcspn(digits, ".");
    for (size_t i = 0; digits[i] && out + 2 < room; i++) {
        if (i > 0 && i < count && (count - i) % 3 == 0 && digits[i - 1] != '-')
            to[out++] = ',';
        to[out++] = digits[i];
    }
    to[out] = '\0';
}

static double scale(double value, size_t most, double step, size_t *at)
{
    for (*at = 0; *at < most && fabs(value) >= step * 0.9995; (*at)++)
        value /= step;
    return value;
}

void lab_put_value(char *to, size_t room, double value, const char *unit)
{
    static const char *const times[] = {"ns", "µs", "ms", "s"};
    static const char *const sizes[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    char digits[48];
    size_t at = 0;
    const char *word = unit;

    if (strcmp(unit, "ns") == 0) {
        value = scale(value, 3, 1000, &at);
        word = times[at];
    } else if (strcmp(unit, "bytes") == 0) {
        value = scale(value, 4, 1024, &at);
        word = sizes[at];
    } else if (strcmp(unit, "1/s") == 0) {
        word = "/s";
    } else if (strcmp(unit, "x") == 0) {
        word = "times";
    }
    put_digits(digits, sizeof digits, value, !word[0] && value == floor(value));
    snprintf(to, room, "%s%s%s", digits, word[0] ? " " : "", word);
}

void lab_put_place(char *to, size_t room, const char *axis, double at)
{
    if (!axis || isnan(at))
        snprintf(to, room, "%s", "");
    else
        lab_put_value(to, room, at, strcmp(axis, "bytes") == 0 ? "bytes" : "");
}
