import type { JournalEvent, RunRecord } from "./world/index.ts";

/** Reading the journal of a run, which is that of its present generation, as its row says where it begins and ends. */

/** Which events it has. */
export type JournalExtent = Pick<RunRecord, "runId" | "firstSeq" | "seq">;

/** Reads some events after a place, in order: one at least if there is one. */
export type ReadEvents<Event> = (runId: string, after: number, limit: number) => Promise<readonly Event[]>;

/** So many events are asked for at once. */
const PAGE = 1_000;

/**
 * The events after the place `after`, by default all, page by page: each is read when the one before it was taken. What was written
 * since the row was read is left out.
 */
export async function* journalPages<Event extends Pick<JournalEvent, "seq">>(
  read: ReadEvents<Event>,
  { runId, firstSeq, seq }: JournalExtent,
  after = 0,
  limit: number = PAGE,
): AsyncGenerator<readonly Event[], void, void> {
  for (let last = Math.max(after, firstSeq - 1); last < seq; ) {
    const page = await read(runId, last, limit);
    const end = page.at(-1);
    if (end === undefined) return;
    yield end.seq > seq ? page.filter((event) => event.seq <= seq) : page;
    last = end.seq;
  }
}

/** All events, as far as the store has them. */
export async function wholeJournal(
  read: ReadEvents<JournalEvent>,
  extent: JournalExtent,
): Promise<readonly JournalEvent[]> {
  const events: JournalEvent[] = [];
  for await (const page of journalPages(read, extent)) events.push(...page);
  return events;
}
