/**
 * Records: one document each, under its key, so that compare-and-set is an update whose filter names the version, and a new
 * record an insert under a unique key. Both are atomic on every topology, a standalone server and compatible services included.
 *
 * Whether a record has expired is judged in the filter, by the time of the server (see `clock.ts`). There is no TTL index:
 * services that lack it would keep everything, it counts by wall time that no test can set, and it may come a minute late, so
 * the filters would be needed all the same.
 *
 * That there is another version is never told by a read alone, which a primary that has lost an election may answer from what
 * it has: the read follows an update, or an insert, that found it.
 */
import {
  afterPrefix,
  type OpenStore,
  type RecordWrite,
  type RecordWriteResult,
  type StoredRecord,
} from "@perdure/core/world";
import type { Document } from "mongodb";
import type { StoreClock } from "./clock.ts";
import type { Connection } from "./connection.ts";
import { tooLarge } from "./errors.ts";
import type { Collections, RecordDocument } from "./schema.ts";
import { fromStored, toStored, toStoredKey } from "./text.ts";
import { bytesOf } from "./values.ts";

// So many writes of a batch are under way at once.
const AT_ONCE = 32;
// The expired are looked for after so many writes of this World, and at most so many times as many are removed.
const SWEEP_AFTER = 50;
const SWEPT_PER_WRITE = 2;

export function records(
  connection: Connection,
  collections: Collections,
  clock: StoreClock,
): OpenStore["records"] {
  const name = collections.records;
  const limit = connection.facts.largestValue;
  // The first write of a process looks as well: some live for one write only.
  let unswept = SWEEP_AFTER;

  async function writeOne(write: RecordWrite, callersNow: number): Promise<RecordWriteResult> {
    const { writeId, ifVersion, value, ttl } = write;
    if (value.byteLength > limit) throw tooLarge("A record's value", value.byteLength, limit);
    const _id = toStoredKey(write.key);
    for (let attempt = 0; ; attempt++) {
      await connection.backOff(attempt);
      const now = await clock(callersNow);
      const record = { version: toStored(writeId), value, expiresAt: ttl === null ? null : now + ttl };
      if (await (ifVersion === null ? make(_id, record, now) : replace(_id, ifVersion, record, now))) {
        return { outcome: "written" };
      }
      const [found] = await connection.find<RecordDocument>("find record", name, { _id, ...live(now) });
      if (found?.version === record.version) return { outcome: "written" };
      const present = found === undefined ? null : toRecord(found, now);
      if ((present?.version ?? null) !== ifVersion) return { outcome: "conflict", record: present };
    }
  }

  /** Writes a record where there is none, or one that has expired. */
  async function make(_id: string, record: Omit<RecordDocument, "_id">, now: number): Promise<boolean> {
    if (await connection.insert("insert record", name, [{ _id, ...record }])) return true;
    return connection.update("take over record", name, { _id, expiresAt: { $lte: now } }, { $set: record });
  }

  function replace(
    _id: string,
    version: string,
    record: Omit<RecordDocument, "_id">,
    now: number,
  ): Promise<boolean> {
    const filter = { _id, version: toStored(version), ...live(now) };
    return connection.update("write record", name, filter, { $set: record });
  }

  /** Removes expired records, once there were enough writes. */
  async function sweep(writes: number, now: number): Promise<void> {
    unswept += writes;
    if (unswept < SWEEP_AFTER) return;
    const most = unswept * SWEPT_PER_WRITE;
    unswept = 0;
    const expired = { expiresAt: { $lte: now } };
    const found = await connection.find<RecordDocument>("find expired records", name, expired, {
      sort: { expiresAt: 1 },
      limit: most,
      projection: { _id: 1 },
    });
    if (found.length === 0) return;
    // One that was made again meanwhile does not fit the filter.
    await connection.delete("sweep records", name, { _id: { $in: found.map(({ _id }) => _id) }, ...expired });
  }

  return {
    async readRecords(keys, callersNow) {
      const ids = keys.map(toStoredKey);
      const now = await clock(callersNow);
      const filter = { _id: { $in: [...new Set(ids)] }, ...live(now) };
      const found = await connection.find<RecordDocument>("find records", name, filter);
      const byId = new Map(found.map((record) => [record._id, toRecord(record, now)]));
      return ids.map((id) => byId.get(id) ?? null);
    },

    async writeRecords(batch, now) {
      const results: RecordWriteResult[] = [];
      for (let first = 0; first < batch.length; first += AT_ONCE) {
        const part = batch.slice(first, first + AT_ONCE).map((write) => writeOne(write, now));
        // None is under way any more when this rejects.
        for (const settled of await Promise.allSettled(part)) {
          if (settled.status === "rejected") throw settled.reason;
          results.push(settled.value);
        }
      }
      await sweep(batch.length, await clock(now));
      return results;
    },

    async listRecords({ prefix, limit, cursor, now: callersNow }) {
      const now = await clock(callersNow);
      const from = toStoredKey(prefix);
      // What begins with the last character there is comes after all that does not: it needs no end.
      const end = afterPrefix(from.replace(/\uffff+$/, ""));
      const range: Document = {
        ...(cursor === undefined ? { $gte: from } : { $gt: toStoredKey(cursor) }),
        ...(end !== null && { $lt: end }),
      };
      const found = await connection.find<RecordDocument>(
        "list records",
        name,
        { _id: range, ...live(now) },
        { sort: { _id: 1 }, limit: limit + 1 },
      );
      const page = found.slice(0, limit).map((record) => toRecord(record, now));
      return { records: page, cursor: found.length > limit ? (page.at(-1)?.key ?? null) : null };
    },
  };
}

/** Fits records that have not expired, those included that never do. */
function live(now: number): Document {
  return { expiresAt: { $not: { $lte: now } } };
}

function toRecord({ _id, version, value, expiresAt }: RecordDocument, now: number): StoredRecord {
  const ttl = expiresAt === null ? null : expiresAt - now;
  return { key: fromStored(_id), version: fromStored(version), value: bytesOf(value), ttl };
}
