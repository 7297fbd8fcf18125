#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/wordfreq counts right on every tier, and behaves as a program should.

The tree that it counts is made here, and so is the answer: words across the borders of chunks,
files that are empty, binary, unreadable, too deep, or one long word, and links that lead astray.

    test_wordfreq.py WORDFREQ RAVEL
"""

import json
import os
import pty
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

import with_cluster  # noqa: E402
from program import WithCommandLine, may_read, somebody_else  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM, RAVEL = sys.argv[1:3]
CHUNK_BYTES, WORD_BYTES, PATH_BYTES = 32000, 63, 496
TIERS = ["inline", "tasks", "threads", "processes"]
ESCAPE = "\033"
COUNT = ("--no-picture", "--rounds=1")
PICTURE = ("--only-picture", "--scale=0.01")


# ---- the tree, and what is in it ----------------------------------------------------------------

def words_of(data):
    return [word[:WORD_BYTES] for word in re.findall(rb"[a-z0-9_]+", data.lower())]


def checksum_of(counter):
    """FNV-1a over the sorted words, each with a NUL and its count in eight bytes."""
    value = 14695981039346656037
    for word in sorted(counter):
        for byte in word + b"\0" + struct.pack("=Q", counter[word]):
            value = (value ^ byte) * 1099511628211 % 2**64
    return f"{value:016x}"


def prose(rng, size):
    """Words of all lengths between separators of all kinds."""
    out = bytearray()
    while len(out) < size:
        length = rng.choice((1, 1, 2, 3, 5, 8, 13, 62, 63, 64, 200))
        out += bytes(rng.choice(b"abcXYZ019_") for _ in range(length))
        out += rng.choice((b" ", b"\n", b", ", b"--", b"\xc3\xa9", b"\t \t"))
    return bytes(out[:size])


def text_files():
    """{path: bytes} of all that has to be counted."""
    rng = random.Random(1)
    border = CHUNK_BYTES
    files = {
        "empty": b"",
        "one_word": b"word",
        "ends_at_the_border": b"x " * (border // 2 - 2) + b"last",
        "begins_at_the_border": b"x " * (border // 2) + b"first",
        "across_the_border": b"x " * (border // 2 - 1) + b"ab" + b"cd efgh",
        "long_word_across": b" " * (border - 10) + b"L" * 100 + b" after",
        "longer_than_chunks": b"w" * (2 * border + 17) + b" tail",
        "all_separators": b" " * (border + 5),
        "one_letter_words": b" ".join(b"%c" % c for c in b"0123456789_abcdefghij" * 3000),
        "all_distinct": b" ".join(b"%x" % n for n in range(30000)),
        "latin1": "Größe naïve".encode("latin-1"),
        "name with blanks, \"quotes\"\nand a line/x": b"odd name",
    }
    for i, size in enumerate((border - 1, border, border + 1, 10 * border + 7)):
        files[f"prose{i}"] = prose(rng, size)
    for i in range(300):
        files[f"many/{i // 20}/{i}"] = prose(rng, rng.randrange(200))
    return files


def build_tree(root):
    for name, data in text_files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "binary").write_bytes(b"words here\0and here")
    (root / "binary_later").write_bytes(b"x" * 60000 + b"\0")
    (root / "unreadable").write_bytes(b"secret words")
    (root / "unreadable").chmod(0)
    deep = root / "/".join(["d" * 100] * (PATH_BYTES // 100 + 1))
    deep.mkdir(parents=True)
    (deep / "too_deep").write_bytes(b"words too deep")
    (root / "link_to_a_file").symlink_to("one_word")
    (root / "link_to_itself").symlink_to(".")
    os.mkfifo(root / "fifo")
    root.chmod(0o755)


# ---- running the program ------------------------------------------------------------------------

def run(*args, env=None, **popen):
    return subprocess.run([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, env=dict(os.environ, **env or {}), **popen)


def on_terminal(*args, until=None, **env):
    """Run on a pseudo-terminal: what it shows, exit status. When `until` appears, Ctrl-C."""
    master, slave = pty.openpty()
    env = {"TERM": "xterm", "LC_ALL": "C.UTF-8", **env}
    clean = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    # A job in the background of a shell script ignores Ctrl-C, and so would all that it starts.
    process = subprocess.Popen([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL, stdout=slave,
                               stderr=slave, env=dict(clean, **env),
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    os.close(slave)
    shown = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:         # the terminal's last user is gone
            break
        shown += data
        if until and until in shown:
            process.send_signal(signal.SIGINT)
            until = None
    os.close(master)
    return shown.decode(errors="replace"), process.wait()


class WithTree(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.tree = Path(cls.folder.name).resolve()
        build_tree(cls.tree)
        files = text_files()
        cls.words = Counter(word for data in files.values() for word in words_of(data))
        cls.files, cls.bytes = len(files), sum(map(len, files.values()))
        cls.chunks = sum(-(-len(data) // CHUNK_BYTES) for data in files.values())

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def count(self, *args, **popen):
        done = run("--json", *COUNT, *args, self.tree, **popen)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.returncode, 0)
        return json.loads(done.stdout)

    def assertAnswer(self, got, words):
        self.assertEqual(got["words"], sum(words.values()))
        self.assertEqual(got["distinct_words"], len(words))
        best = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:10]
        self.assertEqual([(t["word"], t["count"]) for t in got["top"]],
                         [(w.decode(), n) for w, n in best])
        for tier in got["tiers"]:
            self.assertEqual(tier["checksum"], checksum_of(words), tier["tier"])
            self.assertTrue(tier["same"])


# ---- the tests ----------------------------------------------------------------------------------

class Counting(WithTree):
    def readable(self):
        """What a run as this user counts: root reads what others may not."""
        if not may_read(self.tree / "unreadable"):
            return self.words, self.files, self.bytes, 1
        return self.words + Counter([b"secret", b"words"]), self.files + 1, self.bytes + 12, 0

    def test_every_tier_counts_every_word(self):
        words, files, size, unreadable = self.readable()
        got = self.count()
        self.assertEqual([t["tier"] for t in got["tiers"]], TIERS)
        self.assertAnswer(got, words)
        self.assertEqual(got["directory"], str(self.tree))
        self.assertEqual((got["files"], got["bytes"]), (files, size))
        self.assertEqual(got["left_out"],
                         {"not_text": 2, "unreadable": unreadable, "path_too_long": 1})

    def test_unreadable_files_are_counted_and_left_out(self):
        user = somebody_else([PROGRAM, "--version"], ["cat", self.tree / "one_word"])
        if user is None:
            self.skipTest("root, and nobody else may run the program where it lies")
        got = self.count(**user)
        self.assertEqual(got["left_out"]["unreadable"], 1)
        self.assertEqual(got["chunks"], self.chunks)
        self.assertAnswer(got, self.words)

    def test_each_tier_is_measured(self):
        got = self.count("--rounds=3")
        self.assertEqual(got["rounds"], 3)
        for tier in got["tiers"]:
            self.assertEqual(tier["tasks"], got["chunks"])
            self.assertEqual(tier["failed_tasks"], 0)
            self.assertGreater(tier["wall_ns"], 0)
            self.assertGreater(tier["speed_up"], 0)
            self.assertGreater(tier["peak_memory_bytes"], 0)
            self.assertGreaterEqual(tier["voluntary_switches"], 0)
            self.assertGreaterEqual(tier["involuntary_switches"], 0)
        self.assertEqual(got["tiers"][0]["speed_up"], 1)

    def test_any_number_of_workers_comes_to_the_same(self):
        words = self.readable()[0]
        for workers in (1, 2, 5):
            got = self.count(f"--workers={workers}")
            self.assertEqual(got["workers"], workers)
            self.assertAnswer(got, words)

    def test_one_tier_may_be_chosen_by_any_name_an_executor_has(self):
        for name in (*TIERS, "threads:3", "tasks:1", "processes:3", "auto"):
            got = self.count("--tier", name)
            self.assertEqual([t["tier"] for t in got["tiers"]], [name])
            self.assertAnswer(got, self.readable()[0])

    def test_a_cluster_counts_every_word(self):
        why_not = with_cluster.lacking(RAVEL)
        if why_not:
            self.skipTest(why_not)
        done = subprocess.run([sys.executable, with_cluster.__file__, "--must", RAVEL, PROGRAM,
                               PROGRAM, "--json", *COUNT, "--tier=cluster", self.tree],
                              stdin=subprocess.DEVNULL, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        got = json.loads(done.stdout)
        self.assertEqual([t["tier"] for t in got["tiers"]], ["cluster"])
        self.assertAnswer(got, self.readable()[0])

    def test_a_cluster_that_is_not_there_is_named(self):
        done = run("--tier=cluster:nats://127.0.0.1:1/p", *COUNT, self.tree)
        self.assertEqual(done.returncode, 1)
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_an_empty_directory_has_no_words(self):
        with tempfile.TemporaryDirectory() as folder:
            done = run("--json", *COUNT, folder)
            self.assertEqual(done.returncode, 0)
            got = json.loads(done.stdout)
            self.assertEqual((got["files"], got["words"], got["top"]), (0, 0, []))
            self.assertEqual(run(*COUNT, folder).returncode, 0)

    def test_answers_that_differ_are_told(self):
        """A file that changes all the while looks like a tier that counts wrong."""
        with tempfile.TemporaryDirectory() as folder:
            path, stop = Path(folder) / "restless", threading.Event()
            words = 2_000_000               # to read them takes longer than a turn on a core
            path.write_bytes(b"a " * words)

            def change():
                rng = random.Random(1)
                fd = os.open(path, os.O_WRONLY)
                while not stop.is_set():
                    os.pwrite(fd, rng.choice((b"a", b"b")), 2 * rng.randrange(words))
                os.close(fd)
            thread = threading.Thread(target=change)
            thread.start()
            try:
                done = run("--no-picture", "--rounds=3", folder)
            finally:
                stop.set()
                thread.join()
        self.assertEqual(done.returncode, 1)
        self.assertIn("DIFFERS", done.stdout)


class Picture(unittest.TestCase):
    def measure(self, *options):
        return json.loads(run("--json", *PICTURE, *options).stdout)["picture"]

    def test_jobs_wait_one_after_another_or_together(self):
        got = self.measure()
        self.assertEqual(got["scale"], 0.01)
        apart, together = got["one_after_another"]["jobs"], got["together"]["jobs"]
        for jobs in apart, together:
            self.assertEqual([j["wait_ns"] for j in jobs], [30_000_000, 10_000_000, 10_000_000])
            for job in jobs:
                self.assertGreaterEqual(job["end_ns"] - job["begin_ns"], job["wait_ns"])
        for before, after in zip(apart, apart[1:]):
            self.assertGreaterEqual(after["begin_ns"], before["end_ns"])

    def test_together_takes_less_time(self):
        """A busy machine may hold it up by more than a short picture takes."""
        for scale in (0.01, 0.1, 1):
            got = self.measure(f"--scale={scale}")
            if got["one_after_another"]["total_ns"] > got["together"]["total_ns"]:
                return
        self.fail("one after another was never slower")

    def test_bars_are_drawn_with_what_the_locale_has(self):
        plain = run(*PICTURE, env={"LC_ALL": "C"}).stdout
        self.assertIn("####", plain)
        self.assertTrue(plain.isascii())
        self.assertIn("████", run(*PICTURE, env={"LC_ALL": "C.UTF-8"}).stdout)


class Output(WithTree):
    def test_a_pipe_gets_plain_text(self):
        done = run("--rounds=1", "--scale=0.01", self.tree)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn(ESCAPE, done.stdout)
        self.assertNotIn("\r", done.stdout)
        for word in ("speed-up", "involuntary", "peak memory", "most frequent", "not text"
                     if may_read(self.tree / "unreadable") else "unreadable", "one after another", "together", *TIERS):
            self.assertIn(word, done.stdout)
        self.assertEqual(done.stdout.count("one after another"), 1)
        self.assertEqual(done.stdout.count(" same\n"), len(TIERS))

    def test_lines_fit_a_terminal(self):
        lines = run("--rounds=1", "--scale=0.01", "/usr/include/linux",
                    env={"LC_ALL": "C.UTF-8"}).stdout.splitlines()
        self.assertLessEqual(max(map(len, lines)), 80)

    def test_parts_can_be_left_out(self):
        self.assertNotIn("together", run(*COUNT, self.tree).stdout)
        self.assertNotIn("speed-up", run(*PICTURE).stdout)
        self.assertEqual(list(json.loads(run("--json", *PICTURE).stdout)), ["picture"])
        self.assertNotIn("picture", json.loads(run("--json", *COUNT, self.tree).stdout))

    def test_a_terminal_shows_progress_and_a_growing_picture(self):
        shown, status = on_terminal("--rounds=2", "--scale=0.1", self.tree)
        self.assertEqual(status, 0)
        for tier in TIERS:
            self.assertRegex(shown, rf"round 1 of 2, {tier}: [\d,]+ of [\d,]+ files, "
                                    r"[\d,]+ of [\d,]+ chunks, \d+ %")
        progress, table = shown.rsplit("\r\033[K", 1)       # it is erased when it is done
        self.assertNotIn("round 1 of 2", table)
        self.assertNotIn("speed-up", progress)
        self.assertRegex(table, r"\033\[\d+A")     # more often where the machine is not busy

    def test_colours_can_be_declined(self):
        colour = r"\033\[[\d;]*m"
        args = "--rounds=1", "--scale=0.01", self.tree
        self.assertRegex(on_terminal(*args)[0], colour)
        self.assertNotRegex(on_terminal(*args, NO_COLOR="1")[0], colour)
        self.assertNotIn(ESCAPE, on_terminal(*args, TERM="dumb")[0])

    def test_json_shows_no_progress(self):
        shown, status = on_terminal("--json", *COUNT, self.tree)
        self.assertEqual(status, 0)
        self.assertNotIn(ESCAPE, shown)
        json.loads(shown)


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = PROGRAM, "wordfreq"

    def test_bad_usage_is_named(self):
        for args, *said in (
                (["--bogus"], "--bogus"),
                (["--rounds"], "--rounds"),
                (["--rounds", "x"], "--rounds", "'x'"),
                (["--rounds", "0"], "--rounds", "'0'"),
                (["--rounds", "1.5"], "--rounds", "'1.5'"),
                (["--workers", "-1"], "--workers", "'-1'"),
                (["--workers", "1e9"], "--workers", "'1e9'"),
                (["--scale", "0"], "--scale", "'0'"),
                (["--scale", "nan"], "--scale", "'nan'"),
                (["--scale", ""], "--scale", "''"),
                (["--tier", "nonsense"], "--tier", "'nonsense'"),
                (["--tier", "threads:x"], "--tier", "'threads:x'"),
                (["--only-picture", "--no-picture"], "--only-picture", "--no-picture"),
                (["one", "two"], "'two'")):
            self.refuses(args, 2, "wordfreq: ", *said)

    def test_a_directory_has_to_be_there(self):
        self.refuses(["/nowhere/at/all"], 1, "/nowhere/at/all", "No such file")
        self.refuses([__file__], 1, __file__, "Not a directory")

    def test_help_names_every_option(self):
        said = self.run_it("--help").stdout
        for option in ("--tier", "--workers", "--rounds", "--scale", "--no-picture",
                       "--only-picture", "--json", "--help", "--version"):
            self.assertIn(option, said)

    def test_ctrl_c_ends_it(self):
        _, status = on_terminal("--only-picture", "--scale=10", until="▏".encode())
        self.assertEqual(status, -signal.SIGINT)

    def test_a_full_disk_is_a_failure(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PROGRAM, *PICTURE], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)


sys.exit(run_unittests())
