/**
 * The form of encrypted bytes, which anybody can recognise: `key1`, a byte of flags, the length of the key's id and the id, the
 * nonce, what was encrypted, and the tag of AES-GCM.
 */
import { EncryptionError, type EncryptionObstacle } from "../errors/index.ts";
import { processWide } from "../process-wide.ts";

const MARK = Buffer.from("key1", "latin1");
const NONCE = 12;
const TAG = 16;

/** The longest id of a key, in bytes. */
export const LONGEST_KEY_ID = 64;

/** By so many bytes at most a value grows when it is encrypted. */
export const SEAL_OVERHEAD: number = MARK.length + 2 + LONGEST_KEY_ID + NONCE + TAG;

/** Encrypted bytes, taken apart. */
export interface SealedParts {
  readonly keyId: string;
  /** What was encrypted is compressed. */
  readonly compressed: boolean;
  /** What stands before the nonce. */
  readonly header: Uint8Array;
  readonly nonce: Uint8Array;
  readonly body: Uint8Array;
  readonly tag: Uint8Array;
}

/** What stands before the nonce. */
export function sealHeader(keyId: string, compressed: boolean): Buffer {
  const id = Buffer.from(keyId, "utf8");
  return Buffer.concat([MARK, Uint8Array.of(compressed ? 1 : 0, id.length), id]);
}

/** Whether the bytes are encrypted. Nothing else that is stored begins like them. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes[0] === MARK[0] && MARK.every((byte, index) => bytes[index] === byte);
}

/** Takes encrypted bytes apart; `null` if they are cut off. */
export function sealedParts(bytes: Uint8Array): SealedParts | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const afterId = MARK.length + 2 + (buffer[MARK.length + 1] ?? 0);
  const afterNonce = afterId + NONCE;
  if (buffer.length < afterNonce + TAG) return null;
  return {
    keyId: keyIdOf(bytes),
    compressed: buffer[MARK.length] === 1,
    header: buffer.subarray(0, afterId),
    nonce: buffer.subarray(afterId, afterNonce),
    body: buffer.subarray(afterNonce, -TAG),
    tag: buffer.subarray(-TAG),
  };
}

/** The id of the key of encrypted bytes. */
export function keyIdOf(bytes: Uint8Array): string {
  const from = MARK.length + 2;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .subarray(from, from + (bytes[from - 1] ?? 0))
    .toString("utf8");
}

/**
 * What stands in the place of a value that is not encrypted, for a reader who takes only those that are. The id of a key is never
 * empty, so it is told from what was encrypted.
 */
export function refusedPlain(): Uint8Array {
  return sealHeader("", false);
}

const kept: WeakSet<Uint8Array> = processWide("kept encrypted", () => new WeakSet());

/** Remembers of bytes in the clear that the store has them encrypted. */
export function noteKeptEncrypted(bytes: Uint8Array): void {
  kept.add(bytes);
}

/** Whether the store has these bytes encrypted, so far as they came from it or went to it in this process. */
export function isKeptEncrypted(bytes: Uint8Array | null): boolean {
  return bytes !== null && kept.has(bytes);
}

interface Unopened {
  readonly obstacle: EncryptionObstacle;
  /** With what the program's function for keys has failed. */
  readonly cause?: unknown;
}

const unopened: WeakMap<Uint8Array, Unopened> = processWide("unopened", () => new WeakMap());

/** Keeps for {@link encryptionError} why these bytes could not be opened. */
export function noteObstacle(bytes: Uint8Array, why: Unopened): void {
  unopened.set(bytes, why);
}

/** What to throw for bytes that are still encrypted. */
export function encryptionError(bytes: Uint8Array): EncryptionError {
  if (keyIdOf(bytes) === "") return new EncryptionError("", "not_encrypted");
  const { obstacle, ...options } = unopened.get(bytes) ?? { obstacle: "no_key" };
  return new EncryptionError(keyIdOf(bytes), obstacle, options);
}

/** What to throw for the first of these whose value is still encrypted; `null` where none is. */
export function sealedAmong(parts: Iterable<{ readonly data: Uint8Array | null }>): EncryptionError | null {
  for (const { data } of parts) if (data !== null && isSealed(data)) return encryptionError(data);
  return null;
}

/** @throws {EncryptionError} if one of these is still encrypted */
export function refuseSealed(parts: Iterable<{ readonly data: Uint8Array | null }>): void {
  const error = sealedAmong(parts);
  if (error !== null) throw error;
}

const TEXT_MARK = "key1:";

/** Encrypted bytes as a text, for what is stored as one. */
export function textOfSealed(bytes: Uint8Array): string {
  return TEXT_MARK + Buffer.from(bytes).toString("base64url");
}

/** The encrypted bytes of such a text; `null` for any other. */
export function sealedOfText(text: string): Uint8Array | null {
  return text.startsWith(TEXT_MARK)
    ? new Uint8Array(Buffer.from(text.slice(TEXT_MARK.length), "base64url"))
    : null;
}

/** @throws {EncryptionError} for a text that is still encrypted, so that nobody compares it */
export function refuseSealedText(text: string | null): void {
  const sealed = text === null ? null : sealedOfText(text);
  if (sealed !== null) throw encryptionError(sealed);
}
