#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel top` on a pseudo-terminal: shows, sorts, filters, drills into a task, resizes, ends.

    test_top.py ROOT RAVEL KNOWN KNOWN_STATIC
"""

import re
import sys
import unittest

from looking import ENVIRONMENT, RAVEL, Looking, parked_as_known, ravel, running, settled
from screen import OnTerminal
from tap import run_unittests

UP, DOWN, END, HOME = "\x1bOA", "\x1bOB", "\x1bOF", "\x1bOH"
ROW = re.compile(r"^ +(\d+) (\S.*?) {2,}")
NAMES = ("entry", "renamed", "recipient", "sleeper", "knocker", "landlord", "tenant")


def top(process, *words, **more):
    return OnTerminal([RAVEL, "top", *words, process.pid], env=ENVIRONMENT, **more)


def ids(text):
    """The numbers of the tasks, as they stand."""
    lines = text.split("\n")
    head = next(i for i, line in enumerate(lines) if line.lstrip().startswith("TASK"))
    return [int(found.group(1)) for found in map(ROW.match, lines[head + 1:]) if found]


def names(text):
    return [name for line in text.split("\n") for name in NAMES if f" {name}, " in line]


class Top(Looking):
    def setUp(self):
        super().setUp()
        _, _, err = ravel("top", "1")
        if "without ncurses" in err:
            self.skipTest(err.strip())

    def test_all_tasks_are_on_the_screen(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            with top(process) as screen:
                text = screen.shows(r"^every 1\.0 s")
                self.assertRegex(text, r"8 tasks, 0 running, 0 ready, 0 not begun, 8 wait")
                self.assertEqual(len(ids(text)), 8)
                self.assertEqual(set(names(text)), set(NAMES))
                self.assertIn("worker 1: asleep", text)
                screen.press("q")
                self.assertEqual(screen.end(), 0)

    def test_keys_change_the_order(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            with top(process) as screen:
                screen.shows("^every")
                screen.press("<<<")             # from SINCE to TASK
                text = screen.until(lambda text: ids(text) == sorted(ids(text)) and ids(text))
                screen.press("r")
                screen.until(lambda now: ids(now) == ids(text)[::-1])
                screen.press("<")               # to NAME
                screen.until(lambda now: names(now) == sorted(names(now), reverse=True))

    def test_a_filter_leaves_what_is_like_it(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            with top(process) as screen:
                screen.shows("^every")
                screen.press("/tenax\b")
                screen.shows("^filter: tena_")
                screen.press("\r")
                text = screen.shows('^1 like "tena"')
                self.assertEqual(names(text), ["tenant"])
                screen.press("/")
                screen.shows("^filter: tena_")
                screen.press("\x1b")
                screen.shows("^every")
                self.assertEqual(len(ids(screen.screen.text())), 8)
                screen.press("/MUTEX\r")
                self.assertEqual(names(screen.shows("^1 like")), ["knocker"])

    def test_a_task_can_be_looked_into(self):
        with running("parked", RAVEL_ACCOUNT="1") as process:
            settled(process, parked_as_known)
            with top(process) as screen:
                screen.shows("^every")
                screen.press("/tenant\r")
                screen.shows("^1 like")
                screen.press("\r")
                text = screen.shows(r"^task \d+ 'tenant', started in landlord at ")
                screen.shows("^waits for channel receive since ")
                screen.shows(r"^age .* 1 parks, 0 wakes")
                text = screen.shows(r"^in scope 'house' of task \d+ 'landlord'\n"
                                    r"in scope 'town' of task \d+ 'entry'")
                if "libdw" not in text:
                    screen.shows(r"#\d+ +wait_for_letter at look/known.c:\d+\n"
                                 r" +#\d+ +go_to_the_door at ")
                screen.press("q")
                screen.shows("^1 like")
                screen.press("q")
                self.assertEqual(screen.end(), 0)

    def test_the_mark_moves_and_the_list_with_it(self):
        with running("busy") as process:
            with top(process, "--delay", "0.2", rows=12) as screen:
                screen.shows("^every 0.2 s")
                screen.press(" ")
                screen.shows(r"\[stopped\]")
                first = ids(screen.rest())
                screen.press(END)
                screen.until(lambda now: ids(now) != first)
                last = ids(screen.rest())
                screen.press(DOWN + "\r")
                screen.shows(f"^task {last[-1]} ")
                screen.press("q")
                screen.until(lambda now: "TASK" in now and ids(now) == last)
                screen.press(HOME + DOWN + "\r")
                screen.shows(f"^task {first[1]} ")

    def test_it_fits_into_another_size(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            with top(process, "--delay", "0.2") as screen:
                screen.shows("^every")
                for rows, columns in ((8, 40), (3, 20), (1, 10), (40, 160)):
                    screen.resize(rows, columns)
                    screen.until(lambda text: text.split("\n")[-1].startswith("every"[:columns]))
                    if rows >= 8:
                        self.assertGreaterEqual(len(ids(screen.screen.text())), 3)
                self.assertEqual(len(ids(screen.screen.text())), 8)
                screen.press("q")
                self.assertEqual(screen.end(), 0)

    def test_who_uses_the_processor_comes_first(self):
        with running("spinning", RAVEL_ACCOUNT="1") as process:
            with top(process, "--delay", "0.2") as screen:
                text = screen.until(lambda text: re.search(r"running .* [1-9]\d*\.\d .* spinner",
                                                           text))
                lines = text.split("\n")
                head = next(i for i, line in enumerate(lines) if "%CPU" in line)
                self.assertIn(" spinner, ", lines[head + 1])

    def test_the_end_of_the_program_is_said_and_what_was_is_kept(self):
        with running("parked") as process:
            settled(process, parked_as_known)
            with top(process, "--delay", "0.1") as screen:
                screen.shows("^every")
                process.kill()
                process.wait()
                text = screen.shows("has ended$")
                self.assertEqual(len(ids(text)), 8)
                screen.press("q")
                self.assertEqual(screen.end(), 0)

    def test_help_is_a_key_away(self):
        with running("parked") as process:
            with top(process) as screen:
                screen.shows("^every")
                screen.press("h")
                screen.shows("^enter +look into the task")
                screen.press("qq")
                self.assertEqual(screen.end(), 0)

    def test_where_it_cannot_be_it_says_why(self):
        with running("parked") as process:
            status, out, err = ravel("top", process.pid)
            self.assertEqual((status, out), (2, ""))
            self.assertIn("top needs a terminal", err)
            with OnTerminal([RAVEL, "top", "999999999"], env=ENVIRONMENT) as screen:
                screen.shows("there is no process 999999999")
                self.assertEqual(screen.end(), 2)
        self.assertIn("not for this verb", ravel("top", "--json", "1")[2])
        self.assertIn("seconds from 0.1 to 60", ravel("top", "--delay", "0", "1")[2])


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())
