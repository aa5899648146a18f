/**
 * Records: compare-and-set under SQLite's write lock. A batch is one transaction.
 */
import type { OpenStore, RecordWrite, RecordWriteResult, StoredRecord } from "@perdure/core/world";
import { bytesOrNull, Damage, isDamage, numberOrNull, text } from "./cells.ts";
import type { Connection } from "./connection.ts";
import { damagedError } from "./errors.ts";
import { endOfKeys, fromStoredKey, nextKey, toStoredKey } from "./keys.ts";
import { readAt, type StoreClock } from "./store-clock.ts";
import type { Tables } from "./tables.ts";
import { type StoredText, toStored } from "./text.ts";

// A batch of n removes at most so many times n records that have expired.
const SWEPT_PER_WRITE = 2;

interface RecordRow {
  readonly key: Uint8Array;
  readonly version: StoredText;
  readonly value: Uint8Array;
  readonly expiresAt: number | null;
}

export function records(connection: Connection, tables: Tables, clock: StoreClock): OpenStore["records"] {
  const table = tables.records;
  const columns = "key, version, value, expires_at AS expiresAt";
  const select = connection.prepare<RecordRow>(
    "select record",
    `SELECT ${columns} FROM ${table} WHERE key = ?1 AND (expires_at IS NULL OR expires_at > ?2)`,
  );
  const list = connection.prepare<RecordRow>(
    "list records",
    `SELECT ${columns} FROM ${table}
     WHERE key >= ? AND key < ? AND (expires_at IS NULL OR expires_at > ?) ORDER BY key LIMIT ?`,
  );
  const write = connection.prepare(
    "write record",
    `INSERT INTO ${table} (key, version, value, expires_at) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (key) DO UPDATE SET version = ?2, value = ?3, expires_at = ?4`,
  );
  const sweep = connection.prepare(
    "sweep records",
    `DELETE FROM ${table} WHERE id IN (
       SELECT id FROM ${table} INDEXED BY ${table}_expiring WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
     )`,
  );

  function read(key: string, now: number): StoredRecord | null {
    const row = select.get(toStoredKey(key), now);
    return row === undefined ? null : toRecord(row, now);
  }

  function writeOne({ key, writeId, ifVersion, value, ttl }: RecordWrite, now: number): RecordWriteResult {
    const record = read(key, now);
    if (record?.version === writeId) return { outcome: "written" };
    if ((record?.version ?? null) !== ifVersion) return { outcome: "conflict", record };
    write.run(toStoredKey(key), toStored(writeId), value, ttl === null ? null : now + ttl);
    return { outcome: "written" };
  }

  function toRecord(row: RecordRow, now: number): StoredRecord {
    try {
      return recordOf(row, now);
    } catch (error) {
      throw isDamage(error) ? damagedError(error, connection.location, "of a record") : error;
    }
  }

  return {
    readRecords: (keys, callersNow) =>
      readAt(connection, clock, callersNow, (now) => keys.map((key) => read(key, now))),

    writeRecords: (batch, callersNow) =>
      connection.write(() => {
        const { now } = clock.read(callersNow);
        const results = batch.map((write) => writeOne(write, now));
        sweep.run(now, SWEPT_PER_WRITE * batch.length);
        return results;
      }),

    listRecords: ({ prefix, limit, cursor, now: callersNow }) =>
      readAt(connection, clock, callersNow, (now) => {
        const from = cursor === undefined ? toStoredKey(prefix) : nextKey(cursor);
        const rows = list.all(from, endOfKeys(prefix), now, limit + 1);
        const page = rows.slice(0, limit).map((row) => toRecord(row, now));
        return { records: page, cursor: rows.length > limit ? (page.at(-1)?.key ?? null) : null };
      }),
  };
}

/** @throws {Damage} for a row that this World has not written */
function recordOf(row: RecordRow, now: number): StoredRecord {
  const value = bytesOrNull(row.value, "value");
  const key = bytesOrNull(row.key, "key");
  if (value === null || key === null) throw new Damage("its key or its value is missing");
  const expiresAt = numberOrNull(row.expiresAt, "expires_at");
  return {
    key: fromStoredKey(key),
    version: text(row.version, "version"),
    value,
    ttl: expiresAt === null ? null : expiresAt - now,
  };
}
