import type { RunRecord } from "../../world/index.ts";
import { lastFor } from "./go-on.ts";
import type { SystemStep } from "./system-step.ts";

/** Looks at a run once: what it was then is what the workflow sees in every replay. */

/** What a workflow can see of a run. */
export type RunView = Pick<
  RunRecord,
  "runId" | "status" | "workflow" | "createdAt" | "startedAt" | "completedAt" | "idempotencyKey"
>;

export const readRun: SystemStep = {
  owed: false,
  async execute({ input, again }, store) {
    const last = await lastFor(input as string, again(input as string), store);
    const run = await store.getRun(last.runId);
    if (run === null) return { type: "completed", value: null };
    const { runId, status, workflow, createdAt, startedAt, completedAt, idempotencyKey } = run;
    const view: RunView = { runId, status, workflow, createdAt, startedAt, completedAt, idempotencyKey };
    return { type: "completed", value: view };
  },
};
