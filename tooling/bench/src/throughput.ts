/**
 * `throughput`: many runs at once, from the first `start` to the last result. Measured twice in one process: `cold`, before
 * the JIT compiler has seen the work, as after a deploy; then again, as a worker that has been up for a minute does it.
 */

import type { BenchWorld } from "./bench-world.ts";
import { runMany, withEngine, withFolder } from "./engine.ts";

export interface ThroughputFigures {
  readonly runs: number;
  readonly steps: number;
  /** Of the second pass. */
  readonly stepsPerSecond: number;
  /** Of the first pass. */
  readonly coldStepsPerSecond: number;
}

export function measureThroughput(
  kind: BenchWorld,
  { runs, steps }: { readonly runs: number; readonly steps: number },
): Promise<ThroughputFigures> {
  const pass = async (): Promise<number> => {
    const began = performance.now();
    await runMany(runs, steps, "throughput");
    return Math.round((runs * steps) / ((performance.now() - began) / 1000));
  };
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      const coldStepsPerSecond = await pass();
      return { runs, steps, stepsPerSecond: await pass(), coldStepsPerSecond };
    }),
  );
}
