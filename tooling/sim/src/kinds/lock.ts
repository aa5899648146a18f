import { acquireLock } from "@perdure/core";
import { DeadlockError, LockTimeoutError } from "@perdure/core/errors";
import type { JournalEvent } from "@perdure/core/world";
import { type RunFold, valueIn } from "../fold.ts";
import type { LockedNode, Node } from "../program.ts";
import { slot } from "../slot.ts";
import {
  type Kind,
  type Maker,
  type NodeKinds,
  notAsked,
  type RunMessage,
  type Scope,
  type StoreView,
  type SystemCall,
  type Value,
} from "./kind.ts";
import { Locks } from "./lock-laws.ts";
import { callOf, systemStepsOf, undone } from "./system-step.ts";
import { liftLimit } from "./wait.ts";

/** Locks. The laws about who has one are in `lock-laws.ts`. */

/** Those that programs want, each with its limit. */
const LOCKS: readonly (readonly [key: string, limit: number])[] = [
  ["lock0", 1],
  ["lock1", 1],
  ["lock2", 2],
];

export const lockNodes: NodeKinds<"locked"> = {
  locked: {
    execute: async (node, scope) => await underLock(node, scope),
    gives: ({ node }, outcomesOf) => [...outcomesOf(node), "locked out", "deadlock"],
  },
};

async function underLock(
  { key, limit, timeout, releases, node }: LockedNode,
  { execute }: Scope,
): Promise<Value> {
  let lock: Awaited<ReturnType<typeof acquireLock>>;
  try {
    lock = await acquireLock(key, { limit, ...(timeout !== null && { timeout }) });
  } catch (error) {
    if (LockTimeoutError.is(error)) return "locked out";
    if (DeadlockError.is(error)) return "deadlock";
    throw error;
  }
  try {
    return await execute(node);
  } finally {
    if (releases) await lock.release();
  }
}

export function newLocked(maker: Maker, depth: number): Node {
  const { random } = maker;
  const [key, limit] = random.pick(LOCKS);
  return {
    type: "locked",
    key,
    limit,
    timeout: random.pick([null, null, null, 0, 100, 3000]),
    releases: random.chance(0.8),
    node: maker.node(depth + 1),
  };
}

interface HeldLocks {
  /** Those that it asked for and has not given back: keys by id. */
  readonly keys: Map<string, string>;
  /** The run before it had locks that it has not. */
  lost: boolean;
}

const heldOf: (fold: RunFold) => HeldLocks = slot(() => ({ keys: new Map(), lost: false }));

/** It waits for locks that the run before it had: until it has them again it begins no step. */
export function regainsLocks(fold: RunFold): boolean {
  const { open, own } = systemStepsOf(fold);
  return (
    heldOf(fold).lost && [...open.values()].some(({ id, name }) => name === "acquire_lock" && own.has(id))
  );
}

/** The locks of a store, by its records and by the journals. */
export const locksOf: (view: StoreView) => Locks = slot((view) => new Locks(view));

export const lockKind: Kind = {
  events: {
    system_step_created: { read: ask },
    system_step_completed: { read: answer },
    system_step_failed: { read: answer },
    lock_held: {
      read(fold, event) {
        fold.beforeBegin(event);
        heldOf(fold).keys.set(event.id ?? "", event.name ?? "");
        systemStepsOf(fold).closed.add(event.id ?? "");
      },
    },
    locks_lost: {
      own: true,
      read(fold, event) {
        if (fold.forkOf === null) fold.refuse(event, "the run goes on for no other");
        const held = heldOf(fold);
        held.lost = true;
        for (const id of held.keys.keys()) if (systemStepsOf(fold).closed.has(id)) held.keys.delete(id);
      },
    },
  },
  waiting: { acquire_lock: isWaiting },
  asking: { acquire_lock: lastAsked, release_lock: lastAsked },
  laws: {
    recordAsked: (view, key, now) => locksOf(view).asked(key, now),
    event: (view, fold, event) => locksOf(view).heard(fold, event),
    record: (view, key, before, after) => locksOf(view).written(key, before, after),
    messages: { system_step_result: checkGrant },
    owes: (_, fold) => undone(fold, "release_lock") ?? (heldOf(fold).keys.size > 0 ? "it has locks" : null),
    over: (view, run, _, now) => locksOf(view).over(run, now),
  },
};

function isWaiting(view: StoreView, runId: string, { id }: SystemCall): boolean {
  const fold = view.fold(runId);
  // What a run that goes on for another asks for comes after what that one had.
  const before = fold !== undefined && heldOf(fold).lost ? systemStepsOf(fold).open.keys() : [id];
  return [...before].some((each) => locksOf(view).isInLine(runId, each));
}

function lastAsked(view: StoreView, { input }: SystemCall): number {
  return locksOf(view).lastAsked((input as { readonly key: string }).key);
}

/** A lock is asked for, or given back, and then the code waits for it no more. */
function ask(fold: RunFold, event: JournalEvent): void {
  const [id, { keys }] = [event.id ?? "", heldOf(fold)];
  const acquired = callOf(fold, event, "acquire_lock");
  if (acquired !== null) keys.set(id, (acquired.input as { readonly key: string }).key);
  const released = callOf(fold, event, "release_lock");
  if (released === null) return;
  const { lockId } = released.input as { readonly lockId: string };
  keys.delete(lockId);
  systemStepsOf(fold).open.delete(lockId);
  fold.spared.delete(lockId);
  liftLimit(fold, lockId);
}

function answer(fold: RunFold, event: JournalEvent): void {
  const [id, { keys }] = [event.id ?? "", heldOf(fold)];
  liftLimit(fold, id);
  if (keys.has(id) && isLockedOut(valueIn<unknown>(event))) keys.delete(id);
}

function isLockedOut(result: unknown): boolean {
  return typeof result === "object" && result !== null && "holder" in result;
}

function checkGrant(view: StoreView, message: RunMessage): void {
  const { runId, id = "" } = message.to;
  const waiting = view.fold(runId);
  if (waiting === undefined || callOf(waiting, { id }, "acquire_lock") === null) return;
  const { fence } = valueIn<{ readonly fence?: number }>(message);
  if (fence !== undefined && !locksOf(view).isGranted(runId, id, fence))
    notAsked(message, `the lock was not granted with fence ${fence}`);
}
