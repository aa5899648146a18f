/**
 * Chunks as bytes: the first one says what the rest is. `b` and `B`: raw bytes, of a `Uint8Array` and of a `Buffer`; `u`: `undefined`; `e`: an error
 * with which a stream ended. Anything else is a value in the format of the journal.
 */
import { decode, decodeError, encode, encodeError } from "../serialization/index.ts";

const [BYTES, BUFFER, UNDEFINED, ERROR] = [0x62, 0x42, 0x75, 0x65];

/** What a chunk says. */
export type ChunkContent =
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "error"; readonly error: unknown };

/**
 * The bytes of a chunk.
 *
 * @throws {SerializationError} for a value that cannot be stored
 */
export function encodeChunk(value: unknown): Uint8Array {
  if (Buffer.isBuffer(value)) return tagged(BUFFER, value);
  if (value instanceof Uint8Array) return tagged(BYTES, value);
  return encode(value, "chunk") ?? Uint8Array.of(UNDEFINED);
}

/** The chunk that ends a stream with an error. */
export function encodeErrorChunk(error: unknown): Uint8Array {
  return tagged(ERROR, encodeError(error));
}

/** What {@link encodeChunk} or {@link encodeErrorChunk} was given: a copy. */
export function decodeChunk(data: Uint8Array): ChunkContent {
  switch (data[0]) {
    case BYTES:
      return { type: "value", value: new Uint8Array(data.subarray(1)) };
    case BUFFER:
      return { type: "value", value: Buffer.from(data.subarray(1)) };
    case UNDEFINED:
      return { type: "value", value: undefined };
    case ERROR:
      return { type: "error", error: decodeError(data.slice(1)) };
    default:
      return { type: "value", value: decode(data) };
  }
}

function tagged(tag: number, bytes: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(bytes.byteLength + 1);
  chunk[0] = tag;
  chunk.set(bytes, 1);
  return chunk;
}
