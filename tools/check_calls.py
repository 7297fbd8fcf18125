#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every system call of src/ lies in src/sys, and tests can make it fail.

A call of a function in CALLS has to stand inside RVI_CALL(...) or RVI_CALL_AT(...), or in a
statement that asks rvi_call_fails() (src/sys/call.h says what that is), or be one of EXCEPT, with
the reason. Prints file:line and call.

    tools/check_calls.py [ROOT]
"""

import re
import sys
from pathlib import Path

CALLS = {"syscall", "mmap", "munmap", "mprotect", "madvise", "mincore", "sigaction", "sigaltstack",
         "prctl", "clone", "waitid", "pthread_create", "pthread_setname_np", "pthread_getattr_np", "getrandom",
         "sched_getaffinity", "open", "openat", "fopen", "read", "pread", "write", "poll",
         "eventfd", "pipe", "pipe2", "fork", "socket", "epoll_create1", "epoll_ctl", "epoll_wait",
         "epoll_pwait2", "memfd_create", "ftruncate", "fallocate"}

# (file below src/, call): how many stand there without a seam, and why.
EXCEPT = {
    ("sys/futex.c", "syscall"): (1, "FUTEX_WAKE: its one error says that nobody sleeps there"),
    ("sys/fault.c", "sigaction"): (4, "putting back, and in the handler of a dying process"),
    ("sys/fault.c", "syscall"): (2, "in the handler of a dying process"),
    ("sys/fault.c", "write"): (1, "in the handler of a dying process"),
    ("sys/fault.c", "munmap"): (1, "of what another failure has left"),
    ("sys/memfd.c", "munmap"): (1, "of a whole mapping, which splits none"),
    ("sys/quit.c", "sigaction"): (3, "putting back"),
    ("sys/op.c", "syscall"): (1, "a macro, whose uses stand inside"),
    ("sys/quit.c", "syscall"): (2, "in the handler of a dying process"),
    ("sys/signals.c", "sigaction"): (2, "putting back"),
    ("sys/sigpipe.c", "sigaction"): (2, "asking, and putting back"),
    ("sys/last_words.c", "sigaction"): (3, "putting back, and in the handler of a dying process"),
    ("sys/last_words.c", "syscall"): (2, "in the handler of a dying process"),
    ("sys/last_words.c", "write"): (1, "in the handler of a dying process"),
    ("sys/crash.c", "syscall"): (1, "in the handler of a dying process"),
    ("sys/crash.c", "write"): (1, "in the handler of a dying process"),
    ("sys/fd.c", "read"): (1, "of an eventfd: it may be empty"),
    ("sys/fd.c", "write"): (1, "a signal to an eventfd that is open and never full"),
    ("sys/spawn.c", "syscall"): (8, "what cannot fail, and closing what was just opened"),
    ("sys/write.c", "poll"): (1, "its errors show again in the write that follows"),
    ("base/check.c", "write"): (1, "the last line of a dying process"),
    ("exec/job.c", "write"): (1, "the last line of a dying process"),
    ("task/sim.c", "fopen"): (1, "the log that a person asks for by RAVEL_SIM_LOG"),
}

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", re.S)
CALL = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(sorted(CALLS)))
SEAM = re.compile(r"RVI_CALL(?:_AT)?\s*\(|rvi_call_fails\s*\(")


def without_comments(text):
    """The text with comments and strings blanked, lines kept."""
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def statement_before(text, at):
    """From the end of the previous statement or block up to a place."""
    return text[max(text.rfind(mark, 0, at) for mark in ";{}") + 1:at]


def bare_calls(text):
    """(offset, call) of each that tests cannot make fail."""
    for match in CALL.finditer(text):
        if not SEAM.search(statement_before(text, match.start())):
            yield match.start(), match.group(1)


def violations(root):
    """(file, line, what) of each call that is neither in a seam nor excepted."""
    for path in sorted((root / "src").rglob("*.[ch]")):
        name = path.relative_to(root / "src").as_posix()
        text = without_comments(path.read_text())
        found = {}
        for at, call in bare_calls(text):
            found.setdefault(call, []).append(text.count("\n", 0, at) + 1)
        for call, lines in found.items():
            allowed = EXCEPT.get((name, call), (0, ""))[0]
            if len(lines) > allowed:
                for line in lines:
                    yield f"src/{name}", line, call


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    found = list(violations(root))
    for path, line, call in found:
        print(f"{path}:{line}: {call}() stands outside of RVI_CALL (src/sys/call.h)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
