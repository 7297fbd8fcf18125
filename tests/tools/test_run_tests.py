#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/run_tests.py counts what cmocka and the Python tests print, and what they did not."""

import sys
import unittest

import tree  # noqa: F401  (finds tools/)

from run_tests import judge, read_tap
from tap import run_unittests


def statuses(text, ending=""):
    return [case.status for case in judge("base/test_list", text, ending)]


class ReadingTap(unittest.TestCase):
    def test_results_are_counted_one_by_one(self):
        self.assertEqual(read_tap("1..2\nok 1 - a\nnot ok 2 - b\n# why\n"),
                         ([("a", "passed"), ("b", "failed")], 0))

    def test_a_plan_may_come_last(self):
        self.assertEqual(read_tap("ok 1 - a\nok 2 - b\n1..2\n"),
                         ([("a", "passed"), ("b", "passed")], 0))

    def test_groups_follow_each_other(self):
        text = "1..1\nok 1 - a\n# ok - one\n1..1\nok 1 - b\n# ok - two\n"
        self.assertEqual(statuses(text), ["passed", "passed"])

    def test_output_before_a_result_does_not_hide_it(self):
        self.assertEqual(statuses("1..1\nhello ok 1 - a\n"), ["passed"])

    def test_output_that_looks_like_a_result_is_not_counted(self):
        self.assertEqual(statuses("1..1\nok 7 - of nine\nok 1 - a\n"), ["passed"])

    def test_skips_are_neither_passed_nor_failed(self):
        self.assertEqual(statuses("1..2\nnot ok 1 # SKIP a\nok 2 - b # SKIP no gcc\n"),
                         ["skipped", "skipped"])

    def test_a_setup_that_failed_is_a_failure(self):
        self.assertEqual(statuses("1..1\nnot ok 1 - a Could not run test: Test setup failed\n",
                                  "exit status 1"), ["failed"])


class Judging(unittest.TestCase):
    def test_a_crash_fails_all_that_did_not_report(self):
        self.assertEqual(statuses("1..3\nok 1 - a\n", "killed by SIGABRT"),
                         ["passed", "failed", "failed"])

    def test_an_early_clean_exit_fails_them_as_well(self):
        self.assertEqual(statuses("1..2\nok 1 - a\n"), ["passed", "failed"])

    def test_a_bad_status_after_good_results_is_a_failure_of_its_own(self):
        self.assertEqual(statuses("1..1\nok 1 - a\n", "exit status 99"), ["passed", "failed"])

    def test_a_reported_failure_explains_the_status(self):
        self.assertEqual(statuses("1..1\nnot ok 1 - a\n", "exit status 1"), ["failed"])

    def test_a_program_without_tap_is_one_case(self):
        self.assertEqual(statuses("fine\n"), ["passed"])
        self.assertEqual(statuses("", "exit status 2"), ["failed"])
        self.assertEqual(statuses("", "exit status 77"), ["skipped"])


sys.exit(run_unittests())
