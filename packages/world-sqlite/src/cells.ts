/**
 * What SQLite may give for a column: a table takes values of any type, and a damaged one has them. Whoever reads a row
 * reads its columns through these, so that damage is named where it is met.
 */
import { fromStored, type StoredText } from "./text.ts";

/** A row, or a row that is missing, that nobody has written like that. */
export class Damage extends Error {
  override readonly name = "Damage";
}

/** Tells whether an error is about what the store holds, and not about the call. */
export function isDamage(error: unknown): boolean {
  if (error instanceof Damage) return true;
  // A number that JavaScript cannot hold.
  return error instanceof RangeError && "code" in error && error.code === "ERR_OUT_OF_RANGE";
}

/** A number. */
export function number(value: unknown, column: string): number {
  if (typeof value === "number") return value;
  throw wrongType(value, column, "a number");
}

/** A number, or nothing. */
export function numberOrNull(value: unknown, column: string): number | null {
  return value === null ? null : number(value, column);
}

/** A string. */
export function text(value: unknown, column: string): string {
  if (typeof value === "string" || value instanceof Uint8Array) return fromStored(value as StoredText);
  throw wrongType(value, column, "a text");
}

/** A string, or nothing. */
export function textOrNull(value: unknown, column: string): string | null {
  return value === null ? null : text(value, column);
}

/** Bytes, or nothing. */
export function bytesOrNull(value: unknown, column: string): Uint8Array | null {
  if (value === null || value instanceof Uint8Array) return value;
  throw wrongType(value, column, "bytes");
}

// The value itself may be a user's: only its type is told.
function wrongType(value: unknown, column: string, expected: string): Damage {
  return new Damage(
    `its column ${column} holds ${value === null ? "nothing" : `a ${typeof value}`} in place of ${expected}`,
  );
}
