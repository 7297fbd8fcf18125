/* SPDX-License-Identifier: MIT */
/* top_draw.c - the views of `ravel top`, each drawn anew, with ncurses.
 *
 * Checked by: tests/look/test_top.py, through a pseudo-terminal */
#include "cli/top.h"

#include <ncurses.h>
#include <string.h>

#include "base/text.h"
#include "cli/look.h"
#include "look/stack.h"

enum { WORKER_LINES_MOST = 4 };

/* One line, as much of it as fits. */
__attribute__((format(printf, 2, 3))) static void put_line(int y, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (y >= LINES)
        return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    mvaddnstr(y, 0, line, COLS);
}

/* --- tasks --- */

static void put_summary(const struct top *top)
{
    size_t count[RVI_TASK_PARKED_SEEN + 1] = {0};

    for (size_t i = 0; i < top->now->task_count; i++)
        count[top->now->tasks[i].state]++;
    put_line(0, "%s: %zu tasks, %zu running, %zu ready, %zu not begun, %zu wait%s",
             top->target->program, top->now->task_count, count[RVI_TASK_RUNNING],
             count[RVI_TASK_READY], count[RVI_TASK_FRESH], count[RVI_TASK_PARKED],
             top->is_paused ? "  [stopped]" : "");
}

static void put_worker(const struct top *top, int y, const struct look_worker *w)
{
    static const char *const states[] = {"asleep", "between tasks", "runs"};
    char task[32] = "";

    if (w->task != LOOK_NONE)
        snprintf(task, sizeof task, " %llu", (unsigned long long)top->now->tasks[w->task].id);
    put_line(y, "  worker %u: %s%s; %zu ready, %zu not begun, %zu timers", w->index,
             states[w->state], task, w->ready, w->fresh, w->timers);
}

/* Returns the next line. */
static int put_workers(const struct top *top)
{
    unsigned shown = 0, count = 0;
    int y = 1;

    for (size_t i = 0; i < top->now->runtime_count; i++) {
        const struct look_runtime *runtime = &top->now->runtimes[i];
        count += runtime->worker_count;
        for (unsigned k = 0; k < runtime->worker_count && shown < WORKER_LINES_MOST; k++, shown++)
            put_worker(top, y++, &runtime->workers[k]);
    }
    if (shown < count)
        put_line(y++, "  and %u more workers", count - shown);
    return y;
}

/* That there are executors and others, of which another page tells. Returns the next line. */
static int put_things_summary(const struct top *top, int y)
{
    const struct look_things *things = &top->now->things;
    uint64_t running = 0, waiting = 0;
    size_t services = 0;

    if (!things->executor_count && !things->supervisor_count && !things->flow_count)
        return y;
    for (size_t i = 0; i < things->executor_count; i++) {
        running += things->executors[i].running;
        waiting += things->executors[i].waiting;
    }
    for (size_t i = 0; i < things->supervisor_count; i++)
        services += things->supervisors[i].service_count;
    put_line(y,
             "  executors: %zu, with %llu jobs that run and %llu that wait; services: %zu; named "
             "queues: %zu (x)",
             things->executor_count, (unsigned long long)running, (unsigned long long)waiting,
             services, things->flow_count);
    return y + 1;
}

static void add_cell(char *line, size_t room, enum top_column column, const char *cell)
{
    size_t at = strlen(line);
    int width = top_width(column);

    if (width < 0)
        snprintf(line + at, room - at, "%*s ", -width, cell);
    else
        snprintf(line + at, room - at, "%-*.*s ", width, width ? width : TOP_CELL_BYTES, cell);
}

static void put_heads(const struct top *top, int y)
{
    char line[1024] = "";

    for (enum top_column i = 0; i < TOP_COLUMNS; i++)
        add_cell(line, sizeof line, i, top_head(i));
    attron(A_REVERSE);
    put_line(y, "%-*s", COLS, line);
    attroff(A_REVERSE);
    const char *at = strstr(line, top_head(top->choice.column));
    attron(A_BOLD | A_REVERSE);
    mvaddnstr(y, (int)(at - line), top_head(top->choice.column), COLS - (int)(at - line));
    attroff(A_BOLD | A_REVERSE);
}

