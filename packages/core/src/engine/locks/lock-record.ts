import { hash } from "node:crypto";
import { decode, encode } from "../../serialization/index.ts";

/**
 * What the store keeps of a lock. One record has those who hold it and the line's two ends, so it is small however many wait; each
 * who waits has two records of its own, from place to run and from run to place.
 */

/** Who asks for a lock: a run, and the id of its request. */
export interface LockOwner {
  readonly runId: string;
  readonly lockId: string;
}

/** Who has a lock. */
export interface LockHolder extends LockOwner {
  readonly fence: number;
  /** Whose release handed it over; `null`: it was free. */
  readonly by: string | null;
}

/** The record of a lock. */
export interface LockState {
  /** How many may hold it, as the last one said who asked. */
  readonly limit: number;
  /** Of the last grant. */
  readonly fence: number;
  readonly holders: readonly LockHolder[];
  /** The first place of the line. */
  readonly head: number;
  /** The place of who asks next. */
  readonly tail: number;
  /** Who has the place before {@link tail}, also if it was granted since. Who asks next first writes its records if they are missing. */
  readonly last: LockOwner | null;
}

/** A lock as it was read, or written. */
export interface LockView {
  readonly state: LockState;
  /** `null`: there is no record. */
  readonly version: string | null;
}

/** The record of a place in the line. */
export interface LockTurn extends LockOwner {
  /** It does not wait any more, and is passed over. */
  readonly gone: boolean;
}

/** The record of one who waits. */
export interface LockWait {
  readonly key: string;
  readonly lockId: string;
  readonly ticket: number;
}

/** So long, in milliseconds, the record of a lock is kept that nobody has and nobody waits for. */
export const IDLE: number = 24 * 60 * 60 * 1_000;

/** With it begin the keys of all records of locks. */
export const LOCKS = "lock:";

export function lockKey(key: string): string {
  return `${LOCKS}${shortOf(key)}`;
}

/** What is locked, of the key of a lock's record; a hash where it is long. */
export function lockKeyFrom(recordKey: string): string {
  return recordKey.slice(LOCKS.length).replace(/^key:/, "");
}

export function turnKey(key: string, ticket: number): string {
  return `lock-turn:${ticket}:${shortOf(key)}`;
}

/** A store takes so many characters of a key, and what stands before it. */
const LONGEST = 200;

function shortOf(key: string): string {
  return key.length > LONGEST ? `hash:${hash("sha256", JSON.stringify(key), "base64url")}` : `key:${key}`;
}

/** With it begin the keys of what the run waits for. */
export function waitPrefix(runId: string): string {
  return `lock-wait:${runId}:`;
}

export function waitKey({ runId, lockId }: LockOwner): string {
  return `${waitPrefix(runId)}${lockId}`;
}

/**
 * A lock that nobody has had for a day, or ever. Its fences and places go on from the time in microseconds, so they are above
 * those of the record before it.
 */
export function newLock(limit: number, now: number): LockState {
  const first = Math.floor(now * 1_000);
  return { limit, fence: first, holders: [], head: first, tail: first, last: null };
}

/** Whether nobody has it and nobody waits for it. */
export function isIdle({ holders, head, tail }: LockState): boolean {
  return holders.length === 0 && head === tail;
}

export function isOwner(one: LockOwner, { runId, lockId }: LockOwner): boolean {
  return one.runId === runId && one.lockId === lockId;
}

/** One more has it. */
export function granted(state: LockState, { runId, lockId }: LockOwner, by: string | null): LockState {
  const fence = state.fence + 1;
  return { ...state, fence, holders: [...state.holders, { runId, lockId, fence, by }] };
}

export function bytesOf(value: LockState | LockTurn | LockWait): Uint8Array {
  return encode(value, "lock") as Uint8Array;
}

export function readValue<T extends LockState | LockTurn | LockWait>(bytes: Uint8Array): T {
  return decode(bytes) as T;
}
