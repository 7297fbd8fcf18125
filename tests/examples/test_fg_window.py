#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/foreground/fg_window answers clicks while the long job runs, and does not when the same
window is blocked. Nobody sees the window: it is shown by Xvfb, and clicked by xdotool.

    test_fg_window.py [FG_WINDOW]
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else None
NEEDED = ("Xvfb", "xdotool")
CLICKS = 3
PATIENCE = 200          # after which something hangs


def start_screen():
    """An X server that has found a free number, and the number."""
    ours, theirs = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(theirs), "-screen", "0", "800x600x24",
                               "-nolisten", "tcp"], pass_fds=[theirs],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(theirs)
    with os.fdopen(ours) as number:
        return server, number.readline().strip()


class FgWindow(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server, number = start_screen()
        cls.addClassCleanup(cls.server.wait)
        cls.addClassCleanup(cls.server.terminate)
        if not number:
            raise unittest.SkipTest("Xvfb does not start")
        cls.env = {**os.environ, "DISPLAY": f":{number}", "GDK_BACKEND": "x11",
                   "NO_AT_BRIDGE": "1"}

    def measure(self, *options):
        done = subprocess.run([PROGRAM, *options, f"--measure={CLICKS}", "/usr/include/linux"],
                              env=self.env, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        got = json.loads(done.stdout)
        self.assertEqual(got["answered"], CLICKS)
        self.assertGreaterEqual(got["answer_ms"]["most"], got["answer_ms"]["median"])
        return got

    def test_clicks_are_answered_while_the_job_runs_behind(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = Path(folder) / "window.png"
            got = self.measure(f"--picture={picture}")
            self.assertEqual(picture.read_bytes()[:4], b"\x89PNG")
        self.assertEqual((got["mode"], got["answered_while_running"]), ("behind", CLICKS))

    def test_clicks_wait_until_the_job_has_ended_where_it_blocks(self):
        got = self.measure("--blocked")
        self.assertEqual((got["mode"], got["answered_while_running"]), ("blocked", 0))
        self.assertGreater(got["files"], 0)

    def test_usage_is_told(self):
        for args in ([], ["--measure=0", "/tmp"], ["--bogus", "/tmp"]):
            done = subprocess.run([PROGRAM, *args], env=self.env, capture_output=True, text=True,
                                  timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage:", done.stderr)


missing = [tool for tool in NEEDED if not shutil.which(tool)]
missing += [] if PROGRAM else ["GTK 3"]
sys.exit(run_unittests(lacking=missing and " and ".join(missing) + " not installed"))
