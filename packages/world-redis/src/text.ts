/**
 * Strings as Redis keeps them: UTF-8, which holds every string but those with a lone surrogate. Those rare ones are
 * stored as their UTF-16 code units behind a byte that UTF-8 never begins with, so equal strings, and only those, have
 * equal forms.
 */

/** One argument of a script: a string is sent as UTF-8. */
export type Stored = string | Buffer;

const UTF16 = 0xff;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** The stored form of a string. */
export function toStored(value: string): Stored {
  if (!hasLoneSurrogate(value)) return value;
  return toUtf16(value);
}

/** The stored form of a string that begins with this one and has a lone surrogate begins with these bytes. */
export function toUtf16(value: string): Buffer {
  return Buffer.concat([Buffer.of(UTF16), Buffer.from(value, "utf16le")]);
}

/** Tells whether UTF-8 has no form for a string. */
export function hasLoneSurrogate(value: string): boolean {
  return LONE_SURROGATE.test(value);
}

/** {@link toStored} as bytes. */
export function toBytes(value: string): Buffer {
  const stored = toStored(value);
  return typeof stored === "string" ? Buffer.from(stored) : stored;
}

/** The string that {@link toStored} was given. */
export function fromStored(stored: Buffer): string {
  return stored[0] === UTF16 ? stored.toString("utf16le", 1) : stored.toString();
}

/** The stored form of a string behind its length. */
export function withLength(value: string): Buffer {
  const bytes = toBytes(value);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
