import type { RunRow, TimelineEntry } from "../../protocol.ts";
import { lengthOf } from "../format.ts";
import { hasEnded } from "../parts/status.tsx";
import type { Span } from "./scale.ts";

/** What a waterfall draws: a row for the run, for each thing that it asked for, and for each child. */

/** A part of a row's bar. */
export interface Piece extends Span {
  readonly look: "queue" | "work" | "failed" | "retry" | "wait" | "hook" | "system" | "child" | "cancelled";
  /** It still goes on. */
  readonly open: boolean;
}

/** A row of the waterfall. */
export interface Bar {
  readonly key: string;
  readonly kind: "run" | "step" | "wait" | "hook" | "system" | "child" | "lock";
  readonly label: string;
  readonly pieces: readonly Piece[];
  /** In words, beside the bar. */
  readonly says: string;
  readonly outcome: string;
  readonly entry: TimelineEntry | null;
  /** A child to go to. */
  readonly child: RunRow | null;
}

/** All rows, in the order in which they began. */
export function barsOf(
  run: RunRow,
  timeline: readonly TimelineEntry[],
  children: readonly RunRow[],
  now: number,
): Bar[] {
  const bars = timeline.map((entry) => entryBar(entry, run, now));
  const begins = (bar: Bar): number => bar.pieces[0]?.from ?? 0;
  const all = [...bars, ...children.map((child) => childBar(child, now))];
  return [runBar(run, now), ...all.sort((one, other) => begins(one) - begins(other))];
}

/** The time that the rows cover. */
export function wholeOf(run: RunRow, bars: readonly Bar[], now: number): Span {
  const to = bars.reduce(
    (latest, { pieces }) => Math.max(latest, pieces.at(-1)?.to ?? 0),
    run.completedAt ?? (hasEnded(run.status) ? 0 : now),
  );
  return { from: run.createdAt, to: Math.max(to, run.createdAt + 1) };
}

/** When something was executed, or was about to be. */
export function busyOf(bars: readonly Bar[]): Span[] {
  const busy = bars.flatMap(({ kind, pieces }) =>
    kind === "run"
      ? pieces.filter(({ look }) => look === "queue")
      : pieces.filter(({ look }) => look !== "wait" && look !== "hook" && look !== "retry"),
  );
  return busy;
}

function runBar(run: RunRow, now: number): Bar {
  const { createdAt, startedAt, completedAt, status } = run;
  const open = !hasEnded(status);
  const end = completedAt ?? (open ? now : createdAt);
  const began = startedAt ?? end;
  const look =
    status === "failed" || status === "diverged" ? "failed" : status === "cancelled" ? "cancelled" : "work";
  const pieces: Piece[] = [{ from: createdAt, to: began, look: "queue", open: open && startedAt === null }];
  if (startedAt !== null) pieces.push({ from: startedAt, to: end, look, open });
  const says = startedAt === null ? `waits ${lengthOf(end - createdAt)}` : lengthOf(end - startedAt);
  return {
    key: "run",
    kind: "run",
    label: run.name,
    pieces,
    says,
    outcome: status,
    entry: null,
    child: null,
  };
}

function entryBar(entry: TimelineEntry, run: RunRow, now: number): Bar {
  const { seq, kind, label, outcome } = entry;
  const from = entry.createdAt ?? run.createdAt;
  const open = entry.endedAt === null && !hasEnded(run.status);
  const to = Math.max(from, entry.endedAt ?? run.completedAt ?? now);
  const base = { key: String(seq), label, outcome, entry, child: null };
  if (kind === "step") {
    const pieces = stepPieces(entry, from, to, open, run);
    return { ...base, kind: "step", pieces, says: stepSays(entry, from, to) };
  }
  const piece = (look: Piece["look"]): Piece[] => [{ from, to, look, open }];
  const length = lengthOf(to - from);
  if (kind === "wait")
    return { ...base, kind: "wait", pieces: piece("wait"), says: open ? `${length} so far` : length };
  if (kind === "hook")
    return { ...base, kind: "hook", pieces: piece("hook"), says: open ? `waits ${length}` : length };
  const isLock = kind.includes("lock") || label.includes("lock");
  return {
    ...base,
    kind: isLock ? "lock" : "system",
    pieces: piece("system"),
    says: open ? `${length} so far` : length,
  };
}

function stepPieces(entry: TimelineEntry, from: number, to: number, open: boolean, run: RunRow): Piece[] {
  const began = entry.startedAt;
  if (began === null) return [{ from, to, look: entry.outcome === "failed" ? "failed" : "queue", open }];
  const pieces: Piece[] = [{ from, to: began, look: "queue", open: false }];
  let at = began;
  for (const [index, { startedAt, endedAt, outcome }] of entry.attempts.entries()) {
    const isLast = index === entry.attempts.length - 1;
    const start = Math.max(at, startedAt ?? at);
    const end = Math.max(start, endedAt ?? (isLast ? to : start));
    if (start > at) pieces.push({ from: at, to: start, look: "retry", open: false });
    const ok = outcome === "completed" || outcome === "open";
    const look = ok ? (outcome === "open" && hasEnded(run.status) ? "cancelled" : "work") : "failed";
    pieces.push({ from: start, to: end, look, open: open && isLast && outcome === "open" });
    at = end;
  }
  if (at < to) pieces.push({ from: at, to, look: open ? "retry" : "work", open });
  return pieces;
}

function stepSays(entry: TimelineEntry, from: number, to: number): string {
  const tries = entry.attempts.length > 1 ? ` · ${entry.attempts.length} attempts` : "";
  if (entry.startedAt === null) return `waits ${lengthOf(to - from)}${tries}`;
  return `${lengthOf(to - entry.startedAt)}${tries}`;
}

function childBar(child: RunRow, now: number): Bar {
  const { runId, name, status, createdAt, completedAt } = child;
  const open = !hasEnded(status);
  const to = Math.max(createdAt, completedAt ?? (open ? now : createdAt));
  const look =
    status === "failed" || status === "diverged" ? "failed" : status === "cancelled" ? "cancelled" : "child";
  const pieces: Piece[] = [{ from: createdAt, to, look, open }];
  return {
    key: runId,
    kind: "child",
    label: name,
    pieces,
    says: `${status} · ${lengthOf(to - createdAt)}`,
    outcome: status,
    entry: null,
    child,
  };
}
