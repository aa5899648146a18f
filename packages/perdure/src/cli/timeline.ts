import { EncryptedValue, type RunEvent } from "@perdure/core/api";
import { decodeError } from "@perdure/core/testing";

/** What a run did, from its journal: one entry for each step, sleep, hook and system step, with its attempts and its end. */

/** An attempt that was followed by another one. */
export interface FailedAttempt {
  readonly attempt: number;
  /** `error`, `timeout`, `owner_lost` … */
  readonly reason: string;
  readonly error: unknown;
  /** When the next one was to begin. */
  readonly retryAt: Date | undefined;
}

/** One thing that the run asked for. */
export interface Entry {
  readonly seq: number;
  /** `step`, `wait`, `hook`, `system_step` … */
  readonly kind: string;
  readonly id: string;
  readonly name: string | null;
  readonly at: Date | undefined;
  endedAt: Date | undefined;
  /** `open`, `completed`, `failed`, `received` …: the end of its last event's type. */
  outcome: string;
  /** What it was given: arguments, the time at which a sleep ends. */
  readonly input: unknown;
  output: unknown;
  readonly failedAttempts: FailedAttempt[];
}

const CREATED = "_created";

/** The entries of a journal, in the order in which they were asked for. */
export function timelineOf(events: readonly RunEvent[]): Entry[] {
  const entries = new Map<string, Entry>();
  for (const { seq, type, at, id, name, value } of events) {
    if (id === null) continue;
    const entry = entries.get(id);
    if (entry === undefined) {
      if (!type.endsWith(CREATED) || type === `run${CREATED}`) continue;
      const kind = type.slice(0, -CREATED.length);
      const made = { seq, kind, id, name, at, input: value, failedAttempts: [] };
      entries.set(id, { ...made, endedAt: undefined, outcome: "open", output: undefined });
    } else if (type.endsWith("_retrying")) {
      entry.failedAttempts.push(attemptOf(value, entry.failedAttempts.length + 1));
    } else if (type.startsWith(`${entry.kind}_`)) {
      entry.outcome = type.slice(entry.kind.length + 1);
      entry.endedAt = at;
      entry.output = value;
    }
  }
  return [...entries.values()];
}

/** @param place which attempt it is, where the value does not tell */
function attemptOf(value: unknown, place: number): FailedAttempt {
  if (value instanceof EncryptedValue) {
    return { attempt: place, reason: "error", error: value, retryAt: undefined };
  }
  const { attempt = 0, reason = "error", error, retryAt } = (value ?? {}) as Partial<Record<string, unknown>>;
  return {
    attempt: Number(attempt),
    reason: String(reason),
    error: error instanceof Uint8Array ? decodeError(error) : error,
    retryAt: typeof retryAt === "number" ? new Date(retryAt) : undefined,
  };
}
