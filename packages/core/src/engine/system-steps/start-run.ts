import { IdempotencyConflictError, IdempotencyMismatchError } from "../../errors/index.ts";
import { attributesGiven } from "../../interpreter/kinds/attributes.ts";
import { runCreated } from "../../interpreter/kinds/run.ts";
import { startClaim } from "../../names.ts";
import type { CreateRun } from "../../world/index.ts";
import type { SystemStep } from "./system-step.ts";

/** Starts a run whose id is derived from the caller's: however often it is executed, there is one run. */

/** What a workflow asks for when it starts a run. */
export interface StartRunInput {
  readonly runId: string;
  readonly workflow: string;
  /** The encoded arguments. */
  readonly args: Uint8Array | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: {
    readonly key: string;
    readonly fingerprint: string;
    readonly freeAt: number | null;
    readonly onConflict: "return" | "reject";
  } | null;
}

export const startRun: SystemStep = {
  owed: true,
  async execute({ input }, { createRun, now }) {
    const { runId, workflow, args, attributes, key } = input as StartRunInput;
    const at = now();
    const request: CreateRun = {
      runId,
      workflow,
      queue: workflow,
      attributes,
      state: null,
      idempotencyKey: key?.key ?? null,
      events: [runCreated(workflow, args, at), ...attributesGiven(attributes, at)],
      names: key === null ? [] : [startClaim(workflow, key.key, key.fingerprint, key.freeAt)],
      mail: [],
      dueAt: at,
      lease: null,
    };
    const result = await createRun(request);
    if (result.outcome !== "held" || key === null) return { type: "completed", value: runId };
    const { runId: holder, fingerprint } = result.name;
    if (fingerprint !== key.fingerprint) throw new IdempotencyMismatchError(workflow, key.key, holder);
    if (key.onConflict === "reject") throw new IdempotencyConflictError(workflow, key.key, holder);
    return { type: "completed", value: holder };
  },
};
