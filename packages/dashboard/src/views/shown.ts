import { types } from "node:util";
import { EncryptedValue } from "@perdure/core/api";
import type { Shown } from "../protocol.ts";
import { errorView } from "./error-view.ts";

/** Values as a viewer gets them: every kind that the journal keeps, within bounds. */

/** How much of a value is shown. */
export interface Bounds {
  /** About so many characters of JSON. */
  readonly size: number;
  /** The first item of the value's own items, or the first character or byte. */
  readonly offset?: number;
}

/** A value, and whether something was left out. */
export interface ShownValue {
  readonly value: Shown;
  readonly cut: boolean;
}

/** A text of more characters is a node of its own where not everything is shown. */
const LONGEST_TEXT = 10_000;
const DEEPEST = 100;

/** Shows a value. */
export function shown(value: unknown, { size, offset = 0 }: Bounds): ShownValue {
  const showing = new Showing(size);
  const node = showing.node(value, offset, 0);
  return { value: node, cut: showing.cut || offset > 0 };
}

class Showing {
  #left: number;
  readonly #all: boolean;
  /** The objects around the one that is shown. */
  readonly #around: Set<object> = new Set();
  cut = false;

  constructor(size: number) {
    this.#left = size;
    this.#all = size === Number.POSITIVE_INFINITY;
  }

  node(value: unknown, offset: number, depth: number): Shown {
    if (value === null || typeof value === "boolean") return this.#paid(value, 5);
    if (typeof value === "number") return this.#number(value);
    if (typeof value === "string") return this.#text(value, offset);
    if (typeof value !== "object") return this.#other(typeof value, textOf(value));
    if (this.#around.has(value)) return { type: "repeated" };
    if (depth > DEEPEST || this.#left <= 0) {
      this.cut = true;
      return { type: "cut", class: classOf(value) ?? "Object", length: lengthOf(value) };
    }
    this.#around.add(value);
    const node = this.#object(value, offset, depth);
    this.#around.delete(value);
    return node;
  }

  #object(value: object, offset: number, depth: number): Shown {
    if (types.isNativeError(value) || value instanceof Error) {
      return this.#paid(
        { type: "error", error: errorView(value, (part) => this.node(part, 0, depth + 1)) },
        500,
      );
    }
    if (types.isDate(value)) {
      const at = value.getTime();
      return this.#paid({ type: "date", at: Number.isNaN(at) ? null : at }, 40);
    }
    const bytes = bytesOf(value);
    if (bytes !== null) return this.#bytes(classOf(value) ?? "bytes", bytes, offset);
    if (types.isMap(value)) {
      const entries = this.#items([...value], offset, ([key, item]): readonly [Shown, Shown] => [
        this.node(key, 0, depth + 1),
        this.node(item, 0, depth + 1),
      ]);
      return { type: "map", entries, length: value.size };
    }
    const next = (item: unknown): Shown => this.node(item, 0, depth + 1);
    if (types.isSet(value)) {
      return { type: "set", items: this.#items([...value], offset, next), length: value.size };
    }
    if (Array.isArray(value)) {
      return { type: "array", items: this.#items(value, offset, next), length: value.length };
    }
    const text = inWords(value);
    if (text !== null) return this.#other(classOf(value) ?? "Object", text);
    const keys = Object.keys(value);
    const entries = this.#items(keys, offset, (key): readonly [string, Shown] => {
      this.#left -= key.length + 4;
      return [key, next(read(value, key))];
    });
    return { type: "object", class: classOf(value), entries, length: keys.length };
  }

  #items<T, Node>(items: readonly T[], offset: number, show: (item: T) => Node): Node[] {
    const nodes: Node[] = [];
    this.#left -= 40;
    for (let at = offset; at < items.length; at++) {
      // One at least, so that whoever goes on comes to the end.
      if (this.#left <= 0 && nodes.length > 0) {
        this.cut = true;
        break;
      }
      nodes.push(show(items[at] as T));
      this.#left -= 1;
    }
    return nodes;
  }

  #text(value: string, offset: number): Shown {
    const most = this.#all ? Number.POSITIVE_INFINITY : Math.max(Math.min(this.#left, LONGEST_TEXT), 100);
    if (offset === 0 && value.length <= most) return this.#paid(value, value.length + 2);
    const text = value.slice(offset, offset === 0 ? most : offset + most);
    this.cut ||= offset + text.length < value.length;
    return this.#paid({ type: "text", text, length: value.length }, text.length + 40);
  }

  #bytes(name: string, bytes: Buffer, offset: number): Shown {
    const most = this.#all
      ? bytes.length
      : Math.max(Math.min(Math.floor((this.#left * 3) / 4), LONGEST_TEXT), 60);
    const part = bytes.subarray(offset, offset + most);
    this.cut ||= offset + part.length < bytes.length;
    const base64 = part.toString("base64");
    return this.#paid({ type: "bytes", class: name, base64, length: bytes.length }, base64.length + 60);
  }

  #number(value: number): Shown {
    if (Number.isFinite(value) && !Object.is(value, -0)) return this.#paid(value, 8);
    return this.#other("number", Object.is(value, -0) ? "-0" : String(value));
  }

  #other(name: string, text: string): Shown {
    return this.#paid({ type: "other", class: name, text: text.slice(0, LONGEST_TEXT) }, text.length + 40);
  }

  #paid(node: Shown, cost: number): Shown {
    this.#left -= cost;
    return node;
  }
}

/** The part of a value that a path leads to; `undefined` where it leads nowhere. */
export function partAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((part, step) => {
    if (typeof part !== "object" || part === null) return undefined;
    if (types.isMap(part)) return [...part.values()][Number(step)];
    if (types.isSet(part)) return Array.from(part)[Number(step)];
    if (Array.isArray(part)) return part[Number(step)];
    return read(part, String(step));
  }, value);
}

function read(value: object, key: string): unknown {
  try {
    return Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(value: object): Buffer | null {
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return types.isAnyArrayBuffer(value) ? Buffer.from(value) : null;
}

/** The class of an object; `null` for a plain one. */
function classOf(value: object): string | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return null;
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : null;
}

function lengthOf(value: object): number | null {
  if (Array.isArray(value)) return value.length;
  if (types.isMap(value) || types.isSet(value)) return value.size;
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) return value.byteLength;
  return Object.keys(value).length;
}

/** Objects that are what they say of themselves; `null` for those that are their properties. */
function inWords(value: object): string | null {
  if (types.isRegExp(value) || value instanceof URL || value instanceof URLSearchParams) return String(value);
  if (types.isBoxedPrimitive(value)) return String(value);
  if (value instanceof EncryptedValue) return String(value);
  if (value instanceof Headers) return [...value].map(([name, text]) => `${name}: ${text}`).join("\n");
  if (value instanceof Request) return `${value.method} ${value.url}`;
  if (value instanceof Response) return `${value.status} ${value.statusText}`.trim();
  if (value instanceof AbortSignal) return value.aborted ? "aborted" : "not aborted";
  if (value instanceof ReadableStream || value instanceof WritableStream) return "a stream";
  return null;
}

function textOf(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return value.name === "" ? "a function" : value.name;
  return String(value);
}
