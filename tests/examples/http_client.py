# SPDX-License-Identifier: MIT
"""A server of examples/httpd, and a client that says exactly what it is told to, byte by byte."""

import re
import socket
import ssl
import subprocess
from typing import NamedTuple

from program import PATIENCE, Listening

# Clients of a busy machine are slow, too: a server that is told nothing else waits for them.
PATIENT = [f"--{what}-ms={PATIENCE * 1000}" for what in ("head", "idle", "send", "drain")]


def make_certificate(folder):
    """A certificate for localhost and its key in a folder, as files; None without openssl."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    try:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
    except FileNotFoundError:
        return None
    key.chmod(0o644)
    return cert, key


class Server(Listening):
    """A server of a folder; `cert` is one that its clients believe, when it is to speak TLS."""

    def __init__(self, program, root, *args, cert=None, **popen):
        self.context = ssl.create_default_context(cafile=cert) if cert else None
        super().__init__([program, "--listen=127.0.0.1:0", *PATIENT, *args, root],
                         r"(https?://127\.0\.0\.1:\d+/)\n", **popen)
        self.url = self.places[0]
        self.port = int(self.url.rpartition(":")[2].rstrip("/"))

    def connect(self, **kinds):
        return Client(self.port, context=self.context, **kinds)

    def ask(self, target, method="GET", **fields):
        """One answer, on a connection of its own."""
        with self.connect() as client:
            return client.ask(target, method, **fields)


class Answer(NamedTuple):
    status: int
    fields: dict        # names in lower case
    body: bytes


def request(target, method="GET", version="1.1", **fields):
    """The bytes of a request; a_field is sent as A-Field."""
    lines = [f"{method} {target} HTTP/{version}"]
    if version == "1.1":
        fields = {"Host": "localhost", **fields}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Client:
    """One connection."""

    def __init__(self, port, receive_bytes=None, context=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """What there is, b"" at the end."""
        try:
            return self.socket.recv(1 << 20)
        except (ConnectionResetError, ssl.SSLEOFError):
            return b""

    def until(self, mark):
        """Bytes up to and with a mark; all that came when the end comes first."""
        while mark not in self.pending:
            data = self.receive()
            if not data:
                break
            self.pending += data
        head, found, self.pending = self.pending.partition(mark)
        return head + found

    def exactly(self, count):
        parts, have = [self.pending], len(self.pending)
        while have < count:
            data = self.receive()
            if not data:
                break
            parts.append(data)
            have += len(data)
        data = b"".join(parts)
        self.pending = data[count:]
        return data[:count]

    def head(self):
        """Status and fields of the next answer; None when the connection has ended."""
        text = self.until(b"\r\n\r\n").decode("latin-1")
        if not text:
            return None
        first, *lines = text.rstrip("\r\n").split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines)
        assert len(fields) == len(lines), text
        return (int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Z].*", first).group(1)),
                {name.lower(): value for name, value in fields.items()})

    def answer(self, method="GET"):
        head = self.head()
        if head is None:
            return None
        status, fields = head
        if method == "HEAD" or status == 304:
            return Answer(status, fields, b"")
        return Answer(status, fields, self.exactly(int(fields["content-length"])))

    def ask(self, target, method="GET", **fields):
        self.send(request(target, method, **fields))
        return self.answer(method)

    def at_end(self):
        """Whether the server has ended the connection, after nothing more."""
        return self.pending == b"" and self.receive() == b""
