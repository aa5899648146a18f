import type { Duration } from "../duration.ts";
import { WorkflowRunNotFoundError } from "../errors/index.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import { decode } from "../serialization/index.ts";
import { isTerminal } from "../world/index.ts";
import { type Look, type LookingOptions, patienceWith, patiently, tellsOf, untilSeen } from "./looking.ts";
import { lendingSlot } from "./waiting.ts";

/** What a run shows of itself, read from its row: the run is not woken. */

/** Options of {@link Run.getState}. */
export interface StateOptions {
  /** Waits for a state after this version, or for the run's end. 0: for the first one. Default: does not wait. */
  readonly after?: number;
  /** How long to wait at most; then it is a `WorkflowRunNotCompletedError`. Default: as long as it takes. */
  readonly timeout?: Duration;
  /** Ends the waiting; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The state of a run: now, or the first one after a version. */
export async function stateOf(
  { runId, ...options }: Omit<LookingOptions, "tells"> & { readonly runId: string },
  after: number | undefined,
): Promise<RunState | null> {
  const { world } = options;
  const look = async (): Promise<Look<RunState | null>> => {
    const [run] = await world.getRuns([runId]);
    if (run === null || run === undefined) throw new WorkflowRunNotFoundError(runId);
    const state = run.state === null ? null : (decode(run.state) as RunState);
    const isLater = after === undefined || (state?.version ?? 0) > after || isTerminal(run.status);
    return isLater ? { seen: state } : { again: patienceWith(world) };
  };
  const looking = { ...options, tells: tellsOf(runId, "state") };
  if (after === undefined) return await untilSeen(looking, look);
  return await lendingSlot(runId, untilSeen(looking, patiently(look)));
}
