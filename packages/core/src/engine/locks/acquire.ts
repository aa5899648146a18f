import { granted, isOwner, type LockOwner, type LockState } from "./lock-record.ts";
import { deletePlaces, type LockCalls, readLock, writeLock, writePlace } from "./lock-store.ts";

/** Taking a lock, or a place in its line. */

export interface LockRequest {
  readonly key: string;
  readonly limit: number;
  /** If it is not free: wait for it, or go without. */
  readonly wait: boolean;
}

/** What became of it. */
export type Acquired =
  | { readonly type: "granted"; readonly fence: number }
  /** It is in the line; a message grants it. `state`: the lock as it was then. */
  | { readonly type: "waiting"; readonly state: LockState; readonly ticket: number }
  | { readonly type: "full"; readonly state: LockState }
  /** The run is not known to be ours any more. */
  | { readonly type: "not held" };

/**
 * Takes the lock or a place in its line, once however often it is called.
 *
 * `held` tells whether the run is ours and waits for the lock. It is asked after the lock was read and before it is written: whoever
 * takes the run over and gives the lock back has written it since, so that what a slow caller writes then is refused.
 */
export async function acquire(
  { key, limit, wait }: LockRequest,
  owner: LockOwner,
  held: () => boolean,
  calls: LockCalls,
): Promise<Acquired> {
  for (let tries = 0; ; tries++) {
    if (tries > 0) await calls.pause(tries);
    const { lock, place, had } = await readLock(key, owner, calls);
    const { state, version } = lock;
    const mine = state.holders.find((holder) => isOwner(holder, owner));
    if (mine !== undefined) return { type: "granted", fence: mine.fence };
    if (place !== null) {
      const { ticket } = place;
      if (place.version === null) await writePlace(key, ticket, owner, calls);
      return { type: "waiting", state, ticket };
    }
    if (!held()) return { type: "not held" };
    const { head, tail, last, holders } = state;
    if (head === tail && holders.length < limit) {
      const next = granted({ ...state, limit }, owner, null);
      const { written, view } = await writeLock(key, version, next, calls);
      if (!written) continue;
      if (had === null) calls.granted.add(owner.lockId, view);
      return { type: "granted", fence: next.fence };
    }
    if (!wait) return { type: "full", state };
    if (last !== null && head < tail) await writePlace(key, tail - 1, last, calls);
    const next = { ...state, limit, tail: tail + 1, last: { runId: owner.runId, lockId: owner.lockId } };
    if ((await writeLock(key, version, next, calls)).written) {
      await writePlace(key, tail, owner, calls);
      return { type: "waiting", state: next, ticket: tail };
    }
    // The one before may have had its turn meanwhile, and its records deleted.
    const now = (await readLock(key, owner, calls)).lock.state;
    if (last !== null && head < tail && now.head >= tail) {
      await deletePlaces(key, [{ ticket: tail - 1, owner: last }], calls);
    }
  }
}
