#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/grep finds what grep(1) finds, in the order of names, and says what grep(1) says.

    test_grep.py GREP
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE, somebody_else  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1])
PLAIN = dict(os.environ, LC_ALL="C")


def run(*args, **options):
    return subprocess.run([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL, env=PLAIN,
                          capture_output=True, timeout=PATIENCE, **options)


def grep(*args, **options):
    return subprocess.run(["grep", "-r", *map(str, args)], stdin=subprocess.DEVNULL, env=PLAIN,
                          capture_output=True, timeout=PATIENCE, **options)


def in_order(output):
    """Lines of grep(1) by file, files by the names on their way; lines of a file stay in order."""
    return sorted(output.splitlines(), key=lambda line: line.split(b":")[0].split(b"/"))


class WithTree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.tree = Path(self.folder.name).resolve()

    def put(self, name, data):
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def assertSame(self, *args, **options):
        """What both print on this tree, and how they end."""
        wanted, got = grep(*args, **options), run(*args, **options)
        self.assertEqual(got.stdout.splitlines(), in_order(wanted.stdout))
        self.assertEqual(got.returncode, wanted.returncode)
        self.assertEqual(sorted(got.stderr.splitlines()), sorted(wanted.stderr.splitlines()))
        return got


class Source(unittest.TestCase):
    """This source tree, which has no binary files; a copy, where nothing changes meanwhile."""
    TOPS = ("src", "include", "tests", "doc")

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.tree = Path(folder.name)
        for top in cls.TOPS:
            shutil.copytree(ROOT / top, cls.tree / top,
                            ignore=shutil.ignore_patterns("__pycache__"))

    def assertSame(self, *args):
        wanted = grep(*args, *self.TOPS, cwd=self.tree)
        got = run(*args, *self.TOPS, cwd=self.tree)
        by_argument = [line for top in self.TOPS for line in in_order(wanted.stdout)
                       if line.startswith(f"{top}/".encode())]
        self.assertEqual(got.stdout.splitlines(), by_argument)
        self.assertEqual((got.returncode, got.stderr), (wanted.returncode, b""))

    def test_finds_what_grep_finds(self):
        for args in (["rvi_wait"], ["-n", "rvi_wait"], ["-n", "-F", "(struct"], ["-l", "essay"],
                     ["-n", r"^static .*worker.*;$"], ["-E", "-n", r"rv_(go|for)[_(]"],
                     ["-n", r"rv_[a-z]*_ope*n"], ["-n", r"s\{2\}ize"], ["-E", r"x{0}struct +r"],
                     ["-n", r"\(rv\|rvi\)_open"], ["-n", r"^.\*"], ["-n", r"[[:digit:]]]"],
                     ["-n", r"a\?bc\b"], ["-n", r"[^]x]\.c$"], ["-E", "-n", r"\(\*fn\)|zz"],
                     ["-n", r"\<end\>"], ["-n", "*"], ["-E", "-n", r"ab?c+d"], ["-n", r"\\n"],
                     ["-i", "-n", "INVARIANT"], ["-F", "-i", "A.b"], ["-n", ""],
                     ["surely nowhere" + " at all"]):
            with self.subTest(args=args):
                self.assertSame(*args)

    def test_any_number_of_workers_prints_the_same(self):
        outputs = {run("-n", "-j", n, "static", "src", cwd=self.tree).stdout for n in (1, 2, 5)}
        self.assertEqual(len(outputs), 1)


class Trees(WithTree):
    def test_files_come_in_the_order_of_names(self):
        for name in ("b", "a/z", "a/b/c", "a.x", "a-", "B", "c/1", "c/10", "c/2"):
            self.put(name, b"x\n")
        got = run("x", cwd=self.tree).stdout.split(b"\n")
        self.assertEqual(got[:-1], [b"B:x", b"a/b/c:x", b"a/z:x", b"a-:x", b"a.x:x", b"b:x",
                                    b"c/1:x", b"c/10:x", b"c/2:x"])

    def test_lines_of_all_kinds(self):
        self.put("empty", b"")
        self.put("newline", b"\n")
        self.put("unended", b"one\nx")
        self.put("crlf", b"x\r\ny\r\n")
        self.put("many", b"".join(b"%d x\n" % i for i in range(50000)))
        self.put("long", b"a" * 300000 + b"x\nshort x\n")
        for args in (["-n", "x"], ["x$"], ["^$"], ["-n", ""], ["-l", "x"], ["-n", "-E", "[0-9]7 x"]):
            with self.subTest(args=args):
                self.assertSame(*args, self.tree)

    def test_binary_files_are_told_in_a_sentence(self):
        self.put("early", b"x\0x\nx\n")
        self.put("late", b"no match\n" * 20000 + b"\0\nx\n")
        self.put("elsewhere", b"\0\n")
        self.put("without", b"x\n")
        self.assertSame("-n", "x", self.tree)
        self.assertSame("-l", "x", self.tree)

    def test_links_and_what_is_no_file_are_left_out(self):
        self.put("real", b"x\n")
        (self.tree / "link").symlink_to("real")
        (self.tree / "loop").symlink_to(".")
        os.mkfifo(self.tree / "fifo")
        self.assertSame("x", self.tree)

    def test_single_files_are_not_named(self):
        self.put("a", b"x\n")
        self.put("b", b"x\n")
        os.symlink("a", self.tree / "link")
        for paths in (["a"], ["link"], ["b", "a"], ["."], []):
            with self.subTest(paths=paths):
                wanted = grep("-n", "x", *paths, cwd=self.tree).stdout.splitlines()
                got = run("-n", "x", *paths, cwd=self.tree).stdout.splitlines()
                self.assertEqual(got, wanted if paths == ["b", "a"] else sorted(wanted))

    def test_a_pipe_can_be_searched(self):
        os.mkfifo(self.tree / "fifo")
        writer = subprocess.Popen(["sh", "-c", "echo x >fifo"], cwd=self.tree)
        self.assertEqual(run("x", "fifo", cwd=self.tree).stdout, b"x\n")
        writer.wait()

    def test_a_line_without_end_is_an_error(self):
        self.put("endless", b"x" * (3 << 20))
        self.put("good", b"x\n")
        got = run("-l", "x", self.tree)
        self.assertEqual(got.returncode, 2)
        self.assertIn(b"endless: a line is too long", got.stderr)
        self.assertIn(b"good", got.stdout)


class Trouble(WithTree):
    def test_what_is_not_there_is_told(self):
        self.put("a", b"x\n")
        self.assertSame("x", self.tree / "nothing", self.tree)
        self.assertSame("y", self.tree / "nothing")

    def test_what_may_not_be_read_is_told(self):
        self.put("secret/a", b"x\n")
        self.put("hidden", b"x\n")
        self.put("open", b"x\n")
        os.chmod(self.tree / "secret", 0)
        os.chmod(self.tree / "hidden", 0)
        os.chmod(self.tree, 0o755)
        self.addCleanup(os.chmod, self.tree / "secret", 0o700)
        options = somebody_else([PROGRAM, "--help"], ["cat", self.tree / "open"])
        if options is None:
            self.skipTest("root, and nobody else may run the program where it lies")
        got = self.assertSame("x", self.tree, **options)
        self.assertEqual(got.returncode, 2)

    def test_bad_usage_is_told(self):
        for args in ([], ["-q", "x"], ["-j"], ["-E", "("], ["["]):
            with self.subTest(args=args):
                got = run(*args)
                self.assertEqual((got.returncode, got.stdout), (2, b""))
                self.assertTrue(got.stderr)

    def test_a_full_disk_is_a_failure(self):
        self.put("a", b"x\n" * 100000)
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, "x", str(self.tree)], stdout=full,
                                  stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"No space left", done.stderr)

    def test_a_reader_that_is_gone_ends_it(self):
        self.put("a", b"x\n" * 1000000)
        done = subprocess.run(["sh", "-c", f"'{PROGRAM}' x '{self.tree}' | head -1"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
        self.assertEqual(len(done.stdout.splitlines()), 1)


if not shutil.which("grep"):
    sys.exit(77)
sys.exit(run_unittests())
