/**
 * `replay`: a run with a long journal waits for a message; its worker closes, the message arrives, and a new worker takes
 * over. Measured from that worker's call to `claim` to the answer of the commit that completes the run: reading the whole
 * journal, replaying it, and one live commit.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type ClaimResult, endsRun, type RunCommit, type World } from "@perdure/core/world";
import { resumeHook, start } from "perdure/api";
import { createWorker } from "perdure/runtime";
import type { BenchWorld } from "./bench-world.ts";
import { withEngine, withFolder } from "./engine.ts";
import { parked } from "./programs.ts";
import { round } from "./statistics.ts";

export interface ReplayFigures {
  /** Length of the journal when the last event was delivered to the workflow. */
  readonly events: number;
  readonly ms: number;
}

export function measureReplay(kind: BenchWorld, steps: number): Promise<ReplayFigures> {
  return withFolder((folder) =>
    withEngine(kind, folder, async ({ world, worker, onCall }) => {
      const token = "replay";
      const run = await start(parked, [token, steps]);
      await untilParked(world, run.runId);
      await worker.close();
      await resumeHook(token, "go on");

      let claimed = Number.NaN;
      let completed = Number.NaN;
      onCall(({ method, args, result, began, ended }) => {
        if (method === "claim" && (result as ClaimResult).runs.some((each) => each.run.runId === run.runId)) {
          claimed = began;
        }
        if (method === "commit" && (args[0] as RunCommit[]).some(endsRun)) {
          completed = ended;
        }
      });
      const next = createWorker({ world });
      await next.start();
      await run.returnValue;
      await next.close();
      const [record] = await world.getRuns([run.runId]);
      // The last event, `run_completed`, is what the workflow made of the others.
      return { events: (record?.seq ?? Number.NaN) - 1, ms: round(completed - claimed, 1) };
    }),
  );
}

/** Waits until nobody holds the run and only a message can wake it. */
async function untilParked(world: World, runId: string): Promise<void> {
  for (;;) {
    const [run] = await world.getRuns([runId]);
    if (run?.owner === null && run.dueAt === null) {
      return;
    }
    await pause(20);
  }
}
