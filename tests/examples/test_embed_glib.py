#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/embed_glib sums files up behind a GLib main loop, which goes on meanwhile.

    test_embed_glib.py [EMBED_GLIB]
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else None
SECONDS = 200           # after which something hangs


class EmbedGlib(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def run_on(self, *paths):
        return subprocess.run([PROGRAM, *map(str, paths)], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=SECONDS)

    def make(self, name, data):
        (self.root / name).write_bytes(data)
        return self.root / name

    def test_sums_are_right_and_in_order(self):
        rng = random.Random(1)
        paths = [self.make(f"f{i}", rng.randbytes(size))
                 for i, size in enumerate([0, 1, 32767, 32768, 32769, 1 << 20] + [5000] * 60)]
        done = self.run_on(*paths)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(),
                         [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p}" for p in paths])

    def test_what_cannot_be_read_is_said_and_the_others_go_on(self):
        good = self.make("good", b"x")
        done = self.run_on(self.root / "missing", good, self.root)
        self.assertEqual(done.returncode, 1)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], "^No such file or directory  ")
        self.assertRegex(lines[1], f"^{hashlib.sha256(b'x').hexdigest()}  ")
        self.assertRegex(lines[2], "^Is a directory  ")

    def test_the_loop_goes_on_while_a_task_waits_and_ends_on_ctrl_c(self):
        fifo = self.root / "fifo"
        os.mkfifo(fifo)
        process = subprocess.Popen([PROGRAM, fifo], stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        with open(fifo, "wb") as held:          # opens when the program has opened it, too
            held.write(b"not the end")
            held.flush()
            ticks = 0
            while ticks < 20:                   # its own clock wakes it, and it runs on
                before = self.wakes(process.pid)
                while self.wakes(process.pid) == before:
                    self.assertIsNone(process.poll())
                    time.sleep(0.001)
                ticks += 1
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 130)
        self.assertGreater(int(re.match(r"(\d+) ticks", said).group(1)), 0)

    def wakes(self, pid):
        """How often the main thread has waited so far."""
        text = Path(f"/proc/{pid}/task/{pid}/status").read_text()
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.M).group(1))

    def test_what_it_does_not_understand(self):
        done = self.run_on()
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "usage:")


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=None if PROGRAM else "built without GLib"))
