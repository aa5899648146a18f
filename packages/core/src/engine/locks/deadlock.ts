import { derivedMessageId } from "../../ids.ts";
import { SYSTEM_STEP_RESULT } from "../../interpreter/kinds/system-step.ts";
import { encode } from "../../serialization/index.ts";
import {
  type LockHolder,
  type LockOwner,
  type LockTurn,
  type LockWait,
  lockKey,
  readValue,
  turnKey,
  waitPrefix,
} from "./lock-record.ts";
import { deletePlaces, type LockCalls, viewOf } from "./lock-store.ts";

/** Runs that wait for each other's locks. They are looked for when one begins to wait, and when one that waits is given a lock. */

/** A run that waits for a lock which the next one has; the last one's is the first one's. */
export interface DeadlockMember extends LockOwner {
  readonly key: string;
}

/** So many runs are looked at. */
const MOST_RUNS = 1_000;

/** Waits of one run that are read at once. */
const PAGE = 100;

interface Wait extends DeadlockMember {
  readonly holders: readonly LockHolder[];
}

/** What runs wait for, by run. */
type Waits = ReadonlyMap<string, readonly Wait[]>;

/** Looks for a deadlock that the run is in and tells the youngest run of it. */
export async function tellOfDeadlock({ runId }: Pick<LockOwner, "runId">, calls: LockCalls): Promise<void> {
  const before = await waitsFrom(runId, calls);
  const found = cycleOf(runId, before);
  if (found === null) return;
  // What was there before and is there now was there at one time.
  const facts = new Set(factsOf(await waitsFrom(runId, calls)));
  if (!factsOf(before).every((fact) => facts.has(fact))) return;
  const cycle = found.map(({ runId, lockId, key }): DeadlockMember => ({ runId, lockId, key }));
  const youngest = cycle.reduce((a, b) => (b.runId > a.runId ? b : a));
  await calls.deliver({
    messageId: derivedMessageId("lock_deadlock", youngest.runId, youngest.lockId),
    to: { runId: youngest.runId, id: youngest.lockId },
    type: SYSTEM_STEP_RESULT,
    at: calls.now(),
    data: encode({ deadlock: cycle }, "deadlock"),
  });
}

/** Everything that the run waits for, at any distance. */
async function waitsFrom(runId: string, calls: LockCalls): Promise<Waits> {
  const found = new Map<string, readonly Wait[]>();
  const next = [runId];
  for (let run = next.pop(); run !== undefined && found.size < MOST_RUNS; run = next.pop()) {
    if (found.has(run)) continue;
    const waits = await waitsOf(run, calls);
    found.set(run, waits);
    for (const { holders } of waits) next.push(...holders.map((holder) => holder.runId));
  }
  return found;
}

async function waitsOf(runId: string, calls: LockCalls): Promise<readonly Wait[]> {
  const { records } = await calls.listRecords(waitPrefix(runId), PAGE);
  const waits = records.map(({ value }) => readValue<LockWait>(value));
  if (waits.length === 0) return [];
  const keys = waits.flatMap(({ key, ticket }) => [lockKey(key), turnKey(key, ticket)]);
  const read = await calls.readRecords(keys);
  const places = waits.map((wait, index) => ({ ...wait, state: viewOf(read[2 * index], calls.now()).state }));
  // Records of places that are over: a slow request wrote them late.
  for (const { key, lockId, ticket, state } of places) {
    if (ticket < state.head) await deletePlaces(key, [{ ticket, owner: { runId, lockId } }], calls);
  }
  return places.flatMap(({ key, lockId, ticket, state }, index): Wait[] => {
    const turn = read[2 * index + 1];
    const gone = !turn || readValue<LockTurn>(turn.value).gone;
    // One that is handed over at this moment is not waited for.
    if (gone || ticket < state.head || state.holders.length < state.limit) return [];
    return [{ runId, lockId, key, holders: state.holders }];
  });
}

/** Where the run waits for itself: a lock counts only if none who have it can go on. */
function cycleOf(runId: string, waits: Waits): readonly Wait[] | null {
  const stuck = new Set(waits.keys());
  const isStuck = ({ holders }: Wait): boolean => holders.every((holder) => stuck.has(holder.runId));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [run, its] of waits) {
      if (stuck.has(run) && !its.some(isStuck)) changed = stuck.delete(run);
    }
  }
  if (!stuck.has(runId)) return null;
  const seen = new Set<string>();
  const walk = (run: string): readonly Wait[] | null => {
    if (seen.has(run)) return null;
    seen.add(run);
    for (const wait of (waits.get(run) ?? []).filter(isStuck)) {
      for (const holder of wait.holders) {
        const rest = holder.runId === runId ? [] : walk(holder.runId);
        if (rest !== null) return [wait, ...rest];
      }
    }
    return null;
  };
  return walk(runId);
}

function factsOf(waits: Waits): readonly string[] {
  return [...waits.values()]
    .flat()
    .flatMap(({ runId, lockId, key, holders }) => [
      JSON.stringify(["waits", runId, lockId, key]),
      ...holders.map((holder) => JSON.stringify(["has", key, holder.lockId, holder.fence])),
    ]);
}
