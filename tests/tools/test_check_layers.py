#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""tools/check_layers.py lets every arrow down pass and reports every other one."""

import sys
import unittest

from tree import Tree

from check_layers import violations
from tap import run_unittests

PUBLIC = {"include/ravel.h": "#include <ravel/run.h>\n",
          "include/ravel/run.h": "#include <stdint.h>\n"}


def found_in(files):
    with Tree({**PUBLIC, **files}) as root:
        return [(str(path), line) for path, line, _ in violations(root)]


class Layers(unittest.TestCase):
    def holds(self, name, include):
        self.assertEqual(found_in({name: include + "\n"}), [])

    def breaks(self, name, include):
        self.assertEqual(found_in({name: f"\n{include}\n"}), [(name, 2)])

    def test_a_room_includes_itself_and_what_lies_below(self):
        self.holds("src/sched/a.c", '#include "sched/fiber.h"')
        self.holds("src/sched/a.c", '#include "queue/deque.h"')
        self.holds("src/task/a.c", '#include "sched/fiber.h"')
        self.holds("src/exec/a.c", '#include "io/file.h"')
        self.holds("src/loop/a.h", '#include "sys/clock.h"')

    def test_no_arrow_points_up(self):
        self.breaks("src/base/a.c", '#include "sys/clock.h"')
        self.breaks("src/queue/a.c", '#include "sched/fiber.h"')
        self.breaks("src/sched/a.c", '#include "task/scope.h"')
        self.breaks("src/io/a.c", '#include "exec/job.h"')

    def test_no_arrow_points_sideways(self):
        self.breaks("src/loop/a.c", '#include "queue/inbox.h"')
        self.breaks("src/explore/a.c", '#include "sys/clock.h"')

    def test_a_way_round_by_dots_is_seen(self):
        files = {"src/queue/inbox.h": "", "src/loop/a.c": '#include "../queue/inbox.h"\n'}
        self.assertEqual(found_in(files), [("src/loop/a.c", 1)])

    def test_the_lowest_rooms_do_not_know_the_public_headers(self):
        self.breaks("src/base/a.c", "#include <ravel/run.h>")
        self.holds("src/sched/a.c", "#include <ravel/run.h>")

    def test_a_room_that_is_not_in_the_table_is_reported(self):
        self.breaks("src/attic/a.c", '#include "base/list.h"')

    def test_public_headers_include_public_headers_and_libc(self):
        self.holds("include/ravel/a.h", "#include <ravel/run.h>")
        self.holds("include/ravel/a.h", "#include <sys/socket.h>")
        self.breaks("include/ravel/a.h", '#include "base/list.h"')
        self.breaks("include/ravel/a.h", "#include <liburing.h>")

    def test_examples_know_only_what_a_user_knows(self):
        self.holds("examples/x/a.c", "#include <ravel.h>")
        self.holds("examples/x/a.c", '#include "own.h"')
        self.breaks("examples/x/a.c", '#include "base/list.h"')
        self.breaks("examples/x/a.c", "#include <openssl/ssl.h>")

    def test_the_checker_is_an_island(self):
        self.holds("check/a.c", '#include "explore/pct.h"')
        self.breaks("check/a.c", '#include "sched/fiber.h"')
        self.breaks("check/a.c", "#include <ravel/run.h>")

    def test_an_exception_is_for_one_file_and_one_room(self):
        self.holds("bench/switch.c", '#include "sys/ctx.h"')
        self.breaks("bench/switch.c", '#include "sched/worker.h"')
        self.breaks("bench/yield.c", '#include "sys/ctx.h"')

    def test_lab_cli_and_bench_stay_outside(self):
        self.holds("lab/a.c", "#include <ravel/run.h>")
        self.breaks("lab/a.c", '#include "base/list.h"')
        self.holds("cli/a.c", '#include "lab/report.h"')
        self.breaks("cli/a.c", '#include "sched/fiber.h"')
        self.breaks("bench/a.c", '#include "sys/clock.h"')

    def test_tests_may_look_inside(self):
        self.holds("tests/unit/base/test_list.c", '#include "base/list.h"')
        self.holds("tests/unit/base/test_list.c", "#include <cmocka.h>")


sys.exit(run_unittests())
