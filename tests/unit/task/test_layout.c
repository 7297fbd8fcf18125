/* SPDX-License-Identifier: MIT */
/* test_layout.c - the table that tells where everything lies, and the note that leads to it. */
#include "task/layout.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#include "sched/sched.h"
#include "stage.h"
#include "sys/backtrace.h"
#include "task/scope_inside.h"

static uint64_t number(const void *record, enum rvi_layout_field field)
{
    uint64_t eight = 0;

    memcpy(&eight, (const char *)record + rvi_layout.fields[field].offset,
           rvi_layout.fields[field].bytes);
    return eight;
}

static void each_field_is_a_number_inside_its_record(void **state)
{
#define RECORD_OF(record, member, name) RVI_RECORD_##record,
    static const uint8_t records[] = {RVI_LAYOUT(RVI_LAYOUT_NO_RECORD, RECORD_OF)};

    (void)state;
    for (unsigned i = 0; i < RVI_LAYOUT_FIELDS; i++) {
        unsigned bytes = rvi_layout.fields[i].bytes;
        assert_true(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
        assert_true(rvi_layout.fields[i].offset + bytes <= rvi_layout.records[records[i]]);
    }
}

static void it_says_whose_it_is(void **state)
{
    (void)state;
    assert_int_equal(rvi_layout.magic, RVI_LAYOUT_MAGIC);
    assert_memory_equal(&rvi_layout.magic, "rvlayout", 8);
    assert_int_equal(rvi_layout.bytes, sizeof rvi_layout);
    assert_string_equal(rvi_layout.version, rv_version());
    assert_ptr_equal(rvi_layout.scheds, &rvi_scheds);
}

static int look_at_myself(void *arg)
{
    const struct rvi_task *self = rvi_task_self();
    const struct rvi_worker *w = rvi_worker_self();
    rv_scope *scope;

    (void)arg;
    assert_int_equal(rv_scope_open(&scope, NULL), 0);
    assert_int_equal(number(self, RVI_AT_TASK_ID), self->id);
    assert_int_equal(number(self, RVI_AT_TASK_STATE), RVI_TASK_RUNNING);
    assert_int_equal(number(self, RVI_AT_TASK_HOME), (uintptr_t)w);
    assert_int_equal(number(self, RVI_AT_TASK_SCOPES), (uintptr_t)scope);
    assert_int_equal(number(scope, RVI_AT_SCOPE_OWNER), (uintptr_t)self);
    assert_int_equal(number(w, RVI_AT_WORKER_SCHED), (uintptr_t)rvi_scheds);
    assert_int_equal(number(w->slab.chunks, RVI_AT_CHUNK_END), (uintptr_t)w->slab.chunks->end);
    assert_int_equal(number(rvi_scheds, RVI_AT_SCHED_FIRST_TASK), (uintptr_t)self);
    return rv_scope_close(scope);
}

static void its_numbers_are_those_of_the_structures(void **state)
{
    (void)state;
    assert_int_equal(rv_run(look_at_myself, NULL, NULL), 0);
}

/* --- the note --- */

static void look_through(const char *at, const char *end, unsigned *count)
{
    ElfW(Nhdr) note;

    for (; at < end;
         at += sizeof note + ((note.n_namesz + 3) & ~3U) + ((note.n_descsz + 3) & ~3U)) {
        int32_t distance;
        memcpy(&note, at, sizeof note);
        const char *content = at + sizeof note + ((note.n_namesz + 3) & ~3U);
        if (strcmp(at + sizeof note, RVI_LAYOUT_OWNER) != 0)
            continue;
        assert_int_equal(note.n_type, RVI_LAYOUT_NOTE);
        memcpy(&distance, content, sizeof distance);
        assert_ptr_equal(content + distance, &rvi_layout);
        (*count)++;
    }
}

/* The first is the program itself. */
static int find_notes(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const char *at = (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr); /* NOLINT */
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            look_through(at, at + info->dlpi_phdr[i].p_memsz, arg);
    }
    return 1;
}

static void a_note_of_the_program_leads_to_it(void **state)
{
    unsigned count = 0;

    (void)state;
    dl_iterate_phdr(find_notes, &count);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_field_is_a_number_inside_its_record),
        cmocka_unit_test(it_says_whose_it_is),
        cmocka_unit_test(its_numbers_are_those_of_the_structures),
        cmocka_unit_test(a_note_of_the_program_leads_to_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
