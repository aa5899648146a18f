/**
 * A run's journal: its end lies in the run document as `tail`, what came before in segments of their own.
 *
 * A commit only ever adds to the tail, in the same update that changes the row, so journal and row cannot part. When a
 * tail has grown large, the next commit first copies it into a segment and empties it in its own update:
 *
 * - Only what is committed is ever copied, and no committed event changes. So a copy is right whoever makes it, also one
 *   that lost its lease meanwhile, also twice: the segment's id names the run's incarnation and the last event.
 * - A crash after the copy leaves events in both places. Readers and the next copy do not mind: equal numbers, equal
 *   events.
 * - A reader reads the run document first. What its tail does not have was copied before the tail was emptied.
 */
import type { JournalEvent } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import {
  type Collections,
  inOrder,
  type RunDocument,
  type SegmentDocument,
  type StoredEvent,
  segmentEnd,
  segmentId,
} from "./schema.ts";
import { fromStoredOrNull } from "./text.ts";
import type { Values } from "./values.ts";

/** A tail of this many bytes or more is moved by the next commit. */
export const FULL_TAIL: number = 32 * 1024;

export interface Journal {
  /** Copies the tail of a run into a segment. */
  copyTail(run: RunDocument): Promise<void>;
  /** The events of a run after `after`, as stored, at most `limit`, none that the run document does not know. */
  stored(run: RunDocument, after: number, limit: number): Promise<(readonly [number, StoredEvent])[]>;
  /** The same as records. */
  read(run: RunDocument, after: number, limit: number): Promise<JournalEvent[]>;
  /** Deletes every segment of runs. */
  remove(runs: readonly RunDocument[]): Promise<void>;
}

export function journal(connection: Connection, collections: Collections, values: Values): Journal {
  async function stored(run: RunDocument, after: number, limit: number) {
    const found: (readonly [number, StoredEvent])[] = [];
    let last = after;
    const add = (events: Readonly<Record<string, StoredEvent>>) => {
      for (const [seq, event] of inOrder(events)) {
        if (seq <= last || seq > run.seq || found.length === limit) continue;
        found.push([seq, event]);
        last = seq;
      }
    };
    while (found.length < limit && last + 1 < run.tailFrom) {
      // Each segment has at least one event that is wanted.
      const segments = await connection.find<SegmentDocument>(
        "find events",
        collections.events,
        { _id: { $gt: segmentId(run, last), $lt: segmentEnd(run) } },
        { sort: { _id: 1 }, limit: Math.min(limit - found.length, 50) },
      );
      if (segments.length === 0) break;
      for (const { events } of segments) add(events);
    }
    add(run.tail);
    return found;
  }

  return {
    stored,

    async copyTail(run) {
      const segment: SegmentDocument = { _id: segmentId(run, run.seq), events: run.tail };
      await connection.insert("insert events", collections.events, [segment]);
    },

    async read(run, after, limit) {
      const found = await stored(run, after, limit);
      const data = await values.load(found.map(([, event]) => event.data));
      return found.map(([seq, event], index) => ({
        seq,
        type: event.type,
        at: event.at,
        id: fromStoredOrNull(event.id),
        name: fromStoredOrNull(event.name),
        data: data[index] ?? null,
      }));
    },

    async remove(runs) {
      for (const run of runs) {
        await connection.delete("delete events", collections.events, {
          _id: { $gt: segmentId(run, 0), $lt: segmentEnd(run) },
        });
      }
    },
  };
}
