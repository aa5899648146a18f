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

/** An attempt of a step as a writer. */
export interface AttemptWriter {
  readonly stepId: string;
  /** From 1. */
  readonly attempt: number;
}

/** The writer's id of an attempt: `.` is in no step id. */
export function writerOfAttempt({ stepId, attempt }: AttemptWriter): string {
  return `${stepId}.${attempt}`;
}

/** The attempt of a writer, or `null` for one that is none. */
export function attemptOf(writer: string): AttemptWriter | null {
  const at = writer.indexOf(".");
  const attempt = Number(writer.slice(at + 1));
  return at > 0 && Number.isInteger(attempt) ? { stepId: writer.slice(0, at), attempt } : null;
}
