// The checks of `animus-routes check`, each result as it comes.

import { button, chip, duration, fold, h } from "./dom.js";
import { ask } from "./link.js";
import { state } from "./state.js";

const TONES = { PASS: "ok", FAIL: "bad", SKIP: "quiet" };

export function checkView(main, page) {
  const writes = h("input", { type: "checkbox" });
  const begin = h("button", { type: "submit", class: "primary" }, "Run the checks");
  const stop = button("Stop", () => page.run(() => ask("check/stop")));
  const bar = h("progress", { "aria-label": "Checks done", max: "1", value: "0" });
  const now = h("p", { class: "muted", role: "status" });
  const counts = h("p", { class: "chips" });
  const list = h("ol", { class: "checks", "aria-label": "Results" });
  const only = h("input", { type: "checkbox" });
  const shownIds = new Set();

  const add = (result) => {
    if (shownIds.has(result.id)) return;
    shownIds.add(result.id);
    list.append(line(result));
  };
  const tell = () => {
    const { state: how, number, count, id, problem, results } = state.check;
    const runs = how === "running";
    begin.disabled = runs;
    stop.hidden = !runs;
    bar.hidden = !runs;
    if (count) {
      bar.max = count;
      bar.value = number - 1;
    }
    const of = (verdict) => results.filter((result) => result.verdict === verdict).length;
    counts.replaceChildren(...Object.entries(TONES).filter(([verdict]) => of(verdict)).map(([verdict, tone]) => chip(`${of(verdict)} ${{ PASS: "passed", FAIL: "failed", SKIP: "skipped" }[verdict]}`, tone)));
    now.textContent = runs ? `${number || 0} of ${count || "?"}: ${id || "starting"}` : problem ? `They did not come to their end: ${problem}` : how === "done" ? (of("FAIL") ? "A host would stumble over what failed." : "It works with a host, as far as this was tried.") : "";
  };
  const again = () => {
    shownIds.clear();
    list.replaceChildren();
    state.check.results.forEach(add);
    tell();
  };
  only.addEventListener("change", () => list.classList.toggle("only-failed", only.checked));
  const run = (event) => {
    event.preventDefault();
    return page.run(() => ask("check", { allow_writes: writes.checked }));
  };
  main.append(
    h("h1", {}, "Check"),
    h("p", { class: "muted" }, "Starts the plugin anew, in empty folders, as hosts of every age do, and tries what they try. The plugin that this page talks to is not touched."),
    h("form", { class: "box wide", onsubmit: run },
      h("label", { class: "inline" }, writes, h("span", {}, "Try what acts on the system behind the plugin, too (", h("code", {}, "--allow-writes"), ")")),
      h("div", { class: "send" }, begin, stop, h("label", { class: "inline" }, only, " only what failed")),
      bar, now, counts),
    list,
  );
  again();
  page.listen("check", (event) => {
    if (event.results) again();
    if (event.result) add(event.result);
    tell();
  });
}

function line(result) {
  const more = [
    result.reason && h("p", { class: result.verdict === "FAIL" ? "problem" : "muted" }, result.reason),
    (result.warnings ?? []).map((text) => h("p", { class: "warning" }, chip("warning", "warn"), " ", text)),
    (result.wrote ?? []).map((text) => h("p", { class: "muted" }, `wrote: ${text}`)),
    result.verdict === "FAIL" && h("p", { class: "muted" }, `source: ${result.source}`),
  ];
  const frames = (result.frames ?? []).length > 0 && fold("Frames", h("pre", { class: "json", tabindex: "0" }, result.frames.join("\n")));
  return h("li", { "data-verdict": result.verdict },
    h("div", { class: "line" },
      chip(result.verdict.toLowerCase(), TONES[result.verdict]),
      h("span", { class: "what" }, h("code", {}, result.id), h("span", {}, result.title)),
      h("span", { class: "muted number" }, duration((result.seconds ?? 0) * 1000))),
    more, frames);
}
