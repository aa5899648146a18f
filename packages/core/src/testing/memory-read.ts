import {
  type DeleteRunsRequest,
  type HookPage,
  type HookRecord,
  isTerminal,
  type JournalEvent,
  type ListHooksQuery,
  type ListRunsQuery,
  type Mail,
  type RunPage,
  type RunRecord,
} from "../world/index.ts";
import type { MemoryRun } from "./memory-run.ts";
import type { MemoryState } from "./memory-state.ts";

/** The queries of the memory World, and retention. */

export function listRuns(state: MemoryState, query: ListRunsQuery): RunPage {
  const { workflow, status, limit, cursor, order = "desc" } = query;
  const ids = order === "asc" ? state.runIds.ascending(cursor) : state.runIds.descending(cursor);
  const runs: RunRecord[] = [];
  for (const runId of ids) {
    const { row } = state.runs.get(runId) as MemoryRun;
    if (workflow !== undefined && row.workflow !== workflow) continue;
    if (status !== undefined && row.status !== status) continue;
    if (runs.length === limit) return { runs, cursor: runs.at(-1)?.runId ?? null };
    runs.push(row);
  }
  return { runs, cursor: null };
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

export function deleteRuns(state: MemoryState, request: DeleteRunsRequest): number {
  const old: MemoryRun[] = [];
  for (const runId of state.runIds.ascending()) {
    if (old.length >= request.limit) break;
    const run = state.runs.get(runId) as MemoryRun;
    const { status, completedAt } = run.row;
    if (isTerminal(status) && completedAt !== null && completedAt < request.completedBefore) old.push(run);
  }
  for (const run of old) state.deleteRun(run);
  return old.length;
}
