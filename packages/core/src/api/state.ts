import type { Clock } from "../clock.ts";
import type { Duration } from "../duration.ts";
import { WorkflowRunNotFoundError } from "../errors/index.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import { decode } from "../serialization/index.ts";
import { isTerminal, type World } from "../world/index.ts";
import { unlessAborted } from "./waiting.ts";

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

/** A lost notification costs so many milliseconds at most; where there are none, this is how often it looks. */
const [PATIENCE, WITHOUT_NOTIFICATIONS] = [5_000, 500];

/** The state of a run: now, or the first one after a version. */
export async function stateOf(
  world: World,
  runId: string,
  after: number | undefined,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<RunState | null> {
  const patience = world.capabilities.notifications ? PATIENCE : WITHOUT_NOTIFICATIONS;
  let wake = (): void => {};
  const unsubscribe = world.subscribe((hint) => {
    if (hint.type === "changed" || ("runId" in hint && hint.runId === runId)) wake();
  });
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const [run] = await unlessAborted(world.getRuns([runId]), signal);
      if (run === null || run === undefined) throw new WorkflowRunNotFoundError(runId);
      const state = run.state === null ? null : (decode(run.state) as RunState);
      if (after === undefined || (state?.version ?? 0) > after || isTerminal(run.status)) return state;
      const cancelTimer = clock.setTimer(clock.now() + patience, wake);
      await unlessAborted(woken, signal).finally(cancelTimer);
    }
  } finally {
    unsubscribe();
  }
}
