// The frame around the views: which one is shown, the header, the list of methods.

import { checkView } from "./check.js";
import { $, announce, chip, duration, h } from "./dom.js";
import { latencyView } from "./latency.js";
import { ask, listen } from "./link.js";
import { methodView } from "./method.js";
import { overviewView } from "./overview.js";
import { on, state, take, takeSnapshot } from "./state.js";
import { stderrView } from "./stderr.js";
import { wireView } from "./wire.js";

const VIEWS = {
  overview: ["Overview", overviewView],
  wire: ["Wire", wireView],
  stderr: ["Stderr", stderrView],
  latency: ["Latency", latencyView],
  check: ["Check", checkView],
};
const METHOD = "#/method/";
const NOTICE_MS = 8000;

let leave = () => {};
let noticeTimer = 0;

/** What a view does now and undoes when it is left: `view(main, {listen, run})`. */
function show({ focus = false } = {}) {
  leave();
  const ends = [];
  leave = () => ends.forEach((end) => end());
  const main = $("main");
  main.replaceChildren();
  const page = { listen: (kind, act) => ends.push(on(kind, act)), run };
  const hash = location.hash || "#/overview";
  if (hash.startsWith(METHOD)) {
    const name = decodeURIComponent(hash.slice(METHOD.length));
    methodView(main, page, name);
    document.title = `${name} – ${state.target}`;
  } else {
    const [title, view] = VIEWS[hash.slice(2)] ?? VIEWS.overview;
    view(main, page);
    document.title = `${title} – ${state.target}`;
  }
  links();
  open(false);
  if (focus) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

/** Do something that may fail, and say so. */
async function run(work) {
  try {
    return await work();
  } catch (error) {
    notice(error.message);
    return undefined;
  }
}

function notice(text, { stays = false } = {}) {
  clearTimeout(noticeTimer);
  $("notice").textContent = text;
  $("notice").hidden = !text;
  if (text && !stays) noticeTimer = setTimeout(() => notice(""), NOTICE_MS);
}

function link(hash, text, ...more) {
  const isHere = (location.hash || "#/overview") === hash;
  return h("li", {}, h("a", { href: hash, "aria-current": isHere ? "page" : null }, h("span", { class: "label" }, text), ...more));
}

function links() {
  const failed = state.check.results.filter((result) => result.verdict === "FAIL").length;
  const more = { check: failed ? [chip(`${failed} failed`, "bad")] : [] };
  $("views").replaceChildren(
    ...Object.entries(VIEWS).map(([name, [title]]) => link(`#/${name}`, title, ...(more[name] ?? []))),
  );
  const word = $("filter").value.trim().toLowerCase();
  const groups = new Map();
  for (const { name, kind } of state.cards) {
    if (!name.toLowerCase().includes(word)) continue;
    if (!groups.has(kind)) groups.set(kind, []);
    groups.get(kind).push(link(METHOD + encodeURIComponent(name), name));
  }
  const lists = [...groups].map(([kind, items]) =>
    h("section", { "aria-label": kind || "every plugin" }, h("h2", {}, kind || "every plugin"), h("ul", { class: "links mono" }, items)),
  );
  const none = h("p", { class: "muted" }, state.cards.length ? "No method has that in its name." : "No methods yet.");
  $("methods").replaceChildren(...(lists.length ? lists : [none]));
}

function header() {
  const { status, manifest } = state;
  $("name").textContent = manifest?.name ?? state.target;
  $("about").textContent = manifest ? `${manifest.version} · ${manifest.plugin_kind}` : "";
  const pill = $("status");
  pill.dataset.state = status.state;
  pill.textContent = status.state;
  pill.title = status.pid ? `process ${status.pid}` : "";
  $("watch").checked = state.watch;
  const record = $("record");
  record.setAttribute("aria-pressed", String(state.record.on));
  record.textContent = state.record.on ? "Stop recording" : "Record";
}

function open(isOpen) {
  $("menu").setAttribute("aria-expanded", String(isOpen));
  document.body.classList.toggle("menu-open", isOpen);
}

function ended(call) {
  if (call.state === "waiting") return;
  const words = { answered: "answered", streaming: "streams", failed: `failed: ${call.message}`, late: "is late", cancelled: "was cancelled", lost: "was lost" };
  announce(`${call.method} ${words[call.state]} ${call.ms === null ? "" : `after ${duration(call.ms)}`}`);
}

function wire() {
  $("restart").addEventListener("click", () => run(() => ask("restart")));
  $("watch").addEventListener("change", (event) => run(() => ask("watch", { on: event.target.checked })));
  $("record").addEventListener("click", () => run(() => ask("record", { on: !state.record.on })));
  $("filter").addEventListener("input", links);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
  });
  $("menu").addEventListener("click", () => open($("menu").getAttribute("aria-expanded") !== "true"));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("menu-open")) {
      open(false);
      $("menu").focus();
    }
  });
  window.addEventListener("hashchange", () => location.hash.startsWith("#/") && show({ focus: true }));
  on("snapshot", () => {
    notice("");
    header();
    show();
  });
  on("status", ({ cards }) => {
    header();
    if (!cards) return;
    links();
    // A form that somebody fills in stays, unless the method is another one now.
    if (!location.hash.startsWith(METHOD)) show();
  });
  on("watch", header);
  on("record", ({ record }) => {
    header();
    notice(record.on ? `Recording into ${record.file}` : `Recorded: ${record.file}`);
  });
  on("note", ({ text }) => notice(text));
  on("call", ({ call }) => ended(call));
  on("check", ({ result }) => result?.verdict === "FAIL" && links());
  listen({
    snapshot: takeSnapshot,
    event: take,
    lost: () => notice("The connection to animus-routes is lost: is it still running?", { stays: true }),
  });
}

wire();
