# SPDX-License-Identifier: MIT
"""Pictures of a report's figures, as SVG that is read in light and in dark, and on a phone.

What stands between `<!--picture NAME.svg` and `-->` in a chapter says what is drawn:

    bars [TITLE]                      one bar a line, on a scale by powers of ten
    PROBE "NAME" [at PLACE]: LABEL

    lines PROBE [in UNIT]: TITLE      one curve a line along the probe's axis; both scales by powers
    "NAME": LABEL

    shares PROBE [in UNIT]: TITLE     the same as bars from nothing on, a group for each place
    "NAME": LABEL

A picture is so narrow that its words can still be read on a phone.
"""

import html
import math
import re

from docs.lab import Unknown, place, shown

WIDTH = 420
STYLE = """<style>
svg { --ink: #22242a; --dim: #5d6370; --line: #d9d6cf; --card: #ffffff;
  --s1: #0b62b8; --s2: #b4530f; --s3: #1d6b3a; --s4: #8a2f8f; --fill: #e7f0fa; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #d9dce3; --dim: #9aa1af; --line: #3a3f4a; --card: #1b1e24;
    --s1: #6cb1f5; --s2: #f0a35e; --s3: #86d3a2; --s4: #d79be0; --fill: #1d2d40; }
}
text { font: 14px system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; fill: var(--ink); }
text.small { font-size: 12px; } text.dim { fill: var(--dim); } text.bold { font-weight: 600; }
text.end { text-anchor: end; } text.mid { text-anchor: middle; }
text.mono { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
.line { stroke: var(--line); fill: none; } .ink { stroke: var(--ink); fill: none; }
.box { fill: var(--card); stroke: var(--dim); } .soft { fill: var(--fill); stroke: none; }
.f1 { fill: var(--s1); } .f2 { fill: var(--s2); } .f3 { fill: var(--s3); } .f4 { fill: var(--s4); }
.c1, .c2, .c3, .c4 { fill: none; stroke-width: 2.5; }
.c1 { stroke: var(--s1); } .c2 { stroke: var(--s2); }
.c3 { stroke: var(--s3); } .c4 { stroke: var(--s4); }
.dash { stroke-dasharray: 4 4; }
</style>"""
KIND = re.compile(r"(bars|lines|shares)\b\s*(.*)")
AXIS = re.compile(r"([a-z-]+)(?:\s+in\s+([a-z0-9/%]+))?\s*:\s*(.*)")


def escaped(words):
    return html.escape(words, quote=False)


def text(x, y, words, *classes):
    face = f' class="{" ".join(classes)}"' if classes else ""
    return f'<text x="{x:g}" y="{y:g}"{face}>{escaped(words)}</text>'


def line(x1, y1, x2, y2, face="line"):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{face}"/>'


def whole(height, title, parts):
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
            f'role="img">\n<title>{escaped(title)}</title>\n{STYLE}\n{body}\n</svg>\n')


def axis_words(value, unit):
    """What an axis says at a round value; of a rate its title says of what."""
    return shown(value, "" if unit == "1/s" else unit, 1)


# ---- bars ----------------------------------------------------------------------------------------

def bars(report, title, rows):
    """Values that differ by orders of magnitude: the length of a bar is a logarithm."""
    found = []
    for row in rows:
        probe, figure, rest = report.parse(row, found[-1][0] if found else None)
        if not rest.startswith(":"):
            raise Unknown(f"a bar has no label: {row}")
        found.append((probe, figure, rest[1:].strip()))
    units = {f["unit"] for _, f, _ in found}
    if len(units) != 1:
        raise Unknown(f"bars of several units: {', '.join(sorted(units))}")
    unit = units.pop()
    base = 1024 if unit == "bytes" else 1
    low = math.floor(math.log10(min(f["median"] for _, f, _ in found) / base) - 0.15)
    high = math.ceil(math.log10(max(f["median"] for _, f, _ in found) / base))
    left, right, step, top = 8, WIDTH - 84, 44, 34

    def place_of(value):
        return left + (right - left) * (math.log10(value / base) - low) / (high - low)

    bottom = top + step * len(found)
    parts = [text(left, 18, title, "bold")]
    every = 1 if high - low < 6 else 2 if high - low < 10 else 3
    for power in range(low, high + 1):
        x = place_of(base * 10.0 ** power)
        parts.append(line(x, top, x, bottom))
        if power % every == 0:
            side = ("small", "dim") if power == low else ("small", "dim", "mid")
            words = axis_words(base * 10.0 ** power, unit)
            parts.append(text(round(x, 1), bottom + 16, words, *side))
    for number, (_, figure, label) in enumerate(found):
        y, end = top + step * number, place_of(figure["median"])
        parts.append(text(left + 2, y + 16, label))
        parts.append(f'<rect x="{left}" y="{y + 21}" width="{end - left:.1f}" height="14" rx="2" '
                     'class="f1"/>')
        parts.append(text(round(end + 6, 1), y + 33, shown(figure["median"], unit), "small"))
    return whole(bottom + 26, title, parts)


