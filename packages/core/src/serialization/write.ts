/**
 * The writing half of the general path: devalue with our reducers, and refusals that name the place in the value.
 */
import { types } from "node:util";
import { DevalueError, type StringifyOperations, stringify } from "devalue";
import { SerializationError } from "../errors/input.ts";
import { type SignalHost, writeController, writeSignal } from "./abort.ts";
import { classIdOf, type SerializableClass, serializableClassOf, WORKFLOW_SERIALIZE } from "./classes.ts";
import { DepthGuard, shortPath, tooLarge } from "./depth.ts";
import {
  addFacts,
  cutText,
  DROP,
  describeError,
  ERROR_LIMITS,
  type ErrorData,
  type ErrorLimits,
} from "./error-data.ts";
import { functionData } from "./functions.ts";
import { type BodyPlaces, requestData, responseData, UnreadRefusal } from "./http-values.ts";
import {
  builtinTag,
  inWords,
  isErrorLike,
  isPlainlyObject,
  isPlainPrototype,
  Refusal,
  reasonAgainst,
} from "./kinds.ts";
import { streamInPlaceOf } from "./stream-values.ts";

/** The key under which an instance's data is stored; error paths leave it out. */
export const DATA_KEY = "@data";
/** The key under which an instance's class id is stored. */
export const CLASS_KEY = "@class";

/**
 * The text of a value.
 *
 * @param where what the value is called in error paths: `args`
 * @throws {SerializationError} that names the first place which cannot be stored
 */
export function write(
  value: unknown,
  where: string,
  signals: SignalHost,
  errors: ErrorRules = KEPT_AS_THEY_ARE,
): string {
  return writeWith(value, where, new Writer(errors, signals, null));
}

/**
 * The text of a value with marks in place of bodies that were not read: {@link BodyPlaces.filled} completes it.
 *
 * @throws {SerializationError} as `write`
 */
export function writeOpen(value: unknown, where: string, signals: SignalHost, places: BodyPlaces): string {
  return writeWith(value, where, new Writer(KEPT_AS_THEY_ARE, signals, places));
}

/** How errors are written. */
export interface ErrorRules {
  readonly limits: ErrorLimits;
  /** The one error that says more, and what it says where it has no property of that name. */
  readonly error: unknown;
  readonly facts: object;
}

const KEPT_AS_THEY_ARE: ErrorRules = { limits: ERROR_LIMITS, error: undefined, facts: {} };

function writeWith(value: unknown, where: string, writer: Writer): string {
  try {
    return stringify(value, writer.reducers(), { operations: writer.operations() });
  } catch (error) {
    if (error instanceof SerializationError) throw error;
    if (error instanceof DevalueError) {
      const path = where + (error.path ?? "").replaceAll(`["${DATA_KEY}"]`, "");
      if (isPlainlyObject(error.value) && error.value instanceof UnreadRefusal)
        throw error.value.at(shortPath(path));
      throw new SerializationError(shortPath(path), reasonAgainst(error.value));
    }
    if (error instanceof RangeError) throw tooLarge(where, error);
    throw new SerializationError(where, "cannot be stored.", { cause: error });
  }
}

/** From an error to a property's value: the error's data, the record of its properties, the value. */
const LEVELS_OF_AN_ERROR = 3;

/** What one call of `write` remembers. */
class Writer {
  readonly #errors: ErrorRules;
  /** Instances whose data is being written: meeting one again means that it contains itself. */
  readonly #open: Set<object> = new Set();
  /** How many causes deep an error was met. */
  readonly #depths: Map<object, number>;
  /** Errors already described; `null` while one is being described. */
  readonly #described: Map<object, ErrorData | null>;
  readonly #depth: DepthGuard;
  readonly #signals: SignalHost;
  /** Where marks stand in for bodies; `null`: a body that was not read is refused. */
  readonly #places: BodyPlaces | null;

