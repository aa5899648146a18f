import { derivedMessageId } from "../../ids.ts";
import { SYSTEM_STEP_RESULT } from "../../interpreter/kinds/system-step.ts";
import { encode } from "../../serialization/index.ts";
import { tellOfDeadlock } from "./deadlock.ts";
import {
  bytesOf,
  granted,
  IDLE,
  isOwner,
  type LockHolder,
  type LockOwner,
  type LockState,
  type LockTurn,
  type LockView,
  lockKey,
  readValue,
  turnKey,
  waitKey,
} from "./lock-record.ts";
import {
  deletePlaces,
  deleteRecord,
  type LockCalls,
  type Place,
  readLock,
  viewOf,
  writeLock,
  writePlace,
} from "./lock-store.ts";

/** Giving a lock back, or a place in its line, and handing the lock to those whose turn it is. */

/** So many places are read at once. */
const PLACES = 32;

/**
 * Whatever the owner has of the lock it has not any more. May be called any number of times, also for one that has nothing.
 *
 * A crash between the write that hands the lock over and the message that says so is mended by the repetition: whom this release
 * has handed the lock is told again, which counts once.
 */
export async function release(
  key: string,
  owner: LockOwner,
  calls: LockCalls,
  by: string = idOf(owner),
): Promise<void> {
  // Who was given it at once has no place in the line; and who has asked since is in what a conflict tells.
  let known = calls.granted.take(owner.lockId);
  for (let tries = 0; ; tries++) {
    if (tries > 0 && known === null) await calls.pause(tries);
    const { lock, place, had } =
      known === null ? await readLock(key, owner, calls) : { lock: known, place: null, had: null };
    const { state, version } = lock;
    // Whoever handed it over had no time for that.
    if (had !== null) await deletePlaces(key, [{ ticket: had, owner }], calls);
    const holders = state.holders.filter((holder) => !isOwner(holder, owner));
    if (holders.length === state.holders.length) {
      if (place !== null) {
        await leave(key, owner, place, calls);
        const [record] = await calls.readRecords([lockKey(key)]);
        // Its turn may have come before it was seen to be gone.
        if (viewOf(record, calls.now()).state.holders.some((holder) => isOwner(holder, owner))) continue;
      } else if (!(await writeLock(key, version, state, calls)).written) {
        // Written as it is, so that a slow request of the owner, which has read it before, is refused.
        known = null;
        continue;
      }
      await announce(key, state, calls, by);
      return;
    }
    const handed = await handOver(key, { version, state: { ...state, holders } }, calls, by);
    const result = handed === null ? null : await writeLock(key, version, handed.state, calls);
    if (handed === null || result?.written !== true) {
      known = tries === 0 && known !== null ? (result?.view ?? null) : null;
      continue;
    }
    await Promise.all([announce(key, handed.state, calls, by), clear(key, handed, calls, by)]);
    return;
  }
}

function idOf({ runId, lockId }: LockOwner): string {
  return `${runId}:${lockId}`;
}

interface HandedOver {
  readonly state: LockState;
  /** The places whose turn came. */
  readonly places: readonly { readonly ticket: number; readonly owner: LockOwner; readonly gone: boolean }[];
}

/** Who has the lock next; `null` if the lock has been written since it was read. */
async function handOver(
  key: string,
  { version, state: free }: LockView,
  calls: LockCalls,
  by: string,
): Promise<HandedOver | null> {
  const { limit, tail, last } = free;
  const places: { ticket: number; owner: LockOwner; gone: boolean }[] = [];
  let state = free;
  while (state.holders.length < limit && state.head < tail) {
    const count = Math.min(tail - state.head, PLACES);
    const tickets = Array.from({ length: count }, (_, index) => state.head + index);
    const records = await calls.readRecords(tickets.map((ticket) => turnKey(key, ticket)));
    for (const [index, ticket] of tickets.entries()) {
      if (state.holders.length >= limit) break;
      const record = records[index];
      let turn: LockTurn;
      if (record !== null && record !== undefined) turn = readValue<LockTurn>(record.value);
      else if (ticket === tail - 1 && last !== null) turn = { ...last, gone: false };
      else {
        // One that went a day ago has no record any more.
        const [lock] = await calls.readRecords([lockKey(key)]);
        if (lock?.version !== version) return null;
        state = { ...state, head: ticket + 1 };
        continue;
      }
      const { gone } = turn;
      const owner = { runId: turn.runId, lockId: turn.lockId };
      places.push({ ticket, owner, gone });
      state = { ...(gone ? state : granted(state, owner, by)), head: ticket + 1 };
    }
  }
  return { state, places };
}

/**
 * The places whose turn came are over. For those who were seen to wait, and had gone by the time of the write, the lock is given
 * back.
 */
async function clear(key: string, { places }: HandedOver, calls: LockCalls, by: string): Promise<void> {
  if (places.length === 0) return;
  const had = places.filter(({ gone }) => !gone);
  const records = await calls.readRecords(had.map(({ ticket }) => turnKey(key, ticket)));
  for (const [index, { owner }] of had.entries()) {
    const record = records[index];
    if (record && readValue<LockTurn>(record.value).gone) await release(key, owner, calls, by);
  }
  await deletePlaces(key, places, calls);
}

/** Tells those to whom this release has handed the lock. It is passed on for a run that has ended. */
async function announce(key: string, { holders }: LockState, calls: LockCalls, by: string): Promise<void> {
  const handed = holders.filter((holder) => holder.by === by);
  await Promise.all(
    handed.map(async (holder) => {
      if (!(await tell(holder, calls))) await release(key, holder, calls, by);
      else await tellOfDeadlock(holder, calls);
    }),
  );
}

/** False if there is no such run any more. */
async function tell({ runId, lockId, fence }: LockHolder, { deliver, now }: LockCalls): Promise<boolean> {
  const { outcome } = await deliver({
    messageId: derivedMessageId("lock_granted", runId, lockId, `${fence}`),
    to: { runId, id: lockId },
    type: SYSTEM_STEP_RESULT,
    at: now(),
    data: encode({ fence }, "lock"),
  });
  return outcome === "delivered";
}

/** The owner waits no more: its turn is passed over. */
async function leave(key: string, owner: LockOwner, place: Place, calls: LockCalls): Promise<void> {
  if (place.version === null) await writePlace(key, place.ticket, owner, calls);
  for (;;) {
    const [turn, wait] = await calls.readRecords([turnKey(key, place.ticket), waitKey(owner)]);
    if (turn) {
      const now = readValue<LockTurn>(turn.value);
      if (!now.gone) {
        const value = bytesOf({ ...now, gone: true });
        const write = { key: turn.key, writeId: calls.token(), ifVersion: turn.version, value, ttl: IDLE };
        if ((await calls.writeRecord(write)).outcome === "conflict") continue;
      }
    }
    if (wait) await deleteRecord(wait, calls);
    return;
  }
}
