/**
 * Keys of records and names as SQLite keeps them: bytes in which NUL is a byte like others, and in which all keys with a
 * prefix lie together. They are the key's UTF-8; half of a surrogate pair, for which UTF-8 has no form, is written as UTF-8
 * would write its number.
 */

// No key has such a byte: behind a prefix it comes after all keys with that prefix.
const NO_UTF8 = Buffer.of(0xff);

/** A key as it is kept. */
export function toStoredKey(key: string): Uint8Array {
  if (!/\p{Surrogate}/u.test(key)) return Buffer.from(key);
  const parts = key.split(/(\p{Surrogate})/u);
  return Buffer.concat(parts.map((part, index) => (index % 2 === 0 ? Buffer.from(part) : fromHalf(part))));
}

/** The key that {@link toStoredKey} was given. */
export function fromStoredKey(stored: Uint8Array): string {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  // In UTF-8, what follows a byte ED is less than A0.
  const parts = bytes.toString("latin1").split(/\xed([\xa0-\xbf][\x80-\xbf])/);
  if (parts.length === 1) return bytes.toString();
  return parts
    .map((part, index) => (index % 2 === 0 ? Buffer.from(part, "latin1").toString() : toHalf(part)))
    .join("");
}

/** Comes after every key with the prefix, and before all others that come after the prefix. */
export function endOfKeys(prefix: string): Uint8Array {
  return Buffer.concat([toStoredKey(prefix), NO_UTF8]);
}

/** Where the keys after a key begin. */
export function nextKey(key: string): Uint8Array {
  return Buffer.concat([toStoredKey(key), Buffer.of(0)]);
}

function fromHalf(half: string): Uint8Array {
  const code = half.charCodeAt(0);
  return Buffer.of(0xed, 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
}

function toHalf(latin1: string): string {
  return String.fromCharCode(0xd000 | ((latin1.charCodeAt(0) & 0x3f) << 6) | (latin1.charCodeAt(1) & 0x3f));
}
