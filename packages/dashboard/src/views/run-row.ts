import { parentOf } from "@perdure/core/inspect";
import { parseStepName, parseWorkflowName } from "@perdure/core/observability";
import type { RunRecord, RunPage as StoredPage } from "@perdure/core/world";
import type { RunPage, RunRow } from "../protocol.ts";

/** Runs as lists show them. */

/** The last part of a workflow's id. */
export function workflowLabel(workflow: string): string {
  return parseWorkflowName(workflow)?.shortName ?? workflow;
}

/** The last part of a step's id. */
export function stepLabel(step: string): string {
  return parseStepName(step)?.shortName ?? step;
}

/** The row of a run. */
export function runRow(run: RunRecord): RunRow {
  const { runId, workflow, status, attributes, idempotencyKey, createdAt, startedAt, completedAt } = run;
  return {
    runId,
    workflow,
    name: workflowLabel(workflow),
    status,
    attributes: Object.fromEntries(Object.entries(attributes).filter(([name]) => !name.startsWith("$"))),
    key: idempotencyKey,
    parent: parentOf(run) ?? null,
    createdAt,
    startedAt,
    completedAt,
    dueAt: run.dueAt,
    owner: run.owner,
    seq: run.seq,
  };
}

/** A page of runs. */
export function runPage({ runs, damaged, cursor }: StoredPage): RunPage {
  return {
    runs: runs.map(runRow),
    damaged: damaged.map(({ runId, damage }) => ({ runId, message: damage.message })),
    cursor,
  };
}
