/**
 * The fast path: proves with one cheap walk that JSON gives a value back exactly as it is.
 */
import { types } from "node:util";
import { MAX_DEPTH } from "./depth.ts";

/** Beyond this many objects a set finds repeated references faster than a list. */
const LIST_LIMIT = 24;

/**
 * Whether `JSON.parse(JSON.stringify(value))` equals the value in every respect that this package keeps: no
 * `undefined`, `-0`, `NaN` or holes, nothing but plain objects and arrays, no object met twice, none too deep.
 */
export function isJsonExact(value: unknown): boolean {
  try {
    return isExact(value, 1, { list: [], set: undefined });
  } catch {
    // A throwing getter, or too little stack left: the other path says which and where.
    return false;
  }
}

interface Seen {
  readonly list: object[];
  set: Set<object> | undefined;
}

function isExact(value: unknown, depth: number, seen: Seen): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0);
    case "object":
      return value === null || isExactObject(value, depth, seen);
    default:
      return false;
  }
}

function isExactObject(value: object, depth: number, seen: Seen): boolean {
  if (depth > MAX_DEPTH) return false;
  if (types.isProxy(value) || isRepeated(value, seen)) return false;
  if ((value as { toJSON?: unknown }).toJSON !== undefined) return false;
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) {
    if (Object.getOwnPropertySymbols(value).length > 0) return false;
    for (const key of Object.keys(value)) {
      if (!isExact((value as Record<string, unknown>)[key], depth + 1, seen)) return false;
    }
    return true;
  }
  if (prototype !== Array.prototype || !Array.isArray(value)) return false;
  for (let index = 0; index < value.length; index++) {
    if (!isExact(value[index], depth + 1, seen)) return false;
  }
  return true;
}

function isRepeated(value: object, seen: Seen): boolean {
  if (seen.set !== undefined) {
    if (seen.set.has(value)) return true;
    seen.set.add(value);
    return false;
  }
  if (seen.list.includes(value)) return true;
  seen.list.push(value);
  if (seen.list.length > LIST_LIMIT) seen.set = new Set(seen.list);
  return false;
}