static void put_row(const struct top *top, int y, size_t index)
{
    char line[1024] = "", cell[TOP_CELL_BYTES];

    for (enum top_column i = 0; i < TOP_COLUMNS; i++) {
        top_cell(&top->rows, &top->rows.rows[index], i, cell);
        add_cell(line, sizeof line, i, cell);
    }
    if (index == top->line)
        attron(A_STANDOUT);
    put_line(y, "%-*s", COLS, line);
    if (index == top->line)
        attroff(A_STANDOUT);
}

static void scroll_to_mark(struct top *top)
{
    size_t height = top->list_height > 0 ? (size_t)top->list_height : 1;

    if (top->line < top->first)
        top->first = top->line;
    if (top->line >= top->first + height)
        top->first = top->line - height + 1;
    if (top->first + height > top->rows.count)
        top->first = top->rows.count > height ? top->rows.count - height : 0;
}

static void put_list(struct top *top, int y)
{
    put_heads(top, y++);
    top->list_height = LINES - 1 - y;
    scroll_to_mark(top);
    for (int i = 0; i < top->list_height && top->first + (size_t)i < top->rows.count; i++)
        put_row(top, y + i, top->first + (size_t)i);
}

static void put_gaps(const struct top *top, char *to, size_t room)
{
    to[0] = '\0';
    if (top->now->torn || top->now->lost)
        snprintf(to, room, "; torn %zu, too fast %zu", top->now->torn, top->now->lost);
}

/* What is wrong; what is typed; what there is to type. */
static void put_status(const struct top *top)
{
    char gaps[96];

    put_gaps(top, gaps, sizeof gaps);
    if (top->trouble.text[0])
        put_line(LINES - 1, "%s", top->trouble.text);
    else if (top->is_typing)
        put_line(LINES - 1, "filter: %s_", top->choice.filter);
    else if (top->choice.filter[0])
        put_line(LINES - 1, "%zu like \"%s\"%s; / another filter, h help", top->rows.count,
                 top->choice.filter, gaps);
    else
        put_line(LINES - 1, "every %.1f s%s; enter look into, < > sort, / filter, h help, q leave",
                 top->delay_ms / 1e3, gaps);
}

/* --- executors, services, queues --- */

