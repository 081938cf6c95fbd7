// What was typed last into each method's form, kept by the browser for this plugin.

import { state } from "./state.js";

const LONGEST = 100_000; // characters

const key = (method) => `animus-routes inspect ${state.target} ${method}`;

export function remember(method, given) {
  try {
    const text = JSON.stringify(given);
    if (text.length <= LONGEST) localStorage.setItem(key(method), text);
  } catch {
    // A browser may keep nothing: then nothing is remembered.
  }
}

export function forget(method) {
  try {
    localStorage.removeItem(key(method));
  } catch {
    // As above.
  }
}

export function recall(method) {
  try {
    return JSON.parse(localStorage.getItem(key(method)));
  } catch {
    return null;
  }
}
