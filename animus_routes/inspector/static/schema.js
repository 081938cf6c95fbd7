// What a JSON Schema says, as far as a form needs it.

const DEEPEST = 50; // references to references

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export const isNull = (schema) => schema.type === "null" || (("const" in schema) && schema.const === null);

/** Behind references: the schema, or its `arms` if it has several forms. */
export function resolved(schema, defs) {
  let own = isObject(schema) ? schema : {};
  for (let count = 0; own.$ref && count < DEEPEST; count += 1) {
    const { $ref, ...beside } = own;
    own = { ...(defs[$ref.split("/").at(-1)] ?? {}), ...beside };
  }
  if (own.allOf?.length === 1) {
    const { allOf, ...beside } = own;
    return resolved({ ...allOf[0], ...beside }, defs);
  }
  const arms = alternatives(own);
  if (!arms) return { schema: own };
  if (arms.length === 1) return resolved({ ...arms[0] }, defs);
  const constants = arms.map((arm) => arm.const);
  if (constants.every((value) => value !== undefined)) return { schema: { ...own, enum: constants, anyOf: undefined, oneOf: undefined } };
  return { schema: own, arms };
}

/** The forms that a value may have, if there are several. */
export function alternatives(schema) {
  if (schema.anyOf ?? schema.oneOf) return schema.anyOf ?? schema.oneOf;
  return Array.isArray(schema.type) ? schema.type.map((type) => ({ ...schema, type })) : null;
}

/** What a form of a value is called. */
export function titleOf(schema, defs) {
  const { schema: own, arms } = resolved(schema, defs);
  if (schema.$ref) return own.title ?? schema.$ref.split("/").at(-1);
  if (arms) return "one of several";
  if (own.enum) return "one of a list";
  const names = { string: "text", integer: "whole number", boolean: "true or false", array: "list" };
  return names[own.type] ?? own.type ?? "any JSON";
}

/** What stands in an empty box. */
export function startOf(schema) {
  if (schema.default !== undefined && schema.default !== null && schema.default !== "") return String(schema.default);
  const { minimum, maximum, format } = schema;
  if (minimum !== undefined && maximum !== undefined && maximum < 1e6) return `${minimum} to ${maximum}`;
  return format ?? "";
}
