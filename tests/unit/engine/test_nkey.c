/* SPDX-License-Identifier: MIT */
/* test_nkey.c - keys as other implementations write them. The pairs are those that the libraries of
 * NATS for several languages have in their own tests. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/nkey.h"
#include "sys/call.h"

#define SEED "SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU"
#define PUBLIC "UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L"

static void need_curve(void)
{
    unsigned char raw[RVI_NKEY_RAW_BYTES];

    if (rvi_nkey_draw(raw) == -ENOSYS)
        skip();
}

static void a_seed_has_the_public_key_that_others_find(void **state)
{
    char public[RVI_NKEY_PUBLIC_BYTES];

    (void)state;
    need_curve();
    assert_int_equal(rvi_nkey_public(SEED, public), 0);
    assert_string_equal(public, PUBLIC);
    assert_int_equal(
        rvi_nkey_public("SUAOBFVHF4ZWKTBJ6QP4C362WLBBBFIE7ENFTPYKUGZ3M2ESOXY353LXDI", public), 0);
    assert_string_equal(public, "UBIWK4X3RXCPJ4CMIAVLAFDFABMLCCMZDDLAO5OZZ2265MDLXUTOGO4B");
}

static void a_seed_is_found_among_other_text(void **state)
{
    static const char text[] =
        "SUCH IS THE\n-----BEGIN USER NKEY SEED-----\n" SEED "\n------END USER NKEY SEED------\n";
    char public[RVI_NKEY_PUBLIC_BYTES];

    (void)state;
    need_curve();
    assert_int_equal(rvi_nkey_public(text, public), 0);
    assert_string_equal(public, PUBLIC);
}

static void what_is_made_reads_back_and_differs(void **state)
{
    char seed[2][RVI_NKEY_SEED_BYTES], public[2][RVI_NKEY_PUBLIC_BYTES];
    char again[RVI_NKEY_PUBLIC_BYTES];

    (void)state;
    need_curve();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(rvi_nkey_make(seed[i], public[i]), 0);
        assert_int_equal(strlen(seed[i]), RVI_NKEY_SEED_BYTES - 1);
        assert_int_equal(strlen(public[i]), RVI_NKEY_PUBLIC_BYTES - 1);
        assert_memory_equal(seed[i], "SU", 2);
        assert_int_equal(public[i][0], 'U');
        assert_int_equal(rvi_nkey_public(seed[i], again), 0);
        assert_string_equal(again, public[i]);
    }
    assert_string_not_equal(seed[0], seed[1]);
    assert_string_not_equal(public[0], public[1]);
}

/* Each digit changed in turn: the sum does not fit, or the prefix. */
static void a_changed_digit_is_noticed(void **state)
{
    char seed[] = SEED, public[RVI_NKEY_PUBLIC_BYTES];

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(seed); i++) { /* the last digit has bits that say nothing */
        char was = seed[i];
        seed[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(rvi_nkey_public(seed, public), -EINVAL);
        seed[i] = was;
    }
}

static void no_seed_is_no_seed(void **state)
{
    char public[RVI_NKEY_PUBLIC_BYTES];

    (void)state;
    assert_int_equal(rvi_nkey_public("", public), -EINVAL);
    assert_int_equal(rvi_nkey_public(PUBLIC, public), -EINVAL);
    assert_int_equal(rvi_nkey_public("SU", public), -EINVAL);
    assert_int_equal(rvi_nkey_public("SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3", public), -EINVAL);
    assert_int_equal(
        rvi_nkey_public("suamlk2znl35wsmw37e7ud4vz7elpkw7dhc3bwbsd2gcz7iuqqxziorrbu", public),
        -EINVAL);
    /* A seed of an operator. */
    assert_int_equal(
        rvi_nkey_public("SOAELH6NJCEK4HST5644G4HK7TOAFZGRRJHNM4EUKUY7PPNDLIKO5IH4JM", public),
        -EINVAL);
}

static void a_file_is_read(void **state)
{
    char path[] = "/tmp/ravel-nkey-XXXXXX", public[RVI_NKEY_PUBLIC_BYTES];
    int fd = mkstemp(path);

    (void)state;
    need_curve();
    assert_true(fd >= 0);
    assert_int_equal(rvi_nkey_public_of(path, public), -EINVAL);
    assert_int_equal(write(fd, SEED "\n", sizeof(SEED)), sizeof(SEED));
    assert_int_equal(rvi_nkey_public_of(path, public), 0);
    assert_string_equal(public, PUBLIC);
    for (int n = 1;; n++) {
        rvi_call_fail_after(n, 0, false);
        int r = rvi_nkey_public_of(path, public);
        if (rvi_call_fail_pending())
            break;
        bool is_optional = false;
        assert_non_null(rvi_call_failed(&is_optional));
        assert_true(r < 0 || is_optional);
    }
    rvi_call_fail_after(-1, 0, false);
    close(fd);
    unlink(path);
    assert_int_equal(rvi_nkey_public_of(path, public), -ENOENT);
    assert_int_equal(rvi_nkey_public_of("/", public), -EISDIR);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(rvi_nkey_public_of(path, public), -EINVAL);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_has_the_public_key_that_others_find),
        cmocka_unit_test(a_seed_is_found_among_other_text),
        cmocka_unit_test(what_is_made_reads_back_and_differs),
        cmocka_unit_test(a_changed_digit_is_noticed),
        cmocka_unit_test(no_seed_is_no_seed),
        cmocka_unit_test(a_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
