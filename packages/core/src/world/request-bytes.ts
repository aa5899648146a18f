import type { JoinedRequest, JoinedRun } from "./joining.ts";

/**
 * Requests as the bytes that an outbox keeps, the same on every World: the length of a JSON text, the text, and behind it all
 * bytes that the request has, to which the text refers.
 */

const LENGTH = 4;

/** Where bytes were, the text has an object with this key alone, which no request has a pair of numbers under. */
const BYTES = "";

/** The bytes of a request. They are the caller's: nothing in them is shared with the request. */
export function packRequest(request: JoinedRequest): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  // A Buffer is something else by the time that its replacer is called, so it is taken from the object that has it.
  function refer(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
    const bytes = this[key];
    if (!(bytes instanceof Uint8Array)) return value;
    parts.push(bytes);
    size += bytes.byteLength;
    return { [BYTES]: [size - bytes.byteLength, size] };
  }
  const bare =
    request.type === "createRuns" ? { ...request, batch: request.batch.map(withoutLease) } : request;
  const text = new TextEncoder().encode(JSON.stringify(bare, refer));
  const packed = new Uint8Array(LENGTH + text.byteLength + size);
  new DataView(packed.buffer).setUint32(0, text.byteLength);
  packed.set(text, LENGTH);
  let at = LENGTH + text.byteLength;
  for (const part of parts) {
    packed.set(part, at);
    at += part.byteLength;
  }
  return packed;
}

/**
 * The request that {@link packRequest} was given; its bytes are views of these.
 *
 * @throws {TypeError} for bytes that are no request
 */
export function unpackRequest(packed: Uint8Array): JoinedRequest {
  try {
    // Plain bytes, also of a Buffer.
    const all = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
    const end = LENGTH + new DataView(all.buffer, all.byteOffset, all.byteLength).getUint32(0);
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const bytes = all.subarray(end);
    const text = decoder.decode(all.subarray(LENGTH, end));
    const request: JoinedRequest = JSON.parse(text, (_, value) => resolve(value, bytes));
    if (!isRequest(request)) throw new TypeError("it asks for nothing that is known");
    return request;
  } catch (error) {
    throw new TypeError("A row of the outbox holds no request.", { cause: error });
  }
}

function resolve(value: unknown, bytes: Uint8Array): unknown {
  if (typeof value !== "object" || value === null || !(BYTES in value)) return value;
  const range = value[BYTES];
  if (!Array.isArray(range)) return value;
  const [from, to] = range;
  if (!(to <= bytes.byteLength)) throw new RangeError("bytes are missing");
  return bytes.subarray(from, to);
}

function isRequest({ type, batch, now }: JoinedRequest): boolean {
  return (type === "createRuns" || type === "deliver") && Array.isArray(batch) && typeof now === "number";
}

function withoutLease(run: JoinedRun): JoinedRun {
  return { ...run, lease: undefined } as JoinedRun;
}
