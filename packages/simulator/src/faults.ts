import type { Random } from "./random.ts";

/** What happens to the processes of a cluster, and to their calls of the World. */

/** Faults that can be left out, to see which one a failure needs. */
export const FAULTS = ["kill", "freeze", "lost", "latency", "duplicate", "hints", "close", "clock"] as const;
/** One of {@link FAULTS}. */
export type Fault = (typeof FAULTS)[number];

/** What the engine itself must never do, whatever it executes. */
export type EngineLaw = "journal order" | "no divergence" | "no engine errors";

/** Milliseconds that something of the network or the machine takes. */
export function latency(random: Random, slow: boolean, leaseTtl: number): number {
  const kind = slow ? random.next() : 0;
  if (kind < 0.8) return random.int(0, 5);
  if (kind < 0.98) return random.int(0, 200);
  return random.int(0, leaseTtl * 3);
}
