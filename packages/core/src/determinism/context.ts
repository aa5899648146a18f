/**
 * What the determinism guard asks its host: which workflow is calling, and what it may see.
 */

/** What the guard answers from, inside a workflow. */
export interface GuardedContext {
  /** The workflow's time, in milliseconds since the epoch. */
  now(): number;
  /** The workflow's next random number, in [0, 1). */
  random(): number;
  /** Waits durably for so many milliseconds. */
  sleep(ms: number): Promise<void>;
  /** Ends the workflow with an error of code that nobody awaits. */
  endAs(error: unknown): void;
  /** The workflow and run, for error messages: `workflow "charge" (run wrun_…)`. */
  readonly describe: string;
}

/** The context of the workflow that is calling, or `undefined` outside workflows. */
export type Lookup = () => GuardedContext | undefined;
