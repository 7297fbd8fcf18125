/* SPDX-License-Identifier: MIT */
/* report_html.c - the report as one page that needs no other file and no network.
 *
 * The steps are a table, a column a thread. Each step is a button: chosen by a click or by the
 * arrow keys, it shows its source and marks every other step on the same object. Colours follow the
 * reader's choice of light or dark. Without scripts the page reads as the text report does.
 *
 * Checked by: tests/cli/test_check.py */
#include "check/driver/report.h"

#include <inttypes.h>
#include <string.h>

#include "check/driver/json.h"
#include "check/driver/words.h"

static const char style[] =
    ":root{color-scheme:light dark;--fg:#1c1e21;--bg:#fff;--soft:#5d6470;--line:#d9dde3;"
    "--card:#f5f6f8;--bad:#b3261e;--mark:#fff2c4;--on:#0b57d0}"
    "@media(prefers-color-scheme:dark){:root{--fg:#e6e8eb;--bg:#15171a;--soft:#9aa3af;"
    "--line:#343a42;--card:#1e2126;--bad:#ff8a80;--mark:#4a3d10;--on:#8ab4f8}}"
    "*{box-sizing:border-box}"
    "body{margin:0 auto;padding:1.5rem;max-width:90rem;font:15px/1.5 system-ui,sans-serif;"
    "color:var(--fg);background:var(--bg)}"
    "h1{font-size:1.5rem;margin:0;color:var(--bad)}h1.fine{color:inherit}h2{font-size:1.15rem}"
    "code,pre,td,th{font-family:ui-monospace,monospace;font-size:13px}"
    ".soft{color:var(--soft)}pre{background:var(--card);padding:.7rem;overflow-x:auto;margin:.3rem "
    "0}"
    ".wide{overflow-x:auto}table{border-collapse:collapse}"
    "th{text-align:left;position:sticky;top:0;background:var(--bg)}"
    "th,td{padding:.1rem .5rem;border-left:1px solid var(--line);white-space:nowrap;"
    "vertical-align:top}"
    "button{font:inherit;color:inherit;background:none;border:1px solid transparent;"
    "border-radius:4px;padding:.05rem .35rem;text-align:left;cursor:pointer;width:100%}"
    "button:hover{border-color:var(--line)}button:focus-visible{outline:2px solid var(--on)}"
    "button[aria-pressed=true]{background:var(--on);color:var(--bg)}"
    "button.same{background:var(--mark)}"
    ".detail{position:sticky;bottom:0;background:var(--card);border:1px solid var(--line);"
    "padding:.6rem .8rem;min-height:4.2rem}";

static const char script[] =
    "for(const t of document.querySelectorAll('table.steps')){"
    "const all=[...t.querySelectorAll('button')],d=t.parentNode.nextElementSibling;"
    "const show=b=>{for(const o of all){o.setAttribute('aria-pressed',o===b);"
    "o.classList.toggle('same',o!==b&&o.dataset.object!==''&&o.dataset.object===b.dataset.object)}"
    "d.textContent='';const p=document.createElement('div');"
    "p.textContent=b.dataset.thread+', step '+b.dataset.step+': '+b.dataset.where;"
    "const c=document.createElement('pre');c.textContent=b.dataset.text;d.append(p,c)};"
    "all.forEach((b,i)=>{b.addEventListener('click',()=>show(b));"
    "b.addEventListener('keydown',e=>{const n=e.key==='ArrowDown'?all[i+1]:"
    "e.key==='ArrowUp'?all[i-1]:e.key==='Home'?all[0]:e.key==='End'?all[all.length-1]:null;"
    "if(n){e.preventDefault();n.focus();show(n)}})});"
    "if(all.length)show(all[all.length-1])}";

static void put(FILE *file, const char *before, const char *text, const char *after)
{
    fputs(before, file);
    ck_put_html(file, text);
    fputs(after, file);
}

static void put_place(FILE *file, const struct ck_source *source)
{
    ck_put_html(file, source->line ? source->path : source->file);
    if (source->line)
        fprintf(file, ":%u", source->line);
    if (source->function[0])
        put(file, " in ", source->function, "");
}

static void put_line(FILE *file, const struct ck_story_line *line)
{
    char who[32];

    ck_story_thread_name(line->thread, who, sizeof who);
    put(file, "<p><strong>", who, "</strong> ");
    put(file, "", line->words, " <span class=soft>");
    put_place(file, &line->source);
    fputs("</span></p>\n", file);
    if (line->source.text[0])
        put(file, "<pre>", line->source.text, "</pre>\n");
}

