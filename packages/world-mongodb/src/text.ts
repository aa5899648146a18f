/**
 * Strings as the store keeps them. BSON strings are UTF-8, which has no form for a lone surrogate, and some compatible
 * services refuse NUL; both are written as an escape, so that equal strings, and only those, are stored as equal ones.
 */

// A noncharacter: no text uses it, and where one does all the same it is escaped itself.
const ESCAPE = "\uFDD0";

const UNUSUAL = /[\0\uFDD0\p{Surrogate}]/u;
const EACH_UNUSUAL = /[\0\uFDD0\p{Surrogate}]/gu;
const EACH_ESCAPED = /\uFDD0([0-9a-f]{4})/g;

/** The stored form of a string. */
export function toStored(value: string): string {
  if (!UNUSUAL.test(value)) return value;
  return value.replace(EACH_UNUSUAL, escaped);
}

/**
 * The stored form of a key that is looked for by its beginning. Surrogates are escaped in pairs as well: servers compare
 * strings by UTF-8 or by UTF-16, and only without them are the two orders one.
 */
export function toStoredKey(key: string): string {
  return key.replace(/[\0\uFDD0\uD800-\uDFFF]/g, escaped);
}

/** The string that {@link toStored} or {@link toStoredKey} was given. */
export function fromStored(stored: string): string {
  if (!stored.includes(ESCAPE)) return stored;
  return stored.replace(EACH_ESCAPED, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** {@link fromStored} for a field that may be missing. */
export function fromStoredOrNull(stored: string | null | undefined): string | null {
  return stored === null || stored === undefined ? null : fromStored(stored);
}

function escaped(unit: string): string {
  return ESCAPE + unit.charCodeAt(0).toString(16).padStart(4, "0");
}
