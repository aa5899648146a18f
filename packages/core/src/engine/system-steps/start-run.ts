import { HookConflictError, IdempotencyConflictError, IdempotencyMismatchError } from "../../errors/index.ts";
import { createRunRequest, type NewRun } from "../../interpreter/new-run.ts";
import type { CreateRunResult, HeldName } from "../../world/index.ts";
import type { SystemStep } from "./system-step.ts";

/** Starts a run whose id is derived from the caller's: however often it is executed, there is one run. */

/** What a workflow asks for when it starts a run. */
export interface StartRunInput {
  readonly run: NewRun;
  /** What happens if the key has a run. */
  readonly onConflict: "return" | "reject";
}

/**
 * The run that a start gives.
 *
 * @throws {IdempotencyMismatchError} {@link IdempotencyConflictError} {@link HookConflictError}
 */
export function startedRun(start: StartRunInput, result: CreateRunResult): string {
  return result.outcome === "held" ? runThatHolds(result.name, start) : start.run.runId;
}

/**
 * The run that a start gives one of whose names has another run.
 *
 * @throws as {@link startedRun}
 */
export function runThatHolds(held: HeldName, { run, onConflict }: StartRunInput): string {
  const { name, runId, fingerprint } = held;
  const { workflow, key, hookToken } = run;
  if (key === null || (hookToken !== null && name.startsWith("hook:"))) {
    throw new HookConflictError(hookToken ?? "", runId);
  }
  if (fingerprint !== key.fingerprint) throw new IdempotencyMismatchError(workflow, key.key, runId);
  if (onConflict === "reject") throw new IdempotencyConflictError(workflow, key.key, runId);
  return runId;
}

export const startRun: SystemStep = {
  owed: true,
  async execute({ input }, { createRun, now }) {
    const start = input as StartRunInput;
    const result = await createRun(createRunRequest(start.run, { at: now(), lease: null, mail: [] }));
    return { type: "completed", value: startedRun(start, result) };
  },
};
