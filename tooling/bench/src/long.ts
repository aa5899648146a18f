/** `long`: one run of many steps. Does the last tenth cost what the first costs? Times are taken in the step bodies. */
import { start } from "perdure/api";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { clockingOf, sequence } from "./programs.ts";
import { round } from "./statistics.ts";

export interface LongFigures {
  readonly steps: number;
  readonly first1000Ms: number;
  readonly last1000Ms: number;
}

export function measureLong(kind: BenchWorld, steps: number): Promise<LongFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      await (await start(sequence, ["long", steps])).returnValue;
      const { began } = clockingOf("long");
      const span = (first: number, last: number): number =>
        round((began[last] ?? Number.NaN) - (began[first] ?? Number.NaN), 1);
      const tenth = Math.floor(steps / 10);
      return { steps, first1000Ms: span(0, tenth), last1000Ms: span(steps - 1 - tenth, steps - 1) };
    }),
  );
}
