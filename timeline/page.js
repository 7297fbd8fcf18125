// SPDX-License-Identifier: MIT
// Lanes of a trace. Whatever has a length is a bar in a row, whatever kind it is: what a lane's
// events of one category are is a track, of as many rows as lie over each other; pairs of begin and
// end ("b", "e") are tracks of their process, one inside the other.
//
// Of a million bars most are narrower than a point. What of a row falls into one column of points
// is found by bisection and drawn as one, as dark as it is full, by sums that were made once: a
// picture costs what the screen is wide, not what the trace is long.
"use strict";
(() => {
  const about = JSON.parse(document.getElementById("about").textContent);
  const texts = about.texts, total = Math.max(1, about.ends), count = about.count;
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const HIGH = 22, LOW = 15, RULER = 24, ROWS = 14, SHORTEST = 40, NONE = -1;

  // --- events: page.c says how they are written ---

  const bytes = (() => {
    const raw = atob(document.getElementById("events").textContent);
    const made = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++)
      made[i] = raw.charCodeAt(i);
    return made;
  })();
  let place = 0;
  const number = () => {
    let n = bytes[place++];
    if (n < 128)
      return n;
    n -= 128;
    for (let times = 128; ; times *= 128) {
      const more = bytes[place++];
      n += (more & 127) * times;
      if (more < 128)
        return n;
    }
  };
  const signed = () => {
    const n = number();
    return n % 2 ? -(n + 1) / 2 : n / 2;
  };
  const value = () => {
    const n = number(), rest = Math.floor(n / 4);
    return n % 4 === 2 ? texts[rest] : n % 4 === 1 ? -rest - 1 : rest;
  };

  const shapes = about.shapes.map(shape => ({
    phase: shape.phase, category: texts[shape.category], keys: shape.keys.map(key => texts[key]),
  }));
  const shapeOf = new Uint16Array(count), laneOf = new Uint16Array(count);
  const begin = new Float64Array(count), lasts = new Float64Array(count);
  const idOf = new Float64Array(count), taskOf = new Float64Array(count).fill(NONE);
  const textOf = new Uint32Array(count), numberOf = new Float64Array(count);
  const valuesAt = new Uint32Array(count);

  for (let e = 0, now = 0; e < count; e++) {
    const shape = shapes[shapeOf[e] = number()];
    laneOf[e] = number();
    begin[e] = now += signed();
    if (shape.phase === "X")
      lasts[e] = number();
    else if (shape.phase !== "i")
      idOf[e] = number();
    textOf[e] = number();
    numberOf[e] = number() - 1;
    valuesAt[e] = place;
    for (const key of shape.keys) {
      const one = value();
      if (key === "task" && typeof one === "number")
        taskOf[e] = one;
    }
  }

  const categoryOf = e => shapes[shapeOf[e]].category;
  const phaseOf = e => shapes[shapeOf[e]].phase;
  const processOf = e => about.lanes[laneOf[e]].process;
  const nameOf = e => texts[textOf[e]] + (numberOf[e] < 0 ? "" : " " + numberOf[e]);
  const ownValuesOf = e => {
    place = valuesAt[e];
    return shapes[shapeOf[e]].keys.map(key => [key, value()]);
  };
  // Of a pair: what was known when it began, and what when it was over.
  const valuesOf = e => endOf.has(e) ? [...ownValuesOf(e), ...ownValuesOf(endOf.get(e))]
                                     : ownValuesOf(e);

  // --- time in words ---

  const units = [["s", 1e9], ["ms", 1e6], ["µs", 1e3], ["ns", 1]];
  const say = ns => {
    const [unit, size] = units.find(one => Math.abs(ns) >= one[1]) || units[3];
    return +(ns / size).toPrecision(4) + " " + unit;
  };
  const sayAt = (ns, step) => {
    const [unit, size] = units.find(one => Math.max(view.to, step) >= one[1]) || units[3];
    return (ns / size).toFixed(clamp(Math.ceil(Math.log10(size / step) - 1e-9), 0, 9)) + " " + unit;
  };

  // --- rows ---

  // Into as many rows as lie over each other; `least` says above which one a bar may not be.
  const layOut = (events, least) => {
    const rows = [], ends = [];
    for (const e of events) {
      let row = least ? least(e) : 0;
      while (row < Math.min(rows.length, ROWS - 1) && ends[row] > begin[e])
        row++;
      row = Math.min(row, ROWS - 1);
      while (rows.length <= row) {
        rows.push([]);
        ends.push(NONE);
      }
      rows[row].push(e);
      ends[row] = Math.max(ends[row], begin[e] + lasts[e]);
      if (least)
        least(e, row);
    }
    return rows;
  };

  // In the last row that there may be they do lie over each other: how far any so far has reached.
  const reachOf = list => {
    const reach = new Float64Array(list.length);
    list.forEach((e, i) => { reach[i] = Math.max(i ? reach[i - 1] : 0, begin[e] + lasts[e]); });
    return reach;
  };

  const tracks = [];
  const addTrack = (label, kind, lane, lists) => {
    const made = {label, kind, lane, rows: lists.map(list => {
      const sums = new Float64Array(list.length + 1);
      list.forEach((e, i) => { sums[i + 1] = sums[i] + lasts[e]; });
      return {events: Uint32Array.from(list), sums, hits: null};
    })};
    if (lists.length === ROWS)
      made.rows[ROWS - 1].reach = reachOf(lists[ROWS - 1]);
    tracks.push(made);
  };

  const inOrder = list => list.sort((a, b) => begin[a] - begin[b] || lasts[b] - lasts[a] || a - b);

  const byKey = (list, key) => {
    const groups = new Map();
    for (const one of list) {
      const at = key(one);
      if (groups.has(at))
        groups.get(at).push(one);
      else
        groups.set(at, [one]);
    }
    return groups;
  };

  const all = phase => {
    const is = shapes.map(shape => phase.includes(shape.phase)), list = [];
    for (let e = 0; e < count; e++)
      if (is[shapeOf[e]])
        list.push(e);
    return list;
  };

  // What a worker does and that it has nothing to do are one track.
  const trackOf = e => categoryOf(e) === "asleep" ? "run" : categoryOf(e);

  // Pairs become bars: the first has the length, and who is around it.
  const around = new Map(), endOf = new Map(), beginOf = new Map();
  const isOpen = new Set();
  const join = () => {
    const open = new Map();
    for (const e of all("be").sort((a, b) => begin[a] - begin[b] || a - b)) {
      const key = `${categoryOf(e)} ${processOf(e)} ${idOf[e]}`;
      if (!open.has(key))
        open.set(key, []);
      const stack = open.get(key);
      if (phaseOf(e) === "b") {
        if (stack.length)
          around.set(e, stack[stack.length - 1]);
        stack.push(e);
      } else if (stack.length) {
        const first = stack.pop();
        lasts[first] = begin[e] - begin[first];
        endOf.set(first, e);
        beginOf.set(e, first);
      }
    }
    for (const first of [...open.values()].flat()) {
      lasts[first] = total - begin[first];
      isOpen.add(first);
    }
    for (const e of all("b"))           // events.c: a band's id is its task's, and its runtime
      if (taskOf[e] === NONE)
        taskOf[e] = idOf[e] % 2 ** 40;
  };
  join();

  const bars = byKey(all("X"), e => laneOf[e]), marks = byKey(inOrder(all("i")), e => laneOf[e]);
  const pairs = byKey(all("b"), processOf);
  const lanes = about.lanes.map((lane, i) => ({...lane, i}));
  lanes.sort((a, b) => a.process - b.process || (a.rank ?? a.thread) - (b.rank ?? b.thread));
  const processes = [...new Set(lanes.map(lane => lane.process))];
  const first = {run: 0};
  const names = {scope: "scopes", wait: "waits", io: "I/O", lock: "locks"};

  for (const process of processes) {
    const own = lanes.filter(lane => lane.process === process);
    if (processes.length > 1)
      addTrack(texts[own[0].program], "head", NONE, [[]]);
    for (const lane of own) {
      const label = texts[lane.name] || `lane ${lane.thread}`;
      const kinds = [...byKey(bars.get(lane.i) || [], trackOf)];
      kinds.sort((a, b) => (first[a[0]] ?? 1) - (first[b[0]] ?? 1) || (a[0] < b[0] ? -1 : 1));
      kinds.forEach(([kind, list], i) =>
        addTrack(i ? kind : label, i ? kind : "main", lane.i, layOut(inOrder(list))));
      if (!kinds.length && (marks.has(lane.i) || lane.name))
        addTrack(label, "main", lane.i, [[]]);
    }
    for (const [category, list] of byKey(pairs.get(process) || [], categoryOf)) {
      const rowOf = new Map();
      const least = (e, row) => {
        if (row === undefined)
          return around.has(e) ? (rowOf.get(around.get(e)) ?? 0) + 1 : 0;
        return rowOf.set(e, row);
      };
      addTrack(names[category] || category, category, NONE, layOut(inOrder(list), least));
    }
  }

  const rows = tracks.flatMap(track => track.rows);
  const mainOf = new Map(tracks.filter(t => t.kind === "main").map(t => [t.lane, t.rows[0]]));
  const rowOfEvent = new Map();
  const rowOf = e => {
    for (const row of rows) {
      const i = after(row, begin[e]);
      for (let k = i - 1; k >= 0 && begin[row.events[k]] === begin[e]; k--)
        if (row.events[k] === e)
          return row;
    }
    return null;
  };

  let height = RULER + 12;
  for (const track of tracks) {
    height += track.kind === "main" ? 6 : track.kind === "head" ? 10 : 2;
    for (const row of track.rows) {
      row.y = height;
      row.height = track.kind === "main" ? HIGH : LOW;
      height += row.height;
    }
  }
  height += 6;

  // The number of bars in a row that begin at that time or before.
  const after = (row, time, low = 0) => {
    let high = row.events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (begin[row.events[middle]] <= time)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };

  const barAt = (row, time) => {
    const i = after(row, time) - 1, e = row.events[i];
    return i >= 0 && time <= begin[e] + lasts[e] ? e : NONE;
  };

  // --- arrows, from a bar to the begin of another ---

  const arrows = (() => {
    const ends = new Map();
    const key = e => `${categoryOf(e)} ${idOf[e]}`;
    for (const e of all("f"))
      ends.set(key(e), e);
    const made = [];
    for (const s of inOrder(all("s"))) {
      const f = ends.get(key(s)), from = mainOf.get(laneOf[s]);
      const to = f === undefined ? f : mainOf.get(laneOf[f]);
      if (from && to)
        made.push({from, to, start: s, at: begin[s], until: begin[f], by: barAt(from, begin[s]),
                   bar: barAt(to, begin[f])});
    }
    return made;
  })();
  const arrowTo = new Map(arrows.map(arrow => [arrow.bar, arrow]));
  const arrowsAfter = time => {
    let low = 0, high = arrows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (arrows[middle].at < time)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  const arrowsBy = e => {
    const made = [];
    const ends = begin[e] + lasts[e];
    for (let i = arrowsAfter(begin[e]); i < arrows.length && arrows[i].at <= ends; i++)
      if (arrows[i].by === e)
        made.push(arrows[i]);
    return made;
  };

  // --- the page around ---

  const element = (name, attributes, ...inside) => {
    const made = document.createElement(name);
    for (const [key, one] of Object.entries(attributes))
      made.setAttribute(key, one);
    made.append(...inside);
    return made;
  };
  const button = (label, title, act) => {
    const made = element("button", {type: "button", title}, label);
    made.addEventListener("click", act);
    return made;
  };

  const input = element("input", {
    type: "search", placeholder: "search: task, function, reason", "aria-label": "Search",
    autocomplete: "off", spellcheck: "false",
  });
  const found = element("output", {"aria-live": "polite"});
  const overPlace = element("div", {id: "over"});
  const canvas = element("canvas", {
    tabindex: 0, role: "application", "aria-describedby": "help",
    "aria-label": "Lanes over time. Arrow keys go from bar to bar.",
  });
  const spacer = element("div", {});
  const box = element("div", {id: "lanes"}, canvas, spacer);
  const details = element("section",
                          {id: "details", "aria-live": "polite", "aria-label": "Chosen"});
  const help = element("p", {id: "help"});
  help.innerHTML = "Drag to move, pinch or <kbd>Ctrl</kbd> and wheel to zoom, drag over the " +
    "ruler or the overview to choose a span. Keys: <kbd>←</kbd> <kbd>→</kbd> <kbd>↑</kbd> <kbd>↓</kbd> " +
    "from bar to bar, <kbd>W</kbd> <kbd>S</kbd> zoom, <kbd>A</kbd> <kbd>D</kbd> move, " +
    "<kbd>Enter</kbd> the " +
    "chosen bar as wide as the screen, <kbd>Home</kbd> all, <kbd>/</kbd> search, <kbd>Esc</kbd> " +
    "nothing chosen.";
  const middle = () => (view.from + view.to) / 2;
  document.getElementById("picture").append(
    element("div", {class: "bar"},
      button("−", "Zoom out (S)", () => zoom(1.6, middle())),
      button("+", "Zoom in (W)", () => zoom(1 / 1.6, middle())),
      button("all", "The whole trace (Home)", () => show(0, total)),
      element("span", {class: "gap"}), input,
      button("‹", "The hit before (Shift and Enter)", () => step(-1)),
      button("›", "The next hit (Enter)", () => step(1)), found),
    overPlace, box, details, help);

  // --- what is seen ---

  const view = {from: 0, to: total};
  let chosen = NONE, hits = null, hitList = [], isPrinted = false, isAsked = false;
  let width = 0, gutter = 0, seen = 0;
  const xOf = time => gutter + (time - view.from) / (view.to - view.from) * (width - gutter);
  const timeAt = x => view.from + (x - gutter) / (width - gutter) * (view.to - view.from);

  const redraw = () => {
    if (!isAsked)
      requestAnimationFrame(() => { isAsked = false; draw(); });
    isAsked = true;
  };

  const show = (from, to) => {
    const span = clamp(to - from, SHORTEST, total);
    view.from = clamp(from, 0, total - span);
    view.to = view.from + span;
    redraw();
  };
  const zoom = (times, around) => {
    const span = clamp((view.to - view.from) * times, SHORTEST, total);
    const share = (around - view.from) / (view.to - view.from);
    show(around - share * span, around - share * span + span);
  };
  const move = share => {
    const by = share * (view.to - view.from);
    show(view.from + by, view.from + by + (view.to - view.from));
  };

  // --- drawing ---

  let ctx, inks;
  const readInks = () => {
    inks = {bars: [0, 1, 2, 3, 4, 5, 6, 7].map(i => colour(`--c${i}`))};
    for (const name of ["fg", "bg", "soft", "line", "card", "on", "bad"])
      inks[name] = colour(`--${name}`);
  };

  const isLit = e => !hits || hits[e];
  const inkOf = e => categoryOf(e) === "asleep" ? inks.line : inks.bars[textOf[e] % 8];

  const label = (text, x, y, room, ink) => {
    if (room < 16)
      return;
    let cut = text;
    if (ctx.measureText(cut).width > room) {
      const letters = Math.floor(room / 6.5) - 1;
      cut = letters < 2 ? "" : text.slice(0, letters) + "…";
    }
    ctx.fillStyle = ink;
    ctx.fillText(cut, x, y);
  };

  const drawBar = (row, e) => {
    const left = Math.max(gutter, xOf(begin[e])), right = Math.min(width, xOf(begin[e] + lasts[e]));
    const wide = Math.max(1, right - left - (right - left > 3 ? .5 : 0));
    const isBand = phaseOf(e) === "b", isIdle = categoryOf(e) === "asleep";
    ctx.globalAlpha = (isLit(e) ? 1 : .22) * (isIdle ? .5 : isBand ? .4 : 1);
    ctx.fillStyle = inkOf(e);
    ctx.fillRect(left, row.y - seen + (isIdle ? row.height / 2 - 2 : 1), wide,
                 isIdle ? 4 : row.height - 2);
    ctx.globalAlpha = isLit(e) ? 1 : .5;
    if (!isIdle)
      label(nameOf(e), left + 4, row.y - seen + row.height / 2 + 1, wide - 8,
            isBand ? inks.fg : inks.bg);
    ctx.globalAlpha = 1;
  };

  // All that lies within one column of points.
  const drawColumn = (row, i, next, x) => {
    const share = (row.sums[next] - row.sums[i]) / ((view.to - view.from) / (width - gutter));
    const lit = !row.hits || row.hits[next] > row.hits[i];
    ctx.globalAlpha = (lit ? 1 : .22) * clamp(.3 + .7 * share, .3, 1);
    ctx.fillStyle = inkOf(row.events[i]);
    ctx.fillRect(x, row.y - seen + 1, 1, row.height - 2);
    ctx.globalAlpha = 1;
  };

  const drawRow = row => {
    const perPoint = (view.to - view.from) / (width - gutter), list = row.events;
    let i = Math.max(0, after(row, view.from) - 1), drawn = 0;
    for (let back = 0; row.reach && i > 0 && row.reach[i - 1] > view.from && back < 1000; back++)
      i--;
    while (i < list.length && begin[list[i]] < view.to) {
      const e = list[i], ends = begin[e] + lasts[e], x = Math.floor(xOf(begin[e]));
      if (lasts[e] >= perPoint * 1.5 || x < gutter) {
        if (ends >= view.from)
          drawBar(row, e);
        i++;
      } else {
        let next = after(row, timeAt(x + 1), i);
        const last = list[next - 1];
        if (next - 1 > i && lasts[last] >= perPoint * 1.5)
          next--;
        next = Math.max(next, i + 1);
        drawColumn(row, i, next, x);
        i = next;
      }
      drawn++;
    }
    return drawn;
  };

  const drawMarks = (row, list) => {
    let x = NONE;
    for (const e of list) {
      const at = xOf(begin[e]);
      if (at < gutter || at > width || at < x + 2)
        continue;
      x = at;
      ctx.fillStyle = inks.bad;
      ctx.globalAlpha = isLit(e) ? 1 : .3;
      ctx.beginPath();
      ctx.moveTo(at, row.y - seen - 3);
      ctx.lineTo(at - 4, row.y - seen - 9);
      ctx.lineTo(at + 4, row.y - seen - 9);
      ctx.fill();
    }
    ctx.globalAlpha = 1;
  };

  const drawArrow = (arrow, isStrong) => {
    const x1 = xOf(arrow.at), x2 = xOf(arrow.until);
    if (!isStrong && arrow.from === arrow.to && x2 - x1 < 6)
      return;
    const y1 = arrow.from.y - seen + arrow.from.height / 2, y2 = arrow.to.y - seen + 3;
    const up = arrow.from === arrow.to ? 18 : 0;
    const bend = clamp(Math.abs(x2 - x1) / 2, 3, 60);
    ctx.strokeStyle = ctx.fillStyle = isStrong ? inks.on : inks.soft;
    ctx.lineWidth = isStrong ? 2 : 1;
    ctx.globalAlpha = isStrong ? 1 : .7;
    ctx.beginPath();
    ctx.moveTo(x1, y1);
    ctx.bezierCurveTo(x1 + bend, y1 - up, x2 - bend, y2 - up, x2, y2);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x2, y2);
    ctx.lineTo(x2 - 6, y2 - 4);
    ctx.lineTo(x2 - 6, y2 + 4);
    ctx.fill();
    ctx.globalAlpha = 1;
  };

  const drawArrows = () => {
    const low = arrowsAfter(view.from), high = arrowsAfter(view.to);
    if (high - low <= (width - gutter) / 6)
      for (let i = low; i < high; i++)
        drawArrow(arrows[i], false);
    if (chosen !== NONE) {
      arrowsBy(chosen).slice(0, 200).forEach(arrow => drawArrow(arrow, true));
      if (arrowTo.has(chosen))
        drawArrow(arrowTo.get(chosen), true);
    }
  };

  const drawRuler = () => {
    const span = view.to - view.from, room = span / Math.max(1, (width - gutter) / 100);
    const power = 10 ** Math.floor(Math.log10(room));
    const every = [1, 2, 5, 10].map(n => n * power).find(n => n >= room);
    ctx.fillStyle = inks.card;
    ctx.fillRect(0, 0, width, RULER);
    ctx.strokeStyle = inks.line;
    for (let time = Math.ceil(view.from / every) * every; time < view.to; time += every) {
      const x = Math.round(xOf(time)) + .5;
      ctx.beginPath();
      ctx.moveTo(x, RULER - 6);
      ctx.lineTo(x, RULER);
      ctx.stroke();
      if (x + 40 < width)
        label(sayAt(time, every), x + 3, RULER / 2, 96, inks.soft);
    }
  };

  const drawGrid = (deep) => {
    ctx.strokeStyle = inks.line;
    ctx.lineWidth = 1;
    for (const track of tracks) {
      const y = Math.round(track.rows[0].y - seen - (track.kind === "main" ? 3 : 1)) + .5;
      ctx.globalAlpha = track.kind === "main" ? 1 : .4;
      if (y > RULER && y < deep) {
        ctx.beginPath();
        ctx.moveTo(0, y);
        ctx.lineTo(width, y);
        ctx.stroke();
      }
    }
    ctx.globalAlpha = 1;
  };

  const drawLabels = deep => {
    ctx.fillStyle = inks.bg;
    ctx.fillRect(0, RULER, gutter - 2, deep);
    for (const track of tracks) {
      const row = track.rows[0], isMain = track.kind === "main";
      const isHead = track.kind === "head";
      label(track.label, isMain || isHead ? 6 : 16, row.y - seen + row.height / 2 + 1,
            isHead ? width - 12 : gutter - (isMain ? 10 : 20), isMain ? inks.fg : inks.soft);
      if (track.rows.length === ROWS)
        label("and more", 16, track.rows[ROWS - 1].y - seen + LOW / 2 + 1, gutter - 20, inks.soft);
    }
  };

  const outline = e => {
    const row = rowOfEvent.get(e);
    if (!row)
      return;
    const left = Math.max(gutter, xOf(begin[e])), right = xOf(begin[e] + lasts[e]);
    if (right < gutter || left > width)
      return;
    ctx.strokeStyle = inks.fg;
    ctx.lineWidth = 2;
    ctx.strokeRect(left - 1, row.y - seen, Math.max(3, Math.min(right, width) - left + 1),
                   row.height);
  };

  const drawLanes = deep => {
    let drawn = 0;
    ctx.save();
    ctx.beginPath();
    ctx.rect(gutter, RULER, width - gutter, deep - RULER);
    ctx.clip();
    for (const row of rows)
      if (row.y - seen < deep && row.y + row.height - seen > RULER)
        drawn += drawRow(row);
    for (const [lane, list] of marks)
      if (mainOf.has(lane))
        drawMarks(mainOf.get(lane), list);
    drawArrows();
    if (chosen !== NONE)
      outline(chosen);
    ctx.restore();
    return drawn;
  };

  const draw = () => {
    const scale = isPrinted ? 2 : devicePixelRatio || 1;
    const deep = isPrinted ? Math.min(height, 4000) : box.clientHeight;
    width = isPrinted ? 680 : box.clientWidth;
    gutter = width < 600 ? 70 : 132;
    seen = isPrinted ? 0 : box.scrollTop;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(deep * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(deep * scale);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${deep}px`;
      spacer.style.height = `${Math.max(0, height - deep)}px`;
    }
    ctx = canvas.getContext("2d");
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
    ctx.font = "12px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    ctx.fillStyle = inks.bg;
    ctx.fillRect(0, 0, width, deep);
    drawGrid(deep);
    canvas.dataset.drawn = drawLanes(deep);
    drawLabels(deep);
    drawRuler();
    placeWindow();
  };

  // --- the overview: how many lanes run something, by uPlot ---

  const busy = (() => {
    const parts = 400, part = total / parts, sums = new Float64Array(parts);
    for (const row of mainOf.values())
      for (const e of row.events) {
        if (categoryOf(e) === "asleep")
          continue;
        const ends = begin[e] + lasts[e];
        for (let i = Math.floor(begin[e] / part); i < parts && i * part < ends; i++)
          sums[i] += Math.min(ends, (i + 1) * part) - Math.max(begin[e], i * part);
      }
    return [Array.from(sums, (_, i) => (i + .5) * part), Array.from(sums, sum => sum / part)];
  })();

  let over = null;
  const overWindow = element("div", {class: "window"});
  const axis = more => ({
    stroke: inks.soft, grid: {stroke: inks.line, width: 1}, ticks: {stroke: inks.line, width: 1},
    font: "11px system-ui, sans-serif", ...more,
  });
  const makeOver = () => {
    if (over)
      over.destroy();
    overPlace.querySelectorAll(".uplot").forEach(old => old.remove());
    over = new uPlot({
      width: isPrinted ? 680 : overPlace.clientWidth, height: 100, legend: {show: false},
      cursor: {points: {show: false}, y: false, drag: {x: true, y: false, setScale: false}},
      scales: {x: {time: false, range: [0, total]},
               y: {range: [0, Math.max(1, ...busy[1]) * 1.05]}},
      padding: [8, 0, 0, 0],
      axes: [axis({values: (u, list) => list.map(say), size: 28, space: 90}),
             axis({size: gutter, space: 24, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500],
                   values: (u, list) => list.map(n => n + (n === list[list.length - 1]
                                                           ? gutter < 100 ? " run" : " running"
                                                           : ""))})],
      series: [{}, {stroke: inks.on, fill: inks.on + "40", width: 1, points: {show: false}}],
      hooks: {setSelect: [u => {
        if (u.select.width < 2)
          return;
        const from = u.posToVal(u.select.left, "x");
        const to = u.posToVal(u.select.left + u.select.width, "x");
        u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
        show(from, to);
      }]},
    }, busy, overPlace);
    over.over.append(overWindow);
    over.over.addEventListener("click", event => {
      const span = view.to - view.from, at = over.posToVal(event.offsetX, "x");
      if (span < total && Math.abs(at - middle()) > span / 2)
        show(at - span / 2, at + span / 2);
    });
  };
  const placeWindow = () => {
    if (!over)
      return;
    const left = over.valToPos(view.from, "x"), right = over.valToPos(view.to, "x");
    overWindow.style.left = `${left}px`;
    overWindow.style.width = `${Math.max(2, right - left)}px`;
    overWindow.hidden = view.to - view.from >= total;
  };

  // --- what is chosen ---

  const sameTask = e => other => taskOf[other] === taskOf[e] && processOf(other) === processOf(e);
  const light = is => {
    hits = is;
    for (const row of rows) {
      row.hits = is && new Uint32Array(row.events.length + 1);
      for (let i = 0; is && i < row.events.length; i++)
        row.hits[i + 1] = row.hits[i] + is[row.events[i]];
    }
  };
  const lightTask = e => {
    if (hitList.length || input.value)
      return;
    if (e === NONE || taskOf[e] === NONE)
      return light(null);
    const is = new Uint8Array(count), same = sameTask(e);
    for (let other = 0; other < count; other++)
      is[other] = same(other) ? 1 : 0;
    light(is);
  };

  // The run of the same task before or behind that one.
  const neighbour = (e, by) => {
    const same = sameTask(e);
    let best = NONE;
    for (let other = 0; other < count; other++)
      if (other !== e && phaseOf(other) === "X" && categoryOf(other) === categoryOf(e) &&
          (begin[other] - begin[e]) * by > 0 && same(other) &&
          (best === NONE || (begin[best] - begin[other]) * by > 0))
        best = other;
    return best;
  };

  const words = e => {
    const exact = ns => `${say(ns)} (${ns.toLocaleString("en")} ns)`;
    const list = [["what", categoryOf(e)], ["lane", texts[about.lanes[laneOf[e]].name] || ""],
                  ["begins", exact(begin[e])]];
    if (phaseOf(e) !== "i")
      list.push(["lasts", isOpen.has(e) ? "to the end of the trace" : exact(lasts[e])]);
    return [...list, ...valuesOf(e).map(([key, one]) => [key, String(one)])];
  };

  const tell = () => {
    details.replaceChildren();
    if (chosen === NONE) {
      details.append(element("p", {class: "how"}, "Choose a bar to read what it is."));
      return;
    }
    const list = element("dl", {}), go = element("div", {class: "go"});
    for (const [key, one] of words(chosen))
      list.append(element("dt", {}, key), element("dd", {"data-key": key}, one));
    const lead = (text, to) => to !== NONE && to !== undefined &&
      go.append(button(text, "", () => { choose(to); bring(to); }));
    const from = out => {       // what it has waited for
      const object = valuesOf(out.start).find(([key]) => key === "object");
      return object ? `, from ${object[1]}` : "";
    };
    const arrow = arrowTo.get(chosen);
    if (arrow && arrow.by !== NONE)
      lead(`woken by ${nameOf(arrow.by)}${from(arrow)}`, arrow.by);
    for (const out of arrowsBy(chosen).slice(0, 8))
      lead(`wakes ${out.bar === NONE ? "?" : nameOf(out.bar)}${from(out)}`, out.bar);
    if (taskOf[chosen] !== NONE && phaseOf(chosen) === "X") {
      lead("its run before", neighbour(chosen, -1));
      lead("its next run", neighbour(chosen, 1));
    }
    go.append(button("as wide as the screen", "Enter", () => fill(chosen)));
    details.append(element("h2", {}, nameOf(chosen)), list, go);
  };

  const choose = e => {
    chosen = e;
    if (e !== NONE && !rowOfEvent.has(e))
      rowOfEvent.set(e, phaseOf(e) === "i" ? mainOf.get(laneOf[e]) : rowOf(e));
    lightTask(e);
    tell();
    redraw();
  };

  // Into sight.
  const bring = e => {
    const span = view.to - view.from, row = rowOfEvent.get(e);
    if (begin[e] + lasts[e] < view.from || begin[e] > view.to || lasts[e] < span / 400)
      show(begin[e] + lasts[e] / 2 - Math.min(span, Math.max(lasts[e] * 60, SHORTEST)) / 2,
           begin[e] + lasts[e] / 2 + Math.min(span, Math.max(lasts[e] * 60, SHORTEST)) / 2);
    if (row && (row.y - RULER < box.scrollTop ||
                row.y + row.height > box.scrollTop + box.clientHeight))
      box.scrollTop = row.y - box.clientHeight / 2;
  };
  const fill = e => show(begin[e] - lasts[e] * .1, begin[e] + lasts[e] * 1.1);

  // --- search ---

  const search = () => {
    const wanted = input.value.trim().toLowerCase();
    hitList = [];
    if (!wanted) {
      found.textContent = "";
      light(null);
      lightTask(chosen);
      return redraw();
    }
    const isText = texts.map(text => text.toLowerCase().includes(wanted));
    const hasDigit = /\d$/.test(wanted), is = new Uint8Array(count);
    for (let e = 0; e < count; e++) {
      const shape = shapes[shapeOf[e]];
      const bar = "Xbi".includes(shape.phase) ? e : beginOf.get(e);     // that it is told of
      if (bar === undefined || is[bar])
        continue;
      let isHit = isText[textOf[e]] || (hasDigit && nameOf(e).toLowerCase().includes(wanted));
      if (!isHit) {
        place = valuesAt[e];
        for (let k = 0; k < shape.keys.length && !isHit; k++) {
          const n = number();
          isHit = n % 4 === 2 && isText[Math.floor(n / 4)];
        }
      }
      if (isHit) {
        is[bar] = 1;
        hitList.push(bar);
      }
    }
    inOrder(hitList);
    light(is);
    found.textContent = `${hitList.length.toLocaleString("en")} found`;
    redraw();
  };
  const step = by => {
    if (!hitList.length)
      return;
    let at = hitList.indexOf(chosen);
    at = at < 0 ? (by > 0 ? 0 : hitList.length - 1) : (at + by + hitList.length) % hitList.length;
    choose(hitList[at]);
    bring(hitList[at]);
    found.textContent = [at + 1, hitList.length].map(n => n.toLocaleString("en")).join(" of ");
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", event => {
    if (event.key === "Enter")
      step(event.shiftKey ? -1 : 1);
    if (event.key === "Escape")
      canvas.focus();
  });

  // --- keyboard ---

  const alongRow = by => {
    if (chosen === NONE)
      return choose(nearest());
    const row = rowOfEvent.get(chosen), i = row ? row.events.indexOf(chosen) : NONE;
    const to = row && row.events[i + by];
    if (i !== NONE && to !== undefined) {
      choose(to);
      bring(to);
    }
  };
  // In the row above or below that has one: what is nearest in time.
  const acrossRows = by => {
    if (chosen === NONE)
      return choose(nearest());
    for (let r = rows.indexOf(rowOfEvent.get(chosen)) + by; rows[r]; r += by)
      if (rows[r].events.length) {
        const to = rows[r].events[Math.max(0, after(rows[r], begin[chosen]) - 1)];
        choose(to);
        return bring(to);
      }
  };
  const nearest = () => {
    const row = rows.find(one => one.events.length);
    return row ? row.events[Math.max(0, after(row, view.from) - 1)] : NONE;
  };
  const keys = {
    ArrowLeft: e => e.shiftKey ? move(-.25) : alongRow(-1),
    ArrowRight: e => e.shiftKey ? move(.25) : alongRow(1),
    ArrowUp: () => acrossRows(-1), ArrowDown: () => acrossRows(1),
    w: () => zoom(1 / 1.6, centre()), "+": () => zoom(1 / 1.6, centre()),
    s: () => zoom(1.6, centre()), "-": () => zoom(1.6, centre()),
    a: () => move(-.25), d: () => move(.25),
    Home: () => show(0, total), End: () => show(total - (view.to - view.from), total),
    Enter: () => chosen !== NONE && fill(chosen), Escape: () => choose(NONE),
    "/": () => input.focus(),
  };
  // Zooming keeps what is chosen where it is, when it can be seen.
  const centre = () => {
    const at = chosen === NONE ? NONE : begin[chosen] + lasts[chosen] / 2;
    return at >= view.from && at <= view.to ? at : middle();
  };
  canvas.addEventListener("keydown", event => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey)
      return;
    event.preventDefault();
    act(event);
  });

  // --- mouse and touch ---

  const pick = (x, y) => {
    const row = rows.find(one => y + seen >= one.y - 1 && y + seen < one.y + one.height + 1);
    const near = 4 * (view.to - view.from) / (width - gutter), time = timeAt(x);
    if (x < gutter)
      return NONE;
    for (const [lane, list] of marks)
      if (mainOf.has(lane) && Math.abs(mainOf.get(lane).y - seen - 6 - y) < 5)
        for (const e of list)
          if (Math.abs(begin[e] - time) <= near)
            return e;
    if (!row)
      return NONE;
    const i = after(row, time), distance = e =>
      time < begin[e] ? begin[e] - time : Math.max(0, time - begin[e] - lasts[e]);
    const best = [i - 1, i].filter(k => k >= 0 && k < row.events.length)
      .map(k => row.events[k]).sort((a, b) => distance(a) - distance(b))[0];
    return best !== undefined && distance(best) <= near ? best : NONE;
  };

  const pointers = new Map();
  let dragged = 0, ruled = null;
  const at = event => {
    const edge = canvas.getBoundingClientRect();
    return {x: event.clientX - edge.left, y: event.clientY - edge.top};
  };
  canvas.addEventListener("pointerdown", event => {
    const point = at(event);
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, point);
    dragged = pointers.size > 1 ? 99 : 0;
    ruled = point.y < RULER && pointers.size === 1 ? {from: timeAt(point.x), to: timeAt(point.x)}
                                                   : null;
  });
  const pinch = (before, id, now) => {
    const other = [...pointers].find(([key]) => key !== id)[1];
    const was = Math.abs(before.x - other.x), is = Math.abs(now.x - other.x);
    if (was > 8 && is > 8)
      zoom(was / is, timeAt((now.x + other.x) / 2));
  };
  canvas.addEventListener("pointermove", event => {
    const before = pointers.get(event.pointerId), now = at(event);
    if (!before)
      return;
    dragged += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    if (pointers.size > 1)
      pinch(before, event.pointerId, now);
    else if (ruled)
      ruled.to = timeAt(now.x);
    else if (dragged > 4) {
      move((before.x - now.x) / (width - gutter));
      if (event.pointerType === "mouse")
        box.scrollTop += before.y - now.y;
    }
    pointers.set(event.pointerId, now);
  });
  canvas.addEventListener("pointerup", event => {
    const point = at(event);
    pointers.delete(event.pointerId);
    if (ruled && dragged > 8)
      show(Math.min(ruled.from, ruled.to), Math.max(ruled.from, ruled.to));
    else if (dragged <= 4)
      choose(pick(point.x, point.y));
    ruled = null;
  });
  canvas.addEventListener("pointercancel", event => {
    pointers.delete(event.pointerId);
    ruled = null;
  });
  canvas.addEventListener("dblclick", event => zoom(1 / 3, timeAt(at(event).x)));
  canvas.addEventListener("wheel", event => {
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      zoom(Math.exp(clamp(event.deltaY, -60, 60) / 120), timeAt(at(event).x));
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      move((event.deltaX || event.deltaY) / (width - gutter));
    }
  }, {passive: false});
  box.addEventListener("scroll", redraw);

  // --- light, dark, paper ---

  const refresh = () => {
    readInks();
    box.style.height = `${Math.min(height + 2, isPrinted ? 4000 : innerHeight * .68)}px`;
    draw();
    makeOver();
    draw();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", refresh);
  new ResizeObserver(() => !isPrinted && refresh()).observe(document.body);
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    isPrinted = true;
    refresh();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    isPrinted = false;
    refresh();
  });
  refresh();
  tell();

  // For the console, and for tests.
  window.trace = {
    about, view, show, choose, count,
    chosen: () => chosen,
    event: e => ({phase: phaseOf(e), category: categoryOf(e), name: nameOf(e), lane: laneOf[e],
                  begin: begin[e], lasts: lasts[e], id: idOf[e],
                  values: Object.fromEntries(valuesOf(e))}),
    tracks: () => tracks.map(track => ({label: track.label, kind: track.kind,
                                        rows: track.rows.map(row => row.events.length)})),
    // Where a bar is drawn, within the canvas.
    spot: e => {
      const row = rowOf(e);
      return row && {x: xOf(begin[e] + lasts[e] / 2), y: row.y - seen + row.height / 2};
    },
  };
})();
