/**
 * Packs: many events of one commit as one value, so that a fan-out of thousands of steps costs the server a few documents
 * of bytes, and not thousands of fields in a run document that it takes apart with every look at the run.
 *
 * A pack is a value like others (`values.ts`): written before the run document refers to it, under an id that nobody else
 * uses. Its place among the events is the number of its last one. An event that claims a name is never packed: what is written
 * of it is known last.
 */
import { BSON } from "mongodb";
import { type Entry, inOrder, type Numbered, type Pack, type StoredEvent } from "./schema.ts";
import type { Collector, Values } from "./values.ts";

/** Fewer events in a row than this stay in the run document, unless they have more than {@link LARGEST} bytes. */
const FEWEST = 64;
/** A pack ends with so many events, or bytes in them, so that a page of the journal reads little beside it. */
const MOST = 512;
const LARGEST = 256 * 1024;

/** An entry under its number. */
export type NumberedEntry = readonly [number, Entry];

/**
 * Cuts events, the first of which gets the number `first`, into packs and events that stay by themselves.
 *
 * @param alone whether the event at that index must stay by itself
 */
export function packed(
  events: readonly StoredEvent[],
  first: number,
  collector: Collector,
  alone: (index: number) => boolean,
): NumberedEntry[] {
  const entries: NumberedEntry[] = [];
  let row: StoredEvent[] = [];
  let bytes = 0;
  const close = (next: number): void => {
    const from = next - row.length;
    if (row.length < FEWEST && bytes <= LARGEST)
      entries.push(...row.map((event, index) => [from + index, event] as const));
    else entries.push([next - 1, { first: from, pack: collector.put(BSON.serialize({ events: row })) }]);
    row = [];
    bytes = 0;
  };
  for (const [index, event] of events.entries()) {
    const mayBePacked = !alone(index);
    if (!mayBePacked || row.length === MOST || bytes > LARGEST) close(first + index);
    if (mayBePacked) {
      row.push(event);
      bytes += event.data instanceof Uint8Array ? event.data.byteLength : 0;
    } else entries.push([first + index, event]);
  }
  close(first + events.length);
  return entries;
}

/** The events after `after` and up to `until`, in order, and what shares a pack with them; none of a pack that is lost. */
export async function unpacked(
  entries: Numbered<Entry>,
  [after, until]: readonly [number, number],
  values: Values,
): Promise<(readonly [number, StoredEvent])[]> {
  const wanted = inOrder(entries).filter(
    ([seq, entry]) => seq > after && (isPack(entry) ? entry.first : seq) <= until,
  );
  const bytes = await values.load(wanted.map(([, entry]) => (isPack(entry) ? entry.pack : null)));
  return wanted.flatMap(([seq, entry], index) => {
    if (!isPack(entry)) return [[seq, entry] as const];
    const data = bytes[index];
    return data === null || data === undefined ? [] : eventsOf(entry, data);
  });
}

export function isPack(entry: Entry): entry is Pack {
  return "pack" in entry;
}

function eventsOf({ first }: Pack, data: Uint8Array): (readonly [number, StoredEvent])[] {
  const { events } = BSON.deserialize(data, { promoteBuffers: true }) as { events: StoredEvent[] };
  return events.map((event, index) => [first + index, event] as const);
}
