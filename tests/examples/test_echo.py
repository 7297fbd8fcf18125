#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/echo sends everything back, to clients of all manners, and ends in order.

    test_echo.py ECHO
"""

import os
import random
import resource
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from program import PATIENCE, Listening, WithCommandLine  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1]
# Clients of a busy machine are slow, too: a server that is told nothing else waits for them.
PATIENT = [f"--{what}-ms={PATIENCE * 1000}" for what in ("idle", "send", "drain")]
MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MANY = min(300, MOST_FILES // 3)    # connections, which are a descriptor each, here as there
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, MOST_FILES), MOST_FILES))
PLENTY = random.Random(1).randbytes(20_000_000)


def has_v6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


class Echo(Listening):
    """By default at a port of 127.0.0.1."""

    def __init__(self, *args, places=("127.0.0.1:0",), **popen):
        options = [f"--listen={place}" for place in places]
        super().__init__([PROGRAM, *PATIENT, *options, *args], r"echo: (.*)\n", len(places),
                         **popen)

    def connect(self, place=0, receive_bytes=None):
        text = self.places[place]
        if text.startswith("unix:"):
            s = socket.socket(socket.AF_UNIX)
            address = text[5:].replace("@", "\0", 1) if text[5] == "@" else text[5:]
        else:
            host, _, port = text.rpartition(":")
            s = socket.socket(socket.AF_INET6 if host[0] == "[" else socket.AF_INET)
            address = (host.strip("[]"), int(port))
        if receive_bytes:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        s.settimeout(PATIENCE)
        s.connect(address)
        return s


def receive(s, count):
    data = b""
    while len(data) < count:
        piece = s.recv(min(count - len(data), 65536))
        if not piece:
            break
        data += piece
    return data


def ask(s, data):
    s.sendall(data)
    return receive(s, len(data))


def send_until_full(s):
    """Send what is there room for, which is more than the server can send back. Bytes sent."""
    s.setblocking(False)
    sent = 0
    try:
        while sent < len(PLENTY):
            sent += s.send(PLENTY[sent:sent + 65536])
    except BlockingIOError:
        pass
    s.settimeout(PATIENCE)
    return sent


class Answers(unittest.TestCase):
    def test_bytes_come_back(self):
        with Echo() as echo, echo.connect() as s:
            for data in (b"x", b"hello", bytes(range(256)) * 100):
                self.assertEqual(ask(s, data), data)
            s.close()
            self.assertEqual(echo.stop(), (0, "", ""))

    def test_every_family_and_path(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            places = ["127.0.0.1:0", f"unix:{path}", f"unix:@ravel-echo-{os.getpid()}"]
            places += ["[::1]:0"] if has_v6() else []
            with Echo(places=places) as echo:
                for i in range(len(places)):
                    with echo.connect(i) as s:
                        self.assertEqual(ask(s, b"who?"), b"who?", echo.places[i])
                self.assertTrue(os.path.exists(path))
                self.assertEqual(echo.stop(), (0, "", ""))
            self.assertFalse(os.path.exists(path))

    def test_a_path_left_behind_is_taken_over_and_one_in_use_is_not(self):
        with tempfile.TemporaryDirectory() as folder:
            places = [f"unix:{folder}/socket"]
            with Echo(places=places) as first:
                again = subprocess.run([PROGRAM, f"--listen={places[0]}"], capture_output=True,
                                       text=True, timeout=PATIENCE)
                self.assertEqual((again.returncode, again.stdout), (1, ""))
                self.assertIn("Address already in use", again.stderr)
                first.process.kill()
                first.process.wait()
            with Echo(places=places) as second, second.connect() as s:
                self.assertEqual(ask(s, b"new"), b"new")

    def test_more_than_fits_comes_back_after_a_half_close(self):
        with Echo() as echo, echo.connect() as s:
            def send():
                s.sendall(PLENTY)
                s.shutdown(socket.SHUT_WR)
            sender = threading.Thread(target=send)
            sender.start()
            self.assertEqual(receive(s, len(PLENTY) + 1), PLENTY)
            sender.join()

    def test_many_at_a_time(self):
        for workers in "1", "2":
            with Echo(f"--workers={workers}") as echo:
                clients = [echo.connect() for _ in range(MANY)]
                for i, s in enumerate(clients):
                    s.sendall(b"%d" % i)
                for i, s in enumerate(clients):
                    self.assertEqual(receive(s, len(b"%d" % i)), b"%d" % i)
                for s in clients:
                    s.close()
                self.assertEqual(echo.stop(), (0, "", ""))

    def test_no_more_than_the_limit_and_the_others_wait(self):
        with Echo("--max=1", "--workers=1") as echo, echo.connect() as first, echo.connect() as second:
            self.assertEqual(ask(first, b"one"), b"one")
            second.sendall(b"two")
            second.settimeout(0.05)
            self.assertRaises(TimeoutError, second.recv, 3)
            first.close()
            second.settimeout(PATIENCE)
            self.assertEqual(receive(second, 3), b"two")


class Trouble(unittest.TestCase):
    def test_clients_that_reset_harm_nobody(self):
        with Echo() as echo:
            for data in b"", b"x", PLENTY[:300_000]:
                s = echo.connect()
                s.setblocking(False)
                if data:
                    s.send(data)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                s.close()
            with echo.connect() as s:
                self.assertEqual(ask(s, b"still there"), b"still there")
            self.assertEqual(echo.stop(), (0, "", ""))

    def test_the_silent_are_left_behind(self):
        with Echo("--idle-ms=50") as echo, echo.connect() as s:
            self.assertEqual(s.recv(1), b"")

    def test_who_takes_nothing_is_left_behind(self):
        with Echo("--send-ms=50") as echo, echo.connect() as s:
            try:
                s.sendall(PLENTY)
                self.fail("all was taken")
            except (ConnectionResetError, BrokenPipeError):
                pass

    def test_without_descriptors_they_wait(self):
        limit = (40, 40)
        with Echo(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit)) as echo:
            with selectors.DefaultSelector() as waiting:
                for _ in range(60):
                    s = echo.connect()
                    s.sendall(b"x")
                    waiting.register(s, selectors.EVENT_READ)
                while waiting.get_map():
                    for key, _ in waiting.select(PATIENCE):
                        self.assertEqual(receive(key.fileobj, 1), b"x")
                        waiting.unregister(key.fileobj)
                        key.fileobj.close()
            self.assertEqual(echo.stop(), (0, "", ""))


class Endings(unittest.TestCase):
    def test_idle_connections_end_at_once(self):
        for number in signal.SIGTERM, signal.SIGINT:
            with Echo() as echo, echo.connect() as fresh, echo.connect() as used:
                self.assertEqual(ask(used, b"x"), b"x")
                echo.signal(number)
                self.assertEqual((fresh.recv(1), used.recv(1)), (b"", b""))
                fresh.close()
                used.close()
                self.assertEqual(echo.end(), (0, "", ""))

    def test_what_is_on_its_way_back_arrives(self):
        with Echo() as echo, echo.connect(receive_bytes=4096) as s:
            sent = send_until_full(s)
            head = receive(s, 1000)     # so it is at work on ours
            echo.signal()
            rest = receive(s, sent)
            self.assertEqual(PLENTY[:len(head + rest)], head + rest)
            self.assertGreater(len(rest), 0)
            s.close()
            self.assertEqual(echo.end(), (0, "", ""))

    def test_nobody_holds_it_up_beyond_the_deadline(self):
        with Echo("--drain-ms=50") as echo, echo.connect(receive_bytes=4096) as s:
            send_until_full(s)
            receive(s, 1000)
            self.assertEqual(echo.stop(), (0, "", ""))


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = PROGRAM, "echo"

    def test_bad_usage_is_named(self):
        for args, word in ((["--bogus"], "--bogus"), (["--max=0"], "'0'"), (["extra"], "'extra'"),
                           (["--idle-ms=x"], "'x'"), (["--listen=a:1"] * 17, "'a:1'")):
            self.refuses(args, 2, word)

    def test_what_cannot_be_listened_at_is_named(self):
        for place, word in (("nonsense", "Invalid argument"), ("192.0.2.1:1", "Cannot assign"),
                            ("unix:/no/such/folder/x", "No such file")):
            self.refuses([f"--listen={place}"], 1, f"echo: {place}: {word}")


sys.exit(run_unittests())
