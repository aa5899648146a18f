import type { Execution } from "../../interpreter/execution.ts";
import { outside } from "../../outside.ts";
import { largestValue } from "../../serialization/index.ts";
import type { JournalEvent, RunRecord } from "../../world/index.ts";
import { LiveRun } from "../run/live-run.ts";
import { FailureFences } from "../steps/failure-fences.ts";
import type { ArrivalsOptions } from "./arrivals-options.ts";
import { newExecution } from "./loader.ts";

/** A run that comes into memory: nothing of it has begun, nobody has it yet. */
export function newLiveRun(
  { world, clock, ids, logger, random, touch }: ArrivalsOptions,
  { runId, workflow, generation }: Pick<RunRecord, "runId" | "workflow" | "generation">,
  events: readonly Pick<JournalEvent, "data">[],
): LiveRun {
  const execution: Execution = newExecution({
    runId,
    workflow,
    generation,
    events,
    largestValue: largestValue(world),
    clock: () => clock.now(),
    // The guard would answer a workflow's call from what others can know.
    newToken: () => outside(() => ids.token()),
    onActivity: () => {
      if (run.lease.held && run.turn.settled) touch(run);
    },
    onStray: (error) => {
      if (!run.lease.held) return;
      logger.warn(
        "a promise that a workflow made was rejected and nobody awaits it: await it, or catch its errors",
        { runId, workflow, error },
      );
    },
  });
  const fences = new FailureFences({ runId, workflow, clock, logger, onRaised: () => touch(run) });
  const run: LiveRun = new LiveRun({ runId, workflow, execution, random, fences });
  return run;
}
