# SPDX-License-Identifier: MIT
"""The programs under test, as processes: their command lines, and servers until a block ends."""

import os
import re
import signal
import subprocess

PATIENCE = 200      # seconds for what should happen at once, on a machine that is slow and busy
NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}

os.umask(0o022)         # what is made for a program is there for somebody_else(), too
os.environ["RAVEL_STALL_MS"] = "0"      # a busy machine stalls tasks; debug builds would say so


def somebody_else(*commands):
    """For subprocess: a user who may not read what root may, {} if we are none but that. None where
    root may not become one, or such a one may not do what the test is about to have done."""
    if os.geteuid() != 0:
        return {}
    try:
        done = [subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **NOBODY)
                for command in commands]
    except OSError:
        return None
    return None if any(d.returncode for d in done) else NOBODY


def may_read(path):
    """Whether we may, whatever the file's mode says: root may, in most places."""
    try:
        with open(path, "rb"):
            return True
    except PermissionError:
        return False


class Listening:
    """A server that runs until the block ends. Its first lines say where it listens: `places` has
    what the pattern's group matched of each. `popen` goes to subprocess."""

    def __init__(self, command, pattern, lines=1, **popen):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **popen)
        self.places = [self.read_place(pattern) for _ in range(lines)]

    def read_place(self, pattern):
        line = self.process.stdout.readline().decode()
        found = re.fullmatch(pattern, line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"no address but {line!r}, {self.process.communicate()}")
        return found.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def end(self):
        """Exit status, the rest of standard output, standard error."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, out.decode(), err.decode()

    def stop(self):
        self.signal()
        return self.end()


class WithCommandLine:
    """What a unittest.TestCase of a program's arguments begins with."""
    program = None
    name = None         # as the program calls itself

    def run_it(self, *args):
        return subprocess.run([self.program, *map(str, args)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)

    def refuses(self, args, status, *words):
        """It ends with a status, having said nothing but these words and more on standard error."""
        done = self.run_it(*args)
        self.assertEqual((done.returncode, done.stdout), (status, ""), args)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_help_fits_a_screen(self):
        done = self.run_it("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_version_is_told(self):
        self.assertRegex(self.run_it("--version").stdout, rf"^{self.name}, .*\d+\.\d+\.\d+\n$")
