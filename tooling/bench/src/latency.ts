/**
 * `latency`: what lies between two steps of one run, from the end of one body to the beginning of the next. As for
 * `throughput`: measured in a process that is cold, and again after a run of ten times the length.
 */
import { start } from "perdure/api";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { clockingOf, sequence } from "./programs.ts";
import { percentile, round } from "./statistics.ts";

export interface LatencyFigures {
  readonly steps: number;
  readonly stepP50Ms: number;
  readonly stepP99Ms: number;
  /** Of the first run. */
  readonly coldStepP50Ms: number;
}

export function measureLatency(kind: BenchWorld, steps: number): Promise<LatencyFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      const cold = await gapsOf("cold", steps);
      await gapsOf("warm-up", 10 * steps);
      const gaps = await gapsOf("warm", steps);
      return {
        steps,
        stepP50Ms: round(percentile(gaps, 0.5)),
        stepP99Ms: round(percentile(gaps, 0.99)),
        coldStepP50Ms: round(percentile(cold, 0.5)),
      };
    }),
  );
}

/** Milliseconds between the steps of a new run. */
async function gapsOf(name: string, steps: number): Promise<number[]> {
  const label = `latency, ${name}`;
  // One more than `steps`, since it is the gaps that count.
  await (await start(sequence, [label, steps + 1])).returnValue;
  const { began, ended } = clockingOf(label);
  return began.slice(1).map((at, index) => at - (ended[index] ?? Number.NaN));
}
