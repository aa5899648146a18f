import type { RunEnding } from "../engine/commits/completions.ts";
import type { RunView } from "../engine/system-steps/read-run.ts";
import type { StopSleepResult } from "../engine/system-steps/wake-up.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import type { ForkRequest } from "../interpreter/fork.ts";
import type { RunState } from "../interpreter/kinds/state.ts";
import type { StreamAccess } from "../streams/access.ts";
import type { World } from "../world/index.ts";
import type { StateOptions } from "./state.ts";
import type { ResultOptions } from "./waiting.ts";

/** What stands behind a handle of a run: a program's client, or the system steps of a workflow. */

/** What a {@link Run} asks of the client that made it. */
export interface RunAccess {
  /** By what the run's streams are reached; `null`: by what is right for the code that uses them. */
  readonly streams: StreamAccess | null;
  /** Tells the id of a run that was not known when its handle was made. */
  whenFound?(listener: (runId: string) => void): void;
  getRecord(runId: string): Promise<RunView | null>;
  ended(runId: string, options: ResultOptions): Promise<RunEnding>;
  cancel(runId: string, reason: string | undefined, mode: "graceful" | "terminate"): Promise<void>;
  retry(runId: string, keys: "keep" | "new"): Promise<string>;
  fork(runId: string, request: ForkRequest): Promise<string>;
  /** What the run shows of itself. */
  state(runId: string, options: StateOptions): Promise<RunState | null>;
  /** Frees the key of the run's start. */
  releaseKey(runId: string): Promise<void>;
  /** Ends these sleeps of the run; `null`: all that are pending. */
  wakeUp(runId: string, ids: readonly string[] | null): Promise<StopSleepResult>;
  /** Asks the open World, for a caller that is called `what`. Refused in a workflow, where nothing would record the answer. */
  ask<T>(what: string, question: (world: World) => Promise<T>): Promise<T>;
}

/** What a run that came as a value asks: what is right for the code that uses it. */
let find: () => RunAccess = () => {
  throw new WorkflowRuntimeError(
    "A Run that came as a value is used before perdure is loaded: import perdure/api.",
  );
};

/** Says what runs that came as values ask. */
export function findRunsBy(access: () => RunAccess): void {
  find = access;
}

/** What is right for the calling code. */
export function accessHere(): RunAccess {
  return find();
}
