/**
 * Strings as SQLite keeps them. SQLite compares TEXT by its bytes, but not every string survives the way there: some
 * Node versions cut TEXT at a NUL when they read it, and UTF-8 has no form for a lone surrogate. Those rare strings
 * are stored as a BLOB of their UTF-16 code units, which never equals a TEXT.
 */

/** What a column of any string holds. */
export type StoredText = string | Uint8Array;

const UNUSUAL = /\0|\p{Surrogate}/u;

/** The stored form of a string: equal strings, and only those, have equal forms. */
export function toStored(value: string): StoredText {
  return UNUSUAL.test(value) ? Buffer.from(value, "utf16le") : value;
}

/** {@link toStored} for a string that may be absent. */
export function toStoredOrNull(value: string | null): StoredText | null {
  return value === null ? null : toStored(value);
}

/** The string that {@link toStored} was given. */
export function fromStored(stored: StoredText): string {
  return typeof stored === "string" ? stored : Buffer.from(stored).toString("utf16le");
}

/** {@link fromStored} for a column that may be null. */
export function fromStoredOrNull(stored: StoredText | null): string | null {
  return stored === null ? null : fromStored(stored);
}
