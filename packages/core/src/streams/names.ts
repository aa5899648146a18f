/** What the streams of a run are called in the store, and who writes to them. */

/** The stream of the run itself, or one of its namespaces: the same for all generations of a run. */
export function namespaceStream(namespace: string | undefined): string {
  return namespace === undefined ? "output" : `output:${namespace}`;
}

/** The `count`-th stream that a value brings along; `value` is unique in the run. */
export function valueStream(value: string, count: number): string {
  return `value:${value}:${count}`;
}

/** The stream beside another one that names the attempts which wrote to it after an earlier one of their step. */
export function laterAttemptsStream(name: string): string {
  return `attempts:${name}`;
}

/** Who writes where no step does: the process that passed a stream as a value. */
export const FEED = "feed";

/** An attempt of a step that writes. */
export interface AttemptWriter {
  /** The step's run. */
  readonly runId: string;
  readonly stepId: string;
  /** From 1. */
  readonly attempt: number;
}

/**
 * The writer's id of an attempt, in a stream of this run. Elsewhere it says which run it is: a run that is brought back has steps with
 * the ids of another one. No id contains the marks between them.
 */
export function writerOfAttempt({ runId, stepId, attempt }: AttemptWriter, streamRunId: string): string {
  return runId === streamRunId ? `${stepId}.${attempt}` : `${stepId}@${runId}.${attempt}`;
}

/** An attempt as readers see it. */
export interface WritingAttempt {
  /** Names the step: the same for all of its attempts, and for no other. */
  readonly step: string;
  readonly stepId: string;
  readonly attempt: number;
}

/** The attempt of a writer, or `null` for one that is none. */
export function attemptOf(writer: string): WritingAttempt | null {
  const at = writer.indexOf(".");
  const attempt = Number(writer.slice(at + 1));
  if (at <= 0 || !Number.isInteger(attempt)) return null;
  const step = writer.slice(0, at);
  return { step, stepId: step.split("@", 1)[0] as string, attempt };
}
