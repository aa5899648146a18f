/**
 * Streams of a run: an append of any number of batches is one call.
 *
 * Level: READ COMMITTED (see `connection.ts`). An append locks the rows of its streams, in the order of their runs and names,
 * and then looks whether the runs have ended. No commit takes or waits for those locks: a run's end is its status, which the
 * commit sets. Who reads a stream and finds its run ended closes the stream before it says so, which waits for appends that
 * looked at the run before its end; every later one sees the end. To make a stream takes a share lock on the run's row, once.
 */
import type { AppendChunks, AppendResult, Streams } from "@perdure/core/world";
import { sql } from "kysely";
import type { Connection } from "./connection.ts";
import { Bytes, callOf, inCalls, numbers } from "./packing.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

const APPEND = ["text[]", "text[]", "text[]", "int[]", "int[]", "int[]", "int[]", "bytea"];

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
  const append = callOf(functions.appendChunks, APPEND);
  const read = callOf(functions.readChunks, ["text", "text", "bigint", "bigint", "bigint"]);
  const close = callOf(functions.closeStream, ["text", "text"]);

  return {
    async appendChunks(batch) {
      const results: AppendResult[] = [];
      for (const part of inCalls(batch, ({ chunks }) => chunks)) {
        const rows = await connection.call<AnswerRow>("append chunks", append, columnsOf(part));
        results.push(...rows.map(toResult));
      }
      return results;
    },

    async readChunks({ runId, name, from, limit, byteLimit }) {
      const values = [toStored(runId), toStored(name), from, limit, byteLimit];
      const rows = await connection.call<ChunkRow>("read chunks", read, values);
      const [first] = rows;
      if (first === undefined) return null;
      const chunks = rows.flatMap(({ place, writer, data }) =>
        place === null || writer === null || data === null
          ? []
          : [{ index: place, writer: fromStored(writer), data }],
      );
      return { chunks, length: first.length, closed: first.closed };
    },

    async closeStream({ runId, name }) {
      const values = [toStored(runId), toStored(name)];
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

function columnsOf(batch: readonly AppendChunks[]): unknown[] {
  const bytes = new Bytes();
  const offsets: number[] = [];
  const lengths: number[] = [];
  for (const { chunks } of batch) for (const data of chunks) bytes.add(data, offsets, lengths);
  return [
    batch.map(({ runId }) => toStored(runId)),
    batch.map(({ name }) => toStored(name)),
    batch.map(({ writer }) => toStored(writer)),
    numbers(batch.map(({ n }) => n)),
    numbers(batch.map(({ chunks }) => chunks.length)),
    numbers(offsets),
    numbers(lengths),
    bytes.toBuffer(),
  ];
}

function toResult({ outcome, next }: AnswerRow): AppendResult {
  return outcome === "gap" ? { outcome, next: next ?? 0 } : { outcome };
}
