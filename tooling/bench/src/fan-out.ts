/** `fanOut`: `Promise.all` over many steps of one run, from `start` to the result. */
import { start } from "perdure/api";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { fanOut } from "./programs.ts";
import { round } from "./statistics.ts";

export interface FanOutFigures {
  readonly steps: number;
  readonly ms: number;
}

export function measureFanOut(kind: BenchWorld, steps: number): Promise<FanOutFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async () => {
      const began = performance.now();
      await (await start(fanOut, ["fan-out", steps])).returnValue;
      return { steps, ms: round(performance.now() - began, 1) };
    }),
  );
}
