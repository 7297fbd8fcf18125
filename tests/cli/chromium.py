# SPDX-License-Identifier: MIT
"""A page in headless Chromium, driven over a pair of pipes (Chrome DevTools Protocol).

Each command is a line of JSON that ends with a zero byte; so is each answer and each event. Nothing
besides the browser is needed."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
               None)
LACKING = None if PROGRAM else "chromium is not installed"


class Browser:
    """One tab. What goes wrong in it is kept in `errors`, what it asks for in `requests`."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="ravel-chromium-")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()
        flags = ["--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
                 "--disable-dev-shm-usage", "--disable-background-networking",
                 f"--user-data-dir={self.profile}", "--hide-scrollbars"]
        if os.getuid() == 0:
            flags.append("--no-sandbox")        # it refuses to be root's otherwise
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (to_read, to_write)]

        def arrange():          # it reads at 3 and writes at 4
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [PROGRAM, *flags], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=arrange, start_new_session=True)
        for fd in (to_read, to_write, *high):
            os.close(fd)
        self.number, self.unread, self.session = 0, b"", None
        self.errors, self.requests, self.events = [], [], []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close(self):
        os.close(self.to)
        os.close(self.back)
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    # --- the protocol ---

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        number = self.number
        while True:
            answer = self.take()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def take(self, seconds=60):
        """The next message; events are noted on the way."""
        end = time.monotonic() + seconds
        while b"\0" not in self.unread:
            if not select.select([self.back], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError("chromium says nothing")
            more = os.read(self.back, 1 << 16)
            if not more:
                raise EOFError("chromium has ended")
            self.unread += more
        one, _, self.unread = self.unread.partition(b"\0")
        message = json.loads(one)
        self.note(message.get("method"), message.get("params"))
        return message

    def note(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description") or
                               params["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method:
            self.events.append(method)

    # --- what a reader does ---

    def open_without_scripts(self, path):
        self.errors, self.requests, self.events = [], [], []
        self.ask("Page.navigate", url=f"file://{path}")
        while "Page.loadEventFired" not in self.events:
            self.take()

    def open(self, path):
        self.open_without_scripts(path)
        self.settle()

    def text_of(self, section):
        """What is to be read there, or in the whole page."""
        at = f"document.getElementById({json.dumps(section)})" if section else "document.body"
        return self.run(f"{at}.innerText")

    def settle(self):
        """Until what was begun has been drawn."""
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, expression):
        """What an expression of JavaScript comes to."""
        done = self.ask("Runtime.evaluate", expression=expression, returnByValue=True,
                        awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(done["exceptionDetails"]["exception"]["description"])
        return done["result"].get("value")

    def look_as(self, width, height, scheme="light", media="", scale=1):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=scale, mobile=width < 600)
        self.ask("Emulation.setEmulatedMedia", media=media,
                 features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.settle()

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key,
                     windowsVirtualKeyCode={"Tab": 9, "Enter": 13, "End": 35, "Home": 36,
                                            "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                                            "ArrowDown": 40}.get(key, 0),
                     **({"text": "\r"} if key == "Enter" and kind == "keyDown" else {}))
        self.settle()

    def picture(self, clip=None):
        """As PNG; of the whole page, or {"x", "y", "width", "height"} of it."""
        more = {"clip": dict(clip, scale=1)} if clip else {}
        return base64.b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=True,
                                         **more)["data"])

    def paper(self):
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])
