// What the plugin writes to stderr: what operators read in the host's log.

import { button, clock, h } from "./dom.js";
import { state } from "./state.js";

const ROWS = 1000;

export function stderrView(main, page) {
  const list = h("ol", { class: "log", tabindex: "0", "aria-label": "Lines of stderr" });
  const none = h("p", { class: "muted" }, "Nothing was written to stderr.");
  let waiting = [...state.stderr];
  let isDrawing = false;
  const draw = () => {
    isDrawing = false;
    const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    list.append(...waiting.slice(-ROWS).map((entry) => h("li", {}, h("span", { class: "time" }, clock(entry.at)), h("span", {}, entry.text))));
    waiting = [];
    while (list.childElementCount > ROWS) list.firstElementChild.remove();
    none.hidden = list.childElementCount > 0;
    list.hidden = !none.hidden;
    if (isAtEnd) list.scrollTop = list.scrollHeight;
  };
  main.append(
    h("h1", {}, "Stderr"),
    h("div", { class: "bar" }, button("Clear", () => { state.stderr.length = 0; list.replaceChildren(); draw(); }, { class: "quiet" })),
    none,
    list,
  );
  draw();
  list.scrollTop = list.scrollHeight;
  page.listen("stderr", (entry) => {
    waiting.push(entry);
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(draw);
  });
}
