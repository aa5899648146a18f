/**
 * Strings as Postgres keeps them. A `text` cannot hold NUL, and UTF-8 has no form for a lone surrogate; both are written
 * with an escape, U+0001, that ordinary strings do not contain. Equal strings, and only those, have equal stored forms,
 * and NUL keeps its place in the order. No UTF-16 unit takes more than four bytes, so that the longest name fits into an
 * index.
 */

const ESCAPE = "\u0001";

// From a surrogate to the character that stands for it after an escape: one for private use.
const TO_PRIVATE = 0xe000 - 0xd800;

// biome-ignore lint/suspicious/noControlCharactersInRegex: the two that need an escape.
const UNUSUAL = /[\0\u0001]|\p{Surrogate}/u;

/** The stored form of a string. */
export function toStored(value: string): string {
  return UNUSUAL.test(value) ? escaped(value) : value;
}

/** {@link toStored} for a string that may be absent. */
export function toStoredOrNull(value: string | null): string | null {
  return value === null ? null : toStored(value);
}

/** The string that {@link toStored} was given. */
export function fromStored(stored: string): string {
  return stored.includes(ESCAPE) ? unescaped(stored) : stored;
}

/** {@link fromStored} for a column that may be null. */
export function fromStoredOrNull(stored: string | null): string | null {
  return stored === null ? null : fromStored(stored);
}

function escaped(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the two that need an escape.
  return value.replace(/[\0\u0001]|\p{Surrogate}/gu, (found) => {
    if (found === "\0") return `${ESCAPE}0`;
    if (found === ESCAPE) return `${ESCAPE}1`;
    return `${ESCAPE}${String.fromCharCode(found.charCodeAt(0) + TO_PRIVATE)}`;
  });
}

function unescaped(stored: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what `escaped` writes.
  return stored.replace(/\u0001([01\ue000-\ue7ff])/g, (_, found: string) => {
    if (found === "0") return "\0";
    return found === "1" ? ESCAPE : String.fromCharCode(found.charCodeAt(0) - TO_PRIVATE);
  });
}
