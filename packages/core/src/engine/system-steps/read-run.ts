import type { RunRecord } from "../../world/index.ts";
import type { SystemStep } from "./system-step.ts";

/** Looks at a run once: what it was then is what the workflow sees in every replay. */

/** What a workflow can see of a run. */
export type RunView = Pick<
  RunRecord,
  "runId" | "status" | "workflow" | "createdAt" | "startedAt" | "completedAt" | "idempotencyKey"
>;

export const readRun: SystemStep = {
  owed: false,
  async execute({ input }, { getRun }) {
    const run = await getRun(input as string);
    if (run === null) return { type: "completed", value: null };
    const { runId, status, workflow, createdAt, startedAt, completedAt, idempotencyKey } = run;
    const view: RunView = { runId, status, workflow, createdAt, startedAt, completedAt, idempotencyKey };
    return { type: "completed", value: view };
  },
};
