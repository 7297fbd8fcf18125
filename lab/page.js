// SPDX-License-Identifier: MIT
// The plots of a report. One a unit of each probe: figures over an axis become lines, others rows,
// each a dot with the bounds of its median. What is read out is what stands in the tables. On a page
// of advice the curves of the scalability law are drawn besides.
"use strict";
(() => {
  const read = id => {
    const at = document.getElementById(id);
    return at && JSON.parse(at.textContent);
  };
  const advice = read("advice");
  const reports = advice ? [advice.report] : [read("first"), read("second")].filter(Boolean);
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const dashes = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4], [12, 4], [6, 2, 1, 2]];
  const ROW = 36;
  const none = {median: null};
  const charts = [];

  // --- numbers on axes; the tables' are written by the program ---

  const step = (value, names, by) => {
    let i = 0;
    while (Math.abs(value) >= by && i + 1 < names.length) {
      value /= by;
      i++;
    }
    return +value.toPrecision(3) + " " + names[i];
  };
  const words = {
    "ns": v => step(v, ["ns", "µs", "ms", "s"], 1000),
    "bytes": v => step(v, ["B", "KiB", "MiB", "GiB"], 1024),
    "1/s": v => step(v, ["/s", "k/s", "M/s"], 1000),
    "x": v => v + " times",
    "%": v => v + "%",
    "switches": v => `${+v.toPrecision(3)}`, // what they are stands above the plot
  };
  const write = unit => words[unit] || (v => v.toLocaleString("en") + (unit ? " " + unit : ""));
  const captions = {
    "ns": "time, less is better", "bytes": "memory, less is better",
    "1/s": "in a second, more is better", "x": "how many times as fast as one worker",
    "%": "percent", "switches": "context switches, fewer are better", "": "how many",
  };

  // --- what is to be drawn ---

  const grouped = (list, key) => {
    const groups = new Map();
    for (const one of list)
      groups.set(key(one), [...(groups.get(key(one)) || []), one]);
    return groups;
  };

  // The figures of a probe in all reports, each with its row in the table if it has one.
  const figuresOf = probe => reports.flatMap((report, which) => {
    const own = report.probes.find(p => p.name === probe.name);
    return (own ? own.figures : []).map((f, i) => ({
      ...f, which, row: which === 0 ? document.getElementById(`${probe.name}-${i}`) : null,
      key: reports.length > 1 ? `${f.name} (${which ? "second" : "first"})` : f.name,
    }));
  });

  // Room at both ends of a scale.
  const widened = (low, high) => {
    const room = (high - low || 1) / 20;
    return [low - room, high + room];
  };

  const isWide = values => {
    const all = values.filter(v => v !== null);
    return Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 30;
  };

  const textOf = f => {
    const cell = f.row && f.row.querySelector("[data-median]");
    const other = cell ? cell.textContent : write(f.unit)(f.median);
    return `${other}${f.noisy ? ", noisy" : ""}`;
  };

  // --- drawing ---

  const whisker = (u, ctx, ax, ay, bx, by) => {
    const across = ax === bx, size = 4 * devicePixelRatio;
    ctx.beginPath();
    ctx.moveTo(ax, ay);
    ctx.lineTo(bx, by);
    for (const [x, y] of [[ax, ay], [bx, by]]) {
      ctx.moveTo(x - (across ? size : 0), y - (across ? 0 : size));
      ctx.lineTo(x + (across ? size : 0), y + (across ? 0 : size));
    }
    ctx.stroke();
  };

  const dot = (ctx, x, y, isHollow) => {
    ctx.beginPath();
    ctx.arc(x, y, 4.5 * devicePixelRatio, 0, 7);
    if (isHollow)
      ctx.stroke();
    else
      ctx.fill();
  };

  const common = (place, height) => ({
    width: place.clientWidth, height,
    legend: {show: false},
    cursor: {points: {show: false}, drag: {x: false, y: false}},
  });

  const axis = (more) => ({
    stroke: colour("--soft"),
    grid: {stroke: colour("--line"), width: 1},
    ticks: {stroke: colour("--line"), width: 1},
    font: "12px system-ui, sans-serif",
    ...more,
  });

  const valueScale = values => {
    const low = Math.min(...values), high = Math.max(...values);
    return isWide(values) ? {distr: 3, range: [low / 1.6, high * 1.6]}
                          : {range: [Math.min(0, low), high * 1.08 || 1]};
  };

  // Memory comes in powers of two.
  const steps = unit => unit === "bytes" ? {incrs: [...Array(44).keys()].map(i => 2 ** i)} : {};

  // On a wide scale powers of ten, as many as there is room for; between few of them 2 and 5 too.
  const powers = (low, high, room) => {
    const first = Math.ceil(Math.log10(low)), last = Math.floor(Math.log10(high));
    const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(1, room)));
    const found = [];
    for (let power = first - 1; power <= last; power += every)
      for (const times of last - first < 2 ? [1, 2, 5] : [1])
        found.push(times * 10 ** power);
    return found.filter(v => v >= low && v <= high);
  };

  const valueAxis = (values, unit, more, spaceOf) => axis({
    filter: (u, v) => v,
    values: (u, v) => v.map(write(unit)),
    ...(isWide(values)
      ? {splits: (u, i, low, high) => powers(low, high, spaceOf(u))}
      : steps(unit)),
    ...more,
  });

  const drawRow = (u, ctx, row, i) => {
    const y = u.valToPos(i, "x", true) + 8 * devicePixelRatio;
    ctx.fillStyle = colour("--fg");
    ctx.fillText(row.name, u.bbox.left + 2 * devicePixelRatio, y - 10 * devicePixelRatio);
    for (const f of row.figures) {
      ctx.strokeStyle = ctx.fillStyle = colour(f.which ? "--c1" : "--c0");
      whisker(u, ctx, u.valToPos(f.low, "y", true), y, u.valToPos(f.high, "y", true), y);
      dot(ctx, u.valToPos(f.median, "y", true), y, f.noisy);
    }
  };

  const rowsChart = (place, figures, unit) => {
    const rows = [...grouped(figures, f => f.name)].map(([name, list]) => ({name, figures: list}));
    const all = figures.flatMap(f => [f.low, f.median, f.high]);
    const low = Math.min(...all), high = Math.max(...all);
    const draw = u => {
      const ctx = u.ctx;
      ctx.save();
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "left";
      ctx.textBaseline = "bottom";
      rows.forEach((row, i) => drawRow(u, ctx, row, i));
      ctx.restore();
    };
    return {
      stops: rows.map((row, i) => ({
          x: i, figures: row.figures,
        words: `${row.name}: ${row.figures.map(textOf).join(", then ")}`,
      })),
      make: () => new uPlot({
        ...common(place, rows.length * ROW + 40),
        scales: {
          x: {time: false, ori: 1, dir: -1, range: [-0.6, rows.length - 0.4]},
          y: {ori: 0, ...valueScale(all)},
        },
        axes: [
          axis({show: false, side: 3}),
          valueAxis(all, unit, {scale: "y", side: 2, space: 70, size: 34}, u => u.width / 70),
        ],
        series: [{}, {paths: () => null, points: {show: false}},
                 {paths: () => null, points: {show: false}}],
        hooks: {draw: [draw]},
      }, [rows.map((_, i) => i), rows.map(() => low), rows.map(() => high)], place),
    };
  };

  // --- the scalability law ---

  const lawAt = (law, n) =>
    n * law.single / (1 + law.contention * (n - 1) + law.coherence * n * (n - 1));

  // A line without figures for each tier whose law fits what was measured of it (LAB_NOISY).
  const lawLines = (lines, unit) => (advice && unit === "1/s" ? advice.laws : []).flatMap(law => {
    const hue = lines.findIndex(line => line.key === law.tier);
    return hue < 0 || law.error > 0.15 ? [] : [{key: `${law.tier}, foretold`, figures: [], hue, law, dash: [2, 4]}];
  });

  // As many places as a curve needs, to twice as far as anything was measured.
  const LAW_STEPS = 64;
  const lawPlaces = places => {
    const low = places[0], ratio = 2 * places[places.length - 1] / low;
    return [...Array(LAW_STEPS + 1).keys()].map(i => low * ratio ** (i / LAW_STEPS));
  };

  const drawAdvised = (u, unit, name) => {
    if (!advice || !advice.known || name !== "workers" || unit !== "1/s")
      return;
    const x = u.valToPos(advice.workers, "x", true);
    u.ctx.strokeStyle = colour("--soft");
    u.ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    u.ctx.beginPath();
    u.ctx.moveTo(x, u.bbox.top);
    u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
    u.ctx.stroke();
  };

  // --- lines over an axis ---

  const drawLine = (u, ctx, line, number) => {
    if (!u.series[number + 1].show)
      return;
    ctx.strokeStyle = ctx.fillStyle = colour(`--c${line.hue % 8}`);
    ctx.setLineDash([]);
    for (const f of line.figures) {
      const x = u.valToPos(f.at, "x", true);
      whisker(u, ctx, x, u.valToPos(f.low, "y", true), x, u.valToPos(f.high, "y", true));
      dot(ctx, x, u.valToPos(f.median, "y", true), f.noisy);
    }
  };

  const linesChart = (place, figures, unit, name) => {
    const measured = [...grouped(figures, f => f.key)].map(
      ([key, list], hue) => ({key, figures: list, hue, dash: dashes[hue % 8]}));
    const laws = lawLines(measured, unit);
    const lines = [...measured, ...laws];
    const places = [...new Set(figures.map(f => f.at))].sort((a, b) => a - b);
    const along = [...new Set([...places, ...(laws.length ? lawPlaces(places) : [])])]
      .sort((a, b) => a - b);
    const found = (line, at) => line.figures.find(f => f.at === at);
    const valueOf = (line, x) => line.law ? lawAt(line.law, x) : (found(line, x) || none).median;
    const all = [...figures.flatMap(f => [f.low, f.median, f.high]),
                 ...laws.flatMap(line => along.map(x => lawAt(line.law, x)))];
    const far = places[0] > 0 && places[places.length - 1] / places[0] >= 8;
    const draw = u => {
      u.ctx.save();
      u.ctx.lineWidth = 1.5 * devicePixelRatio;
      drawAdvised(u, unit, name);
      lines.forEach((line, i) => drawLine(u, u.ctx, line, i));
      u.ctx.restore();
    };
    const at = name === "bytes" ? write("bytes") : v => v.toLocaleString("en");
    return {
      keys: lines,
      stopAt: i => places.reduce((best, x, k) =>
        Math.abs(x - along[i]) < Math.abs(places[best] - along[i]) ? k : best, 0),
      stops: places.map(x => {
        const here = lines.map(line => found(line, x)).filter(Boolean);
        return {x, figures: here,
                words: `${at(x)}${name === "bytes" ? "" : " " + name}: ` +
                  here.map(f => `${f.key} ${textOf(f)}`).join("; ")};
      }),
      make: () => new uPlot({
        ...common(place, 300),
        scales: {
          x: {time: false, ...(far
            ? {distr: 3, log: 2, range: (u, low, high) => [low / 1.3, high * 1.3]}
            : {range: (u, low, high) => widened(low, high)})},
          y: valueScale(all),
        },
        axes: [
          axis({splits: () => places, filter: (u, v) => v, values: (u, v) => v.map(at), space: 24,
                label: name, labelFont: "12px system-ui, sans-serif", labelSize: 20, size: 28}),
          valueAxis(all, unit, {size: 72}, u => u.height / 30),
        ],
        series: [{}, ...lines.map(line => ({
          label: line.key, stroke: colour(`--c${line.hue % 8}`), width: line.law ? 1 : 2,
          dash: line.dash,
          points: {show: false}, spanGaps: true,
        }))],
        hooks: {draw: [draw]},
      }, [along, ...lines.map(line => along.map(x => valueOf(line, x)))], place),
    };
  };

  // --- around a plot: keys, and what is said of the place that is pointed at ---

  const element = (name, attributes, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes))
      made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };

  const sample = (number, dash = dashes[number % 8]) => {
    const ns = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(ns, "svg"), line = document.createElementNS(ns, "line");
    for (const [key, value] of Object.entries({width: 26, height: 8, "aria-hidden": true}))
      svg.setAttribute(key, value);
    for (const [key, value] of Object.entries({
      x1: 0, x2: 26, y1: 4, y2: 4, stroke: `var(--c${number % 8})`, "stroke-width": 3,
      "stroke-dasharray": dash.join(" ") || "none",
    }))
      line.setAttribute(key, value);
    svg.append(line);
    return svg;
  };

  const addKeys = (figure, chart) => {
    const keys = element("div", {class: "keys", role: "group", "aria-label": "Lines shown"});
    chart.keys.forEach((line, i) => {
      const button = element("button", {type: "button", "aria-pressed": "true"},
                             sample(line.hue, line.dash), line.key);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") !== "true";
        button.setAttribute("aria-pressed", shown);
        chart.plot.setSeries(i + 1, {show: shown});
      });
      keys.append(button);
    });
    figure.append(keys);
  };

  const point = (chart, i) => {
    document.querySelectorAll("tr.at").forEach(row => row.classList.remove("at"));
    chart.at = i;
    const stop = chart.stops[i];
    chart.said.textContent = stop ? stop.words : "";
    for (const f of stop ? stop.figures : [])
      if (f.row)
        f.row.classList.add("at");
  };

  const steer = (chart, event) => {
    const last = chart.stops.length - 1, now = chart.at === undefined ? -1 : chart.at;
    const to = {ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1,
                Home: 0, End: last}[event.key];
    if (to === undefined)
      return;
    event.preventDefault();
    const i = Math.max(0, Math.min(last, to));
    const along = chart.plot.valToPos(chart.stops[i].x, "x");
    chart.plot.setCursor(chart.isRows ? {left: 5, top: along} : {left: along, top: 5});
    point(chart, i);
  };

  const follow = chart => {
    chart.plot.over.addEventListener("pointermove", () => {
      const at = chart.plot.cursor.idx;
      if (at === null || at === undefined)
        return;
      const i = chart.stopAt ? chart.stopAt(at) : at;
      if (i !== chart.at)
        point(chart, i);
    });
  };

  const draw = chart => {
    const hidden = chart.plot ? chart.plot.series.map(s => s.show === false) : [];
    if (chart.plot)
      chart.plot.destroy();
    chart.plot = chart.make();
    hidden.forEach((is, i) => i > 0 && is && chart.plot.setSeries(i, {show: false}));
    follow(chart);
  };

  const addChart = (plots, probe, unit, figures) => {
    const place = element("div", {
      class: "canvas", tabindex: 0, role: "img",
      "aria-label": `${probe.title} (${captions[unit] || unit}). Arrow keys read the figures out.`,
    });
    const said = element("p", {class: "said", "aria-live": "polite"});
    const figure = element("figure", {class: "plot", "data-probe": probe.name, "data-unit": unit},
                           element("figcaption", {}, captions[unit] || unit), place);
    plots.append(figure);
    const chart = probe.axis ? linesChart(place, figures, unit, probe.axis)
                             : rowsChart(place, figures, unit);
    Object.assign(chart, {place, said, isRows: !probe.axis});
    if (chart.keys && chart.keys.length > 1)
      addKeys(figure, chart);
    else if (!probe.axis && reports.length > 1)
      figure.append(element("div", {class: "keys"}, sample(0), "first", sample(1), "second"));
    figure.append(said);
    draw(chart);
    figure.dataset.drawn = figures.length;
    place.addEventListener("keydown", event => steer(chart, event));
    const resize = () => chart.plot.setSize({width: place.clientWidth, height: chart.plot.height});
    new ResizeObserver(resize).observe(place);
    charts.push(chart);
  };

  for (const probe of reports[0].probes) {
    const plots = document.querySelector(`#${CSS.escape(probe.name)} .plots`);
    if (plots)
      for (const [unit, figures] of grouped(figuresOf(probe), f => f.unit))
        addChart(plots, probe, unit, figures);
  }

  // --- light, dark, paper ---

  const redraw = () => charts.forEach(draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "";
    document.querySelectorAll("details").forEach(d => { d.open = true; });
    charts.forEach(chart => { chart.place.style.width = "640px"; });
    redraw();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    charts.forEach(chart => { chart.place.style.width = ""; });
    redraw();
  });
})();
