import type { Attributes } from "@opentelemetry/api";
import { parseStepName, parseWorkflowName } from "@perdure/core/observability";
import type { ExecutedRun, StepCall } from "@perdure/core/runtime";

/** What spans and metrics say of runs and steps, and by which names. */
export const ATTRIBUTE = {
  workflow: "workflow.name",
  run: "workflow.run.id",
  status: "workflow.run.status",
  /** Of a start: `created`, `found` … */
  start: "workflow.start.outcome",
  /** The run whose code asked for a start. */
  caller: "workflow.start.caller",
  /** Of an execution: `completed`, `parked` … */
  execution: "workflow.execution.outcome",
  step: "step.name",
  stepId: "step.id",
  attempt: "step.attempt",
  /** Of an attempt: `completed`, `failed` … */
  outcome: "step.outcome",
  world: "world.name",
} as const;

/** Of a run. */
export function runAttributes({
  runId,
  workflowName,
}: Pick<ExecutedRun, "runId" | "workflowName">): Attributes {
  return { [ATTRIBUTE.workflow]: workflowName, [ATTRIBUTE.run]: runId };
}

/** Of an attempt of a step. */
export function stepAttributes(call: StepCall): Attributes {
  const { stepName, stepId, attempt } = call;
  return {
    ...runAttributes(call),
    [ATTRIBUTE.step]: stepName,
    [ATTRIBUTE.stepId]: stepId,
    [ATTRIBUTE.attempt]: attempt,
  };
}

/** `invoice` for `workflow//./src/billing//invoice`; an id that the compiler did not give, as it is. */
export function shortWorkflow(workflowName: string): string {
  return parseWorkflowName(workflowName)?.shortName ?? workflowName;
}

/** The same of a step. */
export function shortStep(stepName: string): string {
  return parseStepName(stepName)?.shortName ?? stepName;
}
