// JSON as it was written: numbers keep every digit, which JavaScript's own numbers do not.

import { h } from "./dom.js";

const TOKEN = /[ \t\n\r]+|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|[{}[\],:]/y;
const DEEPEST = 500;
const COLOURED = 200_000; // characters; more is shown in one colour

/** A number, by its text. */
export class Num {
  constructor(text) {
    this.text = text;
  }
}

export class NotJSON extends Error {}

function tokens(text) {
  const found = [];
  let at = 0;
  while (at < text.length) {
    let end = at;
    if (text[at] === '"') end = stringEnd(text, at);
    else {
      TOKEN.lastIndex = at;
      if (TOKEN.test(text)) end = TOKEN.lastIndex;
    }
    if (end === at) throw new NotJSON(place(text, at));
    const token = text.slice(at, end);
    if (!" \t\n\r".includes(token[0])) found.push({ text: token, at });
    at = end;
  }
  return found;
}

/** Where a string ends; where it begins, if it is none. A string may have megabytes: no pattern for it. */
function stringEnd(text, at) {
  let end = at;
  do {
    end = text.indexOf('"', end + 1);
    if (end < 0) return at;
  } while (isEscaped(text, end));
  try {
    JSON.parse(text.slice(at, end + 1));
    return end + 1;
  } catch {
    return at;
  }
}

function isEscaped(text, at) {
  let count = 0;
  while (text[at - 1 - count] === "\\") count += 1;
  return count % 2 === 1;
}

function place(text, at) {
  const lines = text.slice(0, at).split("\n");
  const what = at < text.length ? `${JSON.stringify(text.slice(at, at + 10))} is not expected` : "something is missing";
  return `not JSON: line ${lines.length}, column ${lines.at(-1).length + 1}: ${what}`;
}

/** The value of a JSON text: numbers are `Num`, objects have no prototype. Throws `NotJSON`. */
export function parse(text) {
  const found = tokens(text);
  let next = 0;
  const fail = () => {
    throw new NotJSON(place(text, found[next]?.at ?? text.length));
  };
  const take = (wanted) => {
    if (found[next]?.text !== wanted) fail();
    next += 1;
  };
  const items = (end, item) => {
    next += 1;
    if (found[next]?.text === end) {
      next += 1;
      return;
    }
    for (;;) {
      item();
      if (found[next]?.text === end) break;
      take(",");
    }
    next += 1;
  };
  const value = (depth) => {
    const token = found[next]?.text;
    if (token === undefined || depth > DEEPEST) fail();
    if (token === "{") {
      const object = Object.create(null);
      items("}", () => {
        if (found[next]?.text[0] !== '"') fail();
        const key = JSON.parse(found[next].text);
        next += 1;
        take(":");
        object[key] = value(depth + 1);
      });
      return object;
    }
    if (token === "[") {
      const list = [];
      items("]", () => list.push(value(depth + 1)));
      return list;
    }
    if ("}],:".includes(token)) fail();
    next += 1;
    return /^[-\d]/.test(token) ? new Num(token) : JSON.parse(token);
  };
  const whole = value(0);
  if (next < found.length) fail();
  return whole;
}

/** The JSON text of a value of `parse`. */
export function write(value) {
  if (value instanceof Num) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${write(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

/** Pieces of an indented JSON text: `[text, class]`. */
function* indented(text) {
  const found = tokens(text);
  let depth = 0;
  for (let index = 0; index < found.length; index += 1) {
    const token = found[index].text;
    const following = found[index + 1]?.text;
    const line = () => `\n${"  ".repeat(depth)}`;
    if ("{[".includes(token)) {
      const isEmpty = following === "}" || following === "]";
      if (!isEmpty) depth += 1;
      yield [isEmpty ? token : token + line(), ""];
    } else if ("}]".includes(token)) {
      const isEmpty = "{[".includes(found[index - 1]?.text ?? " ");
      if (!isEmpty) depth -= 1;
      yield [isEmpty ? token : line() + token, ""];
    } else if (token === ",") yield [`,${line()}`, ""];
    else if (token === ":") yield [": ", ""];
    else if (token[0] === '"') yield [token, following === ":" ? "key" : "string"];
    else yield [token, /^[-\d]/.test(token) ? "number" : "word"];
  }
}

/** An indented JSON text; the same text if it is none. */
export function pretty(text) {
  try {
    return [...indented(text)].map(([piece]) => piece).join("");
  } catch (error) {
    if (error instanceof NotJSON) return text;
    throw error;
  }
}

/** A block that shows a text, indented and coloured if it is JSON. */
export function shown(text, attributes) {
  const block = h("pre", { class: "json", tabindex: "0", ...attributes });
  if (text.length > COLOURED) {
    block.append(pretty(text));
    return block;
  }
  try {
    const parts = [...indented(text)].map(([piece, look]) => (look ? h("span", { class: look }, piece) : piece));
    block.append(...parts);
  } catch (error) {
    if (!(error instanceof NotJSON)) throw error;
    block.append(text);
  }
  return block;
}
