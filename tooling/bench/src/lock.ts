/**
 * `lock`: what a lock costs that nobody else wants, from the end of one step body over `acquireLock` and `release` to the beginning of
 * the next, also as a multiple of one durable insert by the bare driver; and how often in a second one key changes hands.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { start } from "perdure/api";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { clockingOf, holdsLock, locking, locksOnce } from "./programs.ts";
import { percentile, round } from "./statistics.ts";

export interface LockFigures {
  readonly acquireReleaseP50Ms: number;
  /** The same, in durable inserts of the bare driver. */
  readonly acquireReleaseCommits: number;
  readonly waiting: number;
  readonly handOversPerSecond: number;
}

export function measureLock(
  kind: BenchWorld,
  { locks, waiting }: { readonly locks: number; readonly waiting: number },
  commitP50Ms: number,
): Promise<LockFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async ({ world }) => {
      await (await start(locking, ["lock, warm-up", locks])).returnValue;
      await (await start(locking, ["lock", locks])).returnValue;
      const { began, ended } = clockingOf("lock");
      const gaps = began.slice(1).map((at, index) => at - (ended[index] ?? Number.NaN));
      const p50 = percentile(gaps, 0.5);
      const holder = await start(holdsLock, ["bench/line"]);
      await parked(world, [holder.runId]);
      const runs = await Promise.all(Array.from({ length: waiting }, () => start(locksOnce, ["bench/line"])));
      await parked(
        world,
        runs.map(({ runId }) => runId),
      );
      const since = performance.now();
      await holder.cancel();
      await Promise.all(runs.map((run) => run.returnValue));
      const seconds = (performance.now() - since) / 1000;
      return {
        acquireReleaseP50Ms: round(p50),
        acquireReleaseCommits: round(p50 / commitP50Ms, 1),
        waiting,
        handOversPerSecond: Math.round(waiting / seconds),
      };
    }),
  );
}

/** Resolves when all of them are parked: nothing but a message wakes them. */
async function parked(world: World, runIds: readonly string[]): Promise<void> {
  for (;;) {
    const rows = await world.getRuns(runIds);
    if (rows.every((row) => row?.status === "running" && row.owner === null && row.dueAt === null)) return;
    await pause(20);
  }
}
