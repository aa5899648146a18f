import { equal } from "node:assert/strict";
import type { RecordWrite, RecordWriteResult, StoredRecord, World } from "@perdure/core/world";
import { only } from "./acts.ts";
import { bytesOf, START } from "./requests.ts";
import { same } from "./same.ts";

/** Writes of records, and batches of one. */

export const WRITTEN: RecordWriteResult = { outcome: "written" };

let lastWrite = 0;

/** A write id that no write before had. */
export function nextWriteId(): string {
  lastWrite++;
  return `write-${lastWrite}`;
}

/** A write over a version. */
export function writing(
  key: string,
  ifVersion: string | null,
  value: string,
  ttl: number | null = null,
): RecordWrite {
  return { key, writeId: nextWriteId(), ifVersion, value: bytesOf(value), ttl };
}

/** A write where there is no record. */
export function newRecord(key: string, value: string, ttl: number | null = null): RecordWrite {
  return writing(key, null, value, ttl);
}

export async function writeOne(
  world: World,
  write: RecordWrite,
  now: number = START,
): Promise<RecordWriteResult> {
  return only(await world.writeRecords([write], now));
}

/** Makes a record that must not be there yet; gives its version. */
export async function putRecord(
  world: World,
  key: string,
  value: string,
  ttl: number | null = null,
  now: number = START,
): Promise<string> {
  const write = newRecord(key, value, ttl);
  same(await writeOne(world, write, now), WRITTEN, `a new record ${JSON.stringify(key)}`);
  return write.writeId;
}

export async function readOne(world: World, key: string, now: number = START): Promise<StoredRecord | null> {
  return only(await world.readRecords([key], now));
}

/** Every record with the prefix, page by page. No page is longer than the limit, and all but the last are as long. */
export async function listAll(
  world: World,
  prefix: string,
  limit = 100,
  now: number = START,
): Promise<StoredRecord[]> {
  const found: StoredRecord[] = [];
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await world.listRecords({ prefix, limit, now, ...(cursor !== undefined && { cursor }) });
    equal(page.records.length <= limit, true, "a page is no longer than its limit");
    if (page.cursor !== null) equal(page.records.length, limit, "a page before the last is full");
    found.push(...page.records);
    cursor = page.cursor;
  }
  return found;
}
