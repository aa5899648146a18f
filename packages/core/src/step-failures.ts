import { processWide } from "./process-wide.ts";

/** What others do before the failure of a step is journalled, so that nothing of the step comes true after the workflow saw it fail. */

/** A step whose failure is about to be journalled. */
export interface FailedStep {
  readonly runId: string;
  readonly stepName: string;
  readonly stepId: string;
  /** The attempt with which it failed; none after it comes. */
  readonly attempt: number;
}

/** Done before; may be done several times for one failure. The failure waits until it resolves. */
export type FailureFence = (step: FailedStep) => Promise<void>;

function fences(): Map<string, Set<FailureFence>> {
  return processWide("step-failures", () => new Map());
}

/** Has `fence` called before a failure of a step of this name is journalled by a worker of this process. */
export function beforeStepFailure(stepName: string, fence: FailureFence): void {
  const all = fences();
  all.set(stepName, (all.get(stepName) ?? new Set()).add(fence));
}

/** What has to be done before a step of this name fails. */
export function fencesOf(stepName: string): readonly FailureFence[] {
  return [...(fences().get(stepName) ?? [])];
}
