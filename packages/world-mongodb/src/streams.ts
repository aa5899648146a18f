/**
 * Streams of a run.
 *
 * A stream is its segments: documents that are inserted and never changed, each under the index of its first chunk. That key is
 * the compare-and-set: of all who found the stream to have `length` chunks, one inserts the segment with that key, and the
 * others look again. So indexes are dense, and a look at the last segment tells the length. Closing a stream is a segment
 * without chunks in the same place.
 *
 * - *A chunk is in once*: who appends looks at the last segment first and then at the writer's last segment. What came in between
 *   has taken the place that the first look found free.
 * - *The end of a run* is its status, and who reads a stream and finds its run ended closes it before saying so. An append that
 *   looked at the run before its end is in by then, or finds its place taken by the end.
 * - *A stream that has no segment* cannot be closed for all the names that somebody may ask for. So its directory entry
 *   comes first, and after it another look at the run: a reader who finds the run ended and no entry knows that
 *   every later append will see the end.
 *
 * A crash leaves an entry without a segment, which is an empty stream, or some of the segments of an append, which the same
 * append completes. An append or a reader that is overtaken by the deletion of the run may leave a segment that nobody finds.
 */
import { createHash } from "node:crypto";
import {
  type AppendChunks,
  type AppendResult,
  type Chunk,
  isTerminal,
  type Streams,
} from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { lostPart, tooLarge } from "./errors.ts";
import type { Runs } from "./runs.ts";
import { type Collections, LARGE, type RunHead, type SegmentOfStream, type StreamEntry } from "./schema.ts";
import { fromStored, toStored } from "./text.ts";
import { bytesOf } from "./values.ts";

/** A segment has at most so many bytes, but for one large chunk, and so many chunks. */
const SEGMENT_BYTES = 1024 * 1024;
const SEGMENT_CHUNKS = 1_000;

/** A page is made of at most so many segments. */
const PAGE_SEGMENTS = 200;

type Segment = Omit<SegmentOfStream, "chunks">;

/** The parts of the store that streams work with. */
export interface StreamStore {
  readonly connection: Connection;
  readonly collections: Collections;
  readonly runs: Runs;
}

/** One stream of a run that is stored. */
interface Place {
  readonly run: RunHead;
  /** What the ids of its segments begin with. */
  readonly stream: string;
  readonly name: string;
}

