import { decode } from "../serialization/index.ts";

/**
 * Where what a replay asked for differs from what the journal has. Values are told by kind and size alone: they may be
 * secrets, and this is for logs.
 */
export interface Difference {
  /** The first place where they differ, such as `args[0].order.id`. */
  readonly path: string;
  /** What the journal has there, such as `a string of 36 characters`. */
  readonly journal: string;
  /** What the code has there. */
  readonly code: string;
}

/**
 * The first difference between two encoded values, or `null`: the same bytes, or the same but for the order of keys or
 * for properties that are `undefined`. Decodes only if the bytes differ.
 */
export function firstDifference(
  root: string,
  journal: Uint8Array | null,
  code: Uint8Array | null,
): Difference | null {
  if (Buffer.compare(journal ?? EMPTY, code ?? EMPTY) === 0) return null;
  let values: readonly [unknown, unknown];
  try {
    values = [decode(journal), decode(code)];
  } catch {
    return { path: root, journal: "a value that cannot be read here", code: "another" };
  }
  return compare(root, ...values);
}

const EMPTY = new Uint8Array();

/** Depth first, without recursion: values may be deeper than the stack. */
function compare(root: string, journal: unknown, code: unknown): Difference | null {
  const open: (readonly [path: string, journal: unknown, code: unknown])[] = [[root, journal, code]];
  const met = new WeakMap<object, unknown>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, a, b] = next;
    if (Object.is(a, b)) continue;
    if (!isObject(a) || !isObject(b) || Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) {
      if (a === b) continue;
      return { path, journal: kindOf(a), code: kindOf(b) };
    }
    if (met.get(a) === b) continue;
    met.set(a, b);
    const [inA, inB] = [partsOf(a), partsOf(b)];
    if (inA.own !== inB.own) return { path, journal: kindOf(a), code: kindOf(b) };
    const keys = new Set([...inA.parts.keys(), ...inB.parts.keys()]);
    for (const key of [...keys].reverse()) open.push([path + key, inA.parts.get(key), inB.parts.get(key)]);
  }
  return null;
}

interface Parts {
  /** What the object is besides its parts. */
  readonly own: unknown;
  /** By how the path goes on. */
  readonly parts: ReadonlyMap<string, unknown>;
}

function partsOf(value: object): Parts {
  if (Array.isArray(value)) {
    return {
      own: value.length,
      parts: new Map(Object.entries(value).map(([key, part]) => [`[${key}]`, part])),
    };
  }
  if (value instanceof Map) {
    const entries = [...value].flatMap(([key, part], at): [string, unknown][] => [
      [` key ${at}`, key],
      [` value ${at}`, part],
    ]);
    return { own: value.size, parts: new Map(entries) };
  }
  if (value instanceof Set) {
    return { own: value.size, parts: new Map([...value].map((part, at) => [` element ${at}`, part])) };
  }
  if (ArrayBuffer.isView(value)) return { own: hex(value), parts: NONE };
  if (value instanceof ArrayBuffer) return { own: hex(new Uint8Array(value)), parts: NONE };
  if (value instanceof Headers) return { own: JSON.stringify([...value]), parts: NONE };
  const keys: [string, unknown][] = Object.entries(value).map(([key, part]) => [step(key), part]);
  if (value instanceof Error) {
    keys.push([".message", value.message], [".name", value.name], [".cause", value.cause]);
    return { own: undefined, parts: new Map(keys) };
  }
  // A date, a URL, a regular expression, a boxed value: what it says of itself.
  const plain = Object.prototype.toString.call(value) === "[object Object]";
  return { own: plain ? undefined : text(value), parts: new Map(keys) };
}

const NONE: ReadonlyMap<string, unknown> = new Map();

function hex(view: ArrayBufferView): string {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString("hex");
}

function text(value: object): string {
  return value instanceof Date ? String(value.getTime()) : String(value);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** `.id`, or `["a key"]` where that is no name. At most 100 characters. */
function step(key: string): string {
  if (/^[\p{ID_Start}$_][\p{ID_Continue}$]{0,98}$/u.test(key)) return `.${key}`;
  return `[${JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)}]`;
}

function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === "string") return `a string of ${value.length} characters`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Map || value instanceof Set) return `a ${value.constructor.name} of ${value.size}`;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (typeof value !== "object") return `a ${typeof value}`;
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? `a ${name}` : "an object";
}
