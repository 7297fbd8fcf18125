/* SPDX-License-Identifier: MIT */
/* test_note.c - the newest note: whole or not at all, and nobody sleeps through it. */
#include "shm/note.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static uint64_t read_note(struct rvi_note *note, uint64_t seen, char *ret_text)
{
    size_t count = 0;
    uint64_t told = rvi_note_read(note, seen, ret_text, &count);

    ret_text[told == seen ? 0 : count] = '\0';
    return told;
}

static void the_newest_is_read_once(void **state)
{
    static struct rvi_note note;
    char text[RVI_NOTE_BYTES + 1];

    (void)state;
    assert_int_equal(read_note(&note, 0, text), 0);
    rvi_note_write(&note, "one", 3);
    rvi_note_write(&note, "two", 3);
    assert_int_equal(read_note(&note, 0, text), 2);
    assert_string_equal(text, "two");
    assert_int_equal(read_note(&note, 2, text), 2);
    assert_string_equal(text, "");
    rvi_note_write(&note, NULL, 0);
    assert_int_equal(read_note(&note, 2, text), 3);
    assert_string_equal(text, "");
}

static void who_awaits_is_called_once(void **state)
{
    static struct rvi_note note;

    (void)state;
    rvi_note_write(&note, "a", 1);
    assert_false(rvi_note_calls(&note));
    rvi_note_await(&note);
    assert_true(rvi_note_calls(&note));
    assert_false(rvi_note_calls(&note));
}

/* What a writer says that has lost its mind. */
static void a_count_that_cannot_be_is_cut(void **state)
{
    static struct rvi_note note;
    unsigned char bytes[RVI_NOTE_BYTES];
    size_t count = 0;

    (void)state;
    note.pages[1].count = UINT64_MAX;
    rvi_store_relaxed(&note.told, 1);
    assert_int_equal(rvi_note_read(&note, 0, bytes, &count), 1);
    assert_int_equal(count, RVI_NOTE_BYTES);
}

/* --- with a writer in another process --- */

enum { NOTES = 20000 };

static void write_many(struct rvi_note *note)
{
    uint64_t words[RVI_NOTE_BYTES / sizeof(uint64_t)];

    for (uint64_t i = 1; i <= NOTES; i++) {
        for (size_t at = 0; at < sizeof(words) / sizeof(words[0]); at++)
            words[at] = i;
        rvi_note_write(note, words,
                       (i % (sizeof(words) / sizeof(words[0])) + 1) * sizeof(words[0]));
    }
}

static void check_whole(const uint64_t *words, size_t count, uint64_t told)
{
    assert_int_equal(count / sizeof(words[0]), told % (RVI_NOTE_BYTES / sizeof(words[0])) + 1);
    for (size_t at = 0; at < count / sizeof(words[0]); at++)
        assert_int_equal(words[at], told);
}

static void what_is_read_is_whole(void **state)
{
    struct rvi_note *note =
        mmap(NULL, sizeof(*note), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t words[RVI_NOTE_BYTES / sizeof(uint64_t)], seen = 0;
    size_t count = 0;
    int status;

    (void)state;
    assert_ptr_not_equal(note, MAP_FAILED);
    pid_t writer = fork();
    assert_true(writer >= 0);
    if (writer == 0) {
        write_many(note);
        _exit(0);
    }
    while (seen < NOTES) {
        uint64_t told = rvi_note_read(note, seen, words, &count);
        assert_true(told >= seen);
        if (told != seen)
            check_whole(words, count, told);
        seen = told;
    }
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(munmap(note, sizeof(*note)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_is_read_once),
        cmocka_unit_test(who_awaits_is_called_once),
        cmocka_unit_test(a_count_that_cannot_be_is_cut),
        cmocka_unit_test(what_is_read_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
