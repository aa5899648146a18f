import type { Shown } from "../../protocol.ts";

/** Puts together the stretches in which a long value arrives. */

/** A value and what follows it. */
export function joined(before: Shown, after: Shown): Shown {
  if (typeof before !== "object" || before === null) return after;
  if (before.type === "text") {
    const rest = typeof after === "string" ? after : isPart(after, "text") ? after.text : "";
    const text = before.text + rest;
    return text.length < before.length ? { ...before, text } : text;
  }
  if (typeof after !== "object" || after === null) return after;
  if (before.type === "array" && after.type === "array")
    return { ...before, items: [...before.items, ...after.items] };
  if (before.type === "set" && after.type === "set")
    return { ...before, items: [...before.items, ...after.items] };
  if (before.type === "map" && after.type === "map")
    return { ...before, entries: [...before.entries, ...after.entries] };
  if (before.type === "object" && after.type === "object") {
    return { ...before, entries: [...before.entries, ...after.entries] };
  }
  return after;
}

function isPart<Type extends string>(value: Shown, type: Type): value is Extract<Shown, { type: Type }> {
  return typeof value === "object" && value !== null && value.type === type;
}

/** The value as JSON, as far as JSON goes: maps and sets as arrays, dates and errors as text. */
export function jsonOf(value: Shown): unknown {
  if (typeof value !== "object" || value === null) return value;
  switch (value.type) {
    case "text":
      return value.text;
    case "array":
    case "set":
      return value.items.map(jsonOf);
    case "object":
      return Object.fromEntries(value.entries.map(([key, item]) => [key, jsonOf(item)]));
    case "map":
      return value.entries.map(([key, item]) => [jsonOf(key), jsonOf(item)]);
    case "date":
      return value.at === null ? null : new Date(value.at).toISOString();
    case "bytes":
      return value.base64;
    case "error":
      return { name: value.error.name, message: value.error.message };
    case "other":
      return value.text;
    case "repeated":
      return "(contains itself)";
    case "cut":
      return "…";
  }
}

/** The value as JSON text that gives the same value again; `null` where JSON has no form for it, or where not all of it is here. */
export function plainJson(value: Shown): string | null {
  return isPlain(value) ? JSON.stringify(jsonOf(value), null, 2) : null;
}

function isPlain(value: Shown): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (value.type === "array") return value.items.length === value.length && value.items.every(isPlain);
  if (value.type !== "object" || value.class !== null) return false;
  return value.entries.length === value.length && value.entries.every(([, item]) => isPlain(item));
}
