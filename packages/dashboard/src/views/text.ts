import { inspect } from "node:util";
import { EncryptedValue } from "@perdure/core/api";

/** Values in one line. */

/** A value in at most so many characters; `null` for `undefined`. */
export function lineOf(value: unknown, most: number): string | null {
  if (value === undefined) return null;
  if (value === null || typeof value === "number" || typeof value === "boolean") return String(value);
  if (value instanceof EncryptedValue) return String(value);
  const text =
    value instanceof Error
      ? `${value.name}: ${value.message}`
      : typeof value === "string"
        ? JSON.stringify(value.slice(0, most))
        : inspect(value, {
            depth: 2,
            breakLength: Number.POSITIVE_INFINITY,
            maxStringLength: most,
            maxArrayLength: 10,
          });
  const line = text.replaceAll(/\s*\n\s*/g, " ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
