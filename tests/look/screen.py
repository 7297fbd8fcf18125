# SPDX-License-Identifier: MIT
"""A program on a pseudo-terminal, and what its screen shows: as much of an xterm as ncurses uses of
one."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

PATIENCE = 60       # seconds, after which something hangs
SEQUENCE = re.compile(r"\x1b(?:\[([?!>]?[\d;]*)([@-~])|[()].|([78=>DMEHcl]))|\x1b")


class Screen:
    """Lines and a cursor."""

    def __init__(self, rows, columns):
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.y = self.x = 0
        self.top, self.bottom = 0, rows - 1
        self.last = " "
        self.rest = ""

    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.cells)

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                found = SEQUENCE.match(text, at)
                if found.group() == "\x1b":     # its end has not come yet
                    self.rest = text[at:]
                    return
                self.obey(found)
                at = found.end()
            else:
                self.put(text[at])
                at += 1

    def put(self, character):
        if character == "\n":
            self.line_feed()
        elif character == "\r":
            self.x = 0
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif character >= " ":
            if self.x >= self.columns:
                self.x = 0
                self.line_feed()
            self.cells[self.y][self.x] = self.last = character
            self.x += 1

    def line_feed(self):
        if self.y == self.bottom:
            del self.cells[self.top]
            self.cells.insert(self.bottom, [" "] * self.columns)
        else:
            self.y = min(self.rows - 1, self.y + 1)

    def reverse_line_feed(self):
        if self.y == self.top:
            del self.cells[self.bottom]
            self.cells.insert(self.top, [" "] * self.columns)
        else:
            self.y = max(0, self.y - 1)

    def obey(self, found):
        words, letter, plain = found.groups()
        if plain == "M":
            self.reverse_line_feed()
        if letter is None or words[:1] in ("?", "!", ">"):
            return
        numbers = [int(word or 0) for word in words.split(";")]
        one = max(1, numbers[0])
        if letter in "Hf":
            self.y = min(self.rows, one) - 1
            self.x = min(self.columns, max(1, numbers[1] if len(numbers) > 1 else 1)) - 1
        elif letter == "d":
            self.y = min(self.rows, one) - 1
        elif letter == "G":
            self.x = min(self.columns, one) - 1
        elif letter == "X":
            start = self.y * self.columns
            self.erase(2, 0, start + self.x, start + min(self.columns, self.x + one))
        elif letter == "P":
            line = self.cells[self.y]
            line[self.x:] = line[self.x + one:] + [" "] * len(line[self.x:self.x + one])
        elif letter == "@":
            line = self.cells[self.y]
            line[self.x:] = ([" "] * one + line[self.x:])[:self.columns - self.x]
        elif letter == "b":
            for _ in range(one):
                self.put(self.last)
        elif letter in "LM":
            for _ in range(one):
                place = self.y if letter == "L" else self.bottom
                del self.cells[self.bottom if letter == "L" else self.y]
                self.cells.insert(place, [" "] * self.columns)
        elif letter in "ST":
            for _ in range(one):
                del self.cells[self.top if letter == "S" else self.bottom]
                self.cells.insert(self.bottom if letter == "S" else self.top, [" "] * self.columns)
        elif letter == "A":
            self.y = max(0, self.y - one)
        elif letter == "B":
            self.y = min(self.rows - 1, self.y + one)
        elif letter == "C":
            self.x = min(self.columns - 1, self.x + one)
        elif letter == "D":
            self.x = max(0, self.x - one)
        elif letter == "r":
            self.top = one - 1
            self.bottom = (numbers[1] if len(numbers) > 1 and numbers[1] else self.rows) - 1
            self.y = self.x = 0
        elif letter == "J":
            self.erase(numbers[0], self.y * self.columns + self.x, 0, self.rows * self.columns)
        elif letter == "K":
            start = self.y * self.columns
            self.erase(numbers[0], start + self.x, start, start + self.columns)

    def erase(self, how, at, start, end):
        first, last = {0: (at, end), 1: (start, at + 1), 2: (start, end)}[how]
        for place in range(first, last):
            self.cells[place // self.columns][place % self.columns] = " "


class OnTerminal:
    """A program that has a terminal of its own."""

    def __init__(self, command, rows=24, columns=100, env=None):
        self.screen = Screen(rows, columns)
        self.master, slave = pty.openpty()
        self.set_size(rows, columns)
        self.process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave,
                                        stderr=slave, start_new_session=True,
                                        env=dict(env or os.environ, TERM="xterm"))
        os.close(slave)

    def set_size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        """As a window that is dragged does it."""
        self.read(0)
        self.screen.resize(rows, columns)
        self.set_size(rows, columns)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys):
        os.write(self.master, keys.encode())

    def read(self, seconds):
        """Take what comes; whether anything did."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            text = os.read(self.master, 65536)
        except OSError:         # nobody is at the other end any more
            return False
        self.screen.feed(text.decode(errors="replace"))
        return bool(text)

    def until(self, is_there):
        """The screen's text, once that holds of it."""
        until = time.monotonic() + PATIENCE
        while not is_there(self.screen.text()):
            self.read(0.1)
            assert time.monotonic() < until, "the screen stays:\n" + self.screen.text()
        return self.screen.text()

    def rest(self):
        """Its text, once nothing more comes: of a view that stands still."""
        while self.read(0.3):
            pass
        return self.screen.text()

    def shows(self, pattern):
        return self.until(lambda text: re.search(pattern, text, re.M))

    def end(self):
        """Its exit status, once it has ended."""
        until = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            self.read(0.05)
            assert time.monotonic() < until, "it does not end:\n" + self.screen.text()
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
