import { contexts } from "../../contexts.ts";
import type { Duration } from "../../duration.ts";
import { DeadlockError, type DeadlockMember, LockTimeoutError } from "../../errors/index.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { JournalEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import { cancelledAgain } from "./cancel.ts";
import type { Carried, Kind, OwedStep, Past } from "./kind.ts";
import { callSystemStep, type PendingSystemStep } from "./system-step.ts";
import { timeLimitIn } from "./wait.ts";

/**
 * Locks: each is asked for and given back by a system step. Whatever the run has asked for and has not given back it owes at its
 * end. `lock_held` tells the next generation what it has, `locks_lost` a run with another's journal that it has nothing.
 */

/** What `acquire_lock` is asked. Together with the run, the step's id is who has the lock. */
export interface AcquireInput {
  readonly key: string;
  readonly limit: number;
  readonly wait: boolean;
  /** Those that have it or wait for it are cancelled, the oldest first, until there is room. */
  readonly cancelOldest: boolean;
}

/** What it gives. */
export type AcquireResult =
  | { readonly fence: number }
  /** It was not free, and not to be waited for. */
  | { readonly holder: string | null }
  | { readonly deadlock: readonly (DeadlockMember & { readonly lockId: string })[] };

/** What `release_lock` is asked. */
export interface ReleaseInput {
  readonly key: string;
  readonly lockId: string;
}

/** The names of the steps that ask for locks. */
const ASKING: ReadonlySet<string> = new Set(["acquire_lock", "admit_run"]);

/** A lock that the run has asked for and not given back. */
export interface HeldLock {
  readonly key: string;
  readonly limit: number;
  lockId: string;
  /** Of the last grant; `null`: none yet. */
  fence: number | null;
  /** It is that of the workflow's `concurrency`. */
  readonly ofRun: boolean;
}

interface Locks extends KindState {
  readonly asked: Set<HeldLock>;
  /** Those of the generation before that the code has not asked for. */
  readonly kept: Set<HeldLock>;
  /** Those of `asked` that the run had by its journal and that are another run's. The first is asked for anew. */
  readonly lost: HeldLock[];
}

function locksOf(execution: Execution): Locks {
  return execution.state(LOCKS);
}

const LOCKS: StateKey<Locks> = { name: "locks", make: newLocks };

function newLocks(): Locks {
  return { asked: new Set(), kept: new Set(), lost: [] };
}

/** What is asked for. */
export interface LockRequest {
  readonly key: string;
  readonly limit: number;
  /** How long it is waited for, and how long that is in milliseconds; `null`: as long as it takes. */
  readonly timeout: { readonly duration: Duration; readonly length: number } | null;
}

/** A workflow acquires a lock. */
export async function acquireLockIn(
  execution: Execution,
  { key, limit, timeout }: LockRequest,
): Promise<HeldLock> {
  const cancelled = cancelledAgain(execution);
  if (cancelled !== null) return await cancelled;
  const kept = takeKept(execution, (lock) => lock.key === key && !lock.ofRun);
  if (kept !== null) return kept;
  const wait = timeout === null || timeout.length > 0;
  const lock = newLock(execution, { key, limit, ofRun: false });
  const asked = ask(execution, "acquire_lock", lock, { key, limit, wait, cancelOldest: false });
  const limitation = wait && timeout !== null ? timeLimitIn(execution, timeout.duration, lock.lockId) : null;
  const late = (): LockTimeoutError => new LockTimeoutError(key, timeout?.length ?? 0);
  let result: AcquireResult;
  try {
    const tooLate = limitation?.over.then(() => Promise.reject(late()));
    result = await (tooLate === undefined ? asked : Promise.race([asked, tooLate]));
  } catch (error) {
    giveUp(execution, lock);
    throw error;
  } finally {
    limitation?.lift();
  }
  if (isFull(result)) {
    locksOf(execution).asked.delete(lock);
    throw late();
  }
  return grantedOrThrow(execution, lock, result);
}

/** The lock of a workflow's `concurrency`, before its first line; else the run that has it. */
export async function admitRunIn(
  execution: Execution,
  input: AcquireInput,
): Promise<{ readonly admitted: true } | { readonly admitted: false; readonly holder: string | null }> {
  const { key, limit } = input;
  const kept = takeKept(execution, (lock) => lock.ofRun);
  if (kept?.key === key) return { admitted: true };
  if (kept !== null) void releaseLockIn(execution, kept);
  const lock = newLock(execution, { key, limit, ofRun: true });
  const result = await ask(execution, "admit_run", lock, input);
  if (isFull(result)) {
    locksOf(execution).asked.delete(lock);
    return { admitted: false, holder: result.holder };
  }
  grantedOrThrow(execution, lock, result);
  return { admitted: true };
}

/** A workflow gives a lock back; a cancel does not interrupt that. */
export async function releaseLockIn(execution: Execution, lock: HeldLock): Promise<void> {
  const { asked, lost } = locksOf(execution);
  if (!asked.delete(lock)) return;
  const place = lost.indexOf(lock);
  if (place >= 0) lost.splice(place, 1);
  // This run has not asked for it.
  if (place > 0) return;
  // One that the store has not given, or not given again, is awaited no more.
  if (lock.fence === null || place === 0) execution.settle(lock.lockId);
  if (place === 0) regainNext(execution);
  const input: ReleaseInput = { key: lock.key, lockId: lock.lockId };
  await contexts.run({ kind: "workflow", execution, shielded: true }, () =>
    callSystemStep(execution, "release_lock", () => input),
  );
}

