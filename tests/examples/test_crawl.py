#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/crawl fetches what it is told to, tries again what may go better, and says what failed.

    test_crawl.py [CRAWL HTTPD]
"""

import os
import pty
import random
import re
import select
import signal
import socket
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

from http_client import Server  # noqa: E402
from program import PATIENCE, WithCommandLine  # noqa: E402
from tap import run_unittests  # noqa: E402

CRAWL, HTTPD = sys.argv[1:3] if len(sys.argv) > 2 else (None, None)
BODY = bytes(range(256)) * 40
PATIENT = f"--timeout-ms={PATIENCE * 1000}"     # servers on a busy machine are slow, too


def answer(body, status="200 OK", fields=""):
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n").encode() + body


def chunked(body):
    parts = [body[i:i + 700] for i in range(0, len(body), 700)]
    data = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data + b"0\r\n\r\n"


class Faulty:
    """A server whose paths say what goes wrong."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.seen, self.now, self.most = Counter(), 0, 0
        self.last_request = b""
        self.gate, self.trio = threading.Event(), threading.Barrier(3)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.gate.set()
        self.listener.close()

    def url(self, path):
        return f"http://{self.address}/{path}"

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client:
            try:
                self.play(client)
            except OSError:
                pass

    def play(self, client):
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return
            data += more
        path = data.split()[1].decode().lstrip("/").partition("?")[0]
        with self.lock:
            self.last_request = data
            self.seen[path] += 1
            turn = self.seen[path]
        self.behave(client, path, turn)

    def count(self, change):
        with self.lock:
            self.now += change
            self.most = max(self.most, self.now)

    def behave(self, client, path, turn):
        what, _, number = path.partition("-")
        if what == "fine":
            client.sendall(answer(BODY))
        elif what == "chunked":
            client.sendall(chunked(BODY))
        elif what == "endless":         # no length: the end of the connection is its end
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
        elif what == "hints":
            client.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(BODY))
        elif what == "bytewise":
            for byte in answer(b"body"):
                client.sendall(bytes([byte]))
        elif what == "better":          # at its third attempt
            client.sendall(answer(BODY) if turn >= 3 else answer(b"", "503 Not Yet"))
        elif what == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif what == "half":
            client.sendall(answer(BODY)[:-100])
        elif what == "chunk":
            client.sendall(chunked(BODY)[:-5])
        elif what == "silent":
            self.gate.wait(PATIENCE)
        elif what == "stuck":
            client.sendall(answer(BODY)[:100])
            self.gate.wait(PATIENCE)
        elif what == "garbage":
            client.sendall(b"SMTP ready\r\n\r\n")
        elif what == "trio":            # only three of them together are answered
            self.count(+1)
            self.trio.wait(PATIENCE)
            self.count(-1)
            client.sendall(answer(b"x"))
        elif what == "status":
            client.sendall(answer(b"?", f"{number} Whatever"))


