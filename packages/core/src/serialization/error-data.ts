/**
 * Errors as bounded plain data and back: class, name, message, stack, cause, and own properties that can be stored.
 *
 * Looking at an error must never make things worse: whatever it throws while it is read, it is described by what could
 * be read.
 */
import { brandOf } from "../errors/base.ts";
import * as errors from "../errors/index.ts";
import { findClass, registeredId } from "./classes.ts";
import { nameOfClass } from "./kinds.ts";

/** How much of an error is kept. Texts in bytes of UTF-8. */
export interface ErrorLimits {
  readonly message: number;
  readonly stack: number;
  /** How many causes deep. */
  readonly depth: number;
  /** Stored size of one property, in characters; larger ones are cut. */
  readonly property: number;
  readonly properties: number;
  /** Errors of an `AggregateError`. */
  readonly errors: number;
}

/** What every stored error is held to. */
export const ERROR_LIMITS: ErrorLimits = {
  message: 8 * 1024,
  stack: 16 * 1024,
  depth: 8,
  property: 16 * 1024,
  properties: 64,
  errors: 32,
};

/** An error as it is stored. `name` and `message` come first: an error inside its own cause is made from those. */
export interface ErrorData {
  name: string;
  message?: string;
  stack?: string;
  /** The classes it may come back as, nearest first: `class:ID`, a code of ours, or the name of a built-in. */
  kinds: string[];
  cause?: unknown;
  /** Own values that are not enumerable: of `AggregateError` and `SuppressedError`. */
  hidden?: Record<string, unknown>;
  own?: Record<string, unknown>;
}

/** Says how a property's or a cause's value is stored: itself, something in its place, or `DROP`. */
export type Sift = (value: unknown) => unknown;

/** Drops a property. */
export const DROP: unique symbol = Symbol("drop");

const HIDDEN = ["errors", "error", "suppressed"];
const MAX_KEY = 256;
const BUILTINS: ReadonlyMap<string, ErrorConstructor> = new Map(
  ["Error", "EvalError", "RangeError", "ReferenceError", "SyntaxError", "TypeError", "URIError"]
    .concat(["AggregateError", "SuppressedError", "DOMException"])
    .map((name): [string, unknown] => [name, (globalThis as Record<string, unknown>)[name]])
    .filter((entry): entry is [string, ErrorConstructor] => typeof entry[1] === "function"),
);

/** Our own classes, by code. */
const OURS: ReadonlyMap<string, ErrorConstructor> = new Map(
  Object.values(errors as unknown as Record<string, ErrorConstructor>)
    .filter((value) => value.prototype instanceof Error)
    .map((cls) => [brandOf(cls.prototype) ?? "", cls]),
);

/** Describes an error within these limits. `sift` decides about values, `siftCause` about the cause and `errors`. */
export function describeError(error: Error, limits: ErrorLimits, sift: Sift, siftCause: Sift): ErrorData {
  const data: ErrorData = { name: cutText(textOf(error, "name") ?? "Error", MAX_KEY), kinds: kindsOf(error) };
  const message = textOf(error, "message");
  if (message !== undefined && (message !== "" || hasOwn(error, "message"))) {
    data.message = cutText(message, limits.message);
  }
  const stack = textOf(error, "stack");
  if (stack !== undefined) data.stack = cutText(stack, limits.stack);
  if (hasOwn(error, "cause")) {
    const cause = siftCause(read(error, "cause"));
    if (cause !== DROP) data.cause = cause;
  }
  for (const key of HIDDEN) {
    if (!hasOwn(error, key) || isEnumerable(error, key)) continue;
    const value = read(error, key);
    const sifted = Array.isArray(value) ? siftErrors(value, limits, siftCause) : siftCause(value);
    if (sifted !== DROP) {
      data.hidden ??= {};
      data.hidden[key] = sifted;
    }
  }
  const own = ownProperties(error, limits, sift);
  if (own !== undefined) data.own = own;
  return data;
}

/** Adds facts to an error's description, where the error has no property of that name, not even an inherited one. */
export function addFacts(data: ErrorData, error: Error, facts: object): void {
  for (const [key, value] of Object.entries(facts)) {
    if (!(key in error)) data.own = { ...data.own, [key]: value };
  }
}

