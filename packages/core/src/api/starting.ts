import type { Clock } from "../clock.ts";
import { type StartCalls, type Started, startRunIn } from "../engine/system-steps/start-run.ts";
import type { EngineWorker } from "../engine/worker.ts";
import { WorkflowRunNotFoundError } from "../errors/index.ts";
import type { IdSource } from "../ids.ts";
import type { RunHeaders } from "../interceptors/index.ts";
import { createRunRequest, type NewRun } from "../interpreter/new-run.ts";
import type { CreateRunResult } from "../world/index.ts";
import type { StartRequest } from "./start-request.ts";

/** Starting a run from a program: in a worker of this process at once, if there is one that takes it. */

/** What it is started with. */
export interface StartingMeans {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly calls: Omit<StartCalls, "create">;
  /** The workers of this process on the World. */
  readonly workers: Iterable<EngineWorker>;
  /** Resolves when the run has ended. */
  readonly ended: (runId: string) => Promise<unknown>;
}

/** Starts it, again each time that a run which had its key has ended. */
export async function startFromProgram(
  { keyAt, terms, ...asked }: StartRequest,
  means: StartingMeans,
): Promise<Started> {
  const { clock, ids, calls, ended } = means;
  const now = clock.now();
  const run: NewRun = { ...asked, runId: ids.runId(now), key: keyAt(now) };
  const create = (from: string | null, headers: RunHeaders): Promise<CreateRunResult> =>
    createHere(run, from, headers, means);
  for (;;) {
    const started = await startRunIn({ run, ...terms }, null, { ...calls, create });
    if (started.type !== "awaits") return started;
    await ended(started.runId).catch((error: unknown) => {
      if (!WorkflowRunNotFoundError.is(error)) throw error;
    });
  }
}

/** Creates the run under the lease of a worker of this process, if one takes it. */
async function createHere(
  run: NewRun,
  from: string | null,
  headers: RunHeaders,
  { clock, ids, calls, workers }: StartingMeans,
): Promise<CreateRunResult> {
  const worker = [...workers].find((candidate) => candidate.accepts(run.workflow));
  const lease =
    worker === undefined ? null : { owner: worker.id, claimId: ids.token(), ttl: worker.leaseTtl };
  const request = createRunRequest(run, { at: clock.now(), lease, headers, mail: [], from });
  const leaseUntil = worker?.leaseEnd() ?? 0;
  const release = worker?.reserve();
  try {
    const result = await calls.createRun(request);
    if (result.outcome === "created" && result.lease !== null) {
      worker?.adopt(result.lease, run.workflow, request.events, leaseUntil);
    }
    return result;
  } finally {
    release?.();
  }
}
