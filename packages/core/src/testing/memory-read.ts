import {
  cursorAt,
  fits,
  isTerminal,
  type JournalEvent,
  type ListingPlace,
  type ListRunsQuery,
  type Mail,
  placeAt,
  placeOf,
  type RunFilter,
  type RunPage,
  type RunRecord,
  withoutPayloads,
} from "../world/index.ts";
import { mailAfter } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** The queries of the memory World, and retention. */

export function listRuns(state: MemoryState, query: ListRunsQuery): RunPage {
  const { limit, order = "desc", payloads = false } = query;
  const after = placeAt(query);
  const sign = order === "asc" ? 1 : -1;
  const rows = fitting(state, query)
    .filter((row) => after === null || sign * compare(placeOf(row, query), after) > 0)
    .sort((a, b) => sign * compare(placeOf(a, query), placeOf(b, query)));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    runs: payloads ? page : page.map(withoutPayloads),
    damaged: [],
    cursor: rows.length > limit && last !== undefined ? cursorAt(placeOf(last, query)) : null,
  };
}

export function countRuns(state: MemoryState, filter: RunFilter): number {
  return fitting(state, filter).length;
}

function fitting(state: MemoryState, filter: RunFilter): RunRecord[] {
  return [...state.runs.values()].map(({ row }) => row).filter((row) => fits(row, filter));
}

function compare(a: ListingPlace, b: ListingPlace): number {
  if (a.time !== b.time) return a.time - b.time;
  return a.runId === b.runId ? 0 : a.runId < b.runId ? -1 : 1;
}

export function listEvents(
  state: MemoryState,
  runId: string,
  after: number,
  limit: number,
): readonly JournalEvent[] {
  const run = state.runs.get(runId);
  if (run === undefined) return [];
  const from = Math.max(0, after + 1 - run.row.firstSeq);
  return run.journal.slice(from, from + limit);
}

export function listMail(state: MemoryState, runId: string, after: number): readonly Mail[] {
  const run = state.runs.get(runId);
  return run === undefined ? [] : mailAfter(run, Math.max(after, run.row.mailDone));
}

export function listEndMail(
  state: MemoryState,
  runId: string,
  after: number,
  limit: number,
): readonly Mail[] {
  return state.runs.get(runId)?.endMail.slice(after, after + limit) ?? [];
}

export function deleteRuns(state: MemoryState, runIds: readonly string[]): number {
  let deleted = 0;
  for (const runId of runIds) {
    const run = state.runs.get(runId);
    if (run === undefined || !isTerminal(run.row.status)) continue;
    if (run.row.owner !== null || run.row.dueAt !== null) continue;
    state.deleteRun(run);
    deleted++;
  }
  return deleted;
}