static void put_button(FILE *file, const struct ck_story *story, const struct ck_story_step *step)
{
    const char *name = "";

    for (size_t i = 0; i < story->thread_count; i++) {
        if (story->threads[i].id == step->thread)
            name = story->threads[i].name;
    }
    put(file, "<button type=button aria-pressed=false data-thread=\"", name, "\"");
    fprintf(file, " data-step=\"%" PRIu64 "\"", step->step);
    put(file, " data-object=\"", step->object, "\" data-where=\"");
    put_place(file, &step->source);
    put(file, "\" data-text=\"", step->source.text, "\">");
    if (step->source.line)
        fprintf(file, "<span class=soft>%u</span> ", step->source.line);
    put(file, "", ck_words_op(step->op), " ");
    ck_put_html(file, step->object);
    if (step->times > 1)
        fprintf(file, " \xc3\x97%" PRIu32, step->times);
    if (step->is_timed_out || step->is_blocked)
        fputs(step->is_timed_out ? " (time-out)" : " (waits)", file);
    fputs("</button>", file);
}

static void put_skipped(FILE *file, const struct ck_story *story, uint32_t skipped)
{
    if (skipped)
        fprintf(file,
                "<tr><td colspan=%zu class=soft>\xe2\x80\xa6 %" PRIu32 " more steps</td></tr>\n",
                story->thread_count, skipped);
}

static void put_row(FILE *file, const struct ck_story *story, const struct ck_story_step *step)
{
    fputs("<tr>", file);
    for (size_t i = 0; i < story->thread_count; i++) {
        fputs("<td>", file);
        if (story->threads[i].id == step->thread)
            put_button(file, story, step);
        fputs("</td>", file);
    }
    fputs("</tr>\n", file);
}

static void put_table(FILE *file, const struct ck_story *story)
{
    if (story->step_count == 0)
        return;
    fputs("<div class=wide><table class=steps><thead><tr>", file);
    for (size_t i = 0; i < story->thread_count; i++)
        put(file, "<th scope=col>", story->threads[i].name, "</th>");
    fputs("</tr></thead><tbody>\n", file);
    for (size_t i = 0; i < story->step_count; i++) {
        put_skipped(file, story, story->steps[i].skipped);
        put_row(file, story, &story->steps[i]);
    }
    put_skipped(file, story, story->skipped_after);
    fputs("</tbody></table></div>\n<div class=detail role=status aria-live=polite></div>\n", file);
}

static void put_story(FILE *file, const struct ck_story *story, const char *level)
{
    fprintf(file, "<%s>", level);
    ck_put_html(file, ck_words_kind(story->kind));
    fprintf(file, "</%s>\n", level);
    put(file, "<p>", story->text, "</p>\n");
    put(file, "<p class=soft>", ck_words_explain(story->kind), "</p>\n");
    for (size_t i = 0; i < story->line_count; i++)
        put_line(file, &story->lines[i]);
    put_table(file, story);
}

static void put_numbers(FILE *file, const struct ck_findings *found)
{
    fprintf(file,
            "<p class=soft>%" PRIu64 " schedules, %" PRIu64 " distinct, %.2f s, seed %" PRIu64,
            found->schedules, found->distinct, found->seconds, found->seed);
    if (found->failure && !found->is_replay)
        fprintf(
            file,
            "; failed in schedule %" PRIu64 " (%s, %s); %" PRIu64 " of %" PRIu64 " switches matter",
            found->failure_schedule, ck_words_strategy(found->strategy),
            ck_words_granularity(found->granularity), found->switches_left, found->switches_found);
    fputs(". Relaxed atomics are taken as sequentially consistent.</p>\n", file);
    if (found->replay_file) {
        put(file, "<p>Replay: <code>ravel check --replay ", found->replay_file, "");
        if (found->expected_file)
            put(file, " --expect-output ", found->expected_file, "");
        fputs("</code></p>\n", file);
    }
}

void ck_report_html(FILE *file, const struct ck_findings *found)
{
    fputs("<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
          "<meta name=viewport content=\"width=device-width,initial-scale=1\">",
          file);
    put(file, "<title>ravel check: ", found->command[0], "</title>\n");
    fprintf(file, "<style>%s</style></head>\n<body>\n", style);
    if (found->failure)
        put_story(file, found->failure, "h1");
    else
        fprintf(file, "<h1 class=fine>not found in %" PRIu64 " schedules</h1>\n", found->schedules);
    put_numbers(file, found);
    if (found->last_words && found->last_words[0])
        put(file, "<h2>It said</h2><pre>", found->last_words, "</pre>\n");
    if (found->aside_count)
        fputs("<h2>In schedules that went on</h2>\n", file);
    for (size_t i = 0; i < found->aside_count; i++)
        put_story(file, found->asides[i].story, "h2");
    fprintf(file, "<script>%s</script>\n</body></html>\n", script);
}
