/**
 * The table of records. A key is kept as bytes, so that NUL is a byte like others and all keys with a prefix lie together.
 */
import type { Tables } from "./tables.ts";

// UTF-8 has no such byte. In front of a key: it is no UTF-8. Behind a prefix: after all keys with that prefix.
const NO_UTF8 = Buffer.of(0xff);

/** Part of version 1. */
export function createRecords({ records }: Pick<Tables, "records">): string {
  return `
    CREATE TABLE ${records} (
      id INTEGER PRIMARY KEY,
      key BLOB NOT NULL UNIQUE,
      version TEXT NOT NULL,
      value BLOB NOT NULL,
      expires_at INTEGER
    );
    CREATE INDEX ${records}_expiring ON ${records} (expires_at) WHERE expires_at IS NOT NULL;`;
}

/** A key as it is kept: its UTF-8, or where that has no form for it, its UTF-16. */
export function toStoredKey(key: string): Uint8Array {
  return /\p{Surrogate}/u.test(key)
    ? Buffer.concat([NO_UTF8, Buffer.from(key, "utf16le")])
    : Buffer.from(key);
}

/** The key that {@link toStoredKey} was given. */
export function fromStoredKey(stored: Uint8Array): string {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  return bytes[0] === NO_UTF8[0] ? bytes.toString("utf16le", 1) : bytes.toString();
}

/** Comes after every key with the prefix, and before all others that come after the prefix. */
export function endOfKeys(prefix: string): Uint8Array {
  return Buffer.concat([Buffer.from(prefix), NO_UTF8]);
}

/** Where the keys after a key begin. */
export function nextKey(key: string): Uint8Array {
  return Buffer.concat([toStoredKey(key), Buffer.of(0)]);
}
