// Every frame with its time and direction, and raw ones to send.

import { button, bytes, chip, clock, freshId, h } from "./dom.js";
import { shown } from "./json.js";
import { ask, frameText, saveAddress } from "./link.js";
import { state } from "./state.js";

const ROWS = 500;
const PREVIEW = 240;
const OPEN_BYTES = 1024 * 1024; // a browser takes seconds to lay out more
const ARROWS = { in: ["→", "to the plugin"], out: ["←", "from the plugin"] };
const TONES = { error: "bad", stray: "bad", notification: "info", raw: "warn" };

export function wireView(main, page) {
  const word = h("input", { type: "search", placeholder: "Filter", "aria-label": "Show only frames with this text", autocomplete: "off", spellcheck: "false" });
  const pause = button("Pause", () => setPaused(!isPaused), { "aria-pressed": "false" });
  const list = h("ol", { class: "frames", tabindex: "0", "aria-label": "Frames" });
  const count = h("p", { class: "muted", role: "status" });
  let isPaused = false;
  let waiting = [];
  let isDrawing = false;

  const fits = (frame) => !word.value || frame.text.toLowerCase().includes(word.value.toLowerCase());
  const tellCount = () => {
    const shownCount = list.childElementCount;
    const lost = state.lost ? `${state.lost} events came too fast to be shown.` : "";
    count.textContent = shownCount ? lost : word.value ? "No frame has that text." : "No frames yet.";
  };
  const draw = () => {
    isDrawing = false;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.slice(-ROWS).map(row(page)));
    waiting = [];
    while (list.childElementCount > ROWS) list.firstElementChild.remove();
    if (isAtEnd) list.scrollTop = list.scrollHeight;
    tellCount();
  };
  const later = () => {
    if (isDrawing || isPaused) return;
    isDrawing = true;
    requestAnimationFrame(draw);
  };
  const again = () => {
    list.replaceChildren();
    waiting = state.frames.filter(fits);
    draw();
    list.scrollTop = list.scrollHeight;
  };
  const setPaused = (to) => {
    isPaused = to;
    pause.setAttribute("aria-pressed", String(to));
    pause.textContent = to ? "Go on" : "Pause";
    later();
  };
  word.addEventListener("input", again);
  main.append(
    h("h1", {}, "Wire"),
    h("p", { class: "muted" }, "Every line between host and plugin, as it was written. Open one to see the whole of it."),
    rawForm(page),
    h("div", { class: "bar" }, word, pause, button("Clear", () => { state.frames.length = 0; again(); }, { class: "quiet" })),
    count,
    list,
  );
  again();
  page.listen("frame", (frame) => {
    if (!fits(frame)) return;
    waiting.push(frame);
    if (waiting.length > ROWS) waiting.shift();
    later();
  });
}

const row = (page) => (frame) => {
  const [arrow, words] = ARROWS[frame.dir];
  const id = freshId();
  const whole = h("div", { class: "whole", id, hidden: true });
  const head = h("button", { type: "button", class: "frame", "aria-expanded": "false", "aria-controls": id },
    h("span", { class: "time" }, clock(frame.at)),
    h("span", { class: "arrow", "data-dir": frame.dir, title: words }, arrow, h("span", { class: "unseen" }, words)),
    chip(frame.what, TONES[frame.what]),
    h("span", { class: "method" }, [frame.method, frame.id && `#${frame.id}`].filter(Boolean).join(" ")),
    h("span", { class: "size" }, bytes(frame.size)),
    h("span", { class: "preview" }, frame.text.slice(0, PREVIEW)));
  head.addEventListener("click", async () => {
    whole.hidden = !whole.hidden;
    head.setAttribute("aria-expanded", String(!whole.hidden));
    if (!whole.hidden && !whole.childElementCount) await fill(page, frame, whole);
  });
  return h("li", { "data-dir": frame.dir, "data-what": frame.what }, head, whole);
};

async function fill(page, frame, place) {
  const found = await page.run(() => frameText(frame.seq, OPEN_BYTES));
  if (found === undefined) {
    place.append(h("p", { class: "muted" }, "This frame is no longer kept."));
    return;
  }
  const isCut = frame.size > OPEN_BYTES;
  place.append(
    h("p", { class: "bar" },
      isCut && h("span", {}, `${bytes(OPEN_BYTES)} of ${bytes(frame.size)} are shown.`),
      button("Send it again", () => page.run(() => frameText(frame.seq).then(({ text }) => ask("raw", { text: text.replace(/\n$/, ""), newline: frame.what !== "raw" || text.endsWith("\n") }))), { class: "quiet", hidden: frame.dir !== "in" }),
      h("a", { class: "button quiet", href: saveAddress(frame.seq), download: "frame.json" }, "Save")),
    isCut ? h("pre", { class: "json", tabindex: "0" }, found.text) : shown(found.text),
  );
}

const EXAMPLE = '{"jsonrpc":"2.0","id":"a","method":"$/ping"}';

function rawForm(page) {
  const area = h("textarea", { class: "mono", rows: 2, spellcheck: "false", id: freshId(), placeholder: EXAMPLE });
  const newline = h("input", { type: "checkbox", checked: true });
  const send = (event) => {
    event?.preventDefault();
    return page.run(() => ask("raw", { text: area.value, newline: newline.checked }));
  };
  area.addEventListener("keydown", (event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && send(event));
  return h("form", { class: "raw box wide", onsubmit: send },
    h("label", { for: area.id, class: "title" }, "Send a raw frame, exactly as it is typed"),
    area,
    h("div", { class: "send" },
      h("button", { type: "submit", class: "primary" }, "Send"),
      h("label", { class: "inline" }, newline, " end it with a newline"),
      h("kbd", {}, "Ctrl + Enter")));
}
