import { HookConflictError, IdempotencyConflictError, IdempotencyMismatchError } from "../../errors/index.ts";
import { derivedMessageId } from "../../ids.ts";
import { createRunRequest, type NewRun } from "../../interpreter/new-run.ts";
import { inTheWay, REPLACED } from "../../interpreter/singleton.ts";
import { singletonName } from "../../names.ts";
import { encode } from "../../serialization/index.ts";
import type { CreateRunResult } from "../../world/index.ts";
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
export function startedRun({ run, onConflict }: StartRunInput, result: CreateRunResult): string {
  if (result.outcome !== "held") return run.runId;
  const { name, runId, fingerprint } = result.name;
  const { workflow, key, hookToken, singleton } = run;
  if (singleton !== undefined && name === singletonName(workflow, singleton.key)) return runId;
  if (key === null || (hookToken !== null && name.startsWith("hook:"))) {
    throw new HookConflictError(hookToken ?? "", runId);
  }
  if (fingerprint !== key.fingerprint) throw new IdempotencyMismatchError(workflow, key.key, runId);
  if (onConflict === "reject") throw new IdempotencyConflictError(workflow, key.key, runId);
  return runId;
}

/** The result of the step: the run, or the one whose end has to come before it. */
export type StartRunResult = string | { readonly after: string };

export const startRun: SystemStep = {
  owed: true,
  async execute({ id, input }, { createRun, deliver, now }) {
    const start = input as StartRunInput;
    const result = await createRun(createRunRequest(start.run, { at: now(), lease: null, mail: [] }));
    const before = inTheWay(start.run, result);
    if (before === null) return { type: "completed", value: startedRun(start, result) };
    const messageId = derivedMessageId("replaced", id, before);
    const data = encode(REPLACED, "reason");
    await deliver({ messageId, to: { runId: before }, type: "cancel_requested", at: now(), data });
    return { type: "completed", value: { after: before } satisfies StartRunResult };
  },
};
