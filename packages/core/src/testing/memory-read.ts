import {
  cursorAt,
  fits,
  type HookPage,
  type HookRecord,
  isTerminal,
  type JournalEvent,
  type ListHooksQuery,
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

export function listHooks(state: MemoryState, query: ListHooksQuery): HookPage {
  const { runId, limit, cursor } = query;
  const hooks: HookRecord[] = [];
  for (const token of state.tokens.ascending(cursor)) {
    const hook = state.hooks.get(token) as HookRecord;
    if (runId !== undefined && hook.runId !== runId) continue;
    if (hooks.length === limit) return { hooks, cursor: hooks.at(-1)?.token ?? null };
    hooks.push(hook);
  }
  return { hooks, cursor: null };
}

export function listEvents(
  state: MemoryState,
  runId: string,
  after: number,
  limit: number,
): readonly JournalEvent[] {
  return state.runs.get(runId)?.journal.slice(after, after + limit) ?? [];
}

export function listMail(state: MemoryState, runId: string, after: number): readonly Mail[] {
  const run = state.runs.get(runId);
  return run === undefined ? [] : run.mailbox.slice(Math.max(after, run.row.mailDone));
}

export function deleteRuns(state: MemoryState, runIds: readonly string[]): number {
  let deleted = 0;
  for (const runId of runIds) {
    const run = state.runs.get(runId);
    if (run === undefined || !isTerminal(run.row.status)) continue;
    state.deleteRun(run);
    deleted++;
  }
  return deleted;
}
