import type { WorkflowMetadata } from "../metadata.ts";
import { publicUrl } from "../public-address.ts";
import type { Attributes } from "../world/index.ts";
import type { Execution } from "./execution.ts";
import { attributesOf } from "./kinds/attributes.ts";

/** What the workflow of an execution, and its steps, may know of their run; of its attributes, as they are or were. */
export function workflowMetadata(
  execution: Execution,
  attributes: Attributes = attributesOf(execution),
): WorkflowMetadata {
  const { runId, workflow, startedAt, encrypted } = execution;
  const own = Object.entries(attributes).filter(([name]) => !name.startsWith("$"));
  const metadata = {
    workflowName: workflow,
    workflowRunId: runId,
    workflowStartedAt: new Date(startedAt),
    url: publicUrl(),
    features: { encryption: encrypted },
  };
  const changing = { attributes: { value: Object.fromEntries(own) } };
  return Object.defineProperties(metadata, changing) as WorkflowMetadata;
}