/** The verbs of streams. */
export function streams({ connection, collections, runs }: StreamStore): Streams {
  const limit = connection.facts.largestValue;

  async function findRun(runId: string): Promise<RunHead | undefined> {
    const id = toStored(runId);
    const find = async () => (await runs.get([id], LARGE)).get(id);
    const found = await find();
    if (found !== undefined) return found;
    await runs.catchUp([id]);
    return find();
  }

  async function findPlace(runId: string, name: string): Promise<Place | undefined> {
    const run = await findRun(runId);
    const stored = toStored(name);
    return run && { run, stream: `${run.incarnation}:${digest(stored)}`, name: stored };
  }

  /** Segments without their chunks. */
  function find(operation: string, filter: object, sort: object, most: number): Promise<Segment[]> {
    return connection.find<Segment>(operation, collections.streams, filter, {
      sort: sort as Record<string, 1 | -1>,
      limit: most,
      projection: { chunks: 0 },
    });
  }

  async function lastOf({ stream }: Place): Promise<Segment | undefined> {
    const all = { _id: { $gt: `${stream}:`, $lt: `${stream};` } };
    return (await find("find end of stream", all, { _id: -1 }, 1))[0];
  }

  /** Inserts a segment; false where its place is taken. */
  function insert({ run, stream, name }: Place, segment: Omit<SegmentOfStream, "_id" | "run" | "name">) {
    const _id = segmentId(stream, segment.first);
    return connection.insert("append chunks", collections.streams, [
      { _id, run: run._id, name, ...segment } satisfies SegmentOfStream,
    ]);
  }

  async function enter({ run, name }: Place): Promise<void> {
    const entry: StreamEntry = { _id: entryId(run, name), run: run._id, name };
    await connection.insert("enter stream", collections.streams, [entry]);
  }

  /** Closes a stream whose last segment is `last`, if nothing has come after it. */
  function close(place: Place, last: Segment | undefined): Promise<boolean> {
    return insert(place, { first: lengthAt(last), count: 0, bytes: 0, closed: true, chunks: [] });
  }

  async function append({ runId, name, writer, n, chunks }: AppendChunks): Promise<AppendResult> {
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const place = await findPlace(runId, name);
      if (place === undefined) return { outcome: "no_such_run" };
      const by = digest(`${place.stream} ${toStored(writer)}`);
      const last = await lastOf(place);
      // After the look at the end: see above.
      const [own] = last === undefined ? [] : await find("find end of writer", { by }, { n: -1 }, 1);
      const next = own === undefined ? 0 : (own.n ?? 0) + own.count;
      if (n + chunks.length <= next) return { outcome: "appended" };
      if (last?.closed === true || isTerminal(place.run.status)) return { outcome: "closed" };
      if (n > next) return { outcome: "gap", next };
      if (last === undefined) {
        await enter(place);
        const again = await findRun(runId);
        if (again?.incarnation !== place.run.incarnation) continue;
        if (isTerminal(again.status)) return { outcome: "closed" };
      }
      let [first, number, all] = [lengthAt(last), next, true];
      for (const part of segmentsOf(chunks.slice(next - n))) {
        const bytes = sizeOf(part);
        const count = part.length;
        all = await insert(place, {
          first,
          count,
          bytes,
          writer: toStored(writer),
          by,
          n: number,
          chunks: part,
        });
        if (!all) break;
        first += count;
        number += count;
      }
      if (all) return { outcome: "appended" };
    }
  }

  /** The last segment of a stream; if its run has ended, the stream is closed with it. */
  async function settled(place: Place): Promise<{ readonly length: number; readonly closed: boolean }> {
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const last = await lastOf(place);
      const length = lengthAt(last);
      if (last?.closed === true) return { length, closed: true };
      if (!isTerminal(place.run.status)) return { length, closed: false };
      if (last === undefined) {
        const _id = entryId(place.run, place.name);
        const [entry] = await connection.find("find stream", collections.streams, { _id });
        if (entry === undefined) return { length, closed: true };
      }
      if (await close(place, last)) return { length, closed: true };
    }
  }

  /** The segments that have the chunks from an index on, as many as a page needs. */
  async function segmentsFrom(
    { stream }: Place,
    from: number,
    most: number,
    byteLimit: number,
  ): Promise<SegmentOfStream[]> {
    const key = segmentId(stream, from);
    const before = { _id: { $gt: `${stream}:`, $lte: key } };
    const after = { _id: { $gt: key, $lt: `${stream};` } };
    const [begin, others] = await Promise.all([
      find("find chunks", before, { _id: -1 }, 1),
      find("find more chunks", after, { _id: 1 }, Math.min(most, PAGE_SEGMENTS)),
    ]);
    const wanted: string[] = begin.map(({ _id }) => _id);
    let bytes = 0;
    for (const segment of others) {
      if (wanted.length > 1 && bytes >= byteLimit) break;
      wanted.push(segment._id);
      bytes += segment.bytes;
    }
    const filter = { _id: { $in: wanted } };
    return connection.find<SegmentOfStream>("read chunks", collections.streams, filter, { sort: { _id: 1 } });
  }

  return {
    async appendChunks(batch) {
      for (const chunk of batch.flatMap(({ chunks }) => chunks)) {
        if (chunk.byteLength > limit) throw tooLarge("A chunk of a stream", chunk.byteLength, limit);
      }
      const results: AppendResult[] = [];
      // One after the other: two of them may be for one stream.
      for (const request of batch) results.push(await append(request));
      return results;
    },

    async readChunks({ runId, name, from, limit: most, byteLimit }) {
      const place = await findPlace(runId, name);
      if (place === undefined) return null;
      const { length, closed } = await settled(place);
      const end = Math.min(length, from + most);
      const chunks: Chunk[] = [];
      let bytes = 0;
      const segments = from < end ? await segmentsFrom(place, from, most, byteLimit) : [];
      for (const { first, writer = "", chunks: stored } of segments) {
        for (const [offset, data] of stored.entries()) {
          const index = first + offset;
          if (index !== from + chunks.length || index >= end) continue;
          if (chunks.length > 0 && bytes >= byteLimit) break;
          chunks.push({ index, writer: fromStored(writer), data: bytesOf(data) });
          bytes += data.byteLength;
        }
      }
      if (from < end && chunks.length === 0) {
        if (!(await runs.isThere(place.run))) return null;
        throw lostPart(runId, `stream ${JSON.stringify(name)}`);
      }
      return { chunks, length, closed };
    },

    async closeStream({ runId, name }) {
      const place = await findPlace(runId, name);
      if (place === undefined) return false;
      for (let attempt = 0; ; attempt++) {
        await connection.backOff(attempt);
        if ((await settled(place)).closed) return true;
        const last = await lastOf(place);
        if (last === undefined) await enter(place);
        if (await close(place, last)) return true;
      }
    },

    async listStreams({ runId, limit: most, cursor }) {
      const run = await findRun(runId);
      if (run === undefined) return { names: [], cursor: null };
      const after =
        cursor === undefined ? { $gte: entryId(run, "") } : { $gt: entryId(run, toStored(cursor)) };
      const found = await connection.find<StreamEntry>(
        "list streams",
        collections.streams,
        { _id: { ...after, $lt: entriesEnd(run) } },
        { sort: { _id: 1 }, limit: most + 1 },
      );
      const names = found.slice(0, most).map(({ name }) => fromStored(name));
      return { names, cursor: found.length > most ? (names.at(-1) ?? null) : null };
    },
  };
}

/** Deletes every stream of runs that are being deleted. */
export async function deleteStreams(
  { connection, collections }: Pick<StreamStore, "connection" | "collections">,
  runs: readonly RunHead[],
): Promise<void> {
  const ofRuns = runs.map((run) => ({ _id: { $gte: entryId(run, ""), $lt: segmentsEnd(run) } }));
  await connection.delete("delete streams of runs", collections.streams, { $or: ofRuns });
}

/** The entries of a run sort before its segments, and those by name. */
function entryId({ incarnation }: RunHead, name: string): string {
  return `${incarnation}!${name}`;
}

function entriesEnd({ incarnation }: RunHead): string {
  return `${incarnation}"`;
}

function segmentsEnd({ incarnation }: RunHead): string {
  return `${incarnation};`;
}

/** How many chunks a stream has whose last segment this is. */
function lengthAt(last: Segment | undefined): number {
  return last === undefined ? 0 : last.first + last.count;
}

/** Sorts by the index of the segment's first chunk. */
function segmentId(stream: string, first: number): string {
  return `${stream}:${String(first).padStart(12, "0")}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 40);
}

function sizeOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Cuts chunks into segments. */
function segmentsOf(chunks: readonly Uint8Array[]): Uint8Array[][] {
  const segments: Uint8Array[][] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    const open = segments.at(-1);
    bytes += chunk.byteLength;
    if (open !== undefined && open.length < SEGMENT_CHUNKS && bytes <= SEGMENT_BYTES) open.push(chunk);
    else {
      segments.push([chunk]);
      bytes = chunk.byteLength;
    }
  }
  return segments;
}
