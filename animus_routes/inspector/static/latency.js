// How long answers took, method by method: a dot for each call on one scale for all.

import { duration, h, svg } from "./dom.js";
import { state } from "./state.js";

const WIDTH = 560;
const HEIGHT = 38;
const EDGE = 10;
const DECADES = [0.01, 0.1, 1, 10, 100, 1000, 10000, 100000]; // ms
const ERRORS = new Set(["failed", "cancelled"]);

export function latencyView(main, page) {
  const place = h("div", { class: "scroll" });
  main.append(
    h("h1", {}, "Latency"),
    h("p", { class: "muted" }, "From the moment a request is written to the moment its answer is read. Each dot is a call of this page; the line is the median."),
    place,
  );
  let isDrawing = false;
  const draw = () => {
    isDrawing = false;
    place.replaceChildren(table());
  };
  draw();
  page.listen("call", () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(draw);
  });
}

/** The value below which a share of the sorted values is. */
function quantile(sorted, share) {
  return sorted[Math.min(Math.ceil(share * sorted.length), sorted.length) - 1] ?? sorted[0];
}

function measured() {
  const methods = new Map();
  for (const call of state.calls.values()) {
    if (call.ms === null) continue;
    if (!methods.has(call.method)) methods.set(call.method, []);
    methods.get(call.method).push(call);
  }
  return [...methods].sort(([one], [other]) => (one < other ? -1 : 1));
}

function table() {
  const methods = measured();
  if (!methods.length) return h("p", { class: "muted" }, "Nothing was measured yet: call a method.");
  const all = methods.flatMap(([, calls]) => calls.map((call) => Math.max(call.ms, DECADES[0])));
  const low = DECADES.findLast((value) => value <= Math.min(...all)) ?? DECADES[0];
  const high = DECADES.find((value) => value > Math.max(...all)) ?? DECADES.at(-1);
  const x = (ms) => EDGE + ((Math.log10(Math.max(ms, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))) * (WIDTH - 2 * EDGE);
  const ticks = DECADES.filter((value) => value >= low && value <= high);
  const heads = ["Calls", "Median", "95 %", "Slowest", "Errors"];
  return h("table", { class: "latency" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Method"), heads.map((name) => h("th", { scope: "col", class: "number" }, name)), h("th", { scope: "col" }, scale(ticks, x)))),
    h("tbody", {}, methods.map(([name, calls]) => line(name, calls, x, ticks))));
}

function line(name, calls, x, ticks) {
  const sorted = calls.map((call) => call.ms).sort((one, other) => one - other);
  const numbers = [String(calls.length), duration(quantile(sorted, 0.5)), duration(quantile(sorted, 0.95)), duration(sorted.at(-1))];
  const errors = calls.filter((call) => ERRORS.has(call.state)).length;
  return h("tr", {},
    h("th", { scope: "row" }, h("a", { class: "mono", href: `#/method/${encodeURIComponent(name)}` }, name)),
    numbers.map((text) => h("td", { class: "number" }, text)),
    h("td", { class: errors ? "number bad" : "number" }, String(errors)),
    h("td", {}, plot(name, calls, quantile(sorted, 0.5), x, ticks)));
}

function plot(name, calls, median, x, ticks) {
  const title = `${name}: ${calls.length} calls, median ${duration(median)}`;
  return svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title, class: "plot" },
    ticks.map((value) => svg("line", { class: "grid", x1: x(value), x2: x(value), y1: 0, y2: HEIGHT })),
    calls.map((call, index) => svg("circle", { class: ERRORS.has(call.state) ? "dot bad" : "dot", cx: x(call.ms).toFixed(1), cy: 8 + ((index * 7) % 19), r: 4 },
      svg("title", {}, `call ${call.number}: ${duration(call.ms)}`))),
    svg("line", { class: "median", x1: x(median), x2: x(median), y1: 2, y2: HEIGHT - 2 }));
}

function scale(ticks, x) {
  return svg("svg", { viewBox: `0 0 ${WIDTH} 20`, role: "img", "aria-label": `from ${duration(ticks[0])} to ${duration(ticks.at(-1))}, each line is ten times the one before`, class: "plot" },
    ticks.map((value, index) => svg("text", { x: x(value), y: 15, "text-anchor": index === 0 ? "start" : index === ticks.length - 1 ? "end" : "middle" }, value < 1 ? `${value} ms` : value < 1000 ? `${value} ms` : `${value / 1000} s`)));
}