static size_t lines_of(const char *text)
{
    size_t count = 0;

    for (const char *at = text; at && (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

static void put_things(struct top *top)
{
    struct rvi_text text = {0};

    cli_add_things(&text, &top->now->things);
    top->list_height = LINES - 1;
    size_t height = top->list_height > 0 ? (size_t)top->list_height : 1;
    top->things_lines = lines_of(text.bytes);
    if (top->things_first + height > top->things_lines)
        top->things_first = top->things_lines > height ? top->things_lines - height : 0;
    char *at = text.bytes;
    for (size_t i = 0; at && *at && i < top->things_first + height; i++) {
        size_t length = strcspn(at, "\n");
        if (i >= top->things_first)
            put_line((int)(i - top->things_first), "%.*s", (int)length, at);
        at += length + (at[length] != '\0');
    }
    if (!at)
        put_line(0, "no executors, no supervisors, no channels or queues with a name");
    rvi_text_fini(&text);
}

/* --- one task --- */

static int put_account(int y, const struct look_task *task, const struct top_row *row)
{
    char run[CLI_SPAN_BYTES], queued[CLI_SPAN_BYTES], age[CLI_SPAN_BYTES];

    if (!task->has_account) {
        put_line(y++, "no account is kept: RAVEL_ACCOUNT=1 would tell age, time and switches");
        return y;
    }
    put_line(y++, "age %s, ran %s, queued %s; %llu parks, %llu wakes, %llu yields, %llu migrations",
             cli_span(task->age_ns, age), cli_span((rv_time)task->run_ns, run),
             cli_span((rv_time)task->queued_ns, queued), (unsigned long long)task->parks,
             (unsigned long long)task->wakes, (unsigned long long)task->yields,
             (unsigned long long)task->migrations);
    if (row->cpu >= 0)
        put_line(y++, "lately %.1f%% of a processor, %.0f switches a second", row->cpu,
                 row->switches);
    return y;
}

/* From the innermost outwards; a ring, or a tree that is deep, ends with the screen. */
static int put_ancestors(const struct top *top, int y, const struct look_task *task)
{
    int64_t scope = task->scope;

    for (; scope != LOOK_NONE && y < LINES - 2; y++) {
        const struct look_scope *at = &top->now->scopes[scope];
        const struct look_task *owner = &top->now->tasks[at->owner];
        put_line(y, "in scope '%s' of task %llu '%s'", at->name, (unsigned long long)owner->id,
                 owner->name);
        scope = at->outer != LOOK_NONE ? at->outer : owner->scope;
    }
    return y;
}

static void put_frames(struct top *top, int y, const struct look_stack *stack)
{
    for (size_t i = 0; i < stack->count && y < LINES - 1; i++, y++) {
        struct rvi_text text = {0};
        struct rvi_frame frame;
        rvi_backtrace_frame(top->backtracer, stack->pcs[i], &frame);
        rvi_frame_add(&text, &frame);
        put_line(y, "  #%-3zu %s", i, text.bytes ? text.bytes : "?");
        rvi_text_fini(&text);
    }
}

static void put_backtrace(struct top *top, int y, const struct look_task *task)
{
    struct look_trouble trouble;
    struct look_stack stack;

    if (!top->backtracer)
        top->backtracer = look_backtracer(top->target);
    if (!top->backtracer || !rvi_backtracer_is_exact(top->backtracer))
        put_line(y, "no backtrace: elfutils' libdw is not there");
    else if (look_stack(top->target, top->now, task, top->backtracer, &stack, &trouble) < 0)
        put_line(y, "no backtrace: %s", trouble.text);
    else
        put_frames(top, y, &stack);
}

static void put_one(struct top *top)
{
    const struct top_row *row = top_find(&top->rows, top->runtime, top->id);
    char span[CLI_SPAN_BYTES];
    int y = 0;

    if (!row) {
        put_line(0, "task %llu has ended, or the filter leaves it out",
                 (unsigned long long)top->id);
        return;
    }
    const struct look_task *task = row->task;
    bool waits = !task->is_torn && task->state == RVI_TASK_PARKED;
    put_line(y++, "task %llu '%s', started in %s at %s:%u", (unsigned long long)task->id,
             task->name, task->site->func, task->site->file, task->site->line);
    if (waits)
        put_line(y++, "waits for %s since %s, on worker %d", rvi_why_word(task->why),
                 cli_span(task->waiting_ns, span), (int)task->worker);
    else
        put_line(y++, "%s", look_state_word(task));
    y = put_account(y, task, row);
    y = put_ancestors(top, y, task);
    put_backtrace(top, y + 1, task);
}

/* --- all of it --- */

static void put_help(void)
{
    static const char *const lines[] = {
        "arrows, page up and down, home, end   move",
        "enter    look into the task that is marked; escape, q or enter: back",
        "< >      sort by the column to the left, to the right",
        "r        sort the other way round",
        "/        show only what has these letters in name, state, reason, scope or file",
        "space    stop looking, go on",
        "+ -      look less often, more often",
        "x        executors and their processes, services, named channels and queues; x: back",
        "q        leave",
        "",
        "%CPU and SWITCH/S are since the look before; they and AGE are known of programs that keep",
        "accounts: RAVEL_ACCOUNT=1",
    };

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        put_line((int)i, "%s", lines[i]);
}

void top_draw(struct top *top)
{
    erase();
    if (top->view == VIEW_HELP) {
        put_help();
    } else if (top->view == VIEW_TASK) {
        put_one(top);
    } else if (top->view == VIEW_THINGS) {
        put_things(top);
    } else {
        put_summary(top);
        put_list(top, put_things_summary(top, put_workers(top)));
    }
    put_status(top);
    refresh();
}
