#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/run_tests.py counts what cmocka and the Python tests print, and what they did not."""

import sys
import unittest

import tree  # noqa: F401  (finds tools/)

from run_tests import Case, Outcome, backends_used, judge, plan, read_tap
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


def outcome(program, status):
    return Outcome("gcc", "unit", program, 0.0, [Case("a", status)], "")


class Backends(unittest.TestCase):
    IO = {"name": "io/test_call", "suite": ["ravel:unit", "ravel:io"]}
    OTHER = {"name": "base/test_list", "suite": ["ravel:unit"]}

    def test_what_reads_and_writes_runs_on_each(self):
        runs, skipped = plan([self.OTHER, self.IO], {"uring": "", "epoll": ""})
        self.assertEqual(runs, [(self.OTHER, None), (self.IO, "uring"), (self.IO, "epoll")])
        self.assertEqual(skipped, [])

    def test_a_backend_that_is_refused_is_skipped_by_name(self):
        runs, skipped = plan([self.OTHER, self.IO], {"uring": "no such thing", "epoll": ""})
        self.assertEqual(runs, [(self.OTHER, None), (self.IO, "epoll")])
        self.assertEqual(skipped, [(self.IO, "uring", "no such thing")])

    def test_the_report_says_which_were_used(self):
        self.assertEqual(backends_used([outcome("base/test_list", "passed"),
                                        outcome("io/test_call on uring", "skipped"),
                                        outcome("io/test_call on epoll", "failed")]),
                         "uring not at all, epoll 1 programs")


sys.exit(run_unittests())
