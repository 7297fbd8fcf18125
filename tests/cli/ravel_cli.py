# SPDX-License-Identifier: MIT
"""What the tests of the command share: running it, in a folder of its own."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT, RAVEL = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
HERE = ROOT / "tests" / "cli"
sys.path.insert(0, str(ROOT / "tools"))


class InFolder(unittest.TestCase):
    """Each test has an empty folder, in which everything is run."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ravel-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def run_in(self, *command, status=0, stdin=subprocess.DEVNULL, **env):
        """Standard output and error of a command that has to end so."""
        done = subprocess.run([str(c) for c in command], cwd=self.folder, text=True, stdin=stdin,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                              env=dict(os.environ, LC_ALL="C.UTF-8", **env))
        self.assertEqual(done.returncode, status, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout, done.stderr

    def ravel(self, *args, **more):
        return self.run_in(RAVEL, *args, **more)

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def take(self, name):
        shutil.copy(HERE / name, self.folder)

    def build(self, name):
        """A program of this folder, with its source beside it."""
        self.take(f"{name}.c")
        self.ravel("cc", "-o", name, f"{name}.c", "-pthread")
        return f"./{name}"