# ---- curves --------------------------------------------------------------------------------------

def curves_of(report, probe, unit, rows):
    curves = []
    for row in rows:
        match = re.match(r'\s*"([^"]+)"\s*:\s*(.*)', row)
        if not match:
            raise Unknown(f"no curve: {row}")
        found = [f for f in report.figures(probe) if unit is None or f["unit"] == unit]
        names = {f["name"] for f in report.curve(probe, match.group(1))}
        curve = sorted((f for f in found if f["name"] in names), key=lambda f: f["at"])
        if not curve or len({f["unit"] for f in curve}) != 1:
            raise Unknown(f"{probe} {row}: no curve in {unit or 'one unit'}")
        curves.append((match.group(2).strip(), curve))
    return curves


def legend(curves, y):
    parts, x = [], 8
    for number, (label, _) in enumerate(curves, 1):
        room = 30 + 7.3 * len(label)
        if x + room > WIDTH and x > 8:
            x, y = 8, y + 20
        parts.append(f'<rect x="{x:g}" y="{y - 10}" width="12" height="12" rx="2" '
                     f'class="f{number}"/>')
        parts.append(text(round(x + 17, 1), y, label, "small"))
        x += room
    return parts, y


def round_values(low, high):
    """Values for an axis that hold all between them: powers of ten, or of less than two decades
    twice and five times those as well."""
    begin, end = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    steps = (1, 2, 5) if math.log10(high / low) < 1.5 else (1,)
    found = [step * 10.0 ** power for power in range(begin, end + 1) for step in steps]
    first = max((v for v in found if v <= low * 1.001), default=found[0])
    last = min((v for v in found if v >= high * 0.999), default=found[-1])
    return [v for v in found if first <= v <= last]


def lines(report, probe, unit, title, rows):
    curves = curves_of(report, probe, unit, rows)
    unit = curves[0][1][0]["unit"]
    points = [f for _, curve in curves for f in curve]
    levels = round_values(min(f["median"] for f in points), max(f["median"] for f in points))
    low, high = levels[0], max(levels[-1], levels[0] * 1.001)
    first, last = min(f["at"] for f in points), max(f["at"] for f in points)
    parts, y = legend(curves, 42)
    left, right, top, bottom = 66, WIDTH - 24, y + 16, y + 16 + 220

    def x_of(at):
        return left + (right - left) * math.log(at / first) / math.log(last / first)

    def y_of(value):
        return bottom - (bottom - top) * math.log(value / low) / math.log(high / low)

    parts.insert(0, text(8, 18, title, "bold"))
    for level in levels:
        y = y_of(level)
        parts += [line(left, y, right, y),
                  text(left - 6, round(y + 4, 1), axis_words(level, unit), "small", "dim", "end")]
    axis = report.probes[probe]["axis"]
    for at in sorted({f["at"] for f in points}):
        parts.append(text(round(x_of(at), 1), bottom + 18, place(axis, at), "small", "dim", "mid"))
    parts.append(text((left + right) / 2, bottom + 36, axis, "small", "dim", "mid"))
    for number, (_, curve) in enumerate(curves, 1):
        places = [(x_of(f["at"]), y_of(f["median"])) for f in curve]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" class="c{number}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="f{number}"/>'
                  for x, y in places]
    return whole(bottom + 46, title, parts)


def shares(report, probe, unit, title, rows):
    """Values of one size: bars from nothing on, side by side at each place of the axis."""
    curves = curves_of(report, probe, unit, rows)
    unit = curves[0][1][0]["unit"]
    points = [f for _, curve in curves for f in curve]
    most = max(f["median"] for f in points)
    axis, places = report.probes[probe]["axis"], sorted({f["at"] for f in points})
    head, y = legend(curves, 42)
    parts, y = [text(8, 18, title, "bold")] + head, y + 14
    left, right = 8, WIDTH - 84
    for at in places:
        parts.append(text(left, y + 16, f"{axis}: {place(axis, at)}", "small", "dim"))
        y += 22
        for number, (_, curve) in enumerate(curves, 1):
            for figure in (f for f in curve if f["at"] == at):
                wide = (right - left) * figure["median"] / most
                parts.append(f'<rect x="{left}" y="{y}" width="{wide:.1f}" height="14" rx="2" '
                             f'class="f{number}"/>')
                parts.append(text(round(left + wide + 6, 1), y + 12,
                                  shown(figure["median"], unit), "small"))
                y += 18
        y += 6
    return whole(y + 4, title, parts)


def picture(report, words):
    """The SVG that a chapter asks for."""
    first, *rows = [l.strip() for l in words.strip().split("\n") if l.strip()]
    kind = KIND.match(first)
    if not kind or not rows:
        raise Unknown(f"no picture: {first}")
    if kind.group(1) == "bars":
        return bars(report, kind.group(2), rows)
    axis = AXIS.match(kind.group(2))
    if not axis:
        raise Unknown(f"no picture: {first}")
    return {"lines": lines, "shares": shares}[kind.group(1)](report, *axis.groups(), rows)
