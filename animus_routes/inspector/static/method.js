// One method: its params as a form or as JSON, and what came of its calls.

import { callCard } from "./calls.js";
import { announce, button, chip, fold, freshId, h, prose } from "./dom.js";
import { Unfinished, Unfit, paramsForm } from "./form.js";
import { NotJSON, parse, pretty, shown } from "./json.js";
import { ask } from "./link.js";
import { forget, recall, remember } from "./memory.js";
import { callsOf, card, state } from "./state.js";

const SHOWN_CALLS = 20;
const TIMEOUT_S = 30;

export function methodView(main, page, name) {
  const own = card(name);
  if (!own) {
    main.append(h("h1", { class: "mono" }, name), h("p", { class: "muted" }, state.cards.length ? "The plugin does not serve this method." : "The plugin has not said yet what it serves."));
    return;
  }
  const results = h("section", { class: "results", "aria-label": "Calls" });
  const send = sender(own, page);
  main.append(
    h("div", { class: "method" },
      h("section", { class: "ask", "aria-label": "Request" }, heading(own), send.node),
      results,
    ),
  );
  calls(results, page, own, send.fill);
}

function heading(own) {
  const marks = [
    own.kind && chip(own.kind),
    own.reads === true && chip("reads", "ok"),
    own.reads === false && chip("acts", "warn"),
    own.stream.length > 0 && chip("streams", "info"),
    own.one_way && chip("notification", "info"),
  ];
  const words = own.summary.split("\n\n").filter(Boolean);
  return [
    h("h1", { class: "mono" }, own.name),
    h("p", { class: "chips" }, marks),
    words.map((text) => h("p", {}, prose(text))),
    own.notes.length > 0 && h("p", { class: "muted" }, prose(own.notes.join(" "))),
  ];
}

/** The part of a method's page that sends. */
function sender(own, page) {
  const schema = own.params;
  const form = schema ? formOf(own) : null;
  const area = h("textarea", { class: "mono json-text", rows: 8, spellcheck: "false", "aria-label": "Params as JSON" });
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const views = form ? ["form", "json"] : ["json"];
  const panels = {
    form: form && h("div", { class: "panel" }, form.node, emptyForm(schema)),
    json: h("div", { class: "panel" }, area),
  };
  let tab = views[0];

  const say = (text) => {
    problem.textContent = text;
    problem.hidden = !text;
  };
  const text = () => {
    if (tab === "form") return form.read();
    const given = area.value.trim();
    if (given) parse(given);
    return given || null;
  };
  const refused = (error) => {
    if (!(error instanceof Unfinished || error instanceof Unfit || error instanceof NotJSON)) throw error;
    say(error.message);
    error.input?.focus();
  };
  const show = (next) => {
    tab = next;
    tabs.show(next);
    for (const view of views) panels[view].hidden = view !== next;
  };
  /** Show the same params in the other form. */
  const turn = (next) => {
    if (next === tab) return;
    say("");
    try {
      if (next === "json") area.value = pretty(form.read());
      else if (area.value.trim()) form.fill(parse(area.value));
      show(next);
    } catch (error) {
      if (next === "json" && error instanceof Unfinished) show(next); // finish it there
      else refused(error);
    }
    keep();
  };
  const keep = () => {
    try {
      remember(own.name, { tab, text: tab === "form" ? form.read() : area.value });
    } catch (error) {
      if (!(error instanceof Unfinished)) throw error; // half a number is not worth keeping
    }
  };
  const fill = (given) => {
    say("");
    area.value = given ? pretty(given) : "";
    if (tab !== "form") return;
    try {
      form.fill(given ? parse(given) : {});
    } catch (error) {
      if (!(error instanceof Unfit || error instanceof NotJSON)) throw error;
      show("json");
    }
  };
  const tabs = tabList(views, turn);
  const seconds = h("input", { type: "number", min: "0.1", max: "3600", step: "any", value: TIMEOUT_S, class: "seconds", id: freshId() });
  const call = async (event) => {
    event?.preventDefault();
    say("");
    let params = null;
    try {
      params = text();
    } catch (error) {
      refused(error);
      return;
    }
    await page.run(() => ask("call", { method: own.name, params, timeout_s: Number(seconds.value) || TIMEOUT_S, one_way: own.one_way && oneWay.checked }));
  };
  const oneWay = h("input", { type: "checkbox", checked: own.one_way });
  const node = h("form", { onsubmit: call, novalidate: true },
    tabs.node,
    views.map((view) => panels[view]),
    problem,
    h("div", { class: "send" },
      h("button", { type: "submit", class: "primary" }, "Call"),
      button("Clear", () => { fill(""); forget(own.name); }, { class: "quiet" }),
      h("label", { class: "inline" }, "Wait ", seconds, " s"),
      own.one_way && h("label", { class: "inline" }, oneWay, " as a notification"),
      h("kbd", { title: "calls from anywhere in the form" }, "Ctrl + Enter"),
    ),
  );
  node.addEventListener("input", keep);
  node.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && call(event));
  const kept = recall(own.name);
  show(views.includes(kept?.tab) ? kept.tab : views[0]);
  if (kept) {
    fill(tab === "json" ? "" : kept.text);
    if (tab === "json") area.value = kept.text;
  }
  return { node: [node, schemas(own)], fill: (given) => { fill(given); keep(); announce("The params are filled in."); } };
}

