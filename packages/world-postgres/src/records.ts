/**
 * Records: compare-and-set in one call of a function in the database, for any number of records.
 *
 * Level: READ COMMITTED (see `connection.ts`). Each record is locked and then looked at, in the order of their keys, so that
 * batches cannot wait for each other in a circle; two writers that make one record meet on the primary key.
 */
import { afterPrefix, type OpenStore, type RecordWriteResult, type StoredRecord } from "@perdure/core/world";
import { sql } from "kysely";
import type { Connection } from "./connection.ts";
import { storeNow } from "./functions/clauses.ts";
import { WRITE_RECORDS } from "./functions/write-records.ts";
import { Bytes, inCalls, whole } from "./packing.ts";
import { callOf, valuesOf } from "./parameters.ts";
import { type Bigint, numberOrNull } from "./schema.ts";
import type { Tables } from "./tables.ts";
import { fromStored, toStored } from "./text.ts";

// A batch of n removes at most so many times n records that have expired.
const SWEPT_PER_WRITE = 2;

interface RecordRow {
  readonly key: string;
  readonly version: string;
  readonly value: Uint8Array;
  readonly ttl: Bigint | null;
}

interface AnswerRow {
  readonly place: number;
  readonly written: boolean;
  readonly version: string | null;
  readonly value: Uint8Array | null;
  readonly ttl: Bigint | null;
}

export function records(connection: Connection, tables: Tables, callersClock: boolean): OpenStore["records"] {
  const text = callOf(tables.functions.writeRecords, WRITE_RECORDS);
  const table = sql.raw(tables.records);
  /** The columns of records that have not expired. */
  const live = (now: number) => {
    const time = callersClock ? sql`${whole(now)}::bigint` : sql.raw(storeNow("NULL::bigint"));
    return sql`
      SELECT r.key, r.version, r.value, r.expires_at - c.now AS ttl FROM (SELECT ${time} AS now) c, ${table} r
      WHERE (r.expires_at IS NULL OR r.expires_at > c.now)`;
  };

  return {
    async readRecords(keys, now) {
      const stored = keys.map(toStored);
      const rows = await connection.query("select records", (db) =>
        sql<RecordRow>`${live(now)} AND r.key = ANY (${stored}::text[])`.compile(db),
      );
      const found = new Map(rows.map((row) => [row.key, toRecord(row)]));
      return stored.map((key) => found.get(key) ?? null);
    },

    async writeRecords(batch, now) {
      const results: RecordWriteResult[] = [];
      for (const part of inCalls(batch, ({ value }) => [value])) {
        const bytes = new Bytes();
        const writes = part.map((write) => ({ write, value: bytes.add(write.value) }));
        const values = valuesOf(WRITE_RECORDS, {
          now: callersClock ? whole(now) : null,
          sweep: SWEPT_PER_WRITE * part.length,
          writes,
          bytes: bytes.toBuffer(),
        });
        const rows = await connection.call<AnswerRow>("write records", text, values);
        const first = results.length;
        for (const row of rows)
          results[first + row.place - 1] = toResult(row, part[row.place - 1]?.key ?? "");
      }
      return results;
    },

    async listRecords({ prefix, limit, cursor, now }) {
      const end = afterPrefix(toStored(prefix));
      const rows = await connection.query("list records", (db) =>
        sql<RecordRow>`${live(now)}
          AND r.key >= ${toStored(prefix)}
          ${end === null ? sql`` : sql`AND r.key < ${end}`}
          ${cursor === undefined ? sql`` : sql`AND r.key > ${toStored(cursor)}`}
          ORDER BY r.key LIMIT ${limit + 1}`.compile(db),
      );
      const page = rows.slice(0, limit).map(toRecord);
      return { records: page, cursor: rows.length > limit ? (page.at(-1)?.key ?? null) : null };
    },
  };
}

function toResult({ written, version, value, ttl }: AnswerRow, key: string): RecordWriteResult {
  if (written) return { outcome: "written" };
  const record =
    version === null || value === null
      ? null
      : { key, version: fromStored(version), value, ttl: numberOrNull(ttl) };
  return { outcome: "conflict", record };
}

function toRecord({ key, version, value, ttl }: RecordRow): StoredRecord {
  return { key: fromStored(key), version: fromStored(version), value, ttl: numberOrNull(ttl) };
}
