import type {
  ListRecordsQuery,
  RecordPage,
  RecordWrite,
  RecordWriteResult,
  StoredRecord,
} from "../world/index.ts";
import { SortedStrings } from "./sorted-strings.ts";

// A write looks at so many records and removes those that have expired: the next ones of all, in turn.
const SWEPT_PER_WRITE = 2;

/** A record as it is kept, expired or not. */
export interface MemoryRecord {
  readonly version: string;
  readonly value: Uint8Array;
  /** `null`: never. */
  readonly expiresAt: number | null;
}

/** The records of a store in memory. */
export class MemoryRecords {
  readonly #records = new Map<string, MemoryRecord>();
  readonly #keys = new SortedStrings();
  #sweep = this.#records.entries();

  /** How many are kept, those included that have expired and were not removed yet. */
  get size(): number {
    return this.#records.size;
  }

  set(key: string, record: MemoryRecord): void {
    this.#records.set(key, record);
    this.#keys.add(key);
  }

  delete(key: string): void {
    this.#records.delete(key);
    this.#keys.delete(key);
  }

  /** The record under a key, unless it has expired. */
  get(key: string, now: number): StoredRecord | null {
    const record = this.#records.get(key);
    if (record === undefined || hasExpired(record, now)) return null;
    const { version, value, expiresAt } = record;
    return { key, version, value, ttl: expiresAt === null ? null : expiresAt - now };
  }

  /** The keys with a prefix, after a cursor if there is one. */
  keys(prefix: string, cursor?: string): Iterable<string> {
    return this.#keys.startingWith(prefix, cursor);
  }

  /** Looks at the next records and removes those that have expired. */
  sweep(now: number): void {
    for (let looked = 0; looked < SWEPT_PER_WRITE; looked++) {
      const { value, done } = this.#sweep.next();
      if (done) this.#sweep = this.#records.entries();
      else if (hasExpired(value[1], now)) this.delete(value[0]);
    }
  }
}

function hasExpired({ expiresAt }: MemoryRecord, now: number): boolean {
  return expiresAt !== null && expiresAt <= now;
}

/** `World.writeRecords` for one write of the batch, in memory. */
export function writeRecord(records: MemoryRecords, write: RecordWrite, now: number): RecordWriteResult {
  const { key, writeId, ifVersion, value, ttl } = write;
  records.sweep(now);
  const record = records.get(key, now);
  if (record?.version === writeId) return { outcome: "written" };
  if ((record?.version ?? null) !== ifVersion) return { outcome: "conflict", record };
  const expiresAt = ttl === null ? null : now + ttl;
  records.set(key, { version: writeId, value: new Uint8Array(value), expiresAt });
  return { outcome: "written" };
}

/** `World.listRecords`, in memory. */
export function listRecords(records: MemoryRecords, query: ListRecordsQuery, now: number): RecordPage {
  const { prefix, limit, cursor } = query;
  const page: StoredRecord[] = [];
  for (const key of records.keys(prefix, cursor)) {
    const record = records.get(key, now);
    if (record === null) continue;
    if (page.length === limit) return { records: page, cursor: page.at(-1)?.key ?? null };
    page.push(record);
  }
  return { records: page, cursor: null };
}
