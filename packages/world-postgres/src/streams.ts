/**
 * Streams of a run: an append of any number of batches is one call.
 *
 * Level: READ COMMITTED (see `connection.ts`). An append locks the rows of its streams, in the order of their runs and names,
 * and then looks whether the runs have ended. No commit takes or waits for those locks: a run's end is its status, which the
 * commit sets. Who reads a stream and finds its run ended closes the stream before it says so, which waits for appends that
 * looked at the run before its end; every later one sees the end. To make a stream takes a share lock on the run's row, once.
 */
import type { AppendResult, Streams } from "@perdure/core/world";
import { sql } from "kysely";
import type { Connection } from "./connection.ts";
import { APPEND_CHUNKS, CLOSE_STREAM, READ_CHUNKS } from "./functions/streams.ts";
import { Bytes, inCalls } from "./packing.ts";
import { callOf, valuesOf } from "./parameters.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

interface AnswerRow {
  readonly place: number;
  readonly outcome: AppendResult["outcome"];
  readonly next: number | null;
}

interface ChunkRow {
  readonly length: number;
  readonly closed: boolean;
  readonly place: number | null;
  readonly writer: string | null;
  readonly data: Uint8Array | null;
}

/** The verbs of streams. */
export function streams(connection: Connection, tables: Tables): Streams {
  const { functions } = tables;
  const append = callOf(functions.appendChunks, APPEND_CHUNKS);
  const read = callOf(functions.readChunks, READ_CHUNKS);
  const close = callOf(functions.closeStream, CLOSE_STREAM);

  return {
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const appends of inCalls(batch, ({ chunks }) => chunks)) {
        const bytes = new Bytes();
        const chunks = appends.flatMap((one) => one.chunks.map((data) => bytes.add(data)));
        const values = valuesOf(APPEND_CHUNKS, { appends, chunks, bytes: bytes.toBuffer() });
        const rows = await connection.call<AnswerRow>("append chunks", append, values);
        results.push(...rows.map(toResult));
      }
      return results;
    },

    async readChunks(query) {
      const rows = await connection.call<ChunkRow>("read chunks", read, valuesOf(READ_CHUNKS, query));
      const [first] = rows;
      if (first === undefined) return null;
      const chunks = rows.flatMap(({ place, writer, data }) =>
        place === null || writer === null || data === null
          ? []
          : [{ index: place, writer: fromStored(writer), data }],
      );
      return { chunks, length: first.length, closed: first.closed };
    },

    async closeStream(stream) {
      const values = valuesOf(CLOSE_STREAM, stream);
      const [row] = await connection.call<Record<string, boolean>>("close stream", close, values);
      return Object.values(row ?? {})[0] === true;
    },

    async listStreams({ runId, limit, cursor }) {
      const after = cursor === undefined ? sql`` : sql`AND s.name > ${toStored(cursor)}`;
      const rows = await connection.query("list streams", (db) =>
        sql<{ name: string }>`
          SELECT s.name FROM ${sql.raw(tables.streams)} s JOIN ${sql.raw(tables.runs)} r ON r.id = s.run
          WHERE r.run_id = ${toStored(runId)} ${after} ORDER BY s.name LIMIT ${limit + 1}`.compile(db),
      );
      const names = rows.slice(0, limit).map(({ name }) => fromStored(name));
      return { names, cursor: rows.length > limit ? (names.at(-1) ?? null) : null };
    },
  };
}

function toResult({ outcome, next }: AnswerRow): AppendResult {
  return outcome === "gap" ? { outcome, next: next ?? 0 } : { outcome };
}
