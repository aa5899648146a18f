import type { StoredRecord } from "../../world/index.ts";
import type { StoreCalls } from "../system-steps/store-calls.ts";
import {
  bytesOf,
  IDLE,
  isIdle,
  isOwner,
  type LockOwner,
  type LockState,
  type LockTurn,
  type LockView,
  type LockWait,
  lockKey,
  newLock,
  readValue,
  turnKey,
  waitKey,
} from "./lock-record.ts";

/** The records of locks, read and written. Nothing is written but by compare-and-set. */

/** What is used of the store. */
export type LockCalls = Pick<
  StoreCalls,
  "readRecords" | "writeRecord" | "listRecords" | "deliver" | "now" | "token" | "pause" | "inTurn" | "granted"
>;

/** The place of one who waits, as it was read. */
export interface Place {
  readonly ticket: number;
  /** Of the record that says so; `null`: only the lock's own record does. */
  readonly version: string | null;
}

/** A lock, and the place that an owner has in its line, or had there. */
export async function readLock(
  key: string,
  owner: LockOwner,
  { readRecords, now }: LockCalls,
): Promise<{ readonly lock: LockView; readonly place: Place | null; readonly had: number | null }> {
  const [lock, wait] = await readRecords([lockKey(key), waitKey(owner)]);
  const view = viewOf(lock, now());
  const place = placeOf(view.state, owner, wait);
  const had = wait && place === null ? readValue<LockWait>(wait.value).ticket : null;
  return { lock: view, place, had };
}

export function viewOf(record: StoredRecord | null | undefined, now: number): LockView {
  if (record === null || record === undefined) return { state: newLock(1, now), version: null };
  return { state: readValue<LockState>(record.value), version: record.version };
}

function placeOf(state: LockState, owner: LockOwner, wait: StoredRecord | null | undefined): Place | null {
  if (wait !== null && wait !== undefined) {
    const { ticket } = readValue<LockWait>(wait.value);
    return ticket >= state.head ? { ticket, version: wait.version } : null;
  }
  const { last, tail, head } = state;
  const isLast = last !== null && isOwner(last, owner) && tail > head;
  return isLast ? { ticket: tail - 1, version: null } : null;
}

/** Writes the lock if it is as it was read; whether it was, and as what it is known then. */
export async function writeLock(
  key: string,
  version: string | null,
  state: LockState,
  { writeRecord, token, now }: LockCalls,
): Promise<{ readonly written: boolean; readonly view: LockView }> {
  const writeId = token();
  const result = await writeRecord({
    key: lockKey(key),
    writeId,
    ifVersion: version,
    value: bytesOf(state),
    ttl: isIdle(state) ? IDLE : null,
  });
  if (result.outcome === "conflict") return { written: false, view: viewOf(result.record, now()) };
  return { written: true, view: { state, version: writeId } };
}

/** The records of one who waits are there from now on, if they were not. */
export async function writePlace(
  key: string,
  ticket: number,
  { runId, lockId }: LockOwner,
  { writeRecord }: LockCalls,
): Promise<void> {
  const turn: LockTurn = { runId, lockId, gone: false };
  const wait: LockWait = { key, lockId, ticket };
  const create = (recordKey: string, writeId: string, value: LockTurn | LockWait) =>
    writeRecord({ key: recordKey, writeId, ifVersion: null, value: bytesOf(value), ttl: null });
  await Promise.all([
    create(turnKey(key, ticket), `turn:${runId}:${lockId}`, turn),
    create(waitKey({ runId, lockId }), `wait:${runId}:${lockId}`, wait),
  ]);
}

/** Places that are over: their records are deleted, as far as they are there. */
export async function deletePlaces(
  key: string,
  places: readonly { readonly ticket: number; readonly owner: LockOwner }[],
  calls: LockCalls,
): Promise<void> {
  if (places.length === 0) return;
  const keys = places.flatMap(({ ticket, owner }) => [turnKey(key, ticket), waitKey(owner)]);
  const records = await calls.readRecords(keys);
  await Promise.all(records.map(async (record) => record !== null && (await deleteRecord(record, calls))));
}

export async function deleteRecord({ key, version, value }: StoredRecord, calls: LockCalls): Promise<void> {
  await calls.writeRecord({ key, writeId: calls.token(), ifVersion: version, value, ttl: 0 });
}

/** Those who wait, the first one first. */
export async function waitingIn(
  key: string,
  { head, tail }: LockState,
  { readRecords }: LockCalls,
): Promise<readonly LockOwner[]> {
  const tickets = Array.from({ length: tail - head }, (_, index) => head + index);
  const records = await readRecords(tickets.map((ticket) => turnKey(key, ticket)));
  return records.flatMap((record) => {
    const turn = record === null ? null : readValue<LockTurn>(record.value);
    return turn === null || turn.gone ? [] : [turn];
  });
}
