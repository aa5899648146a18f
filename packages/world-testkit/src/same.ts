import { deepStrictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";

// More bytes than these are compared by length and digest: to print the difference of two such values takes gigabytes.
const PRINTED = 1_000;

/**
 * Requires that two values of the contract are the same. A Buffer is as good as a Uint8Array, and a row object of a
 * database driver as good as a literal.
 */
export function same(actual: unknown, expected: unknown, message?: string): void {
  deepStrictEqual(plain(actual), plain(expected), message);
}

function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) {
    return value.length > PRINTED
      ? `${value.length} bytes with SHA-256 ${createHash("sha256").update(value).digest("hex")}`
      : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}