/** An empty error of the class that the data names; `fillError` completes it. */
export function createError(data: ErrorData): Error {
  if (data.kinds.includes("DOMException")) return new DOMException(data.message, data.name);
  const { stackTraceLimit } = Error;
  // The stack of this place would be of no use; capturing it would be most of the work.
  Error.stackTraceLimit = 0;
  try {
    return Reflect.construct(Error, [], classFor(data.kinds)) as Error;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Gives an error what its data says. May be called again when more of the data has arrived. */
export function fillError(error: Error, data: ErrorData): void {
  const isDom = data.kinds.includes("DOMException");
  if (!isDom && data.message !== undefined) hide(error, "message", data.message);
  if (error.name !== data.name && !isDom) hide(error, "name", data.name);
  hide(error, "stack", data.stack ?? `${data.name}: ${data.message ?? ""}`);
  if ("cause" in data) hide(error, "cause", data.cause);
  for (const [key, value] of Object.entries(data.hidden ?? {})) hide(error, key, value);
  for (const [key, value] of Object.entries(data.own ?? {})) {
    Object.defineProperty(error, key, { value, writable: true, enumerable: true, configurable: true });
  }
}

/** A text within so many bytes, with a visible mark where it was cut. */
export function cutText(text: string, limit: number): string {
  // No text has more bytes than three times its length.
  if (text.length * 3 <= limit || Buffer.byteLength(text) <= limit) return text;
  const mark = `… [cut: ${Buffer.byteLength(text)} bytes in all]`;
  const bytes = Buffer.from(text.slice(0, limit));
  let end = Math.max(0, Math.min(bytes.length, limit - Buffer.byteLength(mark)));
  // Not in the middle of a character: continuation bytes are 10xxxxxx.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", 0, end) + mark;
}

function siftErrors(errors: unknown[], limits: ErrorLimits, sift: Sift): unknown[] {
  const kept = errors.slice(0, limits.errors).map((error) => {
    const sifted = sift(error);
    return sifted === DROP ? undefined : sifted;
  });
  if (errors.length > kept.length) kept.push(`[cut: ${errors.length} errors in all]`);
  return kept;
}

function ownProperties(error: Error, limits: ErrorLimits, sift: Sift): Record<string, unknown> | undefined {
  let own: Record<string, unknown> | undefined;
  let count = 0;
  for (const key of keysOf(error)) {
    if (key === "message" || key === "stack" || key === "cause" || key.length > MAX_KEY) continue;
    if (++count > limits.properties) break;
    const value = sift(read(error, key));
    if (value === DROP) continue;
    own ??= {};
    Object.defineProperty(own, key, { value, writable: true, enumerable: true, configurable: true });
  }
  return own;
}

function kindsOf(error: Error): string[] {
  const kinds: string[] = [];
  try {
    const code = brandOf(error);
    for (let link: object | null = Object.getPrototypeOf(error); link; link = Object.getPrototypeOf(link)) {
      const name = nameOfClass(link);
      const id = name === "" ? undefined : registeredId(link.constructor);
      if (id !== undefined) kinds.push(`class:${id}`);
      if (BUILTINS.has(name) && Object.hasOwn(link, "name")) {
        kinds.push(...(code === undefined ? [] : [code]), name);
        break;
      }
    }
  } catch {
    // A hostile prototype: what was found up to it stands.
  }
  return kinds;
}

function classFor(kinds: readonly string[]): ErrorConstructor {
  for (const kind of kinds) {
    const found = kind.startsWith("class:")
      ? findClass(kind.slice("class:".length))
      : (OURS.get(kind) ?? BUILTINS.get(kind));
    if (found !== undefined) return found as unknown as ErrorConstructor;
  }
  return Error;
}

function textOf(error: Error, key: "name" | "message" | "stack"): string | undefined {
  const value = read(error, key);
  if (typeof value === "string") return value;
  if (value === undefined || value === DROP) return undefined;
  try {
    return String(value);
  } catch {
    return undefined;
  }
}

function read(error: Error, key: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[key];
  } catch {
    return DROP;
  }
}

function keysOf(error: Error): string[] {
  try {
    return Object.keys(error);
  } catch {
    return [];
  }
}

function hasOwn(error: Error, key: string): boolean {
  return Object.hasOwn(error, key);
}

function isEnumerable(error: Error, key: string): boolean {
  return Object.prototype.propertyIsEnumerable.call(error, key);
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
