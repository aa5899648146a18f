import type { MemoryState } from "@perdure/core/testing";
import type { HookRecord, JournalEvent, Mail, RunRecord, World } from "@perdure/core/world";

/** Reading a whole store through the contract, for the invariants. */

/** One run with its journal and its unread mail. */
export interface RunSnapshot {
  readonly row: RunRecord;
  readonly journal: readonly JournalEvent[];
  readonly mail: readonly Mail[];
}

/** Everything that a store holds. */
export interface StoreSnapshot {
  /** By run id. */
  readonly runs: readonly RunSnapshot[];
  /** By token. */
  readonly hooks: readonly HookRecord[];
}

const PAGE = 500;

/** Reads a whole store, page by page. It is one moment only while nobody writes. */
export async function readStore(world: World): Promise<StoreSnapshot> {
  const rows = await readRuns(world);
  const mail = await world.listMail(rows.map(({ runId }) => ({ runId, after: 0 })));
  const runs: RunSnapshot[] = [];
  for (const [index, row] of rows.entries()) {
    runs.push({ row, journal: await readJournal(world, row.runId), mail: mail[index] ?? [] });
  }
  return { runs, hooks: await readHooks(world) };
}

/** The same of a memory World's state, in one synchronous stretch. */
export function snapshotOfState(state: MemoryState): StoreSnapshot {
  const runs: RunSnapshot[] = [];
  for (const runId of state.runIds.ascending()) {
    const run = state.runs.get(runId);
    if (run !== undefined) {
      runs.push({ row: run.row, journal: [...run.journal], mail: run.mailbox.slice(run.row.mailDone) });
    }
  }
  return { runs, hooks: [...state.tokens.ascending()].flatMap((token) => state.hooks.get(token) ?? []) };
}

async function readRuns(world: World): Promise<readonly RunRecord[]> {
  const rows: RunRecord[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listRuns({ limit: PAGE, order: "asc", ...(cursor !== undefined && { cursor }) });
    rows.push(...page.runs);
    cursor = page.cursor;
  }
  return rows;
}

async function readHooks(world: World): Promise<readonly HookRecord[]> {
  const hooks: HookRecord[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listHooks({ limit: PAGE, ...(cursor !== undefined && { cursor }) });
    hooks.push(...page.hooks);
    cursor = page.cursor;
  }
  return hooks;
}

async function readJournal(world: World, runId: string): Promise<readonly JournalEvent[]> {
  const journal: JournalEvent[] = [];
  for (;;) {
    const page = await world.listEvents(runId, journal.length, PAGE);
    journal.push(...page);
    if (page.length < PAGE) return journal;
  }
}
