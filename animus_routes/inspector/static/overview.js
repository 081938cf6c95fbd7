// What the plugin is: how it runs, how it feels, what its manifest says.

import { button, chip, clock, fold, h } from "./dom.js";
import { parse, shown, write } from "./json.js";
import { ask } from "./link.js";
import { callsOf, state } from "./state.js";

const HEALTH = "health/check";
const SUBJECT_KIND = "subject_kind:";
const TONES = { healthy: "ok", degraded: "warn", unhealthy: "bad" };
const WORDS = {
  starting: "It is being started.",
  running: "It runs.",
  failed: "Hosts refuse it.",
  ended: "It has ended by itself.",
  stopped: "It was stopped.",
};

export function overviewView(main, page) {
  const { manifest } = state;
  const health = h("section", { class: "box", "aria-label": "Health" });
  main.append(
    h("h1", {}, manifest?.name ?? state.target),
    h("p", { class: "lead" }, manifest?.description ?? ""),
    h("div", { class: "boxes" }, running(page), health),
    ...(manifest ? told(manifest) : []),
    documents(manifest),
  );
  showHealth(health, page);
  page.listen("call", ({ call }) => call.method === HEALTH && showHealth(health, page));
  page.listen("frame", (frame) => frame.method === HEALTH && showHealth(health, page));
}

function facts(pairs) {
  return h("dl", {}, pairs.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function running(page) {
  const { status, command, folder } = state;
  const isUp = status.state === "running";
  return h("section", { class: "box", "aria-label": "Process" },
    h("h2", {}, "Process"),
    h("p", {}, chip(status.state, { running: "ok", failed: "bad", ended: "bad" }[status.state] ?? "info"), " ", WORDS[status.state]),
    status.why && h("pre", { class: "problem", tabindex: "0" }, status.why),
    status.why && state.stderr.length > 0 && h("p", {}, h("a", { href: "#/stderr" }, "What it wrote to stderr")),
    facts([
      ["Command", h("code", {}, command.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word}'`)).join(" "))],
      ["Folder", h("code", {}, folder)],
      ["Process id", status.pid ? String(status.pid) : ""],
      ["Since", status.at ? clock(status.at).slice(0, 8) : ""],
      ["Starts", status.begun > 1 ? String(status.begun) : ""],
    ]),
    isUp && button("Stop", () => page.run(() => ask("stop"))),
  );
}

function showHealth(place, page) {
  const last = callsOf(HEALTH).at(-1);
  const frame = last?.answer ? state.frames.find((known) => known.seq === last.answer) : null;
  let found = null;
  try {
    found = frame ? parse(frame.text).result : null;
  } catch {
    found = null; // longer than what is shown of a frame: its own page shows it
  }
  const word = typeof found?.status === "string" ? found.status : (last?.state ?? "not asked yet");
  const had = place.contains(document.activeElement);
  const again = button("Ask again", () => page.run(() => ask("call", { method: HEALTH })));
  place.replaceChildren(
    h("h2", {}, "Health"),
    h("p", {}, chip(word, TONES[word] ?? (last?.state === "failed" ? "bad" : "info")), " ", found?.last_error ?? last?.message ?? ""),
    facts(Object.entries(found ?? {}).filter(([name]) => name !== "status" && name !== "last_error").map(([name, value]) => [name, h("code", {}, write(value))])),
    again,
  );
  if (had) again.focus();
}

function told(manifest) {
  const tokens = (manifest.capabilities ?? []).map(String);
  const kinds = tokens.filter((token) => token.startsWith(SUBJECT_KIND)).map((token) => token.slice(SUBJECT_KIND.length));
  const variables = manifest.env_required ?? [];
  return [
    h("section", { class: "box wide", "aria-label": "Manifest" },
      h("h2", {}, "Manifest"),
      facts([
        ["Version", String(manifest.version)],
        ["Protocol", String(manifest.protocol_version)],
        ["Kinds", [manifest.plugin_kind, ...(manifest.plugin_kinds ?? []).filter((kind) => kind !== manifest.plugin_kind)].map((kind) => chip(String(kind)))],
        ["Subject kinds", kinds.length ? kinds.map((kind) => chip(kind)) : ""],
        ["Methods", `${state.cards.length}`],
      ]),
      variables.length > 0 && variableTable(variables),
    ),
  ];
}

function variableTable(variables) {
  const row = (item) => h("tr", {},
    h("th", { scope: "row" }, h("code", {}, String(item.name))),
    h("td", {}, item.required ? chip("required", "warn") : "optional", item.sensitive ? [" ", chip("secret", "info")] : null),
    h("td", {}, item.description ?? ""));
  return h("div", { class: "scroll" },
    h("table", {},
      h("caption", {}, "Variables that it asks for"),
      h("thead", {}, h("tr", {}, ["Name", "Need", "What for"].map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, variables.map(row))));
}

function documents(manifest) {
  return h("div", { class: "schemas" },
    manifest && fold("The manifest as JSON", shown(JSON.stringify(manifest))),
    Object.keys(state.greeting ?? {}).length > 0 && fold("Its answer to initialize", shown(JSON.stringify(state.greeting))));
}
