import { decodeError } from "../serialization/index.ts";
import { EncryptedValue } from "./encrypted-value.ts";
import type { RunEvent } from "./journal.ts";

/** What a run did, from its journal: one entry for each step, sleep, hook and system step, with its attempts and its end. */

/** An attempt that was followed by another one. */
export interface EarlierAttempt {
  readonly attempt: number;
  /** When its body was called, where that is known. */
  readonly startedAt: Date | undefined;
  readonly endedAt: Date | undefined;
  /** `error`, `timeout`, `owner_lost` … */
  readonly reason: string;
  readonly error: unknown;
  /** When the next one was to begin. */
  readonly retryAt: Date | undefined;
}

/** One thing that the run asked for. */
export interface TimelineEntry {
  /** The event that asked for it. */
  readonly seq: number;
  /** The event that ended it; `null` while it is open. */
  endSeq: number | null;
  /** `step`, `wait`, `hook`, `system_step` … */
  readonly kind: string;
  readonly id: string;
  readonly name: string | null;
  readonly at: Date | undefined;
  /** When the body of a step's last attempt was called, as far as the journal says: for an open step it does not yet. */
  startedAt: Date | undefined;
  endedAt: Date | undefined;
  /** `open`, `completed`, `failed`, `received` …: the end of its last event's type. */
  outcome: string;
  /** What it was given: arguments, the time at which a sleep ends. */
  readonly input: unknown;
  output: unknown;
  readonly failedAttempts: EarlierAttempt[];
}

const CREATED = "_created";

/** The entries of a journal, in the order in which they were asked for. */
export function timelineOf(events: Iterable<RunEvent>): TimelineEntry[] {
  const entries = new Map<string, TimelineEntry>();
  for (const event of events) {
    const { seq, type, at, id, name, value } = event;
    if (id === null) continue;
    const entry = entries.get(id);
    if (entry === undefined) {
      if (!type.endsWith(CREATED) || type === `run${CREATED}`) continue;
      const kind = type.slice(0, -CREATED.length);
      const open = {
        endSeq: null,
        startedAt: undefined,
        endedAt: undefined,
        outcome: "open",
        output: undefined,
      };
      entries.set(id, { ...open, seq, kind, id, name, at, input: value, failedAttempts: [] });
    } else if (type.endsWith("_retrying")) {
      entry.failedAttempts.push(attemptOf(event, entry.failedAttempts.length + 1));
    } else if (type.startsWith(`${entry.kind}_`)) {
      entry.outcome = type.slice(entry.kind.length + 1);
      entry.endSeq = seq;
      entry.endedAt = at;
      entry.output = value;
      if (entry.kind === "step") entry.startedAt = beginning(name);
    }
  }
  return [...entries.values()];
}

/** @param place which attempt it is, where the value does not tell */
function attemptOf({ at, name, value }: RunEvent, place: number): EarlierAttempt {
  if (value instanceof EncryptedValue) {
    const times = { startedAt: beginning(name), endedAt: at, retryAt: undefined };
    return { ...times, attempt: place, reason: "error", error: value };
  }
  const { attempt = 0, reason = "error", error, retryAt } = (value ?? {}) as Partial<Record<string, unknown>>;
  return {
    attempt: Number(attempt),
    startedAt: beginning(name),
    endedAt: at,
    reason: String(reason),
    error: error instanceof Uint8Array ? decodeError(error) : error,
    retryAt: typeof retryAt === "number" ? new Date(retryAt) : undefined,
  };
}

/** The name of the end of an attempt says when its body was called. */
function beginning(name: string | null): Date | undefined {
  return name === null || !/^\d+$/.test(name) ? undefined : new Date(Number(name));
}
