// Elements are made here, and nowhere from text: what a plugin says is never markup.

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element: `h("p", {class: "muted", onclick: f}, "text", otherNode)`. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An SVG element. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

export const $ = (id) => document.getElementById(id);

let last = 0;

/** An id that no other element has. */
export const freshId = () => `x${(last += 1)}`;

/** Say something to people who do not see the page. */
export function announce(text) {
  $("live").textContent = text;
}

export const chip = (text, tone) => h("span", { class: "chip", "data-tone": tone }, text);

/** A button that does one thing, and says why if it could not. */
export function button(text, act, attributes) {
  return h("button", { type: "button", ...attributes, onclick: act }, text);
}

/** What opens below its heading. */
export function fold(title, ...content) {
  return h("details", { class: "fold" }, h("summary", {}, title), ...content);
}

/** Prose, in which what stands between backticks is code. */
export function prose(text) {
  const paragraphs = text.split(/\n\s*\n/).map((paragraph) => paragraph.replace(/\s*\n\s*(?!- )/g, " "));
  return paragraphs.join("\n\n").split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

const pad = (number, width) => String(number).padStart(width, "0");

/** 21:04:05.123 of seconds since 1970. */
export function clock(seconds) {
  const date = new Date(seconds * 1000);
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2));
  return `${parts.join(":")}.${pad(date.getMilliseconds(), 3)}`;
}

/** 4.2 ms, or 1.3 s. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms < 10000 ? 2 : 1)} s`;
  return `${ms.toFixed(ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
}

/** 12 B, 3.4 KiB, 5.6 MiB. */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  const kib = size / 1024;
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`;
}
