import type { WorkflowMetadata } from "../metadata.ts";
import { publicUrl } from "../public-address.ts";
import type { Execution } from "./execution.ts";
import { attributesOf } from "./kinds/attributes.ts";

/** What the workflow of an execution, and its steps, may know of their run. */
export function workflowMetadata(execution: Execution): WorkflowMetadata {
  const { runId, workflow, startedAt } = execution;
  const own = Object.entries(attributesOf(execution)).filter(([name]) => !name.startsWith("$"));
  return {
    workflowName: workflow,
    workflowRunId: runId,
    workflowStartedAt: new Date(startedAt),
    url: publicUrl(),
    features: { encryption: false },
    attributes: Object.fromEntries(own),
  };
}
