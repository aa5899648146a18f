import type { Again } from "./go-on.ts";
import type { StoreCalls } from "./store-calls.ts";

/** A system step as it is executed: which run asks what. */
export interface SystemStepCall {
  readonly runId: string;
  /** Of the step; what the body makes in the store has ids that are derived from it. */
  readonly id: string;
  /** Decoded. */
  readonly input: unknown;
  /** Whether the run is this worker's, by its own clock, and waits for the step. */
  readonly held: () => boolean;
  /** How a run that has failed is gone on with, where it is; else `null`. */
  readonly again: (runId: string) => Again | null;
}

/** What an execution of a system step gives. Its error is thrown. */
export type SystemStepResult =
  | { readonly type: "completed"; readonly value: unknown }
  /** The result comes by mail: see `SYSTEM_STEP_RESULT`. */
  | { readonly type: "waiting" }
  /** It was not done, because the run is not known to be {@link SystemStepCall.held}. */
  | { readonly type: "not held" };

/** The body of a system step. Idempotent: it may be executed any number of times, also after the run has gone on. */
export interface SystemStep {
  /** It is done although the run ended before it was: nothing that the code asked for is lost. */
  readonly owed: boolean;
  readonly execute: (call: SystemStepCall, store: StoreCalls) => Promise<SystemStepResult>;
}