/** The code waits for no lock any more: it continues as new. */
export function giveUpWaits(execution: Execution): void {
  const { asked, lost } = locksOf(execution);
  // Backwards, so that none that was lost is asked for on the way.
  for (const lock of [...asked].reverse())
    if (lock.fence === null || lost.includes(lock)) giveUp(execution, lock);
}

/** The run has locks, or asks for some. */
export function hasLocks(execution: Execution): boolean {
  const locks = execution.known(LOCKS);
  return locks !== undefined && (locks.asked.size > 0 || locks.kept.size > 0);
}

/** It goes on with the journal of another run, and has not got all the locks that this one had: no body may begin. */
export function regainsLocks(execution: Execution): boolean {
  return (execution.known(LOCKS)?.lost.length ?? 0) > 0;
}

/**
 * The system step asks for a lock and has to wait until the run has got back those that it lost. It would otherwise be given
 * what it asked for later before what it had, and so wait for itself, or for others who take locks in the same order as it does.
 */
export function comesAfterLost(execution: Execution, { id, name }: PendingSystemStep): boolean {
  const first = execution.known(LOCKS)?.lost[0];
  return first !== undefined && first.lockId !== id && ASKING.has(name);
}

function newLock(execution: Execution, what: Pick<HeldLock, "key" | "limit" | "ofRun">): HeldLock {
  const lock: HeldLock = { ...what, lockId: "", fence: null };
  locksOf(execution).asked.add(lock);
  return lock;
}

function ask(
  execution: Execution,
  step: "acquire_lock" | "admit_run",
  lock: HeldLock,
  input: AcquireInput,
): Promise<AcquireResult> {
  return callSystemStep<AcquireResult>(execution, step, (id) => {
    lock.lockId = id;
    return input;
  });
}

function grantedOrThrow(
  execution: Execution,
  lock: HeldLock,
  result: Exclude<AcquireResult, { readonly holder: string | null }>,
): HeldLock {
  if ("deadlock" in result) {
    giveUp(execution, lock);
    throw new DeadlockError(
      execution.runId,
      result.deadlock.map(({ runId, key }) => ({ runId, key })),
    );
  }
  lock.fence = result.fence;
  return lock;
}

/** The code waits for it no more. What comes of it is given back, without anybody waiting for that. */
function giveUp(execution: Execution, lock: HeldLock): void {
  releaseLockIn(execution, lock).catch(() => {});
}

function takeKept(execution: Execution, which: (lock: HeldLock) => boolean): HeldLock | null {
  const { asked, kept } = locksOf(execution);
  for (const lock of kept) {
    if (!which(lock)) continue;
    kept.delete(lock);
    asked.add(lock);
    return lock;
  }
  return null;
}

/** What the run had by its journal is another run's: it is asked for anew, one after the other, as it was acquired. */
function regain(execution: Execution): void {
  const { asked, kept, lost } = locksOf(execution);
  lost.push(...kept, ...[...asked].filter(({ fence }) => fence !== null));
  for (const lock of kept) asked.add(lock);
  kept.clear();
  regainNext(execution);
}

function regainNext(execution: Execution): void {
  const { lost } = locksOf(execution);
  const [lock] = lost;
  if (lock === undefined) return;
  const { key, limit, ofRun } = lock;
  const input: AcquireInput = { key, limit, wait: true, cancelOldest: false };
  ask(execution, ofRun ? "admit_run" : "acquire_lock", lock, input)
    .then((result) => {
      lost.shift();
      if (!isFull(result)) grantedOrThrow(execution, lock, result);
      regainNext(execution);
    })
    .catch((error: unknown) => execution.endAs(error));
}

export const lockKind: Kind = {
  events: {
    lock_held: {
      role: "note",
      note(execution, { id, name, data }) {
        const held = decode(data) as Pick<HeldLock, "limit" | "fence" | "ofRun">;
        locksOf(execution).kept.add({ ...held, key: name ?? "", lockId: id ?? "" });
      },
    },
    locks_lost: { role: "note", note: regain },
  },
  indebted: hasLocks,
  carry(execution) {
    const { asked, kept } = locksOf(execution);
    return [...asked, ...kept].map(
      ({ key, lockId, limit, fence, ofRun }): Carried => ({
        type: "lock_held",
        id: lockId,
        name: key,
        data: encode({ limit, fence, ofRun }, "lock"),
      }),
    );
  },
  owes: ({ journal }: Past) => ({ steps: [...unreleased(journal)].map(releaseStep) }),
};

/** The locks that a journal asks for and does not give back: ids and keys. */
export function unreleased(
  journal: readonly Pick<JournalEvent, "type" | "id" | "name" | "data">[],
): ReadonlyMap<string, string> {
  const locks = new Map<string, string>();
  const granted = new Set<string>();
  for (const { type, id, name, data } of journal) {
    // Another run's.
    if (type === "locks_lost") for (const lock of granted) locks.delete(lock);
    if (id === null) continue;
    if (type === "system_step_completed" && locks.has(id)) {
      if (isFull(decode(data) as AcquireResult)) locks.delete(id);
      else granted.add(id);
    }
    if (name === null) continue;
    if (type === "lock_held") {
      locks.set(id, name);
      granted.add(id);
    }
    if (type !== "system_step_created") continue;
    if (ASKING.has(name)) locks.set(id, (decode(data) as AcquireInput).key);
    // One that is not done yet is owed as every system step is.
    if (name === "release_lock") locks.delete((decode(data) as ReleaseInput).lockId);
  }
  return locks;
}

function isFull(result: AcquireResult): result is AcquireResult & { readonly holder: string | null } {
  return "holder" in result;
}

function releaseStep([lockId, key]: readonly [string, string]): OwedStep {
  return { id: `release_${lockId}`, name: "release_lock", input: { key, lockId } satisfies ReleaseInput };
}