/** The form; none for a schema that is none, whoever wrote it. */
function formOf(own) {
  try {
    return paramsForm(own.params, own.defs);
  } catch {
    return null;
  }
}

const emptyForm = (schema) => {
  const isEmpty = !Object.keys(schema.properties ?? {}).length && !schema.additionalProperties && !schema.anyOf && !schema.oneOf;
  return isEmpty && h("p", { class: "muted" }, "It takes no params.");
};

const LABELS = { form: "Form", json: "JSON" };

function tabList(views, turn) {
  const tabs = new Map(views.map((view) => [view, h("button", { type: "button", role: "tab", onclick: () => turn(view) }, LABELS[view])]));
  const node = h("div", { class: "tabs", role: "tablist", "aria-label": "Params" }, [...tabs.values()]);
  node.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...tabs.values()];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
  });
  return {
    node,
    show: (chosen) => {
      for (const [view, tab] of tabs) {
        tab.setAttribute("aria-selected", String(view === chosen));
        tab.tabIndex = view === chosen ? 0 : -1;
      }
    },
  };
}

function schemas(own) {
  const used = (schema) => schema && fold(schema === own.params ? "Schema of the params" : "Schema of the result", shown(JSON.stringify(schema)));
  const defs = Object.keys(own.defs).length > 0 && fold("Their definitions", shown(JSON.stringify(own.defs)));
  return h("div", { class: "schemas" }, used(own.params), used(own.result), defs);
}

/** The calls of a method, newest first, each kept up to date. */
function calls(place, page, own, fill) {
  const cards = new Map();
  let isShown = false; // what was called before is there already
  const none = h("p", { class: "empty muted" }, "No calls yet. What comes back is shown here.");
  place.append(none);
  const take = (call) => {
    if (call.method !== own.name) return;
    none.remove();
    let known = cards.get(call.number);
    if (!known) {
      known = callCard(page, call, fill);
      cards.set(call.number, known);
      place.prepend(known.node);
      if (isShown) place.scrollIntoView({ block: "nearest" });
      if (cards.size > SHOWN_CALLS) {
        const [oldest] = cards.keys();
        cards.get(oldest).node.remove();
        cards.delete(oldest);
      }
    }
    known.update(call);
  };
  callsOf(own.name).slice(-SHOWN_CALLS).forEach(take);
  isShown = true;
  page.listen("call", ({ call }) => take(call));
  page.listen("frame", (frame) => frame.what === "notification" && cards.get(frame.call)?.item(frame));
  page.listen("stderr", (entry) => cards.forEach((known) => known.stderr(entry)));
}
