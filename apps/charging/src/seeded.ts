// The demo's only source of chance: a number that depends on the seed and on what it is for, and on nothing else.
// No generator is advanced, so neither the order of requests nor their timing can change what a seed means.

import { createHash } from "node:crypto";

/** A number in [0, 1) for these parts under this seed; the same parts always give the same number. */
export function seeded(seed: number, ...parts: readonly (string | number)[]): number {
  const digest = createHash("sha256")
    .update(JSON.stringify([seed, ...parts]))
    .digest();
  return digest.readUInt32BE(0) / 2 ** 32;
}

/** An integer from `min` to `max`, both included. */
export function seededInteger(
  seed: number,
  min: number,
  max: number,
  ...parts: readonly (string | number)[]
): number {
  return min + Math.floor(seeded(seed, ...parts) * (max - min + 1));
}

/** Choices with their shares of 1; what the shares leave over is no choice. */
export type Shares<T> = readonly (readonly [share: number, choice: T])[];

/** The choice that a number in [0, 1) falls on, or undefined past the last share. */
export function chosen<T>(draw: number, shares: Shares<T>): T | undefined {
  let from = 0;
  for (const [share, choice] of shares) {
    if (draw < from + share) return choice;
    from += share;
  }
  return undefined;
}
