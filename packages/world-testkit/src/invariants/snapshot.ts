import type { MemoryState } from "@perdure/core/testing";
import type { HeldName, JournalEvent, Mail, RunRecord, World } from "@perdure/core/world";

/** Reading a whole store through the contract, for the invariants. */

/** One run with the journal of its generation and its unread mail. */
export interface RunSnapshot {
  readonly row: RunRecord;
  readonly journal: readonly JournalEvent[];
  readonly mail: readonly Mail[];
  readonly endMail: readonly Mail[];
}

/** Everything that a store holds. */
export interface StoreSnapshot {
  /** By the time of their creation. */
  readonly runs: readonly RunSnapshot[];
  /** By name. */
  readonly names: readonly HeldName[];
}

const PAGE = 500;

/**
 * Reads a whole store, page by page. It is one moment only while nobody writes.
 *
 * @param now the time for which names are read; by default one at which no name that is kept for a time has become free
 */
export async function readStore(world: World, now = 0): Promise<StoreSnapshot> {
  const rows = await readRuns(world);
  const mail = await world.listMail(rows.map(({ runId }) => ({ runId, after: 0 })));
  const runs: RunSnapshot[] = [];
  for (const [index, row] of rows.entries()) {
    const journal = await readJournal(world, row);
    const endMail = row.endSeq === 0 ? [] : await world.listEndMail(row.runId, row.endDone, 1_000_000);
    runs.push({ row, journal, mail: mail[index] ?? [], endMail });
  }
  return { runs, names: (await readNames(world, now)).toSorted(byName) };
}

/** The same of a memory World's state, in one synchronous stretch. */
export function snapshotOfState(state: MemoryState, now = 0): StoreSnapshot {
  const runs: RunSnapshot[] = [];
  for (const runId of state.runIds.ascending()) {
    const run = state.runs.get(runId);
    if (run !== undefined) {
      const { row } = run;
      const mail = run.mailbox.filter(({ mailSeq }) => mailSeq > row.mailDone);
      runs.push({ row, journal: [...run.journal], mail, endMail: run.endMail.slice(row.endDone) });
    }
  }
  const { names } = state.names.list({ limit: Number.POSITIVE_INFINITY, now });
  return { runs, names: names.toSorted(byName) };
}

async function readRuns(world: World): Promise<readonly RunRecord[]> {
  const rows: RunRecord[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listRuns({
      limit: PAGE,
      order: "asc",
      payloads: true,
      ...(cursor !== undefined && { cursor }),
    });
    rows.push(...page.runs);
    cursor = page.cursor;
  }
  return rows;
}

async function readNames(world: World, now: number): Promise<readonly HeldName[]> {
  const names: HeldName[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listNames({ limit: PAGE, now, ...(cursor !== undefined && { cursor }) });
    names.push(...page.names);
    cursor = page.cursor;
  }
  return names;
}

function byName(a: HeldName, b: HeldName): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

async function readJournal(world: World, { runId, firstSeq }: RunRecord): Promise<readonly JournalEvent[]> {
  const journal: JournalEvent[] = [];
  for (;;) {
    const page = await world.listEvents(runId, firstSeq - 1 + journal.length, PAGE);
    journal.push(...page);
    if (page.length < PAGE) return journal;
  }
}
