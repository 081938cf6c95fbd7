// Forms made from JSON Schemas. A control shows one value: `{node, read, fill}`, where `read` gives JSON
// text or throws `Unfinished`, and `fill` takes a value of `parse` or throws `Unfit`.

import { button, freshId, h, prose } from "./dom.js";
import { Num, NotJSON, parse, write } from "./json.js";
import { isNull, resolved, startOf, titleOf } from "./schema.js";

/** Something in the form is no value yet. */
export class Unfinished extends Error {
  constructor(input, text) {
    super(text);
    this.input = input;
  }
}

/** A value that the form has no place for. */
export class Unfit extends Error {}

const INTEGER = /^-?(?:0|[1-9]\d*)$/;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** The form of a method's params. */
export function paramsForm(schema, defs) {
  return control(schema, { defs, label: "params", depth: 0, id: freshId() });
}

function control(schema, context) {
  const { schema: own, arms } = resolved(schema, context.defs);
  if (arms) return union(arms, context);
  if ("const" in own) return choice([own.const], context);
  if (own.enum) return choice(own.enum, context);
  const make = { object, array, string, integer: number, number, boolean }[own.type] ?? anything;
  return make(own, context);
}

// One value -------------------------------------------------------------------------------------------

function problem(input, text) {
  input.setAttribute("aria-invalid", "true");
  throw new Unfinished(input, text);
}

const well = (input) => input.removeAttribute("aria-invalid");

function unfit(context, value) {
  throw new Unfit(`${context.label}: the form has no place for ${write(value).slice(0, 60)}`);
}

function choice(values, context) {
  const texts = values.map((value) => JSON.stringify(value));
  const options = texts.map((text, index) => h("option", { value: text }, typeof values[index] === "string" ? values[index] : text));
  const select = h("select", { id: context.id }, options);
  return {
    node: select,
    read: () => select.value,
    fill: (value) => {
      const text = write(value);
      if (!texts.includes(text)) unfit(context, value);
      select.value = text;
    },
  };
}

const boolean = (schema, context) => choice([true, false], context);

function textArea(context, attributes) {
  return h("textarea", { id: context.id, rows: 1, spellcheck: "false", autocomplete: "off", ...attributes });
}

function string(schema, context) {
  const area = textArea(context, { placeholder: startOf(schema) });
  return {
    node: area,
    read: () => JSON.stringify(area.value),
    fill: (value) => {
      if (typeof value !== "string") unfit(context, value);
      area.value = value;
    },
  };
}

function number(schema, context) {
  const [pattern, what] = schema.type === "integer" ? [INTEGER, "a whole number"] : [NUMBER, "a number"];
  const input = h("input", { id: context.id, inputmode: "decimal", autocomplete: "off", placeholder: startOf(schema) });
  return {
    node: input,
    read: () => {
      well(input);
      const text = input.value.trim();
      return pattern.test(text) ? text : problem(input, `${context.label} has to be ${what}`);
    },
    fill: (value) => {
      if (!(value instanceof Num) || !pattern.test(value.text)) unfit(context, value);
      input.value = value.text;
    },
  };
}

function anything(schema, context) {
  const area = textArea(context, { placeholder: "JSON", class: "mono" });
  return {
    node: area,
    read: () => {
      well(area);
      try {
        return write(parse(area.value));
      } catch (error) {
        if (!(error instanceof NotJSON)) throw error;
        return problem(area, `${context.label}: ${error.message}`);
      }
    },
    fill: (value) => (area.value = write(value)),
  };
}

function nothing(context) {
  return {
    node: h("code", { id: context.id }, "null"),
    read: () => "null",
    fill: (value) => value !== null && unfit(context, value),
  };
}

// Several forms of one value --------------------------------------------------------------------------

function union(arms, context) {
  const plain = arms.filter((arm) => !isNull(arm));
  const takesNull = plain.length < arms.length;
  const makers = plain.map((arm) => () => control(arm, { ...context, id: freshId() }));
  const titles = plain.map((arm, index) => titleOf(arm, context.defs) ?? `form ${index + 1}`);
  if (takesNull) {
    makers.push(() => nothing({ ...context, id: freshId() }));
    titles.push("null");
  }
  const pick = h("select", { class: "form-of", id: makers.length > 1 ? freshId() : null, "aria-label": `${context.label}: which form` });
  pick.append(...titles.map((title, index) => h("option", { value: index }, title)));
  const place = h("div", { class: "arm" });
  let current = null;
  const take = (index) => {
    pick.value = String(index);
    current = makers[index]();
    label(current.node, context.label);
    place.replaceChildren(current.node);
  };
  pick.addEventListener("change", () => take(Number(pick.value)));
  take(0);
  return {
    node: h("div", { class: "union", id: context.id }, place, pick),
    read: () => current.read(),
    fill: (value) => {
      for (let index = 0; index < makers.length; index += 1) {
        try {
          take(index);
          current.fill(value);
          return;
        } catch (error) {
          if (!(error instanceof Unfit)) throw error;
        }
      }
      take(0);
      unfit(context, value);
    },
  };
}

function label(node, text) {
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) node.setAttribute("aria-label", text);
}

// Lists and objects -----------------------------------------------------------------------------------

