// What the page knows: the server's snapshot, and every event since.

const KEPT_FRAMES = 1500;
const KEPT_LINES = 2000;
const KEPT_ITEMS = 200;

export const state = {
  target: "",
  command: [],
  folder: "",
  status: { state: "starting", why: "", pid: 0, begun: 0 },
  manifest: null,
  greeting: {},
  cards: [],
  watch: true,
  record: { on: false, file: "" },
  check: { state: "none", results: [] },
  calls: new Map(), // by number
  frames: [], // the last ones, oldest first
  stderr: [],
  items: new Map(), // by call: the notifications that belong to it
  lost: 0, // events that came faster than they were read
  itemsLost: new Map(), // by call: how many of them are no longer kept
};

const listeners = new Map();

/** Have a function called whenever something of a kind has come; returns what ends that. */
export function on(kind, act) {
  if (!listeners.has(kind)) listeners.set(kind, new Set());
  listeners.get(kind).add(act);
  return () => listeners.get(kind).delete(act);
}

export function tell(kind, detail) {
  for (const act of [...(listeners.get(kind) ?? [])]) act(detail);
}

function pushed(list, entry, most) {
  list.push(entry);
  if (list.length > most * 1.2) list.splice(0, list.length - most);
}

function takeFrame(frame) {
  pushed(state.frames, frame, KEPT_FRAMES);
  if (frame.call && frame.what === "notification") {
    if (!state.items.has(frame.call)) state.items.set(frame.call, []);
    const items = state.items.get(frame.call);
    items.push(frame);
    if (items.length > KEPT_ITEMS) {
      items.shift();
      state.itemsLost.set(frame.call, (state.itemsLost.get(frame.call) ?? 0) + 1);
    }
  }
}

function takeCheck({ result, ...rest }) {
  delete rest.kind;
  delete rest.seq;
  delete rest.at;
  Object.assign(state.check, rest);
  if (result && !state.check.results.some((known) => known.id === result.id)) state.check.results.push(result);
}

// What each kind of event changes.
const TAKES = {
  frame: takeFrame,
  stderr: (entry) => pushed(state.stderr, entry, KEPT_LINES),
  call: ({ call }) => state.calls.set(call.number, call),
  status: ({ status, manifest, greeting, cards }) =>
    Object.assign(state, { status, manifest, greeting }, cards ? { cards } : {}),
  check: takeCheck,
  watch: (event) => (state.watch = event.on),
  record: ({ record }) => (state.record = record),
  note: () => {},
};

let lastSeq = 0;

/** One event of the server's. */
export function take(event) {
  if (event.seq > lastSeq + 1) state.lost += event.seq - lastSeq - 1;
  lastSeq = Math.max(lastSeq, event.seq);
  TAKES[event.kind]?.(event);
  tell(event.kind, event);
}

/** Everything anew: the page has just been opened, or was cut off. */
export function takeSnapshot({ calls, seq, ...rest }) {
  Object.assign(state, rest);
  state.calls = new Map(calls.map((call) => [call.number, call]));
  lastSeq = seq; // the lines before it, which come first, have gaps
  state.lost = 0;
  state.frames = [];
  state.stderr = [];
  state.items = new Map();
  state.itemsLost = new Map();
  tell("snapshot");
}

export const card = (name) => state.cards.find((known) => known.name === name);

export const callsOf = (name) => [...state.calls.values()].filter((call) => call.method === name);
