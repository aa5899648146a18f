import type { SimOptions } from "./config.ts";
import { type SimResult, simulate } from "./simulation.ts";

/** Leaves out whatever a failure does not need: programs first, then kinds of faults. Each attempt is one simulation. */
export async function shrink(
  options: SimOptions,
  failed: SimResult,
): Promise<readonly [SimOptions, SimResult]> {
  let smallest = {
    ...options,
    only: options.only ?? Array.from({ length: failed.programs }, (_, index) => index),
  };
  let result = failed;
  async function without(smaller: typeof smallest): Promise<void> {
    const attempt = await simulate(smaller);
    if (attempt.broken?.law !== failed.broken?.law) return;
    smallest = smaller;
    result = attempt;
  }
  for (const index of smallest.only) {
    await without({ ...smallest, only: smallest.only.filter((other) => other !== index) });
  }
  for (const fault of options.faults) {
    await without({ ...smallest, faults: smallest.faults.filter((other) => other !== fault) });
  }
  return [smallest, result];
}
