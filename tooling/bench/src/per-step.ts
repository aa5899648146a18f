/** `perStep`: what one step of a sequential run costs the store: commits, calls of any kind, and bytes that stay. */
import { start } from "perdure/api";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { sequence } from "./programs.ts";
import { round } from "./statistics.ts";

export interface PerStepFigures {
  readonly commits: number;
  readonly roundTrips: number;
  readonly bytesInStore: number;
}

export async function measurePerStep(kind: BenchWorld, steps: number): Promise<PerStepFigures> {
  const idleBytes = await bytesAfter(kind, async () => {});
  let commits = 0;
  let roundTrips = 0;
  const bytes = await bytesAfter(kind, async (onCall) => {
    const stop = onCall(({ method }) => {
      roundTrips += 1;
      commits += method === "commit" ? 1 : 0;
    });
    await (await start(sequence, ["per-step", steps])).returnValue;
    stop();
  });
  return {
    commits: round(commits / steps),
    roundTrips: round(roundTrips / steps),
    bytesInStore: Math.round((bytes - idleBytes) / steps),
  };
}

/** The size of a store after a warmed-up engine did `work` on it. */
function bytesAfter(
  kind: BenchWorld,
  work: (onCall: Parameters<Parameters<typeof withEngine>[2]>[0]["onCall"]) => Promise<void>,
): Promise<number> {
  return withFolder(async (folder) => {
    await withEngine(kind, folder, ({ onCall }) => work(onCall));
    return kind.bytes(folder);
  });
}
