import { getWorkflowMetadata } from "@perdure/core";
import { WorkflowRunCancelledError } from "@perdure/core/errors";

/** The run itself is cancelled, and not one that it awaits. */
export function isOwnCancel(error: unknown): boolean {
  return WorkflowRunCancelledError.is(error) && error.runId === getWorkflowMetadata().workflowRunId;
}