  /** @param level how deep the value lies in that of the parent */
  constructor(
    errors: ErrorRules,
    signals: SignalHost,
    places: BodyPlaces | null,
    parent?: Writer,
    level = 1,
  ) {
    this.#errors = errors;
    this.#signals = signals;
    this.#places = places;
    this.#depth = new DepthGuard(level);
    this.#depths = parent === undefined ? new Map() : parent.#depths;
    this.#described = parent === undefined ? new Map() : parent.#described;
    for (const instance of parent === undefined ? [] : parent.#open) this.#open.add(instance);
  }

  reducers(): Record<string, (value: unknown) => unknown> {
    const reduce =
      (reducer: (value: object) => unknown) =>
      (value: unknown): unknown =>
        isPlainlyObject(value) && this.#depth.below(value, reducer(value));
    return {
      Function: (value) => this.#function(value),
      Instance: reduce((value) => this.#instance(value)),
      Error: reduce((value) => isErrorLike(value) && this.#error(value)),
      Buffer: reduce((value) => Buffer.isBuffer(value) && new Uint8Array(value)),
      Stream: reduce((value) => streamInPlaceOf(value)),
      AbortSignal: reduce((value) => writeSignal(this.#signals, value)),
      AbortController: reduce((value) => writeController(this.#signals, value)),
      Headers: reduce((value) => isHeaders(value) && [...value]),
      Request: reduce((value) => requestData(value, this.#places)),
      Response: reduce((value) => responseData(value, this.#places)),
      Entries: reduce((value) => hasProtoKey(value, Object.prototype) && new Map(Object.entries(value))),
      NullEntries: reduce((value) => hasProtoKey(value, null) && new Map(Object.entries(value))),
    };
  }

  operations(): Partial<StringifyOperations> {
    const depth = this.#depth;
    return {
      ...OPERATIONS,
      identify: (value: unknown) => {
        depth.enter(value);
        // devalue knows an open instance by its identity and would only name it again; unknown, it is refused.
        return this.#open.has(value as object) ? Symbol() : value;
      },
      get: (value: object, key: string | number) => depth.below(value, read(value, key)),
      *valuesOf(set: Set<unknown>) {
        for (const value of set) yield depth.below(set, value);
      },
      *entriesOf(map: Map<unknown, unknown>): Generator<[unknown, unknown]> {
        for (const [key, value] of map) yield [depth.below(map, key), depth.below(map, value)];
      },
    };
  }

  #function(value: unknown): unknown {
    const data = functionData(value);
    if (data === undefined || typeof value !== "function") return undefined;
    return this.#depth.below(value, data);
  }

  #instance(value: object): unknown {
    if (this.#open.has(value)) return undefined;
    const cls = customClassOf(value);
    if (cls === undefined) return undefined;
    this.#open.add(value);
    const open = this.#open;
    const [data, id] = dataOf(cls, value);
    return {
      [DATA_KEY]: data,
      // Read after the data was written: until then the instance is open.
      get [CLASS_KEY](): string {
        open.delete(value);
        return id;
      },
    };
  }

  #error(error: Error): ErrorData {
    const known = this.#described.get(error);
    if (known != null) return known;
    // Met inside one of its own properties, which is only being tried out.
    if (known === null) return { name: "Error", kinds: [] };
    this.#described.set(error, null);
    const { limits } = this.#errors;
    const depth = (this.#depths.get(error) ?? 0) + 1;
    const sift = (value: unknown): unknown =>
      this.#sift(value, this.#depth.level(error) + LEVELS_OF_AN_ERROR);
    const data = describeError(error, limits, sift, (cause) => {
      if (!isErrorLike(cause)) return sift(cause);
      if (depth > limits.depth) return `[cut: causes more than ${limits.depth} deep]`;
      if (!this.#depths.has(cause)) this.#depths.set(cause, depth);
      return cause;
    });
    if (error === this.#errors.error) addFacts(data, error, this.#errors.facts);
    this.#described.set(error, data);
    return data;
  }

  /** Keeps what can be stored and is not too large; errors with sockets in them must get through as errors. */
  #sift(value: unknown, level: number): unknown {
    if (value === DROP) return DROP;
    if (typeof value === "string") return cutText(value, this.#errors.limits.property);
    try {
      const size = writeWith(value, "", new Writer(this.#errors, this.#signals, null, this, level)).length;
      return size <= this.#errors.limits.property ? value : `[cut: ${size} characters]`;
    } catch {
      return DROP;
    }
  }
}

const OPERATIONS: Partial<StringifyOperations> = {
  tagOf: builtinTag,
  isThenable(value: object): boolean {
    try {
      return !types.isProxy(value) && typeof (value as { then?: unknown }).then === "function";
    } catch {
      return false;
    }
  },
  shapeOf(value: object) {
    if (types.isProxy(value)) return { kind: "not-plain" };
    const prototype = Object.getPrototypeOf(value);
    if (!isPlainPrototype(prototype)) return { kind: "not-plain" };
    if (
      Object.getOwnPropertySymbols(value).some((key) =>
        Object.prototype.propertyIsEnumerable.call(value, key),
      )
    ) {
      return { kind: "symbol-keys" };
    }
    return { kind: prototype === null ? "null-proto" : "plain", keys: Object.keys(value) };
  },
  // Only the bytes that the view shows: its buffer may be a pool with other data in it.
  viewInfo(view: ArrayBufferView & { length?: number }) {
    const bytes = new Uint8Array(view.byteLength);
    bytes.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
    const { buffer, byteLength } = bytes;
    return {
      buffer,
      byteOffset: 0,
      byteLength,
      length: view.length ?? byteLength,
      bufferByteLength: byteLength,
    };
  },
};

function read(value: object, key: string | number): unknown {
  try {
    return (value as Record<string | number, unknown>)[key];
  } catch (error) {
    return new Refusal(`cannot be read: its getter threw ${inWords(error)}.`);
  }
}

function customClassOf(value: object): SerializableClass | undefined {
  try {
    return serializableClassOf(value);
  } catch {
    return undefined;
  }
}

function dataOf(cls: SerializableClass, instance: object): [data: unknown, id: string] {
  try {
    const id = classIdOf(cls);
    try {
      return [cls[WORKFLOW_SERIALIZE](instance), id];
    } catch (error) {
      return [new Refusal(`is an instance of ${id} whose WORKFLOW_SERIALIZE threw ${inWords(error)}.`), id];
    }
  } catch (error) {
    return [new Refusal((error as Error).message), ""];
  }
}

function isHeaders(value: unknown): value is Headers {
  if (!isPlainlyObject(value) || Object.hasOwn(value, Symbol.toStringTag)) return false;
  const tag = Object.prototype.toString.call(value);
  return tag === "[object Headers]" && typeof (value as Headers).getSetCookie === "function";
}

/** devalue refuses `__proto__` as an own key; such objects are stored as entries. */
function hasProtoKey(value: unknown, prototype: object | null): value is object {
  return (
    isPlainlyObject(value) &&
    Object.hasOwn(value, "__proto__") &&
    Object.getPrototypeOf(value) === prototype &&
    Object.getOwnPropertySymbols(value).length === 0
  );
}
