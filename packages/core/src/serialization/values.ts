/**
 * Values to bytes and back: the boundary between the engine, which handles values, and a World, which stores bytes.
 */
import { SerializationError } from "../errors/input.ts";
import { NO_TIES, type SignalHost, signalHost } from "./abort.ts";
import { takenBefore, UnreadBody } from "./bodies.ts";
import { tooLarge } from "./depth.ts";
import { pack, unpack } from "./format.ts";
import { BodyPlaces } from "./http-values.ts";
import { isJsonExact } from "./json.ts";
import { type ReadOptions, read } from "./read.ts";
import { withOutlet } from "./stream-values.ts";
import { write, writeOpen } from "./write.ts";

/**
 * The bytes of a value, or `null` for `undefined`.
 *
 * Kept: JSON, `undefined`, `-0`, `NaN`, infinities, bigint, Date, RegExp, Map, Set, URL, URLSearchParams, ArrayBuffer,
 * typed arrays, DataView, Buffer, Headers, Request, Response, errors, holes, null prototypes, own `__proto__` keys, boxed
 * primitives, abort signals and controllers, cycles and repeated references, instances of classes with `WORKFLOW_SERIALIZE` and
 * `WORKFLOW_DESERIALIZE`; steps, workflows and registered classes, as themselves. Of a Request or Response whose body was not
 * read, the bytes must be read first: {@link whenRead} does so.
 * Not kept: names that arrays have besides their elements (subclasses of Array come back as arrays), the sharing of one
 * buffer by several views, and of errors what exceeds their bounds. Getters become the values they give. A value has at
 * most 500 levels, so that it can be read wherever it was written.
 *
 * @param where what the value is called in errors: with `args`, a socket is refused at `args[0].user.socket`
 * @param signals who ties the abort signals in it; the calling code's own host by default
 * @throws {SerializationError} for anything else: other functions, symbols, promises, proxies, other class instances, getters
 *   that throw, what is nested too deeply
 */
export function encode(value: unknown, where: string, signals?: SignalHost): Uint8Array | null {
  if (value === undefined) return null;
  const taken = takenBefore(value);
  if (taken !== undefined) return taken;
  if (isJsonExact(value)) return pack("j", json(value, where));
  try {
    return pack("d", write(value, where, signals ?? signalHost()));
  } catch (error) {
    if (error instanceof UnreadBody) take(value, error);
    throw error;
  }
}

/** Encodes several values of a call. If the body of one has to be read first, the others are taken as well, as they are now. */
export function encodingAll<T>(values: readonly unknown[], encodes: () => T): T {
  try {
    return encodes();
  } catch (error) {
    if (error instanceof UnreadBody) {
      const taken = new Set(error.open.map(({ value }) => value));
      for (const value of values) if (!taken.has(value)) take(value, error);
    }
    throw error;
  }
}

/** Keeps a value as it is now, but for the bodies in it; not if it is tied to whoever encodes it, by an abort signal or a stream. */
function take(value: unknown, { open }: UnreadBody): void {
  const places = new BodyPlaces();
  try {
    const text = withOutlet(null, () => writeOpen(value, "value", NO_TIES, places));
    open.push({ value, holders: places.holders, close: () => pack("d", places.filled(text)) });
  } catch {
    // Then it is refused, or encoded anew, when its turn comes.
  }
}

/** What a value of this call is to those who look into it: a copy of what was taken, if the call had to wait for a body. */
export function asTaken<T>(value: T): T {
  const taken = takenBefore(value);
  return taken === undefined ? value : (decode(taken) as T);
}

/**
 * A copy of a value, as it crosses the journal; the value itself if it cannot be stored, or is tied to whoever has it, by an abort
 * signal or a stream.
 */
export function copyOf(value: unknown): unknown {
  try {
    return decode(withOutlet(null, () => encode(value, "value", NO_TIES)));
  } catch {
    return value;
  }
}

/**
 * The value of bytes that `encode` made: a copy that shares nothing with the original.
 *
 * @throws {EncryptionError} if they are still encrypted, {@link SerializationError} if they are of an unknown format or contain an instance of a class that is not
 *   registered in this process
 */
export function decode(bytes: Uint8Array | null, options?: ReadOptions): unknown {
  if (bytes === null) return undefined;
  const { format, text } = unpack(bytes);
  try {
    return format === "j" ? JSON.parse(text) : read(text, options);
  } catch (cause) {
    if (SerializationError.is(cause)) throw cause;
    if (cause instanceof RangeError) {
      const reason =
        "cannot be read back here, where so much of the stack is in use. Read it from a shallower call.";
      throw new SerializationError("A stored value", reason, { cause });
    }
    throw new SerializationError("A stored value", "cannot be read back: its bytes are damaged.", { cause });
  }
}

/** Whether a value needs no copy: nobody can change it. Symbols are left out, for `encode` to refuse. */
export function isImmutable(value: unknown): boolean {
  return (
    value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")
  );
}

function json(value: unknown, where: string): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw tooLarge(where, cause);
  }
}
