/** What steps and workflows may know of themselves. */

/** What a step may know of itself. */
export interface StepMetadata {
  /** The step function's id, such as `step//./src/charge//createCharge`. */
  readonly stepName: string;
  /** The same for every retry and replay of this step, and unique over all runs: the idempotency key. At most 64 characters of `[A-Za-z0-9_-]`. */
  readonly stepId: string;
  /** 1 for the first execution. */
  readonly attempt: number;
  /** When the step's first attempt began. */
  readonly stepStartedAt: Date;
  /** When this attempt began. */
  readonly attemptStartedAt: Date;
  /**
   * Not enumerable, so that the others can be stored. Aborted when the run is cancelled, the attempt times out, or the worker gives the run up. Pass it to whatever the step
   * waits for: a step that goes on when its attempt is over is in the way of its own next attempt.
   */
  readonly signal: AbortSignal;
}

/** What a run has of what not every deployment has. */
export interface WorkflowFeatures {
  /** Whether what is stored of the run is encrypted by this package. */
  readonly encryption: boolean;
}

/** What a workflow, and each of its steps, may know of the run. */
export interface WorkflowMetadata {
  /** The workflow's id, such as `workflow//./src/charge//chargeCustomer`. */
  readonly workflowName: string;
  readonly workflowRunId: string;
  readonly workflowStartedAt: Date;
  /** Where this program is reached, as `configure({ url })` says: a URL without a slash at its end. */
  readonly url: string;
  /** What the run has of what not every deployment has. */
  readonly features: WorkflowFeatures;
  /**
   * Not enumerable: of one run the others are the same everywhere and always, and these change. What the run is searched by, as it
   * is now; in a step, as it was when the attempt began.
   */
  readonly attributes: Readonly<Record<string, string>>;
}