function array(schema, context) {
  const rows = h("ol", { class: "rows" });
  const controls = [];
  const add = () => {
    const name = `${context.label} ${controls.length + 1}`;
    const made = control(schema.items ?? {}, { ...context, label: name, depth: context.depth + 1, id: freshId() });
    label(made.node, name);
    const row = h("li", {}, made.node);
    row.append(
      button("Remove", () => {
        controls.splice(controls.indexOf(made), 1);
        row.remove();
        more.focus();
        changed(rows);
      }, { class: "quiet", "aria-label": `Remove ${name}` }),
    );
    rows.append(row);
    controls.push(made);
    return made;
  };
  const more = button("Add an item", () => {
    focusIn(add().node);
    changed(rows);
  }, { class: "quiet", id: context.id, "aria-label": `Add an item to ${context.label}` });
  for (let count = 0; count < Math.min(schema.minItems ?? 0, 20); count += 1) add();
  return {
    node: h("div", { class: "nested" }, rows, more),
    read: () => `[${controls.map((made) => made.read()).join(",")}]`,
    fill: (value) => {
      if (!Array.isArray(value)) unfit(context, value);
      controls.length = 0;
      rows.replaceChildren();
      value.forEach((item) => add().fill(item));
    },
  };
}

function object(schema, context) {
  const required = schema.required ?? [];
  const names = Object.keys(schema.properties ?? {});
  const sorted = [...names.filter((name) => required.includes(name)), ...names.filter((name) => !required.includes(name))];
  const fields = new Map(sorted.map((name) => [name, field(name, schema.properties[name], required.includes(name), context)]));
  const own = bag(schema, context);
  const list = h("div", { class: context.depth ? "nested" : "fields" }, [...fields.values()].map((made) => made.node), own.node);
  return {
    node: list,
    read: () => {
      const parts = [...fields].map(([name, made]) => [name, made.read()]).filter(([, text]) => text !== undefined);
      return `{${[...parts, ...own.read()].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
    },
    fill: (value) => {
      if (value === null || typeof value !== "object" || Array.isArray(value) || value instanceof Num) unfit(context, value);
      for (const [name, made] of fields) made.fill(value[name]);
      own.fill(Object.entries(value).filter(([name]) => !fields.has(name)));
    },
  };
}

/** A property: required ones are always there, the others when their box is ticked. */
function field(name, schema, isRequired, context) {
  const id = freshId();
  const { description, default: fallback } = { ...resolved(schema, context.defs).schema, ...schema };
  const about = description ? h("p", { class: "about", id: `${id}-about` }, prose(description)) : null;
  const place = h("div", { class: "value" });
  let made = null;
  const show = () => {
    if (made) return;
    made = control(schema, { ...context, label: name, depth: context.depth + 1, id });
    if (about) made.node.setAttribute("aria-describedby", about.id);
    label(made.node, name);
    place.replaceChildren(made.node);
  };
  const hide = () => {
    made = null;
    place.replaceChildren();
  };
  const box = isRequired ? null : h("input", { type: "checkbox", "aria-label": `Send ${name}` });
  box?.addEventListener("change", () => {
    if (box.checked) {
      show();
      focusIn(place);
    } else hide();
    changed(place);
  });
  if (isRequired) show();
  const without = fallback !== undefined && fallback !== null && JSON.stringify(fallback).length < 30 ? `default ${JSON.stringify(fallback)}` : null;
  const title = h("label", { class: "title", for: box ? null : id }, box, h("code", {}, name));
  const hint = h("span", { class: "hint" }, isRequired ? "required" : without);
  return {
    node: h("div", { class: "field", "data-name": name }, h("div", { class: "heading" }, title, hint), about, place),
    read: () => made?.read(),
    fill: (value) => {
      if (value === undefined) {
        if (box) box.checked = false;
        hide();
        if (!box) show(); // an empty one
        return;
      }
      if (box) box.checked = true;
      show();
      made.fill(value);
    },
  };
}

/** Fields that the schema does not name: where it is open, and where a value has them. */
function bag(schema, context) {
  const extra = schema.additionalProperties;
  const rows = h("div", { class: "rows" });
  const entries = [];
  const add = () => {
    const key = h("input", { class: "mono", placeholder: "name", "aria-label": `${context.label}: name of the field`, autocomplete: "off", spellcheck: "false" });
    const inner = { ...context, label: "its value", depth: context.depth + 1, id: freshId() };
    const made = control(typeof extra === "object" ? extra : {}, inner);
    label(made.node, `${context.label}: value of the field`);
    const entry = { key, made };
    const row = h("div", { class: "pair" }, key, made.node);
    row.append(
      button("Remove", () => {
        entries.splice(entries.indexOf(entry), 1);
        row.remove();
        more.focus();
        changed(rows);
      }, { class: "quiet" }),
    );
    rows.append(row);
    entries.push(entry);
    return entry;
  };
  const more = button("Add a field", () => {
    add().key.focus();
    changed(rows);
  }, { class: "quiet", id: context.id, "aria-label": `Add a field to ${context.label}` });
  more.hidden = !extra;
  return {
    node: [rows, more],
    read: () =>
      entries.map(({ key, made }) => {
        well(key);
        return [key.value || problem(key, `a field of ${context.label} has no name`), made.read()];
      }),
    fill: (pairs) => {
      entries.length = 0;
      rows.replaceChildren();
      if (pairs.length && extra === false) throw new Unfit(`${context.label} has no field ${pairs[0][0]}`);
      for (const [name, value] of pairs) {
        const entry = add();
        entry.key.value = name;
        entry.made.fill(value);
      }
    },
  };
}

function focusIn(node) {
  const target = node.matches("input, textarea, select, button") ? node : node.querySelector("input, textarea, select, button");
  target?.focus();
}

/** What typing tells by itself. */
const changed = (node) => node.dispatchEvent(new Event("input", { bubbles: true }));
