import { inspect } from "node:util";
import { EncryptedValue } from "@perdure/core/api";
import { userStack } from "@perdure/core/inspect";
import { paint } from "./terminal.ts";

/** Times, lengths and values as people read them. */

/** `2026-11-26 01:13:01`, in UTC; `-` for none. */
export function time(date: Date | null | undefined): string {
  return date === null || date === undefined ? "-" : date.toISOString().slice(0, 19).replace("T", " ");
}

/** `12 ms`, `4.2 s`, `3 min`, `2.5 h`, `12 days`. */
export function length(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${round(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${round(ms / 3_600_000)} h`;
  return `${round(ms / 86_400_000)} days`;
}

function round(n: number): string {
  return n < 10 ? n.toFixed(1).replace(/\.0$/, "") : String(Math.round(n));
}

/** How long it took from one time to another; `-` where one is missing. */
export function between(from: Date | undefined, to: Date | undefined): string {
  return from === undefined || to === undefined ? "-" : length(to.getTime() - from.getTime());
}

/** A value on one line. */
export function short(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof EncryptedValue) return String(value);
  return inspect(value, {
    depth: 2,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: 200,
    maxArrayLength: 20,
  });
}

/** A value in full, on several lines. */
export function full(value: unknown): string {
  const colors = paint("red", "") !== "";
  if (value instanceof Error) return `${userStack(value)}${causeOf(value)}`;
  if (value instanceof EncryptedValue) return String(value);
  return inspect(value, { depth: 8, maxStringLength: 10_000, maxArrayLength: 200, colors });
}

/** @param above the errors of which it is a cause: an error may be its own */
function causeOf(error: Error, above: readonly Error[] = []): string {
  const { cause } = error;
  if (cause === undefined) return "";
  if (!(cause instanceof Error)) return `\ncaused by ${short(cause)}`;
  const errors = [...above, error];
  if (errors.includes(cause)) return "\ncaused by itself";
  return `\ncaused by ${userStack(cause)}${causeOf(cause, errors)}`;
}

/** `customer=cus_1, stage=charged`, without perdure's own. */
export function attributes(all: Readonly<Record<string, string>>): string {
  return Object.entries(all)
    .filter(([name]) => !name.startsWith("$"))
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}
