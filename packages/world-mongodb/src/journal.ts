/**
 * A run's journal: its end lies in the run document as `tail`, what came before in segments of their own. Both hold
 * events, and packs of them where a commit had many (`packs.ts`).
 *
 * A commit only ever adds to the tail, in the same update that changes the row, so journal and row cannot part. When a
 * tail has grown large, the next commit first copies it into a segment and empties it in its own update:
 *
 * - Only what is committed is ever copied, and no committed event changes. So a copy is right whoever makes it, also one
 *   that lost its lease meanwhile, also twice: the segment's id names the run's incarnation and the last event.
 * - A crash after the copy leaves events in both places. Readers and the next copy do not mind: equal numbers, equal
 *   events.
 * - A reader reads the run document first. What its tail does not have was copied before the tail was emptied.
 *
 * Where a restart has begun the journal anew, the events before `firstSeq` are passed over wherever they still are, and
 * deleted by `generations.ts`. A reader who misses some looks at the run again.
 */
import type { JournalEvent } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { lostPart } from "./errors.ts";
import { unpacked } from "./packs.ts";
import type { Runs } from "./runs.ts";
import {
  type Collections,
  type Entry,
  inOrder,
  type Numbered,
  type RunDocument,
  type RunHead,
  type SegmentDocument,
  type StoredEvent,
  segmentEnd,
  segmentId,
} from "./schema.ts";
import { fromStored, fromStoredOrNull } from "./text.ts";
import type { Values } from "./values.ts";

/** A tail of this many bytes or more is moved by the next commit. */
export const FULL_TAIL: number = 32 * 1024;

export interface Journal {
  /** Copies the tail of a run into segments. */
  copyTail(run: RunDocument): Promise<void>;
  /** The events of a run after `after`, as stored, at most `limit`, none that the run document does not know. */
  stored(run: RunDocument, after: number, limit: number): Promise<(readonly [number, StoredEvent])[]>;
  /**
   * The same as records; nothing of a run that is deleted meanwhile.
   *
   * @throws {Damage} if an event or its value is missing
   */
  read(run: RunDocument, after: number, limit: number): Promise<JournalEvent[]>;
  /** Deletes the segments of a run, those of events before a given number or all. */
  remove(run: RunHead, before?: number): Promise<void>;
}

/** The parts of the store that the journal works with. */
export interface JournalStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly values: Values;
  readonly runs: Runs;
}

export function journal({ connection, collections, values, runs }: JournalStore): Journal {
  async function stored(run: RunDocument, after: number, limit: number) {
    const found: (readonly [number, StoredEvent])[] = [];
    let last = Math.max(after, (run.firstSeq ?? 1) - 1);
    const until = last + limit;
    const add = async (entries: Numbered<Entry>) => {
      for (const [seq, event] of await unpacked(entries, [last, until], values)) {
        if (seq !== last + 1 || seq > run.seq || found.length === limit) continue;
        found.push([seq, event]);
        last = seq;
      }
    };
    let from = segmentId(run, last);
    while (found.length < limit && last + 1 < run.tailFrom) {
      // In the order of their last events. Of a copy that was not finished, what has nothing before it is passed over.
      const segments = await connection.find<SegmentDocument>(
        "find events",
        collections.events,
        { _id: { $gt: from, $lt: segmentEnd(run) } },
        { sort: { _id: 1 }, limit: Math.min(limit - found.length, 50) },
      );
      if (segments.length === 0) break;
      await add(Object.assign({}, ...segments.map(({ events }) => events)));
      from = segments.at(-1)?._id ?? from;
    }
    await add(run.tail);
    return found;
  }

  const self: Journal = {
    stored,

    async copyTail(run) {
      const segments = segmentsOf(run);
      if (await connection.insert("insert events", collections.events, segments)) return;
      // Where one that was there kept the others out too, each goes in by itself.
      for (const segment of segments.length > 1 ? segments : []) {
        await connection.insert("insert events", collections.events, [segment]);
      }
    },

    async read(run, after, limit) {
      const found = await stored(run, after, limit);
      const data = await values.load(found.map(([, event]) => event.data));
      const first = Math.max(after + 1, run.firstSeq ?? 1);
      const wanted = Math.min(limit, Math.max(0, run.seq + 1 - first));
      const whole =
        found.length === wanted &&
        found.every(([seq], index) => seq === first + index && data[index] !== undefined);
      if (!whole) {
        const now = (await runs.get([run._id])).get(run._id);
        if (now?.incarnation !== run.incarnation) return [];
        if (now.firstSeq !== run.firstSeq) return self.read(now, after, limit);
        throw lostPart(fromStored(run._id), "journal");
      }
      return found.map(([seq, event], index) => ({
        seq,
        type: fromStored(event.type),
        at: event.at,
        id: fromStoredOrNull(event.id),
        name: fromStoredOrNull(event.name),
        data: data[index] ?? null,
      }));
    },

    async remove(run, before) {
      await connection.delete("delete events", collections.events, {
        _id: { $gt: segmentId(run, 0), $lt: before === undefined ? segmentEnd(run) : segmentId(run, before) },
      });
    },
  };
  return self;
}

/** The tail in stretches of about {@link FULL_TAIL} bytes, so that a page of the journal reads little beside it. */
function segmentsOf(run: RunDocument): SegmentDocument[] {
  const entries = inOrder(run.tail);
  const perSegment = Math.max(1, Math.ceil((entries.length * FULL_TAIL) / Math.max(run.tailSize, 1)));
  const segments: SegmentDocument[] = [];
  for (let from = 0; from < entries.length; from += perSegment) {
    const stretch = entries.slice(from, from + perSegment);
    const last = stretch.at(-1)?.[0] ?? run.seq;
    segments.push({ _id: segmentId(run, last), events: Object.fromEntries(stretch) });
  }
  return segments;
}
