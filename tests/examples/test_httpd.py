#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""examples/httpd answers as RFC 9110 and 9112 say, to clients of all manners, and ends in order.

The same tests hold for its twin with a thread for each connection, but for deadlines, which there
are those of single calls.

    test_httpd.py [HTTPD [--threads]]
"""

import ctypes
import errno
import os
import random
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "examples")]

from http_client import Client, Server, make_certificate, request  # noqa: E402
from program import PATIENCE, WithCommandLine, may_read, somebody_else  # noqa: E402
from tap import run_unittests  # noqa: E402

PROGRAM = sys.argv[1] if len(sys.argv) > 1 else None
THREADS = "--threads" in sys.argv
NAME = "httpd_threads" if THREADS else "httpd"
BIG = random.Random(1).randbytes(3_000_000)
SMALL = b"a small file\n"
MODIFIED = 1_600_000_000        # when small.txt was changed, and half a second


# A thousand clients are a thousand descriptors here, and twice that where a file is open for each.
MOST = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MANY = min(1000, MOST // 3)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, MOST), MOST))


def build_root(root):
    (root / "small.txt").write_bytes(SMALL)
    os.utime(root / "small.txt", ns=(0, MODIFIED * 10**9 + 500_000_000))
    (root / "big.bin").write_bytes(BIG)
    (root / "empty").write_bytes(b"")
    (root / "page.HTML").write_bytes(b"<p>")
    (root / "a b & c%.txt").write_bytes(b"odd name")
    (root / "grün.txt").write_bytes("ü".encode())
    (root / ".hidden").write_bytes(b"secret")
    (root / "closed").write_bytes(b"secret")
    (root / "closed").chmod(0)
    os.mkfifo(root / "fifo")
    (root / "with").mkdir()
    (root / "with" / "index.html").write_bytes(b"<h1>index</h1>")
    (root / "with" / "in ner").mkdir()
    (root / "without").mkdir()
    (root / ".git").mkdir()
    (root / ".git" / "config").write_bytes(b"secret")
    (root / "link_inside").symlink_to("with/index.html")
    (root / "link_out").symlink_to("/etc/passwd")
    (root / "link_up").symlink_to("../..")
    (root / "link_to_itself").symlink_to("link_to_itself")
    (root / "index.html").write_bytes(b"front")


class WithServer(unittest.TestCase):
    """One server for all tests of a class."""
    tls = False

    @classmethod
    def setUpClass(cls):
        files = None
        if cls.tls:
            cls.tls_folder = tempfile.TemporaryDirectory()
            os.chmod(cls.tls_folder.name, 0o755)
            files = make_certificate(Path(cls.tls_folder.name))
            if THREADS or not files:
                raise unittest.SkipTest("no TLS here")
        cls.folder = tempfile.TemporaryDirectory()
        os.chmod(cls.folder.name, 0o755)
        cls.root = Path(cls.folder.name)
        build_root(cls.root)
        # Root may read everything, so root's server runs as somebody else.
        user = somebody_else([PROGRAM, "--version"], ["cat", cls.root / "small.txt"]) or {}
        args = ["--hello"]
        if files:
            args += [f"--cert={files[0]}", f"--key={files[1]}"]
        cls.server = Server(PROGRAM, cls.root, *args, cert=files and files[0], **user)

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.server.stop()[0] == 0
        finally:
            cls.server.__exit__()
            cls.folder.cleanup()
            if cls.tls:
                cls.tls_folder.cleanup()

    def assertStatus(self, data, status, closes):
        with self.server.connect() as client:
            client.send(data)
            answer = client.answer()
            self.assertEqual(answer.status, status, data)
            self.assertEqual(answer.fields.get("connection") == "close", closes, data)
            if closes:
                self.assertTrue(client.at_end(), data)
            else:
                self.assertEqual(client.ask("/small.txt").body, SMALL, data)


class Files(WithServer):
    def test_a_file_comes_whole_with_its_description(self):
        answer = self.server.ask("/small.txt")
        self.assertEqual((answer.status, answer.body), (200, SMALL))
        self.assertEqual(answer.fields["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(answer.fields["last-modified"], formatdate(MODIFIED, usegmt=True))
        self.assertEqual(answer.fields["accept-ranges"], "bytes")
        self.assertRegex(answer.fields["etag"], r'^"[0-9a-f]+-d"$')
        now = parsedate_to_datetime(answer.fields["date"]).timestamp()
        self.assertLess(abs(now - time.time()), 600)

    def test_sizes_around_the_buffers_come_whole(self):
        for size in (0, 1, 15_000, 16_000, 16_383, 16_384, 16_385, 70_000, 262_144, 262_145):
            (self.root / "sized").write_bytes(BIG[:size])
            self.assertEqual(self.server.ask("/sized").body, BIG[:size])
        self.assertEqual(self.server.ask("/big.bin").body, BIG)

    def test_head_is_get_without_a_body(self):
        with self.server.connect() as client:
            for target in ("/small.txt", "/big.bin", "/nowhere", "/with", "/hello"):
                get = client.ask(target)
                head = client.ask(target, "HEAD")
                same = ("content-length", "content-type", "etag")
                self.assertEqual(head.status, get.status)
                self.assertEqual([head.fields.get(f) for f in same],
                                 [get.fields.get(f) for f in same])

    def test_a_folder_is_its_index(self):
        self.assertEqual(self.server.ask("/").body, b"front")
        self.assertEqual(self.server.ask("/with/").body, b"<h1>index</h1>")
        self.assertEqual(self.server.ask("/without/").status, 404)
        for target, location in (("/with", "/with/"), ("/with?x=1", "/with/"),
                                 ("/with/in%20ner", "/with/in%20ner/"),
                                 ("//with", "/with/"), ("/x/..//with", "/with/")):
            answer = self.server.ask(target)
            self.assertEqual((answer.status, answer.fields["location"]), (301, location))

    def test_types_come_from_names(self):
        for target, kind in (("/page.HTML", "text/html; charset=utf-8"), ("/hello", "text/plain"),
                             ("/big.bin", "application/octet-stream"),
                             ("/empty", "application/octet-stream")):
            self.assertEqual(self.server.ask(target).fields["content-type"], kind)

    def test_names_are_decoded(self):
        for target, body in (("/a%20b%20%26%20c%25.txt", b"odd name"),
                             ("/gr%C3%BCn.txt", "ü".encode()), ("/%73mall.txt", SMALL),
                             ("/small.txt?query=/..", SMALL), ("//small.txt", SMALL),
                             ("http://elsewhere/small.txt", SMALL),
                             ("/./with/.././small.txt", SMALL),
                             ("/link_inside", b"<h1>index</h1>"),
                             ("http://elsewhere", b"front"), ("http://elsewhere?x", b"front")):
            answer = self.server.ask(target)
            self.assertEqual((answer.status, answer.body), (200, body), target)

    def test_nothing_outside_is_served(self):
        for target in ("/../etc/passwd", "/..", "/%2e%2e/etc/passwd", "/..%2fetc/passwd",
                       "/%2e%2e%2fetc%2fpasswd", "/with/../../etc/passwd", "/link_out",
                       "/link_up/etc/passwd", "/link_to_itself", "/.hidden", "/.git/config",
                       "/with/%2e./.git/config", "/./.hidden", "http://x/../etc/passwd",
                       "/fifo", "/nowhere", "/small.txt/", "/small.txt/x", "/" + "x" * 300,
                       "/etc/passwd", "//etc/passwd", "/\\..\\etc"):
            answer = self.server.ask(target)
            self.assertEqual(answer.status, 404, target)
            self.assertNotIn(b"secret", answer.body)
            self.assertNotIn(b"root:", answer.body)

    def test_what_may_not_be_read_is_forbidden(self):
        if may_read(self.root / "closed") and not somebody_else([PROGRAM, "--version"]):
            self.skipTest("root, and nobody else may run the program where it lies")
        self.assertEqual(self.server.ask("/closed").status, 403)

    def test_a_file_that_shrinks_ends_the_connection(self):
        path = self.root / "shrinks"
        path.write_bytes(BIG * 4)
        with self.server.connect(receive_bytes=4096) as client:
            client.send(request("/shrinks"))
            _, fields = client.head()
            os.truncate(path, 1)
            body = client.exactly(len(BIG) * 4)
            self.assertLess(len(body), int(fields["content-length"]))


class Ranges(WithServer):
    def test_a_range_comes_exactly(self):
        size = len(BIG)
        rng = random.Random(2)
        pairs = [(0, 0), (0, size - 1), (size - 1, size - 1), (5, 5), (0, 16_383), (1, 16_384)]
        pairs += [sorted(rng.randrange(size) for _ in "ab") for _ in range(40)]
        with self.server.connect() as client:
            for first, last in pairs:
                answer = client.ask("/big.bin", Range=f"bytes={first}-{last}")
                self.assertEqual((answer.status, answer.body), (206, BIG[first:last + 1]))
                self.assertEqual(answer.fields["content-range"], f"bytes {first}-{last}/{size}")

    def test_ranges_may_be_open(self):
        for text, body in (("10-", SMALL[10:]), ("-4", SMALL[-4:]), ("-1000", SMALL),
                           ("3-1000", SMALL[3:]), ("0-99999999999999999999", SMALL),
                           ("-99999999999999999999999", SMALL)):
            answer = self.server.ask("/small.txt", Range=f"bytes={text}")
            self.assertEqual((answer.status, answer.body), (206, body), text)

    def test_what_is_not_there_cannot_be_had(self):
        for target, text in (("/small.txt", "13-"), ("/small.txt", "13-20"), ("/small.txt", "-0"),
                             ("/empty", "0-"), ("/empty", "-5"),
                             ("/small.txt", "99999999999999999999-")):
            answer = self.server.ask(target, Range=f"bytes={text}")
            size = 13 if target == "/small.txt" else 0
            self.assertEqual(answer.status, 416, text)
            self.assertEqual(answer.fields["content-range"], f"bytes */{size}")

    def test_no_range_is_no_error(self):
        for text in ("bytes=5-2", "bytes=", "bytes=-", "bytes=a-b", "lines=1-2", "bytes=1-2,4-5",
                     "bytes 1-2", "bytes=1-2x", "1-2"):
            self.assertEqual(self.server.ask("/small.txt", Range=text).status, 200, text)
        self.assertEqual(self.server.ask("/small.txt", "HEAD", Range="bytes=1-2").status, 200)

    def test_a_range_of_something_else_is_not_sent(self):
        tag = self.server.ask("/small.txt").fields["etag"]
        date, day = formatdate(MODIFIED, usegmt=True), 86400
        for check, status in ((tag, 206), (f"W/{tag}", 200), ('"other"', 200), (date, 206),
                              (formatdate(MODIFIED + day, usegmt=True), 200), ("nonsense", 200)):
            answer = self.server.ask("/small.txt", Range="bytes=1-2", If_Range=check)
            self.assertEqual(answer.status, status, check)

    def test_curl_resumes_a_download(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not here")
        part = self.root / "part"
        part.write_bytes(BIG[:1_000_000])
        believe = ["--cacert", Path(self.tls_folder.name) / "cert.pem"] if self.tls else []
        subprocess.run(["curl", "-sSf", *believe, "-C", "-", "-o", part,
                        self.server.url + "big.bin"], check=True)
        self.assertEqual(part.read_bytes(), BIG)


class Conditions(WithServer):
    def status(self, **fields):
        return self.server.ask("/small.txt", **fields).status

    def test_tags_are_compared(self):
        answer = self.server.ask("/small.txt")
        tag = answer.fields["etag"]
        for text, status in ((tag, 304), (f"W/{tag}", 304), ("*", 304), ('"x"', 200),
                             (f'"x", {tag}', 304), (f'"x" ,W/{tag},', 304), ("nonsense", 200),
                             ('"unclosed', 200)):
            self.assertEqual(self.status(If_None_Match=text), status, text)
        for text, status in ((tag, 200), (f"W/{tag}", 412), ("*", 200), ('"x"', 412)):
            self.assertEqual(self.status(If_Match=text), status, text)

    def test_dates_are_compared(self):
        for offset, modified, unmodified in ((-1, 200, 412), (0, 304, 200), (9, 304, 200)):
            date = formatdate(MODIFIED + offset, usegmt=True)
            self.assertEqual(self.status(If_Modified_Since=date), modified)
            self.assertEqual(self.status(If_Unmodified_Since=date), unmodified)
        for old_form in ("Sunday, 13-Sep-20 12:26:40 GMT", "Sun Sep 13 12:26:40 2020"):
            self.assertEqual(self.status(If_Modified_Since=old_form), 304, old_form)
        self.assertEqual(self.status(If_Modified_Since="yesterday"), 200)

    def test_tags_come_before_dates(self):
        late = formatdate(MODIFIED + 9, usegmt=True)
        self.assertEqual(self.status(If_None_Match='"x"', If_Modified_Since=late), 200)

    def test_not_modified_has_no_body(self):
        with self.server.connect() as client:
            tag = client.ask("/small.txt").fields["etag"]
            answer = client.ask("/small.txt", If_None_Match=tag)
            self.assertEqual((answer.status, answer.fields["etag"]), (304, tag))
            self.assertNotIn("content-length", answer.fields)
            self.assertEqual(client.ask("/small.txt").body, SMALL)

    def test_a_changed_file_has_another_tag(self):
        path = self.root / "changes"
        path.write_bytes(b"one")
        tag = self.server.ask("/changes").fields["etag"]
        os.utime(path, ns=(0, 1))
        self.assertNotEqual(self.server.ask("/changes").fields["etag"], tag)


class Connections(WithServer):
    def test_a_connection_carries_many_requests(self):
        with self.server.connect() as client:
            for _ in range(300):
                self.assertEqual(client.ask("/small.txt").body, SMALL)

    def test_an_old_client_asks_for_it(self):
        with self.server.connect() as client:
            client.send(request("/small.txt", version="1.0", Connection="keep-alive"))
            self.assertEqual(client.answer().fields["connection"], "keep-alive")
            client.send(request("/small.txt", version="1.0"))
            self.assertEqual(client.answer().fields["connection"], "close")
            self.assertTrue(client.at_end())

    def test_a_client_may_ask_for_the_end(self):
        with self.server.connect() as client:
            self.assertEqual(client.ask("/small.txt", Connection="close").body, SMALL)
            self.assertTrue(client.at_end())

    def test_requests_that_come_together_are_answered_in_order(self):
        rng = random.Random(3)
        asked = [rng.choice(("/small.txt", "/big.bin", "/nowhere", "/hello", "/empty", "/with"))
                 for _ in range(100)]
        expected = {"/small.txt": SMALL, "/big.bin": BIG, "/hello": b"Hello, World!\n",
                    "/empty": b""}
        with self.server.connect() as client:
            client.send(b"".join(request(target, X="y" * rng.randrange(400)) for target in asked))
            for target in asked:
                answer = client.answer()
                if target in expected:
                    self.assertEqual((answer.status, answer.body), (200, expected[target]))
                else:
                    self.assertEqual(answer.status, 404 if target == "/nowhere" else 301)

    def test_a_request_may_come_in_any_pieces(self):
        data = request("/small.txt", X="y" * 1100, Range="bytes=2-5")
        with self.server.connect() as client:
            for byte in data:
                client.send(bytes([byte]))
            self.assertEqual(client.answer().body, SMALL[2:6])
            rng = random.Random(4)
            for _ in range(20):
                stream = data * 3
                while stream:
                    count = rng.randrange(1, 900)
                    client.send(stream[:count])
                    stream = stream[count:]
                for _ in range(3):
                    self.assertEqual(client.answer().body, SMALL[2:6])

    def test_bodies_are_dropped(self):
        with self.server.connect() as client:
            for body in (b"", b"x", BIG[:1000], BIG[:60_000]):
                client.send(request("/small.txt", Content_Length=len(body)) + body)
                client.send(request("/hello", Transfer_Encoding="chunked"))
                client.send(b"5\r\nhello\r\n1000\r\n" + BIG[:0x1000] + b"\r\n0\r\nT: x\r\n\r\n")
                client.send(request("/empty"))
                self.assertEqual([client.answer().body for _ in "123"],
                                 [SMALL, b"Hello, World!\n", b""])

    def test_empty_lines_between_requests_mean_nothing(self):
        with self.server.connect() as client:
            client.send(b"\r\n\r\n" + request("/small.txt") + b"\r\n" + request("/hello"))
            self.assertEqual(client.answer().body, SMALL)
            self.assertEqual(client.answer().body, b"Hello, World!\n")

    def test_a_client_that_leaves_early_harms_nobody(self):
        for data in (b"", b"GET", request("/big.bin"), request("/small.txt") * 50):
            for _ in range(20):
                with self.server.connect() as client:
                    client.send(data)
        self.assertEqual(self.server.ask("/small.txt").body, SMALL)

    def test_a_half_closed_client_gets_its_answers(self):
        if self.tls:
            self.skipTest("Python's TLS has no half of a connection")
        with self.server.connect(receive_bytes=4096) as client:
            client.send(request("/big.bin") + request("/small.txt"))
            client.socket.shutdown(socket.SHUT_WR)
            self.assertEqual([client.answer().body for _ in "12"], [BIG, SMALL])
            self.assertTrue(client.at_end())

    def test_a_thousand_clients_at_once(self):
        clients = [self.server.connect() for _ in range(MANY)]
        for _ in range(2):
            for client in clients:
                client.send(request("/small.txt"))
            for client in clients:
                self.assertEqual(client.answer().body, SMALL)
        for client in clients:
            client.socket.close()


class Refusals(WithServer):
    def test_what_is_no_request(self):
        for data, status in (
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
                (b"nonsense\r\n\r\n", 400),
                (b"GET /\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\n\r\n", 400),                              # no host
                (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),     # folded
                (b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                 400),
                (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n", 400),
                (b"FROB / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
                (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
                (b"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505),
                (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
                (request("/", Expect="a miracle"), 417)):
            self.assertStatus(data, status, closes=True)

    def test_a_target_that_names_nothing(self):
        for target in ("/%zz", "/%0", "/%", "/a%00b", "*", "http:/x"):
            data = request(target)
            with self.server.connect() as client:
                client.send(data)
                self.assertEqual(client.answer().status, 400, target)

    def test_other_methods(self):
        for method in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
            self.assertStatus(request("/", method), 405, closes=False)
        self.assertStatus(request("*", "OPTIONS"), 405, closes=False)
        self.assertStatus(request("/", "POST", Content_Length=3) + b"abc", 405, closes=True)
        self.assertStatus(request("x:80", "CONNECT"), 405, closes=True)
        self.assertEqual(self.server.ask("/", "POST").fields["allow"], "GET, HEAD")

    def test_one_who_waits_for_leave_gets_the_answer(self):
        data = request("/small.txt", Expect="100-continue", Content_Length=5)
        self.assertStatus(data, 200, closes=True)
        data = request("/small.txt", "PUT", Expect="100-continue", Content_Length=5)
        self.assertStatus(data, 405, closes=True)

    def test_what_is_too_long(self):
        self.assertEqual(self.server.ask("/" + "x/" * 2000).status, 404)
        self.assertStatus(request("/" + "x" * 4096), 414, closes=True)
        self.assertStatus(request("/" + "x" * 100_000), 414, closes=True)
        self.assertStatus(request("/small.txt", X="y" * 15_000), 200, closes=False)
        self.assertStatus(request("/small.txt", X="y" * 17_000), 431, closes=True)
        self.assertStatus(request("/small.txt", **{"x" * 20_000: "y"}), 431, closes=True)
        many = {f"X{i}": "y" for i in range(99)}
        self.assertStatus(request("/small.txt", **many), 200, closes=False)
        self.assertStatus(request("/small.txt", more="y", **many), 431, closes=True)
        self.assertStatus(request("/", Content_Length=65_537), 413, closes=True)
        self.assertStatus(request("/", Transfer_Encoding="chunked") +
                          b"10001\r\n" + BIG[:0x10001] + b"\r\n0\r\n\r\n", 413, closes=True)

    def test_a_refused_client_that_still_sends_reads_the_refusal(self):
        with self.server.connect() as client:
            client.send(request("/", "POST", Content_Length=200_000) + BIG[:200_000])
            self.assertEqual(client.answer().status, 405)


class TlsFiles(Files):
    tls = True


class TlsRanges(Ranges):
    tls = True


class TlsConnections(Connections):
    tls = True

    def test_what_is_no_tls_is_not_answered(self):
        with Client(self.server.port) as client:
            client.send(request("/small.txt"))
            self.assertNotIn(b"HTTP", client.until(b"no such"))
        self.assertEqual(self.server.ask("/small.txt").body, SMALL)

    def test_the_protocol_is_agreed_on(self):
        self.server.context.set_alpn_protocols(["h2", "http/1.1"])
        with self.server.connect() as client:
            self.assertEqual(client.socket.selected_alpn_protocol(), "http/1.1")

    def test_one_who_does_not_greet_does_not_hold_up_the_end(self):
        files = [Path(self.tls_folder.name) / name for name in ("cert.pem", "key.pem")]
        with Server(PROGRAM, self.root, f"--cert={files[0]}", f"--key={files[1]}",
                    cert=files[0]) as server:
            with Client(server.port), Client(server.port, context=server.context) as greeted:
                self.assertEqual(greeted.ask("/small.txt").body, SMALL)
                self.assertEqual(server.stop(), (0, "", ""))


class Limits(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        build_root(self.root)

    def tearDown(self):
        self.folder.cleanup()

    def serve(self, *args, **popen):
        return Server(PROGRAM, self.root, *args, **popen)

    def test_a_slow_request_is_not_waited_for(self):
        if THREADS:
            self.skipTest("its deadlines are those of single calls")
        with self.serve("--head-ms=200") as server:
            with server.connect() as client:
                client.send(b"GET / HTTP/1.1\r\nX: ")
                for _ in range(100):            # never silent for as long as the deadline
                    try:
                        client.send(b"y")
                    except OSError:
                        break
                    time.sleep(0.02)
                self.assertEqual(client.answer().status, 408)
            with server.connect() as client:    # one who says nothing is told nothing
                self.assertTrue(client.at_end())

    def test_an_idle_connection_is_closed(self):
        with self.serve("--idle-ms=200") as server, server.connect() as client:
            self.assertEqual(client.ask("/small.txt").body, SMALL)
            self.assertTrue(client.at_end())

    def test_a_reader_who_does_not_read_is_left(self):
        (self.root / "huge").write_bytes(BIG * 10)
        with self.serve("--send-ms=200", "--log") as server:
            with server.connect(receive_bytes=4096) as client:
                client.send(request("/huge"))
                line = server.process.stdout.readline()
                self.assertRegex(line.decode(), r'"GET /huge" 200 30000000 cut\n$')

    def test_too_many_connections_are_told(self):
        with self.serve("--max=2") as server:
            first, second = server.connect(), server.connect()
            for client in (first, second):
                self.assertEqual(client.ask("/small.txt").body, SMALL)
            with server.connect() as third:
                answer = third.answer()
                self.assertEqual((answer.status, answer.fields["retry-after"]), (503, "1"))
                self.assertTrue(third.at_end())
            first.socket.close()
            second.socket.close()
            while True:                         # until it has seen that they left
                with server.connect() as again:
                    if again.ask("/small.txt").status == 200:
                        break

    def test_without_descriptors_it_says_so_and_recovers(self):
        few = 40

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, few))
        with self.serve("--workers=1" if not THREADS else "--max=1000", preexec_fn=limit) as server:
            clients = [server.connect() for _ in range(few)]
            for client in clients:
                client.send(request("/small.txt"))
            statuses = set()
            for client in clients[:10]:
                statuses.add(client.answer().status)
                client.socket.close()
            for client in clients[10:]:
                statuses.add(client.answer().status)
                client.socket.close()
            self.assertLessEqual(statuses, {200, 503})
            while True:                         # until it has seen that they left
                status = server.ask("/small.txt").status
                if status == 200:
                    break
                self.assertEqual(status, 503)

    def test_lines_are_logged_safely(self):
        with self.serve("--log") as server:
            server.ask("/small.txt")
            server.ask('/x"\\')
            _, out, _ = server.stop()
        lines = out.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r'^127\.0\.0\.1:\d+ - - \[[^]]+\] "GET /small.txt" 200 13$')
        self.assertIn(r'"GET /x\x22\x5c" 404', lines[1])


def fail_openat2(error):
    """For subprocess's preexec_fn: openat2(2) fails with this error from now on, by a filter of
    seccomp(2), in the process and whatever it becomes."""
    load, if_equal, give = 0x20, 0x15, 0x06                         # a word, jump, return
    number, refuse, allow = 437, 0x00050000 | error, 0x7fff0000     # of openat2; with an errno
    program = b"".join(struct.pack("HBBI", *step) for step in (
        (load, 0, 0, 0), (if_equal, 0, 1, number), (give, 0, 0, refuse), (give, 0, 0, allow)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install():
        text = ctypes.create_string_buffer(program)
        fprog = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, fprog, 0, 0):
            raise OSError(ctypes.get_errno(), "no filter")
    return install


class Kernels(unittest.TestCase):
    """What the kernel may say to openat2(2)."""
    def serve(self, error):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        build_root(Path(folder.name))
        try:
            server = Server(PROGRAM, folder.name, preexec_fn=fail_openat2(error))
        except subprocess.SubprocessError:
            self.skipTest("no filters of system calls here")
        self.addCleanup(server.__exit__)
        return server

    def test_without_it_files_are_opened_step_by_step_and_no_link_is_followed(self):
        server = self.serve(errno.ENOSYS)
        for target, body in (("/small.txt", SMALL), ("/", b"front"), ("/with/", b"<h1>index</h1>"),
                             ("/with/index.html", b"<h1>index</h1>")):
            answer = server.ask(target)
            self.assertEqual((answer.status, answer.body), (200, body), target)
        self.assertEqual(server.ask("/with").status, 301)
        self.assertEqual(server.ask("/with/in%20ner").status, 301)
        for target in ("/nothing", "/with/nothing", "/nothing/at/all", "/small.txt/x", "/without/",
                       "/link_inside", "/link_out", "/link_up/x", "/link_to_itself", "/fifo",
                       "/" + "x" * 300, "/" + "x" * 300 + "/x"):
            self.assertEqual(server.ask(target).status, 404, target)
        self.assertEqual(server.stop()[0], 0)

    def test_an_error_of_the_disk_is_one_of_the_server(self):
        server = self.serve(errno.EIO)
        with server.connect() as client:
            for _ in range(2):
                answer = client.ask("/small.txt")
                self.assertEqual(answer.status, 500)
                self.assertIn(b"500 Internal Server Error", answer.body)
        self.assertEqual(server.stop()[0], 0)


class Ends(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        build_root(self.root)
        (self.root / "huge").write_bytes(BIG * 10)

    def tearDown(self):
        self.folder.cleanup()

    def refused(self, port):
        """Wait until nobody can connect any more."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) != 0:
                    return True
        return False

    def test_a_download_on_its_way_is_finished(self):
        with Server(PROGRAM, self.root) as server:
            with server.connect(receive_bytes=4096) as busy, server.connect() as idle:
                self.assertEqual(idle.ask("/small.txt").body, SMALL)
                busy.send(request("/huge") + request("/small.txt"))
                status, _ = busy.head()
                self.assertEqual(status, 200)
                server.process.terminate()
                self.assertTrue(idle.at_end())
                self.assertTrue(self.refused(server.port))
                self.assertIsNone(server.process.poll())
                self.assertEqual(busy.exactly(len(BIG) * 10), BIG * 10)
                # What was asked for meanwhile may be answered, as the last thing, or not at all.
                last = busy.answer()
                self.assertIn(last and last.fields["connection"], (None, "close"))
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_what_was_asked_for_before_the_end_is_answered(self):
        """By clients that were idle, and by clients that nobody has accepted yet; those are lost on
        the twin, which closes its queue."""
        with Server(PROGRAM, self.root) as server:
            clients = [server.connect() for _ in range(20)]
            for client in clients:
                self.assertEqual(client.ask("/small.txt").body, SMALL)
            server.process.send_signal(signal.SIGSTOP)
            clients += [server.connect() for _ in range(0 if THREADS else 20)]
            for client in clients:
                client.send(request("/small.txt"))
            server.process.terminate()
            server.process.send_signal(signal.SIGCONT)
            for client in clients:
                with client:
                    answer = client.answer()
                    self.assertEqual(answer and answer.body, SMALL)
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_download_that_takes_too_long_is_cut(self):
        with Server(PROGRAM, self.root, "--drain-ms=200") as server:
            with server.connect(receive_bytes=4096) as busy:
                busy.send(request("/huge"))
                busy.head()
                server.process.terminate()
                self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_one_who_has_not_asked_does_not_hold_it_up(self):
        with Server(PROGRAM, self.root) as server, server.connect():
            self.assertEqual(server.stop(), (0, "", ""))

    def test_it_ends_while_clients_come(self):
        with Server(PROGRAM, self.root) as server:
            clients = []
            for i in range(200):
                try:
                    clients.append(server.connect())
                    clients[-1].send(request("/small.txt"))
                except OSError:
                    break
                if i == 50:
                    server.process.terminate()
            for client in clients:
                answer = client.answer()
                self.assertIn(answer and answer.body, (None, SMALL))
                client.socket.close()
            self.assertEqual(server.process.wait(PATIENCE), 0)


class CommandLine(WithCommandLine, unittest.TestCase):
    program, name = PROGRAM, NAME

    def test_bad_usage_is_named(self):
        for args, word in ((["--bogus"], "--bogus"), (["--max=0"], "'0'"), (["--head-ms=x"], "'x'"),
                           (["--cert=x"], "--key"), (["--idle-ms=-1"], "'-1'"), (["--max="], "''"),
                           (["a", "b"], "'b'")):
            self.refuses(args, 2, word)

    def test_what_cannot_be_served_is_named(self):
        for args, *words in ((["/nowhere/at/all"], "/nowhere/at/all", "No such file"),
                             ([__file__], __file__, "Not a directory"),
                             (["--listen=nonsense"], "nonsense", "Invalid argument"),
                             (["--listen=192.0.2.1:1"], "192.0.2.1:1", "Cannot assign")):
            self.refuses(args, 1, f"{NAME}: ", *words)


sys.exit(run_unittests(lacking=None if PROGRAM else "built without llhttp"))
