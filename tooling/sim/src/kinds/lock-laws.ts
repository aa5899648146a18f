import { decode, type MemoryRun } from "@perdure/core/testing";
import type { JournalEvent, StoredRecord } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, valueIn } from "../fold.ts";
import type { StoreView } from "./kind.ts";
import { callOf, lockAskedIn, systemStepsOf, undone } from "./system-step.ts";

/** The laws of locks: as the store keeps them, and as the journals say that runs have them. */

interface Holder {
  readonly runId: string;
  readonly lockId: string;
  readonly fence: number;
  readonly by: string | null;
}

interface LockState {
  readonly limit: number;
  readonly fence: number;
  readonly holders: readonly Holder[];
  readonly head: number;
  readonly tail: number;
  readonly last: { readonly runId: string; readonly lockId: string } | null;
}

const LOCK = "lock:key:";

/** What a lock was, as far as it is told by what was written. */
interface Line {
  /** Everybody who ever stood in it, in order. */
  readonly asked: string[];
  /** The place of who was granted the lock last out of it. */
  granted: number;
}

export class Locks {
  readonly #view: StoreView;
  readonly #lines: Map<string, Line> = new Map();
  /** Every grant that was ever written, as {@link grant}. */
  readonly #grants: Set<string> = new Set();
  /** Who has each lock by the journals, with the fence. */
  readonly #had: Map<string, Map<string, number>> = new Map();
  readonly #limits: Map<string, number> = new Map();
  readonly #asked: Map<string, number> = new Map();

  constructor(view: StoreView) {
    this.#view = view;
  }

  /** A record of a lock is read or written. */
  asked(key: string, now: number): void {
    const name = /^lock(?:-turn:\d+)?:key:(.*)$/.exec(key)?.[1];
    if (name !== undefined) this.#asked.set(name, now);
  }

  /** When a record of the lock was last read or written. */
  lastAsked(name: string): number {
    return this.#asked.get(name) ?? 0;
  }

  /** A record was written. */
  written(key: string, before: StoredRecord | null, after: StoredRecord | null): void {
    if (!key.startsWith(LOCK) || after === null || before?.version === after.version) return;
    const now = decode(after.value) as LockState;
    const old = before === null ? null : (decode(before.value) as LockState);
    const name = key.slice(LOCK.length);
    this.#limits.set(name, now.limit);
    if (now.holders.length > now.limit) {
      broken(
        "locks have so many holders as their limit",
        `${name} has ${now.holders.length} of ${now.limit}`,
      );
    }
    if (old !== null && now.fence < old.fence)
      broken("fences rise", `${name}: ${now.fence} after ${old.fence}`);
    const line = this.#lines.get(name) ?? { asked: [], granted: -1 };
    this.#lines.set(name, line);
    const isNew = (one: Holder): boolean => !(old?.holders.some(({ fence }) => fence === one.fence) ?? false);
    for (const holder of now.holders.filter(isNew)) {
      this.#grants.add(grant(holder.runId, holder.lockId, holder.fence));
      if (holder.fence <= (old?.fence ?? 0))
        broken("fences rise", `${name}: ${holder.fence} was given before`);
      if (holder.by === null) {
        if (old !== null && old.head < old.tail)
          broken("locks are granted in the order of asking", `${name} was taken by one who did not wait`);
        continue;
      }
      const place = line.asked.indexOf(owner(holder));
      if (place <= line.granted)
        broken("locks are granted in the order of asking", `${name}: place ${place} after ${line.granted}`);
      line.granted = place;
    }
    const { last } = now;
    if (last !== null && now.tail > (old?.tail ?? now.tail - 1) && line.asked.at(-1) !== owner(last))
      line.asked.push(owner(last));
  }

  /** Whether a lock was ever granted so. */
  isGranted(runId: string, lockId: string, fence: number): boolean {
    return this.#grants.has(grant(runId, lockId, fence));
  }

  /** Whether it stands in a line, or did. */
  isInLine(runId: string, lockId: string): boolean {
    return [...this.#lines.values()].some(({ asked }) => asked.includes(owner({ runId, lockId })));
  }

  /** The journal of a run has grown. */
  heard(fold: RunFold, event: JournalEvent): void {
    const { runId } = fold;
    const released = event.type === "system_step_created" ? callOf(fold, event, "release_lock") : null;
    if (released !== null) this.#leave(runId, (released.input as { readonly lockId: string }).lockId);
    if (fold.terminal) for (const lockId of systemStepsOf(fold).asked.keys()) this.#leave(runId, lockId);
    const call = event.type === "system_step_completed" ? lockAskedIn(fold, event) : null;
    if (call === null) return;
    const { fence } = valueIn<{ readonly fence?: number }>(event);
    if (fence === undefined) return;
    const { key } = call.input as { readonly key: string };
    if (!this.isGranted(runId, call.id, fence))
      broken("effects were asked for", `${key} was not granted with fence ${fence}`, runId);
    const had = this.#had.get(key) ?? new Map<string, number>();
    this.#had.set(key, had);
    had.set(owner({ runId, lockId: call.id }), fence);
    if (had.size > (this.#limits.get(key) ?? 1)) {
      const all = [...had.keys()].join(", ");
      broken("locks have so many holders as their limit", `by the journals ${all} have ${key}`, runId);
    }
  }

  #leave(runId: string, lockId: string): void {
    for (const had of this.#had.values()) had.delete(owner({ runId, lockId }));
  }

  /** Nobody looks at the run any more. */
  over({ row: { runId } }: MemoryRun, now: number): void {
    for (const key of this.#lines.keys()) {
      const record = this.#view.state.records.get(`${LOCK}${key}`, now);
      const holders = record === null ? [] : (decode(record.value) as LockState).holders;
      const isLeft = (holder: Holder): boolean => holder.runId === runId && !this.#isPassedOn(holder);
      if (holders.some(isLeft))
        broken("locks end with their runs", `the run has ended and has ${key}`, runId);
    }
  }

  /** Whoever has handed the lock over is not done, and will see that nobody takes it. */
  #isPassedOn({ by }: Holder): boolean {
    const [runId = ""] = by?.split(":") ?? [];
    const [fold, row] = [this.#view.fold(runId), this.#view.state.runs.get(runId)?.row];
    if (fold === undefined || row === undefined) return false;
    return fold.terminal ? row.owner !== null || row.dueAt !== null : undone(fold, "release_lock") !== null;
  }

  /** All runs have ended. */
  check(now: number): void {
    for (const run of this.#view.state.runs.values()) {
      if (this.#view.fold(run.row.runId)?.terminal === true) this.over(run, now);
    }
  }
}

function owner({ runId, lockId }: { readonly runId: string; readonly lockId: string }): string {
  return `${runId} ${lockId}`;
}

function grant(runId: string, lockId: string, fence: number): string {
  return `${runId} ${lockId} ${fence}`;
}

function broken(law: LawBroken["law"], message: string, runId: string | null = null): never {
  throw new LawBroken(law, message, runId);
}
