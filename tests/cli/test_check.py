#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ravel check` finds, explains, replays, and says clearly when it cannot.

    test_check.py SOURCE_ROOT RAVEL"""

import html.parser
import json
import re
import shutil
import subprocess
import sys

from ravel_cli import InFolder, RAVEL, ROOT

from tap import run_unittests

FEW = ("--schedules", "300", "--jobs", "1")


class Checks(InFolder):
    def check(self, *args, status=1, **more):
        return self.ravel("check", *FEW, *args, status=status, **more)

    def report(self, *args, status=1):
        return json.loads(self.check("--json", *args, status=status)[0])

    def line_of(self, program, text):
        lines = (self.folder / f"{program}.c").read_text().splitlines()
        return 1 + next(i for i, line in enumerate(lines) if text in line)


class Finds(Checks):
    def test_a_deadlock_is_told_on_one_screen(self):
        said, _ = self.check("--", self.build("deadlock"), COLUMNS="80")
        self.assertTrue(said.startswith("deadlock"), said)
        for text in ("forth waits here", "back waits here"):
            self.assertIn(f"deadlock.c:{self.line_of('deadlock', text)}", said)
        self.assertIn("mutex `first`", said)
        self.assertIn("mutex `second`", said)
        self.assertRegex(said, r"\n +thread 1 forth +thread 2 back\n")
        self.assertIn("ravel check --replay bug.ravel", said)
        self.assertIn("sequentially consistent", said)
        self.assertLessEqual(max(map(len, said.splitlines())), 120)
        self.assertNotIn("\033", said)

    def test_it_is_replayed_every_time_with_random_addresses(self):
        self.check("--", self.build("deadlock"))
        said = {self.ravel("check", "--replay", "bug.ravel", "--randomise", status=1)[0]
                for _ in range(20)}
        self.assertEqual(len(said), 1, said)
        self.assertTrue(said.pop().startswith("deadlock"))

    def test_a_schedule_is_made_small(self):
        found = self.report("--", self.build("deadlock"))
        self.assertLessEqual(found["switches_left"], 2)

    def test_another_build_is_refused(self):
        self.check("--", self.build("deadlock"))
        with open(self.folder / "deadlock.c", "a") as source:
            source.write("int more;\n")
        self.ravel("cc", "-o", "deadlock", "deadlock.c", "-pthread")
        _, said = self.ravel("check", "--replay", "bug.ravel", status=2)
        self.assertIn("not the build that failed", said)

    def test_a_file_that_was_cut_is_refused(self):
        self.check("--", self.build("deadlock"))
        text = (self.folder / "bug.ravel").read_text()
        self.write("cut.ravel", text[:text.rindex("end")])
        self.assertIn("not whole", self.ravel("check", "--replay", "cut.ravel", status=2)[1])
        self.write("other.ravel", "something else\n")
        self.assertIn("no replay file", self.ravel("check", "--replay", "other.ravel", status=2)[1])

    def test_a_failed_assertion_has_its_words_and_the_race_apart(self):
        found = self.report("--", self.build("lost_update"))
        self.assertEqual(found["failure"]["kind"], "assertion")
        self.assertIn("shared.counts[2] == 2", found["last_words"])
        self.assertEqual({r["kind"] for r in found["reports"]} - {"data-race"}, set())
        objects = {step["object"] for step in found["failure"]["steps"]}
        self.assertIn("shared.counts[2]", objects)

    def test_words_of_the_program_do_not_steer_the_terminal(self):
        self.write("loud.c", "#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n"
                             "for (int i = 0; i < 30; i++) fprintf(stderr, \"\\033[2J%d\\n\", i);\n"
                             "return 3; }\n")
        self.ravel("cc", "-o", "loud", "loud.c")
        said, _ = self.check("--", "./loud")
        self.assertTrue(said.startswith("non-zero exit"), said)
        self.assertIn("?[2J29\n", said)
        self.assertNotIn("[2J9\n", said)
        self.assertNotIn("\033", said)

    def test_a_race_alone_is_found_and_replayed(self):
        found = self.report("--", self.build("lost_update"), "unchecked")
        self.assertIsNone(found["failure"])
        self.assertEqual(found["reports"][0]["kind"], "data-race")
        line = found["reports"][0]["lines"][0]
        self.assertEqual(line["line"], self.line_of("lost_update", "the race"))
        self.assertGreater(found["schedules_to_first_race"], 0)
        said, _ = self.ravel("check", "--replay", "bug.ravel", status=1)
        self.assertTrue(said.startswith("data race"), said)

    def test_races_may_end_the_search_or_be_left_alone(self):
        program = self.build("lost_update")
        self.assertLess(self.report("--races", "fail", "--", program, "x")["schedules"], 300)
        self.assertEqual(self.report("--races", "off", "--", program, "x", status=0)["reports"], [])

    def test_the_same_seed_finds_the_same(self):
        program = self.build("lost_update")
        once, again = (self.report("--seed", "7", "--", program) for _ in range(2))
        for name in ("schedules_to_first_failure", "failure_seed", "strategy", "switches_left"):
            self.assertEqual(once[name], again[name])

    def test_what_is_suppressed_is_not_told(self):
        self.write("known", "# ours\n\ndata-race:add\nassertion:lost_upd*.c\n")
        found = self.report("--suppressions", "known", "--", self.build("lost_update"), status=0)
        self.assertFalse(found["found"])
        self.write("known", "no colon\n")
        self.assertIn("known:1", self.check("--suppressions", "known", "--", "./lost_update",
                                            status=2)[1])

    def test_a_page_needs_no_other_file(self):
        self.check("--html", "page.html", "--", self.build("lost_update"))
        page = (self.folder / "page.html").read_text()
        self.assertNotRegex(page, r"(src|href)\s*=")
        self.assertIn("prefers-color-scheme:dark", page)
        self.assertIn("<button", page)

        class Balanced(html.parser.HTMLParser):
            def __init__(self):
                super().__init__()
                self.open = []

            def handle_starttag(self, tag, attrs):
                if tag not in ("meta",):
                    self.open.append(tag)

            def handle_endtag(self, tag):
                if self.open.pop() != tag:
                    raise AssertionError(tag)

        parser = Balanced()
        parser.feed(page)
        self.assertEqual(parser.open, [])

    def test_gdb_stops_where_it_fails(self):
        if not shutil.which("gdb"):
            self.skipTest("no gdb")
        self.check("--", self.build("deadlock"))
        with open(self.folder / "words", "w") as words:
            words.write("info threads\nquit\n")
        with open(self.folder / "words") as words:
            done = subprocess.run([str(RAVEL), "check", "--replay", "bug.ravel", "--gdb"],
                                  cwd=self.folder, stdin=words, text=True, timeout=120,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if "ptrace" in done.stdout:
            self.skipTest("nobody may trace here")
        self.assertRegex(done.stdout, r"\d+\s+pthread_mutex_lock\(&\w+\); /\* \w+ waits here",
                         done.stdout)


class FindsNothing(Checks):
    """Named after what it says, which is never that the program is right."""

    def test_so_many_schedules_were_tried(self):
        said, _ = self.check("--", self.build("fine"), status=0)
        self.assertTrue(re.match(r"not found in \d+ schedules", said), said)
        self.assertNotIn("correct", said)
        self.assertFalse((self.folder / "bug.ravel").exists())

    def test_the_input_is_the_same_each_time(self):
        program = self.build("fine")
        self.write("in", "three words here\n")
        self.write("out", "three words here\n2\n")
        self.write("wrong", "three words here\n3\n")
        with open(self.folder / "in") as words:
            self.check("--expect-output", "out", "--", program, status=0, stdin=words)
        with open(self.folder / "in") as words:
            said, _ = self.check("--expect-output", "wrong", "--", program, stdin=words)
        self.assertTrue(said.startswith("unexpected output"), said)
        self.assertIn("--replay bug.ravel --expect-output wrong", said)
        with open(self.folder / "in") as words:
            again, _ = self.check("--replay", "bug.ravel", "--expect-output", "wrong", stdin=words)
        self.assertTrue(again.startswith("unexpected output"), again)
        _, why = self.check("--replay", "bug.ravel", status=2)
        self.assertIn("give --expect-output", why)


class CannotCheck(Checks):
    def test_a_program_that_was_not_built_for_it_says_how(self):
        self.take("deadlock.c")
        self.run_in("gcc", "-o", "plain", "deadlock.c", "-pthread")
        _, said = self.check("--", "./plain", status=2)
        self.assertIn("ravel cc", said)
        self.assertIn("--without-recompiling", said)
        found = self.report("--without-recompiling", "--", "./plain")
        self.assertEqual(found["failure"]["kind"], "deadlock")
        self.assertTrue(found["without_recompiling"])
        said, _ = self.ravel("check", "--replay", "bug.ravel", status=1)
        self.assertTrue(said.startswith("deadlock"), said)

    def test_what_is_no_program_is_named(self):
        self.write("script", "#!/bin/sh\n")
        (self.folder / "script").chmod(0o755)
        self.assertIn("script", self.check("--", "./script", status=2)[1])
        self.assertIn("./missing", self.check("--", "./missing", status=2)[1])

    def test_a_static_program_is_refused(self):
        self.take("deadlock.c")
        self.run_in("gcc", "-static", "-o", "static", "deadlock.c", "-pthread")
        self.assertIn("statically", self.check("--", "./static", status=2)[1])

    def test_another_runtime_of_threads_is_refused(self):
        self.take("deadlock.c")
        try:
            self.run_in("gcc", "-fsanitize=thread", "-o", "theirs", "deadlock.c", "-pthread")
        except AssertionError:
            self.skipTest("no libtsan")
        self.assertIn("ThreadSanitizer", self.check("--", "./theirs", status=2)[1])

    def test_a_program_that_ends_before_it_began_says_so(self):
        self.write("early.c", "#include <stdlib.h>\n#include <stdio.h>\n"
                              "__attribute__((constructor)) static void early(void)\n"
                              "{ fputs(\"no licence\\n\", stderr); _Exit(3); }\n"
                              "int main(void) { return 0; }\n")
        self.ravel("cc", "-o", "early", "early.c")
        _, said = self.check("--", "./early", status=2)
        self.assertIn("status 3", said)
        self.assertIn("no licence", said)

    def test_a_program_that_kills_its_server_is_told(self):
        self.write("killer.c", "#include <signal.h>\n#include <unistd.h>\n"
                               "int main(void) { return kill(getppid(), SIGKILL); }\n")
        self.ravel("cc", "-o", "killer", "killer.c")
        _, said = self.check("--", "./killer", status=2)
        self.assertIn("the process that forks executions is gone", said)

    def test_a_program_that_never_ends_is_told(self):
        self.write("spin.c", "int main(void) { for (;;) __asm__ volatile(\"\"); }\n")
        self.ravel("cc", "-o", "spin", "spin.c")
        _, said = self.ravel("check", "--schedules", "1", "--jobs", "1", "--", "./spin", status=2)
        self.assertIn("none of 1 executions came to an end", said)
        self.assertIn("spin.c:1", said)

    def test_options_are_judged(self):
        for args in (["--schedules", "0"], ["--seconds", "-1"], ["--seconds", "nan"],
                     ["--jobs", "0"], ["--strategy", "luck"], ["--granularity", "fine"],
                     ["--races", "maybe"], ["--expect-output", "missing"], ["--gdb"],
                     ["--no-such-option"], []):
            with self.subTest(args=args):
                tail = ["--", "true"] if args else []
                _, said = self.ravel("check", *args, *tail, status=2)
                self.assertNotEqual(said, "")
        self.assertIn("goes with --replay", self.ravel("check", "--gdb", "--", "true", status=2)[1])

    def test_a_file_that_cannot_be_written_is_named(self):
        program = self.build("deadlock")
        _, said = self.check("--output", "missing/bug.ravel", "--", program, status=2)
        self.assertIn("missing/bug.ravel", said)
        _, said = self.check("--html", "missing/page.html", "--", program, status=2)
        self.assertIn("missing/page.html", said)


class Command(InFolder):
    def test_help_is_one_screen(self):
        for words in (["--help"], ["check", "--help"]):
            said, _ = self.ravel(*words)
            self.assertLessEqual(len(said.splitlines()), 50)
            self.assertLessEqual(max(map(len, said.splitlines())), 100)

    def test_the_version_is_the_projects(self):
        version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text()).group(1)
        self.assertEqual(self.ravel("--version")[0], f"ravel {version}\n")

    def test_an_unknown_verb_is_refused(self):
        self.assertIn("dance", self.ravel("dance", status=2)[1])
        self.assertIn("usage", self.ravel(status=2)[1])

    def test_every_option_is_in_the_manual(self):
        page = (ROOT / "doc" / "man" / "ravel-check.1").read_text().replace("\\-", "-")
        for option in re.findall(r"--[a-z-]+", self.ravel("check", "--help")[0]):
            self.assertIn(option, page)


if __name__ == "__main__":
    sys.exit(run_unittests())
