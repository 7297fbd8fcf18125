#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/convert converts what is whole, names what has crashed, and on threads it dies of it.

    test_convert.py [CONVERT]
"""

import os
import resource
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE, WithCommandLine  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
CRASHES = r"killed by SIG(ABRT|SEGV)"
GRAY, RGB, PALETTE, RGBA = 0, 2, 3, 6


def chunk(kind, data):
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width, height, rows, colour=RGB, depth=8, more=b""):
    """A PNG file of its rows' bytes."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + more + chunk(b"IDAT", body)
            + chunk(b"IEND", b""))


def ppm(width, height, pixels):
    return b"P6\n%d %d\n255\n" % (width, height) + pixels


def good(seed=0):
    """Small enough to stay as it is: the file, and what it becomes."""
    rows = [bytes((seed + x + 7 * y) % 256 for x in range(3 * 20)) for y in range(10)]
    return png(20, 10, rows), ppm(20, 10, b"".join(rows))


def cut_short():
    """Of none that is whole elsewhere: the rest might still lie where the job reads on."""
    return good(200)[0][:60]


def no_core():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Convert(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = Path(self.holder.name)
        self.to = self.folder / "to"
        self.pictures = self.folder / "from"
        self.pictures.mkdir()

    def run_it(self, *args, **options):
        env = {**os.environ, "TMPDIR": str(self.folder)}
        return subprocess.run([PROGRAM, *map(str, args)], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                              preexec_fn=no_core, env=env, **options)

    def convert(self, files, *args):
        for name, data in files.items():
            (self.pictures / name).write_bytes(data)
        return self.run_it(*args, self.pictures, self.to)

    def made(self):
        return {path.name: path.read_bytes() for path in self.to.iterdir()}

    # ---- what is whole

    def test_each_kind_of_picture_is_converted(self):
        palette = [b"\1\2\3", b"\xff\0\x80"]
        halves = [b"\0\0\0\x64\x64\x64" * 64] * 128     # 128 x 128: 2 x 2 become one
        files = {
            "gray.png": (png(2, 1, [b"\x07\xf0"], GRAY), ppm(2, 1, b"\7\7\7\xf0\xf0\xf0")),
            "palette.png": (png(2, 1, [b"\1\0"], PALETTE, more=chunk(b"PLTE", b"".join(palette))),
                            ppm(2, 1, palette[1] + palette[0])),
            "alpha.png": (png(1, 1, [b"\1\2\3\x80"], RGBA), ppm(1, 1, b"\1\2\3")),
            "deep.png": (png(1, 1, [b"\0\0\xff\xff\x80\x80"], depth=16), ppm(1, 1, b"\0\xff\x80")),
            "large.png": (png(128, 128, halves), ppm(64, 64, b"\x32" * 3 * 64 * 64)),
            "line.png": (png(640, 2, [b"\1\2\3" * 640] * 2), ppm(64, 1, b"\1\2\3" * 64)),
        }
        done = self.convert({name: file for name, (file, _) in files.items()})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^6 of 6 pictures converted on processes:\d+ in .* s; "
                                      r"0 of \d+ processes died\n$")
        self.assertEqual(self.made(), {name.replace(".png", ".ppm"): result
                                       for name, (_, result) in files.items()})

    def test_all_tiers_agree(self):
        self.assertEqual(self.run_it("--make", 30, "--bad-every", 1000, self.pictures).stderr, "")
        made = []
        for tier in "processes:3", "threads", "tasks", "inline":
            done = self.convert({}, "--tier", tier)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"30 of 30 pictures converted on {tier}", done.stdout)
            made.append(self.made())
        self.assertEqual(len(made[0]), 30)
        self.assertEqual(made, [made[0]] * 4)

    def test_no_picture_is_no_problem(self):
        done = self.convert({"text.txt": b"no picture", ".png": b""})
        self.assertEqual((done.returncode, done.stderr, self.made()), (0, "", {}))
        self.assertIn("0 of 0 pictures converted", done.stdout)

    def test_confined_processes_do_the_same(self):
        file, result = good()
        done = self.convert({"a.png": file}, "--confined")
        if "Operation not supported" in done.stderr:
            self.skipTest("this kernel confines nobody to reading")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.made(), {"a.ppm": result})

    # ---- what is not

    def test_a_crash_takes_one_picture_down(self):
        files = {f"{i:02}.png": good(i)[0] for i in range(30)}
        files.update({f"{i:02}.png": cut_short() for i in (0, 11, 12, 29)})
        done = self.convert(files)
        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line.split(":")[0] for line in lines[:-1]],
                         ["00.png", "11.png", "12.png", "29.png"])
        for line in lines[:-1]:
            self.assertRegex(line, CRASHES)
        self.assertRegex(lines[-1], r"^26 of 30 pictures .*; 4 of \d+ processes died$")
        self.assertEqual(self.made(), {f"{i:02}.ppm": good(i)[1] for i in range(30)
                                       if i not in (0, 11, 12, 29)})

    def test_each_damage_of_the_gallery_kills(self):
        self.run_it("--make", 40, "--bad-every", 20, self.pictures)
        done = self.convert({})
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, rf"^0010\.png: {CRASHES}.*\n0030\.png: {CRASHES}.*\n"
                                      r"38 of 40 .*; 2 of \d+ processes died\n$")

    def test_last_words_are_told(self):
        chunks = good()[0]
        flipped = chunks[:60] + bytes([chunks[60] ^ 0xff]) + chunks[61:]
        done = self.convert({"flipped.png": flipped})
        self.assertRegex(done.stdout, r"^flipped\.png: killed by SIGABRT, its last words: "
                                      r"libpng error: \w.*\n0 of 1 ")
        self.assertIn("libpng error: ", done.stderr)

    def test_on_threads_the_program_is_killed(self):
        done = self.convert({"a.png": good()[0], "b.png": cut_short()}, "--tier", "threads:1")
        self.assertLess(done.returncode, 0)
        self.assertEqual(done.stdout, "")

    def test_an_error_is_no_crash(self):
        done = self.convert({"empty.png": b"", "good.png": good()[0], "text.png": b"no picture"})
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "")
        error = "Invalid or incomplete multibyte or wide character"
        self.assertRegex(done.stdout, f"^empty.png: {error}\ntext.png: {error}\n"
                                      r"1 of 3 pictures .*; 0 of \d+ processes died\n$")

    # ---- the program

    def test_what_is_not_there_is_said(self):
        done = self.run_it(self.folder / "none", self.to)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("none: No such file or directory", done.stderr)
        done = self.run_it(self.pictures, self.folder / "none" / "to")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("No such file or directory", done.stderr)
        done = self.run_it("--make", 3, self.folder / "none")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("No such file or directory", done.stderr)

    def test_a_thumbnail_that_cannot_be_saved_ends_it(self):
        (self.to / "a.ppm").mkdir(parents=True)
        done = self.convert({"a.png": good()[0]})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("a.png: its thumbnail: Is a directory", done.stderr)

    def test_a_tier_that_does_not_exist_is_refused(self):
        done = self.convert({"a.png": good()[0]}, "--tier", "clouds")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("convert: clouds: Invalid argument", done.stderr)

    def test_the_demonstration_shows_the_difference(self):
        done = self.run_it("--demo")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertRegex(lines[1], rf"^0500\.png: {CRASHES}")
        self.assertRegex(lines[2], r"^999 of 1000 pictures converted on processes:\d+ .*; "
                                   r"1 of \d+ processes died$")
        self.assertRegex(lines[3], rf"the whole program was {CRASHES}, after \d+ pictures$")
        self.assertEqual([path.name for path in self.folder.iterdir()], ["from"])


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = PROGRAM, "convert"

    def test_nonsense_is_refused(self):
        self.refuses([], 2, "two folders")
        self.refuses(["a"], 2, "two folders")
        self.refuses(["a", "b", "c"], 2, "two folders")
        self.refuses(["--make", "5"], 2, "one folder")
        self.refuses(["--demo", "x"], 2, "no folder")
        self.refuses(["--make", "0", "x"], 2, "--make", "1 to 9999", "'0'")
        self.refuses(["--bad-every", "1", "x"], 2, "--bad-every", "2 to 9999", "'1'")
        self.refuses(["--make", "5x", "x"], 2, "'5x'")
        self.refuses(["--nonsense"], 2, "--nonsense", "Try --help")


if __name__ == "__main__":
    sys.exit(run_unittests(lacking=None if PROGRAM else "built without libpng"))
