/** `latency`: what lies between two steps of one run, from the end of one body to the beginning of the next. */
import { start } from "perdure/api";
import { withEngine, withFolder } from "./engine.ts";
import { clockingOf, sequence } from "./programs.ts";
import { percentile, round } from "./statistics.ts";
import type { BenchWorld } from "./worlds.ts";

export interface LatencyFigures {
  readonly steps: number;
  readonly stepP50Ms: number;
  readonly stepP99Ms: number;
}

export function measureLatency(kind: BenchWorld, steps: number): Promise<LatencyFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      // One more than `steps`, since it is the gaps that count.
      await (await start(sequence, ["latency", steps + 1])).returnValue;
      const { began, ended } = clockingOf("latency");
      const gaps = began.slice(1).map((at, index) => at - (ended[index] ?? Number.NaN));
      return { steps, stepP50Ms: round(percentile(gaps, 0.5)), stepP99Ms: round(percentile(gaps, 0.99)) };
    }),
  );
}
