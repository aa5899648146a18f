/** `throughput`: many runs at once, from the first `start` to the last result. */
import { runMany, withEngine, withFolder } from "./engine.ts";
import type { BenchWorld } from "./worlds.ts";

export interface ThroughputFigures {
  readonly runs: number;
  readonly steps: number;
  readonly stepsPerSecond: number;
}

export function measureThroughput(
  kind: BenchWorld,
  { runs, steps }: { readonly runs: number; readonly steps: number },
): Promise<ThroughputFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      const began = performance.now();
      await runMany(runs, steps, "throughput");
      const seconds = (performance.now() - began) / 1000;
      return { runs, steps, stepsPerSecond: Math.round((runs * steps) / seconds) };
    }),
  );
}
