/** What steps and workflows may know of themselves. */

/** What a step may know of itself. */
export interface StepMetadata {
  /** The step function's id, such as `step//./src/charge//createCharge`. */
  readonly stepName: string;
  /** The same for every retry and replay of this step, and unique over all runs: the idempotency key. At most 64 characters of `[A-Za-z0-9_-]`. */
  readonly stepId: string;
  /** 1 for the first execution. */
  readonly attempt: number;
  /** When this attempt began. */
  readonly stepStartedAt: Date;
  /**
   * Aborted when the run is cancelled, the attempt times out, or the worker gives the run up. Pass it to whatever the step
   * waits for: a step that goes on when its attempt is over is in the way of its own next attempt.
   */
  readonly signal: AbortSignal;
}

/** What a workflow, and each of its steps, may know of the run. */
export interface WorkflowMetadata {
  /** The workflow's id, such as `workflow//./src/charge//chargeCustomer`. */
  readonly workflowName: string;
  readonly workflowRunId: string;
  readonly workflowStartedAt: Date;
  /** What the run is searched by, as it is now; in a step, as it was when the attempt began. */
  readonly attributes: Readonly<Record<string, string>>;
}
