/**
 * What kind of thing a value is, told without being fooled by `Symbol.toStringTag`, traps or other realms, and what to
 * say about a value that cannot be stored.
 */
import { types } from "node:util";
import { WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "./classes.ts";

const TEMPORAL = "Temporal.";

/** Stands in for a value that must be refused, with the reason as `reasonAgainst` words it. */
export class Refusal {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Whether a value is an object that can be looked at without running traps. */
export function isPlainlyObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !types.isProxy(value);
}

/** Whether a value is an error of any realm, `DOMException` included. Never throws. */
export function isErrorLike(value: unknown): value is Error {
  if (!isPlainlyObject(value)) return false;
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return false;
  }
}

/** Whether a prototype is that of plain objects, here or in another realm. */
export function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === null || prototype === Object.prototype) return true;
  return Object.getPrototypeOf(prototype) === null && nameOfClass(prototype) === "Object";
}

/** The tag of the built-in class that a value is a direct instance of, `Object` for a plain one, else `""`. */
export function builtinTag(value: object): string {
  if (types.isProxy(value)) return "";
  // Subclasses of Array (rows of database clients) pass as the arrays they are.
  if (Array.isArray(value)) return "Array";
  const prototype = Object.getPrototypeOf(value);
  if (isPlainPrototype(prototype)) return "Object";
  const tag = nativeTag(value);
  return tag !== "" && `${TEMPORAL}${nameOfClass(prototype)}`.endsWith(tag) ? tag : "";
}

function nativeTag(value: object): string {
  if (types.isDate(value)) return "Date";
  if (types.isMap(value)) return "Map";
  if (types.isSet(value)) return "Set";
  if (types.isRegExp(value)) return "RegExp";
  if (types.isTypedArray(value)) return value[Symbol.toStringTag];
  if (types.isArrayBuffer(value)) return "ArrayBuffer";
  if (types.isDataView(value)) return "DataView";
  if (types.isBoxedPrimitive(value)) return Object.prototype.toString.call(value).slice(8, -1);
  // Web and Temporal classes have no test of their own; their tag is on the prototype.
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  if (tag === "URL" || tag === "URLSearchParams") return tag;
  if (typeof tag === "string" && tag.startsWith(TEMPORAL)) return tag;
  return "";
}

/** The name of the class whose prototype this is. */
export function nameOfClass(prototype: object | null): string {
  if (prototype === null || !Object.hasOwn(prototype, "constructor")) return "";
  const name: unknown = prototype.constructor?.name;
  return typeof name === "string" ? name : "";
}

/** Why a value cannot be stored and what to do, as the end of a sentence that begins with its path. */
export function reasonAgainst(value: unknown): string {
  // First, since even instanceof runs a proxy's traps.
  if (types.isProxy(value))
    return "is a Proxy, which cannot be stored. Pass a copy: structuredClone() or { ...value }.";
  if (value instanceof Refusal) return value.reason;
  if (typeof value === "function") {
    const name = value.name === "" ? "" : ` (${value.name})`;
    if (/^class\b/.test(Function.prototype.toString.call(value))) {
      return `is a class${name} that is not registered, which cannot be stored. Call registerClass(id, cls) in its module.`;
    }
    return (
      `is a function${name}, which cannot be stored: only steps, workflows and registered classes can. Mark it "use step", or ` +
      "pass data, and call the function where the data arrives."
    );
  }
  if (typeof value === "symbol")
    return `is a symbol (${value.toString()}), which cannot be stored. Pass a string.`;
  if (typeof value !== "object" || value === null) return "cannot be stored.";
  if (types.isPromise(value) || isThenable(value))
    return "is a Promise, which cannot be stored. Await it first.";
  if (isPlainPrototype(Object.getPrototypeOf(value))) {
    return "has a symbol as a key, which cannot be stored. Use strings as keys.";
  }
  return reasonAgainstInstance(value);
}

function reasonAgainstInstance(value: object): string {
  const cls: unknown = value.constructor;
  const name = typeof cls === "function" && cls.name !== "" ? cls.name : "a class without a name";
  const statics = (typeof cls === "function" ? cls : {}) as { [key: symbol]: unknown };
  const writes = typeof statics[WORKFLOW_SERIALIZE] === "function";
  const reads = typeof statics[WORKFLOW_DESERIALIZE] === "function";
  if (writes && reads) return `is an instance of ${name} that contains itself, which cannot be read back.`;
  if (writes || reads) {
    return `is an instance of ${name}, which lacks ${writes ? "WORKFLOW_DESERIALIZE" : "WORKFLOW_SERIALIZE"}. Give the class both static methods.`;
  }
  return (
    `is an instance of ${name}, which cannot be stored. Pass plain data, or give the class the static methods ` +
    `WORKFLOW_SERIALIZE and WORKFLOW_DESERIALIZE.`
  );
}

function isThenable(value: object): boolean {
  try {
    return typeof (value as { then?: unknown }).then === "function";
  } catch {
    return false;
  }
}

/** What was thrown, in a few words. Never throws. */
export function inWords(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  } catch {
    return "something that cannot be shown";
  }
}
