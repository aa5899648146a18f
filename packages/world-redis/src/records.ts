/**
 * Records: compare-and-set by a script in the partition of the key. A batch is one script per partition.
 */
import type { OpenStore, RecordWriteResult, StoredRecord } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { READ_RECORDS, RECORD_KEYS, WRITE_RECORDS } from "./lua/records.ts";
import { divide } from "./partitions.ts";
import type { Reply } from "./schema.ts";
import { reading, writing } from "./script.ts";
import { fromStored, type Stored, toBytes, toStored } from "./text.ts";

const read = reading("read records", READ_RECORDS);
const write = writing("write records", WRITE_RECORDS);
const findKeys = reading("list records", RECORD_KEYS);

// A batch of n removes at most so many times n records that have expired.
const SWEPT_PER_WRITE = 2;

// UTF-8 has no such byte: behind a prefix, it comes after all keys with that prefix.
const NO_UTF8 = Buffer.of(0xff);

export function records(connection: Connection): OpenStore["records"] {
  const { partitions } = connection;
  const partitionOf = (key: string): number => partitions.of(toStored(key));

  async function readRecords(keys: readonly string[], now: number): Promise<(StoredRecord | null)[]> {
    const answers = await connection.runShares(read, divide(keys, partitionOf), ({ items }) => [
      ...connection.clock(now),
      ...items.map(toStored),
    ]);
    return keys.map((key, index) => toRecord(key, answers[index] ?? null));
  }

  return {
    readRecords,

    async writeRecords(batch, now) {
      const shares = divide(batch, ({ key }) => partitionOf(key));
      const answers = await connection.runShares(write, shares, ({ items }) => [
        ...connection.clock(now),
        String(SWEPT_PER_WRITE * items.length),
        ...items.flatMap(({ key, writeId, ifVersion, value, ttl }) => [
          toStored(key),
          toStored(writeId),
          conditionOf(ifVersion),
          Buffer.from(value.buffer, value.byteOffset, value.byteLength),
          ttl === null ? "" : String(ttl),
        ]),
      ]);
      return batch.map(({ key }, index): RecordWriteResult => {
        const answer = answers[index] ?? null;
        return answer === 1 ? { outcome: "written" } : { outcome: "conflict", record: toRecord(key, answer) };
      });
    },

    async listRecords({ prefix, limit, cursor, now }) {
      const from = cursor === undefined ? bound("[", toBytes(prefix)) : bound("(", toBytes(cursor));
      const to = bound("(", toBytes(prefix), NO_UTF8);
      const answers = await Promise.all(
        Array.from({ length: partitions.count }, (_, partition) =>
          connection.run(findKeys, partition, [...connection.clock(now), from, to, String(limit + 1)]),
        ),
      );
      const found = (answers.flat() as Buffer[]).sort(Buffer.compare).map(fromStored);
      const keys = found.slice(0, limit);
      // Some may have gone since their keys were found.
      const page = (await readRecords(keys, now)).filter((record) => record !== null);
      return { records: page, cursor: found.length > limit ? (keys.at(-1) ?? null) : null };
    },
  };
}

function conditionOf(ifVersion: string | null): Stored {
  return ifVersion === null ? "-" : Buffer.concat([Buffer.from("="), toBytes(ifVersion)]);
}

function bound(side: "[" | "(", ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(side), ...parts]);
}

function toRecord(key: string, answer: Reply): StoredRecord | null {
  if (answer === null || typeof answer === "number" || Buffer.isBuffer(answer)) return null;
  const [version, value, ttl] = answer as unknown as readonly [Buffer, Buffer, Buffer];
  const left = String(ttl);
  // A copy: a few bytes that are kept must not keep the whole answer in which they came.
  const bytes = new Uint8Array(value);
  return { key, version: fromStored(version), value: bytes, ttl: left === "" ? null : Number(left) };
}