class WithFaulty(unittest.TestCase):
    def setUp(self):
        self.server = Faulty()

    def tearDown(self):
        self.server.close()

    def crawl(self, urls, *args, status=0):
        """{URL: (status, bytes) or text}, standard error's lines."""
        done = subprocess.run([CRAWL, "--backoff-ms=1", PATIENT, *args], text=True,
                              input="".join(f"{url}\n" for url in urls), capture_output=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertNotIn("\r", done.stdout + done.stderr)
        return self.outcomes(done.stdout), done.stderr.splitlines()

    def outcomes(self, text):
        found = {}
        for line in text.splitlines():
            fine = re.fullmatch(r"(\d+) (\d+) (\S+)", line)
            failed = re.fullmatch(r"failed (.+?): (\S.*)", line)
            self.assertTrue(fine or failed, line)
            url = fine.group(3) if fine else failed.group(1)
            self.assertNotIn(url, found)
            found[url] = (int(fine.group(1)), int(fine.group(2))) if fine else failed.group(2)
        return found

    def one(self, path, *args):
        """What is said of a path that fails, and how often it was asked for."""
        url = self.server.url(path)
        found, said = self.crawl([url], *args, status=1)
        self.assertEqual(said[0], f"crawl: {url}: {found[url]}")
        self.assertEqual(said[-1], f"crawl: 1 failed, the first of them {url}: {found[url]}")
        return found[url], self.server.seen[path]


class Fetching(WithFaulty):
    def test_bodies_of_all_kinds_are_read_whole(self):
        urls = [self.server.url(f"{kind}-{i}") for kind in ("fine", "chunked", "endless", "hints")
                for i in range(25)]
        found, said = self.crawl(urls + [self.server.url("bytewise")])
        self.assertEqual(found.pop(self.server.url("bytewise")), (200, 4))
        self.assertEqual(found, {url: (200, len(BODY)) for url in urls})
        self.assertRegex(said[-1], r"^crawl: 101 of 101 fetched, 1\.0 MB in [\d.]+ s, 0 retries$")

    def test_a_request_is_as_it_should_be(self):
        self.crawl([self.server.url("fine?a=b#part")])
        lines = self.server.last_request.decode().split("\r\n")
        self.assertEqual(lines[0], "GET /fine?a=b HTTP/1.1")
        self.assertIn(f"Host: {self.server.address}", lines)

    def test_as_many_at_a_time_as_allowed(self):
        urls = [self.server.url(f"trio-{i}") for i in range(60)]
        self.crawl(urls, "--jobs=3")
        self.assertEqual(self.server.most, 3)
        self.assertEqual(sum(self.server.seen.values()), 60)

    def test_what_gets_better_is_fetched_in_the_end(self):
        urls = [self.server.url(f"better-{i}") for i in range(10)]
        found, said = self.crawl(urls)
        self.assertEqual(set(found.values()), {(200, len(BODY))})
        self.assertIn("20 retries", said[-1])

    def test_every_file_of_a_server_at_once(self):
        rng = random.Random(5)
        with tempfile.TemporaryDirectory() as folder:
            sizes = {f"f{i}": rng.randrange(60_000) for i in range(1000)}
            for name, size in sizes.items():
                (Path(folder) / name).write_bytes(b"x" * size)
            with Server(HTTPD, folder) as server:
                found, _ = self.crawl([server.url + name for name in sizes], "--jobs=200")
                self.assertEqual(found, {server.url + n: (200, s) for n, s in sizes.items()})
                self.assertEqual(server.stop()[0], 0)

    def test_a_list_is_worked_off_while_it_comes(self):
        process = subprocess.Popen([CRAWL], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, bufsize=1)
        for i in range(5):
            process.stdin.write(self.server.url(f"fine-{i}") + "\n")
            self.assertEqual(process.stdout.readline(),
                             f"200 {len(BODY)} {self.server.url(f'fine-{i}')}\n")
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)

    def test_lists_have_comments_and_odd_ends(self):
        with tempfile.NamedTemporaryFile("w", newline="") as file:
            file.write("# a list\r\n\r\n\n" + self.server.url("fine-1") + " \r\n" +
                       self.server.url("fine-2"))
            file.flush()
            done = subprocess.run([CRAWL, file.name], capture_output=True, text=True)
        self.assertEqual(len(self.outcomes(done.stdout)), 2)
        self.assertEqual(done.returncode, 0)

    def test_nothing_to_do_is_done(self):
        self.assertEqual(self.crawl([])[0], {})


