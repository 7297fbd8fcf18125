# SPDX-License-Identifier: MIT
"""A recorded report of `ravel lab`, and its figures in words.

A figure is asked for as

    PROBE "NAME" [at PLACE] [in UNIT]       serve "a task for each client" at 100 in 1/s

where "*" in NAME stands for anything; exactly one figure has to answer. Behind a "/" or a "<" the
probe may be left out, being the same.
"""

import json
import math
import re
from fnmatch import fnmatchcase

FIGURE = re.compile(r'\s*(?:([a-z][a-z-]*)\s+)?"([^"]+)"'
                    r"(?:\s+at\s+(\d+))?(?:\s+in\s+([a-z0-9/%]+))?")
TIMES, SIZES = ("ns", "µs", "ms", "s"), ("bytes", "KiB", "MiB", "GiB")
ORDERS = ("one", "ten", "a hundred", "a thousand", "ten thousand", "a hundred thousand",
          "a million", "ten million", "a hundred million")


class Unknown(Exception):
    """A figure that the report has not got, or that is written in a way nobody understands."""


class Report:
    def __init__(self, path):
        self.values = json.loads(path.read_text("utf-8"))
        self.probes = {p["name"]: p for p in self.values["probes"]}

    def figures(self, probe):
        if probe not in self.probes:
            raise Unknown(f"no probe {probe} in the report")
        return self.probes[probe]["figures"]

    def figure(self, probe, name, at=None, unit=None):
        found = [f for f in self.figures(probe)
                 if fnmatchcase(f["name"], name) and (unit is None or f["unit"] == unit)
                 and (f["at"] is None if at is None else f["at"] == float(at))]
        if len(found) != 1:
            raise Unknown(f'{len(found)} figures are {probe} "{name}" at {at}: one is wanted')
        return found[0]

    def curve(self, probe, name):
        """The figures of one name, along the probe's axis."""
        found = [f for f in self.figures(probe) if fnmatchcase(f["name"], name)]
        if len({f["name"] for f in found}) != 1 or any(f["at"] is None for f in found):
            raise Unknown(f'{probe} "{name}" is no curve')
        return sorted(found, key=lambda f: f["at"])

    def parse(self, words, probe=None):
        """(probe, figure, what stands behind it) of the figure that `words` begin with."""
        match = FIGURE.match(words)
        if not match or not (match.group(1) or probe):
            raise Unknown(f"no figure: {words.strip()}")
        probe = match.group(1) or probe
        return probe, self.figure(probe, *match.groups()[1:]), words[match.end():].strip()

    def one(self, words):
        """(probe, figure) of `words`, which are one figure and nothing else."""
        probe, figure, rest = self.parse(words)
        if rest:
            raise Unknown(f"behind a figure stands {rest}")
        return probe, figure

    def two(self, words, signs):
        """(probe, figure, sign, factor, figure) of A SIGN [FACTOR] B."""
        probe, first, rest = self.parse(words)
        match = re.match(rf"([{re.escape(signs)}])\s*(\d+(?:\.\d+)?)?\s*", rest)
        if not match:
            raise Unknown(f"one of {signs} is wanted between two figures: {words.strip()}")
        _, second, rest = self.parse(rest[match.end():], probe)
        if rest:
            raise Unknown(f"behind two figures stands {rest}")
        if second["unit"] != first["unit"]:
            raise Unknown(f"{first['unit']} and {second['unit']} do not compare: {words.strip()}")
        return probe, first, match.group(1), float(match.group(2) or 1), second


# ---- in words ------------------------------------------------------------------------------------

def digits(value, count=2):
    """A number to so many significant digits, none of them hidden in an exponent."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{count - 1}e}")
    places = count - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{max(places, 0)}f}"


def scaled(value, units, step):
    at = 0
    while at + 1 < len(units) and abs(value) >= step * 0.9995:
        value, at = value / step, at + 1
    return value, units[at]


def shown(value, unit, count=2):
    """A value with its unit, as a text says it."""
    if unit == "ns":
        value, unit = scaled(value, TIMES, 1000)
    elif unit == "bytes":
        value, unit = scaled(value, SIZES, 1024)
    elif unit == "1/s":
        unit = "a second"
    elif unit in ("x", "switches"):
        unit = ""
    glue = "" if unit == "%" or not unit else " "
    return digits(value, count) + glue + unit


def place(axis, at):
    """Where on a probe's axis a figure is."""
    return shown(at, "bytes") if axis == "bytes" else f"{at:,.0f}"


def order(ratio):
    """The power of ten nearest to a ratio, in a word."""
    power = round(math.log10(ratio)) if ratio > 0 else -1
    if not 0 <= power < len(ORDERS):
        raise Unknown(f"there is no word for {ratio:g} times")
    return ORDERS[power]
