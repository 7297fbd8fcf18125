#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The library's static probes are those that ravel-usdt(7) lists, where they say, with what they say.

    test_usdt.py ROOT LIBRAVEL_SO PROBED built|not-built
"""

import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
from collections import namedtuple
from pathlib import Path

ROOT, LIBRARY, PROBED = (Path(argument).resolve() for argument in sys.argv[1:4])
IS_BUILT = sys.argv[4] == "built"
sys.path.insert(0, str(ROOT / "tools"))

from tap import run_unittests  # noqa: E402

PATIENCE = 200      # seconds, after which something hangs
NOPS = {62: [b"\x90"], 183: [b"\x1f\x20\x03\xd5"]}     # by ELF's machine: x86-64, aarch64
NOTE_TYPE = 3

Probe = namedtuple("Probe", "provider name address base args")


def sections(elf):
    """{name: (address, bytes)} of a 64-bit little-endian ELF file."""
    table, = struct.unpack_from("<Q", elf, 0x28)
    size, count, names = struct.unpack_from("<HHH", elf, 0x3a)
    heads = [struct.unpack_from("<IIQQQQ", elf, table + i * size) for i in range(count)]
    text = elf[heads[names][4]:][:heads[names][5]]
    return {text[head[0]:text.index(b"\0", head[0])].decode(): (head[3], elf[head[4]:][:head[5]])
            for head in heads}


def probes_of(note):
    """Each note of .note.stapsdt."""
    at = 0
    while at < len(note):
        name_size, size, kind = struct.unpack_from("<III", note, at)
        body = at + 12 + (name_size + 3 & ~3)
        assert kind == NOTE_TYPE and note[at + 12:body].rstrip(b"\0") == b"stapsdt"
        address, base, _ = struct.unpack_from("<QQQ", note, body)
        provider, name, args = note[body + 24:body + size].split(b"\0")[:3]
        yield Probe(provider.decode(), name.decode(), address, base, args.decode().split())
        at = body + (size + 3 & ~3)


def listed():
    """{name: number of arguments}, by the manual page."""
    page = (ROOT / "doc" / "man" / "ravel-usdt.7").read_text()
    return {name: rest.count(",") + 1
            for name, rest in re.findall(r"^\.BI ([a-z]+_[a-z]+)\((.*)\)$", page, re.M)}


@unittest.skipUnless(IS_BUILT, "the option usdt is off, or there is no <sys/sdt.h>")
class Usdt(unittest.TestCase):
    def setUp(self):
        self.elf = LIBRARY.read_bytes()
        self.sections = sections(self.elf)
        self.probes = list(probes_of(self.sections[".note.stapsdt"][1]))

    def test_those_that_are_listed_are_there_and_no_others(self):
        self.assertEqual({probe.provider for probe in self.probes}, {"ravel"})
        self.assertEqual({(probe.name, len(probe.args)) for probe in self.probes},
                         set(listed().items()))

    def test_each_is_an_instruction_that_does_nothing(self):
        machine, = struct.unpack_from("<H", self.elf, 18)
        start, text = self.sections[".text"]
        # What prelink would have moved: the note says where it was when it was written.
        moved = self.sections[".stapsdt.base"][0]
        for probe in self.probes:
            at = probe.address + moved - probe.base - start
            self.assertTrue(any(text.startswith(nop, at) for nop in NOPS[machine]), probe)

    def seen_at(self, *places):
        """What gdb prints at each of these places, in order: (probe, format, arguments)."""
        lines = ["set debuginfod enabled off", "set pagination off", "break main", "run"]
        for probe, form, args in places:
            lines += [f"break -probe-stap ravel:{probe}", "commands", "silent",
                      f'printf "SEEN {probe} {form}\\n", {args}', "continue", "end"]
        with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
            print(*lines, "continue", sep="\n", file=script, flush=True)
            done = subprocess.run(["gdb", "-nx", "-batch", "-x", script.name, PROBED],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=PATIENCE, stdin=subprocess.DEVNULL)
        if "Breakpoint 1, main" not in done.stdout:
            self.skipTest("gdb may not run programs here")
        self.assertIn("exited normally", done.stdout)
        return re.findall(r"^SEEN (.*)$", done.stdout, re.M)

    @unittest.skipUnless(shutil.which("gdb"), "gdb is missing")
    def test_arguments_are_what_they_are_called(self):
        seen = self.seen_at(
            ("task_spawn", "%d", "$_probe_arg0"),
            ("task_begin", "%d %s", "$_probe_arg0,(char*)$_probe_arg1"),
            ("task_yield", "%d", "$_probe_arg0"),
            ("task_park", "%d", "$_probe_arg0"),
            ("task_ready", "%d", "$_probe_arg0"),
            ("task_resume", "%d", "$_probe_arg0"),
            ("task_end", "%d %d", "$_probe_arg0,(int)$_probe_arg1"),
            ("scope_open", "%d", "$_probe_arg1"),
            ("scope_cancel", "%d %d", "$_probe_arg1,(int)$_probe_arg2"),
            ("scope_close", "%d %s %d", "$_probe_arg1,(char*)$_probe_arg2,(int)$_probe_arg3"))
        self.assertEqual(seen, [
            "task_spawn 1", "task_begin 1 entry", "scope_open 1", "task_spawn 2", "task_yield 1",
            "task_begin 2 waiter", "task_park 2", "task_resume 1", "scope_cancel 1 -5",
            "task_ready 2", "task_park 1", "task_resume 2", "task_end 2 5", "task_ready 1",
            "task_resume 1", "scope_close 1 short -5", "task_end 1 0"])


if __name__ == "__main__":
    sys.argv[1:] = []
    sys.exit(run_unittests())
