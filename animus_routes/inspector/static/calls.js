// One call: how it is, what came back, its items as they come, what stderr said meanwhile.

import { button, bytes, chip, clock, duration, fold, h } from "./dom.js";
import { NotJSON, parse, pretty, shown, write } from "./json.js";
import { ask, frameText, saveAddress } from "./link.js";
import { state } from "./state.js";

const CUT_BYTES = 64 * 1024;
const LONGEST_BYTES = 2 * 1024 * 1024; // a browser takes seconds to lay out more
const CUT_PARAMS = 4000; // characters: what is as long has been cut
const SHOWN_ITEMS = 200;
const OPEN = new Set(["waiting", "late", "streaming"]);
const TONES = { answered: "ok", streaming: "info", waiting: "info", failed: "bad", late: "warn", lost: "bad", cancelled: "warn" };
const STDERR_AFTER_S = 0.5; // what it says of a call may come a little after the answer

/** A card of a call, which is told what is new: `{node, update, item, stderr}`. */
export function callCard(page, first, fill) {
  const top = h("header", {});
  const answer = h("div", { class: "answer" });
  const list = h("ol", { class: "items" });
  const itemsTitle = h("h3", { class: "count" });
  const items = h("section", { hidden: true, "aria-label": "Items" }, itemsTitle, list);
  const said = h("pre", { class: "stderr", tabindex: "0" });
  const stderr = h("section", { hidden: true, "aria-label": "stderr during this call" }, h("h3", {}, "stderr meanwhile"), said);
  const node = h("article", { class: "call", "aria-label": `Call ${first.number}` }, top, answer, items, stderr);
  let call = first;
  let shownAnswer = 0;
  let shownState = "";

  const buttons = () => [
    OPEN.has(call.state) && button(call.state === "streaming" ? "Stop" : "Cancel", () => page.run(() => ask("cancel", { call: call.number })), { class: "cancel" }),
    fill && call.params.length < CUT_PARAMS && button("Use these params", () => fill(call.params), { class: "quiet" }),
  ];
  const update = (now) => {
    call = now;
    if (shownState !== call.state) {
      const hadFocus = top.contains(document.activeElement);
      top.replaceChildren(
        chip(call.state, TONES[call.state]),
        h("strong", {}, duration(call.ms)),
        h("span", { class: "muted" }, `${clock(call.at)} · id ${call.id}`),
        h("span", { class: "grow" }),
        ...buttons().filter(Boolean),
      );
      if (hadFocus) top.querySelector("button")?.focus();
      shownState = call.state;
      state.stderr.forEach(takeStderr);
    }
    if (call.state === "late") answer.replaceChildren(h("p", { class: "problem" }, `Nothing came within ${call.timeout_s} s. An answer is still taken.`));
    if (call.state === "lost") answer.replaceChildren(h("p", { class: "problem" }, call.message));
    if (call.state === "waiting") answer.replaceChildren(h("p", { class: "muted waiting" }, "Waiting for the answer"));
    if (call.answer && call.answer !== shownAnswer) {
      shownAnswer = call.answer;
      showAnswer(page, answer, call);
    }
  };
  let count = state.itemsLost.get(first.number) ?? 0;
  const item = (frame) => {
    items.hidden = false;
    count += 1;
    list.append(h("li", {}, h("span", { class: "muted" }, clock(frame.at)), " ", h("code", {}, frame.method), itemText(frame)));
    while (list.childElementCount > SHOWN_ITEMS) list.firstElementChild.remove();
    itemsTitle.textContent = count > SHOWN_ITEMS ? `${count} items, the last ${SHOWN_ITEMS} of them` : `${count} item${count === 1 ? "" : "s"}`;
  };
  const seen = new Set();
  const takeStderr = (entry) => {
    const until = call.ms === null || call.state === "streaming" ? Infinity : call.at + call.ms / 1000 + STDERR_AFTER_S;
    if (entry.at < call.at || entry.at > until || seen.has(entry.seq)) return;
    seen.add(entry.seq);
    said.append(`${entry.text}\n`);
    stderr.hidden = false;
  };
  (state.items.get(first.number) ?? []).forEach(item);
  return { node, update, item, stderr: takeStderr };
}

function itemText(frame) {
  const text = paramsOf(frame.text);
  const whole = frame.size <= frame.text.length * 4 && text !== null;
  return shown(whole ? text : frame.text, { class: "json item" });
}

function paramsOf(text) {
  try {
    const { params } = parse(text);
    return params === undefined ? "" : write(params);
  } catch (error) {
    if (error instanceof NotJSON) return null;
    throw error;
  }
}

/** The result or error of an answer, cut if it is big, with ways to the whole of it. */
async function showAnswer(page, place, call) {
  const number = call.answer;
  const known = state.frames.find((frame) => frame.seq === number);
  const isWhole = known && known.size === new TextEncoder().encode(known.text).length;
  const found = isWhole ? known : await page.run(() => frameText(number, CUT_BYTES));
  if (call.answer !== number) return;
  if (found === undefined) {
    place.replaceChildren(h("p", { class: "muted" }, "This frame is no longer kept."));
    return;
  }
  const { text, size } = found;
  if (size <= CUT_BYTES) {
    place.replaceChildren(...outcome(text, call));
    return;
  }
  const isLong = size > LONGEST_BYTES;
  const whole = button(isLong ? `Show ${bytes(LONGEST_BYTES)} of it` : "Show all of it", async () => {
    const more = await page.run(() => frameText(number, LONGEST_BYTES));
    if (more === undefined) return;
    const parts = isLong ? [h("pre", { class: "json", tabindex: "0" }, more.text)] : outcome(more.text, call);
    place.replaceChildren(...parts, save(number));
  });
  place.replaceChildren(
    h("p", { class: "cut" }, `${bytes(CUT_BYTES)} of ${bytes(size)} are shown. `, whole, " ", save(number)),
    h("pre", { class: "json cut-text", tabindex: "0" }, text),
  );
}

const save = (number) => h("a", { href: saveAddress(number), download: "frame.json", class: "button" }, "Save the frame");

function outcome(text, call) {
  let frame = null;
  try {
    frame = parse(text);
  } catch (error) {
    if (!(error instanceof NotJSON)) throw error;
    return [h("pre", { class: "json", tabindex: "0" }, text)];
  }
  if (frame.error === undefined || frame.error === null) {
    return [shown(write(frame.result ?? null)), copyButton(() => pretty(write(frame.result ?? null)))];
  }
  return [
    h("p", { class: "problem" }, h("code", {}, `error ${call.code ?? ""}`), " ", call.message),
    frame.error?.data !== undefined && fold("Its data", shown(write(frame.error.data))),
  ].filter(Boolean);
}

function copyButton(text) {
  const made = button("Copy", async () => {
    await navigator.clipboard.writeText(text());
    made.textContent = "Copied";
  }, { class: "quiet copy" });
  return made;
}