class Failing(WithFaulty):
    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            url = "http://127.0.0.1:%d/" % s.getsockname()[1]
        found, _ = self.crawl([url], status=1)
        self.assertEqual(found[url], "Connection refused, after 4 attempts")

    def test_answers_that_break_off(self):
        self.assertEqual(self.one("half"), ("the answer ended too early, after 4 attempts", 4))
        self.assertEqual(self.one("chunk"), ("the answer ended too early, after 4 attempts", 4))
        text, times = self.one("reset", "--retries=1")
        self.assertIn(text, ("Connection reset by peer, after 2 attempts",
                             "the answer ended too early, after 2 attempts"))
        self.assertEqual(times, 2)

    def test_answers_that_are_none(self):
        self.assertEqual(self.one("garbage", "--retries=0"), ("the answer is no HTTP", 1))

    def test_answers_that_do_not_come(self):
        late = ("--timeout-ms=150", "--retries=1")
        for path in ("silent", "stuck"):        # whose server may not even have come to it
            self.assertEqual(self.one(path, *late)[0], "took too long, after 2 attempts")

    def test_only_what_may_go_better_is_tried_again(self):
        for status, times in ((404, 1), (403, 1), (501, 1), (500, 4), (503, 4), (429, 4)):
            text, asked = self.one(f"status-{status}")
            self.assertEqual(asked, times)
            self.assertEqual(text, f"{status}" + (", after 4 attempts" if times > 1 else ""))

    def test_one_failure_stops_nobody_else(self):
        fine = [self.server.url(f"fine-{i}") for i in range(30)]
        bad = [self.server.url("status-404"), self.server.url("garbage"), "ftp://x/", "nonsense"]
        found, said = self.crawl(fine[:15] + bad + fine[15:], "--retries=0", status=1)
        self.assertEqual([found[url] for url in fine], [(200, len(BODY))] * 30)
        self.assertEqual(said[-1].split(",")[0], "crawl: 4 failed")
        self.assertIn("30 of 34 fetched", said[-2])

    def test_what_is_no_url(self):
        for url in ("x", "https://x/", "http://", "http:///x", "http://a b/", "http://u@x/",
                    "http://" + "x" * 400 + "/"):
            found, _ = self.crawl([url], status=1)
            self.assertEqual(found[url], "no http URL")
        done = subprocess.run([CRAWL], input="http://x/" + "y" * 5000, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Message too long", done.stderr)

    def test_nobody_reads_what_it_says(self):
        urls = "".join(self.server.url(f"fine-{i}") + "\n" for i in range(2000))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(urls)
            file.flush()
            reading, writing = os.pipe()
            process = subprocess.Popen([CRAWL, file.name], stdout=writing, stderr=subprocess.PIPE,
                                       text=True)
            os.close(writing)
            os.read(reading, 1)
            os.close(reading)
            _, said = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("standard output: Broken pipe", said)


class Terminal(WithFaulty):
    def test_a_terminal_shows_progress(self):
        master, slave = pty.openpty()
        process = subprocess.Popen([CRAWL, "--retries=0"], stdin=subprocess.PIPE, stderr=slave,
                                   stdout=subprocess.DEVNULL, text=True)
        os.close(slave)
        process.stdin.write(self.server.url("fine") + "\n" + self.server.url("status-404") + "\n")
        process.stdin.flush()
        shown = ""
        while "1 fetched, 1 failed, 0 retries, 0.0 MB" not in shown:
            self.assertTrue(select.select([master], [], [], PATIENCE)[0], shown)
            shown += os.read(master, 65536).decode()
        process.stdin.close()
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data.decode()
        self.assertEqual(process.wait(PATIENCE), 1)
        os.close(master)
        last = shown.rsplit("\r\033[K", 1)[1]
        self.assertTrue(last.startswith("crawl: 1 of 2 fetched"), last)

    def test_ctrl_c_ends_it_with_what_there_is(self):
        process = subprocess.Popen([CRAWL], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        process.stdin.write(self.server.url("fine") + "\n" + self.server.url("silent") + "\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), f"200 {len(BODY)} {self.server.url('fine')}\n")
        while not self.server.seen["silent"]:
            self.server.gate.wait(0.01)
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, out), (1, ""))
        self.assertIn("1 of 1 fetched", said)
        self.assertTrue(said.endswith("crawl: interrupted\n"), said)


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = CRAWL, "crawl"

    def test_bad_usage_is_named(self):
        for args, word in ((["--bogus"], "--bogus"), (["--jobs=0"], "'0'"), (["--jobs=x"], "'x'"),
                           (["--retries=-1"], "'-1'"), (["--timeout-ms="], "''"),
                           (["a", "b"], "'b'")):
            self.refuses(args, 2, word)

    def test_a_list_has_to_be_there(self):
        self.refuses(["/nowhere"], 1, "/nowhere: No such file")


sys.exit(run_unittests(lacking=None if CRAWL else "built without llhttp"))
