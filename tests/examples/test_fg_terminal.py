#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/foreground/fg_terminal counts right, answers keys while it works, and leaves the terminal
as it was.

    test_fg_terminal.py FG_TERMINAL
"""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1]
PATIENCE = 200          # after which something hangs


def make_tree(folder):
    """Files of all kinds; what they have in (files, bytes, lines, words)."""
    texts = {"empty": b"", "one": b"word", "lines": b"a b\nc\n\n d \te\n" * 5000,
             "sub/deep/odd": b"no newline at the end " * 3000, "sub/blanks": b" \n\t\v\f\r\n" * 9,
             "border": b"x" * 16384 + b"y z" + b"w" * 16384}
    for name, text in texts.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    os.symlink("lines", Path(folder) / "link")
    everything = list(texts.values())
    return (len(texts), sum(map(len, everything)), sum(t.count(b"\n") for t in everything),
            sum(len(t.split()) for t in everything))


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, *args):
        self.shown = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(PROGRAM, [PROGRAM, *args])

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read_some(self, patience=PATIENCE):
        """Whether the other side is open still."""
        if not select.select([self.fd], [], [], patience)[0]:
            if patience == PATIENCE:
                raise TimeoutError(self.shown[-500:])
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:                 # the other side is closed
            data = b""
        self.shown += data.decode(errors="replace")
        return bool(data)

    def until(self, pattern):
        """Wait for something to be shown behind what was shown before."""
        begin = len(self.shown)
        while not re.search(pattern, self.shown[begin:]):
            if not self.read_some():
                raise EOFError(f"{pattern} in {self.shown[-500:]}")

    def end(self):
        """The exit status."""
        while self.read_some():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return status


class FgTerminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.expected = make_tree(self.folder.name)

    def check_result(self, text):
        found = re.search(r"(\d+) files, (\d+) unreadable, (\d+) bytes, (\d+) lines, (\d+) words",
                          text)
        files, unreadable, size, lines, words = map(int, found.groups())
        self.assertEqual((files, size, lines, words, unreadable), (*self.expected, 0))

    def test_without_a_terminal_only_the_result_is_printed(self):
        done = subprocess.run([PROGRAM, self.folder.name], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.check_result(done.stdout)

    def test_on_a_terminal_the_result_comes_last(self):
        terminal = Terminal(self.folder.name)
        self.assertEqual(terminal.end(), 0)
        self.check_result(terminal.shown)

    def test_keys_are_answered_while_the_work_goes_on(self):
        terminal = Terminal("--again", self.folder.name)
        terminal.until(r"\[#*\.*\]")
        for count, key in enumerate("xyz", 1):
            terminal.type(key)
            terminal.until(rf"keys: {count} last: {key}")
        self.assertNotIn("cancelled", terminal.shown)
        terminal.type("c")
        terminal.until(r"cancelled after \d+ rounds")
        terminal.type("s")                  # once more
        terminal.until(r"keys: 5 last: s")
        terminal.type("q")
        self.assertEqual(os.waitstatus_to_exitcode(terminal.end()), 1)

    def test_control_c_leaves_the_terminal_as_it_was(self):
        for way in ("\x03", signal.SIGTERM):
            terminal = Terminal("--again", self.folder.name)
            before = termios.tcgetattr(terminal.fd)
            terminal.until(r"keys: 0")
            terminal.type("x")
            terminal.until(r"keys: 1")
            self.assertNotEqual(termios.tcgetattr(terminal.fd)[3] & termios.ICANON, termios.ICANON)
            if way == "\x03":
                terminal.type(way)
            else:
                os.kill(terminal.pid, way)
            # The terminal can be asked for as long as this side is open, and is soon as it was:
            # sooner only if what the program says is read.
            end = time.monotonic() + PATIENCE
            while termios.tcgetattr(terminal.fd)[3] & termios.ICANON == 0:
                self.assertLess(time.monotonic(), end)
                terminal.read_some(0.01)
            self.assertEqual(termios.tcgetattr(terminal.fd)[3] & termios.ECHO, termios.ECHO)
            self.assertEqual(before[0], termios.tcgetattr(terminal.fd)[0])
            terminal.end()

    def test_a_folder_has_to_be_there(self):
        done = subprocess.run([PROGRAM, "/nowhere/at/all"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/at/all: No such file", done.stderr)
        self.assertEqual(subprocess.run([PROGRAM], capture_output=True).returncode, 2)


sys.exit(run_unittests())
