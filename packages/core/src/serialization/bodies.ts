/**
 * Bodies of requests and responses. A body is a stream and encoding is synchronous, so what is encoded is what is known of a
 * body: none, the bytes with which the value came out of the journal, or those that were read before the value is encoded again.
 */
import { SerializationError } from "../errors/input.ts";
import { processWide } from "../process-wide.ts";

/** What has a body. */
export type BodyHolder = Request | Response;

/** The most bytes that the body of a stored request or response may have. */
export const MAX_BODY_BYTES: number = 8 * 1024 * 1024;

const known: WeakMap<object, Uint8Array<ArrayBuffer> | null> = processWide("bodies", () => new WeakMap());

/** The body of this request or response is these bytes. */
export function rememberBody(holder: BodyHolder, bytes: Uint8Array<ArrayBuffer> | null): void {
  known.set(holder, bytes);
}

/** The bytes of a body, `null` for none, `undefined` if they are not known. */
export function knownBody(holder: BodyHolder): Uint8Array<ArrayBuffer> | null | undefined {
  return holder.body === null ? null : known.get(holder);
}

/** A value as it was when it was to be encoded, but for bodies that have to be read first. */
export interface OpenValue {
  readonly value: unknown;
  readonly holders: readonly BodyHolder[];
  /** Its bytes, once the bodies are known. */
  readonly close: () => Uint8Array;
}

/** A value holds a request or response whose body was not read. Whoever can wait calls {@link whenRead}. */
export class UnreadBody extends SerializationError {
  readonly holder: BodyHolder;
  /**
   * The value, and what else the call passes, as they are now. Not a value that is tied to its caller, such as by an abort signal: it is
   * encoded anew.
   */
  readonly open: OpenValue[] = [];

  constructor(path: string, holder: BodyHolder) {
    super(
      path,
      "has a body that has not been read, and this call cannot wait for it. Pass what `await body.text()` or " +
        "`await body.bytes()` gives.",
    );
    this.holder = holder;
  }
}

/** Values that were taken before their bodies were read, for what encodes them now: encoding is synchronous. */
let taken: ReadonlyMap<unknown, Uint8Array> = new Map();

/** The bytes of a value that {@link whenRead} has taken as it was. */
export function takenBefore(value: unknown): Uint8Array | undefined {
  return taken.get(value);
}

/**
 * Calls what encodes values, and calls it again when bodies had to be read first: the values are those of the first call all the
 * same.
 *
 * @throws {SerializationError} for a body that was used already or is too large; what the body's stream throws, as it is
 */
export async function whenRead<T>(encodes: () => T | Promise<T>): Promise<T> {
  try {
    return await encodes();
  } catch (error) {
    if (!(error instanceof UnreadBody)) throw error;
    return await afterReading(error, encodes);
  }
}

/** Reads the bodies without which a value could not be encoded, and calls what encodes it. */
export async function afterReading<T>(unread: UnreadBody, encodes: () => T | Promise<T>): Promise<T> {
  const known = new Map(taken);
  for (let error = unread; ; ) {
    const { open, holder, path } = error;
    await readBody(holder, path);
    for (const other of open.flatMap(({ holders }) => holders)) await readBody(other, path);
    for (const { value, close } of open) known.set(value, close());
    try {
      return await withTaken(known, encodes);
    } catch (next) {
      if (!(next instanceof UnreadBody)) throw next;
      error = next;
    }
  }
}

function withTaken<T>(known: typeof taken, encodes: () => T): T {
  const before = taken;
  taken = known;
  try {
    return encodes();
  } finally {
    taken = before;
  }
}

/** Reads a copy of the body, so that it can be stored; the request or response can still be read by others. */
export async function readBody(holder: BodyHolder, path: string): Promise<void> {
  if (knownBody(holder) !== undefined) return;
  if (holder.bodyUsed || holder.body?.locked === true) {
    throw new SerializationError(
      path,
      "has a body that was read already, or is being read. Pass clone() of it, made before.",
    );
  }
  const bytes = await bytesOf(holder.clone(), MAX_BODY_BYTES);
  if (bytes === "too large") {
    throw new SerializationError(
      path,
      `has a body of more than ${MAX_BODY_BYTES} bytes. Keep it elsewhere and pass a reference to it.`,
    );
  }
  rememberBody(holder, bytes);
}

/** Reads a body to its end, or until it has more bytes than the limit. */
export async function bytesOf(
  holder: BodyHolder,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | null | "too large"> {
  if (holder.body === null) return null;
  const reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> = holder.body.getReader();
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      reader.cancel().catch(() => {});
      return "too large";
    }
    parts.push(value);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array<ArrayBuffer>) : Buffer.concat(parts, size);
}
