#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run each model under the checker: as the code is nothing may be found, and each mutation must be.

    models.py RAVEL ROOT LIBRARY CHECKS [LINK...] [--schedules N] [--only NAME]

A model is a program beside this file. Its head names the files of src/ that it is built with
("sources:"), says whether the rest comes from the static LIBRARY ("rest:"), which was built with
debug_checks=CHECKS and wants LINK, and what is made smaller ("shrink: FILE NAME NUMBER"). A mutation
replaces a piece of one of its files, which must be there exactly once, and says what it breaks: it
fails, or comes to no end.
Prints TAP, a line a model and a line a mutation."""

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# (model, file, old, new, what it breaks)
MUTATIONS = [
    ("inbox", "src/queue/inbox.c",
     "rvi_exchange_acquire(&inbox->newest, NULL)", "rvi_exchange_relaxed(&inbox->newest, NULL)",
     "the take does not acquire"),
    ("inbox", "src/queue/inbox.c",
     "rvi_cas_seq_cst(&inbox->newest", "rvi_cas_relaxed(&inbox->newest",
     "the push does not release"),
    ("inbox", "src/queue/inbox.c",
     "    return reverse(rvi_exchange_acquire(&inbox->newest, NULL));",
     "    struct rvi_msg *newest = rvi_load_acquire(&inbox->newest);\n"
     "    rvi_store_relaxed(&inbox->newest, NULL);\n    return reverse(newest);",
     "the take is in two steps"),
    ("inbox", "src/queue/inbox.c",
     "return reverse(rvi_exchange_acquire(&inbox->newest, NULL));",
     "(void)reverse; return rvi_exchange_acquire(&inbox->newest, NULL);",
     "what was taken is not turned round"),
    ("inbox", "tests/model/model_inbox.c",
     "if (!rvi_inbox_looks_empty_seq_cst(&inbox)) {", "if (false) {",
     "no second look before the sleep"),
    ("deque", "src/queue/deque.c",
     "int64_t raised = min_index(wanted, bottom);", "int64_t raised = wanted;",
     "the thief does not look at bottom again"),
    ("deque", "src/queue/deque.h",
     "rvi_store_release(&deque->bottom, bottom + 1);",
     "rvi_store_relaxed(&deque->bottom, bottom + 1);",
     "a push does not release its item"),
    ("deque", "src/queue/deque.h",
     "if (rvi_likely(bottom >= rvi_load_relaxed(&deque->split)))",
     "if (rvi_likely(bottom + 1 >= rvi_load_relaxed(&deque->split)))",
     "the owner takes the last public item without the lock"),
    ("deque", "src/queue/deque.c",
     "rvi_store_relaxed(&deque->top, top + (int64_t)count);", "(void)0;",
     "the thief does not say what it has taken"),
    ("chan", "src/task/chan.c",
     "rvi_store_release(&slot->turn, rvi_ring_full_turn(ch, tail)); /* pairs: chan-turn */",
     "rvi_store_relaxed(&slot->turn, rvi_ring_full_turn(ch, tail));",
     "a sender does not release its item"),
    ("chan", "src/task/chan.c",
     "rvi_store_release(&slot->turn, rvi_ring_free_turn_after(ch, head));\n            return 0;",
     "rvi_store_relaxed(&slot->turn, rvi_ring_free_turn_after(ch, head));\n            return 0;",
     "a receiver does not release the slot"),
    ("chan", "src/task/chan.c",
     "if (!rvi_cas_relaxed(&ch->tail, &tail, rvi_ring_next_place(ch, tail)))\n"
     "                continue;",
     "rvi_store_relaxed(&ch->tail, rvi_ring_next_place(ch, tail));",
     "a place is taken in two steps"),
    ("lock", "src/sys/lock.h",
     "rvi_exchange_release(&lock->word, 0) == 2", "rvi_exchange_release(&lock->word, 0) == 3",
     "a release wakes nobody"),
    ("lock", "src/sys/lock.h",
     "return rvi_cas_acquire(&lock->word, &free_word, 1);",
     "return rvi_cas_relaxed(&lock->word, &free_word, 1);",
     "to take the lock does not acquire"),
    ("lock", "src/sys/lock.c",
     "(void)rvi_futex_wait(&lock->word, CONTENDED, INT64_MAX);",
     "(void)rvi_futex_wait(&lock->word, CONTENDED, INT64_MAX);\n"
     "    rvi_store_relaxed(&lock->word, HELD);",
     "who slept does not say that others may sleep too"),
    ("mutex", "src/task/mutex.c",
     "(uintptr_t)who | word)) { /* pairs: mutex-word */",
     "(uintptr_t)who)) {",
     "who takes it forgets who waits"),
    ("mutex", "src/task/mutex.c",
     "rvi_cas_acquire(&mu->word, &word, (uintptr_t)who | word)",
     "rvi_cas_relaxed(&mu->word, &word, (uintptr_t)who | word)",
     "to take it does not acquire"),
    ("mutex", "src/task/mutex.c",
     "rvi_cas_release(&mu->word, &word, word & FLAGS)",
     "rvi_cas_relaxed(&mu->word, &word, word & FLAGS)",
     "to leave it free does not release"),
    ("mutex", "src/task/mutex.c",
     "if ((word & FLAGS) && (!(word & CALLED) || is_overdue(mu)))",
     "if ((word & CALLED) && is_overdue(mu))",
     "it is left free, and nobody is called"),
    ("mutex", "src/task/mutex.c",
     "next = was_called ? word & ~(uintptr_t)CALLED : word;",
     "next = word;",
     "one that was called and has lost is waited for"),
    ("mutex", "src/task/mutex.c",
     "    if (waited)\n        note_line(mu);",
     "    (void)note_line;",
     "who gives up leaves the flag behind"),
    ("mutex_last", "src/task/mutex.c",
     "        rvi_bias_unlock(&mu->lock, false);\n"
     "    } while (!is_given && !leave_free(mu, who, caller));",
     "        is_given = is_given || leave_free(mu, who, caller);\n"
     "        rvi_bias_unlock(&mu->lock, false);\n"
     "    } while (!is_given);",
     "who leaves it free still has to leave the lock inside"),
    ("sleeper", "src/loop/sleeper.c",
     "uint32_t was = rvi_exchange_acquire(&s->state, RVI_SLEEPER_AWAKE);",
     "uint32_t was = rvi_load_acquire(&s->state); rvi_store_relaxed(&s->state, RVI_SLEEPER_AWAKE);",
     "a call is overwritten"),
    ("sleeper", "src/loop/sleeper.c",
     "if (!rvi_cas_seq_cst(&s->state, &how, (uint32_t)reason)) /* pairs: sleeper */\n"
     "        return false;",
     "rvi_store_seq_cst(&s->state, (uint32_t)reason);",
     "two wakers both win"),
    ("sleeper", "tests/model/model_sleeper.c",
     "atomic_load(&work) > done\n"
     "                                         ? rvi_sleeper_cancel(&sleeper)\n"
     "                                         : rvi_sleeper_sleep(&sleeper, INT64_MAX);",
     "rvi_sleeper_sleep(&sleeper, INT64_MAX);",
     "no second look before the sleep"),
]

MODEL_BUDGET = 200
MUTATION_BUDGET = 5000


class Failed(Exception):
    pass


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, timeout=200, **more)
    return done.returncode, done.stdout, done.stderr


def sources_of(text):
    return " ".join(re.findall(r"^ \* sources: (.*?)(?: \*/)?$", text, re.MULTILINE)).split()


def replace(path, old, new):
    text = path.read_text()
    if text.count(old) != 1:
        raise Failed(f"{path.name} holds {text.count(old)} times: {old}")
    path.write_text(text.replace(old, new))


def shrink(tree, text):
    for name, constant, number in re.findall(r"^ \* shrink: (\S+) (\S+) (\d+)", text, re.MULTILINE):
        found = re.findall(rf"\b{constant} = \d+", (tree / name).read_text())
        replace(tree / name, found[0] if found else constant + " = ", f"{constant} = {number}")


def build(options, tree, model):
    program = tree / model
    main = tree / "tests/model" / f"model_{model}.c"
    shrink(tree, main.read_text())
    files = [str(tree / s) for s in sources_of(main.read_text())]
    rest = [options.archive, *options.link] if "\n * rest: " in main.read_text() else []
    checks = options.checks if rest else "0"
    code, _, said = run([options.ravel, "cc", "-std=gnu17", "-O1", "-g", "-D_GNU_SOURCE",
                         f"-DRVI_DEBUG_CHECKS={checks}", "-DRVI_TSAN=0", f"-I{tree}/src",
                         f"-I{tree}/include", str(main), *files, *rest, "-pthread",
                         "-o", str(program)])
    if code != 0:
        raise Failed(f"does not build: {said.strip()[-600:]}")
    return str(program)


def check(options, model, mutation):
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in ("src", "include", "tests/model"):
            shutil.copytree(options.root / part, tree / part)
        if mutation:
            replace(tree / mutation[1], mutation[2], mutation[3])
        budget = MUTATION_BUDGET if mutation else options.schedules
        program = build(options, tree, model)
        code, out, said = run([options.ravel, "check", "--json", "--schedules", str(budget),
                               "--seconds", "100", "--output", str(tree / "bug"), "--", program])
    if code == 2:
        raise Failed(f"could not be checked: {said.strip()[-400:]}")
    return code, json.loads(out)


def outcome(options, model, mutation):
    try:
        code, report = check(options, model, mutation)
    except (Failed, subprocess.TimeoutExpired, json.JSONDecodeError) as problem:
        return str(problem)
    endless = report["undecided"]
    if mutation and code == 0 and not endless:
        return f"not found in {report['schedules']} schedules"
    if not mutation and code != 0:
        told = report["failure"] or report["reports"][0]
        return f"{told['kind']} in schedule {told['schedule']}: {told['text']}"
    if not mutation and endless:
        return f"{endless} of {report['schedules']} schedules come to no end"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ravel")
    parser.add_argument("root", type=Path)
    parser.add_argument("archive", metavar="LIBRARY")
    parser.add_argument("checks")
    parser.add_argument("link", nargs="*")
    parser.add_argument("--schedules", type=int, default=MODEL_BUDGET)
    parser.add_argument("--only", default="")
    options = parser.parse_intermixed_args()

    models = sorted(p.stem.removeprefix("model_")
                    for p in (options.root / "tests/model").glob("model_*.c"))
    cases = [(f"{model} holds", model, None) for model in models]
    cases += [(f"found: {m[0]}: {m[4]}", m[0], m) for m in MUTATIONS]
    cases = [c for c in cases if options.only in c[1]]
    print(f"1..{len(cases)}", flush=True)
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = pool.map(lambda case: outcome(options, case[1], case[2]), cases)
        for number, ((name, _, _), problem) in enumerate(zip(cases, outcomes), 1):
            print(f"{'not ok' if problem else 'ok'} {number} - {name}", flush=True)
            if problem:
                print("# " + problem.replace("\n", "\n# "), flush=True)
                bad += 1
    return min(bad, 1)


if __name__ == "__main__":
    sys.exit(main())
