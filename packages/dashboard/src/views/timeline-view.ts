import type { TimelineEntry as Entry } from "@perdure/core/inspect";
import type { ValueLine } from "../api/journals.ts";
import type { AttemptView, ErrorView, TimelineEntry } from "../protocol.ts";
import { errorView } from "./error-view.ts";
import { stepLabel } from "./run-row.ts";
import { shown } from "./shown.ts";

/** Entries of a timeline as bars of a waterfall. */

/** What an error carries is shown up to so many characters. */
const CARRIED = { size: 4_000 };

/** An error, or whatever was thrown in place of one. */
export function thrownView(thrown: unknown): ErrorView {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const view = errorView(error, (part) => shown(part, CARRIED).value);
  return thrown instanceof Error ? view : { ...view, frames: [] };
}

/** Shows an entry whose values are lines. */
export function timelineView(entry: Entry): TimelineEntry {
  const { seq, endSeq, kind, id, name, at, startedAt, endedAt, outcome, failedAttempts } = entry;
  const input = entry.input as ValueLine | undefined;
  const output = entry.output as ValueLine | undefined;
  const error = outcome === "failed" && output?.error ? thrownView(output.error) : null;
  const attempts = kind === "step" ? attemptsOf(entry, error) : [];
  return {
    ...{ seq, endSeq, kind, id, name, outcome, attempts, error },
    label: labelOf(kind, id, name),
    createdAt: timeOf(at),
    startedAt: timeOf(failedAttempts[0]?.startedAt ?? startedAt),
    endedAt: timeOf(endedAt),
    until: input?.until ?? null,
    input: input?.line ?? null,
    output: output?.line ?? null,
  };
}

function attemptsOf(entry: Entry, error: ErrorView | null): readonly AttemptView[] {
  const { failedAttempts, outcome, startedAt, endedAt } = entry;
  const earlier = failedAttempts.map((attempt) => ({
    attempt: attempt.attempt,
    outcome: attempt.reason,
    startedAt: timeOf(attempt.startedAt),
    endedAt: timeOf(attempt.endedAt),
    error: attempt.error === undefined ? null : thrownView(attempt.error),
    retryAt: timeOf(attempt.retryAt),
  }));
  const last = {
    attempt: (failedAttempts.at(-1)?.attempt ?? 0) + 1,
    outcome,
    startedAt: timeOf(startedAt),
    endedAt: timeOf(endedAt),
    error,
    retryAt: null,
  };
  return [...earlier, last];
}

function labelOf(kind: string, id: string, name: string | null): string {
  if (kind === "step" && name !== null) return stepLabel(name);
  if (kind === "wait") return "sleep";
  return name ?? id;
}

function timeOf(date: Date | undefined): number | null {
  return date === undefined ? null : date.getTime();
}
